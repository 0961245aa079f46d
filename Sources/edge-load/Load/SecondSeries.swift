// What happened in each second of a run: what a live display shows and a plot is drawn from. A mean
// over the whole run hides a stall of two seconds; this does not.

import Histogram

/// One second of a run.
struct SecondSample: Codable, Equatable, Sendable {
  /// Complete responses.
  var responses = 0
  /// Hits among them.
  var hits = 0
  /// Errors.
  var errors = 0
  /// Bytes received.
  var bytes = 0
  /// Median latency, in microseconds; 0 without responses.
  var p50 = 0.0
  /// The latency that 99 % stayed below.
  var p99 = 0.0

  /// Adds the same second of another thread. Of latencies the worse one is kept, which is never
  /// better than the truth.
  mutating func add(_ other: SecondSample) {
    responses += other.responses
    hits += other.hits
    errors += other.errors
    bytes += other.bytes
    p50 = max(p50, other.p50)
    p99 = max(p99, other.p99)
  }
}

/// The seconds of one thread.
struct SecondSeries: Sendable {
  /// The complete seconds so far.
  private(set) var samples: [SecondSample] = []

  private var window = Histogram<UInt32>(
    highestTrackableValue: LoadTally.longestLatency, numberOfSignificantValueDigits: .two)
  private var seen = SecondSample()
  private var nextSecond = Int64.max

  /// Begins the first second.
  mutating func begin(_ now: Int64) {
    nextSecond = now + 1_000_000_000
  }

  /// Takes in the latency of a response.
  mutating func record(nanoseconds: Int64) {
    window.record(min(UInt64(max(0, nanoseconds)), LoadTally.longestLatency))
  }

  /// Ends the seconds that are over; returns the last of them. `total` has the counts so far.
  mutating func tick(_ now: Int64, total: SecondSample) -> SecondSample? {
    var last: SecondSample?
    while now >= nextSecond {
      nextSecond += 1_000_000_000
      last = end(total)
    }
    return last
  }

  private mutating func end(_ total: SecondSample) -> SecondSample {
    var sample = SecondSample(
      responses: total.responses - seen.responses, hits: total.hits - seen.hits,
      errors: total.errors - seen.errors, bytes: total.bytes - seen.bytes)
    if window.totalCount > 0 {
      sample.p50 = Double(window.valueAtPercentile(50)) / 1000
      sample.p99 = Double(window.valueAtPercentile(99)) / 1000
    }
    seen = total
    window.reset()
    samples.append(sample)
    return sample
  }

  /// Adds the seconds of another thread.
  mutating func add(_ other: SecondSeries) {
    for (index, sample) in other.samples.enumerated() {
      if index < samples.count { samples[index].add(sample) } else { samples.append(sample) }
    }
  }
}
