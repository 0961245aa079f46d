// What the best of all caches would have let through: one that stores everything for ever. Counted
// from the requests that were really made, so that a PoP is compared with the possible and not with a
// wish. Each target is a cache of its own.

/// The requests that a cache which never forgets would have forwarded.
struct InfiniteCache: Sendable {
  private var known: Set<UInt64> = []
  private var first: Set<UInt64> = []
  /// Requests that any cache has to forward: dynamic ones, and those for URLs met once.
  private var always = 0
  /// All requests that were told apart.
  private(set) var requests = 0

  /// Takes in one request to a target; one that is not `counted` only makes its URL known.
  mutating func record(_ storage: WorkloadRequest.Storage, target: Int, counted: Bool) {
    if counted { requests += 1 }
    switch storage {
    case .dynamic, .once:
      if counted { always += 1 }
    case .stored(let number):
      let key = UInt64(target) << 56 | number
      if known.contains(key) || first.contains(key) { return }
      if counted { first.insert(key) } else { known.insert(key) }
    }
  }

  /// How many of the counted requests it would have forwarded.
  var forwards: Int { always + first.subtracting(known).count }

  /// Adds what another thread has seen.
  mutating func add(_ other: InfiniteCache) {
    known.formUnion(other.known)
    first.formUnion(other.first)
    always += other.always
    requests += other.requests
  }
}
