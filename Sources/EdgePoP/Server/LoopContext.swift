import EdgeCache
import EdgeSocket
import Logging
import NIOCore

// What belongs to one event loop: pools, health, counters and its open connections. Touched on that
// loop only, so none of it needs a lock.

/// The state of one event loop.
final class LoopContext {
  let reactor: Reactor
  let shared: PoPShared
  let clock: ProcessClock
  var counters = Counters()
  /// The access log, if there is one.
  let log: LoopLog?
  /// What requests are called.
  var requestIDs: RequestIDSource
  var health: UpstreamHealth
  var pools: [Pool]
  /// What is known of each upstream.
  var upstreams: [UpstreamRecord]
  /// Memory for the key of the next request.
  var keyStorage: [UInt8] = []
  /// Responses that are read slowly, as far as the present look at times has found them.
  var slowReaders: [SlowReader] = []
  /// Bytes of requests' content that wait for a connection to an upstream.
  var gatheredContent = 0
  private let mostGathered: Int
  private(set) var isDraining = false
  /// Until when nothing more is said about what this machine lacks.
  var lackToldUntil = Instant(milliseconds: .min)
  /// Which clients are closed when places are short.
  var places = ClientPlaces<ClientConnection>()
  /// Sockets that listen, and for which address each does.
  var listeners: [(address: Int, socket: ListeningSocket)] = []
  /// True while clients wait to be accepted because there is no place for them.
  var isWaitingForPlace = false
  private var waiting: [ObjectIdentifier: any TimedWait] = [:]
  /// The look at times that is under way.
  var round = TimeRound(now: Int64(clamping: NIODeadline.now().uptimeNanoseconds))

  init(reactor: Reactor, shared: PoPShared, number: Int = 0) {
    self.reactor = reactor
    self.shared = shared
    clock = shared.clock
    mostGathered = max(1 << 20, shared.store.limits.memory / 16) / shared.loopCount
    log = shared.accessLog.map {
      LoopLog(
        $0, on: reactor, names: shared.routing.longestNames + shared.cacheName.bytes.count)
    }
    requestIDs = shared.requestIDs()
    health = UpstreamHealth(count: shared.routing.upstreams.count)
    upstreams = shared.routing.upstreams.map { _ in UpstreamRecord() }
    pools = shared.routing.pools.map { Pool(loop: number, queueLimit: $0.queue) }
  }

  var store: Store { shared.store }
  var limits: ShellLimits { shared.limits }

  /// The present moment, near enough for ages and lifetimes.
  var now: Instant { clock.now }

  /// What the tier below memory has for a request, if that can be told without waiting for a disk.
  func look(_ key: CacheKey, _ request: FieldSection, purpose: ReadPurpose) -> FirstLook.Below? {
    guard let disk = shared.disk else { return .answered(nil) }
    switch disk.look(key, request: request, purpose: purpose, now: now) {
    case .found(let found): return .answered(found.promoted(by: store, now: now))
    case .nothing: return .answered(nil)
    case .waits: return nil
    }
  }

  /// What an upstream that is a PoP is told of the purges that this one has applied; nothing for others.
  func purgesApplied(tellingUpstream index: Int) -> String {
    shared.routing.upstreams[index].isPoP ? shared.tiers.applied : ""
  }

  /// True if there is room for more content of requests that have no connection yet.
  var mayGather: Bool { gatheredContent < mostGathered }

  // MARK: Connections

  /// A client has connected.
  func opened(_ connection: ClientConnection) {
    counters.connections += 1
    counters.openConnections += 1
    shared.places.enter()
  }

  /// The connection of a client is closed.
  func closed(_ connection: ClientConnection) {
    counters.openConnections -= 1
    if connection.isCounted { shared.places.leave(connection.network) }
    shared.places.leave()
  }

  /// Watches over the time of a wait, and keeps it, until it is over.
  func watch(_ wait: any TimedWait) { waiting[ObjectIdentifier(wait)] = wait }

  /// How much is watched over.
  var waitingCount: Int { waiting.count }

  /// Ends what is watched over and has taken too long, of one of so many parts.
  func checkWaits(_ now: NIODeadline, part: Int, of parts: Int) {
    if waiting.isEmpty { return }
    // Some of them end others.
    let due = waiting.filter { parts == 1 || UInt(bitPattern: $0.key) >> 4 % UInt(parts) == part }
    for wait in due.values { wait.checkTime(now) }
  }

  /// True while something is watched over.
  var isWaiting: Bool { !waiting.isEmpty }

  /// The wait is over.
  func unwatch(_ wait: any TimedWait) { waiting[ObjectIdentifier(wait)] = nil }

  /// From now on each response ends its connection; clients are still let in.
  func stopKeepingAlive() { isDraining = true }

  /// Lets nobody connect any more and stops keeping connections alive. A client that is in the middle of sending its
  /// next request gets an answer: those that are idle are closed after `idle` nanoseconds.
  func drain(idle: Int64) {
    isDraining = true
    retireListeners()
    if idle == 0 { return closeIdle() }
    _ = reactor.schedule(after: idle) { self.closeIdle() }
  }

  /// Closes the connections of clients that are idle, or soon will be.
  private func closeIdle() {
    reactor.forEachSocket { ($0 as? ClientConnection)?.drain() }
  }

  /// Breaks off what is sent from files.
  func cutOffFiles() {
    reactor.forEachSocket { socket in
      if let client = socket as? ClientConnection, client.sender != nil {
        client.cutOff(because: .draining)
      }
    }
  }

  /// Ends what clients have under way: with an answer where none has begun, so that some are here for a moment longer.
  /// Returns how many had something.
  func endUnfinished() -> Int {
    var count = 0
    reactor.forEachSocket { socket in
      if let client = socket as? ClientConnection, client.endUnfinished() { count += 1 }
    }
    return count
  }

  /// Ends the loop, and lets go of whatever waits on it.
  func end() {
    waiting = [:]
    slowReaders = []
    closeAll()
    log?.end()
    listeners = []
    places.forget()
    reactor.stop()
  }

  /// Closes what is left.
  func closeAll() {
    reactor.forEachSocket { socket in
      switch socket {
      case let client as ClientConnection: client.cutOff()
      case let upstream as UpstreamConnection: upstream.cutOff()
      default: break
      }
    }
  }
}
