import EdgeFleet
import Testing

@testable import EdgePoP

// What a path is taken for: routes, purges and rules about names go by its normal form (RFC 3986 §6.2.2), and what a
// server that decodes more would take for the regional API is never stored. Upstreams get what the client wrote.

@Suite("Paths", .serialized, .eachCarrier)
struct PathTests {
  enum Expected: String, Sendable {
    /// It goes to the regional API, past the store.
    case api
    /// It is stored.
    case stored
    /// It goes to the origin, past the store.
    case never
  }

  private static func named(_ name: String, _ control: String = "max-age=600") async throws
    -> Origin
  {
    try await Origin.start { exchange in
      try await exchange.readContent()
      exchange.answer("\(name) \(exchange.request.target)", "Cache-Control: \(control)")
    }
  }

  private static func start(
    _ origin: Origin, _ api: Origin, _ change: (inout FleetConfiguration.Site) -> Void = { _ in }
  ) async throws -> TestPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, threads: 1)
    configuration.regions = ["local": .init(api: [api.url])]
    configuration.sites[0].routes = [
      .init(prefix: "/api/", target: .api), .init(prefix: "/api/public/", target: .origin),
      .init(prefix: "/rpc", target: .api), .init(prefix: "/v1/user/", target: .api),
    ]
    change(&configuration.sites[0])
    return try await TestPoP.start(configuration, pop: configuration.pops[0])
  }

  private static let rows: [(String, Expected)] = [
    ("/", .stored), ("/a/b.c", .stored), ("/apiary", .stored), ("/api", .stored),
    ("/x/api/cart", .stored),
    ("/api/cart", .api), ("/api/public/prices", .stored), ("/rpc", .api), ("/rpcs", .api),
    // By the normal form.
    ("/%61pi/cart", .api), ("/%61%70%69/cart", .api), ("/./api/cart", .api),
    ("/x/../api/cart", .api),
    ("/x/%2e%2e/api/cart", .api), ("/x/.%2E/api/cart", .api), ("/../api/cart", .api),
    ("/api/./cart", .api), ("/x/y/../../api/cart", .api), ("/%72pc", .api), ("/api/../a", .never),
    ("/api/public/../cart", .api), ("/%61pi/public/prices", .stored),
    ("/api/%2e%2e/apiary", .never), ("/x/../apiary", .stored), ("/./a", .stored),
    ("/caf%C3%A9", .stored), ("/caf%c3%a9", .stored), ("/my%20file.pdf", .stored),
    ("/a?x=/api/../%2f", .stored),
    // Servers that decode more than once, or before they route.
    ("/api%2Fcart", .never), ("/api%2fcart", .never), ("/%2Fapi/cart", .never),
    ("/api%252Fcart", .never),
    ("/api%25252Fcart", .never), ("/x%2F..%2Fapi%2Fcart", .never), ("/x/..%2Fapi/cart", .never),
    ("/x%2F%2E%2E%2Fapi/cart", .never), ("/x/%252e%252e/api/cart", .never),
    ("/%2561pi/cart", .never),
    ("/a%2F..%2Frpc", .never), ("/x%2F..%2Fv1%2Fy%2F..%2Fuser%2F", .never),
    ("/%25252525252561pi/cart", .never),
    // Slashes and backslashes.
    ("//api/cart", .never), ("///api//cart", .never), ("/\\api/cart", .never),
    ("/api\\cart", .never),
    ("/api%5Ccart", .never), ("/x\\..\\api\\cart", .never), ("/v1//user/1", .never),
    ("//a//b", .stored),
    // Parameters.
    ("/api;v=1/cart", .never), ("/;/api/cart", .never), ("/api;/cart", .never),
    ("/x/..;/api/cart", .never),
    ("/x/..;a=b/api/cart", .never), ("/api%3Bv=1/cart", .never), ("/v1;a/user;b/1", .never),
    ("/a;v=1/b", .stored),
    // Names as Windows has them.
    ("/api./cart", .never), ("/api%2E/cart", .never), ("/api%20/cart", .never),
    ("/api.%20./cart", .never),
    ("/x/...;/api/cart", .never), ("/API/cart", .never), ("/Api/cart", .never), ("/RPC", .never),
    ("/API/PUBLIC/prices", .stored), ("/%41PI/cart", .never),
    // Characters that are none, and other forms of ASCII.
    ("/api%00/cart", .never), ("/ap%09i/cart", .never), ("/api%0D%0A/cart", .never),
    ("/api%C0%AFcart", .never),
    ("/x/%C0%AE%C0%AE/api/cart", .never), ("/%E0%80%AFapi/cart", .never),
    ("/api%u002Fcart", .never),
    ("/%EF%BD%81pi/cart", .never),
    // What leads nowhere else.
    ("/group%2Fproject", .stored), ("/@scope%2Fname", .stored), ("/a%25b", .stored),
    ("/%zz", .stored),
    ("/api/public/a%2Fb", .stored), ("/api/public//b", .stored), ("/api/public/..%2Fcart", .never),
  ]

  @Test("Where a path goes, and whether it is stored")
  func routes() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    for (path, expected) in Self.rows {
      let first = try await pop.get(path)
      try await pop.waitForFills()
      let second = try await pop.get(path)
      // The bytes are the client's.
      #expect(first.text == "\(expected == .api ? "api" : "origin") \(path)")
      switch expected {
      case .stored: #expect(second.cacheStatus.contains("; hit"), "\(path): \(second.cacheStatus)")
      case .api:
        #expect(
          second.cacheStatus.contains("fwd=bypass; detail=route"), "\(path): \(second.cacheStatus)")
      case .never:
        #expect(
          second.cacheStatus.contains("fwd=bypass; detail=ambiguous-path"),
          "\(path): \(second.cacheStatus)")
      }
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("Without a route to the regional API nothing is ambiguous")
  func noRoutes() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api) {
      $0.routes = [.init(prefix: "/x", target: .origin)]
    }
    for (path, _) in Self.rows {
      #expect(try await pop.get(path).text == "origin \(path)")
      try await pop.waitForFills()
      #expect(try await pop.get(path).cacheStatus.contains("; hit"), "\(path)")
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("Where passed requests go to the regional API, ambiguous ones do too")
  func passThrough() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api) { $0.passThroughTo = .api }
    #expect(try await pop.get("//api/cart").text == "api //api/cart")
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  /// Spellings of `/a/b%2F~?x=1`.
  private static let spellings = [
    "/a/b%2F~?x=1", "/%61/b%2F~?x=1", "/a/b%2f~?x=1", "/a/b%2F%7e?x=1", "/./a/b%2F~?x=1",
    "/a/c/../b%2F~?x=1",
    "/c/%2e%2e/a/%62%2f%7E?%78=%31", "/../a/b%2F~?x=1",
  ]

  @Test("A purge of a URL, a prefix or a host takes every spelling, whatever spelling it has")
  func purges() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    var orders = Self.spellings.map { #"{"scope":"url","urls":["http://a.example\#($0)"]}"# }
    orders += ["/a/", "/%61/", "/x/../a/b%2f", "/a/b%2F~?%78=", "/./a/b"].map {
      #"{"scope":"prefix","prefixes":["http://a.example\#($0)"]}"#
    }
    for order in orders {
      for target in Self.spellings { #expect(try await pop.get(target).text == "origin \(target)") }
      _ = try await pop.get("/other")
      try await pop.waitForFills()
      for target in Self.spellings {
        #expect(try await pop.get(target).cacheStatus.contains("; hit"), "\(target)")
      }
      let count = "\"matched\":\(Self.spellings.count)"
      let tried = try await pop.purge(String(order.dropLast()) + #","dryRun":true}"#)
      #expect(tried.text.contains(count), "\(order): \(tried.text)")
      let answer = try await pop.purge(order)
      #expect(answer.text.contains(count), "\(order): \(answer.text)")
      for target in Self.spellings {
        #expect(!(try await pop.get(target).cacheStatus.contains("; hit")), "\(order): \(target)")
      }
      #expect(try await pop.get("/other").cacheStatus.contains("; hit"))
      try await pop.waitForFills()
      // A soft purge, too.
      _ = try await pop.purge(String(order.dropLast()) + #","mode":"soft"}"#)
      for target in Self.spellings {
        #expect(try await pop.get(target).cacheStatus.contains("fwd=stale"), "\(order): \(target)")
      }
      _ = try await pop.purge(#"{"scope":"everything"}"#)
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("An unsafe request makes every spelling of its URL unusable (RFC 9111 §4.4)")
  func invalidation() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    for target in Self.spellings {
      for other in Self.spellings { _ = try await pop.get(other) }
      try await pop.waitForFills()
      _ = try await pop.exchange("DELETE \(target) HTTP/1.1\r\nHost: a.example\r\n\r\n")
      for other in Self.spellings {
        #expect(!(try await pop.get(other).cacheStatus.contains("; hit")), "\(target): \(other)")
      }
      try await pop.waitForFills()
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("A prefix that begins no URL is refused, and nothing is purged")
  func noPrefix() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    for prefix in ["/a/.", "/a/..", "/a/%2e", "/a%", "/a%4"] {
      let answer = try await pop.purge(
        #"{"scope":"prefix","prefixes":["http://a.example\#(prefix)"]}"#)
      #expect(answer.status == 400 && answer.text.contains("nothing was purged"), "\(answer.text)")
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("Spellings made up by somebody do not crowd out what everybody asks for")
  func crowd() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    _ = try await pop.get("/abcdefgh")
    for bits in 1..<200 {
      let path = "abcdefgh".utf8.enumerated().map { index, byte in
        bits >> index & 1 == 0 ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16)
      }
      _ = try await pop.get("/" + path.joined())
    }
    try await pop.waitForFills()
    #expect(try await pop.get("/abcdefgh").cacheStatus.contains("; hit"))
    #expect(try await pop.statistics().memory.storedResponses <= 64)
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test(
    "A digest in a name counts by the normal form, and not where the name may not be the end of the path",
    arguments: [
      ("/assets/main.3f2a9c1b.css", true), ("/x/../assets/main.3f2a9c1b.css", true),
      ("/assets/m%61in.3f2a9c1b.c%73s", true), ("/assets//main.3f2a9c1b.css", true),
      ("/assets/caf%C3%A9/main.3f2a9c1b.css", true), ("/main.3f2a9c1b.css/../account", false),
      ("/account;/main.3f2a9c1b.css", false), ("/account%2F..%2Fmain.3f2a9c1b.css", false),
      ("/account%3F/main.3f2a9c1b.css", false), ("/account%23main.3f2a9c1b.css", false),
      ("/account%00main.3f2a9c1b.css", false), ("/account\\main.3f2a9c1b.css", false),
      ("/account%253Fmain.3f2a9c1b.css", false),
    ])
  func hashed(_ path: String, _ isGuessed: Bool) async throws {
    try await withPoP(origin: { $0.answer("x", "Content-Type: text/css") }) { pop, _ in
      _ = try await pop.get(path)
      try await pop.waitForFills()
      #expect(try await pop.get(path).cacheStatus.contains("; hit") == isGuessed)
    }
  }

  @Test("Parameters are told by the normal form of their names")
  func query() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api) {
      $0.caching.query = .init(sort: true, exclude: ["utm_*"])
    }
    for order in ["/q?b=2&a=1", "/%71?a=%31&b=2"] {
      _ = try await pop.get("/q?%62=2&%75tm_x=3&a=1")
      try await pop.waitForFills()
      #expect(try await pop.get("/q?a=1&utm_x=4&%62=2").cacheStatus.contains("; hit"))
      let answer = try await pop.purge(url: "http://a.example\(order)")
      #expect(answer.text.contains("\"matched\":1"), "\(answer.text)")
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }

  @Test("Explain says what a path may be taken for")
  func explain() async throws {
    let (origin, api) = try await (Self.named("origin"), Self.named("api"))
    let pop = try await Self.start(origin, api)
    for (path, reading) in [
      ("/x/..;/api/cart", "/x/../api/cart"), ("/api%2Fcart", "/api/cart"),
      ("/API/cart", "/api/cart"),
    ] {
      let query = try ExplainQuery(url: "http://a.example\(path)")
      let answer = try await pop.admin("GET \(query.target) HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(
        answer.text.contains("It may be taken for \(reading), which belongs to the regional API."))
      #expect(
        answer.text.contains("detail=ambiguous-path") && answer.text.contains(#""route":"origin""#))
    }
    for server in [origin, api] { await server.stop() }
    try await pop.stop()
  }
}
