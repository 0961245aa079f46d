import Testing

@testable import EdgeCache

// Which responses are stored (RFC 9111 §3).

private let m = "Cache-Control: max-age=60"
private let e = "ETag: \"a\"↵"

/// A response that answers the same request again.
private func kept(
  _ name: String, _ section: String, _ request: String, _ reply: String, _ expectation: String = ""
) -> CachingRow {
  CachingRow(
    name, section, ask(request, reply, "fwd=uri-miss stored"), hit(request, "hit \(expectation)"))
}

/// A response that is passed on and not kept; whoever asks again is not made to wait.
private func notKept(
  _ name: String, _ section: String, _ request: String, _ reply: String, _ why: String
) -> CachingRow {
  CachingRow(
    name, section, ask(request, reply, "fwd=uri-miss !stored detail=\(why)"),
    ask(request, reply, "fwd=uri-miss detail=\(why)"))
}

let storageRows: [CachingRow] = [
  // §3: directives.
  notKept("no-store", "§5.2.2.5", "", "200↵Cache-Control: no-store, max-age=60", "no-store"),
  notKept(
    "no-store in the second line", "§5.2.2.5", "", "200↵\(m)↵Cache-Control: no-store",
    "no-store"),
  notKept("private", "§5.2.2.7", "", "200↵Cache-Control: private, max-age=60", "private"),
  CachingRow(
    "private with fields", "§5.2.2.7",
    ask("", "200↵Cache-Control: private=\"x, y\", max-age=60↵X: 1↵Z: 2", "stored x:1 z:2"),
    hit("", "hit !x z:2")),
  notKept(
    "private with what is no list of fields", "§5.2.2.7", "",
    "200↵Cache-Control: private=\"x y\", max-age=60", "private"),
  notKept(
    "private and s-maxage", "§5.2.2.7", "",
    "200↵Cache-Control: private, s-maxage=60", "private"),
  notKept(
    "private and public", "§5.2.2.7", "",
    "200↵Cache-Control: public, private, max-age=60", "private"),
  notKept(
    "must-understand, not understood", "§5.2.2.3", "",
    "299↵Cache-Control: must-understand, max-age=60", "must-understand"),
  notKept(
    "must-understand, no-store, not understood", "§5.2.2.3", "",
    "299↵Cache-Control: must-understand, no-store, max-age=60", "must-understand"),
  kept(
    "must-understand and no-store", "§5.2.2.3", "",
    "200↵Cache-Control: must-understand, no-store, max-age=60"),
  notKept(
    "must-understand and private", "§5.2.2.3", "",
    "200↵Cache-Control: must-understand, private, max-age=60", "private"),
  kept("directives that are not known", "§5.2.3", "", "200↵Cache-Control: x, y=z, max-age=60"),
  kept("no-transform", "§5.2.2.6", "", "200↵Cache-Control: no-transform, max-age=60"),
  kept("Pragma of a response means nothing", "§5.4", "", "200↵Pragma: no-cache↵\(m)"),
  // §3.5: Authorization.
  notKept("Authorization", "§3.5", "↵Authorization: x", "200↵\(m)", "authorization"),
  notKept(
    "Authorization and Expires", "§3.5", "↵Authorization: x", "200↵Expires: {60}",
    "authorization"),
  notKept(
    "Authorization and proxy-revalidate", "§3.5", "↵Authorization: x",
    "200↵Cache-Control: proxy-revalidate, max-age=60", "authorization"),
  kept(
    "Authorization and public", "§3.5", "↵Authorization: x",
    "200↵Cache-Control: public, max-age=60"),
  kept("Authorization and s-maxage", "§3.5", "↵Authorization: x", "200↵Cache-Control: s-maxage=60"),
  kept(
    "Authorization and must-revalidate", "§3.5", "↵Authorization: x",
    "200↵Cache-Control: must-revalidate, max-age=60"),
  CachingRow(
    "Authorization does not matter to what is stored", "§3.5",
    ask("", "200↵\(m)", "stored"), hit("↵Authorization: x", "hit")),
  CachingRow(
    "one client's credentials do not spoil the key", "§3.5",
    ask("↵Authorization: x", "200↵\(m)", "detail=authorization"), ask("", "200↵\(m)", "stored"),
    hit("", "hit")),
  CachingRow(
    "Authorization keeps a stored response that it did not ask for", "§3.5",
    ask("", "200↵\(e)\(m)", "stored"),
    ask("+60 ↵Authorization: x", "200↵\(m)↵↵mine", "fwd=stale detail=authorization =mine"),
    ask("", "304↵\(m)", "up:if-none-match:\"a\" stored")),
  // Cookies.
  kept("Cookie of a request", "§7.3", "↵Cookie: a=b", "200↵\(m)"),
  kept("Set-Cookie with max-age", "§7.3", "", "200↵Set-Cookie: a=b↵\(m)", "!set-cookie"),
  kept("Set-Cookie with Expires", "§7.3", "", "200↵Set-Cookie: a=b↵Expires: {60}"),
  notKept(
    "Set-Cookie and heuristics", "§7.3", "",
    "200↵Set-Cookie: a=b↵Last-Modified: {-1000}", "set-cookie"),
  CachingRow(
    "Set-Cookie and a hashed URL", "§7.3",
    ask(
      "GET /app-3f2a9c1b.js", "200↵Content-Type: text/javascript↵Set-Cookie: a=b",
      "detail=set-cookie")),
  // §3.3: parts.
  notKept(
    "206 that was not asked for", "§3.3", "", "206↵Content-Range: bytes 0-6/9↵\(m)", "partial"),
  CachingRow(
    "Content-Range with 200 means nothing", "9110 §14.4",
    ask("", "200↵Content-Range: bytes 0-6/9↵\(m)", "stored 200 =content"),
    hit("", "hit 200 content-range:bytes_0-6/9 =content"),
    hit("↵Range: bytes=0-1", "hit 206 content-range:bytes_0-1/7 !content-range:bytes_0-6/9 =co")),
  CachingRow(
    "a range without a stored response is stored in part", "§3.3",
    ask(
      "↵Range: bytes=0-1", "206↵Content-Range: bytes 0-1/7↵\(m)↵↵co",
      "fwd=uri-miss stored group=0 up:range:bytes=0-1 206 content-range:bytes_0-1/7 =co"),
    ask("", "200↵\(m)", "fwd=partial stored")),
  // Statuses.
  kept("301", "9110 §15.1", "", "301↵Location: /b↵\(m)", "301 location:/b"),
  kept("302 with a lifetime", "§3", "", "302↵Location: /b↵\(m)", "302"),
  kept("404 with a lifetime", "§3", "", "404↵\(m)", "404 =content"),
  kept("410 with a lifetime", "§3", "", "410↵\(m)", "410"),
  kept("503 with a lifetime", "§3", "", "503↵\(m)", "503"),
  kept("206 is not a 200", "§3.3", "", "200↵\(m)", "200"),
  notKept("404 without", "§4.2.2", "", "404", "no-freshness"),
  notKept("304 that was not asked for", "§4.3.3", "", "304↵\(m)", "status"),
  notKept("503 without", "§4.2.2", "", "503", "no-freshness"),
  // §2: the key.
  CachingRow(
    "query is part of the key", "§2", ask("GET /?a", "200↵\(m)", "stored"),
    ask("GET /?b", "200↵\(m)", "fwd=uri-miss"), ask("GET /?", "200↵\(m)", "fwd=uri-miss"),
    ask("GET /", "200↵\(m)", "fwd=uri-miss"), hit("GET /?a", "hit")),
  CachingRow(
    "path is case-sensitive, host is not", "9110 §4.2.3",
    ask("GET /a↵Host: A.example", "200↵\(m)", "stored"), hit("GET /a↵Host: a.EXAMPLE", "hit"),
    ask("GET /A↵Host: a.example", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "the scheme's own port", "9110 §4.2.3", ask("GET /↵Host: a", "200↵\(m)", "stored"),
    hit("GET /↵Host: a:80", "hit"), hit("GET /↵Host: a:", "hit"),
    ask("GET /↵Host: a:81", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "absolute form", "9112 §3.2.2", ask("GET /a↵Host: b", "200↵\(m)", "stored"),
    hit("GET http://b/a↵Host: other", "hit"), hit("GET HTTP://B:80/a↵Host: other", "hit")),
  CachingRow(
    "absolute form without a path", "9110 §4.2.3", ask("GET /↵Host: b", "200↵\(m)", "stored"),
    hit("GET http://b↵Host: b", "hit"), ask("GET http://b?x↵Host: b", "200↵\(m)", "fwd=uri-miss"),
    hit("GET /?x↵Host: b", "hit")),
  CachingRow(
    "host and path do not run into each other", "§2", ask("GET /c↵Host: ab", "200↵\(m)", "stored"),
    ask("GET /b/c↵Host: a", "200↵\(m)", "fwd=uri-miss")),
  // §3.1: fields.
  kept(
    "fields of one connection are not stored", "§3.1", "",
    "200↵Connection: x-a, keep-alive↵X-A: 1↵Keep-Alive: 9↵X-B: 2↵\(m)",
    "!x-a !keep-alive !connection x-b:2"),
  kept(
    "fields of a proxy are not stored", "§3.1", "",
    "200↵Proxy-Authenticate: x↵Proxy-Authentication-Info: y↵X-B: 2↵\(m)",
    "!proxy-authenticate !proxy-authentication-info x-b:2"),
  kept("unknown fields are stored in order", "§3.1", "", "200↵X: 1↵Y: 2↵X: 3↵\(m)", "x:1 y:2 x:3"),
  kept("a Date is added", "9110 §6.6.1", "", "200↵-date↵\(m)", "date"),
  kept(
    "length of chunked content", "9112 §6", "",
    "200↵-length↵Transfer-Encoding: chunked↵\(m)", "content-length:7 !transfer-encoding =content"),
  kept(
    "content up to the end of the connection", "9112 §6", "", "200↵-length↵\(m)",
    "content-length:7 =content"),
  kept("empty content", "9110 §8.6", "", "200↵\(m)↵↵", "content-length:0 ="),
  kept(
    "Cache-Status of a cache before us stays", "9211 §2", "", "200↵Cache-Status: up; hit↵\(m)",
    "cache-status:up;_hit"),
  // Methods.
  CachingRow(
    "HEAD is answered from GET", "9110 §9.3.2", ask("", "200↵\(m)", "stored"),
    hit("HEAD /", "hit 200 content-length:7 =")),
  CachingRow(
    "HEAD without a stored response passes", "9110 §9.3.2",
    ask("HEAD /", "200↵\(m)", "fwd=uri-miss detail=head passed group=0 ="),
    ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "HEAD of a stale response freshens it", "§4.3.5", ask("", "200↵\(e)\(m)", "stored"),
    ask("+60 HEAD /", "200↵\(m)↵X: 1", "fwd=stale detail=head passed"),
    hit("", "hit x:1")),
  CachingRow(
    "POST is not stored", "§3", ask("POST /", "200↵\(m)", "fwd=method detail=method"),
    ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "OPTIONS is not stored", "9110 §9.3.7", ask("OPTIONS /", "200↵\(m)", "fwd=method"),
    ask("", "200↵\(m)", "fwd=uri-miss stored"), ask("OPTIONS /", "200↵\(m)", "fwd=method")),
  CachingRow(
    "a method that is not known", "§3", ask("GETS /", "200↵\(m)", "fwd=method"),
    ask("get /", "200↵\(m)", "fwd=method"), ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "GET with content passes", "9110 §9.3.1",
    ask("GET /↵Content-Length: 3", "200↵\(m)", "fwd=bypass detail=pass-through"),
    ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "an upgrade passes", "9110 §7.8", ask("", "200↵\(m)", "stored"),
    ask(
      "GET /↵Connection: upgrade↵Upgrade: websocket", "200↵\(m)",
      "fwd=bypass up:upgrade:websocket")),
]

@Suite struct StorageTests {
  @Test(arguments: storageRows) func row(_ row: CachingRow) { row.run() }

  /// A route of the regional API neither fills nor consults the store.
  @Test func regionalRoute() {
    let world = CoreWorld()
    world.route = RequestRoute(cached: nil, passThrough: 7)
    for _ in 0..<2 {
      let exchange = world.begin("GET / HTTP/1.1↵Host: a")
      exchange.answer("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 1", "x")
      #expect(exchange.statusText == "edge; fwd=bypass; detail=route")
      #expect(exchange.forwards.map(\.group) == [7])
    }
  }

  /// Content longer than the largest stored response, with and without a length.
  @Test(arguments: ["Content-Length: 40", "Transfer-Encoding: chunked"])
  func tooLarge(_ framing: String) {
    var limits = StoreLimits(memory: 1 << 20)
    limits.largestResponse = 39
    let world = CoreWorld(limits: limits)
    let exchange = world.begin("GET / HTTP/1.1↵Host: a")
    let content = String(repeating: "x", count: 40)
    exchange.answer("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵\(framing)", content)
    #expect(exchange.received.text == content && exchange.received.isComplete)
    #expect(world.store.statistics.responses == 0)
    #expect(world.store.statistics.reservedBytes == 0)
  }
}
