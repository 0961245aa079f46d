// The field names that this cache acts upon, recognised once when a head is parsed, so that every
// later question about a field is a comparison of integers.

/// A field name that the cache knows, or `other`.
public enum FieldName: UInt8, Sendable, CaseIterable {
  case other
  case accept, acceptEncoding, acceptLanguage, age, authorization
  case cacheControl, cacheGroups, cacheGroupInvalidation, cacheStatus, cacheTag, cdnCacheControl
  case cdnLoop, connection, contentLength, contentLocation
  case contentRange, contentType, cookie, date, etag, expect, expires, forwarded, host
  case ifMatch, ifModifiedSince, ifNoneMatch, ifRange, ifUnmodifiedSince, keepAlive
  case lastModified, location, maxForwards, pragma, proxyAuthenticate, proxyAuthenticationInfo
  case proxyAuthorization, proxyConnection, range, setCookie
  case surrogateControl, surrogateKey, te, trailer
  case transferEncoding, upgrade, vary, via, xForwardedFor, xForwardedProto, http2Settings
  // Stored heads have these numbers, on disk too: new names go to the end.
  case acceptRanges, purgesApplied, referer, userAgent, xRequestID

  /// The name's bit in a set of names.
  @inline(__always)
  var bit: UInt64 { 1 << UInt64(rawValue) }

  /// The name in lower case.
  public var lowercased: StaticString {
    switch self {
    case .other: ""
    case .accept: "accept"
    case .acceptEncoding: "accept-encoding"
    case .acceptLanguage: "accept-language"
    case .age: "age"
    case .authorization: "authorization"
    case .cacheControl: "cache-control"
    case .cacheGroups: "cache-groups"
    case .cacheGroupInvalidation: "cache-group-invalidation"
    case .cacheStatus: "cache-status"
    case .cacheTag: "cache-tag"
    case .cdnCacheControl: "cdn-cache-control"
    case .cdnLoop: "cdn-loop"
    case .connection: "connection"
    case .contentLength: "content-length"
    case .contentLocation: "content-location"
    case .contentRange: "content-range"
    case .contentType: "content-type"
    case .cookie: "cookie"
    case .date: "date"
    case .etag: "etag"
    case .expect: "expect"
    case .expires: "expires"
    case .forwarded: "forwarded"
    case .host: "host"
    case .ifMatch: "if-match"
    case .ifModifiedSince: "if-modified-since"
    case .ifNoneMatch: "if-none-match"
    case .ifRange: "if-range"
    case .ifUnmodifiedSince: "if-unmodified-since"
    case .keepAlive: "keep-alive"
    case .lastModified: "last-modified"
    case .location: "location"
    case .maxForwards: "max-forwards"
    case .pragma: "pragma"
    case .proxyAuthenticate: "proxy-authenticate"
    case .proxyAuthenticationInfo: "proxy-authentication-info"
    case .proxyAuthorization: "proxy-authorization"
    case .proxyConnection: "proxy-connection"
    case .range: "range"
    case .setCookie: "set-cookie"
    case .surrogateControl: "surrogate-control"
    case .surrogateKey: "surrogate-key"
    case .te: "te"
    case .trailer: "trailer"
    case .transferEncoding: "transfer-encoding"
    case .upgrade: "upgrade"
    case .vary: "vary"
    case .via: "via"
    case .xForwardedFor: "x-forwarded-for"
    case .xForwardedProto: "x-forwarded-proto"
    case .http2Settings: "http2-settings"
    case .acceptRanges: "accept-ranges"
    case .purgesApplied: "edgecache-purges"
    case .referer: "referer"
    case .userAgent: "user-agent"
    case .xRequestID: "x-request-id"
    }
  }

  /// Fields that belong to one connection and are never forwarded or stored (RFC 9110 §7.6.1).
  ///
  /// `Transfer-Encoding` and `Trailer` are hop-by-hop too, and are written anew where they apply.
  public var isHopByHop: Bool {
    switch self {
    case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade,
      .http2Settings:
      true
    default:
      false
    }
  }

  /// True for fields whose value is a list of tokens, without quoted strings.
  var isTokenList: Bool {
    switch self {
    case .connection, .vary, .upgrade, .trailer, .cdnLoop: true
    default: false
    }
  }
}

/// Finds the known name of a field.
struct FieldNameTable: Sendable {
  /// A known name in words, as ``HeadScanner/fingerprint(_:_:)`` has it.
  private struct Entry {
    var first: UInt64
    var last: UInt64
    var count: Int
    var name: FieldName
  }

  /// Who looks for several takes it once: each use of it asks whether it is there.
  static let shared = FieldNameTable()

  /// Chosen so that no two known names share a slot.
  private static let seed: UInt64 = 0xCBF2_9CE4_8422_2329
  private static let slotCount = 4096

  /// The names by their slots, as indices of ``entries``; 0 where there is none.
  private let slots: [UInt8]
  private let entries: [Entry]

  private init() {
    invariant(FieldName.allCases.count <= UInt64.bitWidth, "more names than a set of them can hold")
    var slots = [UInt8](repeating: 0, count: Self.slotCount)
    var entries: [Entry] = []
    for name in FieldName.allCases {
      let text = name.lowercased.withUTF8Buffer { Array($0) }
      let (first, last) = HeadScanner.fingerprint(text.span, 0..<text.count)
      entries.append(Entry(first: first, last: last, count: text.count, name: name))
      if name == .other { continue }
      let slot = Self.slot(first, last, text.count)
      invariant(slots[slot] == 0, "two known field names share a slot: change the seed")
      slots[slot] = name.rawValue
    }
    (self.slots, self.entries) = (slots, entries)
  }

  @inline(__always)
  private static func slot(_ first: UInt64, _ last: UInt64, _ count: Int) -> Int {
    var hash = (first ^ seed) &* 0x9E37_79B9_7F4A_7C15
    hash = (hash ^ (hash >> 32) ^ last ^ UInt64(truncatingIfNeeded: count))
    hash = hash &* 0xD6E8_FEB8_6659_FD93
    return Int(truncatingIfNeeded: hash >> 52)
  }

  /// The known name of the token in `range`. O(1), O(length) for long ones.
  @inline(__always)
  func name(_ bytes: Span<UInt8>, _ range: Range<Int>) -> FieldName {
    let (first, last) = HeadScanner.fingerprint(bytes, range)
    let entry = entries[Int(slots[Self.slot(first, last, range.count)])]
    guard entry.first == first, entry.last == last, entry.count == range.count,
      // Two words are all of a name that is no longer than they are.
      range.count <= 16 || HeadScanner.isToken(bytes, range, named: entry.name.lowercased)
    else { return .other }
    return entry.name
  }

  /// The known name of some bytes, a token or not. O(length).
  static func name(_ bytes: Span<UInt8>) -> FieldName {
    guard HeadScanner.endOfToken(bytes, from: 0) == bytes.count else { return .other }
    return shared.name(bytes, 0..<bytes.count)
  }
}
