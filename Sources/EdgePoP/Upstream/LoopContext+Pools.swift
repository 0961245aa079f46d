import EdgeCache
import EdgeSocket
import NIOCore

// The connections of one event loop to upstreams: pools say what is to be done, here it is done.

extension LoopContext {
  /// The connections of this loop to one upstream.
  typealias Pool = ConnectionPool<UpstreamConnection, Exchange>

  /// Does something with the pool of an upstream and with the places that all loops share.
  func withPool<Result>(
    _ upstream: Int, _ body: (inout Pool, inout PlaceLedger) -> Result
  ) -> Result {
    shared.upstreamPlaces.use(upstream) { body(&pools[upstream], &$0) }
  }

  /// Asks for a connection for an exchange; for a new one, if an idle one will not do.
  func lease(
    _ upstream: Int, for exchange: Exchange, streams: Bool, anew: Bool
  ) -> PoolLease<UpstreamConnection> {
    // The way of nearly all, which touches nothing that is shared.
    if !streams, !anew, let idle = pools[upstream].leaseIdle() { return .use(idle) }
    return withPool(upstream) { pool, places in
      anew
        ? pool.leaseNew(exchange, streams: streams, now: now, &places)
        : pool.lease(exchange, streams: streams, now: now, &places)
    }
  }

  /// Takes back a connection whose exchange is over.
  func release(_ connection: UpstreamConnection) {
    let upstream = connection.upstream
    if pools[upstream].releaseQuietly(connection, now: now) { return }
    perform(
      withPool(upstream) { $0.release(connection, now: now, &$1) }, upstream: upstream)
  }

  /// A connection was closed.
  func closed(_ connection: UpstreamConnection) {
    let upstream = connection.upstream
    if connection.isTunnel { return shared.upstreamPlaces.use(upstream) { $0.endTunnel() } }
    perform(withPool(upstream) { $0.closed(connection, &$1) }, upstream: upstream)
  }

  /// A connection changes its protocol, and gives its place back: it is its client's alone for as long as that likes.
  /// False if there are as many such as there may be.
  func beginTunnel(on connection: UpstreamConnection) -> Bool {
    let upstream = connection.upstream
    let handOver = withPool(upstream) { pool, places in
      places.beginTunnel() ? pool.lost(&places) : nil
    }
    guard let handOver else {
      counters.count(.upstreamTunnels)
      return false
    }
    connection.isTunnel = true
    perform(handOver, upstream: upstream)
    return true
  }

  /// Does what a pool says after there is room in it.
  func perform(
    _ handOver: PoolHandOver<UpstreamConnection, Exchange>, upstream: Int
  ) {
    switch handOver {
    case .none: break
    case .give(let connection, let exchange): exchange.handedOver(connection)
    case .connect(let exchange): exchange.hasRoom()
    case .close(let connection): connection.cutOff()
    }
  }

  /// What another loop did is of interest here.
  func heard(_ news: PlaceLedger.News, of upstream: Int) {
    switch news {
    case .place: perform(withPool(upstream) { $0.placeCame(&$1) }, upstream: upstream)
    case .slot: perform(withPool(upstream) { $0.slotCame(&$1) }, upstream: upstream)
    case .wanted:
      for connection in withPool(upstream, { $0.asked(&$1) }) { connection.cutOff() }
    }
  }

  /// Closes what has been idle for too long, and what is kept where others need its place.
  func closeIdleUpstreams() {
    for index in pools.indices {
      let keepAlive = shared.routing.pools[index].keepAlive
      let idleSince = now.adding(milliseconds: -keepAlive.nanoseconds / 1_000_000)
      for connection in pools[index].expire(idleSince: idleSince) {
        counters.count(.upstreamIdle)
        connection.cutOff()
      }
      guard pools[index].mayNeedRoom else { continue }
      // A client in the middle of logging in has a second for its next request.
      let kept = now.adding(milliseconds: -1000)
      for connection in withPool(index, { $0.makeRoom(keptSince: kept, &$1) }) {
        connection.cutOff()
      }
    }
  }
}
