import Testing

@testable import edge_load

private func sequence(
  _ workload: NamedWorkload, seed: UInt64 = 1, loop: Int = 0, threads: Int = 1,
  change: (inout WorkloadModel) -> Void = { _ in }
) -> WorkloadSequence {
  var model = workload.model
  change(&model)
  return WorkloadSequence(model, seed: seed, loop: loop, threads: threads, rate: 10_000)
}

private func paths(_ sequence: WorkloadSequence, _ count: Int) -> [String] {
  var sequence = sequence
  return (0..<count).map { _ in String(decoding: sequence.next().path, as: UTF8.self) }
}

@Suite("Workloads by name")
struct NamedWorkloadTests {
  @Test("The same name and seed give the same requests, others give others")
  func seeded() {
    let first = paths(sequence(.web, seed: 7), 2000)
    #expect(first == paths(sequence(.web, seed: 7), 2000))
    #expect(first != paths(sequence(.web, seed: 8), 2000))
    #expect(first != paths(sequence(.web, seed: 7, loop: 1, threads: 2), 2000))
  }

  @Test("The sequence of a seed never changes between versions")
  func pinned() {
    #expect(
      paths(sequence(.web), 3) == [
        "/w/48321/part10.7cca58c8a0d9.js", "/w/17298/part85.9ab148a483fc.js",
        "/w/13729/part5922.f370b3e2743c.js",
      ])
  }

  @Test("Shares of what is dynamic and of what comes once")
  func shares() {
    var web = sequence(.web)
    var (dynamic, once, seen) = (0, 0, Set<[UInt8]>())
    for _ in 0..<50_000 {
      let request = web.next()
      if request.storage == .dynamic { dynamic += 1 }
      if request.storage == .once {
        once += 1
        #expect(seen.insert(request.path).inserted)
      }
    }
    #expect(abs(Double(dynamic) / 50_000 - 0.2) < 0.01)
    #expect(abs(Double(once) / 40_000 - 0.06) < 0.005)
  }

  @Test("No two threads request the same dynamic or one-hit URL")
  func threadsAreApart() {
    var all = Set<[UInt8]>()
    for loop in 0..<3 {
      var web = sequence(.web, loop: loop, threads: 3)
      for _ in 0..<5000 {
        let request = web.next()
        if case .stored = request.storage { continue }
        #expect(all.insert(request.path).inserted)
      }
    }
  }

  @Test("A site's own assets fit into 64 MB")
  func assetsFit() {
    for seed in 1...5 {
      let assets = sequence(.assets, seed: UInt64(seed))
      #expect(assets.coreBytes < 60 << 20)
      #expect(assets.coreBytes > 20 << 20)
    }
  }

  @Test("A deployment gives two in a hundred new URLs, the same ones in every thread")
  func deployment() {
    func after(_ requests: Int, loop: Int) -> [[UInt8]] {
      var web = sequence(.web, loop: loop, threads: 2) { $0.deployEvery = .seconds(1) }
      for _ in 0..<requests { _ = web.next() }
      return (0..<web.coreCount).map { web.core($0).path }
    }
    // At 10 000 requests a second over two threads each has 5000 from one deployment to the next.
    let (before, first) = (after(5000, loop: 0), after(5001, loop: 0))
    let changed = zip(before, first).count { $0 != $1 }
    #expect(abs(changed - 160) < 40)
    #expect(first == after(5001, loop: 1))
    #expect(first != after(10_001, loop: 0))
  }

  @Test("Sizes: median and tail are those of the model")
  func sizes() {
    let model = NamedWorkload.web.model.sizes
    var random = SplitMix64(seed: 3)
    let drawn = (0..<50_000).map { _ in
      model.size(random.nextUnit(), random.nextUnit(), random.nextUnit(), allowsTail: true)
    }.sorted()
    #expect(abs(Double(drawn[25_000]) - 17_500) < 800)
    let tail = Double(drawn.count { $0 >= 1 << 20 }) / 50_000
    #expect(abs(tail - 0.018) < 0.003)
    #expect(drawn[49_999] <= model.largest)
  }
}

@Suite("What an infinite cache would let through")
struct InfiniteCacheTests {
  @Test("The first request for each URL at each target, and all that nobody can store")
  func count() {
    var cache = InfiniteCache()
    cache.record(.stored(1), target: 0, counted: false)
    for target in 0...1 {
      for _ in 0..<3 { cache.record(.stored(1), target: target, counted: true) }
      cache.record(.stored(2), target: target, counted: true)
    }
    for _ in 0..<4 { cache.record(.dynamic, target: 0, counted: true) }
    cache.record(.once, target: 0, counted: true)
    #expect(cache.requests == 13)
    // URL 1 at target 1, URL 2 at both, four dynamic, one that came once.
    #expect(cache.forwards == 8)
  }

  @Test("What one thread met first, another may have made known")
  func threads() {
    var (one, two) = (InfiniteCache(), InfiniteCache())
    one.record(.stored(1), target: 0, counted: true)
    one.record(.stored(2), target: 0, counted: true)
    two.record(.stored(1), target: 0, counted: true)
    two.record(.stored(2), target: 0, counted: false)
    one.add(two)
    #expect(one.forwards == 1)
    #expect(one.requests == 3)
  }
}

@Suite("Generated URLs")
struct GeneratedNameTests {
  @Test("Generator and origin agree on size and entity tag")
  func agree() {
    let path = GeneratedName.path(size: 1234, name: "part7", hash: 0xABC)
    #expect(String(decoding: path, as: UTF8.self) == "/w/1234/part7.000000000abc.js")
    let name = GeneratedName(path: path, size: 1234)
    #expect(OriginRoute(target: String(decoding: path, as: UTF8.self)) == .generated(name))
    #expect(name.entityTag != GeneratedName(size: 1234, name: "part8.js".utf8).entityTag)
  }

  @Test("Other paths below /w/", arguments: ["/w/", "/w/x/a", "/w/-1/a", "/w/1", "/w/1/a/b"])
  func others(target: String) {
    #expect(OriginRoute(target: target) == .unknown)
  }
}
