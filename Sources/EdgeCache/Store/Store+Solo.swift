// Requests for keys of which it is known that their responses are not for sharing (hit-for-miss). Nobody joins them, so
// most need none of the machinery of a flight: they go upstream as they are, and only a response that may be stored after
// all makes a flight, as if that had left when the request did.

/// What was so when a request for a key that is hit-for-miss left.
public struct SoloTicket: Sendable, Hashable {
  /// The newest purge that had been applied.
  let sequence: UInt64
  /// How many invalidations the shard had seen.
  let invalidations: UInt64
  /// From when on another proof makes the key be remembered for longer.
  let renewedFrom: Instant
}

/// The identities that were invalidated last in a shard, the newest of them by number.
struct InvalidationRing: Sendable {
  private static let most = 64

  /// How many there were.
  private(set) var count: UInt64 = 0
  private var hashes: [KeyHash] = []

  /// Notes one. O(1).
  mutating func note(_ hash: KeyHash) {
    if hashes.count < Self.most {
      hashes.append(hash)
    } else {
      hashes[Int(count % UInt64(Self.most))] = hash
    }
    count += 1
  }

  /// True if an identity was invalidated since there were `before`, or if that is not known any more. O(1).
  func mayHave(_ hash: KeyHash, since before: UInt64) -> Bool {
    if count == before { return false }
    if count - before > UInt64(Self.most) { return true }
    return (before..<count).contains { hashes[Int($0 % UInt64(Self.most))] == hash }
  }
}

extension Store {
  /// What a request for a key needs to go by itself; nil unless the key is hit-for-miss. O(1).
  public func solo(_ key: CacheKey, now: Instant) -> SoloTicket? {
    shard(key).state.withLock { state in
      guard let renewedFrom = state.hitForMiss.renewedFrom(key, now: now) else { return nil }
      return SoloTicket(
        sequence: purges.head, invalidations: state.invalidations.count, renewedFrom: renewedFrom)
    }
  }

  /// The flight of a request that left by itself, whose response may be stored; nil if an unsafe request may have come
  /// for the key since then. O(1).
  func lead(
    _ key: CacheKey, _ ticket: SoloTicket, wake: @escaping @Sendable () -> Void
  ) -> (Flight, Flight.ReaderID)? {
    shard(key).state.withLock { state in
      if state.invalidations.mayHave(key.hash, since: ticket.invalidations) { return nil }
      let flight = Flight(
        key: key, sequence: ticket.sequence, hint: .any, isSolo: true, limits: limits)
      guard let reader = flight.subscribe(wake) else { invariantFailed("a new flight is full") }
      state.flights[key.hash, default: []].append(flight)
      return (flight, reader)
    }
  }
}
