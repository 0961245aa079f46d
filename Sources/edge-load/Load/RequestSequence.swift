// What one thread requests, one request after the other, and from which target. Seeded: the same
// plan gives the same sequence, whatever the timing of the responses.

import EdgeCache

/// What is remembered of a request until its response is there.
struct RequestMark {
  /// The listed path that was requested; nil for others.
  var path: Int?
  /// Whether the entity tag of the response is wanted.
  var wantsTag = false
  /// What must hold for the version that comes; nil for what is not purged.
  var read: VersionedRead?
  /// How a cache that never forgets would know it; nil outside of workloads.
  var storage: WorkloadRequest.Storage?
}

/// The sequence of requests of one thread.
struct RequestSequence {
  private enum Source {
    case paths(Workload)
    case unique(Workload, next: Int)
    case workload(WorkloadSequence)
    case replay(Replay)
  }

  private let requests: RequestTable
  private let step: Int
  private let loop: Int
  private var source: Source
  private var targetDraw: WeightedDraw
  private var fieldDraw: SplitMix64
  private let board: PurgeBoard?
  private let versioned: Int
  private let versionedShare: Double
  private let conditional: Double
  private let range: Double
  /// Entity tags of listed paths, as far as responses have told them.
  private var tags: [[UInt8]]

  /// Length of the part that a request for a range asks for.
  private static let part = 64 * 1024

  /// The sequence of one thread of a plan. A log that is replayed is shared by all threads.
  init(
    _ plan: LoadPlan, requests: RequestTable, loop: Int, board: PurgeBoard? = nil,
    replay: ReplayLog? = nil
  ) {
    self.requests = requests
    self.board = board
    versioned = plan.purges?.resources ?? 0
    let isAlone = plan.workload == nil && plan.paths.isEmpty && plan.replay == nil
    versionedShare = isAlone ? 1 : PurgePlan.readShare
    (self.loop, step) = (loop, plan.threads)
    if let replay {
      source = .replay(Replay(replay))
    } else if let model = plan.workload {
      source = .workload(
        WorkloadSequence(
          model, seed: plan.seed, loop: loop, threads: plan.threads,
          rate: plan.rate ?? LoadPlan.nominalRate))
    } else if plan.isUnique {
      // Another seed gives other URLs: a second run need not meet what the first one stored.
      let base = Int(truncatingIfNeeded: (plan.seed &- 1) % 1_000_000_000) * 1_000_000_000
      source = .unique(Workload(plan, loop: loop), next: base + loop)
    } else {
      source = .paths(Workload(plan, loop: loop))
    }
    (conditional, range) = (plan.conditional, plan.range)
    let seed = plan.seed &+ UInt64(loop) &* 0xD6E8_FEB8_6659_FD93
    targetDraw = WeightedDraw(plan.targets.map(\.weight), seed: seed)
    fieldDraw = SplitMix64(seed: ~seed)
    tags = conditional > 0 ? Array(repeating: [], count: requests.pathCount) : []
  }

  /// When the next request is due, in nanoseconds from the start of the run, where a log says so;
  /// nil at the end of the log.
  mutating func nextRecordedTime() -> Int64? {
    guard case .replay(let replay) = source else { return nil }
    return replay.nextTime
  }

  /// The next request and its target; nil when there are no more.
  mutating func next(intended: Int64) -> (target: Int, request: PlannedRequest)? {
    let target = targetDraw.next()
    return next(target: target, intended: intended).map { (target, $0) }
  }

  /// The next request, for a given target; nil when there are no more.
  mutating func next(target: Int, intended: Int64) -> PlannedRequest? {
    if let board, fieldDraw.nextUnit() < versionedShare {
      let resource = Int(fieldDraw.next() % UInt64(versioned))
      var mark = RequestMark(wantsTag: true)
      mark.read = board.read(resource)
      return PlannedRequest(
        head: requests.head(target: target, path: Array(PurgeDriver.path(resource).utf8)),
        mark: mark, intended: intended)
    }
    switch source {
    case .paths(var workload):
      let path = workload.next()
      source = .paths(workload)
      return listed(target: target, path: path, intended: intended)
    case .unique(var workload, let number):
      let path = requests.path(target: target, workload.next())
      source = .unique(workload, next: number + step)
      return PlannedRequest(
        head: requests.head(target: target, path: Self.unique(path, number: number)),
        mark: RequestMark(), intended: intended)
    case .workload(var workload):
      let request = workload.next()
      source = .workload(workload)
      return generated(request, target: target, intended: intended)
    case .replay(let replay):
      guard let path = replay.next() else { return nil }
      return PlannedRequest(
        head: requests.head(target: target, path: path), mark: RequestMark(), intended: intended)
    }
  }

