/// Remembers for a while which keys turned out not to be storable, so that requests for them are
/// not made to wait for each other. A key that proves it again after its time ran out is remembered for twice as long.
struct HitForMiss: Sendable {
  private struct Mark {
    var until: Instant
    /// For how long it holds, in seconds.
    var seconds: Int64
  }

  /// Those that were marked last, and those before them.
  private var newer: [KeyHash: Mark] = [:]
  private var older: [KeyHash: Mark] = [:]
  private let limit: Int
  private let seconds: ClosedRange<Int64>

  /// Remembers at most `limit` keys, each for as many seconds at first and at last.
  init(limit: Int, seconds: ClosedRange<Int64>) {
    self.limit = limit
    self.seconds = seconds
  }

  private subscript(_ hash: KeyHash) -> Mark? { newer[hash] ?? older[hash] }

  /// True if the key was marked and the mark has not run out. O(1).
  func contains(_ key: CacheKey, now: Instant) -> Bool {
    guard let mark = self[key.spellingHash] else { return false }
    return now < mark.until
  }

  /// From when on a mark that has not run out is worth renewing; nil if there is none. O(1).
  func renewedFrom(_ key: CacheKey, now: Instant) -> Instant? {
    guard let mark = self[key.spellingHash], now < mark.until else { return nil }
    return mark.until.adding(seconds: -mark.seconds / 2)
  }

  /// Marks a key from now on. When there are too many, those half of them are forgotten that were marked longest ago: a
  /// mark that is lost costs one wait. Amortised O(1).
  mutating func mark(_ key: CacheKey, now: Instant) {
    let hash = key.spellingHash
    var period = seconds.lowerBound
    if let known = self[hash] {
      period = now < known.until ? known.seconds : min(2 * known.seconds, seconds.upperBound)
    }
    if newer[hash] == nil {
      older[hash] = nil
      if newer.count >= max(1, limit / 2) { (older, newer) = (newer, [:]) }
    }
    newer[hash] = Mark(until: now.adding(seconds: period), seconds: period)
  }

  /// Takes the mark off a key. O(1).
  mutating func clear(_ key: CacheKey) {
    let hash = key.spellingHash
    newer[hash] = nil
    older[hash] = nil
  }
}
