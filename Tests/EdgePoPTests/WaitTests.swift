import EdgeCache
import EdgeFleet
import EdgeSocket
import Glibc
import Logging
import NIOCore
import Testing

@testable import EdgePoP

// Every wait of a request has one owner and one deadline. Here nothing is awaited: the clock is what the test
// says, and connections come when it says so, or never.

/// Connections to upstreams that come when a test says so. Touched in turns of its PoP alone.
private final class SlowConnector: UpstreamConnector, @unchecked Sendable {
  typealias Completion = (Result<UpstreamConnection, ConnectProblem>) -> Void

  private(set) var attempts: [(upstream: Int, completion: Completion)] = []
  /// True if connections fail before anybody waits for them.
  var failsAtOnce = false

  func connect(_ index: Int, loop: LoopContext, completion: @escaping Completion) {
    if failsAtOnce { return completion(.failure(.timeout)) }
    attempts.append((index, completion))
  }
}

@Suite("Waits")
struct WaitTests {
  private let connector = SlowConnector()

  private func pop(
    origins: Int = 1, _ change: (inout ShellLimits) -> Void = { _ in }
  ) throws -> MemoryPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    configuration.sites[0].origin = (0..<origins).map {
      UpstreamURL(scheme: .http, host: "origin\($0).example", port: 80)
    }
    var limits = ShellLimits()
    change(&limits)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try MemoryPoP(
      PoPOptions(
        configuration: configuration, pop: configuration.pops[0], limits: limits, logger: logger),
      connector: connector)
  }

  /// The status line that a client has, if it has any.
  private func answer(_ wire: Wire) async throws -> Message? {
    wire.total == 0 ? nil : try await wire.readHead()
  }

  @Test("A name that is never looked up, or a connection that is never made, is 504 in time")
  func connecting() async throws {
    let pop = try pop()
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let began = NIODeadline.now()
    pop.turn { $0.checkTime(began + .seconds(1)) }
    #expect(try await answer(wire) == nil)
    pop.turn { $0.checkTime(began + .seconds(3)) }
    let response = try #require(try await answer(wire))
    #expect(response.status == 504)
    #expect(response.cacheStatus.contains("detail=connect-timeout"))
    await pop.stop()
  }

  @Test("Followers of a leader that waits for a connection are answered with it")
  func followers() async throws {
    let pop = try pop()
    let wires = (0..<3).map { _ in pop.connect() }
    for wire in wires { wire.send(TestPoP.request("/")) }
    #expect(connector.attempts.count == 1)
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    for wire in wires { #expect(try await answer(wire)?.status == 504) }
    await pop.stop()
  }

  @Test("The next upstream is asked when one does not answer in time, and has its own time")
  func nextUpstream() async throws {
    let pop = try pop(origins: 2)
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let began = NIODeadline.now()
    pop.turn { $0.checkTime(began + .seconds(3)) }
    #expect(try await answer(wire) == nil)
    #expect(Set(connector.attempts.map(\.upstream)).count == 2)
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    #expect(try await answer(wire)?.status == 504)
    await pop.stop()
  }

  @Test("A place in a full pool is waited for until its limit, also behind attempts that hang")
  func queue() async throws {
    let pop = try pop {
      $0.upstreamConnections = 1
      $0.queue = .seconds(15)
    }
    let (first, second) = (pop.connect(), pop.connect())
    for (wire, target) in [(first, "/1"), (second, "/2")] {
      wire.send("POST \(target) HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    #expect(connector.attempts.count == 1)
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    #expect(try await answer(first)?.status == 504)
    #expect(try await answer(second) == nil)
    pop.turn { $0.checkTime(.now() + .seconds(16)) }
    let response = try #require(try await answer(second))
    #expect(response.status == 503)
    #expect(response["Retry-After"] == "1")
    #expect(response.cacheStatus.contains("detail=queue-timeout"))
    await pop.stop()
  }

  @Test("An upstream to which connections hang is left out, as one that refuses them")
  func heldDown() async throws {
    let pop = try pop(origins: 2) { $0.upstreamConnections = 1 }
    pop.connect().send("POST /1 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    let hung = connector.attempts[0].upstream
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    #expect(connector.attempts.count == 2)
    #expect(connector.attempts[1].upstream != hung)
    for number in 2..<6 {
      pop.connect().send("POST /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    pop.turn { loop in
      #expect(loop.health.isHeldDown(hung, now: loop.now))
      #expect(loop.pools[hung].waitingCount == 0, "they wait where nothing will come")
    }
    await pop.stop()
  }

  @Test("A connection that comes after its attempt was given up goes to the next in the queue")
  func lateConnection() async throws {
    let pop = try pop { $0.upstreamConnections = 1 }
    let (first, second) = (pop.connect(), pop.connect())
    first.send("POST /1 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    second.send("POST /2 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    #expect(try await answer(first)?.status == 504)
    #expect(try await answer(second) == nil)
    let upstream = connector.attempts[0].upstream
    var pair: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    #expect(socketpair(AF_UNIX, kind, 0, &pair) == 0)
    pop.turn { loop in
      connector.attempts[0].completion(
        .success(UpstreamConnection(pair[0], loop: loop, upstream: upstream, filter: nil)))
      #expect(loop.pools[upstream].total == 1)
      #expect(loop.pools[upstream].waitingCount == 0)
      #expect(!loop.isWaiting)
    }
    var bytes = [UInt8](repeating: 0, count: 1000)
    let count = recv(pair[1], &bytes, bytes.count, 0)
    #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).hasPrefix("POST /2 "))
    await second.close()
    pop.turn { loop in #expect(loop.pools[upstream].total == 0) }
    close(pair[1])
    await pop.stop()
  }

  @Test("All who wait are answered when none of a full queue can have a connection")
  func allFail() async throws {
    let pop = try pop { $0.upstreamConnections = 1 }
    let wires = (0..<1025).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() {
      wire.send("POST /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    #expect(connector.attempts.count == 1)
    connector.failsAtOnce = true
    let upstream = connector.attempts[0].upstream
    pop.turn { loop in
      connector.attempts[0].completion(.failure(.timeout))
      #expect(loop.pools[upstream].total == 0)
      #expect(!loop.isWaiting)
    }
    #expect(wires.allSatisfy { $0.total > 0 })
    await pop.stop()
  }

  @Test("Whoever leaves while a connection is made is not waited for")
  func leaves() async throws {
    let pop = try pop()
    let wire = pop.connect()
    wire.send("POST / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    await wire.close()
    let upstream = connector.attempts[0].upstream
    pop.turn { loop in
      #expect(!loop.isWaiting)
      for attempt in connector.attempts { attempt.completion(.failure(.timeout)) }
      #expect(loop.pools[upstream].total == 0)
    }
    await pop.stop()
  }
}
