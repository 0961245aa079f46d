import NIOCore
import Testing

@testable import EdgePoP

// One request upstream for any number of clients (RFC 9111 §4), none of whom can harm another.

@Suite("Collapsed forwarding", .serialized, .eachCarrier)
struct CollapsedForwardingTests {
  /// Connects clients and sends the same GET on each.
  private func clients(_ count: Int, of pop: TestPoP, _ target: String = "/") async throws -> [Wire]
  {
    var wires: [Wire] = []
    for _ in 0..<count {
      let wire = try await pop.connect()
      wire.send(TestPoP.request(target))
      wires.append(wire)
    }
    return wires
  }

  @Test("A thousand clients of one slow URL make one request, and all get the same bytes")
  func thousand() async throws {
    let gate = Gate()
    let size = 20_000
    try await withPoP(
      { $0.threads = 2 },
      origin: { exchange in
        await gate.wait()
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: \(size)\r\n\r\n")
        exchange.wire.send(Pattern.bytes(size))
      }
    ) { pop, origin in
      let wires = try await clients(1000, of: pop)
      try await eventually("all requests") {
        try await pop.statistics().bytesReceived >= 1000 * TestPoP.request("/").utf8.count
      }
      gate.open()
      var collapsed = 0
      for wire in wires {
        let response = try await wire.readResponse()
        #expect(response.content == Pattern.bytes(size))
        if response.cacheStatus.contains("; collapsed") { collapsed += 1 }
      }
      #expect(collapsed == 999)
      #expect(origin.requests.count == 1)
      for wire in wires { await wire.close() }
    }
  }

