/// Remembers for a while which keys turned out not to be storable, so that requests for them are
/// not made to wait for each other.
struct HitForMiss: Sendable {
  private var until: [KeyHash: Instant] = [:]
  private let limit: Int

  init(limit: Int) {
    self.limit = limit
  }

  /// True if the key was marked and the mark has not run out. O(1).
  func contains(_ key: CacheKey, now: Instant) -> Bool {
    guard let end = until[key.spellingHash] else { return false }
    return now < end
  }

  /// Marks a key until `end`. When there are too many, those that ran out go, or else all: a mark
  /// that is lost costs one wait.
  mutating func mark(_ key: CacheKey, until end: Instant, now: Instant) {
    if until.count >= limit {
      until = until.filter { now < $0.value }
      if until.count >= limit { until.removeAll(keepingCapacity: true) }
    }
    until[key.spellingHash] = end
  }

  /// Takes the mark off a key. O(1).
  mutating func clear(_ key: CacheKey) {
    until[key.spellingHash] = nil
  }
}
