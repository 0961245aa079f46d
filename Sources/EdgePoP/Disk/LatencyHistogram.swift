/// How often something took how long, in fixed steps.
struct LatencyHistogram: Sendable {
  /// Upper ends of the steps, in microseconds.
  static let steps = [
    50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 1_000_000,
  ]
  /// How often; the last one is above all steps.
  private(set) var counts = [UInt64](repeating: 0, count: steps.count + 1)

  mutating func count(nanoseconds: Int64) {
    let step = Self.steps.firstIndex { nanoseconds <= $0 * 1000 } ?? Self.steps.count
    counts[step] += 1
  }
}
