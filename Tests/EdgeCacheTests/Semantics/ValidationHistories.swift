// Asking the origin about what is stored (RFC 9111 §4.3), and what is used when it does not answer
// (§4.2.4).

extension Histories {
  /// A response that is fresh for nine seconds, a request when it is stale, and one after that.
  private static func stale(
    _ name: String, _ section: String, _ stored: String, _ reply: String, _ expected: String,
    then last: String? = nil
  ) -> History {
    var asks = [
      ask("GET /", "200↵\(stored)↵↵old", is: "stored"),
      ask(20, "GET /", reply, is: "fwd=stale \(expected)"),
    ]
    if let last { asks.append(ask(21, "GET /", is: last)) }
    return History(name, section, asks)
  }

  private static let tagged = "ETag: \"a\"↵Cache-Control: max-age=9"

  static let validation: [History] = [
    stale("a tag", "9111 §4.3.1", tagged, "304", ">if-none-match:\"a\" !>if-modified-since"),
    stale(
      "a weak tag", "9111 §4.3.1", "ETag: W/\"a\"↵Cache-Control: max-age=9", "304",
      ">if-none-match:W/\"a\" status=200 stored"),
    stale(
      "a date", "9111 §4.3.1", "Last-Modified: {-9}↵Cache-Control: max-age=9", "304",
      ">if-modified-since:{-9} !>if-none-match status=200"),
    stale(
      "both", "9111 §4.3.1", "\(tagged)↵Last-Modified: {-9}", "304",
      ">if-none-match:\"a\" >if-modified-since:{-9}"),
    stale(
      "a date goes as it came", "9111 §4.3.1", "\(tagged)↵Last-Modified: yesterday", "304",
      ">if-modified-since:yesterday"),
    stale("neither", "9111 §4.3.1", "Cache-Control: max-age=9", "200", "!>validates status=200"),
    stale(
      "304", "9111 §4.3.4", tagged, "304",
      "status=200 fwd-status=304 stored ttl=9 age:0 content=old", then: "hit ttl=8 age:1"),
    stale(
      "304 with its tag", "9111 §4.3.4", tagged, "304↵ETag: \"a\"", "status=200 stored asked=1"),
    stale(
      "304 with its tag marked weak", "9111 §4.3.4", tagged, "304↵ETag: W/\"a\"", "asked=1 stored"),
    stale(
      "304 with a new lifetime", "9111 §4.3.4", tagged, "304↵Cache-Control: max-age=60",
      "ttl=60 cache-control:max-age=60 !cache-control:max-age=9", then: "hit ttl=59"),
    stale(
      "304 with Expires", "9111 §4.3.4", "ETag: \"a\"↵Expires: {9}", "304↵Expires: {60}", "ttl=40"),
    stale("304 with Age", "9111 §4.2.3", tagged, "304↵Age: 5", "age:5 ttl=4"),
    stale(
      "304 with Date", "9111 §4.3.4", "\(tagged)↵Date: {0}", "304↵Date: {18}",
      "date:{18} !date:{0} age:2 ttl=7"),
    stale(
      "304 without Date", "9110 §6.6.1", "\(tagged)↵Date: {0}", "304",
      "date:{20} !date:{0} age:0 ttl=9", then: "hit ttl=8"),
    stale(
      "304 with new fields", "9111 §3.2", "\(tagged)↵X: 1↵X: 2↵Y: 3", "304↵x: 4↵Z: 5",
      "x:4 !x:1 !x:2 y:3 z:5", then: "hit x:4 !x:1 y:3 z:5"),
    stale(
      "304 with repeated fields", "9111 §3.2", "\(tagged)↵Link: 1", "304↵Link: 2↵Link: 3",
      "link:2 link:3 !link:1"),
    stale(
      "304 about content it does not have", "9111 §3.2",
      "\(tagged)↵Content-Type: a/b↵Content-Encoding: br",
      "304↵Content-Type: x/y↵Content-Encoding: gzip↵Content-Range: bytes 0-1/2↵Content-Length: 0",
      "content-type:a/b content-encoding:br !content-range content-length:3 content=old"),
    stale(
      "304 with the type of a program's own pages", "9111 §3.2",
      "\(tagged)↵Content-Type: text/javascript", "304↵Content-Type: text/html; charset=UTF-8",
      "content-type:text/javascript !content-type:text/html;_charset=UTF-8",
      then: "hit content-type:text/javascript !content-type:text/html;_charset=UTF-8"),
    stale(
      "304 with other parameters of the type", "9111 §3.2", "\(tagged)↵Content-Type: text/html",
      "304↵Content-Type: Text/HTML ; charset=UTF-8",
      "content-type:Text/HTML_;_charset=UTF-8 !content-type:text/html",
      then: "hit content-type:Text/HTML_;_charset=UTF-8"),
    stale(
      "304 with fewer parameters of the type", "9111 §3.2",
      "\(tagged)↵Content-Type: text/html;charset=utf-8", "304↵Content-Type: text/html",
      "content-type:text/html !content-type:text/html;charset=utf-8",
      then: "hit content-type:text/html"),
    stale(
      "304 with another subtype that begins alike", "9111 §3.2", "\(tagged)↵Content-Type: text/x",
      "304↵Content-Type: text/xml",
      "content-type:text/x !content-type:text/xml", then: "hit content-type:text/x"),
    stale(
      "304 with the first type", "9111 §3.2", "\(tagged)", "304↵Content-Type: text/css",
      "content-type:text/css", then: "hit content-type:text/css"),
    stale(
      "304 with two types", "9111 §3.2", "\(tagged)↵Content-Type: text/css",
      "304↵Content-Type: text/css↵Content-Type: a/b",
      "content-type:text/css !content-type:a/b", then: "hit content-type:text/css"),
    stale(
      "304 with no type", "9111 §3.2", "\(tagged)↵Content-Type: text/css", "304",
      "content-type:text/css", then: "hit content-type:text/css"),
    stale(
      "304 with an empty type", "9111 §3.2", "\(tagged)↵Content-Type: text/css",
      "304↵Content-Type:",
      "content-type:text/css", then: "hit content-type:text/css"),
    stale(
      "304 with a coding of what has none", "9111 §3.2", "\(tagged)", "304↵Content-Encoding: gzip",
      "!content-encoding", then: "hit !content-encoding"),
    stale(
      "304 with a transfer coding", "9111 §3.2", "\(tagged)", "304↵Transfer-Encoding: chunked",
      "!transfer-encoding content=old", then: "hit !transfer-encoding content=old"),
    stale(
      "304 with language and location", "9111 §3.2",
      "\(tagged)↵Content-Language: de↵Content-Location: /a",
      "304↵Content-Language: en↵Content-Location: /b",
      "content-language:en content-location:/b !content-language:de",
      then: "hit content-language:en content-location:/b"),
    stale(
      "a date and another type", "9111 §3.2",
      "Last-Modified: {-90}↵Cache-Control: max-age=9↵Content-Type: text/css",
      "304↵Last-Modified: {-90}↵Content-Type: text/plain", "content-type:text/css",
      then: "hit content-type:text/css"),
    stale(
      "304 with fields of the connection", "9111 §3.1", "\(tagged)↵X: 1",
      "304↵Connection: x, close↵X: 2↵Keep-Alive: 5", "x:1 !x:2 !keep-alive !connection"),
    stale(
      "304 with fields of a proxy", "9111 §3.1", tagged, "304↵Proxy-Authenticate: Basic",
      "!proxy-authenticate", then: "hit !proxy-authenticate"),
    stale(
      "304 with another status to keep", "9111 §4.3.4", tagged, "304 Fine", "status=200 content=old"
    ),
    stale(
      "304 says no-store", "9111 §5.2.2.5", tagged, "304↵Cache-Control: no-store",
      "status=200 content=old detail=no-store !stored cache-control:no-store", then: "fwd=uri-miss"),
    stale(
      "304 says private", "9111 §5.2.2.7", tagged, "304↵Cache-Control: private",
      "status=200 content=old detail=private cache-control:private", then: "fwd=uri-miss"),
    stale(
      "304 brings Vary: *", "9111 §4.1", tagged, "304↵Vary: *", "detail=vary-star vary:*",
      then: "fwd=uri-miss"),
    stale(
      "304 says no-cache", "9111 §5.2.2.4", tagged, "304↵Cache-Control: no-cache", "stored",
      then: "fwd=stale"),
    stale(
      "304 with a cookie", "9111 §7.3", "ETag: \"a\"↵Last-Modified: {-90}",
      "304↵Set-Cookie: a=b", "stored set-cookie:a=b content=old", then: "hit !set-cookie"),
    stale(
      "304 with a cookie, and a lifetime", "9111 §7.3", tagged, "304↵Set-Cookie: a=b↵X: 1",
      "stored set-cookie:a=b x:1 content=old", then: "hit !set-cookie x:1"),
    stale(
      "304 with a private field", "9111 §5.2.2.7", tagged,
      "304↵Cache-Control: max-age=9, private=\"x\"↵X: 1", "stored x:1", then: "hit !x"),
    stale(
      "304 with a cookie at a site that keeps them", "9111 §7.3",
      "ETag: \"a\"↵Last-Modified: {-90}", "304↵Set-Cookie: a=b", "detail=set-cookie",
      then: "fwd=uri-miss"
    ).with { $0.cookies = .keep },
    stale(
      "304 with a cookie and a lifetime at a site that keeps them", "9111 §7.3", tagged,
      "304↵Set-Cookie: a=b", "stored set-cookie:a=b", then: "hit set-cookie:a=b"
    ).with { $0.cookies = .keep },
    stale(
      "304 with a cookie at a site that stores none", "9111 §7.3", tagged, "304↵Set-Cookie: a=b",
      "stored set-cookie:a=b content=old", then: "hit !set-cookie"
    ).with { $0.cookies = .refuse },
    History(
      "304 with a cookie to a condition of the client", "9111 §7.3",
      ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(
        20, "GET /↵If-None-Match: \"a\"", "304↵Set-Cookie: a=b",
        is: "status=304 set-cookie:a=b stored"),
      ask(21, "GET /↵If-None-Match: \"a\"", is: "hit status=304 !set-cookie")),
    History(
      "a cookie that a background validation brings", "9111 §7.3",
      ask("GET /", "200↵\(tagged), stale-while-revalidate=60", is: "stored"),
      ask(20, "GET /", "304↵Set-Cookie: a=b", is: "hit background=1 !set-cookie"),
      ask(21, "GET /", is: "hit !set-cookie")),
    History(
      "HEAD of one who has a right of his own", "9111 §3.5",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask(
        1, "HEAD /↵Authorization: x↵Cache-Control: no-cache",
        "200↵ETag: \"a\"↵Cache-Control: max-age=60",
        is: "status=200"),
      ask(2, "GET /", is: "hit asked=0")),
    History(
      "a cookie that HEAD brings", "9111 §4.3.5",
      ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(20, "HEAD /", "200↵\(tagged)↵Set-Cookie: a=b", is: "set-cookie:a=b"),
      ask(21, "GET /", is: "hit !set-cookie")),
    stale(
      "200 replaces", "9111 §4.3.3", tagged, "200↵Cache-Control: max-age=60↵↵new",
      "content=new stored !fwd-status=200", then: "hit content=new !etag"),
    stale(
      "404 replaces", "9111 §4.3.3", tagged, "404↵Cache-Control: max-age=60", "status=404 stored",
      then: "hit status=404"),
    stale(
      "200 that may not be stored removes", "9111 §4.3.3", tagged, "200↵Cache-Control: no-store",
      "detail=no-store content=content", then: "fwd=uri-miss"),
    stale(
      "404 that may not be stored removes", "9111 §4.3.3", tagged, "404", "status=404",
      then: "fwd=uri-miss"),
    stale("412 is an answer", "9111 §4.3.3", tagged, "412", "status=412 !detail=upstream-error"),
    History(
      "304 with another tag", "9111 §4.3.4",
      ask("GET /", "200↵\(tagged)↵↵old", is: "stored"),
      ask(
        20, "GET /", "304↵ETag: \"b\"", "200↵ETag: \"b\"↵Cache-Control: max-age=9↵↵new",
        is: "asked=2 >validates !2>validates !2>if-none-match content=new etag:\"b\" stored"),
      ask(21, "GET /", is: "hit content=new")),
    History(
      "304 with a tag for what has none", "9111 §4.3.4",
      ask("GET /", "200↵Last-Modified: {-9}↵Cache-Control: max-age=9↵↵old", is: "stored"),
      ask(
        20, "GET /", "304↵ETag: \"b\"", "200↵Cache-Control: max-age=9↵↵new",
        is: "asked=2 !2>if-modified-since content=new")),
    History(
      "304 with another date", "9111 §4.3.4",
      ask("GET /", "200↵Last-Modified: {-9}↵Cache-Control: max-age=9↵↵old", is: "stored"),
      ask(
        20, "GET /", "304↵Last-Modified: {-99}", "200↵Cache-Control: max-age=9↵↵new",
        is: "asked=2 content=new")),
    History(
      "304 with another tag, and then a failure", "9111 §4.3.4",
      ask("GET /", "200↵\(tagged)↵↵old", is: "stored"),
      ask(20, "GET /", "304↵ETag: \"b\"", "fail connect-failed", is: "status=502 asked=2"),
      ask(21, "GET /", is: "fwd=uri-miss")),
    History(
      "a lifetime ends again and again", "9111 §4.3.4", ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(10, "GET /", "304", is: "status=200 ttl=9"), ask(18, "GET /", is: "hit ttl=1"),
      ask(19, "GET /", "304", is: "fwd=stale status=200 ttl=9"), ask(27, "GET /", is: "hit")),
    History(
      "the delay of a validation", "9111 §4.2.3", ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(10, "GET /", "+4 304", is: "age:4 ttl=5")),
    History(
      "credentials in a validation", "9111 §3.5", ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(20, "GET /↵Authorization: Basic x", "304", is: "status=200 detail=authorization"),
      ask(21, "GET /", is: "fwd=stale")),
  ]

