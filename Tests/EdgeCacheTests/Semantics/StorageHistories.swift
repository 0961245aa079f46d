// What may be stored (RFC 9111 §3 and §5.2.2).

extension Histories {
  private static func kept(
    _ name: String, _ section: String, _ request: String, _ reply: String
  ) -> History {
    History(
      name, section, ask(request, reply, is: "asked=1 stored !detail=no-store"),
      ask("GET /", is: "hit asked=0"))
  }

  private static func refused(
    _ name: String, _ section: String, _ request: String, _ reply: String, _ detail: String
  ) -> History {
    History(
      name, section, ask(request, reply, is: "asked=1 !stored detail=\(detail)"),
      ask("GET /", is: "!hit asked=1 fwd=uri-miss"))
  }

  private static let script = "Content-Type: text/javascript"
  private static let minute = "Cache-Control: max-age=60"

  static let storage: [History] = [
    kept("GET", "9111 §3", "GET /", "200↵\(minute)"),
    kept("with cookies in the request", "9111 §3", "GET /↵Cookie: a=b", "200↵\(minute)"),
    kept("with no content", "9111 §3", "GET /", "200↵\(minute)↵Content-Length: 0↵↵"),
    kept("an absolute target", "9110 §7.1", "GET http://A:80/", "200↵\(minute)"),
    kept("an empty path", "9110 §4.2.3", "GET http://a", "200↵\(minute)"),
    kept("HTTP/1.0 with Host", "9111 §3", "GET / HTTP/1.0↵Host: a", "200↵\(minute)"),
    kept(
      "must-understand a known status", "9111 §5.2.2.3", "GET /",
      "200↵Cache-Control: max-age=60, must-understand"),
    kept(
      "must-understand undoes no-store", "9111 §5.2.2.3", "GET /",
      "200↵Cache-Control: max-age=60, must-understand, no-store"),
    kept("chunked content", "9112 §7.1", "GET /", "200↵\(minute)↵Transfer-Encoding: chunked"),
    refused("no-store", "9111 §5.2.2.5", "GET /", "200↵Cache-Control: no-store", "no-store"),
    refused(
      "no-store with a lifetime", "9111 §5.2.2.5", "GET /",
      "200↵Cache-Control: no-store, max-age=60, public", "no-store"),
    refused(
      "private", "9111 §5.2.2.7", "GET /", "200↵Cache-Control: private, s-maxage=60", "private"),
    refused(
      "must-understand an unknown status", "9111 §5.2.2.3", "GET /",
      "299↵Cache-Control: max-age=60, must-understand", "must-understand"),
    refused(
      "must-understand an unknown status, no-store", "9111 §5.2.2.3", "GET /",
      "299↵Cache-Control: max-age=60, must-understand, no-store", "must-understand"),
    refused(
      "must-understand private", "9111 §5.2.2.7", "GET /",
      "200↵Cache-Control: max-age=60, must-understand, private", "private"),
    refused("226", "3229 §10.4.1", "GET /↵A-IM: vcdiff", "226↵\(minute)↵IM: vcdiff", "status"),
    refused("206", "9111 §3.3", "GET /", "206↵\(minute)↵Content-Range: bytes 0-6/99", "partial"),
    History(
      "Content-Range in 200 means nothing", "9110 §14.4",
      ask(
        "GET /", "200↵\(minute)↵Content-Range: bytes 0-6/99",
        is: "stored status=200 content=content content-range:bytes_0-6/99"),
      ask(
        "GET /",
        is: "hit status=200 content-range:bytes_0-6/99 content=content content-length:7"),
      ask(
        "GET /↵Range: bytes=0-1",
        is: "hit status=206 content-range:bytes_0-1/7 !content-range:bytes_0-6/99"),
      ask("GET /↵If-Modified-Since: {0}", is: "hit status=304 !content-range")),
    History(
      "Content-Range in 404 means nothing", "9110 §14.4",
      ask("GET /", "404↵\(minute)↵Content-Range: bytes 0-6/7", is: "stored status=404"),
      ask("GET /", is: "hit status=404 content=content")),
    History(
      "Content-Range in 200 to a range means nothing", "9110 §14.4",
      ask(
        "GET /↵Range: bytes=1-2", "200↵\(minute)↵Content-Range: bytes 1-2/99",
        is: "stored status=200 content=content"),
      ask("GET /", is: "hit content=content")),
    History(
      "Content-Range in 416 without a range", "9110 §14.4",
      ask("GET /", "416↵\(minute)↵Content-Range: bytes */7", is: "stored status=416"),
      ask("GET /", is: "hit status=416 content-range:bytes_*/7")),
    refused("304 that nobody asked for", "9111 §3", "GET /", "304↵\(minute)", "status"),
    refused("no lifetime", "9111 §3", "GET /", "200↵ETag: \"a\"", "no-freshness"),
    refused("no lifetime left", "9111 §3", "GET /", "200↵Cache-Control: max-age=0", "not-reusable"),
    refused("older than its lifetime", "9111 §3", "GET /", "200↵Age: 61↵\(minute)", "not-reusable"),
    refused("Vary: *", "9111 §4.1", "GET /", "200↵Vary: *↵\(minute)", "vary-star"),
    refused(
      "request no-store", "9111 §5.2.1.5", "GET /↵Cache-Control: no-store", "200↵\(minute)",
      "request-no-store"),
    refused("HEAD", "9111 §3", "HEAD /", "200↵\(minute)", "head"),
    refused("POST", "9111 §3", "POST /↵Content-Length: 0", "200↵\(minute)", "method"),
    refused("OPTIONS", "9110 §9.3.7", "OPTIONS /", "200↵\(minute)", "method"),
    refused("a method nobody knows", "9111 §3", "FOO /", "200↵\(minute)", "method"),
    refused("GET in lower case", "9110 §9.1", "get /", "200↵\(minute)", "method"),
    refused(
      "GET with content", "9110 §9.3.1", "GET /↵Content-Length: 3", "200↵\(minute)",
      "pass-through"),
    refused(
      "several ranges", "9111 §3.3", "GET /↵Range: bytes=0-1,4-5", "200↵\(minute)", "partial"),
    refused("If-Match", "9111 §4.3.2", "GET /↵If-Match: \"a\"", "200↵\(minute)", "pass-through"),
    refused(
      "If-Unmodified-Since", "9111 §4.3.2", "GET /↵If-Unmodified-Since: {0}", "200↵\(minute)",
      "pass-through"),
    refused(
      "an upgrade", "9110 §7.8", "GET /↵Connection: upgrade↵Upgrade: websocket", "200↵\(minute)",
      "pass-through"),
    History(
      "stale-if-error makes it worth keeping", "5861 §4",
      ask("GET /", "200↵Cache-Control: max-age=0, stale-if-error=60", is: "stored"),
      ask("GET /", "fail connect-failed", is: "status=200 detail=connect-failed")),
    History(
      "fields of the connection stay behind", "9111 §3.1",
      ask(
        "GET /", "200↵\(minute)↵Connection: x-a, close↵X-A: 1↵X-B: 2↵Keep-Alive: 5↵Trailer: X",
        is: "stored !x-a !keep-alive !trailer x-b:2"),
      ask("GET /", is: "hit !x-a !connection !keep-alive !trailer x-b:2")),
    History(
      "fields of a proxy are not stored", "9111 §3.1",
      ask(
        "GET /", "200↵\(minute)↵Proxy-Authenticate: Basic↵Proxy-Authentication-Info: x",
        is: "stored"),
      ask("GET /", is: "hit !proxy-authenticate !proxy-authentication-info")),
    History(
      "repeated fields stay apart and in case", "9110 §5.3",
      ask("GET /", "200↵\(minute)↵Link: a↵LINK: b", is: "stored"),
      ask("GET /", is: "hit link:a link:b")),
    History(
      "reason and status", "9111 §3", ask("GET /", "404 Gone Fishing↵\(minute)", is: "status=404"),
      ask("GET /", is: "hit status=404 content=content")),
    History(
      "one key for each host", "9111 §2", ask("GET /↵Host: a", "200↵\(minute)", is: "stored"),
      ask("GET /↵Host: b", is: "fwd=uri-miss")),
    History(
      "host without regard to case", "9110 §4.2.3", ask("GET /↵Host: A.B", "200↵\(minute)", is: ""),
      ask("GET /↵Host: a.b", is: "hit")),
    History(
      "port 80 is no port", "9110 §4.2.3", ask("GET /↵Host: a:80", "200↵\(minute)", is: "stored"),
      ask("GET /↵Host: a", is: "hit")),
    History(
      "another port is another", "9110 §4.2.3", ask("GET /↵Host: a:81", "200↵\(minute)", is: ""),
      ask("GET /↵Host: a", is: "fwd=uri-miss")),
    History(
      "queries are told apart", "9111 §2", ask("GET /?a", "200↵\(minute)", is: "stored"),
      ask("GET /?b", is: "fwd=uri-miss"), ask("GET /", is: "fwd=uri-miss"),
      ask("GET /?a", is: "hit")),
    History(
      "paths with regard to case", "9110 §4.2.3", ask("GET /A", "200↵\(minute)", is: "stored"),
      ask("GET /a", is: "fwd=uri-miss")),
    History(
      "host and path do not run together", "9111 §2",
      ask("GET /b/c↵Host: a", "200↵\(minute)", is: "stored"), ask("GET /c↵Host: a", is: "!hit")),
    History(
      "a broken response", "9111 §3.3",
      ask("GET /", "200↵\(minute)↵Content-Length: 3↵↵content", is: "content=content"),
      ask("GET /", is: "!hit")),
  ]

