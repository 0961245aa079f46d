import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// Connections to upstreams that are used again and bounded, several listeners, and an end at which
// nobody loses a response.

@Suite("Upstream connections and life cycle", .serialized)
struct LifecycleTests {
  private static let plain: Origin.Script = { exchange in
    exchange.answer("ok", "Cache-Control: no-store")
  }

  @Test("Requests one after another use one upstream connection (RFC 9112 §9.3)")
  func reuse() async throws {
    try await withPoP(origin: Self.plain) { pop, origin in
      for _ in 0..<10 {
        let response = try await pop.get("/")
        #expect(response.text == "ok")
      }
      #expect(origin.wires.count == 1)
    }
  }

  @Test(
    "An upstream connection that may not be used again is not (RFC 9112 §9.6)",
    arguments: ["Connection: close", "1.0", "until close"])
  func noReuse(how: String) async throws {
    try await withPoP(origin: { exchange in
      switch how {
      case "1.0":
        exchange.send("HTTP/1.0 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")
      case "until close":
        await exchange.wire.sendAll(
          ByteBuffer(string: "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nok"))
        try await exchange.end(.finish)
      default: exchange.answer("ok", "Cache-Control: no-store", how)
      }
    }) { pop, origin in
      for _ in 0..<3 {
        let response = try await pop.get("/")
        #expect(response.text == "ok")
      }
      #expect(origin.wires.count == 3)
    }
  }

  @Test("No more connections than the limit; the rest wait their turn, and all are answered")
  func limit() async throws {
    let gate = Gate()
    try await withPoP(
      { $0.limits.upstreamConnections = 3 },
      origin: { exchange in
        await gate.wait()
        exchange.answer(exchange.request.target, "Cache-Control: no-store")
      }
    ) { pop, origin in
      var wires: [Wire] = []
      for number in 0..<30 {
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/\(number)"))
        wires.append(wire)
      }
      try await origin.waitForRequests(3)
      gate.open()
      for (number, wire) in wires.enumerated() {
        #expect(try await wire.readResponse().text == "/\(number)")
      }
      #expect(origin.wires.count == 3)
    }
  }

  @Test("A full queue is 503 and when to come again (RFC 9110 §15.6.4)")
  func fullQueue() async throws {
    let gate = Gate()
    try await withPoP(
      {
        $0.limits.upstreamConnections = 1
        $0.limits.upstreamQueue = 1
      },
      origin: { exchange in
        await gate.wait()
        exchange.answer(exchange.request.target, "Cache-Control: no-store")
      }
    ) { pop, origin in
      let first = try await pop.connect()
      first.send(TestPoP.request("/1"))
      try await origin.waitForRequests(1)
      let second = try await pop.connect()
      second.send(TestPoP.request("/2"))
      try await eventually("two requests") {
        try await pop.statistics().bytesReceived >= 2 * TestPoP.request("/1").utf8.count
      }
      let third = try await pop.get("/3")
      #expect(third.status == 503)
      #expect(third["Retry-After"] != nil)
      #expect(third.cacheStatus.contains("detail=queue-full"))
      gate.open()
      #expect(try await first.readResponse().text == "/1")
      #expect(try await second.readResponse().text == "/2")
    }
  }

  @Test("A client that leaves the queue takes no connection with it")
  func leavesQueue() async throws {
    let gate = Gate()
    try await withPoP(
      { $0.limits.upstreamConnections = 1 },
      origin: { exchange in
        await gate.wait()
        exchange.answer(exchange.request.target, "Cache-Control: no-store")
      }
    ) { pop, origin in
      let first = try await pop.connect()
      first.send(TestPoP.request("/1"))
      try await origin.waitForRequests(1)
      let second = try await pop.connect()
      second.send("POST /2 HTTP/1.1\r\nHost: a\r\n\r\n")
      try await eventually("two connections") { try await pop.statistics().openConnections == 2 }
      await second.reset()
      try await eventually("one connection") { try await pop.statistics().openConnections == 1 }
      gate.open()
      #expect(try await first.readResponse().text == "/1")
      #expect(try await pop.get("/3").text == "/3")
      #expect(!origin.requests.contains { $0.target == "/2" })
    }
  }