  @Test("Followers stream while the response is still arriving")
  func streaming() async throws {
    let gate = Gate()
    try await withPoP(
      { $0.threads = 2 },
      origin: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc")
        await gate.wait()
        exchange.send("def")
      }
    ) { pop, origin in
      let leader = try await clients(1, of: pop)[0]
      #expect(try await leader.readHead().status == 200)
      #expect(try await leader.take(3) == ByteBuffer(string: "abc"))
      for follower in try await clients(4, of: pop) {
        #expect(try await follower.readHead().cacheStatus.contains("; collapsed"))
        #expect(try await follower.take(3) == ByteBuffer(string: "abc"))
      }
      let last = try await clients(1, of: pop)[0]
      _ = try await last.readHead()
      gate.open()
      #expect(try await leader.take(3) == ByteBuffer(string: "def"))
      #expect(try await last.take(6) == ByteBuffer(string: "abcdef"))
      #expect(origin.requests.count == 1)
    }
  }

  @Test("A leader whose client leaves still serves its followers and the store", arguments: [0, 3])
  func leaderLeaves(sent: Int) async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\n"
      let all = head + "abcdef"
      if sent > 0 { exchange.send(String(all.dropLast(sent))) }
      await gate.wait()
      exchange.send(sent > 0 ? String(all.suffix(sent)) : all)
    }) { pop, origin in
      let leader = try await clients(1, of: pop)[0]
      try await origin.waitForRequests(1)
      if sent > 0 { _ = try await leader.readHead() }
      let follower = try await clients(1, of: pop)[0]
      try await eventually("both") { try await pop.statistics().openConnections == 2 }
      await leader.reset()
      try await eventually("the leader to be gone") {
        try await pop.statistics().openConnections == 1
      }
      gate.open()
      #expect(try await follower.readResponse().text == "abcdef")
      try await pop.waitForFills()
      #expect(try await pop.get("/").cacheStatus.contains("; hit"))
      #expect(origin.requests.count == 1)
    }
  }

  @Test("A follower that does not read harms nobody")
  func stalledFollower() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1500000\r\n\r\n")
      await gate.wait()
      exchange.wire.send(Pattern.bytes(1_500_000))
    }) { pop, origin in
      let leader = try await clients(1, of: pop)[0]
      let stalled = try await pop.connect(receiveBuffer: 32 << 10)
      try await stalled.pause()
      stalled.send(TestPoP.request("/"))
      let other = try await clients(1, of: pop)[0]
      gate.open()
      for wire in [leader, other] {
        #expect(try await wire.readHead().status == 200)
        try await Pattern.expect(1_500_000, on: wire)
      }
      try await stalled.resume()
      #expect(try await stalled.readHead().status == 200)
      try await Pattern.expect(1_500_000, on: stalled)
      #expect(origin.requests.count == 1)
    }
  }

  @Test("What may not be stored is forwarded for each, and not waited for afterwards")
  func uncacheable() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      if exchange.number == 1 { await gate.wait() }
      exchange.answer("\(exchange.number)", "Cache-Control: private")
    }) { pop, origin in
      let wires = try await clients(10, of: pop)
      try await origin.waitForRequests(1)
      try await eventually("all requests") {
        try await pop.statistics().bytesReceived >= 10 * TestPoP.request("/").utf8.count
      }
      gate.open()
      var texts: Set<String> = []
      for wire in wires {
        let response = try await wire.readResponse()
        #expect(response.status == 200)
        texts.insert(response.text)
      }
      // Nobody got what was meant for another.
      #expect(texts.count == 10)
      #expect(origin.requests.count == 10)
    }
  }

  @Test("Requests for a hit-for-miss key do not wait for each other")
  func hitForMiss() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      if exchange.number == 2 { await gate.wait() }
      exchange.answer("\(exchange.number)", "Cache-Control: private")
    }) { pop, origin in
      _ = try await pop.get("/")
      let slow = try await clients(1, of: pop)[0]
      try await origin.waitForRequests(2)
      #expect(try await pop.get("/").text == "3")
      gate.open()
      #expect(try await slow.readResponse().text == "2")
    }
  }

  @Test("A leader that fails before a head fails its followers, at once", arguments: [1, 20])
  func leaderFails(followers: Int) async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      await gate.wait()
      try await exchange.end(.reset)
    }) { pop, origin in
      let wires = try await clients(1 + followers, of: pop)
      try await eventually("all requests") {
        try await pop.statistics().bytesReceived
          >= (1 + followers) * TestPoP.request("/").utf8.count
      }
      gate.open()
      for wire in wires { #expect(try await wire.readResponse().status == 502) }
      #expect(origin.requests.count == 1)
    }
  }

  @Test("A leader that breaks off within content breaks its followers off")
  func leaderBreaks() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\nabc")
      await gate.wait()
      try await exchange.end(.finish)
    }) { pop, _ in
      let wires = try await clients(5, of: pop)
      for wire in wires { #expect(try await wire.readHead().status == 200) }
      gate.open()
      for wire in wires { #expect(try await wire.takeRest() == "abc") }
    }
  }

  @Test("Where staleness is allowed on errors, all who wait get what is stale (RFC 5861 §4)")
  func staleOnError() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      if exchange.number == 1 {
        return exchange.answer("old", "Cache-Control: max-age=0, stale-if-error=60", "ETag: \"a\"")
      }
      await gate.wait()
      try await exchange.end(.reset)
    }) { pop, origin in
      _ = try await pop.get("/")
      try await pop.waitForFills()
      let wires = try await clients(5, of: pop)
      try await eventually("all requests") {
        try await pop.statistics().bytesReceived >= 6 * TestPoP.request("/").utf8.count
      }
      gate.open()
      for wire in wires {
        let response = try await wire.readResponse()
        #expect(response.status == 200)
        #expect(response.text == "old")
      }
    }
  }

  @Test("Clients of different variants do not get each other's (RFC 9111 §4.1)")
  func variants() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      if exchange.number == 1 { await gate.wait() }
      exchange.answer(
        exchange.request["X-Kind"] ?? "", "Cache-Control: max-age=60", "Vary: X-Kind")
    }) { pop, _ in
      var wires: [(String, Wire)] = []
      for number in 0..<20 {
        let wire = try await pop.connect()
        let kind = "k\(number % 4)"
        wire.send(TestPoP.request("/", ["X-Kind: \(kind)"]))
        wires.append((kind, wire))
      }
      gate.open()
      for (kind, wire) in wires { #expect(try await wire.readResponse().text == kind) }
    }
  }
}