  private static let secret = "GET /↵Authorization: Basic x"

  static let authorization: [History] = [
    refused("credentials", "9111 §3.5", secret, "200↵\(minute)", "authorization"),
    refused(
      "credentials and no-cache", "9111 §3.5", secret,
      "200↵ETag: \"a\"↵Cache-Control: no-cache", "authorization"),
    refused(
      "credentials and proxy-revalidate", "9111 §3.5", secret,
      "200↵Cache-Control: max-age=60, proxy-revalidate", "authorization"),
    refused("credentials and Expires", "9111 §3.5", secret, "200↵Expires: {60}", "authorization"),
    refused(
      "credentials and private", "9111 §3.5", secret,
      "200↵Cache-Control: s-maxage=60, private", "private"),
    kept("credentials and public", "9111 §3.5", secret, "200↵Cache-Control: public, max-age=60"),
    kept("credentials and s-maxage", "9111 §3.5", secret, "200↵Cache-Control: s-maxage=60"),
    kept(
      "credentials and must-revalidate", "9111 §3.5", secret,
      "200↵Cache-Control: max-age=60, must-revalidate"),
    History(
      "credentials are no matter to what is public", "9111 §3.5",
      ask("GET /", "200↵\(minute)", is: "stored"), ask(secret, is: "hit")),
    History(
      "one client's credentials do not spoil the key", "9111 §3.5",
      ask(secret, "200↵\(minute)", is: "detail=authorization"),
      ask("GET /", "200↵\(minute)", is: "stored"), ask("GET /", is: "hit")),
    History(
      "credentials go upstream", "9110 §11.6.2", ask(secret, is: ">authorization:Basic_x")),
  ]

