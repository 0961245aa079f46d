// What happened, counted while the run goes on: one tally to an event loop, added up at the end.

import Histogram

/// What can go wrong with a request or a connection; each kind is counted.
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
  /// Due within the run or asked for, but there was no connection that could send it.
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

/// The counts of a run, or of one thread's share of it.
struct LoadTally: Sendable {
  /// Latencies are kept up to one hour, to three digits; in nanoseconds.
  static let longestLatency: UInt64 = 3_600_000_000_000

  /// Complete responses.
  private(set) var responses = 0
  /// Bytes received: heads, framing and content.
  var bytes = 0
  /// Connections made again after the peer closed one.
  var reconnects = 0
  /// Connections that were opened to rest.
  var restingConnections = 0
  /// Of these, how many the peer has closed.
  var restingClosed = 0
  /// What a cache that never forgets would have forwarded.
  var infinite = InfiniteCache()
  /// What happened in each second.
  var series = SecondSeries()
  /// Responses by first digit of the status; index 0 holds what is out of 1...5.
  private(set) var statusClasses = [Int](repeating: 0, count: 6)
  /// Responses by `CacheOutcome.rawValue`.
  private(set) var outcomes = [Int](repeating: 0, count: CacheOutcome.allCases.count)
  /// Bytes of content by `CacheOutcome.rawValue`.
  private(set) var contentBytes = [Int](repeating: 0, count: CacheOutcome.allCases.count)
  /// Errors by `LoadError.rawValue`.
  private(set) var errors = [Int](repeating: 0, count: LoadError.allCases.count)
  /// What went wrong with connections while they had no request, by `LoadError.rawValue`.
  private(set) var connectionErrors = [Int](repeating: 0, count: LoadError.allCases.count)
  /// Latencies by `CacheOutcome.rawValue`; empty where there were none.
  private var latencies = [Histogram<UInt32>?](repeating: nil, count: CacheOutcome.allCases.count)

  private static func emptyHistogram() -> Histogram<UInt32> {
    Histogram(highestTrackableValue: longestLatency, numberOfSignificantValueDigits: .three)
  }

  /// Counts one complete response. O(1).
  mutating func record(_ response: ResponseSummary, nanoseconds: Int64) {
    let latency = min(UInt64(max(0, nanoseconds)), Self.longestLatency)
    let (status, index) = (response.status, response.outcome.rawValue)
    responses += 1
    statusClasses[100..<600 ~= status ? status / 100 : 0] += 1
    outcomes[index] += 1
    contentBytes[index] += response.contentBytes
    if latencies[index] == nil { latencies[index] = Self.emptyHistogram() }
    latencies[index]?.record(latency)
  }

  /// Counts requests that have failed. Each request is a response or an error, and never both.
  mutating func record(_ error: LoadError, count: Int = 1) {
    errors[error.rawValue] += count
  }

  /// Counts what went wrong with a connection that had no request.
  mutating func recordBeside(_ error: LoadError) {
    connectionErrors[error.rawValue] += 1
  }

  /// The number of hits.
  var hits: Int { outcomes[CacheOutcome.hit.rawValue] }

  /// The number of errors of all kinds.
  var errorCount: Int { errors.reduce(0, +) }

  /// The latencies of all responses whose outcome is wanted. O(values that can be told apart).
  func latency(of isWanted: (CacheOutcome) -> Bool) -> Histogram<UInt32> {
    var sum = Self.emptyHistogram()
    for outcome in CacheOutcome.allCases where isWanted(outcome) {
      if let histogram = latencies[outcome.rawValue] { sum.add(histogram) }
    }
    return sum
  }

  /// Adds another tally to this one.
  mutating func add(_ other: LoadTally) {
    responses += other.responses
    bytes += other.bytes
    reconnects += other.reconnects
    restingConnections += other.restingConnections
    restingClosed += other.restingClosed
    infinite.add(other.infinite)
    series.add(other.series)
    for index in statusClasses.indices { statusClasses[index] += other.statusClasses[index] }
    for index in outcomes.indices {
      outcomes[index] += other.outcomes[index]
      contentBytes[index] += other.contentBytes[index]
      guard let more = other.latencies[index] else { continue }
      if latencies[index] == nil { latencies[index] = Self.emptyHistogram() }
      latencies[index]?.add(more)
    }
    for index in errors.indices {
      errors[index] += other.errors[index]
      connectionErrors[index] += other.connectionErrors[index]
    }
  }
}
