import EdgeCache
import Logging
import NIOCore
import NIOSSL

// What belongs to one event loop: pools, health, counters and its open connections. Touched on that
// loop only, so none of it needs a lock.

/// What all event loops share. A class, so that nothing in it is copied to be looked at.
final class PoPShared: Sendable {
  let store: Store
  let routing: Routing
  let limits: ShellLimits
  let cacheName: CacheName
  let accessLog: AccessLog?
  let logger: Logger
  let tlsContext: NIOSSLContext?
  let loopCount: Int

  init(
    store: Store, routing: Routing, limits: ShellLimits, cacheName: CacheName,
    accessLog: AccessLog?, logger: Logger, tlsContext: NIOSSLContext?, loopCount: Int
  ) {
    self.store = store
    self.routing = routing
    self.limits = limits
    self.cacheName = cacheName
    self.accessLog = accessLog
    self.logger = logger
    self.tlsContext = tlsContext
    self.loopCount = loopCount
  }
}

/// The state of one event loop.
final class LoopContext {
  let eventLoop: any EventLoop
  let shared: PoPShared
  let allocator = ByteBufferAllocator()
  /// Where a hit's response is put together; empty between responses.
  var scratch = ByteBufferAllocator().buffer(capacity: 16 << 10)
  var counters = Counters()
  var health: UpstreamHealth
  var pools: [ConnectionPool<UpstreamConnection, Exchange>]
  /// Memory for the key of the next request.
  var keyStorage: [UInt8] = []
  private(set) var isDraining = false
  private var clients: [ObjectIdentifier: ClientConnection] = [:]
  private var upstreams: [ObjectIdentifier: UpstreamConnection] = [:]
  private var waiting: [ObjectIdentifier: Exchange] = [:]

  init(eventLoop: any EventLoop, shared: PoPShared) {
    self.eventLoop = eventLoop
    self.shared = shared
    let count = shared.routing.upstreams.count
    health = UpstreamHealth(count: count)
    let limit = max(1, shared.limits.upstreamConnections / shared.loopCount)
    pools = (0..<count).map { _ in
      ConnectionPool(limit: limit, queueLimit: shared.limits.upstreamQueue)
    }
  }

  var store: Store { shared.store }
  var limits: ShellLimits { shared.limits }

  /// The present moment, near enough for ages and lifetimes.
  var now: Instant { WallClock.coarse() }

  // MARK: Connections

  func add(_ connection: ClientConnection) {
    clients[ObjectIdentifier(connection)] = connection
    counters.connections += 1
    counters.openConnections += 1
  }

  func remove(_ connection: ClientConnection) {
    if clients.removeValue(forKey: ObjectIdentifier(connection)) != nil {
      counters.openConnections -= 1
    }
  }

  func add(_ connection: UpstreamConnection) {
    upstreams[ObjectIdentifier(connection)] = connection
    counters.upstreamConnections += 1
  }

  func remove(_ connection: UpstreamConnection) {
    upstreams[ObjectIdentifier(connection)] = nil
  }

  /// Watches the time that an exchange waits for a connection.
  func watch(_ exchange: Exchange) {
    waiting[ObjectIdentifier(exchange)] = exchange
  }

  func unwatch(_ exchange: Exchange) {
    waiting[ObjectIdentifier(exchange)] = nil
  }

  var openClients: Int { clients.count }

  /// Once a second: ends whatever has taken too long. O(connections).
  func tick() {
    let deadline = NIODeadline.now()
    for client in Array(clients.values) { client.checkTime(deadline) }
    for upstream in Array(upstreams.values) { upstream.checkTime(deadline) }
    for exchange in Array(waiting.values) { exchange.checkTime(deadline) }
    let idleSince = Instant(
      milliseconds: now.milliseconds - limits.upstreamIdle.nanoseconds / 1_000_000)
    for index in pools.indices {
      for connection in pools[index].expire(idleSince: idleSince) { connection.close() }
    }
  }

  /// Stops keeping connections alive.
  func drain() {
    isDraining = true
    for client in Array(clients.values) { client.drain() }
  }

  /// Closes what is left.
  func closeAll() {
    for client in Array(clients.values) { client.close() }
    for upstream in Array(upstreams.values) { upstream.close() }
  }

  // MARK: Upstream connections

  /// Does what a pool says after there is room in it.
  func perform(
    _ handOver: PoolHandOver<UpstreamConnection, Exchange>, upstream: Int
  ) {
    switch handOver {
    case .none: break
    case .give(let connection, let exchange):
      unwatch(exchange)
      exchange.leased(connection)
    case .connect(let exchange):
      unwatch(exchange)
      connect(upstream, for: exchange)
    }
  }

  /// Makes a connection to an upstream for an exchange.
  func connect(_ index: Int, for exchange: Exchange) {
    let future = UpstreamConnector.connect(index, loop: self)
    future.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success(let bound):
        let handler = bound.value
        health.succeeded(index)
        add(handler)
        if exchange.isWaiting {
          exchange.leased(handler)
        } else {
          release(handler)
        }
      case .failure(let error):
        if health.failed(index, now: now) {
          shared.logger.warning(
            "cannot connect to upstream",
            metadata: ["upstream": "\(shared.routing.upstreams[index].url)", "reason": "\(error)"])
        }
        let isTimeout = (error as? ChannelError).map(Self.isTimeout) ?? false
        perform(pools[index].lost(), upstream: index)
        exchange.connectFailed(isTimeout ? .connectTimeout : .connect)
      }
    }
  }

  private static func isTimeout(_ error: ChannelError) -> Bool {
    if case .connectTimeout = error { return true }
    return false
  }

  /// Takes back a connection whose exchange is over.
  func release(_ connection: UpstreamConnection) {
    perform(
      pools[connection.upstream].release(connection, now: now), upstream: connection.upstream)
  }

  /// A connection was closed.
  func closed(_ connection: UpstreamConnection) {
    remove(connection)
    if !pools[connection.upstream].idleClosed(connection) {
      perform(pools[connection.upstream].lost(), upstream: connection.upstream)
    }
  }
}
