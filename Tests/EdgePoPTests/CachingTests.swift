import EdgeFleet
import FoundationEssentials
import NIOCore
import Testing

@testable import EdgePoP

// Rules of caching that need a shell to show: work that nobody waits for, several pieces in one
// response, interim responses in time, and the admin API's explanation. The rules themselves are
// tables in EdgeCacheTests.

@Suite("Caching over sockets", .serialized, .eachCarrier)
struct CachingTests {
  @Test("Stale is sent at once, and validated once for all, with no client (RFC 5861 §3)")
  func staleWhileRevalidate() async throws {
    try await withPoP(origin: { exchange in
      // Stale as it arrives; the validation brings something that stays fresh.
      exchange.answer(
        "\(exchange.number)", "ETag: \"\(exchange.number)\"",
        exchange.number == 1
          ? "Cache-Control: max-age=0, stale-while-revalidate=600" : "Cache-Control: max-age=600")
    }) { pop, origin in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      let stale = try await pop.get("/")
      #expect(stale.text == "1")
      #expect(stale.cacheStatus.contains("; hit"))
      #expect(stale.cacheStatus.contains("detail=stale-while-revalidate"))
      try await eventually("the validation is done") { try await pop.get("/").text == "2" }
      #expect(origin.requests.count == 2)
      #expect(origin.requests[1]["If-None-Match"] == "\"1\"")
    }
  }

  @Test("Several ranges come as multipart/byteranges (RFC 9110 §14.6)")
  func multipart() async throws {
    let content = String(repeating: "0123456789", count: 2000)
    try await withPoP(origin: {
      $0.answer(content, "Cache-Control: max-age=600", "Content-Type: text/plain")
    }) { pop, _ in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      let parts = try await pop.get("/", "Range: bytes=1-3,10000-19999,-2")
      #expect(parts.status == 206)
      #expect(parts["Content-Type"]?.hasPrefix("multipart/byteranges; boundary=") == true)
      #expect(parts["Content-Length"] == "\(parts.content.readableBytes)")
      #expect(parts.text.contains("Content-Range: bytes 1-3/20000\r\n\r\n123\r\n--"))
      #expect(parts.text.contains("Content-Type: text/plain\r\n"))
      #expect(try await pop.get("/", "Range: bytes=0-,0-,0-,0-").status == 200)
    }
  }

  @Test("Parts of a content are stored, and the rest is fetched (RFC 9111 §3.3, §3.4)")
  func parts() async throws {
    try await withPoP(origin: { exchange in
      let fields = ["ETag: \"a\"", "Cache-Control: max-age=600"]
      switch exchange.request["Range"] {
      case "bytes=0-4":
        exchange.answer(
          "01234", fields[0], fields[1], "Content-Range: bytes 0-4/10", status: "206 Part")
      case "bytes=5-":
        exchange.answer(
          "56789", fields[0], fields[1], "Content-Range: bytes 5-9/10", status: "206 Part")
      default: exchange.answer("unexpected", status: "500 No")
      }
    }) { pop, origin in
      let part = try await pop.get("/", "Range: bytes=0-4")
      #expect(part.status == 206)
      #expect(part["Content-Range"] == "bytes 0-4/10")
      #expect(part.text == "01234")
      try await pop.waitForFills()
      #expect(try await pop.get("/", "Range: bytes=1-2").text == "12")
      let whole = try await pop.get("/")
      #expect(whole.status == 200)
      #expect(whole.text == "0123456789")
      #expect(origin.requests[1]["If-Range"] == "\"a\"")
      try await pop.waitForFills()
      #expect(try await pop.get("/").cacheStatus.contains("; hit"))
      #expect(origin.requests.count == 2)
    }
  }