  /// The number of URLs that come again and again, of which this thread has its share.
  var prefillCount: Int {
    switch source {
    case .paths: requests.pathCount
    case .workload(let workload): workload.coreCount
    case .unique, .replay: 0
    }
  }

  /// One of those URLs, the most popular ones last; for the time before the run.
  func prefill(target: Int, number: Int, now: Int64) -> PlannedRequest {
    let index = prefillCount - 1 - number
    if case .workload(let workload) = source {
      let request = workload.core(index)
      return PlannedRequest(
        head: requests.head(target: target, path: request.path),
        mark: RequestMark(storage: request.storage), intended: now)
    }
    return PlannedRequest(
      head: requests.head(target: target, path: index),
      mark: RequestMark(path: index, wantsTag: conditional > 0), intended: now)
  }

  /// A request beside the sequence, for a connection that only has to be opened.
  func probe(target: Int, now: Int64) -> PlannedRequest {
    var path = requests.path(target: target, 0)
    if case .workload(let workload) = source { path = workload.core(0).path }
    return PlannedRequest(
      head: requests.lastingHead(target: target, path: path), mark: RequestMark(), intended: now)
  }

  /// Remembers what a response said that later requests need.
  mutating func learn(_ mark: RequestMark, _ response: ResponseSummary, now: Int64) {
    if let read = mark.read, let board {
      if let version = VersionedResources.version(ofTag: response.entityTag) {
        board.record(read, version: version, now: now)
      }
      return
    }
    guard mark.wantsTag, let path = mark.path, !response.entityTag.isEmpty else { return }
    tags[path] = response.entityTag
  }

  // MARK: Fields

  private mutating func listed(target: Int, path: Int, intended: Int64) -> PlannedRequest {
    let mark = RequestMark(path: path, wantsTag: conditional > 0)
    let fields = fields(tag: conditional > 0 ? tags[path] : [], size: Self.part)
    let head =
      fields.isEmpty
      ? requests.head(target: target, path: path)
      : requests.head(target: target, path: requests.path(target: target, path), fields: fields)
    return PlannedRequest(head: head, mark: mark, intended: intended)
  }

  private mutating func generated(
    _ request: WorkloadRequest, target: Int, intended: Int64
  ) -> PlannedRequest {
    var fields: [UInt8] = []
    if request.storage != .dynamic, conditional > 0 || range > 0 {
      let name = GeneratedName(path: request.path, size: request.size)
      fields = self.fields(tag: Array(name.entityTag.utf8), size: request.size)
    }
    return PlannedRequest(
      head: requests.head(target: target, path: request.path, fields: fields),
      mark: RequestMark(storage: request.storage), intended: intended)
  }

  /// The field lines that make a share of the requests conditional, and another one partial.
  private mutating func fields(tag: [UInt8], size: Int) -> [UInt8] {
    guard conditional > 0 || range > 0 else { return [] }
    let draw = fieldDraw.nextUnit()
    if draw < conditional {
      return tag.isEmpty ? [] : Array("If-None-Match: ".utf8) + tag + [0x0D, 0x0A]
    }
    guard draw < conditional + range, size > 1 else { return [] }
    let start = Int(fieldDraw.nextUnit() * Double(max(1, size - Self.part)))
    return Array("Range: bytes=\(start)-\(min(size, start + Self.part) - 1)\r\n".utf8)
  }

  /// The path with a number where `{n}` stands, or else at the end of its query.
  static func unique(_ path: [UInt8], number: Int) -> [UInt8] {
    let digits = Array(String(number).utf8)
    let place = Array("{n}".utf8)
    if let start = path.indices.first(where: { path[$0...].starts(with: place) }) {
      return Array(path[..<start]) + digits + Array(path[(start + place.count)...])
    }
    let separator = path.contains(UInt8(ascii: "?")) ? "&n=" : "?n="
    return path + Array(separator.utf8) + digits
  }
}

/// Indices drawn in proportion to weights, by a seed.
struct WeightedDraw: Sendable {
  private let cumulative: [Double]
  private var random: SplitMix64

  /// Draws among as many indices as there are weights, at least one.
  init(_ weights: [Double], seed: UInt64) {
    var sum = 0.0
    cumulative = weights.map {
      sum += $0
      return sum
    }
    random = SplitMix64(seed: seed)
  }

  /// The next index. O(weights).
  mutating func next() -> Int {
    guard cumulative.count > 1 else { return 0 }
    let wanted = random.nextUnit() * cumulative[cumulative.count - 1]
    return cumulative.firstIndex { $0 > wanted } ?? cumulative.count - 1
  }
}
