import EdgeFleet
import NIOCore
import NameServer
import Testing

@testable import EdgePoP

// Upstreams that are given by a name, and a name server that does as it is told.

@Suite("Names of upstreams", .serialized)
struct NameTests {
  private func withPoP(
    _ server: NameServer, origin port: Int, _ change: (inout TestPoP.Setup) -> Void = { _ in },
    _ body: (TestPoP) async throws -> Void
  ) async throws {
    let resolver = try ResolverAddress(parsing: server.address)
    let pop = try await TestPoP.start(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: port)
    ) {
      $0.resolvers = [resolver]
      change(&$0)
    }
    do {
      try await body(pop)
    } catch {
      try? await pop.stop()
      server.stop()
      throw error
    }
    try await pop.stop()
    server.stop()
  }

  @Test("The limit of connecting holds for the look-up too, which then has no place in the pool")
  func limit() async throws {
    let server = try NameServer()
    server.set("origin.example", .init(.silence, .silence))
    try await withPoP(
      server, origin: 80,
      {
        $0.limits.connect = .milliseconds(300)
        $0.limits.upstreamConnections = 1
        // Far more than eight times that, and less than a silent name server is waited for twice.
        $0.limits.queue = .seconds(10)
      }
    ) { pop in
      var wires: [Wire] = []
      for number in 0..<8 {
        let wire = try await pop.connect()
        wire.send("POST /\(number) HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
        wires.append(wire)
      }
      for wire in wires {
        let response = try await wire.readResponse()
        #expect(response.status == 504, "\(response.cacheStatus)")
        // Whichever clock struck first, that of the wait or that of the exchange.
        let details = ["detail=dns-timeout", "detail=connect-timeout"]
        #expect(details.contains { response.cacheStatus.contains($0) })
      }
      let statistics = try await pop.statistics()
      #expect(statistics.names.kept == 1)
      #expect(statistics.names.lookups >= 1)
    }
  }

  @Test("A new connection needs no name server while what it said holds")
  func kept() async throws {
    let origin = try await Origin.start { exchange in
      exchange.answer("ok", "Cache-Control: no-store", "Connection: close")
    }
    let server = try NameServer()
    server.set("origin.example", .init(.addresses(["127.0.0.1"], ttl: 3600)))
    try await withPoP(server, origin: origin.url.port) { pop in
      for _ in 0..<5 {
        let response = try await pop.get("/")
        #expect(response.status == 200)
        server.setDown(true)
      }
      #expect(origin.wires.count == 5)
      #expect(server.questions.count == 2)
      let names = try await pop.statistics().names
      #expect(names.lookups == 1 && names.failures == 0 && names.staleUses == 0)
    }
    await origin.stop()
  }

  @Test("An upstream whose name is gone is left out, and its next one asked")
  func nextUpstream() async throws {
    let origin = try await Origin.start { $0.answer("ok", "Cache-Control: no-store") }
    let server = try NameServer()
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "none.example", port: 80), listen: [any],
      admin: any, threads: 1)
    configuration.sites[0].origin.append(origin.url)
    configuration.resolvers = [try ResolverAddress(parsing: server.address)]
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    for _ in 0..<4 {
      let response = try await pop.get("/")
      #expect(response.status == 200, "\(response.cacheStatus)")
    }
    #expect(Set(server.questions.map(\.name)).count <= 1)
    let health = try await pop.admin("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(
      health.text.contains(#""degraded""#) && health.text.contains("none.example has no address"))
    try await pop.stop()
    server.stop()
    await origin.stop()
  }
}
