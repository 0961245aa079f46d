import NIOCore

// The cache key (RFC 9111 §2): the target URI; the method is always GET.
//
// Its *identity* is host, path and query in normal form (RFC 3986 §6.2.2). Their spelling, scheme and port are compared
// too, but are not part of the identity: everything stored under one identity hangs in one chain, so that a purge of a URL
// finds the responses of both schemes, of every port and of every spelling, which is what an operator who copies a URL
// from a browser means, behind a TLS terminator too.

/// The scheme of a request's target URI, with the port that goes with it.
public struct KeyScheme: Sendable, Hashable {
  /// True for `https`.
  public var isSecure: Bool
  /// The port; the scheme's own where the URI gives none.
  public var port: UInt16

  /// True if the port is the scheme's own.
  var isDefault: Bool { port == (isSecure ? 443 : 80) }
}

/// A 128-bit keyed hash of an identity.
public struct KeyHash: Sendable, Hashable {
  public var low: UInt64
  public var high: UInt64

  /// A hash from its halves.
  @inlinable
  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
}

/// The secret that keys the hash, so that nobody outside can make keys collide.
public struct HashSecret: Sendable {
  var k0: UInt64
  var k1: UInt64

  /// A secret from two random words.
  public init(_ k0: UInt64, _ k1: UInt64) {
    self.k0 = k0
    self.k1 = k1
  }
}

/// A cache key: host in canonical form without port, path and query as they came, scheme and port.
public struct CacheKey: Sendable, Hashable {
  /// Host and then path and query.
  public let bytes: [UInt8]
  /// Length of the host within `bytes`; what keeps host and path from running into each other.
  public let hostCount: Int
  /// Scheme and port.
  public let scheme: KeyScheme
  /// How path and query are written.
  let shape: TargetShape
  /// Keyed hash of the identity.
  public let hash: KeyHash

  public static func == (lhs: CacheKey, rhs: CacheKey) -> Bool {
    lhs.hash == rhs.hash && lhs.scheme == rhs.scheme && lhs.hasSpelling(of: rhs)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(hash.low)
  }

  /// True if host, path and query are the same, in the same spelling. O(bytes).
  public func hasSpelling(of other: CacheKey) -> Bool {
    hostCount == other.hostCount && bytes == other.bytes
  }

  /// The host, path and query as text, for logs.
  public var text: String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// True if path and query are not in their normal form.
  var isRespelled: Bool { shape.contains(.respelled) }

  /// This key with path and query in their normal form (RFC 3986 §6.2.2). O(1) if they are, else O(bytes).
  var normalized: CacheKey {
    guard isRespelled else { return self }
    return CacheKey(
      bytes: Array(bytes[..<hostCount]) + NormalTarget.of(bytes[pathRange]), hostCount: hostCount,
      scheme: scheme, shape: shape.subtracting(.respelled), hash: hash)
  }

  /// The path in its normal form, without the query. O(bytes).
  public var normalPath: [UInt8] {
    let key = normalized
    return Array(key.bytes[key.pathRange].prefix { $0 != ASCII.question })
  }

  /// The path as the client wrote it, without the query. O(bytes).
  public var path: [UInt8] { Array(bytes[pathRange].prefix { $0 != ASCII.question }) }

  /// True if the last segment of the path is the end of it for every server.
  var hasPlainName: Bool { !shape.contains(.disguised) }

  /// True if servers read the path in more than one way.
  public var isAmbiguous: Bool { shape.contains(.ambiguous) }

  /// True if path and query are in normal form: the route goes by them as they are.
  public var isNormal: Bool { !isRespelled }

  /// True if path and query are in normal form, and every server reads the path in the same way.
  public var isPlain: Bool { shape.isEmpty }

  /// A hash that tells spellings apart, for what is remembered of each by itself. O(1), or O(bytes).
  var spellingHash: KeyHash {
    isRespelled ? KeyHash(low: hash.low ^ Checksum.of(bytes.span), high: hash.high) : hash
  }

  /// Where path and query lie within `bytes`.
  public var pathRange: Range<Int> { hostCount..<bytes.count }

  /// The key of a request on a connection that is secured or not. O(bytes).
  public init(_ head: RequestHead, isSecure: Bool, secret: HashSecret) {
    var storage: [UInt8] = []
    self.init(head, isSecure: isSecure, secret: secret, storage: &storage)
  }

  /// As above; what `storage` has of memory goes into the key, and comes back with ``giveBack(to:)``.
  public init(
    _ head: borrowing RequestHead, isSecure: Bool, secret: HashSecret, storage: inout [UInt8]
  ) {
    let bytes = head.fields.bytes.readableBytesUInt8Span
    self.init(
      bytes, authority: head.parsedAuthority, path: head.path.range, isSecure: isSecure,
      secret: secret, storage: &storage)
  }

