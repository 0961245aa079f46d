import Synchronization

// Which other URL has a stored response that is as good for this one (No-Vary-Search).
//
// Most sites never send the field, so one flag keeps all of this off every path until somebody does.
// What is remembered are hints: whoever follows one looks the response up under its own key, with
// all that goes with it, and compares the variance once more. Losing a hint costs a forward.

/// Finds URLs that differ from another only in what does not matter.
final class VarianceIndex: Sendable {
  private struct State: Sendable {
    /// What the newest response at a path says about its query.
    var variances: [KeyHash: SearchVariance] = [:]
    /// The stored URL for a path and what matters of a query.
    var keys: [KeyHash: CacheKey] = [:]
  }

  /// Paths, and URLs, that are remembered; past it all are forgotten.
  static let limit = 65_536

  private let isUsed = Atomic<Bool>(false)
  private let state = Mutex(State())

  /// Takes note of a response that came into the store.
  func note(_ response: StoredResponse, secret: HashSecret) {
    guard response.variance != nil || isUsed.load(ordering: .relaxed) else { return }
    let path = Self.path(response.key, secret: secret)
    state.withLock { state in
      guard let variance = response.variance else {
        state.variances[path] = nil
        return
      }
      if state.variances.count >= Self.limit || state.keys.count >= Self.limit { state = State() }
      state.variances[path] = variance
      state.keys[Self.canonical(response.key, variance, secret: secret)] = response.key
    }
    isUsed.store(true, ordering: .releasing)
  }

  /// What the newest response at the path of `key` says about its query.
  func variance(of key: CacheKey, secret: HashSecret) -> SearchVariance? {
    guard isUsed.load(ordering: .acquiring) else { return nil }
    let path = Self.path(key, secret: secret)
    return state.withLock { $0.variances[path] }
  }

  /// The URL whose stored response may be as good for `key`.
  func equivalent(of key: CacheKey, secret: HashSecret) -> CacheKey? {
    guard let variance = variance(of: key, secret: secret) else { return nil }
    let hash = Self.canonical(key, variance, secret: secret)
    return state.withLock { $0.keys[hash] }
  }

  private static func split(_ key: CacheKey) -> Int {
    key.bytes[key.pathRange].firstIndex(of: ASCII.question) ?? key.bytes.count
  }

  private static func path(_ key: CacheKey, secret: HashSecret) -> KeyHash {
    let key = key.normalized
    return hash(key, Array(key.bytes[..<split(key)]), secret: secret)
  }

  private static func canonical(
    _ key: CacheKey, _ variance: SearchVariance, secret: HashSecret
  ) -> KeyHash {
    let key = key.normalized
    let split = split(key)
    return hash(
      key, key.bytes[..<split] + [ASCII.question] + variance.canonicalQuery(query(key).span),
      secret: secret)
  }

  /// Scheme and port are left out, as of the identity: a purge of a URL takes them all.
  private static func hash(_ key: CacheKey, _ bytes: [UInt8], secret: HashSecret) -> KeyHash {
    SipHash.hash(bytes.span, prefix: UInt64(key.hostCount), secret: secret)
  }

  /// True if two URLs are the same but for what `variance` says does not matter.
  static func areEquivalent(_ one: CacheKey, _ other: CacheKey, _ variance: SearchVariance) -> Bool
  {
    one.scheme == other.scheme && one.hostCount == other.hostCount
      && one.bytes[..<split(one)] == other.bytes[..<split(other)]
      && variance.canonicalQuery(query(one).span) == variance.canonicalQuery(query(other).span)
  }

  private static func query(_ key: CacheKey) -> [UInt8] {
    let split = split(key)
    return split < key.bytes.count ? Array(key.bytes[(split + 1)...]) : []
  }

  /// True once any response had the field.
  var isInUse: Bool { isUsed.load(ordering: .acquiring) }
}
