// Authentication that belongs to a connection instead of a request (RFC 4559): whoever has logged in by it is known by
// the connection from then on, whatever its requests say. RFC 9110 §3.3 names it as a violation that has caused security
// problems, for a proxy that knows nothing of it gives the connection to somebody else.

/// The schemes that are known to do so: NTLM, and Negotiate, which may be NTLM within.
enum ConnectionAuthentication {
  /// True if `bytes` begin with such a scheme, followed by nothing or a space.
  static func begins(_ bytes: Span<UInt8>) -> Bool {
    var end = 0
    while end < bytes.count, bytes[end].isToken { end += 1 }
    guard end == bytes.count || bytes[end].isOptionalWhitespace else { return false }
    let scheme = bytes.extracting(first: end)
    return scheme.equalsIgnoringCase("ntlm") || scheme.equalsIgnoringCase("negotiate")
  }
}

extension FieldSection {
  /// True if `Authorization` has credentials that belong to the connection. O(1) without the field.
  public var hasConnectionCredentials: Bool {
    contains(.authorization) && isAuthorizedByConnection
  }

  @inline(never)
  private var isAuthorizedByConnection: Bool {
    let span = bytes.readableBytesUInt8Span
    return fields.contains {
      $0.name == .authorization
        && ConnectionAuthentication.begins(span.extracting($0.value.range))
    }
  }

  /// True if `WWW-Authenticate` or `Proxy-Authenticate` ask for such credentials. O(bytes).
  public var hasConnectionChallenge: Bool {
    let span = bytes.readableBytesUInt8Span
    for field in fields {
      let isChallenge =
        field.name == .proxyAuthenticate
        || field.name == .other
          && span.extracting(field.nameRange.range).equalsIgnoringCase("www-authenticate")
      guard isChallenge else { continue }
      var found = false
      // A list of challenges, whose parameters have commas between them too (RFC 9110 §11.6.1): an element that
      // is no challenge has `=` behind its name.
      span.forEachListElement(field.value.range, ofTokens: false) { element in
        found = ConnectionAuthentication.begins(span.extracting(element))
        return !found
      }
      if found { return true }
    }
    return false
  }
}

extension ResponseHead {
  /// True if it refuses a request for want of credentials that belong to the connection.
  public var asksForConnectionCredentials: Bool {
    (status == 401 || status == 407) && fields.hasConnectionChallenge
  }
}
