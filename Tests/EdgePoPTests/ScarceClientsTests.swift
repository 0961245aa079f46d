import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// More clients than there are places: who is closed, who is served, and what is counted.

@Suite("Few places for clients", .serialized)
struct ScarceClientsTests {
  private static let plain: Origin.Script = { $0.answer("ok", "Cache-Control: no-store") }

  @Test(
    "Idle connections are closed, the oldest first, and everybody is served", arguments: [1, 2])
  func idle(threads: Int) async throws {
    try await withPoP(
      {
        $0.threads = threads
        $0.serving.clientConnections = 8
      }, origin: Self.plain
    ) { pop, origin in
      var wires: [Wire] = []
      for _ in 0..<40 {
        let wire = try await pop.connect()
        #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
        wires.append(wire)
      }
      // The first are closed, in order, which clients may see at any time between two requests.
      #expect(try await wires[0].waitForEnd() == .finished)
      let statistics = try await pop.statistics()
      #expect(statistics.clients.limit == 8)
      #expect(statistics.clients.closedIdle >= 30)
      #expect(statistics.openConnections <= 8 + threads)
      // The last is still there.
      #expect(try await wires[39].exchange(TestPoP.request("/")).status == 200)
    }
  }

  @Test("Without anybody who may be closed others wait, and are served when there is a place")
  func waits() async throws {
    let gate = Gate()
    try await withPoP(
      { $0.serving.clientConnections = 4 },
      origin: { exchange in
        await gate.wait()
        exchange.answer(exchange.request.target, "Cache-Control: no-store")
      }
    ) { pop, origin in
      var wires: [Wire] = []
      for number in 0..<10 {
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/\(number)"))
        wires.append(wire)
      }
      try await origin.waitForRequests(5)
      try await eventually("a pause") { try await pop.statistics().clients.pauses == 1 }
      #expect(try await pop.statistics().openConnections == 5)
      gate.open()
      for (number, wire) in wires.enumerated() {
        #expect(try await wire.readResponse().text == "/\(number)")
        await wire.close()
      }
      // Nobody was closed who was being served.
      #expect(try await pop.statistics().clients.closedInHead == 0)
    }
  }

  @Test("Who only connects, and sends no request, loses its place to who does")
  func silent() async throws {
    try await withPoP({ $0.serving.clientConnections = 6 }, origin: Self.plain) { pop, origin in
      var wires: [Wire] = []
      for _ in 0..<12 { wires.append(try await pop.connect()) }
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      #expect(try await pop.statistics().clients.closedInHead >= 6)
    }
  }

  @Test(
    "An address has as many connections as it may; a proxy that is believed has any number",
    arguments: [false, true])
  func perAddress(isProxy: Bool) async throws {
    let loopback = try AddressRange(parsing: "127.0.0.0/8")
    try await withPoP(
      {
        $0.serving.connectionsPerAddress = 3
        if isProxy { $0.trustedProxies = [loopback] }
      }, origin: Self.plain
    ) { pop, origin in
      var wires: [Wire] = []
      for _ in 0..<3 {
        let wire = try await pop.connect()
        #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
        wires.append(wire)
      }
      let fourth = try await pop.connect()
      if isProxy {
        #expect(try await fourth.exchange(TestPoP.request("/")).status == 200)
      } else {
        try await fourth.waitForEnd()
        #expect(try await pop.statistics().clients.refused == 1)
        await wires[0].close()
        try await eventually("a place") { try await pop.statistics().openConnections == 2 }
        #expect(try await pop.get("/").status == 200)
      }
    }
  }

  @Test(
    "GET /ready: 200 while it serves, 503 and why while it drains or does not know what was purged")
  func ready() async throws {
    let gate = Gate()
    let origin = try await Origin.start { exchange in
      await gate.wait()
      exchange.answer("ok", "Cache-Control: no-store")
    }
    let pop = try await TestPoP.start(upstream: origin.url) { $0.limits.drain = .seconds(120) }
    let request = "GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n"
    let before = try await pop.admin(request)
    #expect(before.status == 200 && before.text.contains("\"ready\":true"))
    let wire = try await pop.connect()
    wire.send(TestPoP.request("/"))
    try await origin.waitForRequests(1)
    await pop.beginShutdown()
    try await eventually("draining") {
      let answer = try await pop.admin(request)
      return answer.status == 503 && answer.text.contains("\"reason\":\"draining\"")
    }
    #expect(try await pop.admin("GET /health HTTP/1.1\r\nHost: admin\r\n\r\n").status == 200)
    gate.open()
    #expect(try await wire.readResponse().text == "ok")
    try await pop.waitForEnd()
    await origin.stop()
  }

  @Test(
    "A PoP that has not heard what was purged is ready, unless it is told otherwise",
    arguments: [nil, true, false])
  func readyWhenUnsynced(isReady: Bool?) async throws {
    let origin = try await Origin.start(Self.plain)
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(upstream: origin.url, listen: [any], admin: any)
    // Another PoP that nobody reaches.
    var other = configuration.pops[0]
    other.id = "other"
    other.admin = SocketEndpoint(host: "127.0.0.1", port: try ClosedPort().url.port)
    configuration.pops.append(other)
    configuration.serving.readyWhenUnsynced = isReady
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let answer = try await pop.admin("GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n")
    #expect(answer.status == (isReady == false ? 503 : 200))
    let says = answer.text.contains("catching-up") || answer.text.contains("unsynced")
    #expect(says == (isReady == false), "\(answer.text)")
    try await pop.stop()
    await origin.stop()
  }
}