  /// This key in memory of exactly its size. O(bytes).
  public var compacted: CacheKey {
    CacheKey(
      bytes: Array(bytes[...]), hostCount: hostCount, scheme: scheme, shape: shape, hash: hash)
  }

  /// Ends the use of a key: the next one can be made in its memory.
  public consuming func giveBack(to storage: inout [UInt8]) {
    storage = bytes
  }

  /// The key of an absolute `http` or `https` URL, a fragment left out; nil for anything else.
  public init?(url: some Sequence<UInt8>, secret: HashSecret) {
    let bytes = Array(url)
    guard let parts = URLParts(bytes.span) else { return nil }
    self.init(
      bytes.span, authority: parts.authority, path: parts.path, isSecure: parts.isSecure,
      secret: secret)
  }

  /// The key of `authority` and `path`, ranges of `source`; the authority is one, or empty.
  init(
    _ source: Span<UInt8>, authority: Range<Int>, path: Range<Int>, isSecure: Bool,
    secret: HashSecret
  ) {
    var storage: [UInt8] = []
    self.init(
      source, authority: Authority(source, authority) ?? Authority(canonical: authority),
      path: path, isSecure: isSecure, secret: secret, storage: &storage)
  }

  private init(
    _ source: Span<UInt8>, authority: Authority, path: Range<Int>, isSecure: Bool,
    secret: HashSecret, storage: inout [UInt8]
  ) {
    scheme = KeyScheme(isSecure: isSecure, port: authority.port ?? (isSecure ? 443 : 80))

    var key = storage
    storage = []
    key.removeAll(keepingCapacity: true)
    key.reserveCapacity(authority.host.count + path.count + 1)
    if authority.hasCanonicalHost {
      source.extracting(authority.host).withUnsafeBufferPointer { key.append(contentsOf: $0) }
    } else {
      Self.appendCanonical(source, authority.host, to: &key)
    }
    hostCount = key.count
    // RFC 9110 §4.2.3: an empty path is "/".
    if path.isEmpty || source[path.lowerBound] == ASCII.question { key.append(ASCII.slash) }
    source.extracting(path).withUnsafeBufferPointer { key.append(contentsOf: $0) }
    (shape, hash) = Self.identify(key, hostCount, secret)
    bytes = key
  }

  /// This key with the query that a site's rules leave (RFC 9111 §2 lets a cache do so). O(bytes).
  public func applying(_ rules: QueryRules, secret: HashSecret) -> CacheKey {
    if rules.isIdentity { return self }
    let target = rules.canonical(Array(bytes[pathRange]))
    if target.count == pathRange.count, target.elementsEqual(bytes[pathRange]) { return self }
    return CacheKey(
      bytes: Array(bytes[..<hostCount]) + target, hostCount: hostCount, scheme: scheme,
      secret: secret)
  }

  /// This key with more bytes behind it. O(bytes).
  func appending(_ more: [UInt8], secret: HashSecret) -> CacheKey {
    CacheKey(bytes: bytes + more, hostCount: hostCount, scheme: scheme, secret: secret)
  }

  /// True if the host is the same. O(bytes of the host).
  func hasHost(of other: CacheKey) -> Bool {
    hostCount == other.hostCount && bytes[..<hostCount] == other.bytes[..<hostCount]
  }

  /// The same host, path and query under another scheme or port. O(1).
  func with(_ scheme: KeyScheme) -> CacheKey {
    CacheKey(bytes: bytes, hostCount: hostCount, scheme: scheme, shape: shape, hash: hash)
  }

  /// The key of the path in normal form, as that of a collection (RFC 4918 §5.2): without a query, and with a slash at its
  /// end. O(bytes).
  func collection(_ secret: HashSecret) -> CacheKey {
    let bytes = normalized.bytes
    var path = bytes[..<(bytes[hostCount...].firstIndex(of: ASCII.question) ?? bytes.count)]
    if path.last != ASCII.slash { path.append(ASCII.slash) }
    return CacheKey(bytes: Array(path), hostCount: hostCount, scheme: scheme, secret: secret)
  }

  private init(
    bytes: [UInt8], hostCount: Int, scheme: KeyScheme, shape: TargetShape, hash: KeyHash
  ) {
    self.bytes = bytes
    self.hostCount = hostCount
    self.scheme = scheme
    self.shape = shape
    self.hash = hash
  }

  /// How path and query are written, and the hash of the identity.
  @inline(__always)
  private static func identify(
    _ bytes: [UInt8], _ hostCount: Int, _ secret: HashSecret
  ) -> (TargetShape, KeyHash) {
    let (shape, normal) = shape(bytes, hostCount)
    let prefix = UInt64(hostCount)
    if let normal { return (shape, SipHash.hash(normal.span, prefix: prefix, secret: secret)) }
    return (shape, SipHash.hash(bytes.span, prefix: prefix, secret: secret))
  }

