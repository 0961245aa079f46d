// What takes stored responses out by order: purges, which have a number that fences what is on its
// way as well, and invalidations (RFC 9111 §4.4), which fence the flights of one key directly.
//
// The number of a purge is published before anything is taken out, so that no lookup and no flight
// falls between the two.

extension Store {
  /// Applies a purge of one scope that concerns this PoP alone.
  @discardableResult
  public func purge(_ scope: PurgeScope, _ mode: PurgeMode = .hard) -> Removal {
    purge(Purge([scope], mode: mode))
  }

  /// Applies a purge. When it returns, no lookup on any thread finds what it covers as it was, and nothing
  /// that was on its way will be stored. O(scopes + variants + shards), however much is stored. One that was
  /// applied before is not applied again.
  public func purge(_ purge: Purge) -> Removal {
    let (sequence, isNew) = purges.append(purge)
    guard isNew else {
      // As far as it has been found.
      let yield = purge.id.flatMap { purges.journalEntry($0)?.1 } ?? PurgeYield()
      var removal = Removal(
        sequence: sequence, count: yield.count, bytes: yield.bytes, isNew: false)
      removal.isAtLeast = purge.scopes.contains { !$0.isTakenAtOnce(purge.mode) }
      return removal
    }
    let below = onlyBelow(purge.scopes)
    _ = lower?.purged(purge, sequence: sequence)
    var removal = Removal(sequence: sequence)
    var equivalents: [PurgeScope] = []
    for scope in purge.scopes {
      switch scope {
      case .url(let key):
        removal.add(remove(key, purge.mode))
        if let other = variances.equivalent(of: key, secret: secret), other.hash != key.hash {
          equivalents.append(.url(other))
        }
      case .everything where purge.mode == .hard: removal.add(evacuate())
      case .everything, .prefix, .host, .tag, .group: break
      }
    }
    purges.countFreed(sequence, count: removal.count, bytes: removal.bytes)
    // The rest is found out when it is looked up, or swept.
    let rest = purge.scopes.filter { !$0.isTakenAtOnce(purge.mode) }
    if !rest.isEmpty { removal.add(estimate(rest)) }
    below.add(to: &removal.count, &removal.isAtLeast)
    if !equivalents.isEmpty {
      let more = self.purge(Purge(equivalents, mode: purge.mode))
      removal.add(more)
      removal.sequence = more.sequence
    }
    return removal
  }

  /// What a purge would cover that is in memory, without purging, each stored response once. O(scopes + variants +
  /// shards).
  public func estimate(_ scopes: [PurgeScope]) -> PurgeEstimate {
    var sum = PurgeEstimate()
    if scopes.contains(.everything) {
      for shard in shards {
        shard.state.withLock { state in
          sum.count += state.memory.count
          sum.bytes += state.memory.stored
        }
      }
      return sum
    }
    var urls: Set<KeyHash> = []
    // What tells a purge of a stored response tells what would be.
    var others = PurgeIndex()
    for scope in scopes {
      guard case .url(let key) = scope else {
        others.note(scope.mark, .hard, 1)
        continue
      }
      if urls.insert(key.hash).inserted {
        shard(key).state.withLock { sum.add($0.memory.size(of: key)) }
      }
    }
    if others.count == 0 { return sum }
    let first = Int(truncatingIfNeeded: purges.head &* 0x9E37_79B9 >> 7) & 0xFFFF
    for shard in shards {
      shard.state.withLock { state in
        sum.add(
          state.memory.estimate(atMost: Self.sample / shards.count, from: first) { response in
            others.coverage(response.key, response.names).hard > 0
              && !urls.contains(response.key.hash)
          })
      }
    }
    return sum
  }

  /// What a purge would cover in memory and below it, without purging. O(scopes + variants + shards).
  public func estimateAll(_ scopes: [PurgeScope]) -> PurgeEstimate {
    let below = onlyBelow(scopes)
    var sum = estimate(scopes)
    below.add(to: &sum.count, &sum.isAtLeast)
    return sum
  }

  /// What a purge covers in the tier below memory.
  private struct Below {
    /// Number of stored responses of its URLs that are not in memory as well.
    var count = 0
    /// Number of all that are stored, if it covers everything: most of what is in memory is among them.
    var everything = 0
    /// True if only reading would tell how many there are.
    var isUnknown = false

    /// Adds to what was found in memory; where the sum may be too low, that is noted.
    func add(to sum: inout Int, _ isAtLeast: inout Bool) {
      sum += count
      if everything > 0, sum > 0 { isAtLeast = true }
      sum = max(sum, everything)
      if isUnknown { isAtLeast = true }
    }
  }

  private func onlyBelow(_ scopes: [PurgeScope]) -> Below {
    var below = Below()
    guard let lower, lower.count > 0 else { return below }
    var urls: Set<KeyHash> = []
    for scope in scopes {
      switch scope {
      case .url(let key):
        let marks = Set(lower.variantMarks(key.hash))
        if marks.isEmpty || !urls.insert(key.hash).inserted { continue }
        var known: Set<UInt16> = []
        shard(key).state.withLock { state in
          _ = state.memory.removeAll(key, inAnySpelling: true) { response in
            known.insert(response.variantMark)
            return false
          }
        }
        below.count += marks.subtracting(known).count
      case .everything: below.everything = lower.count
      case .prefix, .host, .tag, .group: below.isUnknown = true
      }
    }
    return below
  }

