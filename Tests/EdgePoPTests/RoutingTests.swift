import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// Which upstream gets a request: sites by host, routes by path, regions by where one can connect.

@Suite("Routing", .serialized, .eachCarrier)
struct RoutingTests {
  /// An origin that answers with its name and what it was asked.
  private static func named(_ name: String) async throws -> Origin {
    try await Origin.start { exchange in
      try await exchange.readContent()
      exchange.answer("\(name) \(exchange.request.target)", "Cache-Control: max-age=60")
    }
  }

  private static func fleet(
    regions: [String: FleetConfiguration.Region], sites: [FleetConfiguration.Site]
  ) -> FleetConfiguration {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    return FleetConfiguration(
      fleet: "test", regions: regions, sites: sites,
      pops: [
        FleetConfiguration.PoP(
          id: "one1", city: "One", latitude: 0, longitude: 0, region: "own", listen: [any],
          admin: any, memory: .mebibytes(64), threads: 1)
      ])
  }

  private static func get(_ host: String, _ target: String, _ fields: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\(fields)\r\n"
  }

  @Test("Host and path choose the upstream; the exact host and the longest prefix win")
  func sites() async throws {
    let (first, second, api) = try await (
      Self.named("first"), Self.named("second"), Self.named("api")
    )
    let configuration = Self.fleet(
      regions: ["own": .init(api: [api.url])],
      sites: [
        .init(
          name: "first", hosts: [.exact("www.first.example"), .exact("[::1]")], origin: [first.url],
          routes: [
            .init(prefix: "/api/", target: .api), .init(prefix: "/api/static/", target: .origin),
          ]),
        .init(
          name: "second", hosts: [.suffix("first.example"), .exact("second.example")],
          origin: [second.url], passThroughTo: .api),
      ])
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let cases = [
      ("www.first.example", "/", "first /"),
      ("WWW.First.Example:8080", "/x", "first /x"),
      ("[::1]", "/", "first /"),
      ("www.first.example", "/api/users", "api /api/users"),
      ("www.first.example", "/api", "first /api"),
      ("www.first.example", "/api/static/a.js", "first /api/static/a.js"),
      ("other.first.example", "/api/users", "second /api/users"),
      ("a.b.first.example", "/", "second /"),
      ("second.example", "/", "second /"),
    ]
    let wire = try await pop.connect()
    for (host, target, expected) in cases {
      #expect(try await wire.exchange(Self.get(host, target)).text == expected)
    }
    // The regional API is never stored.
    let dynamic = try await wire.exchange(Self.get("www.first.example", "/api/users"))
    #expect(dynamic.cacheStatus.contains("fwd=bypass; detail=route"))
    for method in ["POST", "DELETE"] {
      let own = try await wire.exchange("\(method) / HTTP/1.1\r\nHost: www.first.example\r\n\r\n")
      #expect(own.text == "first /")
      let passed = try await wire.exchange("\(method) / HTTP/1.1\r\nHost: second.example\r\n\r\n")
      #expect(passed.text == "api /")
    }
    let reload = Self.get("second.example", "/", "Cache-Control: no-store\r\n")
    #expect(try await wire.exchange(reload).text == "api /")
    // A miss that is not stored still belongs to the origin.
    let head = "HEAD /new HTTP/1.1\r\nHost: second.example\r\n\r\n"
    _ = try? await wire.exchange(head.replacing("HEAD", with: "GET"))
    #expect(second.requests.contains { $0.target == "/new" })
    for origin in [first, second, api] { await origin.stop() }
    try await pop.stop()
  }

  @Test(
    "A host of no site is 421, and the connection stays (RFC 9110 §15.5.20)",
    arguments: ["unknown.example", "first.example", "www.first.example.evil", "127.0.0.1"])
  func unknownHost(host: String) async throws {
    let origin = try await Self.named("first")
    let configuration = Self.fleet(
      regions: ["own": .init(api: [origin.url])],
      sites: [.init(name: "first", hosts: [.suffix("first.example")], origin: [origin.url])])
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let wire = try await pop.connect()
    let refused = try await wire.exchange(Self.get(host, "/"))
    #expect(refused.status == 421)
    #expect(refused.cacheStatus.contains("detail=unknown-host"))
    #expect(try await wire.exchange(Self.get("www.first.example", "/")).text == "first /")
    #expect(origin.requests.count == 1)
    await origin.stop()
    try await pop.stop()
  }

  @Test("A region in which nobody can be connected to fails over to the next, in order")
  func failover() async throws {
    let closed = try (0..<3).map { _ in try ClosedPort() }
    let near = try await Self.named("near")
    let far = try await Self.named("far")
    let configuration = Self.fleet(
      regions: [
        "own": .init(
          api: [closed[0].url, closed[1].url],
          failover: ["dead", "near", "far"]),
        "dead": .init(api: [closed[2].url]),
        "near": .init(api: [near.url]),
        "far": .init(api: [far.url]),
      ],
      sites: [
        .init(
          name: "first", hosts: [.any], origin: [far.url],
          routes: [.init(prefix: "/api/", target: .api)])
      ])
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let wire = try await pop.connect()
    for method in ["GET", "POST", "GET"] {
      // Nothing was sent, so every method may go elsewhere (RFC 9110 §9.2.2).
      let content = method == "POST" ? "Content-Length: 3\r\n\r\nabc" : "\r\n"
      let response = try await wire.exchange(
        "\(method) /api/x HTTP/1.1\r\nHost: a\r\n\(content)")
      #expect(response.text == "near /api/x")
    }
    #expect(near.requests[1].text == "abc")
    #expect(far.requests.isEmpty)
    await near.stop()
    let nearClosed = try ClosedPort(near.url.port)
    #expect(try await wire.exchange(Self.get("a", "/api/y")).text == "far /api/y")
    await far.stop()
    let farClosed = try ClosedPort(far.url.port)
    let failed = try await wire.exchange(Self.get("a", "/api/z"))
    #expect(failed.status == 502)
    #expect(failed.cacheStatus.contains("detail=connect-failed"))
    withExtendedLifetime((closed, nearClosed, farClosed)) {}
    try await pop.stop()
  }
}
