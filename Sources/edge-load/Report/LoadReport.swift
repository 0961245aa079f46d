// The result of a run as numbers: the arithmetic between the tally and what people and scripts see.
// Rates, ratios and percentiles are computed here once; text and JSON show the same values.

import Histogram

/// A distribution of latencies, in microseconds.
struct LatencySummary: Codable, Equatable, Sendable {
  var count: Int
  var min: Double
  var mean: Double
  var p50: Double
  var p90: Double
  var p99: Double
  var p999: Double
  var max: Double

  /// The summary of a histogram of nanoseconds; nil if nothing was recorded.
  init?(_ histogram: Histogram<UInt32>) {
    guard histogram.totalCount > 0 else { return nil }
    count = Int(histogram.totalCount)
    // The histogram knows values to three digits; more digits in a report would be noise.
    func micros(_ nanoseconds: UInt64) -> Double { Double(nanoseconds / 10) / 100 }
    min = micros(histogram.min)
    mean = micros(UInt64(histogram.mean))
    p50 = micros(histogram.valueAtPercentile(50))
    p90 = micros(histogram.valueAtPercentile(90))
    p99 = micros(histogram.valueAtPercentile(99))
    p999 = micros(histogram.valueAtPercentile(99.9))
    max = micros(histogram.maxRecorded)
  }
}

/// What caches said about the responses.
struct CacheSummary: Codable, Equatable, Sendable {
  /// Responses whose nearest cache said `hit`.
  var hits: Int
  /// Responses that were forwarded, by reason (`fwd=`), without those that are zero.
  var forwarded: [String: Int]
  /// Members with neither `hit` nor `fwd`.
  var unstated: Int
  /// Responses without Cache-Status.
  var noCacheStatus: Int
  /// Hits among responses with Cache-Status, from 0 to 1; nil if there were none of those.
  var hitRatio: Double?
  /// Bytes of content of hits among those of responses with Cache-Status, from 0 to 1.
  var byteHitRatio: Double?
}

/// What a cache that stores everything for ever would have let through, from the same requests.
struct InfiniteCacheSummary: Codable, Equatable, Sendable {
  /// Requests that it would have forwarded.
  var forwards: Int
  /// The same per second.
  var forwardsPerSecond: Double
  /// The share that it would have answered, from 0 to 1.
  var hitRatio: Double
}

/// The result of a run.
struct LoadReport: Codable, Equatable, Sendable {
  /// The target URLs.
  var targets: [String]
  /// Connections over all targets.
  var connections: Int
  /// Requests per second that were asked for; nil for a closed loop.
  var askedRate: Double?
  /// The log that was replayed, if one was.
  var replayed: String?
  /// What became of its lines.
  var log: LogAccount?
  /// What was run, and when.
  var run: RunFacts?
  /// From the first request until the last response.
  var seconds: Double
  /// Complete responses.
  var requests: Int
  /// Complete responses per second.
  var requestsPerSecond: Double
  /// Bytes received, heads included.
  var bytes: Int
  /// Bytes received per second.
  var bytesPerSecond: Double
  /// Connections that had to be made again.
  var reconnects: Int
  /// Responses by status class, without those that are zero.
  var statusClasses: [String: Int]
  /// What caches said.
  var cache: CacheSummary
  /// What a purge test has found; nil for a run without purges.
  var purges: PurgeSummary?
  /// What happened in each second.
  var series: [SecondSample]
  /// Latency by outcome at percentiles that become dense towards 100, as pairs of percentile and
  /// microseconds.
  var percentiles: [String: [[Double]]]
  /// What a cache that never forgets would have let through; nil for a run without a workload.
  var infiniteCache: InfiniteCacheSummary?
  /// Requests that have failed, by kind, without those that are zero. Each request that was begun is one of `requests`
  /// or one of these.
  var errors: [String: Int]
  /// What went wrong with connections while they had no request, by kind; nil if nothing did.
  var connectionErrors: [String: Int]?
  /// Connections that were opened to rest, with `--idle`.
  var restingConnections: Int?
  /// Of these, how many were closed by the server during the run.
  var restingClosed: Int?
  /// Latency of everything, of hits, of what was forwarded, and of each reason for that.
  var latencyMicroseconds: [String: LatencySummary]