  /// Stored responses that are looked at to judge how many a purge covers.
  private static let sample = 4096

  private func remove(_ key: CacheKey, _ mode: PurgeMode) -> PurgeEstimate {
    shard(key).state.withLock { state in
      guard mode == .hard else { return state.memory.size(of: key) }
      let removed = state.memory.removeAll(key, inAnySpelling: true)
      return PurgeEstimate(count: removed.count, bytes: removed.bytes)
    }
  }

  private func evacuate() -> PurgeEstimate {
    var removed = PurgeEstimate()
    for shard in shards {
      let content = shard.state.withLock { $0.memory.evacuate() }
      removed.count += content.count
      removed.bytes += content.bytes
      // Freeing a million of them would take most of a second.
      if content.count > 0 { graveyard.withLock { $0.append(content) } }
    }
    return removed
  }

  /// Removes what an unsafe request made unusable (RFC 9111 §4.4), and keeps what is on its way for
  /// the same key from being stored or joined. O(variants).
  ///
  /// Not a purge: a sequence number for each POST would make every hit consult the purge index.
  public func invalidate(_ key: CacheKey) {
    invalidated.withLock { $0.note((), of: key.hash) }
    if variances.isInUse {
      // What is on its way under a URL that is as good is told by a number.
      let purge = Purge([.url(key)])
      _ = lower?.purged(purge, sequence: purges.append(purge).sequence)
      if let other = variances.equivalent(of: key, secret: secret), other != key { remove(other) }
    }
    for group in remove(key) { purge(.group(group)) }
  }

  /// Removes what is stored under a key and fences its flights; returns the groups that it was in,
  /// which go with it (RFC 9875 §2.2.1), but take no further groups with them.
  @discardableResult
  private func remove(_ key: CacheKey) -> Set<CacheGroup> {
    shard(key).state.withLock { state in
      var groups: Set<CacheGroup> = []
      _ = state.memory.removeAll(key, inAnySpelling: true) { response in
        guard response.key.scheme == key.scheme else { return false }
        groups.formUnion(response.names.groups)
        return true
      }
      for flight in state.flights[key.hash] ?? [] where flight.key.scheme == key.scheme {
        flight.refuse(.invalidated)
      }
      state.invalidations.note(key.hash)
      lower?.removed(key.hash)
      return groups
    }
  }

  /// Removes one stored response, if it is still there. One that is kept in pieces is told by their name: a client
  /// may have got it with a head of its own.
  public func remove(_ response: StoredResponse) {
    shard(response.key).state.withLock { state in
      _ = state.memory.removeAll(response.key) {
        $0 === response || ($0.pieced != nil && $0.pieced == response.pieced)
      }
      lower?.replaced(response)
    }
  }

  // MARK: Sweeping

  /// How far everything was looked through.
  struct Sweep: Sendable {
    var shard = 0
    var slot = 0
    /// The newest purge when it began.
    var target: UInt64 = 0
    /// The newest purge that nothing in memory is left to be found of.
    var done: UInt64 = 0
  }

  /// Frees what was purged and not looked up since, of up to `slots` stored responses; true when there is
  /// nothing left to do. Then purges are forgotten that nothing is left to be found of.
  public func sweep(slots: Int) -> Bool {
    if !free(slots * 8) { return false }
    return sweeping.withLock { sweep in
      if sweep.shard == 0, sweep.slot == 0 {
        sweep.target = purges.head
        if sweep.target == sweep.done { return true }
        // What was purged at once needs no looking for.
        if purges.newestLazy <= sweep.done {
          sweep.done = sweep.target
          trimPurges(through: sweep.done)
          return true
        }
      }
      let next = shards[sweep.shard].state.withLock {
        $0.memory.sweep(purges, from: sweep.slot, count: slots)
      }
      sweep.slot = next ?? 0
      if next == nil { sweep.shard += 1 }
      guard sweep.shard == shards.count else { return false }
      sweep.shard = 0
      sweep.done = sweep.target
      trimPurges(through: sweep.done)
      return sweep.done == purges.head
    }
  }

  /// Frees some of what a purge of everything took; true when nothing is left of that.
  private func free(_ count: Int) -> Bool {
    guard var content = graveyard.withLock({ $0.popLast() }) else { return true }
    let isEmpty = content.free(count)
    return graveyard.withLock { graveyard in
      if !isEmpty { graveyard.append(content) }
      return graveyard.isEmpty
    }
  }

  /// Purged URLs are remembered for the sake of what is on its way, for what is stored is taken out at once;
  /// others, and those that made something stale, also for what is below.
  private func trimPurges(through swept: UInt64) {
    guard purges.isTrimDue else { return }
    var urls = min(swept, lower?.oldestPending ?? .max)
    for shard in shards {
      shard.state.withLock { state in
        for flights in state.flights.values {
          for flight in flights { urls = min(urls, flight.sequence) }
        }
      }
    }
    purges.trim(
      urls: urls, others: min(urls, lower?.oldestUnswept ?? .max),
      soft: min(urls, lower?.oldestStamp ?? .max))
  }
}

extension PurgeScope {
  /// True if what it covers is found by what it is told by.
  fileprivate func isTakenAtOnce(_ mode: PurgeMode) -> Bool {
    switch self {
    case .url: true
    case .everything: mode == .hard
    case .prefix, .host, .tag, .group: false
    }
  }
}
