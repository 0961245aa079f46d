// Fields of a response that are for the one client whose request brought it, whatever its `Cache-Control` says:
// they go to that client and are no part of what is stored.

/// What becomes of the cookies of a response that may be stored.
public enum CookieHandling: UInt8, Sendable, Hashable, CaseIterable {
  /// They go to the client whose request brought the response, and are not stored with it.
  case strip
  /// The response is not stored.
  case refuse
  /// They are stored and go to everybody, as RFC 9111 §7.3 lets a cache do.
  case keep
}

/// The fields of a response that are for one client.
enum ClientFields {
  /// What answers the credentials of one request (RFC 9110 §11.6.3), and what begins or ends a session of one user
  /// agent (Login Status API, Device Bound Session Credentials).
  private static let others: [StaticString] = [
    "authentication-info", "set-login", "secure-session-registration", "secure-session-challenge",
  ]

  /// The names of those that a response has, in lower case, as its site handles cookies. O(bytes of the names).
  static func names(_ fields: FieldSection, _ cookies: CookieHandling) -> [[UInt8]] {
    var names: [[UInt8]] = []
    for field in fields.fields where field.name == .other || field.name == .setCookie {
      guard isForOneClient(field, of: fields, cookies) else { continue }
      let name = fields.bytes.readableBytesUInt8Span.extracting(field.nameRange.range)
      if !names.contains(where: { name.equalsIgnoringCase($0.span) }) {
        names.append(name.copied().map(\.asciiLowercased))
      }
    }
    return names
  }

  private static func isForOneClient(
    _ field: Field, of fields: FieldSection, _ cookies: CookieHandling
  ) -> Bool {
    let name = fields.bytes.readableBytesUInt8Span.extracting(field.nameRange.range)
    if field.name == .setCookie { return cookies != .keep }
    return others.contains { name.equalsIgnoringCase($0) }
  }

  /// True if a response sets a cookie that its own directives do not withhold.
  static func setsCookie(_ fields: FieldSection, withheld: [[UInt8]]) -> Bool {
    fields.contains(.setCookie)
      && !withheld.contains { $0.span.equalsIgnoringCase("set-cookie") }
  }
}
