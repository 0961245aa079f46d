import EdgeFleet
import EdgeSocket
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// Connections to an upstream are few. Whoever sends content at a pace of its own must not hold them all: three quarters
// are for such requests, the rest for those whose content is here, and the content of who waits is gathered meanwhile.

@Suite("Scarce places")
struct ScarcePlacesTests {
  private let connector = SlowConnector()

  private func upload(_ pop: MemoryPoP, _ target: String, length: Int, sent: Int = 1) -> Wire {
    let wire = pop.connect()
    wire.send("PUT \(target) HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(length)\r\n\r\n")
    wire.send(String(repeating: "x", count: sent))
    return wire
  }

  /// The bounds of the upstream that was asked first.
  private func expect(
    _ pop: MemoryPoP, idle: Int = 0, waiting: Int = 0, streaming: Int = 0, total: Int,
    at place: SourceLocation = #_sourceLocation
  ) {
    let upstream = connector.attempts[0].upstream
    pop.turn { loop in
      let pool = loop.pools[upstream]
      let streaming = loop.shared.upstreamPlaces.use(upstream) { $0.streaming }
      #expect(
        [pool.idleCount, pool.waitingCount, streaming, pool.total]
          == [idle, waiting, streaming, total], sourceLocation: place)
    }
  }

  private let answer = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"

  @Test("Slow uploads leave places for everybody else")
  func uploads() async throws {
    let pop = try connector.pop { $0.upstreamConnections = 4 }
    let uploads = (0..<30).map { upload(pop, "/\($0)", length: 1000) }
    #expect(connector.attempts.count == 3)
    let wire = pop.connect()
    wire.send(TestPoP.request("/page"))
    #expect(connector.attempts.count == 4)
    let upstream = connector.accept(3, in: pop)
    upstream.send(answer)
    pop.turn { _ in }
    #expect(try await wire.readResponse().text == "ok")
    #expect(uploads.allSatisfy { $0.total == 0 })
    await pop.stop()
  }

  @Test(
    "An upload whose content is here waits for a place like others, and goes at once where one is free"
  )
  func gathered() async throws {
    let pop = try connector.pop { $0.upstreamConnections = 4 }
    let uploads = (0..<5).map { upload(pop, "/\($0)", length: 3) }
    #expect(connector.attempts.count == 3)
    uploads[4].send("yz")
    #expect(connector.attempts.count == 4)
    let upstream = connector.accept(3, in: pop)
    #expect(!upstream.isClosed)
    #expect(upstream.received.hasPrefix("PUT /4 ") && upstream.received.hasSuffix("\r\n\r\nxyz"))
    upstream.send(answer)
    pop.turn { _ in }
    #expect(try await uploads[4].readResponse().status == 200)
    // Its connection is idle and has no content to wait for, but three contents are still on their way.
    expect(pop, idle: 1, waiting: 1, streaming: 3, total: 4)
    // One is complete: who waited may stream its own.
    let first = connector.accept(0, in: pop)
    uploads[0].send("yz")
    expect(pop, streaming: 3, total: 4)
    #expect(!first.isClosed && !upstream.isClosed)
    #expect(upstream.received.contains("PUT /3 "))
    await pop.stop()
  }

  @Test("While others wait, who is slower than 500 bytes a second is told; else nobody is")
  func slowness() {
    let began = NIODeadline.now()
    var timing = ConnectionTiming(limits: ClientLimits(.init(), else: ShellLimits()), now: began)
    timing.requestBegan(hasContent: true)
    timing.contentCame(4000)
    func verdict(_ second: Int64, isScarce: Bool) -> ConnectionTiming.Verdict {
      timing.check(
        .busy, now: began + .seconds(second), isReceiving: true, unsent: 0, isScarce: isScarce)
    }
    #expect(verdict(12, isScarce: false) == .fine)
    #expect(verdict(9, isScarce: true) == .fine)
    #expect(verdict(12, isScarce: true) == .requestTimeout(.slowestContent))
    // A line a second is as good as any, but nothing at all for a minute is not.
    #expect(verdict(59, isScarce: false) == .fine)
    #expect(verdict(62, isScarce: false) == .requestTimeout(.contentStall))
  }

  @Test("A place that its client does not fill is not waited for longer than the queue's time")
  func full() async throws {
    let pop = try connector.pop { ($0.upstreamConnections, $0.queue) = (1, .seconds(15)) }
    let uploads = (0..<2).map { upload(pop, "/\($0)", length: 1 << 20) }
    #expect(connector.attempts.count == 1)
    // Its client is the slow one as long as little is here.
    pop.turn { $0.checkTime(.now() + .seconds(100)) }
    #expect(uploads[1].total == 0)
    uploads[1].send(String(repeating: "x", count: 100_000))
    pop.turn { loop in #expect(loop.gatheredContent <= 128 << 10) }
    pop.turn { $0.checkTime(.now() + .seconds(16)) }
    let response = try await uploads[1].readHead()
    #expect(response.status == 503)
    #expect(response.cacheStatus.contains("detail=queue-timeout"))
    // The connection that was asked for first is still being made.
    expect(pop, total: 1)
    pop.turn { loop in #expect(loop.gatheredContent <= 1) }
    await pop.stop()
  }

  @Test("Where there is no room for more content, the queue's time runs for whoever still gathers")
  func noRoom() async throws {
    let pop = try connector.pop { ($0.upstreamConnections, $0.queue) = (1, .seconds(15)) }
    _ = upload(pop, "/0", length: 9)
    let slow = (1..<400).map { upload(pop, "/\($0)", length: 65_536, sent: 65_535) }
    let late = upload(pop, "/late", length: 5, sent: 0)
    pop.turn { loop in #expect(!loop.mayGather) }
    pop.turn { $0.checkTime(.now() + .seconds(1)) }
    pop.turn { $0.checkTime(.now() + .seconds(17)) }
    #expect(try await slow[0].readHead().status == 503)
    #expect(try await late.readHead().status == 503)
    pop.turn { loop in #expect(loop.mayGather) }
    await pop.stop()
  }

  @Test("Who was not told to send its content waits in the queue like others")
  func expectation() async throws {
    let pop = try connector.pop { ($0.upstreamConnections, $0.queue) = (1, .seconds(15)) }
    _ = upload(pop, "/0", length: 9)
    let wire = pop.connect()
    wire.send(
      "PUT / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    pop.turn { $0.checkTime(.now() + .seconds(16)) }
    let response = try await wire.readHead()
    #expect(response.status == 503)
    #expect(response.cacheStatus.contains("detail=queue-timeout"))
    await pop.stop()
  }

  @Test(
    "However many wait for connections that cannot be made, each is told, and none in the stack of another"
  )
  func failuresAtOnce() async throws {
    let pop = try connector.pop { ($0.upstreamConnections, $0.upstreamQueue) = (1, 20_000) }
    let wires = (0..<20_000).map { number in
      let wire = pop.connect()
      wire.send("POST /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
      return wire
    }
    connector.failsAtOnce = true
    pop.turn { _ in connector.attempts[0].completion(.failure(.timeout)) }
    #expect(wires.allSatisfy { $0.total > 0 })
    pop.turn { loop in #expect(loop.pools[connector.attempts[0].upstream].total == 0) }
    await pop.stop()
  }

  @Test("A client's pause within its content is its own, and no upstream's fault")
  func pause() async throws {
    let pop = try connector.pop(limits: { $0.firstByte = .seconds(5) })
    let wire = upload(pop, "/", length: 10, sent: 5)
    let upstream = connector.accept(0, in: pop)
    pop.turn { $0.checkTime(.now() + .seconds(30)) }
    #expect(wire.total == 0)
    wire.send("yyyyy")
    pop.turn { $0.checkTime(.now() + .seconds(4)) }
    #expect(wire.total == 0)
    pop.turn { $0.checkTime(.now() + .seconds(6)) }
    #expect(try await wire.readHead().status == 504)
    #expect(upstream.isClosed)
    await pop.stop()
  }

  @Test("An upload goes on though its response has begun")
  func earlyHead() async throws {
    let pop = try connector.pop(limits: { $0.betweenBytes = .seconds(5) })
    let wire = upload(pop, "/", length: 10, sent: 5)
    let upstream = connector.accept(0, in: pop)
    upstream.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\n")
    pop.turn { _ in }
    for _ in 0..<4 {
      try await Task.sleep(for: .milliseconds(50))
      wire.send("y")
      pop.turn { $0.checkTime(.now() + .milliseconds(4980)) }
      #expect(!upstream.isClosed)
    }
    await pop.stop()
  }

  @Test("A connection that changes its protocol late has all of its time from then on")
  func lateTunnel() {
    let began = NIODeadline.now()
    var timing = ConnectionTiming(
      limits: ClientLimits(.init(), else: ShellLimits()), now: began - .hours(2))
    timing.moved()
    let verdict = timing.check(
      .tunnel, now: began + .minutes(59), isReceiving: false, unsent: 0, isScarce: false)
    #expect(verdict == .fine)
  }

  @Test("A protocol that changes within an upload holds no place of uploads once that is here")
  func upgrade() async throws {
    let pop = try connector.pop { $0.upstreamConnections = 4 }
    let wire = pop.connect()
    wire.send(
      "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Content-Length: 4\r\n\r\nab")
    let upstream = connector.accept(0, in: pop)
    upstream.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    pop.turn { _ in }
    #expect(try await wire.readHead().status == 101)
    // Nor any other.
    expect(pop, streaming: 0, total: 0)
    wire.send("cdraw")
    expect(pop, streaming: 0, total: 0)
    #expect(!upstream.isClosed && upstream.received.hasSuffix("\r\n\r\nabcdraw"))
    await pop.stop()
  }

  @Test("Uploads that leave take nothing with them", arguments: [false, true])
  func leave(isComplete: Bool) async throws {
    let pop = try connector.pop { $0.upstreamConnections = 4 }
    let uploads = (0..<6).map { upload(pop, "/\($0)", length: isComplete ? 1 : 9) }
    for wire in uploads { await wire.close() }
    for number in connector.attempts.indices { _ = connector.accept(number, in: pop) }
    pop.turn { _ in }
    pop.turn { loop in
      let upstream = connector.attempts[0].upstream
      let (slots, streaming) = loop.shared.upstreamPlaces.use(upstream) { ($0.slots, $0.streaming) }
      #expect(loop.pools[upstream].waitingCount == 0 && slots == 0 && streaming == 0)
      #expect(loop.gatheredContent == 0)
    }
    await pop.stop()
  }

  @Test(
    "Content larger than the site takes is 413, known beforehand or not",
    arguments: [
      ("Content-Length: 101\r\n\r\n", 413), ("Content-Length: 100\r\n\r\n", nil),
      ("Transfer-Encoding: chunked\r\n\r\n64\r\n", nil),
    ] as [(String, Int?)])
  func largest(rest: String, status: Int?) async throws {
    let pop = try connector.pop(limits: { $0.largestRequest = ByteSize(bytes: 100) })
    let wire = pop.connect()
    wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\n\(rest)")
    wire.send(String(repeating: "x", count: 100))
    if let status {
      #expect(try await wire.readHead().status == status)
    } else {
      #expect(wire.total == 0 && connector.attempts.count == 1)
    }
    await pop.stop()
  }

  @Test("Content of unknown length is 413 as soon as it is too large")
  func largestChunked() async throws {
    let pop = try connector.pop(limits: { $0.largestRequest = ByteSize(bytes: 100) })
    let wire = pop.connect()
    wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.send("64\r\n" + String(repeating: "x", count: 100) + "\r\n")
    let upstream = connector.accept(0, in: pop)
    #expect(wire.total == 0)
    wire.send("1\r\nx\r\n")
    #expect(try await wire.readHead().status == 413)
    #expect(upstream.isClosed)
    await pop.stop()
  }

  @Test("A route has limits of its own")
  func routes() async throws {
    var route = FleetConfiguration.Route(prefix: "/upload/", target: .origin)
    route.limits.largestRequest = ByteSize(bytes: 1000)
    route.limits.firstByte = .seconds(300)
    let pop = try connector.pop(
      limits: { ($0.largestRequest, $0.firstByte) = (ByteSize(bytes: 10), .seconds(5)) },
      routes: [route])
    let (small, large) = (
      upload(pop, "/a", length: 11), upload(pop, "/upload/a", length: 11, sent: 11)
    )
    #expect(try await small.readHead().status == 413)
    #expect(connector.attempts.count == 1)
    let upstream = connector.accept(0, in: pop)
    pop.turn { $0.checkTime(.now() + .seconds(299)) }
    #expect(large.total == 0)
    upstream.send(answer)
    pop.turn { _ in }
    #expect(try await large.readResponse().status == 200)
    await pop.stop()
  }

  @Test(
    "Where connections to upstreams lack descriptors idle clients make room",
    arguments: [(EMFILE, true), (ENFILE, true), (EADDRNOTAVAIL, false), (ENOBUFS, false)])
  func descriptors(code: CInt, makesRoom: Bool) async throws {
    let pop = try connector.pop(limits: { _ in }) { $0.lack = .zero }
    var pair: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    #expect(socketpair(AF_UNIX, kind, 0, &pair) == 0)
    let address = try #require(
      InternetAddress.resolve(host: "192.0.2.1", port: 1, numericOnly: true).first)
    pop.turn { _ = ClientConnection(pair[0], from: address, loop: $0) }
    let idle = UpstreamPeer(pair[1])
    idle.send("OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\n\r\n")
    pop.turn { _ in }
    #expect(!idle.isClosed && idle.received.hasPrefix("HTTP/1.1 2"))
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    pop.turn { _ in connector.attempts[0].completion(.failure(.local(code))) }
    #expect(try await wire.readHead().status == 503)
    #expect(idle.isClosed == makesRoom)
    #expect(pop.statistics().clients.closedIdle == (makesRoom ? 1 : 0))
    await pop.stop()
  }

  @Test(
    "What this machine lacks for a connection is waited for a little",
    arguments: [EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS])
  func lack(code: CInt) async throws {
    for isThereAgain in [true, false] {
      let connector = SlowConnector()
      let pop = try connector.pop(limits: { $0.connect = .seconds(3600) }) {
        $0.lack = isThereAgain ? .hours(1) : .milliseconds(200)
      }
      let wire = pop.connect()
      wire.send(TestPoP.request("/"))
      for number in 0..<(isThereAgain ? 3 : .max) {
        pop.turn { _ in connector.attempts[number].completion(.failure(.local(code))) }
        // In a moment it is tried again.
        _ = try await eventually("another attempt, or an answer") {
          pop.turn { _ in }
          return wire.total > 0 || connector.attempts.count > number + 1
        }
        if wire.total > 0 { break }
      }
      if isThereAgain {
        #expect(wire.total == 0)
        let upstream = connector.accept(3, in: pop)
        upstream.send(answer)
        pop.turn { _ in }
        #expect(try await wire.readResponse().status == 200)
        #expect(pop.statistics().upstreamFailures.values.allSatisfy { $0 == 0 })
      } else {
        #expect(connector.attempts.count > 1)
        #expect(try await wire.readHead().status == 503)
      }
      await pop.stop()
    }
  }

  @Test("What a slow upstream is waited for is not used up by what this machine lacks")
  func lackAndConnect() async throws {
    let pop = try connector.pop(limits: { $0.connect = .milliseconds(60) })
    let wire = pop.connect()
    wire.send(TestPoP.request("/"))
    pop.turn { _ in connector.attempts[0].completion(.failure(.local(EMFILE))) }
    pop.turn { _ in }
    #expect(try await wire.readHead().status == 503)
    #expect(connector.attempts.count == 1)
    await pop.stop()
  }
}
