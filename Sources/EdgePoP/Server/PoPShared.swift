import EdgeCache
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
  let tlsContext: NIOSSLContext?
  let resolver: NameResolver
  let disk: DiskTier?
  let purges: PurgeService
  let gate: AdminGate
  let tiers: TierFence
  let loopCount: Int

  init(
    store: Store, routing: Routing, limits: ShellLimits, cacheName: CacheName,
    accessLog: AccessLog?, logger: Logger, tlsContext: NIOSSLContext?, resolver: NameResolver,
    disk: DiskTier?, purges: PurgeService, gate: AdminGate, tiers: TierFence, loopCount: Int
  ) {
    self.purges = purges
    self.gate = gate
    self.tiers = tiers
    self.store = store
    self.routing = routing
    self.limits = limits
    self.cacheName = cacheName
    self.accessLog = accessLog
    self.logger = logger
    self.tlsContext = tlsContext
    self.resolver = resolver
    self.disk = disk
    self.loopCount = loopCount
  }
}