  /// The report of a finished run.
  init(_ tally: LoadTally, plan: LoadPlan, seconds: Double) {
    targets = plan.targets.map { "http://\($0.authority)\($0.path)" }
    connections = plan.connections
    askedRate = plan.rate
    replayed = plan.replay?.path
    self.seconds = seconds
    requests = tally.responses
    bytes = tally.bytes
    requestsPerSecond = seconds > 0 ? Double(tally.responses) / seconds : 0
    bytesPerSecond = seconds > 0 ? Double(tally.bytes) / seconds : 0
    reconnects = tally.reconnects
    statusClasses = [:]
    for (index, count) in tally.statusClasses.enumerated() where count > 0 {
      statusClasses[index == 0 ? "other" : "\(index)xx"] = count
    }
    cache = Self.cache(tally)
    if tally.infinite.requests > 0 {
      let (forwards, all) = (tally.infinite.forwards, tally.infinite.requests)
      infiniteCache = InfiniteCacheSummary(
        forwards: forwards, forwardsPerSecond: seconds > 0 ? Double(forwards) / seconds : 0,
        hitRatio: 1 - Double(forwards) / Double(all))
    }
    errors = Self.byLabel(tally.errors)
    let beside = Self.byLabel(tally.connectionErrors)
    connectionErrors = beside.isEmpty ? nil : beside
    series = tally.series.samples
    (latencyMicroseconds, percentiles) = ([:], [:])
    note("all", tally.latency { _ in true })
    note("forwarded", tally.latency(of: \.isForward))
    for outcome in CacheOutcome.allCases where tally.outcomes[outcome.rawValue] > 0 {
      note(outcome.label, tally.latency { $0 == outcome })
    }
    if plan.restingConnections > 0 {
      (restingConnections, restingClosed) = (tally.restingConnections, tally.restingClosed)
    }
  }

  private static func byLabel(_ counts: [Int]) -> [String: Int] {
    var errors: [String: Int] = [:]
    for error in LoadError.allCases where counts[error.rawValue] > 0 {
      errors[error.label] = counts[error.rawValue]
    }
    return errors
  }

  /// Percentiles that a curve is drawn through.
  private static let curve = [
    0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 100,
  ]

  private mutating func note(_ name: String, _ histogram: Histogram<UInt32>) {
    guard let summary = LatencySummary(histogram) else { return }
    latencyMicroseconds[name] = summary
    percentiles[name] = Self.curve.map {
      [$0, Double(histogram.valueAtPercentile($0) / 10) / 100]
    }
  }

  /// Whether the run ends with status 0: something was answered, and there was neither an error, nor
  /// a 5xx, nor a purge that did not keep its promise.
  var isClean: Bool {
    requests > 0 && errors.isEmpty && connectionErrors == nil && statusClasses["5xx"] == nil
      && statusClasses["other"] == nil
      && log?.complaint == nil
      && purges.map { $0.failed == 0 && $0.staleAfterAcknowledgement == 0 } ?? true
  }

  private static func cache(_ tally: LoadTally) -> CacheSummary {
    func count(_ outcome: CacheOutcome) -> Int { tally.outcomes[outcome.rawValue] }
    var forwarded: [String: Int] = [:]
    for outcome in CacheOutcome.allCases where outcome.isForward && count(outcome) > 0 {
      forwarded[outcome.label] = count(outcome)
    }
    let spoken = tally.responses - count(.absent)
    let bytes = tally.contentBytes.reduce(0, +) - tally.contentBytes[CacheOutcome.absent.rawValue]
    let hitBytes = tally.contentBytes[CacheOutcome.hit.rawValue]
    return CacheSummary(
      hits: tally.hits, forwarded: forwarded, unstated: count(.unstated),
      noCacheStatus: count(.absent),
      hitRatio: spoken > 0 ? Double(tally.hits) / Double(spoken) : nil,
      byteHitRatio: bytes > 0 ? Double(hitBytes) / Double(bytes) : nil)
  }
}
