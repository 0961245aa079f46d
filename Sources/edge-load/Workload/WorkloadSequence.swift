// The requests of a workload, one after the other. Everything follows from the seed and from the
// number of the request: what is popular, how long it is, what a deployment replaces. So a run can be
// repeated, and the same sequence can be written to a file and simulated.

/// One request of a workload.
struct WorkloadRequest {
  /// Path and query.
  var path: [UInt8]
  /// Bytes of content, as far as the path says.
  var size: Int
  /// Whether and as what a cache may store it.
  var storage: Storage

  /// What a cache that never forgets would know it by.
  enum Storage: Equatable {
    /// Never stored.
    case dynamic
    /// Stored, but never asked for again.
    case once
    /// Stored, and known by this number.
    case stored(UInt64)
  }
}

/// The sequence of one thread.
struct WorkloadSequence: Sendable {
  private let model: WorkloadModel
  private let seed: UInt64
  private let step: Int
  private let ranks: ZipfTable
  private var random: SplitMix64
  private var paths: [[UInt8]] = []
  private var sizes: [Int] = []
  private var versions: [UInt32]
  /// Requests of this thread from one deployment to the next.
  private let deployInterval: Int
  private var untilDeployment: Int
  private var deployment: UInt64 = 0
  private var nextOnce: Int
  private var nextDynamic: Int

  /// The sequence of thread `loop` of `threads`, at `rate` requests per second over all of them.
  init(_ model: WorkloadModel, seed: UInt64, loop: Int = 0, threads: Int = 1, rate: Double) {
    (self.model, self.seed, step) = (model, seed, threads)
    ranks = ZipfTable(count: model.core, alpha: model.zipf)
    random = SplitMix64(seed: Self.mix(seed, 1, UInt64(loop)))
    versions = Array(repeating: 0, count: model.core)
    let every = model.deployEvery.map { $0.inSeconds * rate / Double(threads) }
    deployInterval = every.map { max(1, Int($0.rounded())) } ?? .max
    untilDeployment = deployInterval
    (nextOnce, nextDynamic) = (loop, loop)
    for rank in 0..<model.core {
      let size = contentSize(UInt64(rank), allowsTail: rank >= WorkloadModel.mostPopular)
      sizes.append(size)
      paths.append(path(rank, version: 0, size: size))
    }
  }

  /// Bytes of the whole core.
  var coreBytes: Int { sizes.reduce(0, +) }

  /// The number of the core's URLs.
  var coreCount: Int { paths.count }

  /// One of the core's URLs, by popularity, as it is now.
  func core(_ rank: Int) -> WorkloadRequest {
    WorkloadRequest(
      path: paths[rank], size: sizes[rank],
      storage: .stored(UInt64(rank) << 24 | UInt64(versions[rank])))
  }

  /// The next request. O(log core), and O(core) at a deployment.
  mutating func next() -> WorkloadRequest {
    if untilDeployment == 0 { deploy() }
    untilDeployment -= 1
    if random.nextUnit() < model.dynamic {
      nextDynamic += step
      return WorkloadRequest(
        path: Array("/api/items/\(nextDynamic - step)".utf8), size: 0, storage: .dynamic)
    }
    if model.oneHit > 0, random.nextUnit() < model.oneHit { return once() }
    return core(ranks.rank(at: random.nextUnit()))
  }

  private mutating func once() -> WorkloadRequest {
    let number = nextOnce
    nextOnce += step
    let size = contentSize(1 << 40 | UInt64(number), allowsTail: true)
    let path = GeneratedName.path(
      size: size, name: "once\(number)", hash: Self.mix(seed, 2, UInt64(number)))
    return WorkloadRequest(path: path, size: size, storage: .once)
  }

  private mutating func deploy() {
    untilDeployment = deployInterval
    deployment += 1
    let threshold = UInt64(model.deployShare * Double(UInt32.max))
    for rank in versions.indices
    where Self.mix(seed, 3 &+ deployment << 8, UInt64(rank)) & 0xFFFF_FFFF < threshold {
      versions[rank] = UInt32(deployment)
      paths[rank] = path(rank, version: versions[rank], size: sizes[rank])
    }
  }

  private func path(_ rank: Int, version: UInt32, size: Int) -> [UInt8] {
    GeneratedName.path(
      size: size, name: "part\(rank)",
      hash: Self.mix(seed, 4, UInt64(rank) << 24 | UInt64(version)))
  }

  private func contentSize(_ number: UInt64, allowsTail: Bool) -> Int {
    var draw = SplitMix64(seed: Self.mix(seed, 5, number))
    let (first, second, third) = (draw.nextUnit(), draw.nextUnit(), draw.nextUnit())
    return model.sizes.size(first, second, third, allowsTail: allowsTail)
  }

  /// A number that follows from three others and from nothing else.
  private static func mix(_ seed: UInt64, _ purpose: UInt64, _ number: UInt64) -> UInt64 {
    var generator = SplitMix64(
      seed: seed &* 0xA076_1D64_78BD_642F ^ purpose &* 0xE703_7ED1_A0B4_28DB ^ number)
    return generator.next() ^ generator.next()
  }
}
