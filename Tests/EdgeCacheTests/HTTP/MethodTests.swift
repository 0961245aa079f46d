import Testing

@testable import EdgeCache

/// What the HTTP Method Registry says of each method, and of what is not in it.
@Suite struct MethodTests {
  private static func method(_ name: String) -> EdgeCache.Method {
    let bytes = Array(name.utf8)
    return EdgeCache.Method(bytes.span)
  }

  @Test(
    "Safe and idempotent (RFC 9110 §9.2, RFC 10008 §2, RFC 4918 §9.1, RFC 3253 §3.6, RFC 5323 §2)",
    arguments: ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"])
  func safe(name: String) {
    #expect(Self.method(name).isSafe && Self.method(name).isIdempotent)
    #expect(!Self.method(name.lowercased()).isSafe, "methods are case-sensitive")
  }

  @Test(
    "Idempotent, and not safe (RFC 7237)",
    arguments: [
      "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "DELETE", "LABEL", "LINK",
      "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE",
      "ORDERPATCH", "PROPPATCH", "PUT", "REBIND", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK",
      "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
    ])
  func idempotent(name: String) {
    #expect(!Self.method(name).isSafe && Self.method(name).isIdempotent)
  }

  @Test(
    "Neither",
    arguments: ["CONNECT", "LOCK", "PATCH", "POST", "PURGE", "BAN", "FOO", "QUER", "QUERYX"])
  func neither(name: String) {
    #expect(!Self.method(name).isSafe && !Self.method(name).isIdempotent)
  }
}
