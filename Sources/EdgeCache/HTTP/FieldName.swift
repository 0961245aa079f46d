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

/// Finds the known name of a field from a hash that the parser computes while it scans.
enum FieldNameTable {
  /// First value of the running hash; chosen so that no two known names share a slot.
  static let seed: UInt64 = 0xCBF2_9CE4_8422_2326
  static let slots = 4096

  /// Adds one byte of a name, letters in either case, to the running hash.
  @inline(__always)
  static func mix(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte | 0x20)) &* 0x9E37_79B9_7F4A_7C15
  }

  @inline(__always)
  static func slot(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: (hash ^ (hash >> 29)) >> 20) & (slots - 1)
  }

  private static let table: [UInt8] = {
    var table = [UInt8](repeating: 0, count: slots)
    for name in FieldName.allCases where name != .other {
      let hash = name.lowercased.withUTF8Buffer { $0.reduce(seed, mix) }
      invariant(table[slot(hash)] == 0, "two known field names share a slot: change the seed")
      table[slot(hash)] = name.rawValue
    }
    return table
  }()

  /// The known name of the bytes in `range`, whose hash is `hash`. O(length).
  @inline(__always)
  static func name(_ bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64) -> FieldName {
    let candidate = table[slot(hash)]
    if candidate == 0 { return .other }
    guard let name = FieldName(rawValue: candidate),
      bytes.extracting(range).equalsIgnoringCase(name.lowercased)
    else { return .other }
    return name
  }

  /// The known name of some bytes, for names that do not come from a parsed head. O(length).
  static func name(_ bytes: Span<UInt8>) -> FieldName {
    var hash = seed
    for index in 0..<bytes.count { hash = mix(hash, bytes[index]) }
    return name(bytes, 0..<bytes.count, hash: hash)
  }
}
