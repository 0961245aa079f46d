// What takes stored responses out by order: purges, which have a number that fences what is on its
// way as well, and invalidations (RFC 9111 §4.4), which fence the flights of one key directly.
//
// The number of a purge is published before anything is taken out, so that no lookup and no flight
// falls between the two.

extension Store {
  /// Applies a purge. When it returns, no lookup on any thread finds what it covers, and nothing
  /// that was on its way will be stored. O(variants) for a URL, O(shards) for everything.
  public func purge(_ scope: PurgeScope) -> Removal {
    let sequence = purges.append(scope)
    lower?.purged(scope, sequence: sequence)
    switch scope {
    case .url(let key):
      var removed = shard(key).state.withLock { $0.memory.removeAll(key) }
      if let other = variances.equivalent(of: key, secret: secret), other.hash != key.hash {
        let more = purge(.url(other))
        removed.count += more.count
        removed.bytes += more.bytes
        trimPurges()
        return Removal(sequence: more.sequence, count: removed.count, bytes: removed.bytes)
      }
      trimPurges()
      return Removal(sequence: sequence, count: removed.count, bytes: removed.bytes)
    case .group:
      // What is in the group is found out when it is looked up.
      trimPurges()
      return Removal(sequence: sequence)
    case .everything:
      var removal = Removal(sequence: sequence, count: 0, bytes: 0)
      for shard in shards {
        let content = shard.state.withLock { $0.memory.evacuate() }
        removal.count += content.count
        removal.bytes += content.bytes
      }
      return removal
    }
  }

  /// Removes what an unsafe request made unusable (RFC 9111 §4.4), and keeps what is on its way for
  /// the same key from being stored or joined. O(variants).
  ///
  /// Not a purge: a sequence number for each POST would make every hit consult the purge index.
  public func invalidate(_ key: CacheKey) {
    if variances.isInUse {
      // What is on its way under a URL that is as good is told by a number.
      lower?.purged(.url(key), sequence: purges.append(.url(key)))
      if let other = variances.equivalent(of: key, secret: secret), other != key { remove(other) }
    }
    for group in remove(key) { _ = purge(.group(CacheGroup(group, at: key))) }
  }

  /// Removes what is stored under a key and fences its flights; returns the groups that it was in,
  /// which go with it (RFC 9875 §2.2.1), but take no further groups with them.
  @discardableResult
  private func remove(_ key: CacheKey) -> Set<[UInt8]> {
    shard(key).state.withLock { state in
      var groups: Set<[UInt8]> = []
      _ = state.memory.removeAll(key) { response in
        guard response.key.scheme == key.scheme else { return false }
        groups.formUnion(response.groups)
        return true
      }
      for flight in state.flights[key.hash] ?? [] where flight.key == key {
        flight.refuse(.invalidated)
      }
      lower?.removed(key.hash)
      return groups
    }
  }

  /// Removes one stored response, if it is still there.
  public func remove(_ response: StoredResponse) {
    shard(response.key).state.withLock { state in
      _ = state.memory.removeAll(response.key) { $0 === response }
      lower?.replaced(response)
    }
  }

  /// Purged URLs are remembered only for the sake of flights that are older than the purge; groups
  /// also for what is stored, so that is looked through first.
  private func trimPurges() {
    guard purges.isTrimDue else { return }
    var oldest = min(purges.head, lower?.oldestStamp ?? .max)
    for shard in shards {
      shard.state.withLock { state in
        state.memory.sweep(purges)
        for flights in state.flights.values {
          for flight in flights { oldest = min(oldest, flight.sequence) }
        }
      }
    }
    purges.trim(through: oldest)
  }
}
