import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import edge_load

/// A count that any thread may add to.
final class Counter: Sendable {
  let count = Atomic<Int>(0)

  var value: Int { count.load(ordering: .relaxed) }
}

/// A server that answers each request by a script, whatever it asks: the peers that a load
/// generator must survive are not all well-behaved.
final class ScriptedServer: Sendable {
  /// What to do with one request.
  enum Step: Sendable {
    case send(String)
    case sendAndClose(String)
    case close
    case stall
  }

  let url: String
  /// Connections that were accepted.
  let connections = Counter()
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  /// Answers request n of each connection with step n, the last step over and over. It stops to listen when it has
  /// accepted so many.
  init(_ steps: [Step], accepting most: Int = .max) async throws {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let connections = self.connections
    channel = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        if connections.count.add(1, ordering: .relaxed).newValue == most {
          channel.parent?.close(promise: nil)
        }
        return channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Connection(steps: steps))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/"
  }

  func stop() async throws {
    try? await channel.close()
    try await group.shutdownGracefully()
  }

  private final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let steps: [Step]
    private var next = 0

    init(steps: [Step]) { self.steps = steps }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let step = steps[min(next, steps.count - 1)]
      next += 1
      switch step {
      case .send(let text):
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
      case .sendAndClose(let text):
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        context.close(promise: nil)
      case .close: context.close(promise: nil)
      case .stall: break
      }
    }
  }
}

/// Runs a load.
func run(_ plan: LoadPlan) async throws -> LoadReport {
  try await onOwnThread {
    try LoadRun(plan: plan, showsProgress: false).run()
  }
}

/// A plan. A machine that is slow answers late but answers: what does not try timeouts has plenty.
private func plan(
  _ url: String, connections: Int = 2, milliseconds: Int64 = 200, timeout: Int64 = 60_000
) throws -> LoadPlan {
  LoadPlan(
    targets: [try LoadTarget(url: url)], connections: connections,
    duration: .milliseconds(milliseconds), timeout: .milliseconds(timeout))
}

private let okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Status: x; hit\r\n\r\nhi"

@Suite("Load run on sockets")
struct LoadRunTests {
  /// The report on a run over a server that answers so. With `requests` it ends after so many of them
  /// and not after a time in which nobody knows how many there are.
  private func report(
    _ steps: [ScriptedServer.Step], requests: Int? = nil, timeout: Int64 = 60_000
  ) async throws -> LoadReport {
    let server = try await ScriptedServer(steps)
    var plan = try plan(
      server.url, milliseconds: requests == nil ? 200 : 300_000, timeout: timeout)
    plan.requests = requests
    let report = try await run(plan)
    try await server.stop()
    return report
  }

  @Test("Keep-alive responses are counted, with hits and bytes")
  func plain() async throws {
    let report = try await report([.send(okay)], requests: 200)
    #expect(report.isClean)
    #expect(report.requests == 200)
    #expect(report.cache.hitRatio == 1)
    #expect(report.reconnects == 0)
    #expect(report.bytes == report.requests * okay.utf8.count)
    #expect(report.latencyMicroseconds["hit"]?.count == report.requests)
  }

  @Test("Chunked content and interim responses are read")
  func chunked() async throws {
    let text =
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "2\r\nhi\r\n0\r\n\r\n"
    let report = try await report([.send(text)], requests: 200)
    #expect(report.isClean)
    #expect(report.statusClasses == ["2xx": report.requests])
  }

  @Test("Content that ends with the connection is complete")
  func untilClose() async throws {
    let report = try await report(
      [.sendAndClose("HTTP/1.1 200 OK\r\n\r\nhi")], requests: 100)
    #expect(report.isClean)
    #expect(report.reconnects > 0)
  }

  @Test("A keep-alive connection that closes between requests is no error")
  func keepAliveRace() async throws {
    let report = try await report([.send(okay), .close], requests: 100)
    #expect(report.isClean)
    #expect(report.reconnects > 0)
  }

  @Test("A connection that closes on its first request is an error")
  func closed() async throws {
    let report = try await report([.close])
    #expect(report.requests == 0)
    #expect((report.errors["closed"] ?? 0) > 0)
  }

  @Test("Truncated content is an error")
  func truncated() async throws {
    let report = try await report([
      .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi")
    ])
    #expect(report.requests == 0)
    #expect((report.errors["truncated"] ?? 0) > 0)
  }

  @Test("What is no HTTP is malformed, and so is more than was announced")
  func malformed() async throws {
    for text in ["SMTP ready\r\n", okay + "surplus"] {
      let report = try await report([.send(text)])
      #expect((report.errors["malformed"] ?? 0) > 0)
    }
  }

