// What one thread requests, one request after the other, and from which target. Seeded: the same
// plan gives the same sequence, whatever the timing of the responses.

/// What is remembered of a request until its response is there.
struct RequestMark {
  /// The listed path that was requested; nil for others.
  var path: Int?
  /// Whether the entity tag of the response is wanted.
  var wantsTag = false
}

/// The sequence of requests of one thread.
struct RequestSequence {
  private let requests: RequestTable
  private var workload: Workload
  private let isUnique: Bool
  /// The number of the next request whose URL is to be unlike any other.
  private var uniqueNumber: Int
  private let uniqueStep: Int
  private var targetDraw: WeightedDraw

  /// The sequence of one thread of a plan.
  init(_ plan: LoadPlan, requests: RequestTable, loop: Int) {
    self.requests = requests
    workload = Workload(plan, loop: loop)
    isUnique = plan.isUnique
    // Another seed gives other URLs, so that a second run need not meet what the first one stored.
    let base = Int(truncatingIfNeeded: (plan.seed &- 1) % 1_000_000_000) * 1_000_000_000
    (uniqueNumber, uniqueStep) = (base + loop, plan.threads)
    targetDraw = WeightedDraw(
      plan.targets.map(\.weight), seed: plan.seed &+ UInt64(loop) &* 0xD6E8_FEB8_6659_FD93)
  }

  /// The next request and its target.
  mutating func next(intended: Int64) -> (target: Int, request: PlannedRequest) {
    let target = targetDraw.next()
    return (target, next(target: target, intended: intended))
  }

  /// The next request, for a given target.
  mutating func next(target: Int, intended: Int64) -> PlannedRequest {
    let path = workload.next()
    guard isUnique else {
      return PlannedRequest(
        head: requests.head(target: target, path: path), mark: RequestMark(path: path),
        intended: intended)
    }
    let text = Self.unique(requests.path(target: target, path), number: uniqueNumber)
    uniqueNumber += uniqueStep
    return PlannedRequest(
      head: requests.head(target: target, path: text), mark: RequestMark(), intended: intended)
  }

  /// A request beside the sequence, for a connection that only has to be opened.
  func probe(target: Int, now: Int64) -> PlannedRequest {
    PlannedRequest(
      head: requests.lastingHead(target: target, path: requests.path(target: target, 0)),
      mark: RequestMark(), intended: now)
  }

  /// Remembers what a response said that later requests need.
  mutating func learn(_ mark: RequestMark, _ response: ResponseSummary) {}

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
