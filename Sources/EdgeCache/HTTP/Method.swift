/// A request method (RFC 9110 §9), as far as this cache tells methods apart. What is known of each is what the
/// HTTP Method Registry of IANA says of it.
public enum Method: UInt8, Sendable {
  case get, head, post, put, delete, options, trace, connect, patch
  /// What they write is elsewhere too, at their `Destination` (RFC 4918 §9.8, §9.9).
  case copy, move
  /// Others that only ask, often with content: QUERY (RFC 10008), PROPFIND (RFC 4918), REPORT (RFC 3253) and
  /// SEARCH (RFC 5323).
  case query
  /// Others that are idempotent, and change their target.
  case author
  /// Others that are idempotent, and change what lies below their target: BIND, REBIND and UNBIND (RFC 5842),
  /// and MERGE, UPDATE, UNCHECKOUT and BASELINE-CONTROL (RFC 3253).
  case authorBelow
  /// Any other method; unknown ones are taken to be unsafe (RFC 9111 §4.4).
  case other

  /// True if the method only asks (RFC 9110 §9.2.1).
  public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace, .query: true
    case .post, .put, .delete, .connect, .patch, .copy, .move, .author, .authorBelow, .other: false
    }
  }

  /// True if repeating the request has the effect of sending it once (RFC 9110 §9.2.2).
  public var isIdempotent: Bool {
    switch self {
    case .get, .head, .options, .trace, .put, .delete, .query, .copy, .move, .author, .authorBelow:
      true
    case .post, .connect, .patch, .other: false
    }
  }

  /// True if a success may have changed what lies below the target, where that is a collection (RFC 4918 §9.6,
  /// §9.9).
  var changesBelow: Bool {
    switch self {
    case .delete, .move, .authorBelow: true
    case .get, .head, .post, .put, .options, .trace, .connect, .patch, .copy, .query, .author,
      .other:
      false
    }
  }

  /// Methods of the registry that this cache has no case of their own for.
  private static let registered: [(name: StaticString, method: Method)] = [
    ("QUERY", .query), ("PROPFIND", .query), ("REPORT", .query), ("SEARCH", .query),
    ("COPY", .copy), ("MOVE", .move),
    ("BASELINE-CONTROL", .authorBelow), ("BIND", .authorBelow), ("MERGE", .authorBelow),
    ("REBIND", .authorBelow), ("UNBIND", .authorBelow), ("UNCHECKOUT", .authorBelow),
    ("UPDATE", .authorBelow),
    ("ACL", .author), ("CHECKIN", .author), ("CHECKOUT", .author), ("LABEL", .author),
    ("LINK", .author), ("MKACTIVITY", .author), ("MKCALENDAR", .author), ("MKCOL", .author),
    ("MKREDIRECTREF", .author), ("MKWORKSPACE", .author), ("ORDERPATCH", .author),
    ("PROPPATCH", .author), ("UNLINK", .author), ("UNLOCK", .author),
    ("UPDATEREDIRECTREF", .author), ("VERSION-CONTROL", .author),
  ]

  /// The method of some bytes; methods are case-sensitive (RFC 9110 §9.1).
  init(_ bytes: Span<UInt8>) {
    func isExactly(_ text: StaticString) -> Bool {
      guard bytes.count == text.utf8CodeUnitCount else { return false }
      return text.withUTF8Buffer { other in
        for index in 0..<other.count where bytes[index] != other[index] { return false }
        return true
      }
    }
    switch bytes.count {
    case 3 where isExactly("GET"): self = .get
    case 3 where isExactly("PUT"): self = .put
    case 4 where isExactly("HEAD"): self = .head
    case 4 where isExactly("POST"): self = .post
    case 5 where isExactly("PATCH"): self = .patch
    case 5 where isExactly("TRACE"): self = .trace
    case 6 where isExactly("DELETE"): self = .delete
    case 7 where isExactly("OPTIONS"): self = .options
    case 7 where isExactly("CONNECT"): self = .connect
    default: self = Self.registered.first { isExactly($0.name) }?.method ?? .other
    }
  }
}
