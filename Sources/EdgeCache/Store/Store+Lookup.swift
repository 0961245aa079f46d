// What is stored for a request, and how its key is treated at present.

extension Store {
  /// What is stored for a key, as far as a request's fields select it.
  public enum Found: Sendable {
    /// This one is selected.
    case selected(StoredResponse)
    /// Others are stored for the URI (RFC 9211 `vary-miss`).
    case otherVariants
    /// Nothing is stored for the URI.
    case nothing
  }

  /// Finds the stored response that the request's fields select. O(variants).
  ///
  /// With `touches` false it is only looked at, and does not count as used.
  public func find(_ key: CacheKey, request: FieldSection, touches: Bool = true) -> Found {
    shard(key).state.withLock {
      $0.memory.select(key, request: request, purges: purges, touches: touches)
    }
  }

  /// True if anything is stored in memory under a key. O(variants).
  public func isInMemory(_ key: CacheKey) -> Bool {
    shard(key).state.withLock {
      $0.memory.find(key, purges: purges, touches: false) { _ in true } != nil
    }
  }

  /// The stored response of another URL that its origin says is as good for this one
  /// (No-Vary-Search). O(bytes of the query), and nothing while no response says so.
  public func findEquivalent(
    _ key: CacheKey, request: FieldSection, touches: Bool = true
  ) -> StoredResponse? {
    guard let other = variances.equivalent(of: key, secret: secret), other != key,
      case .selected(let response) = find(other, request: request, touches: touches),
      let variance = response.variance,
      VarianceIndex.areEquivalent(key, response.key, variance)
    else { return nil }
    return response
  }

  /// True if what is stored for one URL may be as good for another (No-Vary-Search).
  public var mayHaveEquivalents: Bool { variances.isInUse }

  /// All that is stored under a key, whoever may use it. O(variants).
  public func variants(of key: CacheKey) -> [StoredResponse] {
    var all: [StoredResponse] = []
    shard(key).state.withLock { state in
      _ = state.memory.find(key, purges: purges, touches: false) { response in
        if response.key.scheme == key.scheme { all.append(response) }
        return false
      }
    }
    return all
  }

  /// How requests for a key are treated at present: whether it is hit-for-miss, and how many
  /// flights there are. O(flights of the key).
  public func traffic(_ key: CacheKey, now: Instant) -> (isHitForMiss: Bool, flights: Int) {
    shard(key).state.withLock { state in
      let flights = (state.flights[key.hash] ?? []).count { $0.key == key }
      return (state.hitForMiss.contains(key, now: now), flights)
    }
  }
}
