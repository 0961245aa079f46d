import Synchronization

// Purges, in the order in which they were applied.
//
// Invariant: the number that `head` returns never exceeds that of the last purge in the index, and
// a purge is in the index before its number can be seen. Whoever sees `head` unchanged since a
// response was stamped knows, by that one comparison, that no purge came in between.

/// What a purge covers.
public enum PurgeScope: Sendable, Hashable {
  /// All variants of a URL, whatever the scheme and port.
  case url(CacheKey)
  /// Every stored response in a group (RFC 9875).
  case group(CacheGroup)
  /// Everything that is stored.
  case everything
}

/// The numbered purges of this PoP.
public final class PurgeLog: Sendable {
  private struct Index: Sendable {
    var last: UInt64 = 0
    var everything: UInt64 = 0
    var urls: [KeyHash: UInt64] = [:]
    var groups: [CacheGroup: UInt64] = [:]
    /// Number of URLs and groups at which it pays to look for those that can be forgotten.
    var trimAt = 1024

    var remembered: Int { urls.count + groups.count }

    func newest(_ key: CacheKey, _ names: [[UInt8]]) -> UInt64 {
      var newest = max(everything, urls[key.hash] ?? 0)
      if !groups.isEmpty {
        for name in names { newest = max(newest, groups[CacheGroup(name, at: key)] ?? 0) }
      }
      return newest
    }
  }

  private let published = Atomic<UInt64>(0)
  private let index = Mutex(Index())

  /// A log without purges.
  public init() {}

  /// The sequence number of the newest purge; 0 before the first.
  public var head: UInt64 {
    published.load(ordering: .acquiring)
  }

  /// Appends a purge and returns its sequence number. O(1).
  ///
  /// Identities are told apart by their 128-bit hash alone: were two to collide, the other would be
  /// asked for once more, which is safe.
  public func append(_ scope: PurgeScope) -> UInt64 {
    index.withLock { index in
      index.last += 1
      switch scope {
      case .url(let key): index.urls[key.hash] = index.last
      case .group(let group): index.groups[group] = index.last
      case .everything:
        index.everything = index.last
        // Everything includes each URL and each group.
        index.urls.removeAll()
        index.groups.removeAll()
      }
      published.store(index.last, ordering: .releasing)
      return index.last
    }
  }

  /// The sequence number of the newest purge that covers a response at `key` that is in these
  /// groups of its origin; 0 if there is none. O(groups).
  public func newest(covering key: CacheKey, groups: [[UInt8]] = []) -> UInt64 {
    index.withLock { $0.newest(key, groups) }
  }

  /// True if a purge that covers `key`, or one of those groups, came after the one numbered
  /// `sequence`. One comparison if there was no purge at all.
  public func isPurged(
    _ key: CacheKey, groups: [[UInt8]] = [], since sequence: UInt64
  ) -> Bool {
    sequence != head && newest(covering: key, groups: groups) > sequence
  }

  // MARK: After a restart

  /// Takes in what an earlier process logged; in the order of the log.
  func restore(_ purge: DiskPurge) {
    index.withLock { index in
      // What a removal has in the place of a number is none.
      switch purge.scope {
      case .removed, .replaced: return
      case .nothing, .url, .group, .everything: index.last = max(index.last, purge.sequence)
      }
      switch purge.scope {
      case .nothing, .removed, .replaced: break
      case .url(let hash): index.urls[hash] = max(index.urls[hash] ?? 0, purge.sequence)
      case .group(let group): index.groups[group] = max(index.groups[group] ?? 0, purge.sequence)
      case .everything:
        index.everything = max(index.everything, purge.sequence)
        index.urls.removeAll()
        index.groups.removeAll()
      }
      published.store(index.last, ordering: .releasing)
    }
  }

  /// True if what has that identity and stamp has been purged, as far as its groups do not decide.
  func isPurged(_ hash: KeyHash, since stamp: UInt64) -> Bool {
    index.withLock { stamp < max($0.everything, $0.urls[hash] ?? 0) }
  }

  /// Number of URLs that are remembered.
  public var rememberedURLs: Int {
    index.withLock { $0.urls.count }
  }

  /// True when so many URLs and groups are remembered that some should be forgotten. Doubles when it did not
  /// help, so that one slow flight does not make every purge look at all of them.
  var isTrimDue: Bool {
    index.withLock { $0.remembered > $0.trimAt }
  }

  /// Forgets purges of URLs and groups up to `sequence`, once nothing from before is stored or on
  /// its way. O(remembered).
  public func trim(through sequence: UInt64) {
    index.withLock { index in
      index.urls = index.urls.filter { $0.value > sequence }
      index.groups = index.groups.filter { $0.value > sequence }
      index.trimAt = max(1024, index.remembered * 2)
    }
  }
}