  @Test("A client that leaves a pass-through ends it at the upstream")
  func clientLeaves() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
      _ = try await exchange.wire.waitForEnd()
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try await wire.readHead()
      // A mere close looks like a half-close, after which the response is still wanted.
      await wire.reset()
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }

  @Test("All listeners serve the same store, on all loops")
  func listeners() async throws {
    try await withPoP(
      {
        $0.listeners = 3
        $0.threads = 2
      }, origin: { $0.answer("ok", "Cache-Control: max-age=60") }
    ) { pop, origin in
      #expect(Set(pop.server.listenAddresses.map(\.port)).count == 3)
      _ = try await pop.get("/")
      try await pop.waitForFills()
      for address in pop.server.listenAddresses + pop.server.listenAddresses {
        let wire = try await Wire.connect(address)
        #expect(try await wire.exchange(TestPoP.request("/")).cacheStatus.contains("; hit"))
      }
      #expect(origin.requests.count == 1)
    }
  }

  @Test("An address in use, or an open admin API without a token, is said at the start")
  func startProblems() async throws {
    try await withPoP(origin: Self.plain) { pop, origin in
      let any = SocketEndpoint(host: "127.0.0.1", port: 0)
      for (listen, admin) in [
        (pop.address, any), (any, pop.server.adminAddress),
        (any, SocketEndpoint(host: "0.0.0.0", port: 0)),
      ] {
        let configuration = FleetConfiguration.single(
          upstream: origin.url, listen: [listen], admin: admin, threads: 1)
        await #expect(throws: StartProblem.self) {
          try await PoPServer.start(
            PoPOptions(configuration: configuration, pop: configuration.pops[0]))
        }
      }
    }
  }

  // MARK: Shutdown

  @Test("A graceful shutdown finishes what runs and takes nothing new", arguments: ["hit", "miss"])
  func drain(kind: String) async throws {
    let size = 16 << 20
    let gate = Gate()
    let origin = try await Origin.start { exchange in
      let length = kind == "hit" ? 1 << 20 : size
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: \(kind == "hit" ? "max-age=60" : "no-store")\r\n"
          + "Content-Length: \(length)\r\n\r\n")
      if kind == "miss" { await gate.wait() }
      exchange.wire.send(Pattern.bytes(length))
    }
    let pop = try await TestPoP.start(upstream: origin.url) { $0.limits.drain = .seconds(120) }
    let idle = try await pop.connect()
    let reader = try await pop.connect(receiveBuffer: 32 << 10)
    let count = kind == "hit" ? 12 : 1
    if kind == "hit" {
      _ = try await pop.get("/")
      try await pop.waitForFills()
      try await reader.pause()
    }
    reader.send(String(repeating: TestPoP.request("/"), count: count))
    if kind == "miss" {
      try await origin.waitForRequests(1)
    } else {
      // All of them are here, and the first is on its way.
      try await eventually("the requests") {
        try await pop.statistics().bytesReceived >= (count + 1) * TestPoP.request("/").utf8.count
      }
      _ = try await settled("answers") { Int(try await pop.statistics().requests) }
    }
    await pop.beginShutdown()
    // An idle connection is closed, a new one is not taken.
    #expect(try await idle.waitForEnd() == .finished)
    await #expect(throws: (any Error).self) { try await pop.connect() }
    gate.open()
    if kind == "hit" { try await reader.resume() }
    for _ in 0..<count {
      let head = try await reader.readHead()
      #expect(head.status == 200)
      try await Pattern.expect(kind == "hit" ? 1 << 20 : size, on: reader)
      if head["Connection"] == "close" { break }
    }
    #expect(try await reader.waitForEnd() == .finished)
    try await pop.waitForEnd()
    await origin.stop()
  }

  @Test("For drainDelay a PoP that ends says so, and serves whoever still comes")
  func drainDelay() async throws {
    let origin = try await Origin.start(Self.plain)
    let pop = try await TestPoP.start(upstream: origin.url) {
      $0.serving.drainDelay = .seconds(3600)
    }
    let kept = try await pop.connect()
    #expect(try await kept.exchange(TestPoP.request("/1"))["Connection"] == nil)
    await pop.beginShutdown()
    try await eventually("that it is not ready") {
      try await pop.admin("GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n").status == 503
    }
    let ready = try await pop.admin("GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n")
    #expect(ready.text.contains("\"draining\""))
    try await eventually("that connections are not kept") {
      let response = try await pop.get("/2")
      return response.status == 200 && response["Connection"] == "close"
    }
    #expect(try await kept.exchange(TestPoP.request("/3"))["Connection"] == "close")
    #expect(try await kept.waitForEnd() == .finished)
    // As when a successor asks for the addresses.
    pop.server.life.hurry()
    try await pop.waitForEnd()
    await #expect(throws: (any Error).self) { try await pop.connect() }
    await origin.stop()
  }

  @Test("A shutdown does not wait for ever")
  func drainLimit() async throws {
    let origin = try await Origin.start { _ = try await $0.wire.waitForEnd() }
    let pop = try await TestPoP.start(upstream: origin.url) { $0.limits.drain = .milliseconds(100) }
    let wire = try await pop.connect()
    wire.send(TestPoP.request("/"))
    try await origin.waitForRequests(1)
    try await pop.stop()
    try await wire.waitForEnd()
    await origin.stop()
  }

  @Test("A shutdown during a response that ends with the connection does not make it look whole")
  func drainUntilClose() async throws {
    let origin = try await Origin.start { exchange in
      exchange.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\nabc")
      _ = try await exchange.wire.waitForEnd()
    }
    let pop = try await TestPoP.start(upstream: origin.url) { $0.limits.drain = .milliseconds(100) }
    let old = try await pop.connect()
    old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    let new = try await pop.connect()
    new.send(TestPoP.request("/"))
    for wire in [old, new] { _ = try await wire.readHead() }
    try await pop.stop()
    #expect(try await old.waitForEnd() == .broken)
    #expect(!(try await new.takeRest()).hasSuffix("0\r\n\r\n"))
    await origin.stop()
  }
}