  static let cookies: [History] = [
    stripped("Set-Cookie and max-age", minute), stripped("Set-Cookie and Expires", "Expires: {60}"),
    stripped("Set-Cookie and s-maxage", "Cache-Control: s-maxage=9"),
    stripped("Set-Cookie and public, immutable", "Cache-Control: public, max-age=9, immutable"),
    History(
      "several cookies", "6265 §3",
      ask(
        "GET /", "200↵Set-Cookie: a=b↵X: 1↵SET-COOKIE: c=d↵\(minute)",
        is: "stored set-cookie:a=b set-cookie:c=d x:1"),
      ask("GET /", is: "hit !set-cookie x:1")),
    History(
      "a cookie and a condition", "9111 §7.3",
      ask(
        "GET /↵If-None-Match: \"a\"", "200↵ETag: \"a\"↵Set-Cookie: a=b↵\(minute)",
        is: "status=304 set-cookie:a=b stored"),
      ask("GET /", is: "hit !set-cookie")),
    History(
      "a cookie and what may not be stored", "9111 §7.3",
      ask("GET /", "200↵Set-Cookie: a=b↵Cache-Control: no-store", is: "set-cookie:a=b"),
      ask("GET /", is: "!hit !set-cookie")),
    History(
      "a cookie with what replaces", "9111 §7.3",
      ask("GET /", "200↵ETag: \"a\"↵\(minute)", is: "stored"),
      ask(61, "GET /", "200↵Set-Cookie: a=b↵\(minute)↵↵new", is: "set-cookie:a=b content=new"),
      ask(62, "GET /", is: "hit !set-cookie content=new")),
    History(
      "a cookie with a part", "9111 §7.3",
      ask(
        "GET /↵Range: bytes=0-1",
        "206↵ETag: \"a\"↵Set-Cookie: a=b↵Content-Range: bytes 0-1/4↵\(minute)↵↵ab",
        is: "status=206 set-cookie:a=b stored"),
      ask(
        "GET /", "206↵ETag: \"a\"↵Set-Cookie: c=d↵Content-Range: bytes 2-3/4↵\(minute)↵↵cd",
        is: "status=200 content=abcd set-cookie:c=d !set-cookie:a=b"),
      ask("GET /", is: "hit content=abcd !set-cookie")),
    History(
      "what answers credentials", "9110 §11.6.3",
      ask(
        "GET /↵Authorization: Basic x",
        "200↵Authentication-Info: x↵Set-Login: logged-in↵Cache-Control: public, max-age=9",
        is: "stored authentication-info:x set-login:logged-in"),
      ask("GET /", is: "hit !authentication-info !set-login")),
    refused(
      "Set-Cookie and a heuristic", "9111 §7.3", "GET /",
      "200↵Set-Cookie: a=b↵Last-Modified: {-1000}", "set-cookie"),
    refused(
      "Set-Cookie, public and a heuristic", "9111 §7.3", "GET /",
      "200↵Set-Cookie: a=b↵Cache-Control: public↵Last-Modified: {-1000}", "set-cookie"),
    History(
      "Set-Cookie of a hashed URL", "9111 §7.3",
      ask(
        "GET /app-3f2a9c1b.js", "200↵\(script)↵Set-Cookie: a=b",
        is: "!stored detail=set-cookie")),
    refused(
      "Set-Cookie at a site that stores none", "9111 §7.3", "GET /",
      "200↵Set-Cookie: a=b↵\(minute)", "set-cookie"
    ).with { $0.cookies = .refuse },
    kept("no cookie at a site that stores none", "9111 §7.3", "GET /", "200↵\(minute)")
      .with { $0.cookies = .refuse },
    History(
      "a withheld cookie at a site that stores none", "9111 §5.2.2.7",
      ask(
        "GET /", "200↵Set-Cookie: a=b↵Cache-Control: max-age=60, private=\"set-cookie\"",
        is: "stored set-cookie:a=b"),
      ask("GET /", is: "hit !set-cookie")
    ).with { $0.cookies = .refuse },
    History(
      "several cookies at a site that keeps them", "6265 §3",
      ask("GET /", "200↵Set-Cookie: a=b↵Set-Cookie: c=d↵\(minute)", is: "stored"),
      ask("GET /", is: "hit set-cookie:a=b set-cookie:c=d")
    ).with { $0.cookies = .keep },
    refused(
      "Set-Cookie and a heuristic at a site that keeps them", "9111 §7.3", "GET /",
      "200↵Set-Cookie: a=b↵Last-Modified: {-1000}", "set-cookie"
    ).with { $0.cookies = .keep },
  ]

