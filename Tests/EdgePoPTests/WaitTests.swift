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
    origins: Int = 1, timeouts: FleetConfiguration.Site.Timeouts = .init(),
    _ change: (inout ShellLimits) -> Void = { _ in }
  ) throws -> MemoryPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    configuration.sites[0].origin = (0..<origins).map {
      UpstreamURL(scheme: .http, host: "origin\($0).example", port: 80)
    }
    configuration.sites[0].timeouts = timeouts
    var limits = ShellLimits()
    change(&limits)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try MemoryPoP(
      PoPOptions(
        configuration: configuration, pop: configuration.pops[0], limits: limits, logger: logger),
      connector: connector)
  }

  /// The upstream's end of a connection that was asked for.
  private final class UpstreamEnd {
    let descriptor: CInt
    init(_ descriptor: CInt) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func send(_ text: String) {
      let bytes = Array(text.utf8)
      #expect(Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count)
    }

    /// True once the PoP has closed it; what came before is dropped.
    var isClosed: Bool {
      var bytes = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count <= 0 { return count == 0 || errno != EAGAIN }
      }
    }
  }

  /// Makes the connection that was asked for as the `number`th.
  private func accept(_ number: Int, in pop: MemoryPoP) -> UpstreamEnd {
    var pair: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    #expect(socketpair(AF_UNIX, kind, 0, &pair) == 0)
    pop.turn { loop in
      let attempt = connector.attempts[number]
      attempt.completion(
        .success(UpstreamConnection(pair[0], loop: loop, upstream: attempt.upstream, filter: nil)))
    }
    return UpstreamEnd(pair[1])
  }

  @Test(
    "A response of which nothing is stored has a minute to begin, or what its site says",
    arguments: ["GET", "HEAD", "POST"], [nil, 5, 300] as [Int64?])
  func firstByte(method: String, seconds: Int64?) async throws {
    let pop = try pop(timeouts: .init(firstByte: seconds.map { .seconds($0) }))
    let wires = (0..<2).map { _ in pop.connect() }
    var ends: [UpstreamEnd] = []
    for (number, wire) in wires.enumerated() {
      wire.send("\(method) /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
      ends.append(accept(number, in: pop))
    }
    let limit = seconds ?? 60
    let began = NIODeadline.now()
    pop.turn { $0.checkTime(began + .seconds(limit - 1)) }
    #expect(wires.allSatisfy { $0.total == 0 })
    ends[0].send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    pop.turn { _ in }
    #expect(try await answer(wires[0])?.status == 200)
    pop.turn { $0.checkTime(.now() + .seconds(limit + 1)) }
    let response = try #require(try await answer(wires[1]))
    #expect(response.status == 504)
    #expect(response.cacheStatus.contains("detail=first-byte-timeout"))
    #expect(ends[1].isClosed)
    await pop.stop()
  }

  @Test("Who waits for somebody else's response asks for it again when that is overdue")
  func overdue() async throws {
    let pop = try pop()
    let wires = (0..<3).map { _ in pop.connect() }
    for wire in wires { wire.send(TestPoP.request("/")) }
    let first = accept(0, in: pop)
    pop.turn { $0.checkTime(.now() + .seconds(14)) }
    #expect(connector.attempts.count == 1)
    pop.turn { $0.checkTime(.now() + .seconds(16)) }
    pop.turn { _ in }
    #expect(connector.attempts.count == 2)
    let second = accept(1, in: pop)
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1\r\n\r\n"
    second.send(answer + "2")
    pop.turn { _ in }
    #expect(wires.map { $0.total > 0 } == [false, true, true])
    #expect(!first.isClosed)
    first.send(answer + "1")
    pop.turn { _ in }
    #expect(try await wires[0].readResponse().text == "1")
    for wire in wires.dropFirst() { #expect(try await wire.readResponse().text == "2") }
    await pop.stop()
  }

  @Test(
    "How long a response may be quiet: a minute, an hour for events that are passed through",
    arguments: [
      ("text/plain", "no-store", nil, 60), ("text/event-stream", "no-store", nil, 3600),
      ("Text/Event-Stream; charset=utf-8", "no-cache", nil, 3600),
      ("text/event-stream", "max-age=60", nil, 60), ("text/event-streams", "no-store", nil, 60),
      ("text/plain", "no-store", 5, 5), ("text/event-stream", "no-store", 5, 10),
      ("text/event-stream", "max-age=60", 5, 5),
    ] as [(String, String, Int64?, Int64)])
  func betweenBytes(type: String, control: String, seconds: Int64?, limit: Int64) async throws {
    let pop = try pop(
      timeouts: .init(
        betweenBytes: seconds.map { .seconds($0) }, eventStream: seconds.map { .seconds($0 * 2) }))
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let upstream = accept(0, in: pop)
    upstream.send(
      "HTTP/1.1 200 OK\r\nCache-Control: \(control)\r\nContent-Type: \(type)\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    pop.turn { _ in }
    pop.turn { $0.checkTime(.now() + .seconds(limit - 1)) }
    #expect(!upstream.isClosed)
    // Each byte begins it anew.
    upstream.send("1\r\nb\r\n")
    pop.turn { _ in }
    pop.turn { $0.checkTime(.now() + .seconds(limit - 1)) }
    #expect(!upstream.isClosed)
    pop.turn { $0.checkTime(.now() + .seconds(limit + 1)) }
    #expect(upstream.isClosed)
    #expect(try await wire.takeRest().hasSuffix("b\r\n"))
    await pop.stop()
  }

  @Test("A stream of events ends with its client")
  func eventsWithoutClient() async throws {
    let pop = try pop()
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let upstream = accept(0, in: pop)
    upstream.send(
      "HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nContent-Type: text/event-stream\r\n\r\n:\n\n")
    pop.turn { _ in }
    #expect(wire.total > 0 && !upstream.isClosed)
    await wire.close()
    #expect(upstream.isClosed)
    await pop.stop()
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
    // What came of a request that changes something is heard, also when its client is gone.
    await second.close()
    pop.turn { loop in #expect(loop.pools[upstream].total == 1) }
    close(pair[1])
    pop.turn { _ in }
    pop.turn { loop in #expect(loop.pools[upstream].total == 0) }
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
