import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

// What an operator is shown of each upstream: in /stats, and in the log.

/// Lines of a log, as its readers search for them.
private final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  var logger: Logger {
    Logger(label: "test") { _ in Handler(lines: self) }
  }

  private struct Handler: LogHandler {
    let lines: Lines
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(lines: Lines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }
        .map { " \($0.key)=\($0.value)" }.joined()
      lines.lines.withLock { $0.append("\(event.message)\(fields)") }
    }
  }
}

@Suite("The state of upstreams")
struct UpstreamStateTests {
  private let connector = SlowConnector()
  private let lines = Lines()

  private func pop(
    origins: Int = 1, _ change: (inout ShellLimits) -> Void = { _ in }
  ) throws -> MemoryPoP {
    try connector.pop(origins: origins, logger: lines.logger, change)
  }

  private func state(_ pop: MemoryPoP, _ number: Int = 0) throws -> UpstreamStatistics {
    try #require(
      pop.statistics().upstreams.first { $0.upstream == "http://origin\(number).example" })
  }

  private let answer = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok"

  @Test("Connections are in use, idle, or waited for, and there is a limit of them")
  func gauges() async throws {
    let pop = try pop { $0.upstreamConnections = 2 }
    func expect(_ inUse: Int, _ idle: Int, _ waiting: Int) throws {
      let state = try state(pop)
      #expect([state.limit, state.inUse, state.idle, state.waiting] == [2, inUse, idle, waiting])
      #expect(state.state == "up" && state.failures.isEmpty && state.lastFailure == nil)
    }
    try expect(0, 0, 0)
    let wires = (0..<3).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() { wire.send(TestPoP.request("/\(number)")) }
    try expect(2, 0, 1)
    let upstreams = (0..<2).map { connector.accept($0, in: pop) }
    upstreams[0].send(answer)
    pop.turn { _ in }
    try expect(2, 0, 0)
    upstreams[0].send(answer)
    pop.turn { _ in }
    try expect(1, 1, 0)
    await pop.stop()
  }

  @Test("A place that is waited for in vain is told with upstream and site, and counted")
  func queue() async throws {
    let pop = try pop { ($0.upstreamConnections, $0.upstreamQueue) = (1, 1) }
    let wires = (0..<3).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() { wire.send(TestPoP.request("/\(number)")) }
    #expect(try await wires[2].readHead().status == 503)
    let upstream = connector.accept(0, in: pop)
    pop.turn { $0.checkTime(.now() + .seconds(16)) }
    #expect(try await wires[1].readHead().status == 503)
    let state = try state(pop)
    #expect(state.failures == ["queue-full": 1, "queue-timeout": 1])
    #expect(state.lastFailure?.detail == "queue-timeout")
    #expect(!upstream.isClosed)
    for detail in ["queue-full", "queue-timeout"] {
      let line = "upstream failed detail=\(detail) site=default upstream=http://origin0.example"
      #expect(lines.all.contains(line))
    }
    await pop.stop()
  }

  @Test("What an upstream does with a response is told by its kind")
  func responses() async throws {
    let pop = try pop()
    let wires = (0..<3).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() { wire.send(TestPoP.request("/\(number)")) }
    let upstreams = (0..<3).map { connector.accept($0, in: pop) }
    for upstream in upstreams.dropFirst() {
      upstream.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 9\r\n\r\nok")
    }
    pop.turn { _ in }
    upstreams[1].end()
    pop.turn { _ in }
    pop.turn { $0.checkTime(.now() + .seconds(61)) }
    let state = try state(pop)
    let kinds = ["first-byte-timeout", "upstream-stalled", "upstream-truncated"]
    #expect(state.failures.keys.sorted() == kinds)
    #expect(state.state == "up")
    for kind in kinds { #expect(lines.all.contains { $0.contains("detail=\(kind) site=default") }) }
    await pop.stop()
  }

  @Test("A connection that fails is counted although the next upstream answers; both are told once")
  func connecting() async throws {
    let pop = try pop(origins: 2)
    for round in 0..<2 {
      let wire = pop.connect()
      wire.send(TestPoP.request("/\(round)"))
      let attempt = connector.attempts.count - 1
      guard attempt == 0 else { break }
      pop.turn { _ in
        connector.attempts[0].completion(
          .failure(.refused(IOError(errnoCode: 111, reason: "connect"))))
      }
      let upstream = connector.accept(1, in: pop)
      upstream.send(answer)
      pop.turn { _ in }
      #expect(try await wire.readResponse().status == 200)
    }
    let failed = connector.attempts[0].upstream
    let url = pop.turn { "\($0.shared.routing.upstreams[failed].url)" }
    let all = pop.statistics()
    #expect(all.upstreamFailures["connect-failed"] == 1)
    let state = try #require(all.upstreams.first { $0.upstream == url })
    #expect(state.state == "held-down" && state.heldDownSeconds == 1)
    #expect(state.failures == ["connect-failed": 1])
    #expect(state.lastFailure?.reason != nil)
    #expect(lines.all.count { $0.hasPrefix("cannot connect to upstream") && $0.contains(url) } == 1)
    pop.turn { loop in
      loop.connectFailed(failed, .timeout)
      #expect(lines.all.count { $0.hasPrefix("cannot connect to upstream") } == 1)
      loop.upstreamAnswers(failed)
      loop.upstreamAnswers(failed)
    }
    #expect(lines.all.count { $0 == "an upstream answers again upstream=\(url)" } == 1)
    await pop.stop()
  }

  @Test(
    "An upstream that answers nothing in time any more is left out, unless it is the only one",
    arguments: 1...2)
  func hung(origins: Int) async throws {
    let pop = try pop(origins: origins)
    let wires = (0..<8).map { _ in pop.connect() }
    for (number, wire) in wires.enumerated() { wire.send(TestPoP.request("/\(number)")) }
    let upstreams = wires.indices.map { connector.accept($0, in: pop) }
    let hung = connector.attempts[0].upstream
    for (number, upstream) in upstreams.enumerated()
    where origins > 1 && connector.attempts[number].upstream != hung {
      upstream.send(answer)
    }
    pop.turn { _ in }
    pop.turn { $0.checkTime(.now() + .seconds(61)) }
    let url = pop.turn { "\($0.shared.routing.upstreams[hung].url)" }
    let state = try #require(pop.statistics().upstreams.first { $0.upstream == url })
    #expect(state.state == (origins > 1 ? "held-down" : "up"))
    #expect(lines.all.count { $0.hasPrefix("an upstream is left out for a while") } == origins - 1)
    await pop.stop()
  }
}
