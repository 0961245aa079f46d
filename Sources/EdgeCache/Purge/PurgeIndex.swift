// Which purge covers a response: the newest number of each mode, by what purges are told by. Finding that out
// costs a few looks into tables, however many responses are stored and however many purges there were.

/// The newest purges that cover something; 0 where there is none.
public struct PurgeCoverage: Sendable, Hashable {
  /// The number of the newest that takes it away.
  public var hard: UInt64 = 0
  /// The number of the newest that makes it stale.
  public var soft: UInt64 = 0

  /// The number of the newest.
  public var newest: UInt64 { max(hard, soft) }

  mutating func note(_ sequence: UInt64, _ mode: PurgeMode) {
    switch mode {
    case .hard: hard = max(hard, sequence)
    case .soft: soft = max(soft, sequence)
    }
  }

  mutating func join(_ other: PurgeCoverage?) {
    guard let other else { return }
    hard = max(hard, other.hard)
    soft = max(soft, other.soft)
  }
}

/// The newest numbers, by scope.
struct PurgeIndex: Sendable {
  private struct Prefix: Sendable {
    let host: UInt64
    let count: Int
    var coverage = PurgeCoverage()
  }

  private(set) var everything = PurgeCoverage()
  private var urls: [KeyHash: PurgeCoverage] = [:]
  private var hosts: [UInt64: PurgeCoverage] = [:]
  private var prefixes: [UInt64: Prefix] = [:]
  /// How long the prefixes of each host are.
  private var prefixLengths: [UInt64: Set<Int>] = [:]
  private var tags: [UInt64: PurgeCoverage] = [:]
  private var groups: [UInt64: PurgeCoverage] = [:]
  /// The number of the newest purge by a name.
  private(set) var newestOfNames: UInt64 = 0
  /// The number of the newest hard purge of what is not told by its hash.
  private(set) var newestOfMany: UInt64 = 0
  /// The number of the newest purge whose effect is found only when something is looked up.
  private(set) var newestLazy: UInt64 = 0

  /// Number of URLs that are remembered.
  var urlCount: Int { urls.count }
  /// Number of scopes that are remembered.
  var count: Int { urls.count + hosts.count + prefixes.count + tags.count + groups.count }

  // MARK: Asking

  /// The newest purges of what is stored under `key` with these names. O(names, and lengths of prefixes).
  func coverage(_ key: CacheKey, _ names: ResponseNames) -> PurgeCoverage {
    var newest = coverage(key.hash)
    if !hosts.isEmpty || !prefixes.isEmpty {
      let host = PurgeHost(of: key).mark
      newest.join(hosts[host])
      if let lengths = prefixLengths[host] {
        let key = key.normalized
        for count in lengths where count <= key.bytes.count && count > key.hostCount {
          newest.join(prefixes[PurgePrefix.mark(key, count: count)]?.coverage)
        }
      }
    }
    if !tags.isEmpty {
      for tag in names.tags { newest.join(tags[tag.mark]) }
    }
    if !groups.isEmpty {
      for group in names.groups { newest.join(groups[group.mark]) }
    }
    return newest
  }

  /// The same of an identity, as far as its hash tells. O(1).
  func coverage(_ hash: KeyHash) -> PurgeCoverage {
    var newest = everything
    if !urls.isEmpty { newest.join(urls[hash]) }
    return newest
  }

  // MARK: Changing

  /// Takes a purge in. O(1).
  mutating func note(_ scope: ScopeMark, _ mode: PurgeMode, _ sequence: UInt64) {
    if scope.kind == .tag || scope.kind == .group { newestOfNames = max(newestOfNames, sequence) }
    switch scope.kind {
    case .prefix, .host, .tag, .group:
      newestLazy = max(newestLazy, sequence)
      if mode == .hard { newestOfMany = max(newestOfMany, sequence) }
    case .url, .everything:
      if mode == .soft { newestLazy = max(newestLazy, sequence) }
    }
    switch scope.kind {
    case .url:
      urls[KeyHash(low: scope.low, high: scope.high), default: PurgeCoverage()]
        .note(sequence, mode)
    case .prefix:
      let count = Int(scope.count)
      prefixLengths[scope.high, default: []].insert(count)
      prefixes[scope.low, default: Prefix(host: scope.high, count: count)]
        .coverage.note(sequence, mode)
    case .host: hosts[scope.low, default: PurgeCoverage()].note(sequence, mode)
    case .tag: tags[scope.low, default: PurgeCoverage()].note(sequence, mode)
    case .group: groups[scope.low, default: PurgeCoverage()].note(sequence, mode)
    case .everything:
      everything.note(sequence, mode)
      // That it is gone includes each part.
      if mode == .hard { trim(urls: sequence, others: sequence, soft: sequence) }
    }
  }

  /// Forgets what was taken away: of URLs up to the number `urls`, and of all else up to `others`; and what was
  /// made stale up to `soft`. O(remembered).
  mutating func trim(urls: UInt64, others: UInt64, soft: UInt64) {
    self.urls = self.urls.filter { $0.value.hard > urls || $0.value.soft > soft }
    func isNeeded(_ coverage: PurgeCoverage) -> Bool {
      coverage.hard > others || coverage.soft > soft
    }
    hosts = hosts.filter { isNeeded($0.value) }
    tags = tags.filter { isNeeded($0.value) }
    groups = groups.filter { isNeeded($0.value) }
    prefixes = prefixes.filter { isNeeded($0.value.coverage) }
    prefixLengths = [:]
    for prefix in prefixes.values {
      prefixLengths[prefix.host, default: []].insert(prefix.count)
    }
  }
}
