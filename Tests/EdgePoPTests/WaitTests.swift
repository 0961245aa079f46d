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

@Suite("Waits")
struct WaitTests {
  private let connector = SlowConnector()

  private func pop(
    origins: Int = 1, limits: (inout FleetConfiguration.Limits) -> Void = { _ in },
    _ change: (inout ShellLimits) -> Void = { _ in }
  ) throws -> MemoryPoP {
    try connector.pop(origins: origins, limits: limits, change)
  }

  private func accept(_ number: Int, in pop: MemoryPoP) -> UpstreamPeer {
    connector.accept(number, in: pop)
  }

  @Test(
    "A response of which nothing is stored has a minute to begin, or what its site says",
    arguments: ["GET", "HEAD", "POST"], [nil, 5, 300] as [Int64?])
  func firstByte(method: String, seconds: Int64?) async throws {
    let pop = try pop(limits: { $0.firstByte = seconds.map { .seconds($0) } })
    let wires = (0..<2).map { _ in pop.connect() }
    var ends: [UpstreamPeer] = []
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
    let pop = try pop(limits: { $0.collapse = .seconds(20) })
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
    #expect(pop.statistics().limits["overdue"] == 2)
    #expect(!first.isClosed)
    first.send(answer + "1")
    pop.turn { _ in }
    #expect(try await wires[0].readResponse().text == "1")
    for wire in wires.dropFirst() { #expect(try await wire.readResponse().text == "2") }
    await pop.stop()
  }

  @Test(
    "How long a response may be quiet: a minute, an hour for events that are not stored",
    arguments: [
      ("text/plain", "no-store", nil, 60), ("text/event-stream", "no-store", nil, 3600),
      ("Text/Event-Stream; charset=utf-8", "no-cache", nil, 3600),
      // After a minute it is too slow to be stored.
      ("text/event-stream", "max-age=60", nil, 3600), ("text/event-streams", "no-store", nil, 60),
      ("text/plain", "no-store", 5, 5), ("text/event-stream", "no-store", 5, 10),
      ("text/event-stream", "max-age=60", 5, 5),
    ] as [(String, String, Int64?, Int64)])
  func betweenBytes(type: String, control: String, seconds: Int64?, limit: Int64) async throws {
    let pop = try pop(
      limits: {
        $0.betweenBytes = seconds.map { .seconds($0) }
        $0.eventStream = seconds.map { .seconds($0 * 2) }
      })
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

  @Test("Interim responses move no limit, whoever waits", arguments: ["GET", "POST"])
  func interims(method: String) async throws {
    let pop = try pop()
    let wires = (0..<2).map { _ in pop.connect() }
    for wire in wires { wire.send("\(method) / HTTP/1.1\r\nHost: a.example\r\n\r\n") }
    var ends = [accept(0, in: pop)]
    let began = NIODeadline.now()
    for second in stride(from: Int64(1), to: 64, by: 1) {
      if connector.attempts.count > ends.count { ends.append(accept(ends.count, in: pop)) }
      for end in ends where !end.isClosed { end.send("HTTP/1.1 102 Processing\r\n\r\n") }
      pop.turn { _ in }
      pop.turn { $0.checkTime(began + .seconds(second)) }
    }
    for end in ends { #expect(end.isClosed) }
    for wire in wires {
      let text = try await wire.take(through: "HTTP/1.1 504 ")
      #expect(text.hasPrefix("HTTP/1.1 102 ") || method == "GET")
    }
    await pop.stop()
  }

  @Test(
    "A response ends in time, however regularly it goes on", arguments: ["max-age=60", "no-store"])
  func wholeResponse(control: String) async throws {
    let pop = try pop(limits: { ($0.response, $0.betweenBytes) = (.seconds(90), .seconds(300)) })
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    let upstream = accept(0, in: pop)
    upstream.send(
      "HTTP/1.1 200 OK\r\nCache-Control: \(control)\r\nTransfer-Encoding: chunked\r\n\r\n")
    let began = NIODeadline.now()
    for second in stride(from: Int64(0), to: 90, by: 5) {
      upstream.send("1\r\na\r\n")
      pop.turn { $0.checkTime(began + .seconds(second)) }
      #expect(!upstream.isClosed)
    }
    pop.turn { $0.checkTime(.now() + .seconds(91)) }
    #expect(upstream.isClosed)
    let text = try await wire.takeRest()
    #expect(!text.hasSuffix("0\r\n\r\n"))
    let detail = control == "no-store" ? "response-timeout" : "upstream-truncated"
    #expect(pop.statistics().upstreamFailures[detail] == 1)
    await pop.stop()
  }

  @Test("What trickles is passed on to those who have it, and nobody else waits for it")
  func trickle() async throws {
    let pop = try pop(limits: { $0.betweenBytes = .seconds(300) })
    let wires = (0..<2).map { _ in pop.connect() }
    for wire in wires { wire.send(TestPoP.request("/")) }
    let upstream = accept(0, in: pop)
    upstream.send(
      "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n")
    let began = NIODeadline.now()
    for second in stride(from: Int64(0), through: 70, by: 5) {
      upstream.send("1\r\na\r\n")
      pop.turn { $0.checkTime(began + .seconds(second)) }
    }
    let late = pop.connect()
    late.send(TestPoP.request("/"))
    #expect(connector.attempts.count == 2)
    #expect(!upstream.isClosed)
    upstream.send("1\r\nz\r\n0\r\n\r\n")
    pop.turn { _ in }
    for wire in wires {
      #expect(try await wire.readResponse().text == String(repeating: "a", count: 15) + "z")
    }
    #expect(pop.statistics().storageRefusals["too-slow"] == 1)
    #expect(pop.statistics().memory.storedResponses == 0)
    await pop.stop()
  }

  @Test("Who does not know that it may share a response waits for it no longer than two seconds")
  func collapse() async throws {
    let pop = try pop()
    let polls = (0..<3).map { _ in pop.connect() }
    for wire in polls { wire.send(TestPoP.request("/poll")) }
    #expect(connector.attempts.count == 1)
    let leader = accept(0, in: pop)
    pop.turn { $0.checkTime(.now() + .seconds(1)) }
    pop.turn { _ in }
    #expect(connector.attempts.count == 1)
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    pop.turn { _ in }
    #expect(connector.attempts.count == 3)
    // Who comes now waits for nobody.
    let late = pop.connect()
    late.send(TestPoP.request("/poll"))
    pop.turn { _ in }
    #expect(connector.attempts.count == 4)
    let others = (1..<4).map { accept($0, in: pop) }
    for (number, end) in ([leader] + others).enumerated() {
      end.send("HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 1\r\n\r\n\(number)")
    }
    pop.turn { _ in }
    for (number, wire) in (polls + [late]).enumerated() {
      #expect(try await wire.readResponse().text == "\(number)")
    }
    await pop.stop()
  }

  @Test(
    "A limit counts as reached by those who felt it, and not where nobody waited for another's response"
  )
  func felt() async throws {
    let pop = try pop()
    pop.connect().send(TestPoP.request("/alone"))
    _ = accept(0, in: pop)
    for wire in (0..<3).map({ _ in pop.connect() }) { wire.send(TestPoP.request("/poll")) }
    _ = accept(1, in: pop)
    let began = NIODeadline.now()
    for second in [3, 10, 16, 17] as [Int64] {
      pop.turn { $0.checkTime(began + .seconds(second)) }
      pop.turn { _ in }
    }
    #expect(pop.statistics().limits["collapse"] == 2)
    #expect(pop.statistics().limits["overdue"] == 0)
    await pop.stop()
  }

  @Test("However many wait, an upstream that is slow gets few requests more")
  func leavers() async throws {
    let pop = try pop()
    let wires = (0..<100).map { _ in pop.connect() }
    for wire in wires { wire.send(TestPoP.request("/")) }
    _ = accept(0, in: pop)
    for _ in 0..<3 {
      pop.turn { $0.checkTime(.now() + .seconds(3)) }
      pop.turn { _ in }
    }
    #expect(connector.attempts.count == 17)
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
    pop.turn { _ in connector.attempts[0].completion(.failure(.timeout)) }
    pop.turn { loop in
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