  /// The cookie goes to the client whose request brought it, and to nobody else.
  private static func stripped(_ name: String, _ fields: String) -> History {
    History(
      name, "9111 §7.3",
      ask("GET /", "200↵Set-Cookie: a=b↵\(fields)", is: "stored set-cookie:a=b"),
      ask("GET /", is: "hit asked=0 !set-cookie"), ask("HEAD /", is: "hit !set-cookie"),
      ask("GET /↵Range: bytes=0-1", is: "hit status=206 !set-cookie"))
  }

  /// A response that is coded with a dictionary, and what becomes of the second request.
  private static func coded(
    _ name: String, _ fields: String, _ first: String, _ second: String, _ expected: String
  ) -> History {
    History(
      "\(name), \(fields.replacing("↵", with: ", "))", "9842 §6",
      ask("GET /\(first)", "200↵\(fields)↵\(minute)", is: "stored"),
      ask("GET /\(second)", is: expected))
  }

  private static let dcb = "↵Accept-Encoding: br, dcb↵Available-Dictionary: :YQ==:"
  private static let other = "↵Accept-Encoding: br, dcb↵Available-Dictionary: :Yg==:"

  static let dictionaries: [History] =
    ["Content-Encoding: dcb", "Content-Encoding: DCZ", "Content-Encoding: gzip, dcz"].flatMap {
      coding in
      ["", "↵Vary: Accept-Encoding", "↵Vary: X", "↵Vary: Accept-Encoding, Available-Dictionary"]
        .flatMap { vary in
          [
            coded("the same dictionary", coding + vary, dcb, dcb, "hit"),
            coded("another dictionary", coding + vary, dcb, other, "fwd=vary-miss !hit"),
            coded(
              "no dictionary", coding + vary, dcb, "↵Accept-Encoding: br, dcb", "fwd=vary-miss"),
            coded(
              "a range of what is coded", coding + vary, dcb, dcb + "↵Range: bytes=0-1",
              "fwd=vary-miss !>available-dictionary >accept-encoding:br >range:bytes=0-1"),
          ]
        }
    } + [
      refused(
        "a dictionary that the request had not", "9842 §6", "GET /↵Accept-Encoding: dcb",
        "200↵Content-Encoding: dcb↵\(minute)", "dictionary"),
      History(
        "a range and a dictionary", "9842 §6",
        ask(
          "GET /\(dcb)↵Dictionary-ID: \"x\"↵Range: bytes=0-1",
          "206↵ETag: \"a\"↵Content-Range: bytes 0-1/7↵\(minute)↵↵co",
          is: ">range:bytes=0-1 !>available-dictionary !>dictionary-id >accept-encoding:br stored"
        ),
        ask("GET /↵Range: bytes=0-1", is: "hit status=206")),
      History(
        "a range of the plain content", "9842 §6",
        ask("GET /↵Accept-Encoding: br", "200↵Vary: Accept-Encoding↵\(minute)", is: "stored"),
        ask(
          "GET /\(dcb)", "200↵Content-Encoding: dcb↵Vary: Accept-Encoding↵\(minute)↵↵coded",
          is: "stored content=coded"),
        ask("GET /\(dcb)↵Range: bytes=0-1", is: "hit status=206 content=co"),
        ask("GET /\(dcb)", is: "hit content=coded")),
      History(
        "a dictionary and no range", "9842 §2.2",
        ask(
          "GET /\(dcb)", is: ">available-dictionary::YQ==: >accept-encoding:br,_dcb")),
      History(
        "a part that is coded with a dictionary", "9842 §6",
        ask(
          "GET /\(dcb)↵Range: bytes=0-1",
          "206↵ETag: \"a\"↵Content-Encoding: dcb↵Content-Range: bytes 0-1/7↵\(minute)↵↵co",
          is: "!stored")),
      History(
        "one tag for all codings", "9842 §6",
        ask(
          "GET /\(dcb)", "200↵ETag: \"a\"↵Content-Encoding: dcb↵\(minute)", is: "stored"),
        ask("GET /\(other)", is: "!>validates !>if-none-match")),
      History(
        "what is coded is validated with its dictionary", "9842 §6",
        ask(
          "GET /\(dcb)", "200↵ETag: \"a\"↵Content-Encoding: dcb↵\(minute)↵↵old", is: "stored"),
        ask(60, "GET /\(dcb)", "304↵Vary: X", is: ">if-none-match:\"a\" content=old stored"),
        ask(61, "GET /\(dcb)", is: "hit content=old"),
        ask(61, "GET /\(other)", is: "fwd=vary-miss")),
    ]
}
