import EdgeCache
import EdgeFleet
import NIOCore
import NIOSSL

/// How purges come to a PoP, from whom, and how it learns of those that it missed.
struct PurgePlane: Sendable {
  let service: PurgeService
  let gate: AdminGate
  let tiers: TierFence
  /// What keeps this PoP up to date with the others; nil if there are none.
  let fleet: PurgeFleet?

  /// The plane of a PoP. Once this is made nothing of an earlier life is served unchecked: so it is made
  /// before anything that serves. `bus` is the stream that carries purges, `tls` what other PoPs are asked with.
  init(
    _ options: PoPOptions, storage: PoPStorage, routing: Routing, bus: PurgeStream? = nil,
    tls: NIOSSLContext?, group: any EventLoopGroup, life: Life = Life()
  ) {
    service = PurgeService(
      popID: options.pop.id, store: storage.store, routing: routing, disk: storage.disk, bus: bus,
      receiptToken: options.access?.own, life: life, clock: options.clock, logger: options.logger)
    gate = AdminGate(
      access: options.access, allowed: options.purgeFrom,
      purgesPerSecond: options.limits.purgesPerSecond)
    fleet = Self.fleet(
      options, service, bus, isFresh: storage.isFresh, tls: tls, group: group)
    tiers = TierFence(
      service, peers: fleet?.peers ?? [],
      addresses: Set(options.configuration.pops.flatMap { $0.listen + [$0.admin] }.map(\.host)))
    if fleet != nil, !storage.isFresh { storage.store.purges.closeFence() }
  }

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

  /// The stream that carries purges; nil if they come directly. Throws ``StartProblem`` if it cannot be used as
  /// configured.
  static func bus(
    _ options: PoPOptions, group: any EventLoopGroup
  ) throws(StartProblem) -> PurgeStream? {
    guard let bus = options.configuration.purgeBus else { return nil }
    do throws(ValueProblem) {
      return try PurgeStream(bus, group: group)
    } catch {
      throw StartProblem("purgeBus.ca: \(error)")
    }
  }
}
