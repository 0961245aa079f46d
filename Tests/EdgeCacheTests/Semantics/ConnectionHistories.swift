// Requests by which an upstream knows a connection (NTLM, Negotiate): nobody else gets what came of them
// (RFC 9110 §3.3, RFC 4559).

extension Histories {
  private static let minute = "Cache-Control: public, max-age=60"

  private static let credentials: [History] = [
    ("NTLM", true), ("NTLM TlRMTVNTUAAB", true), ("ntlm x", true), ("Negotiate", true),
    ("NEGOTIATE YII=", true), ("NTLMv2 x", false), ("Negotiate-x y", false),
    ("Basic NTLM", false), ("Bearer negotiate", false), ("Digest username=\"NTLM\"", false),
  ].map { value, isBound in
    History(
      "\(isBound ? "bound" : "not bound"): \(value)", "9110 §3.3",
      ask(
        "GET /↵Authorization: \(value)", "200↵\(minute)",
        is: isBound ? "fwd=uri-miss detail=connection-bound !stored !>for-store" : "stored"),
      ask("GET /", is: isBound ? "fwd=uri-miss" : "hit"))
  }

  private static let challenges: [History] = [
    ("NTLM", true), ("Negotiate", true), ("negotiate YII=", true),
    ("Basic realm=\"a\", Negotiate", true), ("Basic realm=\"a\"↵WWW-Authenticate: NTLM", true),
    ("Digest realm=\"a\", nonce=\"b, c\" , NTLM", true), ("Basic realm=\"NTLM\"", false),
    ("Basic realm=\"a, NTLM\"", false), ("Basic a=b, ntlm=\"x\"", false), ("NTLMish", false),
  ].map { value, isBound in
    History(
      "\(isBound ? "binds" : "does not bind"): \(value)", "9110 §3.3",
      ask(
        "GET /", "401↵WWW-Authenticate: \(value)↵\(minute)",
        is: isBound ? "status=401 detail=connection-bound !stored" : "stored"))
  }

  /// The same where the client has an upstream connection of its own.
  private static func bound(_ name: String, _ asks: Ask...) -> History {
    var history = History(name, "9110 §3.3", asks)
    history.route.isBound = true
    return history
  }

  static let connectionBound: [History] =
    credentials + challenges + [
      History(
        "a proxy's challenge", "9110 §3.3",
        ask(
          "GET /", "407↵Proxy-Authenticate: NTLM↵\(minute)", is: "detail=connection-bound !stored")),
      History(
        "the last word of a login is no challenge", "4559 §5",
        ask("GET /", "200↵WWW-Authenticate: Negotiate oY=↵\(minute)", is: "stored")),
      History(
        "what is stored is for everybody", "9111 §3.5",
        ask("GET /", "200↵\(minute)", is: "stored"),
        ask("GET /↵Authorization: NTLM x", is: "hit"),
        ask("HEAD /↵Authorization: Negotiate x", is: "hit")),
      History(
        "nothing is validated with them", "9110 §3.3",
        ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9↵↵old", is: "stored"),
        ask(
          20, "GET /↵Authorization: NTLM x", "200↵\(minute)↵↵mine",
          is: "fwd=stale detail=connection-bound !>validates !>if-none-match content=mine"),
        ask(21, "GET /", "304", is: "fwd=stale >if-none-match:\"a\" content=old stored")),
      History(
        "nothing is validated meanwhile", "5861 §3",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=60",
          is: "stored"),
        ask(20, "GET /↵Authorization: NTLM x", "200", is: "fwd=stale background=0 asked=1"),
        ask(21, "GET /", "304", is: "hit background=1")),
      History(
        "HEAD freshens nothing", "9111 §4.3.5",
        ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
        ask(20, "HEAD /↵Authorization: NTLM x", "200↵ETag: \"b\"↵\(minute)", is: "fwd=stale"),
        ask(21, "GET /", "304", is: "fwd=stale >if-none-match:\"a\" status=200")),
      History(
        "a part of it", "9110 §14.2",
        ask(
          "GET /↵Range: bytes=0-1↵Authorization: NTLM x",
          "206↵ETag: \"a\"↵\(minute)↵Content-Range: bytes 0-1/9↵↵co",
          is: "detail=connection-bound status=206 >range:bytes=0-1 !stored"),
        ask(
          "GET /↵Range: bytes=0-1", "206↵ETag: \"a\"↵\(minute)↵Content-Range: bytes 0-1/9↵↵co",
          is: "stored")),
      bound(
        "whose connection is known sends no credentials any more",
        ask("GET /", "200↵\(minute)", is: "detail=connection-bound !stored"),
        ask("GET /", "200↵\(minute)", is: "fwd=uri-miss detail=connection-bound !stored"),
        ask("HEAD /", "200↵\(minute)", is: "detail=connection-bound")),
    ]
}
