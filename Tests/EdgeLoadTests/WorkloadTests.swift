import Testing

@testable import edge_load

/// A plan over numbered paths, for tests that look at the choice of paths alone.
private func plan(paths: Int, zipf: Double? = nil, seed: UInt64 = 1, threads: Int = 1) -> LoadPlan {
  var plan = LoadPlan(targets: [])
  plan.paths = (0..<paths).map { "/\($0)" }
  (plan.zipf, plan.seed, plan.threads) = (zipf, seed, threads)
  return plan
}

private func sequence(_ plan: LoadPlan, loop: Int = 0, count: Int) -> [Int] {
  var workload = Workload(plan, loop: loop)
  return (0..<count).map { _ in workload.next() }
}

@Suite("Workload")
struct WorkloadTests {
  @Test("Round robin takes the paths in turn")
  func roundRobin() {
    #expect(sequence(plan(paths: 3), count: 7) == [0, 1, 2, 0, 1, 2, 0])
  }

  @Test("Without paths there is one, the target's own")
  func noPaths() {
    #expect(sequence(plan(paths: 0), count: 3) == [0, 0, 0])
  }

  @Test("Loops begin at different paths")
  func loopsAreSpread() {
    #expect(sequence(plan(paths: 4, threads: 2), loop: 1, count: 4) == [2, 3, 0, 1])
  }

  @Test("The same seed gives the same sequence, another seed another")
  func seeded() {
    let first = sequence(plan(paths: 100, zipf: 1, seed: 7), count: 500)
    #expect(first == sequence(plan(paths: 100, zipf: 1, seed: 7), count: 500))
    #expect(first != sequence(plan(paths: 100, zipf: 1, seed: 8), count: 500))
    #expect(first != sequence(plan(paths: 100, zipf: 1, seed: 7), loop: 1, count: 500))
  }

  @Test("The sequence of a seed never changes between versions")
  func pinned() {
    #expect(sequence(plan(paths: 10, zipf: 1, seed: 42), count: 8) == [4, 0, 0, 1, 0, 6, 0, 5])
  }

  @Test("Zipf's weights fall as 1 / rank^alpha")
  func zipfShares() {
    let drawn = sequence(plan(paths: 50, zipf: 1), count: 200_000)
    var counts = [Int](repeating: 0, count: 50)
    for rank in drawn { counts[rank] += 1 }
    let harmonic = (1...50).reduce(0.0) { $0 + 1 / Double($1) }
    for rank in [0, 1, 4, 9] {
      let expected = 200_000 / (Double(rank + 1) * harmonic)
      #expect(abs(Double(counts[rank]) - expected) < expected * 0.05, "rank \(rank)")
    }
  }

  @Test("Exponent zero is uniform, and both ends of the distribution are ranks")
  func zipfEdges() {
    let uniform = ZipfTable(count: 4, alpha: 0)
    #expect([0, 0.26, 0.51, 0.76, 0.999_999].map(uniform.rank) == [0, 1, 2, 3, 3])
    #expect(ZipfTable(count: 1, alpha: 1).rank(at: 0.5) == 0)
  }
}
