import NIOCore
import Seeds
import Testing

@testable import EdgeCache

extension StoredResponse {
  /// A response with that content for a URL, fresh for `lifetime` seconds after `now`.
  static func sample(
    _ key: CacheKey, _ content: String = "", selector: VariantSelector = .any,
    lifetime: Int64 = 60, now: Instant = Instant(seconds: 1_700_000_000)
  ) -> StoredResponse {
    let bytes = ByteBuffer(string: content)
    let head = CoreExchange.parseResponse("HTTP/1.1 200 OK↵Cache-Control: max-age=\(lifetime)")
    return StoredResponse(
      key: key, selector: selector, head: StoredHead(head, now: now),
      freshness: Freshness(
        head, directives: ResponseDirectives(head.fields, policy: SitePolicy()),
        policy: SitePolicy(), requestTime: now, responseTime: now,
        hashedURL: .none),
      content: Content(copying: [bytes], count: bytes.readableBytes))
  }
}

/// A table of responses so plain that it cannot be wrong: the least recently used comes first.
private struct NaiveShard {
  struct Entry {
    var response: StoredResponse
    var cost: Int
    /// Order of insertion; the newest of a chain is found first.
    var order: Int
  }

  var capacity: Int
  var entries: [Entry] = []
  var reserved = 0
  var evictions = 0
  private var inserted = 0

  init(capacity: Int) { self.capacity = capacity }

  var used: Int { entries.reduce(reserved) { $0 + $1.cost } }

  mutating func reserve(_ bytes: Int) -> Bool {
    guard reserved + bytes <= capacity else { return false }
    while used + bytes > capacity {
      entries.removeFirst()
      evictions += 1
    }
    reserved += bytes
    return true
  }

  mutating func insert(_ response: StoredResponse, cost: Int) {
    reserved -= cost
    inserted += 1
    entries.append(Entry(response: response, cost: cost, order: inserted))
  }

  mutating func find(_ key: CacheKey, where body: (StoredResponse) -> Bool) -> StoredResponse? {
    let chain = entries.filter { $0.response.key.hasSpelling(of: key) }
      .sorted { $0.order > $1.order }
    guard let found = chain.first(where: { body($0.response) }),
      let place = entries.firstIndex(where: { $0.order == found.order })
    else { return nil }
    entries.append(entries.remove(at: place))
    return found.response
  }

  mutating func removeAll(_ key: CacheKey, where body: (StoredResponse) -> Bool) -> (Int, Int) {
    let gone = entries.filter { $0.response.key.hasSpelling(of: key) && body($0.response) }
    entries.removeAll { entry in gone.contains { $0.order == entry.order } }
    return (gone.count, gone.reduce(0) { $0 + $1.cost })
  }
}

@Suite struct MemoryShardTests {
  private let secret = HashSecret(5, 6)

  private func keys(_ count: Int) -> [CacheKey] {
    (0..<count).compactMap { CacheKey(url: "http://a/\($0)".utf8, secret: secret) }
  }

