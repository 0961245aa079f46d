// What happened, counted while the run goes on: one tally to an event loop, added up at the end.

import Histogram

/// What can go wrong with a request; each kind is counted.
enum LoadError: Int, CaseIterable, Sendable {
  /// No connection could be made.
  case connect
  /// The response was not complete in time.
  case timeout
  /// The connection ended within a response.
  case truncated
  /// The connection ended before any byte of a response.
  case closed
  /// What came is no acceptable HTTP/1.1 response.
  case malformed
  /// Due within the run, but no connection was free for it in time (open loop).
  case unsent

  /// The name in reports.
  var label: String {
    switch self {
    case .connect: "connect"
    case .timeout: "timeout"
    case .truncated: "truncated"
    case .closed: "closed"
    case .malformed: "malformed"
    case .unsent: "unsent"
    }
  }
}

/// The counts of a run, or of one event loop's share of it.
struct LoadTally: Sendable {
  /// Latencies are kept up to one hour, to three digits; in nanoseconds.
  static let longestLatency: UInt64 = 3_600_000_000_000

  /// Complete responses.
  private(set) var responses = 0
  /// Bytes received: heads, framing and content.
  var bytes = 0
  /// Connections made again after the peer closed one.
  var reconnects = 0
  /// Responses by first digit of the status; index 0 holds what is out of 1...5.
  private(set) var statusClasses = [Int](repeating: 0, count: 6)
  /// Responses by `CacheOutcome.rawValue`.
  private(set) var outcomes = [Int](repeating: 0, count: CacheOutcome.allCases.count)
  /// Errors by `LoadError.rawValue`.
  private(set) var errors = [Int](repeating: 0, count: LoadError.allCases.count)
  /// Latency of all responses.
  private(set) var all = Self.emptyHistogram()
  /// Latency of hits.
  private(set) var hit = Self.emptyHistogram()
  /// Latency of forwarded requests.
  private(set) var forwarded = Self.emptyHistogram()

  private static func emptyHistogram() -> Histogram<UInt32> {
    Histogram(highestTrackableValue: longestLatency, numberOfSignificantValueDigits: .three)
  }

  /// Counts one complete response. O(1).
  mutating func record(status: Int, outcome: CacheOutcome, nanoseconds: Int64) {
    let latency = min(UInt64(max(0, nanoseconds)), Self.longestLatency)
    responses += 1
    statusClasses[100..<600 ~= status ? status / 100 : 0] += 1
    outcomes[outcome.rawValue] += 1
    all.record(latency)
    if outcome == .hit {
      hit.record(latency)
    } else if outcome.isForward {
      forwarded.record(latency)
    }
  }

  /// Counts errors.
  mutating func record(_ error: LoadError, count: Int = 1) {
    errors[error.rawValue] += count
  }

  /// The number of hits.
  var hits: Int { outcomes[CacheOutcome.hit.rawValue] }

  /// The number of errors of all kinds.
  var errorCount: Int { errors.reduce(0, +) }

  /// Adds another tally to this one.
  mutating func add(_ other: LoadTally) {
    responses += other.responses
    bytes += other.bytes
    reconnects += other.reconnects
    for index in statusClasses.indices { statusClasses[index] += other.statusClasses[index] }
    for index in outcomes.indices { outcomes[index] += other.outcomes[index] }
    for index in errors.indices { errors[index] += other.errors[index] }
    all.add(other.all)
    hit.add(other.hit)
    forwarded.add(other.forwarded)
  }
}
