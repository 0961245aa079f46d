import EdgeCache
import EdgeFleet
import EdgeSocket
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

private final class HeldConnector: UpstreamConnector, @unchecked Sendable {
  typealias Completion = (Result<UpstreamConnection, ConnectProblem>) -> Void
  var attempts: [(upstream: Int, completion: Completion)] = []
  var failsAtOnce = false

  func connect(_ index: Int, loop: LoopContext, completion: @escaping Completion) {
    if failsAtOnce { return completion(.failure(.timeout)) }
    attempts.append((index, completion))
  }
}

@Suite("Review", .serialized)
struct ReviewTests {
  private let connector = HeldConnector()

  private func pop(_ change: (inout ShellLimits) -> Void = { _ in }) throws -> MemoryPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    let configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    var limits = ShellLimits()
    change(&limits)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try MemoryPoP(
      PoPOptions(
        configuration: configuration, pop: configuration.pops[0], limits: limits, logger: logger),
      connector: connector)
  }

  private static func threads(_ prefix: String) -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return all.count { task in
      let data = FileManager.default.contents(atPath: "/proc/self/task/\(task)/comm") ?? Data()
      return String(decoding: data, as: UTF8.self).hasPrefix(prefix)
    }
  }

  private static func descriptors(_ kind: String) -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return all.count { name in
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = buffer.withUnsafeMutableBytes {
        readlink("/proc/self/fd/\(name)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), 255)
      }
      return count > 0 && String(decoding: buffer[..<count], as: UTF8.self).contains(kind)
    }
  }

  @Test("A start that fails for --upstream-ca leaves no threads behind")
  func badCA() async throws {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    let configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .https, host: "origin.example", port: 443), listen: [any],
      admin: any, threads: 1)
    let before = Self.threads("TP-#")
    for _ in 0..<3 {
      await #expect(throws: StartProblem.self) {
        _ = try await PoPServer.start(
          PoPOptions(
            configuration: configuration, pop: configuration.pops[0], upstreamCA: "/nonexistent"))
      }
    }
    try await Task.sleep(for: .milliseconds(300))
    #expect(Self.threads("TP-#") == before)
  }

  @Test("A PoP that has ended leaves no descriptors behind")
  func descriptors() async throws {
    let origin = try await Origin.start { $0.answer("ok") }
    let before = (Self.descriptors("eventpoll"), Self.descriptors("eventfd"))
    for _ in 0..<3 {
      let pop = try await TestPoP.start(upstream: origin.url)
      _ = try await pop.get("/")
      try await pop.stop()
    }
    try await Task.sleep(for: .milliseconds(1500))
    #expect(Self.descriptors("eventpoll") == before.0)
    #expect(Self.descriptors("eventfd") == before.1)
    await origin.stop()
  }

  @Test("Many who wait for a connection are answered when none can be made at once")
  func recursion() async throws {
    let pop = try pop {
      $0.upstreamConnections = 1
      $0.upstreamQueue = 1024
    }
    let wires = (0..<1025).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() {
      wire.send("POST /\(number) HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    #expect(connector.attempts.count == 1)
    connector.failsAtOnce = true
    pop.turn { loop in
      connector.attempts[0].completion(.failure(.timeout))
      #expect(loop.pools[0].total == 0)
      #expect(!loop.isWaiting)
    }
    for wire in wires { #expect(wire.total > 0) }
    await pop.stop()
  }

  @Test("A connection that comes after its attempt was given up goes to the next one in the queue")
  func late() async throws {
    let pop = try pop { $0.upstreamConnections = 1 }
    let (first, second) = (pop.connect(), pop.connect())
    first.send("POST /1 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    second.send("POST /2 HTTP/1.1\r\nHost: a.example\r\n\r\n")
    pop.turn { $0.checkTime(.now() + .seconds(3)) }
    #expect(first.total > 0)
    #expect(second.total == 0)
    var pair: [CInt] = [0, 0]
    #expect(
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    weak var connection: UpstreamConnection?
    pop.turn { loop in
      let made = UpstreamConnection(pair[0], loop: loop, upstream: 0, filter: nil)
      connection = made
      connector.attempts[0].completion(.success(made))
      #expect(loop.pools[0].total == 1)
      #expect(loop.pools[0].idleCount == 0)
      #expect(loop.pools[0].waitingCount == 0)
      #expect(!loop.isWaiting)
    }
    var bytes = [UInt8](repeating: 0, count: 1000)
    #expect(recv(pair[1], &bytes, 1000, 0) > 0)
    await second.close()
    pop.turn { loop in #expect(loop.pools[0].total == 0) }
    #expect(connection == nil)
    connector.attempts = []
    close(pair[1])
    await pop.stop()
  }

  @Test("An upstream to which connections hang is left out, as one that refuses them")
  func hangs() async throws {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    configuration.sites[0].origin = (0..<2).map {
      UpstreamURL(scheme: .http, host: "origin\($0).example", port: 80)
    }
    var limits = ShellLimits()
    limits.upstreamConnections = 1
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let pop = try MemoryPoP(
      PoPOptions(
        configuration: configuration, pop: configuration.pops[0], limits: limits, logger: logger),
      connector: connector)
    let first = pop.connect()
    first.send("POST /1 HTTP/1.1\r\nHost: a.example\r\n\r\n")
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

  @Test("A request held by the fence: its client leaves, another one's time ends")
  func fence() async throws {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    // Accepts and says nothing.
    let mute = try await Origin.start { _ in try await Task.sleep(for: .seconds(60)) }
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    var other = configuration.pops[0]
    other.id = "other"
    other.admin = SocketEndpoint(host: "127.0.0.1", port: mute.url.port)
    configuration.pops.append(other)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let pop = try MemoryPoP(
      PoPOptions(configuration: configuration, pop: configuration.pops[0], logger: logger),
      connector: connector)
    let request = TestPoP.request("/", ["EdgeCache-Purges: other;7;5"])
    weak var gone: MemoryStream?
    pop.turn { loop in
      let stream = MemoryStream(on: loop, deliver: { _ in }, end: {})
      gone = stream
      stream.receive(ByteBuffer(string: request))
      #expect(loop.isWaiting)
      #expect(stream.served.wait != nil)
      stream.close()
      #expect(!loop.isWaiting)
    }
    #expect(gone == nil)
    let wire = pop.connect()
    wire.send(request)
    #expect(connector.attempts.isEmpty)
    pop.turn { $0.checkTime(.now() + .seconds(4)) }
    #expect(connector.attempts.isEmpty)
    pop.turn { $0.checkTime(.now() + .seconds(6)) }
    #expect(connector.attempts.count == 1)
    #expect(pop.turn { $0.counters.timeouts } == 1)
    pop.turn { _ in connector.attempts[0].completion(.failure(.timeout)) }
    #expect(wire.total > 0)
    await pop.stop()
    await mute.stop()
  }

  @Test(
    "Whatever state a client leaves in, nothing stays",
    arguments: [
      "connecting", "queued", "waiting", "receiving", "tunnel", "tunnel ended by upstream",
      "connecting, late", "late timeout then leave",
    ])
  func leaves(state: String) async throws {
    let pop = try pop { $0.upstreamConnections = 1 }
    weak var gone: MemoryStream?
    weak var exchange: Exchange?
    weak var connection: UpstreamConnection?
    var pair: [CInt] = [0, 0]
    _ = socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &pair)
    let server = pair[1]
    let upgrade = state.hasPrefix("tunnel") ? "Upgrade: x\r\nConnection: upgrade\r\n" : ""
    let method = upgrade.isEmpty ? "POST" : "GET"
    let text = "\(method) / HTTP/1.1\r\nHost: a.example\r\n\(upgrade)\r\n"
    let answer =
      upgrade.isEmpty
      ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
      : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"
    var stream: MemoryStream?
    pop.turn { loop in
      if state == "queued" { _ = loop.pools[0].leaseNew(Exchange.placeholder(loop)) }
      let made = MemoryStream(on: loop, deliver: { _ in }, end: {})
      (stream, gone) = (made, made)
      made.receive(ByteBuffer(string: text))
      exchange = made.served.exchange
    }
    #expect(exchange != nil)
    let connects = ["waiting", "receiving", "tunnel", "tunnel ended by upstream"].contains(state)
    if connects {
      pop.turn { loop in
        let made = UpstreamConnection(pair[0], loop: loop, upstream: 0, filter: nil)
        connection = made
        connector.attempts[0].completion(.success(made))
      }
      #expect(connection != nil)
    }
    if connects, state != "waiting" {
      let bytes = Array(answer.utf8)
      _ = Glibc.send(server, bytes, bytes.count, 0)
      pop.turn { _ in }
      pop.turn { _ in #expect(stream?.served.hasBegun == true) }
    }
    if state == "late timeout then leave" { pop.turn { $0.checkTime(.now() + .seconds(3)) } }
    if state == "tunnel ended by upstream" {
      shutdown(server, CInt(SHUT_WR))
      pop.turn { _ in }
      pop.turn { _ in }
    }
    pop.turn { _ in stream?.close() }
    stream = nil
    pop.turn { loop in
      #expect(!loop.isWaiting)
      #expect(loop.pools[0].waitingCount == 0)
    }
    if state.contains("late") {
      pop.turn { loop in
        let made = UpstreamConnection(pair[0], loop: loop, upstream: 0, filter: nil)
        connector.attempts[0].completion(.success(made))
        #expect(loop.pools[0].total == 1)
        #expect(loop.pools[0].idleCount == 1)
      }
    } else if state == "connecting" {
      pop.turn { _ in connector.attempts[0].completion(.failure(.timeout)) }
    }
    connector.attempts = []
    #expect(gone == nil)
    #expect(exchange == nil)
    if !state.contains("late"), state != "queued" {
      #expect(connection == nil)
      pop.turn { loop in #expect(loop.pools[0].total == 0) }
    }
    #expect(pop.turn { $0.counters.openConnections } == 0)
    close(server)
    await pop.stop()
  }

  @Test(
    "What stands in for an error, and cannot be had, is passed on while the error still arrives")
  func passInsteadWhileDraining() async throws {
    let directory = "/tmp/review-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let length = 3 << 20
    let passed = Mutex(0)
    let draining = Mutex<Wire?>(nil)
    let origin = try await Origin.start { exchange in
      let request = exchange.request
      if request["Range"] != nil {
        exchange.answer("broken", status: "500 Internal Server Error")
      } else if request["If-None-Match"] != nil {
        draining.withLock { $0 = exchange.wire }
        exchange.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\n0123456789")
      } else {
        let number = passed.withLock {
          $0 += 1; return $0
        }
        if number == 1 {
          exchange.send(
            "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\n"
              + "Cache-Control: max-age=1, stale-if-error=600\r\nContent-Length: \(length)\r\n\r\n")
        } else {
          exchange.answer("passed \(number)")
        }
      }
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
    configuration.pops[0].disks = [
      .init(path: directory, size: .mebibytes(1 << 10), admission: .all)
    ]
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    let first = try await pop.get("/big")
    print("FIRST", first.status, first.cacheStatus, String(buffer: first.content).prefix(40))
    try await Task.sleep(for: .milliseconds(2200))
    let wire = try await pop.connect()
    wire.send(TestPoP.request("/big"))
    try await eventually("the error") { draining.withLock { $0 != nil } }
    for _ in 0..<200 where wire.total == 0 { try await Task.sleep(for: .milliseconds(10)) }
    print(
      "REQUESTS", origin.requests.map { ($0["Range"] ?? "-") + " " + ($0["If-None-Match"] ?? "-") })
    let early = wire.total
    #expect(early > 0, "no answer while the error still arrives")
    draining.withLock { $0 }?.send(String(repeating: "x", count: 90))
    for _ in 0..<300 where wire.total == 0 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(wire.total > 0, "no answer ever: the error has ended")
    await wire.close()
    await origin.stop()
    try await pop.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }
}

extension Exchange {
  /// Somebody who takes a place in a pool.
  fileprivate static func placeholder(_ loop: LoopContext) -> Exchange {
    var parser = RequestParser()
    guard
      case .head(let head, _)? = try? parser.parse(
        ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"))
    else { preconditionFailure() }
    var storage: [UInt8] = []
    var key = CacheKey(head, isSecure: false, secret: loop.store.secret, storage: &storage)
    guard let route = loop.shared.routing.route(&key, secret: loop.store.secret) else {
      preconditionFailure()
    }
    return Exchange(
      request: head, key: key, directives: CacheControl(), route: route, loop: loop,
      client: ClientIdentity(address: "127.0.0.1", isSecure: false), stream: nil)
  }
}
