import EdgeFleet
import Testing

@testable import EdgePoP

// A client that ends its side of the connection is most often gone. What is only passed through for it ends, whenever it
// turns out to be only that: before the end of its input or after it.

@Suite("Clients that leave")
struct LeavingClientTests {
  private let connector = SlowConnector()
  private let own = "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 9\r\n\r\n"

  @Test("A response that turns out to be its client's own when it comes is still sent")
  func turnsToPassing() async throws {
    let pop = try connector.pop()
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    await wire.finish()
    let upstream = connector.accept(0, in: pop)
    upstream.send("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 2\r\n\r\nok")
    pop.turn { _ in }
    #expect(try await wire.readResponse().text == "ok")
    await pop.stop()
  }

  @Test("What is passed through is not asked for, if the client has left before; what it got stays")
  func pipelined() async throws {
    let pop = try connector.pop()
    let wire = pop.connect()
    wire.send(TestPoP.request("/") + "DELETE / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    await wire.finish()
    let upstream = connector.accept(0, in: pop)
    upstream.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok")
    pop.turn { _ in }
    #expect(try await wire.readResponse().text == "ok")
    #expect(wire.end == .broken)
    #expect(!upstream.isClosed && !upstream.received.contains("DELETE"))
    #expect(connector.attempts.count == 1)
    pop.turn { loop in #expect(loop.pools[connector.attempts[0].upstream].idleCount == 1) }
    await pop.stop()
  }

  @Test(
    "A key that is known not to be shared is passed through: its upstream is let go of at once",
    arguments: [false, true])
  func knownNotToBeShared(serves: Bool) async throws {
    let pop = try connector.pop(limits: { $0.servesHalfClosed = serves })
    let first = pop.connect()
    first.send(TestPoP.request("/"))
    let upstream = connector.accept(0, in: pop)
    upstream.send(own + "something")
    pop.turn { _ in }
    #expect(try await first.readResponse().text == "something")
    let wire = pop.connect()
    // One on the connection that is there already.
    wire.send(TestPoP.request("/"))
    await wire.finish()
    pop.turn { _ in }
    #expect(upstream.isClosed == !serves)
    if serves { upstream.send(own + "something") }
    pop.turn { _ in }
    let isServed = wire.total > 0
    #expect(isServed == serves)
    #expect(wire.end == (serves ? nil : .broken))
    #expect(pop.statistics().statuses["4xx"] == (serves ? 0 : 1))
    await pop.stop()
  }

  @Test("A client that leaves while its request waits for a connection leaves the queue")
  func queued() async throws {
    let pop = try connector.pop { $0.upstreamConnections = 1 }
    let wires = (0..<2).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() {
      wire.send("DELETE /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    await wires[1].finish()
    pop.turn { loop in
      #expect(loop.pools[connector.attempts[0].upstream].waitingCount == 0)
    }
    #expect(wires[1].end == .broken)
    await pop.stop()
  }
}
