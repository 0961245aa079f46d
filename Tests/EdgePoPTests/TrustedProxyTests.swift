import EdgeFleet
import FoundationEssentials
import NIOCore
import Testing

@testable import EdgePoP

// `trustedProxies`: whose word is taken for who the client is; what that gives leave to, what is logged, and what goes
// upstream.

@Suite("Trusted proxies", .serialized, .eachCarrier)
struct TrustedProxyTests {
  private static let storable: Origin.Script = { exchange in
    exchange.answer("\(exchange.number)", "Cache-Control: max-age=600")
  }

  private static func ranges(_ texts: String...) throws -> [AddressRange] {
    try texts.map { try AddressRange(parsing: $0) }
  }

  private static func purge(_ fields: String...) -> String {
    "PURGE /a HTTP/1.1\r\nHost: a.example\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// Fields, and the status of a PURGE where 127.0.0.1 is believed, and where it is not.
  private static let rows: [(fields: [String], believed: Int, other: Int)] = [
    ([], 403, 200),
    (["X-Forwarded-For: 10.0.0.5"], 200, 403), (["X-Forwarded-For: 203.0.113.9"], 403, 403),
    (["X-Forwarded-For: 10.0.0.5, 203.0.113.9"], 403, 403),
    (["X-Forwarded-For: 203.0.113.9, 10.0.0.5"], 200, 403),
    (["X-Forwarded-For: 10.0.0.5, 127.0.0.1"], 200, 403),
    (["X-Forwarded-For: 10.0.0.5, unknown"], 403, 403),
    (["X-Forwarded-For:"], 403, 403), (["X-Forwarded-For: ::ffff:10.0.0.5"], 200, 403),
    (["Forwarded: for=10.0.0.5"], 200, 403),
    (["Forwarded: for=\"10.0.0.5:99\";proto=https"], 200, 403),
    (["Forwarded: for=_x"], 403, 403), (["Forwarded: for=\"[2001:db8::1]\""], 403, 403),
    (["X-Forwarded-For: 10.0.0.5", "Forwarded: for=10.0.0.5"], 200, 403),
    (["X-Forwarded-For: 10.0.0.5", "Forwarded: for=10.0.0.6"], 403, 403),
    (["X-Forwarded-For: 203.0.113.9", "Forwarded: for=10.0.0.5"], 403, 403),
    (["X-Real-IP: 10.0.0.5"], 403, 403), (["Via: 1.1 x"], 403, 403),
    (["X-Forwarded-Proto: https"], 403, 403),
    (["X_Forwarded_For: 10.0.0.5"], 403, 403), (["True-Client-IP: 10.0.0.5"], 403, 403),
  ]

  @Test("purgeFrom is about the client, not the connection")
  func authority() async throws {
    let clients = try Self.ranges("10.0.0.0/8")
    let proxies = try Self.ranges("127.0.0.0/8")
    try await withPoP(
      {
        $0.purgeFrom = clients
        $0.trustedProxies = proxies
      }, origin: Self.storable
    ) { pop, _ in
      for row in Self.rows {
        let answer = try await pop.exchange(
          "PURGE /a HTTP/1.1\r\nHost: a.example\r\n" + row.fields.map { $0 + "\r\n" }.joined()
            + "\r\n")
        #expect(answer.status == row.believed, "\(row.fields): \(answer.text)")
      }
    }
    // The connection's own address is on the list, and its word counts for nothing.
    let here = try Self.ranges("127.0.0.1", "10.0.0.0/8")
    try await withPoP({ $0.purgeFrom = here }, origin: Self.storable) { pop, _ in
      for row in Self.rows {
        let answer = try await pop.exchange(
          "PURGE /a HTTP/1.1\r\nHost: a.example\r\n" + row.fields.map { $0 + "\r\n" }.joined()
            + "\r\n")
        #expect(answer.status == row.other, "\(row.fields): \(answer.text)")
        if answer.status == 403 { #expect(answer.text.contains("trustedProxies")) }
      }
    }
  }

  @Test("A token counts whatever proxies say")
  func token() async throws {
    let here = try Self.ranges("127.0.0.1")
    let token = try AdminToken("s3cret")
    try await withPoP(
      {
        $0.purgeFrom = here
        $0.token = token
      }, origin: Self.storable
    ) { pop, _ in
      let fields = ["X-Forwarded-For: 10.0.0.5", "Authorization: Bearer s3cret"]
      let granted = try await pop.exchange(Self.purge(fields[0], fields[1]))
      #expect(granted.status == 200)
      let refused = try await pop.exchange(Self.purge(fields[0]))
      #expect(refused.status == 403)
    }
  }

  private static let hostile = [
    "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil", "X-Forwarded-Port: 1",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin", "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE",
    "X-Method-Override: DELETE",
    "X-Real-IP: 10.0.0.5", "True-Client-IP: 10.0.0.5", "CF-Connecting-IP: 10.0.0.5",
    "X_Forwarded_Host: evil.example",
    "X-Forwarded-Scheme: https", "Front-End-Https: on", "Proxy: http://evil.example",
    "X-Host: evil.example",
  ]

  @Test("What clients may not tell goes no further, and spoils nothing for others")
  func removed() async throws {
    try await withPoP(origin: { exchange in
      let told = exchange.request.fields.map(\.name).filter {
        $0.lowercased().contains("x-") || $0.contains("_")
      }
      exchange.answer(
        told.joined(separator: " "), "Cache-Control: max-age=600", "Vary: X-Forwarded-Host")
    }) { pop, origin in
      for method in ["GET", "POST"] {
        let request =
          "\(method) /\(method) HTTP/1.1\r\nHost: a.example\r\nX-Own: 1\r\n"
          + Self.hostile.map { $0 + "\r\n" }.joined()
          + "X-Forwarded-For: 10.0.0.5\r\nForwarded: for=10.0.0.5;host=evil\r\n\r\n"
        let response = try await pop.exchange(request)
        #expect(response.text == "X-Own X-Forwarded-For X-Real-IP X-Forwarded-Proto X-Request-ID")
      }
      let seen = origin.requests[0]
      #expect(seen[all: "X-Forwarded-For"] == ["127.0.0.1"])
      #expect(seen[all: "X-Real-IP"] == ["127.0.0.1"])
      #expect(seen[all: "Forwarded"] == ["for=127.0.0.1;proto=http;host=\"a.example\""])
      for line in Self.hostile {
        let name = String(line.prefix { $0 != ":" })
        if name != "X-Real-IP" { #expect(seen[name] == nil, "\(name)") }
      }
      // Nobody gets a variant of his own by what does not go upstream.
      try await pop.waitForFills()
      #expect(
        try await pop.get("/GET", "X-Forwarded-Host: other").text
          == "X-Own X-Forwarded-For X-Real-IP X-Forwarded-Proto X-Request-ID")
      #expect(origin.requests.count == 2)
    }
  }

  @Test(
    "What a trusted proxy tells goes on; what stands in the place of the request line is not stored"
  )
  func believed() async throws {
    let proxies = try Self.ranges("127.0.0.1")
    try await withPoP({ $0.trustedProxies = proxies }, origin: Self.storable) { pop, origin in
      let fields = [
        "X-Forwarded-For: 198.51.100.1, 203.0.113.9", "X-Forwarded-Host: www.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 443", "X_Forwarded_Host: evil",
      ]
      _ = try await pop.exchange(TestPoP.request("/", fields))
      let seen = origin.requests[0]
      #expect(
        seen["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1" && seen["X-Real-IP"] == "203.0.113.9")
      #expect(seen["X-Forwarded-Host"] == "www.example" && seen["X-Forwarded-Port"] == "443")
      #expect(seen[all: "X-Forwarded-Proto"] == ["https"] && seen["X_Forwarded_Host"] == nil)
      #expect(seen["Forwarded"] == "for=203.0.113.9, for=127.0.0.1;proto=https;host=\"a.example\"")
      try await pop.waitForFills()
      #expect(try await pop.exchange(TestPoP.request("/", fields)).cacheStatus.contains("; hit"))
      for field in ["X-Original-URL: /b", "X-HTTP-Method-Override: POST", "X-Rewrite-URL: /b"] {
        for _ in 1...2 {
          let passed = try await pop.exchange(TestPoP.request("/c", [field]))
          #expect(passed.cacheStatus.contains("fwd=bypass; detail=pass-through"), "\(field)")
        }
        let name = String(field.prefix { $0 != ":" })
        #expect(origin.requests.last?[name] != nil)
      }
    }
  }

  @Test(
    "What varies by a field that is written anew for each client is for one client",
    arguments: ["X-Forwarded-For", "forwarded", "X-Real-Ip", "Accept, X-Real-IP"])
  func vary(_ names: String) async throws {
    try await withPoP(origin: { $0.answer("x", "Cache-Control: max-age=600", "Vary: \(names)") }) {
      pop, _ in
      for _ in 1...2 {
        let answer = try await pop.get("/")
        #expect(answer.cacheStatus.contains("detail=vary-star"))
      }
    }
  }

  @Test("methodOverride lets methods pass that stand in for POST")
  func methods() async throws {
    let origin = try await Origin.start(Self.storable)
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, threads: 1)
    configuration.sites[0].methodOverride = true
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    for (method, isPassed) in [("POST", true), ("GET", false), ("HEAD", false)] {
      _ = try await pop.exchange(
        "\(method) / HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: PUT\r\nX-Original-URL: /b\r\n\r\n"
      )
      #expect((origin.requests.last?["X-HTTP-Method-Override"] != nil) == isPassed, "\(method)")
      #expect(origin.requests.last?["X-Original-URL"] == nil)
    }
    await origin.stop()
    try await pop.stop()
  }

  @Test("The access log has the client's address")
  func log() async throws {
    let path = "/tmp/edgecache-trusted-\(UInt64.random(in: 0 ... .max)).log"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let proxies = try Self.ranges("127.0.0.1")
    // In memory nobody writes the log.
    guard Carrier.current == .sockets else { return }
    try await withPoP(
      {
        $0.trustedProxies = proxies
        $0.accessLog = .file(path)
      }, origin: Self.storable
    ) { pop, _ in
      _ = try await pop.get("/1", "X-Forwarded-For: 203.0.113.9")
      try await pop.waitForFills()
      _ = try await pop.get("/1", "X-Forwarded-For: 10.9.9.9, 203.0.113.10")
      _ = try await pop.get("/1", "Forwarded: for=\"[2001:DB8::1]:99\"")
      _ = try await pop.get("/1", "X-Forwarded-For: unknown")
      _ = try await pop.get("/1")
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(
      lines.map { $0.prefix { $0 != " " } } == [
        "203.0.113.9", "203.0.113.10", "2001:db8::1", "127.0.0.1", "127.0.0.1",
      ])
  }

  @Test("A parent is told the client by the PoP that asks it, and passes it on")
  func tiers() async throws {
    guard Carrier.current == .sockets else { return }
    let origin = try await Origin.start(Self.storable)
    let (edge, parent, edgeAdmin, parentAdmin) = try (
      ClosedPort().url.endpoint, ClosedPort().url.endpoint, ClosedPort().url.endpoint,
      ClosedPort().url.endpoint
    )
    let proxies = try Self.ranges("127.0.0.1")
    var child = FleetConfiguration.PoP(
      id: "edge1", city: "Edge", latitude: 0, longitude: 0, region: "local", listen: [edge],
      admin: edgeAdmin,
      memory: .mebibytes(64), threads: 1, parent: "core1")
    child.trustedProxies = proxies
    let core = FleetConfiguration.PoP(
      id: "core1", city: "Core", latitude: 0, longitude: 0, region: "local", listen: [parent],
      admin: parentAdmin,
      memory: .mebibytes(64), threads: 1)
    let configuration = FleetConfiguration(
      fleet: "test", regions: ["local": .init(api: [origin.url])],
      sites: [.init(name: "a", hosts: [.any], origin: [origin.url])], pops: [child, core])
    let above = try await TestPoP.start(configuration, pop: core)
    let below = try await TestPoP.start(configuration, pop: child)
    let response = try await below.get(
      "/a", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    #expect(response.status == 200)
    let seen = origin.requests[0]
    #expect(seen["X-Real-IP"] == "203.0.113.9" && seen["X-Forwarded-Proto"] == "https")
    #expect(seen["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1, 127.0.0.1")
    #expect(seen["Via"]?.contains("edge1") == true && seen["Via"]?.contains("core1") == true)
    #expect(seen["EdgeCache-Purges"] == nil)
    // Whoever is at the same address and is no PoP is believed nothing.
    _ = try await above.get("/b", "X-Forwarded-For: 203.0.113.9")
    #expect(origin.requests.last?["X-Real-IP"] == "127.0.0.1")
    try await below.stop()
    try await above.stop()
    await origin.stop()
  }
}
