import EdgeCache
import EdgeFleet
import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

// One PoP as a process runs it. Each step of its start is made of the steps before it, so that none can
// come too early: what is stored, how purges come, what serves clients, what serves the admin API. What was
// started is ended in the opposite order, whether something failed on the way or its time has come.

/// A running PoP.
public final class PoPServer: Service {
  let options: PoPOptions
  let storage: PoPStorage
  let clients: DataPlane
  let admin: AdminListener
  let addresses: Addresses
  let life: Life
  private let purges: PurgePlane
  private let accessLog: AccessLog?
  private let ending: Ending

  /// Addresses that clients connect to, with the ports that were really bound.
  public var listenAddresses: [SocketEndpoint] { clients.addresses }
  /// The address of the admin API, with the port that was really bound.
  public var adminAddress: SocketEndpoint { admin.address }
  /// True if it took over from another PoP that served.
  public var hasTakenOver: Bool { addresses.areTakenOver }

  /// The line that says that the PoP is ready.
  public var readyLine: String {
    let listen = listenAddresses.map { "http://\($0)" }.joined(separator: ", ")
    let scheme = options.configuration.adminTLS == nil ? "http" : "https"
    return "listening on \(listen), admin on \(scheme)://\(adminAddress)"
  }

  /// Binds all addresses and starts to serve.
  ///
  /// Throws ``StartProblem`` when an address cannot be bound, or when the admin API would be open
  /// to other machines without a token.
  public static func start(_ options: PoPOptions) async throws -> PoPServer {
    if !options.pop.admin.isLoopback, options.access == nil {
      throw StartProblem(
        "the admin address \(options.pop.admin) is not loopback, so it needs a token: set "
          + "EDGE_ADMIN_TOKEN or --admin-token-file")
    }
    if options.mayTakeTerminatorsForOthers {
      options.logger.warning(
        """
        purgeFrom has a loopback address and trustedProxies is empty: through a TLS terminator or proxy on this \
        machine that adds no X-Forwarded-For everybody may purge; name it in trustedProxies and let it add that
        """)
    }
    var ending = Ending()
    do {
      return try await PoPServer(options, &ending)
    } catch {
      await ending.run()
      throw error
    }
  }

  private init(_ options: PoPOptions, _ ending: inout Ending) async throws {
    self.options = options
    let started = options.clock.now
    let loopCount = options.pop.threads ?? UsableCores.count
    let routing = Routing(options.configuration, pop: options.pop, limits: options.limits)
    // First of all, for nothing can be opened without.
    let places = try Self.places(options, routing, loopCount: loopCount)
    let accessLog = try AccessLog.open(
      options.accessLog, format: options.accessLogFormat, sample: options.accessLogSample,
      logger: options.logger)
    // No longer than a drain leaves: half of that is for disks.
    let forLog = min(
      .nanoseconds(options.limits.logs.nanoseconds), Self.drainReserve(options) / 2)
    ending.add { await accessLog?.close(within: forLog) }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    ending.add { try? await group.shutdownGracefully() }
    // Whatever can fail without the addresses does before another PoP is asked for them.
    let tls = try AdminListener.tls(options.configuration)
    let bus = try PurgePlane.bus(options, group: group)
    let connector = try await SocketConnector.start(
      routing, upstreamCA: options.upstreamCA, resolvers: options.nameServers,
      logger: options.logger)
    ending.add { await connector.stop() }
    try PoPStorage.check(options)
    let addresses = try Addresses.take(
      options.pop, count: loopCount, takesOver: options.takesOver, logger: options.logger)
    ending.add { addresses.abandon() }

    let life = Life()
    let storage = try PoPStorage(options, patience: addresses.diskPatience)
    ending.add { await storage.disk?.stop() }
    let purges = PurgePlane(
      options, storage: storage, routing: routing, bus: bus, tls: tls.client, group: group,
      life: life)
    let shared = PoPShared(
      options, storage: storage, purges: purges, routing: routing, accessLog: accessLog,
      connector: connector, loopCount: loopCount, places: places)
    let clients = try await DataPlane.start(addresses.clients, shared)
    ending.add { await clients.stop() }
    admin = AdminListener(
      addresses.admin, group: group, tls: tls.server,
      service: AdminService(
        options, shared, started: started, life: life,
        counters: { await clients.counters }))
    (self.storage, self.purges, self.clients) = (storage, purges, clients)
    (self.accessLog, self.life, self.ending) = (accessLog, life, ending)
    self.addresses = addresses
    if addresses.areTakenOver { try clients.listen() }
    try addresses.confirm(options.logger)
    do {
      try await admin.start()
    } catch {
      // Nobody else serves clients any more.
      guard addresses.areTakenOver else { throw error }
      options.logger.error("the admin API cannot go on", metadata: ["reason": "\(error)"])
    }
    try await clients.accept()
    addresses.desk.setHost(self)
  }

  /// Opens the access log anew, for whoever has moved its file away; false if it has no file. If that fails the old
  /// one stays.
  public func reopenLogs() -> Bool { accessLog?.reopen() ?? false }

