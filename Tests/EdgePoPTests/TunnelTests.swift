import NIOCore
import Testing

@testable import EdgePoP

// Bytes of another protocol after 101 (RFC 9110 §7.8 and §15.2.2, RFC 6455 §1.3).

@Suite("Tunnel", .serialized)
struct TunnelTests {
  private static let upgrade =
    "GET /socket HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\n"
    + "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"
  private static let accepted =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + "Sec-WebSocket-Accept: a\r\n\r\n"

  @Test("Both sides talk after 101, whose head names the protocol")
  func both() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(Self.accepted + "early")
      let some = try await exchange.wire.take(4)
      exchange.send("got " + String(buffer: some))
      _ = try await exchange.wire.waitForEnd()
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(Self.upgrade + "ping")
      let head = try await wire.readHead()
      #expect(head.status == 101)
      #expect(head["Upgrade"] == "websocket")
      #expect(head["Connection"]?.lowercased() == "upgrade")
      #expect(head["Sec-WebSocket-Accept"] == "a")
      #expect(try await wire.take(13) == ByteBuffer(string: "earlygot ping"))
      #expect(origin.requests[0]["Upgrade"] == "websocket")
      #expect(origin.requests[0]["Connection"] == "upgrade")
      #expect(origin.requests[0]["Sec-WebSocket-Key"] == "k")
      #expect(try await pop.statistics().tunnels == 1)
    }
  }

  @Test(
    "Content that is still to come when the protocol changes comes first, and as content",
    arguments: [
      ("Content-Length: 8", "abcd", "efgh", "abcdefghraw"),
      (
        "Transfer-Encoding: chunked", "8\r\nabcd", "efgh\r\n0\r\n\r\n",
        "4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\nraw"
      ),
    ])
  func content(field: String, first: String, second: String, arrives: String) async throws {
    try await withPoP(origin: { exchange in
      let before = try await exchange.wire.take(through: "abcd")
      exchange.send(Self.accepted)
      exchange.send(before + (try await exchange.wire.take(through: "raw")))
      _ = try await exchange.wire.waitForEnd()
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(
        "POST /socket HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n"
          + "Upgrade: websocket\r\n\(field)\r\n\r\n\(first)")
      #expect(try await wire.readHead().status == 101)
      wire.send(second + "raw")
      #expect(try await wire.take(through: "raw") == arrives)
    }
  }

  @Test("Content that ends before it is whole ends a tunnel")
  func cutContent() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(Self.accepted)
      _ = try await exchange.wire.waitForEnd()
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(
        "POST /socket HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n"
          + "Upgrade: websocket\r\nContent-Length: 8\r\n\r\nabcd")
      #expect(try await wire.readHead().status == 101)
      await wire.finish()
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }

  @Test("What the client sent before it closed arrives, however slowly it is read")
  func clientCloses() async throws {
    let size = 12 << 20
    let gate = Gate()
    let done = Gate()
    try await withPoP(origin: { exchange in
      try await exchange.wire.pause()
      exchange.send(Self.accepted)
      await gate.wait()
      try await exchange.wire.resume()
      try await Pattern.expect(size, on: exchange.wire)
      #expect(try await exchange.wire.waitForEnd() == .finished)
      done.open()
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(Self.upgrade)
      _ = try await wire.readHead()
      wire.send(Pattern.bytes(size))
      let taken = try await settled("bytes from the client") {
        Int(try await pop.statistics().bytesReceived)
      }
      #expect(taken < size)
      gate.open()
      await wire.finish()
      try await eventually("all of it at the origin") { done.isOpen }
    }
  }

  @Test("What the upstream sent before it closed arrives, however slowly it is read")
  func upstreamCloses() async throws {
    let size = 24 << 20
    try await withPoP(origin: { exchange in
      exchange.send(Self.accepted)
      _ = try await exchange.wire.take(2)
      await exchange.wire.sendAll(Pattern.bytes(size))
      try await exchange.end(.finish)
    }) { pop, _ in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      wire.send(Self.upgrade)
      _ = try await wire.readHead()
      try await wire.pause()
      wire.send("go")
      let taken = try await settled("bytes from the upstream") {
        Int(try await pop.statistics().upstream.bytes)
      }
      #expect(taken < 14 << 20)
      try await wire.resume()
      try await Pattern.expect(size, on: wire)
      #expect(try await wire.waitForEnd() == .finished)
    }
  }

  @Test("A client that has finished still gets what the upstream says to that")
  func halfClosed() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(Self.accepted)
      let all = try await exchange.wire.takeRest()
      await exchange.wire.sendAll(ByteBuffer(string: "all of \(all)"))
      try await exchange.end(.finish)
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(Self.upgrade)
      _ = try await wire.readHead()
      wire.send("bytes")
      await wire.finish()
      #expect(try await wire.takeRest() == "all of bytes")
    }
  }

  @Test("A reset on one side ends the other", arguments: ["client", "upstream"])
  func reset(side: String) async throws {
    try await withPoP(origin: { exchange in
      exchange.send(Self.accepted)
      _ = try await exchange.wire.take(1)
      if side == "upstream" { try await exchange.end(.reset) }
      _ = try await exchange.wire.waitForEnd()
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(Self.upgrade + "x")
      _ = try await wire.readHead()
      if side == "client" {
        await wire.reset()
        #expect(try await origin.wires[0].waitForServerClose())
      } else {
        try await wire.waitForEnd()
      }
      try await eventually("no connections") { try await pop.statistics().openConnections <= 1 }
    }
  }

  @Test("An upgrade that is refused is an ordinary response (RFC 9110 §7.8)")
  func refused() async throws {
    try await withPoP(origin: { $0.answer("plain", "Cache-Control: max-age=60") }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(Self.upgrade)
      #expect(try await wire.readResponse().text == "plain")
      #expect(try await wire.exchange(TestPoP.request("/")).text == "plain")
      #expect(origin.requests.count == 2)
    }
  }

  @Test("101 to a request that did not ask is 502 (RFC 9110 §15.2.2)")
  func unasked() async throws {
    try await withPoP(origin: { $0.send(Self.accepted + "forged") }) { pop, _ in
      let response = try await pop.get("/")
      #expect(response.status == 502)
    }
  }

  @Test("An HTTP/1.0 client cannot ask (RFC 9110 §7.8)")
  func http10() async throws {
    try await withPoP(origin: { $0.answer("plain") }) { pop, origin in
      let response = try await pop.exchange(Self.upgrade.replacing("HTTP/1.1", with: "HTTP/1.0"))
      #expect(response.status == 200)
      #expect(origin.requests[0]["Upgrade"] == nil)
    }
  }
}