  /// Exact LRU, sums, chains and evictions, after each of many operations.
  @Test(arguments: [UInt64(1), 2, 3, 4]) func againstNaiveModel(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let keys = keys(40)
    let responses = keys.map { key in (0..<3).map { _ in StoredResponse.sample(key) } }
    let purges = PurgeLog()
    var shard = MemoryShard(capacity: 3000)
    var model = NaiveShard(capacity: 3000)
    var fills: [Int] = []
    for step in 0..<6000 {
      let key = random.below(keys.count)
      switch random.below(100) {
      case 0..<45:
        // Which of a chain is wanted: any, or one in particular.
        let wanted = random.below(4)
        let choice: (StoredResponse) -> Bool = { wanted == 3 || $0 === responses[key][wanted] }
        let found = shard.find(keys[key], purges: purges, where: choice)
        let shouldFind = model.find(keys[key], where: choice)
        #expect(found === shouldFind, "seed \(seed), step \(step)")
      case 45..<80:
        let cost = 1 + random.below(random.below(50) == 0 ? 3200 : 300)
        let fits = shard.reserve(cost)
        let shouldFit = model.reserve(cost)
        #expect(fits == shouldFit, "seed \(seed), step \(step)")
        if fits {
          let response = responses[key][random.below(3)]
          shard.insert(response, cost: cost, stamp: 0)
          model.insert(response, cost: cost)
        }
      case 80..<88:
        let one = random.below(2) == 0
        let choice: (StoredResponse) -> Bool = { one ? $0 === responses[key][0] : true }
        let removed = shard.removeAll(keys[key], where: choice)
        let shouldRemove = model.removeAll(keys[key], where: choice)
        #expect(removed == shouldRemove, "seed \(seed), step \(step)")
      case 88..<93:
        let bytes = random.below(900)
        let fits = shard.reserve(bytes)
        let shouldFit = model.reserve(bytes)
        #expect(fits == shouldFit, "seed \(seed), step \(step)")
        if fits { fills.append(bytes) }
      case 93..<99:
        guard !fills.isEmpty else { break }
        let bytes = fills.remove(at: random.below(fills.count))
        shard.release(bytes)
        model.reserved -= bytes
      default:
        guard random.below(10) == 0 else { break }
        let gone = shard.evacuate()
        #expect(gone.count == model.entries.count && gone.bytes == model.used - model.reserved)
        model.entries = []
      }
      let agrees =
        shard.used == model.used && shard.reserved == model.reserved
        && shard.count == model.entries.count && shard.evictions == UInt64(model.evictions)
        && shard.used <= shard.capacity
      #expect(agrees, "seed \(seed), step \(step)")
      if !agrees { return }
    }
  }

  /// The index against a Dictionary while it grows to thousands and shrinks to nothing.
  @Test(arguments: [UInt64(11), 12]) func indexAgainstDictionary(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let keys = keys(3000)
    let responses = keys.map { StoredResponse.sample($0) }
    let purges = PurgeLog()
    var shard = MemoryShard(capacity: 1 << 20)
    var model: [CacheKey: StoredResponse] = [:]
    for phase in 0..<6 {
      let grows = phase % 2 == 0
      for _ in 0..<2500 {
        let place = random.below(keys.count)
        if random.below(5) < (grows ? 4 : 0) {
          guard model[keys[place]] == nil else { continue }
          _ = shard.reserve(1)
          shard.insert(responses[place], cost: 1, stamp: 0)
          model[keys[place]] = responses[place]
        } else {
          let removed = shard.removeAll(keys[place]).count
          let shouldRemove = model.removeValue(forKey: keys[place]) == nil ? 0 : 1
          #expect(removed == shouldRemove)
        }
      }
      for key in keys {
        let found = shard.find(key, purges: purges) { _ in true }
        if found !== model[key] { Issue.record("seed \(seed): wrong response for \(key.text)") }
      }
      #expect(shard.count == model.count && shard.used == model.count)
    }
  }

  /// What does not fit evicts nothing; what is reserved is never evicted.
  @Test func reservations() {
    var shard = MemoryShard(capacity: 100)
    func expect(_ bytes: Int, _ fits: Bool, count: Int, line: Int = #line) {
      let reserved = shard.reserve(bytes)
      #expect(reserved == fits && shard.count == count, "line \(line)")
    }
    expect(60, true, count: 0)
    shard.insert(StoredResponse.sample(keys(1)[0]), cost: 60, stamp: 0)
    expect(101, false, count: 1)
    expect(40, true, count: 1)
    expect(61, false, count: 1)
    expect(60, true, count: 0)
    #expect(shard.evictions == 1 && shard.used == 100)
    shard.release(100)
    #expect(shard.used == 0 && shard.reserved == 0)
  }

