import NIOCore
import Testing

@testable import EdgePoP

// Whatever takes too long ends: clients that say nothing, trickle or do not read (RFC 9110
// §15.5.9), and upstreams that do not answer or stop (§15.6.5). Nobody else's slowness counts.
//
// Limits that must strike are short: a machine that is slow makes them strike later. Those that must
// not strike are seconds, which is longer than a busy machine stops one of its threads.

private let fast: Origin.Script = { exchange in
  try await exchange.readContent()
  exchange.answer("ok", "Cache-Control: max-age=60")
}

@Suite("Time limits", .serialized)
struct TimeLimitTests {
  // MARK: Clients

  @Test("A client that says nothing is closed without a word")
  func noFirstByte() async throws {
    try await withPoP({ $0.limits.firstByte = .milliseconds(100) }, origin: fast) { pop, _ in
      let wire = try await pop.connect()
      #expect(try await wire.takeRest() == "")
      #expect(try await pop.statistics().timeouts == 1)
    }
  }

  @Test("A head that does not come to its end is 408, the first as well as the next")
  func slowHead() async throws {
    try await withPoP({ $0.limits.head = .milliseconds(100) }, origin: fast) { pop, origin in
      for served in 0...1 {
        let wire = try await pop.connect()
        for _ in 0..<served { _ = try await wire.exchange(TestPoP.request("/")) }
        wire.send("GET /slow HTTP/1.1\r\nHost: a.exa")
        let response = try await wire.readResponse()
        #expect(response.status == 408)
        #expect(response["Connection"] == "close")
        #expect(try await wire.waitForEnd() == .finished)
      }
      #expect(origin.requests.count == 1)
    }
  }

  @Test("Time for a head does not start anew with each byte")
  func trickledHead() async throws {
    try await withPoP({ $0.limits.head = .milliseconds(500) }, origin: fast) { pop, _ in
      let wire = try await pop.connect()
      let trickle = Task {
        wire.send("GET / HTTP/1.1\r\nHost: a.example\r\nX: ")
        while wire.end == nil {
          wire.send("x")
          try await Task.sleep(for: .milliseconds(50))
        }
      }
      #expect(try await wire.readResponse().status == 408)
      try await wire.waitForEnd()
      try await trickle.value
    }
  }

  @Test("Content that stalls is 408, and the upstream does not take it for whole")
  func stalledContent() async throws {
    // It must have gone to the upstream before the limit strikes.
    for limit in [TimeAmount.milliseconds(100), .seconds(2), .seconds(15)] {
      var isAsked = false
      try await withPoP({ $0.limits.contentStall = limit }, origin: fast) { pop, origin in
        let wire = try await pop.connect()
        wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nabc")
        let response = try await wire.readResponse()
        #expect(response.status == 408)
        #expect(response["Connection"] == "close")
        isAsked = !origin.requests.isEmpty
        if isAsked {
          #expect(try await origin.wires[0].waitForServerClose())
          #expect(origin.requests.map(\.text) == [""])
        }
      }
      if isAsked { return }
    }
    Issue.record("it never went to the upstream")
  }

  @Test("Content that only trickles is 408 while others wait")
  func slowContent() async throws {
    try await withPoP(
      {
        $0.limits.slowContentGrace = .milliseconds(900)
        $0.limits.slowestContent = 1000
        $0.limits.upstreamConnections = 1
      }, origin: fast
    ) { pop, _ in
      let wires = [try await pop.connect(), try await pop.connect()]
      for wire in wires {
        wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n")
      }
      let trickle = Task {
        while wires.contains(where: { $0.end == nil }) {
          for wire in wires { wire.send("x") }
          try await Task.sleep(for: .milliseconds(20))
        }
      }
      // Then there is room for the other one.
      #expect(try await wires[0].readResponse().status == 408)
      try await wires[0].waitForEnd()
      await wires[1].close()
      try await trickle.value
    }
  }

