import EdgeCache
import EdgeFleet
import EdgeSocket
import Glibc
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle

// One PoP as a process runs it: listeners, event loops, the admin API and an orderly end.

/// A running PoP.
public final class PoPServer: Service {
  private let options: PoPOptions
  private let adminGroup: MultiThreadedEventLoopGroup
  private let loops: [Confined<LoopContext>]
  private let resolver: NameResolver
  private let disk: DiskTier?
  private let store: Store
  private let accessLog: AccessLog?
  private let life = Life()
  private let started: Instant
  private let adminListener: any Channel
  private let fleet: PurgeFleet?

  /// Addresses that clients connect to, with the ports that were really bound.
  public let listenAddresses: [SocketEndpoint]
  /// The address of the admin API, with the port that was really bound.
  public let adminAddress: SocketEndpoint

  /// The line that says that the PoP is ready.
  public var readyLine: String {
    let listen = listenAddresses.map { "http://\($0)" }.joined(separator: ", ")
    return
      "listening on \(listen), admin on \(options.configuration.adminTLS == nil ? "http" : "https")://\(adminAddress)"
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
    let accessLog = try AccessLog.open(options.accessLog)
    let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      return try await PoPServer(options, adminGroup: adminGroup, accessLog: accessLog)
    } catch {
      accessLog?.close()
      try? await adminGroup.shutdownGracefully()
      throw error
    }
  }

  private init(
    _ options: PoPOptions, adminGroup: MultiThreadedEventLoopGroup, accessLog: AccessLog?
  ) async throws {
    self.options = options
    self.adminGroup = adminGroup
    self.accessLog = accessLog
    started = WallClock.now()
    var generator = SystemRandomNumberGenerator()
    let purges = PurgeLog()
    disk =
      options.pop.disks.isEmpty
      ? nil : try DiskTier(options.pop.disks, purges: purges, logger: options.logger)
    store = Store(
      limits: Self.storeLimits(options.pop),
      secret: disk?.secret ?? HashSecret(generator.next(), generator.next()),
      purges: purges, lower: disk)

    let routing = Routing(options.configuration, pop: options.pop)
    let tlsContext = try Self.tlsContext(routing, upstreamCA: options.upstreamCA)
    let threads = options.pop.threads ?? System.coreCount
    let bus = try Self.bus(options, group: adminGroup)
    let purgeService = PurgeService(
      popID: options.pop.id, store: store, routing: routing, disk: disk, bus: bus,
      receiptToken: options.access?.own, logger: options.logger)
    let gate = AdminGate(
      access: options.access, allowed: options.purgeFrom,
      purgesPerSecond: options.limits.purgesPerSecond)
    let (adminTLS, peerTLS) = try Self.adminTLS(options)
    fleet = Self.fleet(
      options, purgeService, bus, isFresh: disk?.isFresh ?? true, tls: peerTLS, group: adminGroup)
    if disk == nil { purges.begin(epoch: generator.next()) }
    // Before anybody can ask for what is on disk.
    if fleet != nil, disk?.isFresh == false { purges.closeFence() }
    resolver = NameResolver()
    let shared = PoPShared(
      store: store, routing: routing, limits: options.limits,
      cacheName: CacheName(Self.cacheName(options)), accessLog: accessLog, logger: options.logger,
      tlsContext: tlsContext, resolver: resolver, disk: disk, purges: purgeService, gate: gate,
      tiers: TierFence(
        purgeService, peers: fleet?.peers ?? [],
        addresses: Set(options.configuration.pops.flatMap { $0.listen + [$0.admin] }.map(\.host))),
      loopCount: threads)
    var sockets: [Listeners.Opened] = []
    var loops: [Confined<LoopContext>] = []
    do {
      for endpoint in options.pop.listen {
        sockets.append(try Listeners.open(endpoint, count: threads))
      }
      for number in 0..<threads {
        loops.append(
          try await Reactor.start(name: "edge-loop-\(number)") { reactor in
            let loop = LoopContext(reactor: reactor, shared: shared)
            loop.tick()
            return loop
          })
      }
      let service = AdminService(
        popID: options.pop.id, store: store, purges: purgeService, gate: gate,
        explainer: Explainer(
          popID: options.pop.id, store: store, routing: routing, cacheName: shared.cacheName.bytes),
        started: started,
        logger: options.logger,
        statistics: Self.statistics(
          options, loops: loops, store: store, started: started, accessLog: accessLog,
          disk: disk, purges: { purgeService.statistics(gate) }, on: adminGroup.any()),
        life: life)
      adminListener = try await Self.listenAdmin(
        options.pop.admin, group: adminGroup, tls: adminTLS, service: service)
    } catch {
      for descriptor in sockets.flatMap(\.descriptors) { close(descriptor) }
      await Self.stop(loops)
      await resolver.stop()
      await disk?.stop()
      throw error
    }
    self.loops = loops
    listenAddresses = sockets.map(\.address)
    adminAddress = Listeners.bound(options.pop.admin, adminListener)
    for (number, loop) in loops.enumerated() {
      let own = sockets.map { $0.descriptors[number] }
      await loop.run { loop in
        for descriptor in own { Listeners.accept(descriptor, loop) }
      }
    }
  }

  /// What TLS with upstreams is made with; nil if no upstream wants it.
  private static func tlsContext(
    _ routing: Routing, upstreamCA: String?
  ) throws -> NIOSSLContext? {
    var configuration = TLSConfiguration.makeClientConfiguration()
    if let upstreamCA {
      do {
        configuration.additionalTrustRoots = [
          .certificates(try NIOSSLCertificate.fromPEMFile(upstreamCA))
        ]
      } catch {
        throw StartProblem(
          "--upstream-ca \(upstreamCA): cannot be read, or holds no certificates in PEM")
      }
    }
    guard routing.upstreams.contains(where: { $0.url.scheme == .https }) else { return nil }
    return try NIOSSLContext(configuration: configuration)
  }

  private static func stop(_ loops: [Confined<LoopContext>]) async {
    for loop in loops { await loop.run { $0.reactor.stop() } }
  }

  /// `EdgeCache` for a PoP alone, `EdgeCache-sin1` in a fleet: a token both for Cache-Status
  /// (RFC 8941 §3.3.4) and for Via (RFC 9110 §7.6.3).
  private static func cacheName(_ options: PoPOptions) -> [UInt8] {
    let isAlone = options.configuration.pops.count == 1 && options.pop.id == "local"
    return Array((isAlone ? "EdgeCache" : "EdgeCache-\(options.pop.id)").utf8)
  }

  // MARK: Listeners

  private static func listenAdmin(
    _ endpoint: SocketEndpoint, group: MultiThreadedEventLoopGroup, tls: NIOSSLContext?,
    service: AdminService
  ) async throws -> any Channel {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
          }
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(
            IdleStateHandler(allTimeout: .seconds(60)))
          try channel.pipeline.syncOperations.addHandler(AdminConnection(service: service))
        }
      }
    return try await Listeners.bind(bootstrap, endpoint, flag: "--admin")
  }

  private static func statistics(
    _ options: PoPOptions, loops: [Confined<LoopContext>], store: Store, started: Instant,
    accessLog: AccessLog?, disk: DiskTier?, purges: @escaping @Sendable () -> PurgeStatistics,
    on eventLoop: any EventLoop
  ) -> @Sendable () -> EventLoopFuture<Statistics> {
    let popID = options.pop.id
    return {
      let counts = loops.map { loop in
        eventLoop.makeFutureWithTask { await loop.run { $0.counters } ?? Counters() }
      }
      return EventLoopFuture.whenAllSucceed(counts, on: eventLoop).map { counts in
        var sum = Counters()
        for count in counts { sum.add(count) }
        return Statistics(
          pop: popID, uptimeSeconds: Int(WallClock.now().milliseconds(since: started) / 1000),
          purgeSequence: store.purges.head, counters: sum, store: store.statistics,
          droppedLogLines: accessLog?.dropped ?? 0, disk: disk?.report, purges: purges())
      }
    }
  }

  /// What keeps this PoP up to date with the others; nil if there are none.
  private static func fleet(
    _ options: PoPOptions, _ service: PurgeService, _ bus: PurgeStream?, isFresh: Bool,
    tls: NIOSSLContext?, group: any EventLoopGroup
  ) -> PurgeFleet? {
    var limits = PurgeFollower.Limits()
    let (seconds, attoseconds) = options.configuration.maxUnsynced.components
    limits.maxUnsynced = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    let peers: [PurgeFleet.Peer]
    if let bus {
      // The stream is waited for, so the next question follows the answer.
      limits.interval = 0
      peers = [.init(id: PurgeFleet.bus, source: .bus(bus))]
    } else {
      peers = options.configuration.pops
        .filter { $0.id != options.pop.id && $0.admin.port != 0 }
        .map {
          .init(
            id: $0.id,
            source: .pop(
              AdminClient(
                endpoint: $0.admin, token: options.access?.own, tls: tls, group: group)))
        }
    }
    if peers.isEmpty { return nil }
    return PurgeFleet(
      service: service, peers: peers, limits: limits, isFresh: isFresh, logger: options.logger)
  }

  /// What the admin API is served with, and what this PoP asks others with.
  private static func adminTLS(
    _ options: PoPOptions
  ) throws -> (server: NIOSSLContext?, client: NIOSSLContext?) {
    guard let tls = options.configuration.adminTLS else { return (nil, nil) }
    do throws(ValueProblem) {
      return (
        try tls.serverContext(),
        try tls.clientContext(certificate: tls.certificate, key: tls.key)
      )
    } catch {
      throw StartProblem("adminTLS: \(error)")
    }
  }

  /// The stream that carries purges; nil if they come directly.
  private static func bus(
    _ options: PoPOptions, group: any EventLoopGroup
  ) throws -> PurgeStream? {
    guard let bus = options.configuration.purgeBus else { return nil }
    do throws(ValueProblem) {
      return try PurgeStream(bus, group: group)
    } catch {
      throw StartProblem("purgeBus.ca: \(error)")
    }
  }

  private static func storeLimits(_ pop: FleetConfiguration.PoP) -> StoreLimits {
    var limits = StoreLimits(memory: pop.memory.bytes)
    switch pop.eviction {
    case .lru: limits.eviction = .lru
    case .slru: limits.eviction = .slru
    case .sizeLRU: limits.eviction = .sizeLRU
    case nil: break
    }
    return limits
  }

  // MARK: Life

  /// Serves until a graceful shutdown is asked for, then finishes what runs and returns.
  public func run() async throws {
    let log = accessLog
    let flusher = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(200))
        log?.flush()
      }
    }
    let sweeper = Task { [store, disk] in await PurgeSweeper(store: store, disk: disk).run() }
    let follower = Task { [fleet] in await fleet?.run() }
    try? await gracefulShutdown()
    sweeper.cancel()
    follower.cancel()
    life.beginDraining()
    options.logger.info("draining")
    await drain()
    flusher.cancel()
    accessLog?.close()
    await Self.stop(loops)
    await resolver.stop()
    await disk?.stop()
    try await adminGroup.shutdownGracefully()
  }

  private func drain() async {
    for loop in loops { await loop.run { $0.drain() } }
    let deadline = ContinuousClock.now + .nanoseconds(options.limits.drain.nanoseconds)
    while ContinuousClock.now < deadline {
      var open = 0
      for loop in loops {
        open += await loop.run { $0.counters.openConnections } ?? 0
      }
      if open == 0 { break }
      try? await Task.sleep(for: .milliseconds(20))
    }
    for loop in loops { await loop.run { $0.closeAll() } }
    try? await adminListener.close()
  }
}
