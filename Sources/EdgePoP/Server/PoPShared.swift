import EdgeCache
import EdgeFleet
import Logging
import NIOSSL

/// What all event loops share. A class, so that nothing in it is copied to be looked at.
final class PoPShared: Sendable {
  let store: Store
  let routing: Routing
  let limits: ShellLimits
  let cacheName: CacheName
  let accessLog: AccessLog?
  let logger: Logger
  let clock: ProcessClock
  let disk: DiskTier?
  let purges: PurgeService
  let gate: AdminGate
  let tiers: TierFence
  /// Whose word is taken for who a client is.
  let trust: ProxyTrust
  /// What makes names of requests, for one event loop.
  let requestIDs: @Sendable () -> RequestIDSource
  /// Event loops among which limits of the whole PoP are divided.
  let loopCount: Int
  /// What makes connections to upstreams.
  let connector: any UpstreamConnector
  /// Places for connections of clients.
  let places: SharedPlaces
  /// Places for connections to upstreams.
  let upstreamPlaces: UpstreamPlaces
  /// Which upstreams are left out, for the log.
  let leftOut = LeftOutUpstreams()

  init(
    _ options: PoPOptions, storage: PoPStorage, purges: PurgePlane, routing: Routing,
    accessLog: AccessLog?, connector: any UpstreamConnector, loopCount: Int,
    places: SharedPlaces = SharedPlaces()
  ) {
    self.places = places
    store = storage.store
    disk = storage.disk
    self.routing = routing
    limits = options.limits
    cacheName = CacheName(Self.cacheName(options))
    self.accessLog = accessLog
    logger = options.logger
    requestIDs = options.requestIDs
    clock = options.clock
    self.purges = purges.service
    gate = purges.gate
    tiers = purges.tiers
    trust = Self.trust(options)
    self.connector = connector
    self.loopCount = loopCount
    upstreamPlaces = UpstreamPlaces(routing.pools, loops: loopCount)
  }

  private static func trust(_ options: PoPOptions) -> ProxyTrust {
    func addresses(_ isMeant: (FleetConfiguration.PoP) -> Bool) -> Set<IPAddress> {
      Set(
        options.configuration.pops.filter(isMeant).flatMap(\.listen).filter { !$0.isWildcard }
          .compactMap { IPAddress($0.host) })
    }
    return ProxyTrust(
      proxies: options.believedProxies.map(\.prefix),
      children: addresses { $0.parent == options.pop.id },
      pops: addresses { $0.id != options.pop.id })
  }

  /// `EdgeCache` for a PoP alone, `EdgeCache-sin1` in a fleet: a token both for Cache-Status
  /// (RFC 8941 §3.3.4) and for Via (RFC 9110 §7.6.3).
  private static func cacheName(_ options: PoPOptions) -> [UInt8] {
    let isAlone = options.configuration.pops.count == 1 && options.pop.id == "local"
    return Array((isAlone ? "EdgeCache" : "EdgeCache-\(options.pop.id)").utf8)
  }
}
