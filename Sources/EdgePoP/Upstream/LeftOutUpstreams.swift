import Synchronization

/// Which upstreams are left out, as far as it was told: each event loop finds out for itself, and one of them tells.
final class LeftOutUpstreams: Sendable {
  private let known = Mutex<Set<Int>>([])
  private let count = Atomic(0)

  /// None.
  init() {}

  /// An upstream is left out; false if that is known.
  func add(_ upstream: Int) -> Bool {
    known.withLock { known in
      let isNews = known.insert(upstream).inserted
      count.store(known.count, ordering: .relaxed)
      return isNews
    }
  }

  /// An upstream answers; false if nobody was told that it did not.
  func remove(_ upstream: Int) -> Bool {
    if count.load(ordering: .relaxed) == 0 { return false }
    return known.withLock { known in
      let wasKnown = known.remove(upstream) != nil
      count.store(known.count, ordering: .relaxed)
      return wasKnown
    }
  }
}
