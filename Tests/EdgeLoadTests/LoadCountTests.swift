import Glibc
import Testing

@testable import edge_load

/// A port that is bound and not listened on: it refuses, and nobody else gets it meanwhile.
final class ClosedPort: Sendable {
  let url: String
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (descriptor, size) = (descriptor, length)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) | getsockname(descriptor, $0, &length)
      }
    }
    try #require(status == 0)
    url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/"
  }

  deinit { close(descriptor) }
}

private let okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

/// Responses and errors are together what was asked for, whatever fails.
@Suite("Counts of a load run")
struct LoadCountTests {
  /// How a run is made: connections, threads, requests, rate.
  struct Shape: CustomTestStringConvertible, Sendable {
    var connections: Int
    var threads = 1
    var requests: Int
    var rate: Double?
    var newConnections = false

    var testDescription: String {
      "-c \(connections) -n \(requests) --threads \(threads) rate \(rate ?? 0) new \(newConnections)"
    }
  }

  static let shapes: [Shape] = [
    Shape(connections: 1, requests: 1), Shape(connections: 16, requests: 10),
    Shape(connections: 3, requests: 37), Shape(connections: 4, threads: 3, requests: 20),
    Shape(connections: 16, requests: 10, rate: 200), Shape(connections: 2, requests: 37, rate: 400),
    Shape(connections: 6, threads: 2, requests: 11, rate: 300),
    Shape(connections: 3, requests: 12, newConnections: true),
    Shape(connections: 3, requests: 12, rate: 200, newConnections: true),
  ]

  static let peers: [(name: String, steps: [ScriptedServer.Step])] = [
    ("answers", [.send(okay)]), ("closes at once", [.close]),
    ("closes after each", [.sendAndClose(okay)]), ("closes after some", [.send(okay), .close]),
    ("truncates", [.send(okay), .sendAndClose("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi")]),
    ("is malformed", [.send(okay), .send("SMTP ready\r\n")]),
    ("sends too much", [.send(okay), .send(okay + "surplus")]),
    ("stalls", [.send(okay), .stall]),
  ]

  private func plan(_ url: String, _ shape: Shape, timeout: Int64 = 60_000) throws -> LoadPlan {
    var plan = LoadPlan(
      targets: [try LoadTarget(url: url)], connections: shape.connections, duration: .longest,
      timeout: .milliseconds(timeout), threads: shape.threads)
    (plan.requests, plan.rate, plan.newConnections) =
      (shape.requests, shape.rate, shape.newConnections)
    return plan
  }

  private func check(_ report: LoadReport, _ asked: Int, _ what: String) {
    let errors = report.errors.values.reduce(0, +)
    #expect(
      report.requests + errors == asked, "\(what): \(report.requests) and \(report.errors)")
  }

  @Test(arguments: shapes, peers.indices) func addsUp(_ shape: Shape, _ index: Int) async throws {
    let (name, steps) = Self.peers[index]
    let server = try await ScriptedServer(steps)
    let report = try await run(
      try plan(server.url, shape, timeout: name == "stalls" ? 50 : 60_000))
    try await server.stop()
    check(report, shape.requests, name)
  }

  @Test(arguments: shapes) func nobodyListens(_ shape: Shape) async throws {
    let port = try ClosedPort()
    let report = try await run(try plan(port.url, shape))
    check(report, shape.requests, "refused")
    #expect(report.requests == 0 && report.connectionErrors == nil)
    let connect = min(shape.requests, shape.connections)
    // Each thread has its share of requests and of connections.
    if shape.threads == 1 { #expect(report.errors["connect"] == connect) }
    #expect((report.errors["connect"] ?? 0) > 0)
  }

  /// Without a number of requests what is due within the duration is what was asked for.
  @Test func nobodyListensAtARate() async throws {
    let port = try ClosedPort()
    var shape = try plan(port.url, Shape(connections: 2, requests: 1, rate: 100))
    (shape.requests, shape.duration) = (nil, .seconds(5))
    let report = try await run(shape)
    #expect(report.errors == ["connect": 2, "unsent": 498])
    shape.warmup = .seconds(5)
    #expect(try await run(shape).errors == report.errors)
  }

  @Test(arguments: shapes) func oneOfTwoTargets(_ shape: Shape) async throws {
    guard shape.connections >= 2 * shape.threads else { return }
    let (port, server) = (try ClosedPort(), try await ScriptedServer([.send(okay)]))
    var plan = try plan(server.url, shape)
    plan.targets.append(try LoadTarget(url: port.url))
    let report = try await run(plan)
    try await server.stop()
    check(report, shape.requests, "one of two")
  }

  /// A server that stops to listen while it is under load.
  @Test(arguments: shapes) func dies(_ shape: Shape) async throws {
    let server = try await ScriptedServer([.send(okay), .sendAndClose(okay)], accepting: 5)
    let report = try await run(try plan(server.url, shape))
    try await server.stop()
    check(report, shape.requests, "dies")
  }

  /// The requests of the warm-up do not count towards those that were asked for.
  @Test(arguments: [nil, 200.0]) func warmup(_ rate: Double?) async throws {
    let server = try await ScriptedServer([.send(okay)])
    var plan = try plan(server.url, Shape(connections: 2, requests: 20, rate: rate))
    plan.warmup = .milliseconds(150)
    let report = try await run(plan)
    try await server.stop()
    check(report, 20, "warm-up")
  }

  /// A log that is replayed to nobody.
  @Test func replayed() async throws {
    let port = try ClosedPort()
    let file = try TraceFile("1,/a,5\n2,/b,5\n3,/c,5\n")
    for speed in [nil, 1000.0] {
      var shape = try plan(port.url, Shape(connections: 8, requests: 1))
      (shape.requests, shape.replay) = (nil, ReplayPlan(path: file.path, speed: speed))
      check(try await run(shape), 3, "log")
    }
  }

  /// Connections that were to rest and could not are told apart from requests.
  @Test func resting() async throws {
    let port = try ClosedPort()
    var shape = try plan(port.url, Shape(connections: 2, requests: 2))
    shape.restingConnections = 3
    let report = try await run(shape)
    #expect(report.errors == ["connect": 2] && report.connectionErrors == ["connect": 3])
    #expect(!report.isClean)
    let text = ReportText(report: report).text
    #expect(text.contains("connections without a request: 3 connect"))
  }
}