  /// A purge takes out what it covers on the way, by stamp alone and without a sweep.
  @Test func stamps() {
    let keys = keys(3)
    let purges = PurgeLog()
    var shard = MemoryShard(capacity: 1000)
    func insert(_ key: Int) {
      _ = shard.reserve(10)
      shard.insert(StoredResponse.sample(keys[key]), cost: 10, stamp: purges.head)
    }
    func held() -> [Int] {
      (0..<3).filter { shard.find(keys[$0], purges: purges) { _ in true } != nil }
    }
    insert(0)
    insert(1)
    _ = purges.append(.url(keys[0]))
    insert(2)
    #expect(held() == [1, 2])
    #expect(shard.count == 2)
    insert(0)
    #expect(held() == [0, 1, 2])
    _ = purges.append(.everything)
    #expect(held() == [])
    #expect(shard.count == 0 && shard.used == 0)
  }

  /// The budget counts keys, heads, selectors and the object, not only content.
  @Test func costCountsMetadata() {
    let key = keys(1)[0]
    let empty = StoredResponse.sample(key).cost
    #expect(empty > StoredResponse.overhead + key.bytes.count)
    #expect(StoredResponse.sample(key, String(repeating: "x", count: 1000)).cost >= empty + 1000)
    guard
      let long = CacheKey(
        url: "http://a/\(String(repeating: "k", count: 500))".utf8, secret: secret)
    else { return }
    #expect(StoredResponse.sample(long).cost >= empty + 490)
    let request = CoreExchange.parseRequest(
      "GET / HTTP/1.1↵Host: a↵A: \(String(repeating: "v", count: 300))")
    let vary = CoreExchange.parseResponse("HTTP/1.1 200 OK↵Vary: A")
    guard let selector = VariantSelector(response: vary.fields, request: request.fields) else {
      return
    }
    #expect(StoredResponse.sample(key, selector: selector).cost >= empty + 300)
  }
}

@Suite struct HitForMissTests {
  private let secret = HashSecret(5, 6)

  @Test func marks() {
    var marks = HitForMiss(limit: 4, seconds: 10...40)
    let keys = (0..<9).compactMap { CacheKey(url: "http://a/\($0)".utf8, secret: secret) }
    let now = Instant(seconds: 100)
    marks.mark(keys[0], now: now)
    #expect(marks.contains(keys[0], now: now) && !marks.contains(keys[1], now: now))
    #expect(marks.contains(keys[0], now: now.adding(seconds: 9)))
    #expect(!marks.contains(keys[0], now: now.adding(seconds: 10)))
    marks.clear(keys[0])
    #expect(!marks.contains(keys[0], now: now))
    // Those that were marked longest ago are forgotten first.
    for (number, key) in keys.enumerated() {
      marks.mark(key, now: now)
      let known = keys.count { marks.contains($0, now: now) }
      #expect(known >= min(number + 1, 3) && known <= 4)
      #expect(keys[max(0, number - 2)...number].allSatisfy { marks.contains($0, now: now) })
    }
    // One that is marked again is among the newest.
    for key in [keys[7], keys[0], keys[7], keys[1], keys[7], keys[2]] { marks.mark(key, now: now) }
    #expect([keys[7], keys[1], keys[2]].allSatisfy { marks.contains($0, now: now) })
  }

  @Test("A key that proves it again after its time is remembered for twice as long, up to a bound")
  func again() throws {
    let key = try #require(CacheKey(url: "http://a/".utf8, secret: secret))
    var marks = HitForMiss(limit: 4, seconds: 10...40)
    var now = Instant(seconds: 100)
    for seconds in [10, 20, 40, 40] as [Int64] {
      marks.mark(key, now: now)
      // What is still remembered proves nothing by being so: it only begins anew.
      now = now.adding(seconds: 1)
      marks.mark(key, now: now)
      #expect(marks.contains(key, now: now.adding(seconds: seconds - 1)))
      now = now.adding(seconds: seconds)
      #expect(!marks.contains(key, now: now))
    }
    marks.clear(key)
    marks.mark(key, now: now)
    #expect(!marks.contains(key, now: now.adding(seconds: 10)))
  }
}
