// What goes upstream (RFC 9110 §7.6), what comes back, and what Cache-Status says (RFC 9211).

extension Histories {
  private static func sends(
    _ name: String, _ section: String, _ request: String, _ expected: String
  ) -> History {
    History(name, section, ask(request, is: "asked=1 \(expected)"))
  }

  /// A request that goes past the store, so that nothing of it is left out for the store's sake.
  private static func passes(
    _ name: String, _ section: String, _ fields: String, _ expected: String
  ) -> History {
    sends(name, section, "POST /↵Content-Length: 0↵\(fields)", expected)
  }

  static let forwarding: [History] = [
    sends("the target", "9112 §3.2", "GET /a/b?c=d", ">GET_/a/b?c=d_HTTP/1.1 >host:a"),
    sends("an absolute target", "9112 §3.2.2", "GET http://B:80/c", ">GET_/c_HTTP/1.1 >host:b"),
    sends(
      "an absolute target hides Host", "9112 §3.2.2", "GET http://b/↵Host: c", ">host:b !>host:c"),
    sends("an absolute target without a path", "9112 §3.2.1", "GET http://b", ">GET_/_HTTP/1.1"),
    sends("a query without a path", "9112 §3.2.1", "GET http://b?c", ">GET_/?c_HTTP/1.1"),
    sends("*", "9112 §3.2.4", "OPTIONS *", ">OPTIONS_*_HTTP/1.1 >host:a"),
    sends(
      "OPTIONS of a whole server", "9112 §3.2.4", "OPTIONS http://b:81",
      ">OPTIONS_*_HTTP/1.1 >host:b:81"),
    sends("OPTIONS of the root", "9112 §3.2.4", "OPTIONS http://b/", ">OPTIONS_/_HTTP/1.1"),
    sends("OPTIONS with a query", "9112 §3.2.4", "OPTIONS http://b?c", ">OPTIONS_/?c_HTTP/1.1"),
    sends(
      "escapes are left alone", "9110 §7.7", "GET /%7Ea/%2e%2e//b", ">GET_/%7Ea/%2e%2e//b_HTTP/1.1"),
    sends("a method nobody knows", "9110 §9.1", "Foo /", ">Foo_/_HTTP/1.1"),
    sends("Host with a port", "9110 §7.2", "GET /↵Host: a:81", ">host:a:81"),
    sends(
      "HTTP/1.0 without Host", "9112 §3.2", "GET / HTTP/1.0", ">GET_/_HTTP/1.1 >host:up.example"),
    sends("Via", "9110 §7.6.3", "GET /", ">via:1.1_edge"),
    sends("Via of HTTP/1.0", "9110 §7.6.3", "GET / HTTP/1.0↵Host: a", ">via:1.0_edge"),
    sends("Via after those before", "9110 §7.6.3", "GET /↵Via: 1.0 x", ">via:1.0_x >via:1.1_edge"),
    sends("X-Forwarded-For", "7239 §5.2", "GET /", ">x-forwarded-for:192.0.2.1"),
    sends(
      "X-Forwarded-For of somebody who is not believed", "7239 §8.1",
      "GET /↵X-Forwarded-For: 10.0.0.1", "!>x-forwarded-for:10.0.0.1 >x-forwarded-for:192.0.2.1"),
    sends("X-Real-IP", "7239 §5.2", "GET /", ">x-real-ip:192.0.2.1"),
    sends(
      "X-Forwarded-Proto", "7239 §5.4", "GET /↵X-Forwarded-Proto: https",
      ">x-forwarded-proto:http !>x-forwarded-proto:https"),
    sends(
      "Forwarded", "7239 §4", "GET /↵Host: a:81",
      ">forwarded:for=192.0.2.1;proto=http;host=\"a:81\""),
    sends(
      "Forwarded of somebody who is not believed", "7239 §8.1", "GET /↵Forwarded: for=x",
      "!>forwarded:for=x"),
    sends(
      "Cookie and others", "9110 §7.6", "GET /↵Cookie: a=b↵User-Agent: x↵X: y",
      ">cookie:a=b >user-agent:x >x:y"),
    sends("repeated fields stay apart", "9110 §5.3", "GET /↵X: a↵X: b", ">x:a >x:b"),
    sends(
      "fields of the connection", "9110 §7.6.1",
      "GET /↵Connection: keep-alive↵Keep-Alive: 5↵Proxy-Connection: x↵TE: gzip↵Trailer: x↵X: y",
      "!>connection !>keep-alive !>proxy-connection !>te !>trailer >x:y"),
    sends(
      "fields that Connection names", "9110 §7.6.1",
      "GET /↵Connection: X-A, x-b↵X-A: 1↵X-B: 2↵X-C: 3",
      "!>x-a !>x-b >x-c:3 !>connection"),
    sends(
      "Connection on two lines", "9110 §7.6.1",
      "GET /↵Connection: close↵Connection: x-a↵X-A: 1", "!>x-a !>connection"),
    sends("Connection cannot take Host away", "9110 §7.6.1", "GET /↵Connection: host", ">host:a"),
    sends(
      "Connection cannot take Via away", "9110 §7.6.1", "GET /↵Connection: via, x-forwarded-for",
      ">via:1.1_edge >x-forwarded-for:192.0.2.1"),
    sends("HTTP2-Settings", "9113 §3.1", "GET /↵HTTP2-Settings: x", "!>http2-settings"),
    sends("Upgrade without Connection", "9110 §7.8", "GET /↵Upgrade: x", "!>upgrade !>connection"),
    sends(
      "Upgrade to what is not carried", "9110 §7.8", "GET /↵Connection: upgrade↵Upgrade: h2c",
      "!>upgrade !>connection fwd=uri-miss"),
    sends(
      "Upgrade", "9110 §7.8", "GET /↵Connection: upgrade↵Upgrade: websocket",
      ">upgrade:websocket >connection:upgrade fwd=bypass"),
    sends(
      "proxy credentials", "9110 §11.7.2", "GET /↵Proxy-Authorization: Basic x",
      "!>proxy-authorization"),
    sends(
      "TE while filling", "9110 §10.1.4", "GET /↵TE: trailers↵Connection: te",
      ">for-store >te:trailers >connection:TE"),
    sends(
      "TE of HTTP/1.0", "9110 §10.1.4", "GET / HTTP/1.0↵Host: a↵TE: trailers", "!>te !>connection"),
    passes(
      "TE: trailers", "9110 §10.1.4", "TE: trailers, deflate↵Connection: te",
      ">te:trailers >connection:TE"),
    passes(
      "TE without trailers", "9110 §10.1.4", "TE: deflate↵Connection: te", "!>te !>connection"),
    passes(
      "conditions that pass by", "9110 §13.1", "If-None-Match: \"a\"↵If-Match: \"b\"",
      ">if-none-match:\"a\" >if-match:\"b\""),
    passes("Max-Forwards of POST", "9110 §7.6.2", "Max-Forwards: 5", ">max-forwards:5"),
    sends("Max-Forwards of OPTIONS", "9110 §7.6.2", "OPTIONS /↵Max-Forwards: 5", ">max-forwards:4"),
    sends("Max-Forwards of TRACE", "9110 §7.6.2", "TRACE /↵Max-Forwards: 1", ">max-forwards:0"),
    sends("Max-Forwards a word", "9110 §7.6.2", "OPTIONS /↵Max-Forwards: x", ">max-forwards:x"),
    sends("length of content", "9112 §6.2", "POST /↵Content-Length: 5", ">content-length:5"),
    sends(
      "chunked content", "9112 §6.1", "POST /↵Transfer-Encoding: Chunked",
      ">transfer-encoding:chunked !>content-length"),
    sends("no content", "9112 §6.3", "GET /", "!>content-length !>transfer-encoding"),
    sends(
      "Connection cannot take the length away", "9112 §6.2",
      "POST /↵Content-Length: 5↵Connection: content-length", ">content-length:5"),
    sends(
      "Expect", "9110 §10.1.1", "POST /↵Content-Length: 5↵Expect: 100-continue",
      ">expect:100-continue"),
    sends("Expect without content", "9110 §10.1.1", "GET /↵Expect: 100-continue", "!>expect"),
    sends(
      "a condition while filling", "9111 §4.3.2",
      "GET /↵If-None-Match: \"a\"↵If-Modified-Since: {0}",
      ">for-store >if-none-match >if-modified-since"),
    sends("If-Range without a range", "9110 §13.1.5", "GET /↵If-Range: \"a\"", "!>if-range"),
    sends(
      "a range and its condition", "9110 §14.2", "GET /↵Range: bytes=0-1↵If-Range: \"a\"",
      ">for-store >range:bytes=0-1 >if-range:\"a\""),
    History(
      "fields of what is passed on", "9110 §7.6.1",
      ask(
        "GET /", "200↵Connection: x-a↵X-A: 1↵X-B: 2↵Keep-Alive: 5↵Upgrade: h2c↵Trailer: x",
        is: "!x-a x-b:2 !keep-alive !upgrade !trailer !connection via:1.1_edge")),
    History(
      "Date of what is passed on", "9110 §6.6.1",
      ask("POST /↵Content-Length: 0", "+3 200", is: "date:{3}"),
      ask("POST /↵Content-Length: 0", "200↵Date: {-9}", is: "date:{-9} !date:{0}")),
    History(
      "a reason of its own", "9112 §4", ask("GET /", "299 Mostly Fine", is: "status=299")),
    History(
      "no content", "9110 §15.3.5",
      ask(
        "GET /", "204↵Cache-Control: max-age=60",
        is: "status=204 !content-length !transfer-encoding"),
      ask("GET /", is: "hit status=204 !content-length")),
    History(
      "chunked for HTTP/1.1, counted from the store", "9112 §6.1",
      ask(
        "GET /", "200↵Cache-Control: max-age=60↵Transfer-Encoding: chunked",
        is: "transfer-encoding:chunked !content-length"),
      ask("GET /", is: "content-length:7 !transfer-encoding")),
    History(
      "the end of the connection for HTTP/1.0", "9112 §6.3",
      ask(
        "GET / HTTP/1.0↵Host: a", "200↵Transfer-Encoding: chunked",
        is: "!transfer-encoding !content-length connection:close")),
  ]