  @Test("A request that has passed through is refused (RFC 8586)")
  func loop() async throws {
    try await withPoP(origin: { $0.answer("ok") }) { pop, origin in
      let refused = try await pop.get("/", "CDN-Loop: other, edgecache; x=1")
      #expect(refused.status == 508)
      #expect(refused.cacheStatus.contains("detail=loop"))
      let hidden = try await pop.get("/", "CDN-Loop: \"x, EdgeCache")
      #expect(hidden.status == 508, "a quote that is never closed hides nothing")
      #expect(try await pop.get("/", "CDN-Loop: other").status == 200)
      #expect(origin.requests.count == 1)
    }
  }

  @Test("A PoP that is its own upstream answers 508, once around")
  func ownUpstream() async throws {
    let probe = try await TestPoP.start(
      upstream: UpstreamURL(scheme: .http, host: "127.0.0.1", port: 9))
    let port = probe.address.port
    try await probe.stop()
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    let configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "127.0.0.1", port: port),
      listen: [SocketEndpoint(host: "127.0.0.1", port: port)], admin: any,
      memory: .mebibytes(64), threads: 1)
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    #expect(try await pop.get("/").status == 508)
    try await pop.stop()
  }

  @Test("103 reaches the client before the response and stays out of the store (RFC 8297)")
  func earlyHints() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-Hint: 1\r\n\r\n")
      exchange.answer("ok", "Cache-Control: max-age=600")
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      let hint = try await wire.readHead()
      #expect(hint.status == 103)
      #expect(hint["Link"] == "</a.css>")
      var response = try await wire.readHead()
      #expect(response.status == 200)
      #expect(response["X-Hint"] == nil)
      try await wire.readContent(&response, isResponse: true)
      await wire.close()
      try await pop.waitForFills()
      let hit = try await pop.get("/")
      #expect(hit.status == 200)
      #expect(hit["X-Hint"] == nil && hit["Link"] == nil)
    }
  }

  // MARK: Sites

  private static func site(_ change: (inout FleetConfiguration.CachingOptions) -> Void)
    async throws -> (TestPoP, Origin)
  {
    let origin = try await Origin.start {
      $0.answer("\($0.number)", "Cache-Control: max-age=600", "Surrogate-Control: max-age=60")
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
    change(&configuration.sites[0].caching)
    return (try await TestPoP.start(configuration, pop: configuration.pops[0]), origin)
  }

  @Test("Rules about the query make the key, for purges too")
  func query() async throws {
    let (pop, origin) = try await Self.site {
      $0.query = .init(sort: true, exclude: ["utm_*"])
    }
    #expect(try await pop.get("/?b=2&a=1&utm_x=3").text == "1")
    try await pop.waitForFills()
    #expect(try await pop.get("/?a=1&b=2").text == "1")
    let purge = try await pop.purge(url: "http://a.example/?b=2&utm_y=1&a=1")
    #expect(purge.text.contains("\"matched\":1"))
    #expect(try await pop.get("/?a=1&b=2").text == "2")
    #expect(origin.requests[0].head.hasPrefix("GET /?b=2&a=1&utm_x=3 "))
    try await pop.stop()
    await origin.stop()
  }

  @Test("A site may ignore reloads, and take Surrogate-Control out")
  func choices() async throws {
    let (pop, origin) = try await Self.site {
      $0.requestDirectives = .ignore
      $0.surrogateControl = true
    }
    let first = try await pop.get("/")
    #expect(first["Surrogate-Control"] == nil)
    #expect(first.cacheStatus.contains("ttl=60"))
    try await pop.waitForFills()
    #expect(try await pop.get("/", "Cache-Control: no-cache").cacheStatus.contains("; hit"))
    try await pop.stop()
    await origin.stop()
  }

  @Test("A site chooses the fields that carry its tags, and whether clients see them")
  func tagFields() async throws {
    let origin = try await Origin.start { exchange in
      let isUpdate = exchange.request.head.contains("If-None-Match")
      exchange.answer(
        isUpdate ? "" : "\(exchange.number)", "Cache-Control: max-age=600", "ETag: \"a\"",
        "X-My-Tags: \(isUpdate ? "c" : "a b")", "X-Other: x", "Surrogate-Key: k",
        status: isUpdate ? "304 Not Modified" : "200 OK")
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
    configuration.sites[0].caching.tagFields = ["x-my-tags"]
    configuration.sites[0].caching.forwardTagFields = false
    var setup = TestPoP.Setup()
    setup.purgeFrom = [try AddressRange(parsing: "127.0.0.0/8")]
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0], setup)
    func check(_ message: Message, _ comment: Comment) {
      #expect(message["X-My-Tags"] == nil && message["X-Other"] == "x", comment)
      #expect(message["Surrogate-Key"] == "k", comment)
    }
    check(try await pop.get("/"), "while it arrives")
    try await pop.waitForFills()
    let hit = try await pop.get("/")
    #expect(hit.cacheStatus.contains("; hit") && hit.text == "1")
    check(hit, "a hit")
    check(try await pop.get("/", "If-None-Match: \"a\""), "304")
    check(try await pop.get("/", "Range: bytes=0-0"), "206")
    check(try await pop.get("/", "EdgeCache-Purges: local;1;1"), "who is no PoP")
    let passed = try await pop.exchange(
      "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
    check(passed, "passed through")
    _ = try await pop.get("/")
    try await pop.waitForFills()
    // What others read as tags is none here.
    #expect(try await pop.purge(#"{"scope":"tag","tags":["k"]}"#).text.contains("\"matched\":0"))
    let report = try await Self.explain(pop, ExplainQuery(url: "http://a.example/"))
    #expect(report.stored.map(\.tags) == [["a", "b"]])
    // A validation brings new ones.
    _ = try await pop.purge(#"{"scope":"tag","tags":["b"],"mode":"soft"}"#)
    check(try await pop.get("/"), "validated")
    try await pop.waitForFills()
    let renewed = try await Self.explain(pop, ExplainQuery(url: "http://a.example/"))
    #expect(renewed.stored.map(\.tags) == [["c"]])
    let purge = try await pop.exchange(
      "PURGE / HTTP/1.1\r\nHost: a.example\r\nX-My-Tags: c\r\n\r\n")
    #expect(purge.text.contains("purged 1 stored"), "\(purge.text)")
    #expect(try await pop.get("/").cacheStatus.contains("fwd=uri-miss"))
    try await pop.stop()
    await origin.stop()
  }

  @Test("A response with more tags than are kept is not stored, and says why")
  func tooManyTags() async throws {
    try await withPoP(origin: {
      let count = $0.request.target == "/few" ? 500 : 2500
      let tags = (0..<count).map { "node:\($0)" }.joined(separator: " ")
      $0.answer("ok", "Cache-Control: max-age=600", "Surrogate-Key: \(tags)")
    }) { pop, _ in
      #expect(try await pop.get("/few").cacheStatus.contains("stored"))
      #expect(try await pop.get("/many").cacheStatus.contains("detail=too-many-tags"))
      try await pop.waitForFills()
      #expect(try await pop.get("/few").cacheStatus.contains("; hit"))
      #expect(try await pop.get("/many").cacheStatus.contains("detail=too-many-tags"))
      #expect(
        try await pop.purge(#"{"tags":["node:499"]}"#).text.contains("\"matched\":1"))
      #expect(try await pop.get("/few").cacheStatus.contains("fwd=uri-miss"))
    }
  }

  // MARK: Explain

  private static func explain(_ pop: TestPoP, _ query: ExplainQuery) async throws -> ExplainReport {
    let answer = try await pop.admin("GET \(query.target) HTTP/1.1\r\nHost: admin\r\n\r\n")
    #expect(answer.status == 200, "\(answer.text)")
    return try JSONDecoder().decode(
      ExplainReport.self, from: Data(answer.content.readableBytesView))
  }

  @Test("Explain says what would happen and why, and asks nobody")
  func explain() async throws {
    try await withPoP(origin: {
      $0.answer(
        "ok", "CDN-Cache-Control: max-age=600", "ETag: \"a\"", "Vary: Accept-Encoding",
        "Cache-Groups: \"x\"")
    }) { pop, origin in
      let url = "http://a.example/?q"
      let before = try await Self.explain(pop, ExplainQuery(url: url))
      #expect(before.outcome == "fwd=uri-miss")
      #expect(before.stored.isEmpty && before.purge == nil)
      #expect(before.because.joined().contains("RFC 9111"))
      _ = try await pop.get("/?q", "Accept-Encoding: gzip")
      try await pop.waitForFills()
      let hit = try await Self.explain(
        pop, ExplainQuery(url: url, headers: ["Accept-Encoding: gzip"]))
      #expect(hit.outcome.hasPrefix("hit; ttl="))
      #expect(hit.key == url)
      let stored = try #require(hit.stored.first)
      #expect(stored.selected && stored.lifetime == 600)
      #expect(stored.lifetimeSource == "max-age of CDN-Cache-Control")
      #expect(stored.vary == ["accept-encoding: gzip"])
      #expect(stored.tags == ["x"] && stored.validators == ["ETag: \"a\""])
      let other = try await Self.explain(pop, ExplainQuery(url: url))
      #expect(other.outcome == "fwd=vary-miss" && other.stored.count == 1)
      let reload = try await Self.explain(
        pop,
        ExplainQuery(url: url, headers: ["Accept-Encoding: gzip", "Cache-Control: no-cache"]))
      #expect(reload.outcome == "fwd=request")
      let known = try await Self.explain(
        pop, ExplainQuery(url: url, headers: ["Accept-Encoding: gzip", "If-None-Match: \"a\""]))
      #expect(known.because.joined().contains("304"))
      _ = try await pop.purge(url: url)
      let purged = try await Self.explain(pop, ExplainQuery(url: url))
      #expect(purged.purge == 1 && purged.purgeHead == 1 && purged.stored.isEmpty)
      #expect(origin.requests.count == 1)
      for bad in ["/explain", "/explain?url=x", "/explain?url=http://a/&header=x"] {
        #expect(try await pop.admin("GET \(bad) HTTP/1.1\r\nHost: admin\r\n\r\n").status == 400)
      }
    }
  }

  @Test("Explain names the true cause: a soft purge, a purge by tag or URL, an unsafe request")
  func causes() async throws {
    try await withPoP(origin: {
      if $0.request.head.hasPrefix("HEAD /other ") {
        return $0.answer("", "Cache-Control: max-age=600", "ETag: \"b\"")
      }
      $0.answer("ok", "Cache-Control: max-age=600", "ETag: \"a\"", "Surrogate-Key: t")
    }) { pop, _ in
      func because(_ path: String) async throws -> String {
        try await Self.explain(pop, ExplainQuery(url: "http://a.example\(path)"))
          .because.joined(separator: "\n")
      }
      func fill(_ path: String) async throws {
        _ = try await pop.get(path)
        try await pop.waitForFills()
      }
      try await fill("/soft")
      _ = try await pop.purge(#"{"scope":"tag","tags":["t"],"mode":"soft"}"#)
      let soft = try await because("/soft")
      #expect(soft.contains("A soft purge covers") && !soft.contains("no-cache"), "\(soft)")
      let report = try await Self.explain(pop, ExplainQuery(url: "http://a.example/soft"))
      #expect(report.stored.first?.notes.contains { $0.contains("soft purge") } == true)

      try await fill("/tag")
      #expect(!(try await because("/tag")).contains("urge"))
      _ = try await pop.purge(#"{"scope":"tag","tags":["t"]}"#)
      let tag = try await because("/tag")
      #expect(tag.contains("Purge 2 took"), "\(tag)")

      try await fill("/url")
      _ = try await pop.purge(url: "http://a.example/url")
      #expect(try await because("/url").contains("Purge 3 covers this URL"))
      #expect(!(try await because("/none")).contains("urge"))

      try await fill("/unsafe")
      _ = try await pop.exchange(
        "POST /unsafe HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
      let unsafe = try await because("/unsafe")
      #expect(unsafe.contains("An unsafe request") && !unsafe.contains("urge"), "\(unsafe)")
    }
  }
}
