// Which path is requested next. Seeded, so that a run can be repeated: the same seed gives the same
// sequence of paths, whatever the timing of the responses.

import Glibc

/// SplitMix64: small, fast, and the same everywhere for a seed.
struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator that starts at the seed.
  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number from 0 up to, not including, 1.
  mutating func nextUnit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }
}

/// Zipf's distribution over ranks 0..<count: rank r has weight 1 / (r + 1)^alpha.
struct ZipfTable: Equatable, Sendable {
  private let cumulative: [Double]

  /// The distribution over `count` ranks, at least one. O(count).
  init(count: Int, alpha: Double) {
    var sum = 0.0
    var sums: [Double] = []
    sums.reserveCapacity(count)
    for rank in 1...max(1, count) {
      sum += 1 / Self.power(Double(rank), alpha)
      sums.append(sum)
    }
    cumulative = sums
  }

  /// The rank at a point from 0 up to 1 of the distribution. O(log count).
  func rank(at unit: Double) -> Int {
    let wanted = unit * cumulative[cumulative.count - 1]
    var (low, high) = (0, cumulative.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > wanted { high = middle } else { low = middle + 1 }
    }
    return low
  }

  private static func power(_ base: Double, _ exponent: Double) -> Double {
    exponent == 1 ? base : pow(base, exponent)
  }
}

/// The sequence of paths that one event loop requests, as indices into the plan's paths.
struct Workload: Sendable {
  private enum Choice: Sendable {
    case roundRobin
    case zipf(ZipfTable)
  }

  private let count: Int
  private let choice: Choice
  private var position: Int
  private var random: SplitMix64

  /// The sequence of one loop of a plan. Loops differ in their seed and where they begin, so that
  /// they do not request the same path at the same time.
  init(_ plan: LoadPlan, loop: Int = 0) {
    count = max(1, plan.paths.count)
    choice =
      plan.zipf.map { .zipf(ZipfTable(count: max(1, plan.paths.count), alpha: $0)) }
      ?? .roundRobin
    position = loop * count / max(1, plan.threads)
    random = SplitMix64(seed: plan.seed &+ UInt64(loop) &* 0xA076_1D64_78BD_642F)
  }

  /// The next path. O(1) for round robin, O(log paths) for Zipf.
  mutating func next() -> Int {
    switch choice {
    case .roundRobin:
      let path = position
      position = position + 1 == count ? 0 : position + 1
      return path
    case .zipf(let table):
      return table.rank(at: random.nextUnit())
    }
  }
}
