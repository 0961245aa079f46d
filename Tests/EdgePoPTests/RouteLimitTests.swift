import EdgeCache
import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// The limits of a client are those of what it asks for: of the route, then of the site. A connection asks for one thing
// after another, so they change with each request.

@Suite("Limits of routes", .serialized)
struct RouteLimitTests {
  /// A route whose clients have a moment, on a site whose clients have a minute.
  private static var route: FleetConfiguration.Route {
    var route = FleetConfiguration.Route(prefix: "/r/", target: .origin)
    route.limits.tunnel = .milliseconds(200)
    route.limits.client = .milliseconds(200)
    route.limits.requestContent = .milliseconds(200)
    return route
  }

  private static let script: Origin.Script = { exchange in
    switch exchange.request.target {
    case "/r/tunnel":
      exchange.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      _ = try await exchange.wire.waitForEnd()
    case "/r/large":
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: \(64 << 20)\r\n\r\n")
      await exchange.wire.sendAll(Pattern.bytes(64 << 20))
    case "/": exchange.answer("ok", "Cache-Control: no-store")
    default: _ = try await exchange.wire.waitForEnd()
    }
  }

  private static let requests = [
    "GET /r/tunnel HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "POST /r/content HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nabc",
    "GET /r/large HTTP/1.1\r\nHost: a.example\r\n\r\n",
  ]
  private static let limits: [ReachedLimit] = [.tunnelIdle, .contentStall, .clientStall]

  @Test(
    "Tunnels, content and reading end in the time of their route, the first request as the next",
    arguments: 0..<3, [false, true])
  func strikes(kind: Int, isSecond: Bool) async throws {
    try await withPoP({ $0.routes = [Self.route] }, origin: Self.script) { pop, _ in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      if isSecond { #expect(try await wire.exchange(TestPoP.request("/")).status == 200) }
      if kind == 2 { try await wire.pause() }
      wire.send(Self.requests[kind])
      try await eventually("the limit of the route") {
        try await pop.statistics().limits[Self.limits[kind].rawValue] == 1
      }
      try await eventually("the end of the connection") {
        try await pop.statistics().openConnections == 0
      }
    }
  }

  @Test(
    "Which limits hold for the client of a path",
    arguments: [
      ("/r/x", 7), ("/r/", 7), ("/r/x?q=/s/", 7), ("/%72/x", 7), ("/x/../r/y", 7), ("/R/x", 2),
      ("/r", 2), ("/", 2), ("/r/s/x", 9), ("/?/r/", 2),
    ] as [(String, Int64)])
  func rows(path: String, seconds: Int64) throws {
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [],
      admin: SocketEndpoint(host: "127.0.0.1", port: 0))
    configuration.sites[0].limits.tunnel = .seconds(2)
    configuration.sites[0].routes = [("/r/", 7), ("/r/s/", 9)].map { prefix, seconds in
      var route = FleetConfiguration.Route(prefix: prefix, target: .origin)
      route.limits.tunnel = .seconds(seconds)
      return route
    }
    let routing = Routing(configuration, pop: configuration.pops[0], limits: ShellLimits())
    let secret = HashSecret(1, 2)
    var key = try #require(CacheKey(url: "http://a.example\(path)".utf8, secret: secret))
    let route = try #require(routing.route(&key, secret: secret))
    #expect(routing.clientLimits(key, route)?.tunnel == .seconds(seconds))
    // After a request of another route a connection has those of its site again, though that has none of its own.
    configuration.sites[0].limits = .init()
    let plain = Routing(configuration, pop: configuration.pops[0], limits: ShellLimits())
    let limit = try #require(plain.clientLimits(key, route)?.tunnel)
    #expect(limit == (seconds == 2 ? .hours(1) : .seconds(seconds)))
  }
}