  /// What Cache-Status says, to the letter.
  private static func says(_ name: String, _ section: String, _ asks: Ask...) -> History {
    History("Cache-Status: \(name)", section, asks)
  }

  private static let fill = ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "")

  static let cacheStatus: [History] = [
    says("hit", "9211 §2.1", fill, ask(1, "GET /", is: "cache-status:edge;_hit;_ttl=8")),
    says(
      "stale hit", "9211 §2.4", fill,
      ask(12, "GET /↵Cache-Control: max-stale", is: "cache-status:edge;_hit;_ttl=-3")),
    says(
      "304 from the store", "9211 §2.1", fill,
      ask("GET /↵If-None-Match: \"a\"", is: "cache-status:edge;_hit;_ttl=9 status=304")),
    says(
      "416 from the store", "9211 §2.1", fill,
      ask("GET /↵Range: bytes=99-", is: "cache-status:edge;_hit;_ttl=9 status=416")),
    says(
      "stored", "9211 §2.5",
      ask(
        "GET /", "200↵Cache-Control: max-age=9",
        is: "cache-status:edge;_fwd=uri-miss;_ttl=9;_stored")),
    says(
      "not stored", "9211 §2.8",
      ask(
        "GET /", "200↵Cache-Control: no-store",
        is: "cache-status:edge;_fwd=uri-miss;_detail=no-store")),
    says(
      "variant", "9211 §2.2",
      ask("GET /", "200↵Vary: Foo↵Cache-Control: max-age=9", is: ""),
      ask(
        "GET /↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=9",
        is: "cache-status:edge;_fwd=vary-miss;_ttl=9;_stored")),
    says(
      "freshened", "9211 §2.3", fill,
      ask(9, "GET /", "304", is: "cache-status:edge;_fwd=stale;_fwd-status=304;_ttl=9;_stored")),
    says(
      "replaced", "9211 §2.2", fill,
      ask(
        9, "GET /", "200↵Cache-Control: max-age=5",
        is: "cache-status:edge;_fwd=stale;_ttl=5;_stored")),
    says(
      "request", "9211 §2.2", fill,
      ask(
        "GET /↵Cache-Control: max-age=0", "200↵Cache-Control: max-age=5",
        is: "cache-status:edge;_fwd=request;_ttl=5;_stored")),
    says(
      "passed by", "9211 §2.2",
      ask(
        "GET /↵Cache-Control: no-store",
        is: "cache-status:edge;_fwd=request;_detail=request-no-store")),
    says(
      "bypass", "9211 §2.2",
      ask("GET /↵If-Match: *", is: "cache-status:edge;_fwd=bypass;_detail=pass-through")),
    says(
      "method", "9211 §2.2",
      ask("POST /↵Content-Length: 0", is: "cache-status:edge;_fwd=method;_detail=method")),
    says(
      "stale after an error", "9211 §2.3", fill,
      ask(
        10, "GET /", "500",
        is: "cache-status:edge;_fwd=stale;_fwd-status=500;_ttl=-1;_detail=upstream-error")),
    says(
      "stale after no answer", "9211 §2.8", fill,
      ask(
        10, "GET /", "fail upstream-closed",
        is: "cache-status:edge;_fwd=stale;_ttl=-1;_detail=upstream-closed")),
    says(
      "no answer", "9211 §2.8",
      ask(
        "GET /", "fail first-byte-timeout",
        is: "cache-status:edge;_fwd=uri-miss;_detail=first-byte-timeout status=504")),
    says(
      "only-if-cached", "9211 §2.8",
      ask("GET /↵Cache-Control: only-if-cached", is: "cache-status:edge;_detail=only-if-cached")),
    says(
      "caches before", "9211 §2",
      ask("GET /", "200↵Cache-Status: far; hit", is: "cache-status:far;_hit cache-status")),
    says(
      "caches before, from the store", "9211 §2",
      ask(
        "GET /", "200↵Cache-Status: far; hit↵Cache-Control: max-age=9", is: "cache-status:far;_hit"),
      ask("GET /", is: "cache-status:far;_hit cache-status:edge;_hit;_ttl=9")),
  ]
}