  @Test("A client is not blamed for an upstream that does not take its content")
  func slowUpstreamIsNotTheClient() async throws {
    try await withPoP(
      { $0.limits.contentStall = .seconds(2) },
      origin: { exchange in
        // Nothing of what comes next on this connection is read until the test says so.
        if exchange.number == 1 { try await exchange.wire.pause() }
        try await exchange.readContent()
        exchange.answer("ok", "Cache-Control: no-store")
      }
    ) { pop, origin in
      let wire = try await pop.connect()
      let size = 24 << 20
      var request = ByteBuffer(
        string: "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(size)\r\n\r\n")
      request.writeImmutableBuffer(Pattern.bytes(size))
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      wire.send(request)
      // Longer than the limit and several of its checks of the time.
      try await Task.sleep(for: .seconds(5))
      #expect(wire.end == nil)
      #expect(origin.wires[0].total < size)
      try await origin.wires[0].resume()
      #expect(try await wire.readResponse().status == 200)
      #expect(origin.wires.count == 1)
    }
  }

  @Test("A client that does not read is closed")
  func clientDoesNotRead() async throws {
    try await withPoP(
      { $0.limits.clientStall = .milliseconds(200) },
      origin: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 99999999\r\n\r\n")
        exchange.wire.send(Pattern.bytes(32 << 20))
      }
    ) { pop, origin in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(TestPoP.request("/"))
      try await eventually("the connection to be closed") {
        try await pop.statistics().openConnections == 0
      }
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }

  @Test("An idle connection is closed without a word")
  func keepAlive() async throws {
    try await withPoP({ $0.limits.keepAlive = .milliseconds(100) }, origin: fast) { pop, _ in
      let wire = try await pop.connect()
      _ = try await wire.exchange(TestPoP.request("/"))
      #expect(try await wire.takeRest() == "")
    }
  }