  /// Throws ``StartProblem`` if the system gives this process too few files for a PoP: before anything else, for
  /// libraries trap where they cannot have what they need.
  public static func checkFiles(_ pop: FleetConfiguration.PoP) throws(StartProblem) {
    guard let limit = DescriptorLimit.current else { return }
    do throws(DescriptorBudget.Problem) {
      _ = try DescriptorBudget(
        limit: limit, needs: needs(pop, loopCount: pop.threads ?? UsableCores.count, upstreams: 0))
    } catch {
      throw StartProblem("\(error)")
    }
  }

  /// The files without which a PoP does not begin, if its configuration says nothing that bears on that.
  public static var usualFiles: Int { DescriptorBudget.least(.init(loops: UsableCores.count)) }

  private static func needs(
    _ pop: FleetConfiguration.PoP, loopCount: Int, upstreams: Int
  ) -> DescriptorBudget.Needs {
    DescriptorBudget.Needs(
      loops: loopCount, addresses: pop.listen.count,
      diskFiles: pop.disks.reduce(0) { $0 + DiskTier.files(of: $1) }, upstreams: upstreams)
  }

  /// How many clients there is room for. Throws ``StartProblem`` if the system gives this process too few files.
  private static func places(
    _ options: PoPOptions, _ routing: Routing, loopCount: Int
  ) throws(StartProblem) -> SharedPlaces {
    let serving = options.configuration.serving(of: options.pop)
    guard let limit = DescriptorLimit.current else {
      return SharedPlaces(
        limit: serving.clientConnections ?? .max, perAddress: serving.connectionsPerAddress)
    }
    let needs = needs(
      options.pop, loopCount: loopCount,
      upstreams: routing.pools.reduce(0) {
        $0 + $1.connections + ($1.tunnels == .max ? 0 : $1.tunnels)
      })
    do throws(DescriptorBudget.Problem) {
      let budget = try DescriptorBudget(
        limit: limit, needs: needs, wanted: serving.clientConnections)
      return SharedPlaces(
        limit: budget.clients, perAddress: serving.connectionsPerAddress, descriptorLimit: limit)
    } catch {
      throw StartProblem("\(error)")
    }
  }

  /// Serves until a graceful shutdown is asked for, or another PoP has taken over; then finishes what runs and
  /// returns.
  public func run() async throws {
    // Not before: whoever started it has made sure by now that signals end it in an orderly way.
    life.beginServing()
    let sweeper = Task { [storage] in
      await PurgeSweeper(store: storage.store, disk: storage.disk).run()
    }
    let follower = Task { [purges] in await purges.fleet?.run() }
    let tender = Task { [purges] in await purges.service.tendDisks() }
    let signal = Task { [life] in
      try? await gracefulShutdown()
      life.end()
    }
    await life.waitForEnd()
    signal.cancel()
    life.beginDraining()
    // A socket that is closed slowly would be closed for the successor, too.
    if life.isOffering { await clients.pause() }
    options.whenDraining()
    if drainDelay > .zero {
      options.logger.info(
        "not ready any more; clients are still accepted",
        metadata: ["drainDelay": "\(DurationText.print(drainDelay))"])
      await clients.stopKeepingAlive()
      await life.waitForBalancers(drainDelay)
    }
    let began = ContinuousClock.now
    sweeper.cancel()
    follower.cancel()
    tender.cancel()
    options.logger.info("draining")
    let limit = drainLimit
    let drain = limit - Self.drainReserve(options)
    let drained = await clients.drain(
      within: drain - (ContinuousClock.now - began),
      idle: .nanoseconds(options.limits.drainIdle.nanoseconds), last: (limit - drain) / 4)
    options.logger.info(
      "drained", metadata: ["finished": "\(drained.finished)", "cut": "\(drained.cut)"])
    await admin.stop()
    await ending.run()
  }

  /// Lines of the access log that its end could not write.
  public var lostLogLines: UInt64 { accessLog?.lostAtEnd ?? 0 }

  /// For how long clients are still let in once it is told to end.
  public var drainDelay: Duration {
    options.configuration.serving(of: options.pop).drainDelay ?? .zero
  }

  /// Within what time it ends after that.
  public var drainLimit: Duration { Self.drainLimit(options) }

  private static func drainLimit(_ options: PoPOptions) -> Duration {
    options.configuration.serving(of: options.pop).drainTimeout
      ?? .nanoseconds(options.limits.drain.nanoseconds)
  }

  /// What of that time is left for logs and disks.
  private static func drainReserve(_ options: PoPOptions) -> Duration {
    min(drainLimit(options) / 2, .nanoseconds(options.limits.drainReserve.nanoseconds))
  }
}

/// How what was started is ended: what came last first.
private struct Ending: Sendable {
  private var steps: [@Sendable () async -> Void] = []

  mutating func add(_ step: @escaping @Sendable () async -> Void) { steps.append(step) }

  func run() async {
    for step in steps.reversed() { await step() }
  }
}