  @Test("A stalled response times out, and the run ends")
  func timeout() async throws {
    let report = try await report([.stall], timeout: 100)
    #expect(report.requests == 0)
    #expect((report.errors["timeout"] ?? 0) > 0)
    #expect(report.errors.count == 1)
  }

  @Test("When nobody listens the run ends at once")
  func refused() async throws {
    let port = try ClosedPort()
    let report = try await run(try plan(port.url, milliseconds: 60_000))
    #expect(report.errors == ["connect": 2])
    #expect(report.seconds < 10)
  }

  @Test("A run ends after so many requests, over several threads")
  func countedRequests() async throws {
    let server = try await ScriptedServer([.send(okay)])
    var plan = try plan(server.url, connections: 5, milliseconds: 60_000)
    (plan.requests, plan.threads) = (101, 2)
    let report = try await run(plan)
    try await server.stop()
    #expect(report.isClean)
    #expect(report.requests == 101)
    #expect(report.seconds < 30)
  }

  @Test("A connection for each request, and none is an error")
  func newConnections() async throws {
    let server = try await ScriptedServer([.sendAndClose(okay)])
    var plan = try plan(server.url, connections: 3, milliseconds: 60_000)
    (plan.requests, plan.newConnections) = (40, true)
    let report = try await run(plan)
    try await server.stop()
    #expect(report.isClean)
    #expect(report.requests == 40)
    #expect(report.reconnects == 0)
    #expect(server.connections.value >= 40)
  }

  @Test("Connections that rest make one request, which is not counted")
  func resting() async throws {
    let server = try await ScriptedServer([.send(okay)])
    var plan = try plan(server.url, connections: 2, milliseconds: 60_000)
    (plan.requests, plan.restingConnections) = (10, 150)
    let report = try await run(plan)
    try await server.stop()
    #expect(report.isClean)
    #expect(report.requests == 10)
    #expect(report.restingConnections == 150)
    #expect(report.restingClosed == 0)
    #expect(server.connections.value == 152)
  }

  @Test("What the warm-up sends is not counted")
  func warmup() async throws {
    let server = try await ScriptedServer([.send(okay)])
    var plan = try plan(server.url, connections: 2, milliseconds: 200)
    (plan.rate, plan.warmup) = (500, .milliseconds(200))
    let clock = ContinuousClock()
    let start = clock.now
    let report = try await run(plan)
    let all = Double((clock.now - start) / .milliseconds(1)) / 1000
    try await server.stop()
    #expect(report.isClean)
    #expect(report.requests == 100)
    // However long it took: the warm-up is not in what was measured.
    #expect(report.seconds >= 0.2)
    #expect(report.seconds <= all - 0.2)
  }

  @Test("An open loop sends what was asked, over several loops")
  func openLoop() async throws {
    let server = try await ScriptedServer([.send(okay)])
    var plan = try plan(server.url, connections: 3, milliseconds: 300)
    (plan.rate, plan.threads) = (200, 2)
    let report = try await run(plan)
    try await server.stop()
    #expect(report.isClean)
    #expect(report.requests == 60)
  }

  @Test("An open loop over several targets and threads, by weight")
  func severalTargets() async throws {
    let (one, two) = (
      try await ScriptedServer([.send(okay)]), try await ScriptedServer([.send(okay)])
    )
    var plan = try plan(one.url, connections: 4, milliseconds: 300)
    plan.targets.append(try LoadTarget(argument: two.url + "@3"))
    (plan.rate, plan.threads) = (400, 2)
    let report = try await run(plan)
    try await one.stop()
    try await two.stop()
    #expect(report.isClean)
    #expect(report.requests == 120)
  }

  @Test("An open loop counts the wait for a stalled server, and what it never sent")
  func coordinatedOmission() async throws {
    let server = try await ScriptedServer([.send(okay), .stall])
    // Where a machine is too slow to answer in time, all is given more of it.
    for slowness in [Int64(1), 8, 64] {
      var plan = try plan(
        server.url, connections: 1, milliseconds: 200 * slowness, timeout: 150 * slowness)
      plan.rate = 100 / Double(slowness)
      let report = try await run(plan)
      // Twenty were due: each is a response, a timeout or unsent, none is forgotten.
      let errors = report.errors.values.reduce(0, +)
      #expect(report.requests + errors == 20)
      #expect((report.errors["timeout"] ?? 0) > 0)
      guard report.requests > 1 else { continue }
      // A request that was due during the stall and answered after it waited for most of it.
      #expect((report.latencyMicroseconds["all"]?.max ?? 0) > Double(50_000 * slowness))
      return try await server.stop()
    }
    Issue.record("nothing was answered")
    try await server.stop()
  }
}