  /// How path and query are written, and host, path and query in normal form if that is another one.
  @inline(__always)
  private static func shape(_ bytes: [UInt8], _ hostCount: Int) -> (
    shape: TargetShape, normal: [UInt8]?
  ) {
    let shape = TargetShape(bytes.span, from: hostCount)
    return shape.contains(.respelled) ? respelled(bytes, hostCount, shape) : (shape, nil)
  }

  @inline(never)
  private static func respelled(
    _ bytes: [UInt8], _ hostCount: Int, _ shape: TargetShape
  ) -> (shape: TargetShape, normal: [UInt8]?) {
    let normal = bytes[..<hostCount] + NormalTarget.of(bytes[hostCount...])
    // What is ambiguous may show only then: a percent-encoded dot at the end of a segment.
    return (shape.union(TargetShape(normal.span, from: hostCount)), Array(normal))
  }

  private init(bytes: [UInt8], hostCount: Int, scheme: KeyScheme, secret: HashSecret) {
    self.bytes = bytes
    self.hostCount = hostCount
    self.scheme = scheme
    (shape, hash) = Self.identify(bytes, hostCount, secret)
  }

  /// A key from what another process kept of it; the hash is the one that it had.
  init(stored bytes: [UInt8], hostCount: Int, scheme: KeyScheme, hash: KeyHash) {
    self.init(
      bytes: bytes, hostCount: hostCount, scheme: scheme,
      shape: Self.shape(bytes, hostCount).shape, hash: hash)
  }

  /// The key as a URL; the port is left out where it is the scheme's own.
  public var url: String {
    let port = scheme.port == (scheme.isSecure ? 443 : 80) ? "" : ":\(scheme.port)"
    let host = String(decoding: bytes[..<hostCount], as: UTF8.self)
    let target = String(decoding: bytes[pathRange], as: UTF8.self)
    return "\(scheme.isSecure ? "https" : "http")://\(host)\(port)\(target)"
  }

  /// Writes the key as a string of a Structured Field (RFC 9651 §4.1.6). Hosts and targets have no
  /// byte that such a string could not have.
  func writeString(to buffer: inout HeadBuffer) {
    buffer.writeStaticString(scheme.isSecure ? "\"https://" : "\"http://")
    // A host has nothing to escape.
    buffer.writeBytes(bytes, 0..<hostCount)
    writePort(to: &buffer)
    writeEscaped(hostCount..<bytes.count, to: &buffer)
    buffer.writeInteger(ASCII.quote)
  }

  private func writeEscaped(_ range: Range<Int>, to buffer: inout HeadBuffer) {
    let span = bytes.span
    var start = range.lowerBound
    while true {
      let end = min(HeadScanner.endOfUnescaped(span, from: start), range.upperBound)
      buffer.writeBytes(bytes, start..<end)
      if end == range.upperBound { return }
      buffer.writeInteger(ASCII.backslash)
      buffer.writeInteger(bytes[end])
      start = end + 1
    }
  }

  private func writePort(to buffer: inout HeadBuffer) {
    if scheme.port == (scheme.isSecure ? 443 : 80) { return }
    buffer.writeInteger(ASCII.colon)
    buffer.writeDecimal(Int(scheme.port))
  }

  @inline(never)
  private static func appendCanonical(
    _ source: Span<UInt8>, _ host: Range<Int>, to key: inout [UInt8]
  ) {
    guard let canonical = HostName.canonical(source, host) else {
      preconditionFailure("an authority without a host")
    }
    key += canonical
  }
}

/// The parts of an absolute URL that make a cache key.
struct URLParts {
  var isSecure: Bool
  var authority: Range<Int>
  /// Path and query; may be empty.
  var path: Range<Int>

  /// Takes an `http` or `https` URL apart; nil if it is not one.
  init?(_ bytes: Span<UInt8>) {
    let start: Int
    if bytes.count > 8, bytes.extracting(first: 8).equalsIgnoringCase("https://") {
      isSecure = true
      start = 8
    } else if bytes.count > 7, bytes.extracting(first: 7).equalsIgnoringCase("http://") {
      isSecure = false
      start = 7
    } else {
      return nil
    }
    let end = bytes.firstIndex(of: ASCII.hash, in: start..<bytes.count) ?? bytes.count
    var split = start
    while split < end, bytes[split] != ASCII.slash, bytes[split] != ASCII.question { split += 1 }
    authority = start..<split
    path = split..<end
    guard Authority(bytes, authority) != nil else { return nil }
  }
}
