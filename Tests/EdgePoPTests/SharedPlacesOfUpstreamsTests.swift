import EdgeCache
import NIOCore
import Testing

@testable import EdgePoP

// The bound of connections to an upstream is for the PoP, however many event loops it has, and what changes its
// protocol does not count in it.

@Suite("Places of upstreams", .serialized)
struct SharedPlacesOfUpstreamsTests {
  @Test("As many requests at a time as there may be connections, on whatever event loops they come")
  func rounds() async throws {
    let gates = (0..<6).map { _ in Gate() }
    try await withPoP(
      {
        $0.threads = 4
        $0.limits.upstreamConnections = 8
      },
      origin: { exchange in
        let round = Int(exchange.request.target.dropFirst().prefix(1)) ?? 0
        await gates[round].wait()
        exchange.answer("ok", "Cache-Control: no-store")
      }
    ) { pop, origin in
      for round in gates.indices {
        // New connections each time, which the system deals out to the loops as it likes.
        var wires: [Wire] = []
        for number in 0..<8 {
          let wire = try await pop.connect()
          wire.send(TestPoP.request("/\(round)\(number)"))
          wires.append(wire)
        }
        // Nobody waits for anybody: all are with the origin before any is answered.
        try await origin.waitForRequests(8 * (round + 1))
        gates[round].open()
        for wire in wires {
          #expect(try await wire.readResponse().status == 200)
          await wire.close()
        }
      }
      #expect(try await pop.statistics().upstreamFailures["queue-timeout"] == 0)
    }
  }

  private static let upgrade =
    "GET /socket HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
  private static let accepted =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

  @Test(
    "Tunnels take no places from requests, and come to an end of their own",
    arguments: [Int.max, 3])
  func tunnels(most: Int) async throws {
    let connector = SlowConnector()
    let pop = try connector.pop { ($0.upstreamConnections, $0.upstreamTunnels) = (2, most) }
    var wires: [Wire] = []
    var upstreams: [UpstreamPeer] = []
    for number in 0..<5 {
      let wire = pop.connect()
      wire.send(Self.upgrade)
      wires.append(wire)
      guard number < most else { continue }
      let upstream = connector.accept(number, in: pop)
      upstreams.append(upstream)
      upstream.send(Self.accepted)
      pop.turn { _ in }
    }
    for (number, wire) in wires.enumerated() {
      #expect(try await wire.readHead().status == (number < most ? 101 : 503))
    }
    let tunnels = min(most, 5)
    #expect(pop.statistics().limits["upstreamTunnels"] == UInt64(5 - tunnels))
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let upstream = connector.accept(tunnels, in: pop)
    upstream.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok")
    pop.turn { _ in }
    #expect(try await wire.readResponse().text == "ok")
    // A tunnel that ends makes room for another one.
    await wires[0].close()
    let next = pop.connect()
    next.send(Self.upgrade)
    let number = connector.attempts.count
    #expect(number == tunnels + 1, "it goes on the connection that is idle")
    pop.turn { loop in
      let index = connector.attempts[0].upstream
      let (tunnels, taken) = loop.shared.upstreamPlaces.use(index) { ($0.tunnels, $0.taken) }
      #expect(tunnels == min(most, 5) - 1 && taken == 1)
    }
    #expect(upstreams.map(\.isClosed) == [true] + upstreams.dropFirst().map { _ in false })
    await pop.stop()
  }

  @Test("Of tunnels that are asked for at the same time no more begin than may")
  func tunnelsAtOnce() async throws {
    let connector = SlowConnector()
    let pop = try connector.pop { ($0.upstreamConnections, $0.upstreamTunnels) = (4, 1) }
    let wires = (0..<2).map { _ in pop.connect() }
    for wire in wires { wire.send(Self.upgrade) }
    let upstreams = (0..<2).map { connector.accept($0, in: pop) }
    for upstream in upstreams {
      upstream.send(Self.accepted)
      pop.turn { _ in }
    }
    #expect(try await wires[0].readHead().status == 101)
    #expect(try await wires[1].readHead().status == 503)
    #expect(upstreams.map(\.isClosed) == [false, true])
    await pop.stop()
  }
}