  @Test("A connection is not idle while its client still reads a stored response")
  func slowReaderIsNotIdle() async throws {
    let size = 1 << 20
    try await withPoP(
      { $0.limits.keepAlive = .milliseconds(500) },
      origin: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: \(size)\r\n\r\n")
        exchange.wire.send(Pattern.bytes(size))
      }
    ) { pop, _ in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      let count = 12
      wire.send(String(repeating: TestPoP.request("/"), count: count))
      try await Task.sleep(for: .milliseconds(2500))
      try await wire.resume()
      for _ in 0..<count {
        #expect(try await wire.readHead().status == 200)
        try await Pattern.expect(size, on: wire)
      }
    }
  }

  // MARK: Clients that leave

  /// What is asked of an origin that answers when a test says so, by clients that end their side of the connection.
  private func halfClosed(
    _ request: String, serves: Bool, _ body: (Wire, Origin, Gate) async throws -> Void
  ) async throws {
    let gate = Gate()
    try await withPoP(
      { $0.limits.servesHalfClosed = serves },
      origin: { exchange in
        await gate.wait()
        exchange.answer("late", "Cache-Control: max-age=60")
      }
    ) { pop, origin in
      let wire = try await pop.connect()
      wire.send(request)
      try await origin.waitForRequests(1)
      await wire.finish()
      try await body(wire, origin, gate)
      gate.open()
    }
  }

  private static let passedThrough = [
    "GET / HTTP/1.1\r\nHost: a.example\r\nCache-Control: no-store\r\n\r\n",
    "DELETE / HTTP/1.1\r\nHost: a.example\r\n\r\n",
  ]

  @Test("A client that closes while it waits for what is passed through lets go of the upstream")
  func clientLeaves() async throws {
    try await halfClosed(Self.passedThrough[0], serves: false) { wire, origin, _ in
      let rest = try await wire.takeRest()
      #expect(rest == "")
      let isClosed = try await origin.wires[0].waitForServerClose()
      #expect(isClosed)
    }
  }

  @Test("By choice it is served, as is who may get what is stored", arguments: 0..<3)
  func halfClosedIsServed(row: Int) async throws {
    let request = row < 2 ? Self.passedThrough[row] : TestPoP.request("/")
    try await halfClosed(request, serves: row < 2) { wire, _, gate in
      gate.open()
      let rest = try await wire.takeRest()
      #expect(rest.hasSuffix("late"))
    }
  }

  // MARK: Upstreams

  @Test("An upstream that does not answer is 504 (RFC 9110 §15.6.5)", arguments: ["GET", "POST"])
  func firstByte(method: String) async throws {
    try await withPoP(
      {
        $0.limits.upstreamFirstByte = .milliseconds(100)
      }, origin: { _ = try await $0.wire.waitForEnd() }
    ) { pop, origin in
      let wire = try await pop.connect()
      let response = try await wire.exchange("\(method) / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      #expect(response.status == 504)
      #expect(response.cacheStatus.contains("; detail=first-byte-timeout"))
      try await origin.waitForRequests(1)
      #expect(origin.requests.count == 1)
      // The client's connection is still good.
      wire.send(TestPoP.request("/", ["Cache-Control: only-if-cached"]))
      #expect(try await wire.readResponse().status == 504)
    }
  }

  @Test("An upstream that stops within its response breaks it off", arguments: [60, 0])
  func betweenBytes(maxAge: Int) async throws {
    try await withPoP(
      { $0.limits.betweenBytes = .milliseconds(100) },
      origin: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=\(maxAge)\r\nContent-Length: 9\r\n\r\nabc")
        _ = try await exchange.wire.waitForEnd()
      }
    ) { pop, _ in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      #expect(try await wire.takeRest().hasSuffix("\r\n\r\nabc"))
      #expect(try await pop.statistics().memory.storedResponses == 0)
    }
  }

  @Test("An upstream is not blamed for a client that does not read")
  func slowClientIsNotTheUpstream() async throws {
    let size = 24 << 20
    try await withPoP(
      { $0.limits.betweenBytes = .seconds(2) },
      origin: { exchange in
        let content = Pattern.bytes(size)
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: \(size)\r\n\r\n")
        exchange.wire.send(content)
      }
    ) { pop, _ in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(TestPoP.request("/"))
      // Longer than the limit and several of its checks of the time.
      try await Task.sleep(for: .seconds(5))
      try await wire.resume()
      #expect(try await wire.readHead().status == 200)
      try await Pattern.expect(size, on: wire)
    }
  }

  @Test("Waiting for a connection ends with 503 and when to come again (RFC 9110 §15.6.4)")
  func queue() async throws {
    let gate = Gate()
    try await withPoP(
      {
        $0.limits.upstreamConnections = 1
        $0.limits.queue = .milliseconds(100)
      },
      origin: { exchange in
        await gate.wait()
        exchange.answer("ok", "Cache-Control: no-store")
      }
    ) { pop, origin in
      let first = try await pop.connect()
      first.send(TestPoP.request("/1"))
      try await origin.waitForRequests(1)
      let response = try await pop.get("/2")
      #expect(response.status == 503)
      #expect(response["Retry-After"] != nil)
      #expect(response.cacheStatus.contains("; detail=queue-timeout"))
      gate.open()
      #expect(try await first.readResponse().status == 200)
      #expect(try await pop.get("/3").status == 200)
    }
  }

  @Test("Connections that are kept for clients make room for others who wait")
  func keptConnections() async throws {
    try await withPoP(
      { $0.limits.upstreamConnections = 1 },
      origin: { $0.answer("ok", "Cache-Control: no-store") }
    ) { pop, origin in
      let wire = try await pop.connect()
      let bound = TestPoP.request("/", ["Authorization: Negotiate x"])
      #expect(try await wire.exchange(bound).status == 200)
      #expect(try await wire.exchange(bound).status == 200)
      #expect(try await pop.get("/").status == 200)
      #expect(try await wire.exchange(bound).status == 200)
      #expect(origin.received.map(\.connection) == [1, 1, 2, 2])
      // Nobody else gets it, though it was everybody's before.
      #expect(try await pop.get("/").status == 200)
      #expect(origin.received.map(\.connection).last == 3)
    }
  }

  @Test("An idle upstream connection is closed after its time")
  func idleUpstream() async throws {
    try await withPoP({ $0.limits.upstreamIdle = .milliseconds(100) }, origin: fast) {
      pop, origin in
      let response = try await pop.get("/")
      #expect(response.status == 200)
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }
}
