import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// Which fields go on, which stay, and which are added, in both directions (RFC 9110 §7.6,
// RFC 7239, RFC 9211).

@Suite("Fields", .serialized, .eachCarrier)
struct FieldTests {
  @Test("The upstream gets exactly these bytes (RFC 9110 §7.6.1, §7.6.3, RFC 7239 §4)")
  func upstreamHead() async throws {
    try await withPoP(origin: { $0.answer("ok", "Cache-Control: no-store") }) { pop, origin in
      _ = try await pop.exchange(
        """
        GET /path?b=2&a=%41 HTTP/1.1\r
        Accept: a\r
        X-Twice: 1\r
        host: A.Example:8080\r
        Connection: X-Secret, keep-alive\r
        x-secret: s\r
        Keep-Alive: timeout=5\r
        TE: gzip\r
        Trailer: X-Sum\r
        Proxy-Connection: close\r
        Proxy-Authorization: Basic YTpi\r
        Via: 1.1 before\r
        X-Forwarded-For: 192.0.2.1\r
        X-Forwarded-Proto: ftp\r
        Forwarded: for=192.0.2.1\r
        X-Twice: 2\r
        Cookie: c=d\r
        X-Empty:\r
        \r

        """.replacing("\r\n\r\n\n", with: "\r\n\r\n"))
      // The name that it has is another one each time.
      let id = try #require(origin.requests[0]["X-Request-ID"])
      #expect(id.wholeMatch(of: /[0-9a-f]{32}/) != nil)
      #expect(
        origin.requests[0].head.components(separatedBy: "\r\n") == [
          "GET /path?b=2&a=%41 HTTP/1.1",
          "Host: a.example:8080",
          "Accept: a",
          "X-Twice: 1",
          "Via: 1.1 before",
          "X-Twice: 2",
          "Cookie: c=d",
          "X-Empty: ",
          "X-Forwarded-For: 127.0.0.1",
          "X-Real-IP: 127.0.0.1",
          "X-Forwarded-Proto: http",
          "Forwarded: for=127.0.0.1;proto=http;host=\"a.example:8080\"",
          "Via: 1.1 EdgeCache",
          "CDN-Loop: EdgeCache",
          "X-Request-ID: \(id)",
          "", "",
        ])
    }
  }

  @Test("A TLS terminator on the same machine is believed, and its scheme is part of the key")
  func terminator() async throws {
    try await withPoP(origin: {
      $0.answer($0.request["X-Forwarded-Proto"] ?? "none", "Cache-Control: max-age=60")
    }) { pop, _ in
      let plain = try await pop.get("/")
      let secured = try await pop.get("/", "X-Forwarded-Proto: https")
      let plainAgain = try await pop.get("/")
      let securedAgain = try await pop.get("/", "X-Forwarded-Proto: HTTPS")
      #expect([plain, plainAgain].map(\.text) == ["http", "http"])
      #expect([secured, securedAgain].map(\.text) == ["https", "https"])
    }
  }

  @Test("Where nothing is stored, the client's conditions go upstream (RFC 9111 §4.3.2)")
  func preconditions() async throws {
    try await withPoP(origin: { $0.answer("ok", "Cache-Control: no-store") }) { pop, origin in
      let fields = ["If-None-Match: \"a\"", "If-Modified-Since: x", "X: y"]
      _ = try await pop.exchange(TestPoP.request("/", fields))
      _ = try await pop.exchange(TestPoP.request("/", fields + ["Cache-Control: no-cache"]))
      #expect(origin.requests[0]["If-None-Match"] == "\"a\"")
      #expect(origin.requests[0]["X"] == "y")
      #expect(origin.requests[1]["If-None-Match"] == "\"a\"")
      #expect(origin.requests[1]["If-Modified-Since"] == "x")
    }
  }

  @Test("Trailers are asked for on a pass-through only where the client takes them (§6.5.1)")
  func te() async throws {
    try await withPoP(origin: { $0.answer("ok", "Cache-Control: no-store") }) { pop, origin in
      _ = try await pop.exchange(
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers, gzip\r\nConnection: TE\r\n\r\n")
      #expect(origin.requests[0]["TE"] == "trailers")
      #expect(origin.requests[0]["Connection"] == "TE")
    }
  }

  @Test("The client gets fields in their order and repetition, less what is hop-by-hop (§7.6.1)")
  func clientHead() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer(
        "ok", "Set-Cookie: a=1", "X-Twice: 1", "Connection: X-Secret, keep-alive", "X-Secret: s",
        "Keep-Alive: timeout=5", "Proxy-Connection: close", "Set-Cookie: b=2", "X-Twice: 2",
        "Via: 1.1 behind", "Cache-Control: no-store", "Date: Thu, 01 Jan 2026 00:00:00 GMT",
        "Cache-Status: Behind; hit", "X-Empty:", status: "299 My Words")
    }) { pop, _ in
      let response = try await pop.get("/")
      #expect(
        response.head.components(separatedBy: "\r\n") == [
          "HTTP/1.1 299 My Words",
          "Set-Cookie: a=1",
          "X-Twice: 1",
          "Set-Cookie: b=2",
          "X-Twice: 2",
          "Via: 1.1 behind",
          "Cache-Control: no-store",
          "Date: Thu, 01 Jan 2026 00:00:00 GMT",
          "Cache-Status: Behind; hit",
          "X-Empty: ",
          "Content-Length: 2",
          "Via: 1.1 EdgeCache",
          "Cache-Status: EdgeCache; fwd=uri-miss; detail=no-store; key=\"http://a.example/\"",
          "", "",
        ])
    }
  }

  @Test("What is stored is sent with the same fields as when it came")
  func storedHead() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer(
        "ok", "X-Twice: 1", "Connection: X-Secret", "X-Secret: s", "X-Twice: 2",
        "Cache-Control: max-age=60", "ETag: \"e\"")
    }) { pop, _ in
      let miss = try await pop.get("/")
      try await pop.waitForFills()
      let hit = try await pop.get("/")
      for response in [miss, hit] {
        #expect(response[all: "X-Twice"] == ["1", "2"])
        #expect(response["X-Secret"] == nil)
        #expect(response["Connection"] == nil)
        #expect(response["ETag"] == "\"e\"")
        #expect(response[all: "Date"].count == 1)
        #expect(response[all: "Age"].count == 1)
        #expect(response[all: "Via"] == ["1.1 EdgeCache"])
      }
      #expect(miss.cacheStatus.hasPrefix("EdgeCache; fwd=uri-miss; ttl="))
      #expect(miss.cacheStatus.hasSuffix("; stored; key=\"http://a.example/\""))
      #expect(hit.cacheStatus.hasPrefix("EdgeCache; hit; ttl="))
    }
  }

  @Test("A response without Date gets one, exactly one (RFC 9110 §6.6.1)")
  func date() async throws {
    try await withPoP(origin: { $0.answer("ok", "Cache-Control: no-store") }) { pop, _ in
      let response = try await pop.get("/")
      #expect(response[all: "Date"].count == 1)
      #expect(response["Date"]?.hasSuffix(" GMT") == true)
    }
  }

  @Test("Age counts what the response spent elsewhere (RFC 9111 §5.1)")
  func age() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer("ok", "Cache-Control: max-age=600", "Age: 100")
    }) { pop, _ in
      let first = Int(try await pop.get("/")["Age"] ?? "") ?? 0
      #expect((100...120).contains(first))
      try await pop.waitForFills()
      let age = Int(try await pop.get("/")["Age"] ?? "") ?? 0
      #expect((100...120).contains(age))
    }
  }

  @Test("Cache-Status is on every response, whoever made it (RFC 9211 §2)")
  func cacheStatus() async throws {
    try await withPoP(origin: { exchange in
      switch exchange.request.target {
      case "/broken": exchange.send("nonsense\r\n\r\n")
      case "/hit": exchange.answer("ok", "Cache-Control: max-age=60")
      default: exchange.answer("ok", "Cache-Control: private", status: "404 Not Found")
      }
    }) { pop, _ in
      _ = try await pop.get("/hit")
      try await pop.waitForFills()
      let cases = [
        (TestPoP.request("/hit"), 200, "; hit; ttl="),
        (TestPoP.request("/missing"), 404, "; fwd=uri-miss; detail=private"),
        (TestPoP.request("/broken"), 502, "; fwd=uri-miss; detail=upstream-malformed"),
        (TestPoP.request("/hit", ["Cache-Control: no-cache"]), 200, "; fwd=request"),
        (TestPoP.request("/x", ["Cache-Control: only-if-cached"]), 504, "; detail=only-if-cached"),
        ("POST /hit HTTP/1.1\r\nHost: a\r\n\r\n", 200, "; fwd=method; detail=method"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "EdgeCache"),
        ("nonsense\r\n\r\n", 400, "EdgeCache"),
      ]
      for (request, status, part) in cases {
        let response = try await pop.exchange(request)
        #expect(response.status == status, "\(request)")
        #expect(response.cacheStatus.contains(part), "\(request)")
        #expect(response[all: "Via"].last == "1.1 EdgeCache")
        #expect(response["Date"] != nil)
      }
    }
  }

  @Test("A PoP of a fleet is known by its id (RFC 9211 §2)")
  func name() async throws {
    let origin = try await Origin.start { $0.answer("ok") }
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [SocketEndpoint(host: "127.0.0.1", port: 0)],
      admin: SocketEndpoint(host: "127.0.0.1", port: 0), threads: 1)
    configuration.pops[0].id = "sin1"
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let response = try await pop.get("/")
    #expect(response.cacheStatus.hasPrefix("EdgeCache-sin1; fwd="))
    #expect(response["Via"] == "1.1 EdgeCache-sin1")
    #expect(origin.requests[0]["Via"] == "1.1 EdgeCache-sin1")
    await origin.stop()
    try await pop.stop()
  }
}
