// What a purge covers, and how that is told of a response: by its URL, its host, what its URL begins with,
// and the names that its origin gave it.
//
// URLs are told apart by their keyed 128-bit hash, all else by 64 bits without a key: were two names to
// collide, something would be fetched once more than needed, and nothing would be kept that should go.

/// How much a purge takes away.
public enum PurgeMode: UInt8, Sendable, Hashable, CaseIterable {
  /// What it covers is gone.
  case hard
  /// What it covers is stale: it is validated before it is used again, and may stand in for an upstream that
  /// fails.
  case soft
}

/// What a purge covers.
public enum PurgeScope: Sendable, Hashable {
  /// All variants of a URL, whatever the scheme and port.
  case url(CacheKey)
  /// Every URL of a host that begins so.
  case prefix(PurgePrefix)
  /// Every URL of a host.
  case host(PurgeHost)
  /// Every stored response with a tag, whatever its host.
  case tag(CacheTag)
  /// Every stored response in a group of its origin (RFC 9875).
  case group(CacheGroup)
  /// Everything that is stored.
  case everything
}

/// A host in lower case without a port, as purges tell it.
public struct PurgeHost: Sendable, Hashable {
  let mark: UInt64

  /// The host of a key. O(bytes of the host).
  init(of key: CacheKey) {
    mark = Self.mark(key)
  }

  /// A host by its name, an IPv6 address in brackets.
  public init(_ name: some Sequence<UInt8>) {
    mark = NameMark.of(name.map(\.asciiLowercased), as: .host)
  }

  fileprivate static func mark(_ key: CacheKey) -> UInt64 {
    NameMark.of(key.bytes, 0..<key.hostCount, as: .host)
  }
}

/// A host and what paths begin with.
public struct PurgePrefix: Sendable, Hashable {
  let host: UInt64
  let mark: UInt64
  /// Bytes of host and path together.
  let count: Int

  /// All URLs whose normal form begins as that of the host, path and query of `key`. O(bytes).
  public init(_ key: CacheKey) {
    let key = key.normalized
    host = PurgeHost.mark(key)
    count = key.bytes.count
    mark = Self.mark(key, count: count)
  }

  /// True if it covers a key in normal form. O(bytes).
  fileprivate func covers(_ key: CacheKey) -> Bool {
    key.bytes.count >= count && count > key.hostCount && Self.mark(key, count: count) == mark
  }

  /// What a prefix of `count` bytes would be told by if it covered `key`, which is in normal form and has as many.
  /// O(bytes).
  static func mark(_ key: CacheKey, count: Int) -> UInt64 {
    NameMark.of(key.bytes, 0..<count, as: .prefix(hostCount: key.hostCount))
  }
}

/// A tag of stored responses, of whatever host.
public struct CacheTag: Sendable, Hashable {
  let mark: UInt64

  /// A tag by its name, which has its case. O(bytes).
  public init(_ name: [UInt8]) {
    mark = NameMark.of(name, as: .tag)
  }
}

/// Numbers for names of some kind.
enum NameMark {
  enum Kind {
    case host, tag, group
    case prefix(hostCount: Int)

    fileprivate var seed: UInt64 {
      switch self {
      case .host: 1
      case .tag: 2
      case .group: 3
      // What keeps host and path from running into each other.
      case .prefix(let hostCount): 4 | UInt64(truncatingIfNeeded: hostCount) << 8
      }
    }
  }

  static func of(_ bytes: [UInt8], as kind: Kind) -> UInt64 {
    of(bytes, 0..<bytes.count, as: kind)
  }

  static func of(_ bytes: [UInt8], _ range: Range<Int>, as kind: Kind) -> UInt64 {
    Checksum.of(bytes.span.extracting(range), seed: kind.seed)
  }
}

/// A scope as it is logged: what it is told by, without what it is called.
struct ScopeMark: Sendable, Hashable {
  enum Kind: UInt32, Sendable { case url, prefix, host, tag, group, everything }

  var kind: Kind
  var low: UInt64 = 0
  var high: UInt64 = 0
  /// Of a prefix, the bytes of host and path.
  var count: UInt32 = 0
}

extension PurgeScope {
  /// What it is told by.
  var mark: ScopeMark {
    switch self {
    case .url(let key): ScopeMark(kind: .url, low: key.hash.low, high: key.hash.high)
    case .prefix(let prefix):
      ScopeMark(
        kind: .prefix, low: prefix.mark, high: prefix.host,
        count: UInt32(truncatingIfNeeded: prefix.count))
    case .host(let host): ScopeMark(kind: .host, low: host.mark)
    case .tag(let tag): ScopeMark(kind: .tag, low: tag.mark)
    case .group(let group): ScopeMark(kind: .group, low: group.mark)
    case .everything: ScopeMark(kind: .everything)
    }
  }

  /// True if it covers what is stored under `key` with these names. O(bytes + names).
  func covers(_ key: CacheKey, _ names: ResponseNames) -> Bool {
    switch self {
    case .url(let other): key.hash == other.hash
    case .prefix(let prefix): prefix.covers(key.normalized)
    case .host(let host): PurgeHost(of: key) == host
    case .tag(let tag): names.tags.contains(tag)
    case .group(let group): names.groups.contains(group)
    case .everything: true
    }
  }
}

/// The names that an origin gave a response.
public struct ResponseNames: Sendable, Hashable {
  /// The groups of its origin that it is in (RFC 9875).
  public let groups: [CacheGroup]
  /// Its tags, of the fields that carry them.
  public let tags: [CacheTag]

  /// No names.
  public static let none = ResponseNames(groups: [], tags: [])

  private init(groups: [CacheGroup], tags: [CacheTag]) {
    (self.groups, self.tags) = (groups, tags)
  }

  /// The names in a stored head. O(bytes).
  init(_ head: StoredHead, at key: CacheKey) {
    let hasGroups = head.hasGroups
    guard hasGroups || head.hasTags else {
      self = .none
      return
    }
    groups = hasGroups ? CacheGroup.names(head.fields).map { CacheGroup($0, at: key) } : []
    tags = CacheTag.names(head).map { CacheTag($0) }
  }

  /// The names in the fields of a response at `key`. O(bytes of the fields).
  public init(_ fields: FieldSection, at key: CacheKey) {
    groups = CacheGroup.names(fields).map { CacheGroup($0, at: key) }
    // What has more is not stored.
    tags = (CacheTag.names(fields) ?? []).map { CacheTag($0) }
  }

  /// True if there are none.
  public var isEmpty: Bool { groups.isEmpty && tags.isEmpty }

  /// Bytes of memory that they take.
  var cost: Int {
    (groups.isEmpty ? 0 : MemoryCost.array(of: groups))
      + (tags.isEmpty ? 0 : MemoryCost.array(of: tags))
  }
}
