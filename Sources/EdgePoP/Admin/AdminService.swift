import EdgeCache
import Logging

/// What the admin API does its work with.
struct AdminService: Sendable {
  let popID: String
  let store: Store
  let purges: PurgeService
  let gate: AdminGate
  let explainer: Explainer
  let clock: ProcessClock
  let started: Instant
  let logger: Logger
  let life: Life
  private let isReadyUnsynced: Bool
  private let disk: DiskTier?
  private let places: SharedPlaces
  private let shared: PoPShared
  private let accessLog: AccessLog?
  private let connector: any UpstreamConnector
  private let operationalLog: OperationalLog?
  private let counters: @Sendable () async -> Counters

  /// The service of a PoP; `counters` is what all its event loops have counted.
  init(
    _ options: PoPOptions, _ shared: PoPShared, started: Instant, life: Life,
    counters: @escaping @Sendable () async -> Counters
  ) {
    popID = options.pop.id
    store = shared.store
    purges = shared.purges
    gate = shared.gate
    explainer = Explainer(
      popID: options.pop.id, store: shared.store, routing: shared.routing,
      cacheName: shared.cacheName.bytes, disk: shared.disk,
      configuration: options.configuration, defaults: options.limits,
      takesPurges: shared.gate.takesPurgesOfClients)
    logger = options.logger
    clock = shared.clock
    isReadyUnsynced =
      options.configuration.serving(of: options.pop).readyWhenUnsynced ?? true
    disk = shared.disk
    places = shared.places
    self.shared = shared
    accessLog = shared.accessLog
    connector = shared.connector
    operationalLog = options.operationalLog
    self.started = started
    self.life = life
    self.counters = counters
  }

  /// Whole seconds since the PoP was started.
  var uptimeSeconds: Int { Int(clock.now.milliseconds(since: started) / 1000) }

  /// What is wrong, in sentences. O(segments).
  var problems: [String] {
    (disk?.problems ?? []) + connector.nameProblems + [accessLog?.problem].compactMap { $0 }
  }

  /// Why no client should be sent here; nil if they should.
  var unreadiness: String? {
    switch life.stage {
    case .starting: return "starting"
    case .draining: return "draining"
    case .serving:
      let state = purges.syncReport.state
      return isReadyUnsynced || state == PurgeSync.synced.rawValue ? nil : state
    }
  }

  /// What `GET /stats` reports. O(event loops + disks).
  func statistics() async -> Statistics {
    let counters = await counters()
    return Statistics(
      pop: popID, uptimeSeconds: uptimeSeconds,
      purgeSequence: store.purges.head, counters: counters, store: store.statistics,
      droppedLogLines: .init(
        access: accessLog?.dropped ?? 0, operational: operationalLog?.dropped ?? 0),
      disk: disk?.report, names: connector.names, purges: purges.statistics(gate), places: places,
      upstreams: UpstreamStatistics.all(counters, shared))
  }
}
