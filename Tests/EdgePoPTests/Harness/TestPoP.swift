import EdgeCache
import EdgeFleet
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

@testable import EdgePoP

// A PoP in this process, with ports of its own, and the life that a process would give it.

/// A PoP under test.
struct TestPoP: Sendable {
  /// What differs from a plain PoP.
  struct Setup: Sendable {
    var limits = ShellLimits()
    var threads = 1
    var listeners = 1
    var memory = ByteSize.mebibytes(64)
    var token: AdminToken?
    /// Tokens with rights, instead of one for all.
    var access: AdminAccess?
    var purgeFrom: [AddressRange] = []
    var trustedProxies: [AddressRange]?
    var accessLog = AccessLogTarget.off
    /// Name servers of the test, instead of those of the system.
    var resolvers: [ResolverAddress]?
    var accessLogFormat = FleetConfiguration.AccessLogFormat.combined
    var accessLogSample = 1.0
    var clock = TestClock()
    /// How many clients it has, and how it begins and ends.
    var serving = FleetConfiguration.Serving()
    /// The routes of its site.
    var routes: [FleetConfiguration.Route] = []
    /// Where stores are on disk, if there are any.
    var disks: [FleetConfiguration.Disk] = []

    init() {
      limits.drain = .milliseconds(500)
      limits.drainIdle = .zero
      // What is not about time must not depend on it: a busy machine may stop a test for seconds.
      limits.firstByte = .seconds(60)
      limits.head = .seconds(60)
      limits.contentStall = .seconds(60)
      limits.slowContentGrace = .seconds(60)
      limits.clientStall = .seconds(60)
      limits.connect = .seconds(60)
      limits.queue = .seconds(60)
      limits.upstreamFirstByte = .seconds(60)
      limits.overdue = .seconds(60)
      limits.collapse = .seconds(60)
      limits.betweenBytes = .seconds(60)
    }
  }

  /// A server with the life of a process, or a PoP in memory.
  private enum Running: Sendable {
    case server(PoPServer, Task<Void, any Error>, ServiceGroup)
    case memory(MemoryPoP)
  }

  private let running: Running

  /// The server, where requests come over sockets.
  var server: PoPServer {
    guard case .server(let server, _, _) = running else { preconditionFailure("no sockets") }
    return server
  }

  /// Where clients connect; in memory, where they could if it were anywhere.
  var address: SocketEndpoint {
    guard case .memory = running else { return server.listenAddresses[0] }
    return SocketEndpoint(host: "127.0.0.1", port: (try? ClosedPort().url.port) ?? 9)
  }

  /// Starts a PoP in front of one server.
  static func start(
    upstream: UpstreamURL, _ change: (inout Setup) -> Void = { _ in }
  ) async throws -> TestPoP {
    var setup = Setup()
    change(&setup)
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: upstream, listen: Array(repeating: any, count: setup.listeners), admin: any,
      memory: setup.memory, threads: setup.threads)
    configuration.pops[0].disks = setup.disks
    configuration.pops[0].serving = setup.serving
    configuration.sites[0].routes = setup.routes
    return try await start(configuration, pop: configuration.pops[0], setup)
  }

  /// Starts one PoP of a fleet.
  static func start(
    _ configuration: FleetConfiguration, pop: FleetConfiguration.PoP, _ setup: Setup = Setup()
  ) async throws -> TestPoP {
    allowManyFiles()
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    var options = PoPOptions(
      configuration: configuration, pop: pop,
      access: setup.access ?? setup.token.map(AdminAccess.init), purgeFrom: setup.purgeFrom,
      trustedProxies: setup.trustedProxies,
      resolvers: setup.resolvers, accessLog: setup.accessLog, limits: setup.limits, logger: logger)
    (options.accessLogFormat, options.accessLogSample) = (
      setup.accessLogFormat, setup.accessLogSample
    )
    options.clock = setup.clock.clock
    // One with a port of its own is about sockets.
    if Carrier.current == .memory, pop.listen.allSatisfy({ $0.port == 0 }) {
      return TestPoP(running: .memory(try MemoryPoP(options)))
    }
    let server = try await PoPServer.start(options)
    let lifecycle = ServiceGroup(services: [server], logger: logger)
    let task = Task { try await lifecycle.run() }
    return TestPoP(running: .server(server, task, lifecycle))
  }

  /// Thousands of connections, both ends of each in this process.
  private static func allowManyFiles() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Asks for a graceful shutdown, as SIGTERM does.
  func beginShutdown() async {
    if case .server(_, _, let lifecycle) = running { await lifecycle.triggerGracefulShutdown() }
  }

  /// Waits until the PoP has ended.
  func waitForEnd() async throws {
    switch running {
    case .server(_, let task, _): try await task.value
    case .memory(let pop): await pop.stop()
    }
  }

  /// Ends the PoP.
  func stop() async throws {
    await beginShutdown()
    try await waitForEnd()
  }

  // MARK: Clients

  /// A new connection.
  func connect(receiveBuffer: Int? = nil) async throws -> Wire {
    switch running {
    case .server: try await Wire.connect(address, receiveBuffer: receiveBuffer)
    case .memory(let pop): pop.connect()
    }
  }

  /// One request on a connection of its own.
  func exchange(_ request: String) async throws -> Message {
    let wire = try await connect()
    let response = try await wire.exchange(request)
    await wire.close()
    return response
  }

  /// One GET on a connection of its own.
  func get(_ target: String, _ fields: String...) async throws -> Message {
    try await exchange(Self.request(target, fields))
  }

  /// The bytes of a GET.
  static func request(_ target: String, _ fields: [String] = []) -> String {
    "GET \(target) HTTP/1.1\r\nHost: a.example\r\n"
      + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// Waits until nothing is on its way into the store.
  func waitForFills() async throws {
    try await eventually("no flights") { try await statistics().memory.flights == 0 }
  }

  // MARK: Admin API

  /// One admin request on a connection of its own.
  func admin(_ request: String) async throws -> Message {
    let address =
      switch running {
      case .server(let server, _, _): server.adminAddress
      case .memory(let pop): try await pop.adminAddress()
      }
    let wire = try await Wire.connect(address)
    let response = try await wire.exchange(request)
    await wire.close()
    return response
  }

  /// A purge with this body.
  func purge(_ json: String, _ fields: String...) async throws -> Message {
    let lines = fields.map { $0 + "\r\n" }.joined()
    return try await admin(
      "POST /purge HTTP/1.1\r\nHost: admin\r\n\(lines)Content-Length: \(json.utf8.count)\r\n\r\n"
        + json)
  }

  /// A purge of one URL.
  func purge(url: String) async throws -> Message {
    try await purge(#"{"scope": "url", "urls": ["\#(url)"]}"#)
  }

  /// All counters.
  func statistics() async throws -> Statistics {
    if case .memory(let pop) = running { return pop.statistics() }
    let answer = try await admin("GET /stats HTTP/1.1\r\nHost: admin\r\n\r\n")
    return try JSONDecoder().decode(
      Statistics.self, from: Data(answer.content.readableBytesView))
  }
}

/// Runs `body` with a PoP in front of an origin that follows `script`, and ends both.
func withPoP(
  _ change: (inout TestPoP.Setup) -> Void = { _ in }, origin script: @escaping Origin.Script,
  _ body: (TestPoP, Origin) async throws -> Void
) async throws {
  let origin = try await Origin.start(script)
  let pop = try await TestPoP.start(upstream: origin.url, change)
  do {
    try await body(pop, origin)
  } catch {
    await origin.stop()
    try? await pop.stop()
    throw error
  }
  await origin.stop()
  try await pop.stop()
}
