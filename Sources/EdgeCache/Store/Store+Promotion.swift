// What comes up from the tier below: what it is wanted for, and whether memory keeps it.

extension Store {
  /// What something is read from the tier below for, if a request with these directives asks for it. It is kept
  /// the second time that it is asked for while there is room, and one such time in 64 when something else
  /// would have to be evicted: what is asked for often gets there soon, and the rest does not push it out. O(1).
  public func readPurpose(_ hash: KeyHash, directives: CacheControl) -> ReadPurpose {
    if directives.mayWantValidation { return .validating }
    return isPromotionDue(hash) ? .keeping : .sending
  }

  private func isPromotionDue(_ hash: KeyHash) -> Bool {
    shards[Int(truncatingIfNeeded: hash.high) & (shards.count - 1)].state.withLock { state in
      guard state.promotions.remember(hash) else { return false }
      if budget.used < budget.capacity / 8 * 7 { return true }
      state.declined &+= 1
      return state.declined % 64 == 0
    }
  }

  /// What is to be used of what was read from the tier below: that, what came into memory meanwhile for the
  /// same requests, or nothing if it has been purged, or removed below, as `isStillThere` tells. It comes into
  /// memory if that was the purpose, or if it is stale: then it will be validated. O(variants).
  public func promote(
    _ response: StoredResponse, stamp: UInt64, purpose: ReadPurpose, now: Instant,
    isStillThere: () -> Bool
  ) -> StoredResponse? {
    // Copied, if at all, before anybody has to wait for it.
    let keeps =
      response.content.file == nil && (purpose != .sending || !response.freshness.isFresh(now))
    let response = keeps ? response.with(response.content.compacted()) : response
    let cost = response.cost
    return shard(response.key).state.withLock { state in
      // Removals are made under the same lock.
      guard isStillThere() else { return nil }
      guard
        let response = response.after(
          purges.standing(of: response.key, response.names, stamp: stamp))
      else { return nil }
      let newer = state.memory.find(response.key, purges: purges) {
        $0.key.scheme == response.key.scheme && $0.selector == response.selector
      }
      if let newer { return newer }
      guard keeps, response.content.count <= limits.largest(of: response.key),
        Self.makeVariantRoom(&state, for: response, limits: limits, now: now),
        reserve(response.ownCost, in: &state, of: response.key)
      else { return response }
      state.memory.insert(response, cost: cost, stamp: stamp)
      return response
    }
  }
}