  /// What becomes of a stale response with these directives when the origin cannot be reached.
  private static func unreachable(
    _ name: String, _ section: String, _ directives: String, at: Int64 = 20, _ expected: String
  ) -> History {
    History(
      name, section,
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9\(directives)↵↵old", is: "stored"),
      ask(at, "GET /", "fail connect-failed", is: "fwd=stale \(expected)"))
  }

  private static let stillOld = "status=200 content=old detail=connect-failed"

  static let failures: [History] = [
    unreachable("stale is better than nothing", "9111 §4.2.4", "", "\(stillOld) ttl=-11 age:20"),
    unreachable("a day at most", "9111 §4.2.4", "", at: 86_409, stillOld),
    unreachable("more than a day", "9111 §4.2.4", "", at: 86_410, "status=502 content="),
    unreachable("must-revalidate", "9111 §5.2.2.2", ", must-revalidate", "status=502"),
    unreachable("proxy-revalidate", "9111 §5.2.2.8", ", proxy-revalidate", "status=502"),
    unreachable("s-maxage", "9111 §5.2.2.10", ", s-maxage=9", "status=502"),
    unreachable("no-cache", "9111 §5.2.2.4", ", no-cache", "status=502"),
    unreachable("stale-if-error that lasts", "5861 §4", ", stale-if-error=11", stillOld),
    unreachable("stale-if-error that is over", "5861 §4", ", stale-if-error=10", "status=502"),
    unreachable(
      "stale-if-error beyond a day", "5861 §4", ", stale-if-error=999999", at: 99_999,
      stillOld),
    unreachable(
      "stale-if-error and must-revalidate", "9111 §5.2.2.2",
      ", stale-if-error=99, must-revalidate", "status=502"),
    stale(
      "500", "9111 §4.3.3", tagged, "500",
      "status=200 content=old fwd-status=500 detail=upstream-error", then: "fwd=stale"),
    stale("503", "9111 §4.3.3", tagged, "503↵Cache-Control: no-store", "status=200 fwd-status=503"),
    stale(
      "500 and must-revalidate", "9111 §5.2.2.2", "\(tagged), must-revalidate", "500",
      "status=500 content=content", then: "fwd=stale"),
    stale(
      "500 and s-maxage", "9111 §5.2.2.10", "ETag: \"a\"↵Cache-Control: s-maxage=9", "500",
      "status=500"),
    stale(
      "500 and nothing to ask with", "9111 §4.3.3", "Cache-Control: max-age=9", "500",
      "status=200 content=old fwd-status=500 detail=upstream-error", then: "fwd=stale"),
    stale(
      "500 that may be stored, after must-revalidate", "9111 §4.3.3",
      "\(tagged), must-revalidate", "500↵Cache-Control: max-age=60", "status=500 stored",
      then: "hit status=500"),
    stale("429 is an answer", "9111 §4.3.3", tagged, "429", "status=429"),
    History(
      "a timeout", "9111 §4.2.4", ask("GET /", "200↵\(tagged)↵↵old", is: "stored"),
      ask(20, "GET /", "fail first-byte-timeout", is: "status=200 detail=first-byte-timeout")),
    History(
      "no answer and nothing stored", "9110 §15.6.3",
      ask("GET /", "fail connect-failed", is: "status=502 detail=connect-failed"),
      ask("GET /", "fail connect-timeout", is: "status=504"),
      ask("GET /", "fail queue-full", is: "status=503"),
      ask("GET /", "fail upstream-malformed", is: "status=502 cache-control:no-store")),
    History(
      "a reload and no answer", "9111 §4.2.4",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60↵↵old", is: "stored"),
      ask(
        "GET /↵Cache-Control: max-age=0", "fail connect-failed",
        is: "fwd=request status=200 content=old detail=connect-failed ttl=60")),
    History(
      "a reload of what is fresh but must be validated when stale", "9111 §5.2.2.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: s-maxage=60↵↵old", is: "stored"),
      ask("GET /↵Cache-Control: max-age=0", "fail connect-failed", is: "status=200 content=old")),
    History(
      "another variant does not stand in", "9111 §4.1",
      ask("GET /↵Foo: a", "200↵Vary: Foo↵\(tagged)", is: "stored"),
      ask(20, "GET /↵Foo: b", "fail connect-failed", is: "fwd=vary-miss status=502")),
    History(
      "a stale range", "9111 §4.2.4", ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(20, "GET /↵Range: bytes=0-1", "fail connect-failed", is: "status=206 content=co")),
    History(
      "a stale 304", "9111 §4.2.4", ask("GET /", "200↵\(tagged)", is: "stored"),
      ask(20, "GET /↵If-None-Match: \"a\"", "fail connect-failed", is: "status=304")),
  ]
}
