import Seeds
import Testing

@testable import EdgeCache

/// The pool as a state machine: what is asked for, what is given.
@Suite struct ConnectionPoolTests {
  private final class Connection {}
  private final class Waiter {}
  private static let start = Instant(seconds: 100)
  private let start = Self.start

  /// A pool that has all places to itself, as on a PoP with one event loop.
  private struct Pool {
    typealias HandOver = PoolHandOver<Connection, Waiter>
    var pool: ConnectionPool<Connection, Waiter>
    var places: PlaceLedger

    init(limit: Int, queueLimit: Int) {
      pool = ConnectionPool(queueLimit: queueLimit)
      places = PlaceLedger(limit: limit)
    }

    var limit: Int { places.limit }
    var streamLimit: Int { places.slotLimit }
    var streaming: Int { places.streaming }
    var total: Int { pool.total }
    var idleCount: Int { pool.idleCount }
    var keptCount: Int { pool.keptCount }
    var waitingCount: Int { pool.waitingCount }

    mutating func lease(_ waiter: Waiter, streams: Bool = false) -> PoolLease<Connection> {
      if !streams, let idle = pool.leaseIdle() { return .use(idle) }
      return pool.lease(waiter, streams: streams, now: ConnectionPoolTests.start, &places)
    }
    mutating func leaseNew(_ waiter: Waiter) -> PoolLease<Connection> {
      pool.leaseNew(waiter, now: ConnectionPoolTests.start, &places)
    }
    mutating func release(_ connection: Connection, now: Instant) -> HandOver {
      if pool.releaseQuietly(connection, now: now) { return .none }
      return pool.release(connection, now: now, &places)
    }
    mutating func stopWaiting(_ waiter: Waiter) -> HandOver { pool.stopWaiting(waiter, &places) }
    mutating func contentEnded(_ waiter: Waiter) -> HandOver { pool.contentEnded(waiter, &places) }
    mutating func streamEnded() -> HandOver { pool.streamEnded(&places) }
    mutating func lost() -> HandOver { pool.lost(&places) }
    mutating func closed(_ connection: Connection) -> HandOver { pool.closed(connection, &places) }
    mutating func keep(_ connection: Connection, now: Instant) { pool.keep(connection, now: now) }
    mutating func takeBack(_ connection: Connection) { pool.takeBack(connection) }
    mutating func makeRoom(keptSince moment: Instant) -> [Connection] {
      pool.makeRoom(keptSince: moment, &places)
    }
    mutating func expire(idleSince moment: Instant) -> [Connection] {
      pool.expire(idleSince: moment)
    }
    mutating func excess(slowReaders: Int) -> Int {
      pool.excess(slowReaders: slowReaders, slowest: 0, &places)
    }
  }

  private func lease(_ pool: inout Pool, _ waiter: Waiter = Waiter()) -> String {
    name(pool.lease(waiter))
  }

  private func name(_ lease: PoolLease<Connection>) -> String {
    switch lease {
    case .use: "use"
    case .connect: "connect"
    case .wait: "wait"
    case .refuse: "refuse"
    }
  }

  @Test func connectsUpToTheLimitThenQueuesThenRefuses() {
    var pool = Pool(limit: 2, queueLimit: 1)
    let answers = (0..<4).map { _ in lease(&pool) }
    #expect(answers == ["connect", "connect", "wait", "refuse"])
    #expect(pool.total == 2 && pool.waitingCount == 1)
  }

  @Test func handsOverInTheOrderOfAsking() {
    var pool = Pool(limit: 1, queueLimit: 3)
    let connection = Connection()
    let waiters = [Waiter(), Waiter(), Waiter()]
    let answers = [lease(&pool)] + waiters.map { lease(&pool, $0) }
    #expect(answers == ["connect", "wait", "wait", "wait"])
    _ = pool.stopWaiting(waiters[1])
    for expected in [waiters[0], waiters[2]] {
      guard case .give(let given, let waiter) = pool.release(connection, now: start) else {
        Issue.record("nobody gets the connection")
        return
      }
      #expect(given === connection && waiter === expected)
    }
    guard case .none = pool.release(connection, now: start) else {
      Issue.record("somebody waits still")
      return
    }
    #expect(pool.idleCount == 1 && pool.total == 1)
  }

  @Test(
    "Requests whose content is still arriving get three quarters of the places", arguments: 1...9)
  func streams(limit: Int) {
    var pool = Pool(limit: limit, queueLimit: 2)
    let most = [1: 1, 2: 1, 3: 2, 4: 3, 5: 3, 6: 4, 7: 5, 8: 6, 9: 6][limit]!
    let streams = (0..<(most + 3)).map { _ in name(pool.lease(Waiter(), streams: true)) }
    #expect(
      streams == Array(repeating: "connect", count: most) + ["wait", "wait", "refuse"])
    // Those that have all of their content have a queue of their own too.
    let others = (0..<(limit - most + 3)).map { _ in lease(&pool) }
    #expect(
      others == Array(repeating: "connect", count: limit - most) + ["wait", "wait", "refuse"])
    #expect(pool.streaming == most && pool.total == limit && pool.waitingCount == 4)
  }

  @Test(
    "While others wait, slow readers and streams together have three quarters of the places",
    arguments: [
      // limit, streams, waiting, of those streaming, slow readers, excess
      [4, 0, 0, 0, 4, 0], [4, 0, 9, 0, 4, 1], [4, 0, 9, 0, 3, 0], [4, 1, 9, 0, 3, 1],
      [4, 3, 9, 0, 1, 1], [4, 3, 0, 9, 1, 0], [4, 1, 0, 9, 3, 1], [8, 0, 1, 0, 8, 1],
      [8, 0, 9, 0, 8, 2], [1, 0, 1, 0, 1, 1], [2, 0, 1, 0, 1, 0], [256, 0, 500, 0, 256, 64],
    ])
  func slowReaders(_ row: [Int]) {
    var pool = Pool(limit: row[0], queueLimit: 1000)
    for _ in 0..<row[1] { _ = pool.lease(Waiter(), streams: true) }
    while pool.total < row[0] { _ = pool.lease(Waiter()) }
    for _ in 0..<row[2] { _ = pool.lease(Waiter()) }
    for _ in 0..<row[3] { _ = pool.lease(Waiter(), streams: true) }
    let excess = pool.excess(slowReaders: row[4])
    #expect(excess == row[5])
  }

  @Test("No kept connection is closed for a stream that might not have its place")
  func roomForStreams() {
    var pool = Pool(limit: 4, queueLimit: 9)
    for _ in 0..<3 { _ = pool.lease(Waiter(), streams: true) }
    _ = pool.lease(Waiter())
    pool.keep(Connection(), now: start)
    _ = pool.lease(Waiter(), streams: true)
    #expect({ pool.makeRoom(keptSince: start).isEmpty }())
    _ = pool.lease(Waiter())
    #expect({ pool.makeRoom(keptSince: start).count == 1 }())
  }

  @Test("Any history: places, streams and queues add up, and nobody waits who need not")
  func randomStreams() {
    var random = SeededRandom(seed: 16)
    for _ in 0..<200 {
      var pool = Pool(limit: Int.random(in: 0..<6, using: &random) + 1, queueLimit: 3)
      var connecting: [(Waiter, Bool)] = []
      var waiting: [(Waiter, Bool)] = []
      var using: [(Connection, Bool)] = []
      func handed(_ handOver: PoolHandOver<Connection, Waiter>) {
        switch handOver {
        case .none: break
        case .close: Issue.record("there is no other loop")
        case .give(let connection, let waiter):
          let index = waiting.firstIndex { $0.0 === waiter }!
          using.append((connection, waiting.remove(at: index).1))
        case .connect(let waiter):
          connecting.append(waiting.remove(at: waiting.firstIndex { $0.0 === waiter }!))
        }
      }
      for _ in 0..<200 {
        switch Int.random(in: 0..<7, using: &random) {
        case 0, 1:
          let (waiter, streams) = (Waiter(), Int.random(in: 0..<2, using: &random) == 0)
          switch pool.lease(waiter, streams: streams) {
          case .use(let connection): using.append((connection, streams))
          case .connect: connecting.append((waiter, streams))
          case .wait: waiting.append((waiter, streams))
          case .refuse: break
          }
        case 2 where !connecting.isEmpty:
          using.append(
            (
              Connection(),
              connecting.remove(at: Int.random(in: 0..<connecting.count, using: &random)).1
            ))
        case 3 where !using.isEmpty:
          let (connection, streams) = using.remove(
            at: Int.random(in: 0..<using.count, using: &random))
          if streams { handed(pool.streamEnded()) }
          handed(pool.release(connection, now: start))
        case 4 where !using.isEmpty:
          let (_, streams) = using.remove(at: Int.random(in: 0..<using.count, using: &random))
          if streams { handed(pool.streamEnded()) }
          handed(pool.lost())
        case 5 where !waiting.isEmpty:
          let index = Int.random(in: 0..<waiting.count, using: &random)
          guard waiting[index].1 else { break }
          waiting[index].1 = false
          handed(pool.contentEnded(waiting[index].0))
        case 6 where !waiting.isEmpty:
          handed(
            pool.stopWaiting(
              waiting.remove(at: Int.random(in: 0..<waiting.count, using: &random)).0))
        default: break
        }
        let streaming =
          connecting
          .count { $0.1 } + using.count { $0.1 }
        #expect(pool.streaming == streaming && pool.waitingCount == waiting.count)
        #expect(pool.total == connecting.count + using.count + pool.idleCount)
        let hasRoom = pool.idleCount > 0 || pool.total < pool.limit
        #expect(!hasRoom || waiting.allSatisfy { $0.1 && streaming >= pool.streamLimit })
      }
    }
  }

  @Test func aLostConnectionMakesRoomForTheNext() {
    var pool = Pool(limit: 1, queueLimit: 1)
    let waiter = Waiter()
    let answers = [lease(&pool), lease(&pool, waiter)]
    #expect(answers == ["connect", "wait"])
    guard case .connect(let next) = pool.lost() else {
      Issue.record("nobody connects")
      return
    }
    #expect(next === waiter && pool.total == 1)
    guard case .none = pool.lost() else {
      Issue.record("somebody waits still")
      return
    }
    #expect(pool.total == 0)
  }

  @Test func whatIsKeptIsForNobodyElse() {
    var pool = Pool(limit: 3, queueLimit: 9)
    let connections = (0..<3).map { _ in Connection() }
    for _ in connections { _ = pool.lease(Waiter()) }
    for (second, connection) in connections.enumerated() {
      pool.keep(connection, now: start.adding(seconds: Int64(second)))
    }
    #expect(pool.keptCount == 3 && pool.idleCount == 0 && pool.total == 3)
    #expect({ pool.makeRoom(keptSince: start.adding(seconds: 9)).isEmpty }(), "nobody waits")
    let answers = [lease(&pool), name(pool.leaseNew(Waiter()))]
    #expect(answers == ["wait", "wait"])
    pool.takeBack(connections[0])
    #expect({ pool.makeRoom(keptSince: start).isEmpty }(), "it is in use")
    let closed = pool.makeRoom(keptSince: start.adding(seconds: 1))
    #expect(closed.count == 1 && closed.first === connections[1])
    guard case .connect = pool.lost() else {
      Issue.record("nobody connects")
      return
    }
    #expect(pool.total == 3 && pool.waitingCount == 1 && pool.keptCount == 1)
    #expect({ pool.expire(idleSince: start.adding(seconds: 99)).isEmpty }())
    #expect({ pool.makeRoom(keptSince: start.adding(seconds: 9)).count == 1 }())
  }

  @Test func theWarmestIsUsedFirstAndTheColdestExpire() {
    var pool = Pool(limit: 3, queueLimit: 0)
    let connections = [Connection(), Connection(), Connection()]
    for _ in connections { _ = pool.lease(Waiter()) }
    for (index, connection) in connections.enumerated() {
      _ = pool.release(connection, now: start.adding(seconds: Int64(index)))
    }
    guard case .use(let warmest) = pool.lease(Waiter()) else {
      Issue.record("none is idle")
      return
    }
    #expect(warmest === connections[2])
    let expired = pool.expire(idleSince: start)
    #expect(expired.count == 1 && expired.first === connections[0])
    // It counts until it is gone, so that the limit holds at the upstream too.
    #expect(pool.total == 3 && pool.idleCount == 1)
    _ = pool.lost()
    #expect(pool.total == 2)
    _ = pool.closed(connections[1])
    #expect(pool.total == 1 && pool.idleCount == 0)
  }

  @Test func aNewConnectionIsMadeDespiteIdleOnes() {
    var pool = Pool(limit: 2, queueLimit: 0)
    _ = pool.lease(Waiter())
    _ = pool.release(Connection(), now: start)
    let answers = (0..<3).map { _ in name(pool.leaseNew(Waiter())) }
    #expect(answers == ["connect", "use", "refuse"])
  }

  /// Random events: the limit holds, and nobody waits while a connection is idle.
  @Test(arguments: 1...20 as ClosedRange<UInt64>) func randomEvents(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let limit = 1 + Int.random(in: 0..<4, using: &random)
    var pool = Pool(limit: limit, queueLimit: 3)
    var inUse: [Connection] = []
    var connecting = 0
    var waiting: [Waiter] = []
    var now = start
    func take(_ next: PoolHandOver<Connection, Waiter>) {
      switch next {
      case .none: break
      case .close: Issue.record("there is no other loop")
      case .give(let connection, let waiter):
        inUse.append(connection)
        #expect(waiter === waiting.removeFirst())
      case .connect(let waiter):
        connecting += 1
        #expect(waiter === waiting.removeFirst())
      }
    }
    for _ in 0..<1_000 {
      now = now.adding(seconds: Int64(Int.random(in: 0..<3, using: &random)))
      switch Int.random(in: 0..<6, using: &random) {
      case 0, 1:
        let waiter = Waiter()
        switch Int.random(in: 0..<4, using: &random) == 0
          ? pool.leaseNew(waiter) : pool.lease(waiter)
        {
        case .use(let connection): inUse.append(connection)
        case .connect: connecting += 1
        case .wait: waiting.append(waiter)
        case .refuse: #expect(waiting.count == 3)
        }
      case 2 where connecting > 0:
        connecting -= 1
        if Int.random(in: 0..<4, using: &random) == 0 {
          take(pool.lost())
        } else {
          inUse.append(Connection())
        }
      case 3 where !inUse.isEmpty:
        take(pool.release(inUse.remove(at: random.below(inUse.count)), now: now))
      case 4 where !inUse.isEmpty:
        inUse.remove(at: random.below(inUse.count))
        take(pool.lost())
      case 5:
        if Int.random(in: 0..<2, using: &random) == 0, let last = waiting.popLast() {
          take(pool.stopWaiting(last))
        }
        for _ in pool.expire(idleSince: now.adding(seconds: -5)) { take(pool.lost()) }
      default: break
      }
      #expect(pool.total == inUse.count + connecting + pool.idleCount && pool.total <= limit)
      #expect(pool.waitingCount == waiting.count)
      #expect(pool.idleCount == 0 || waiting.isEmpty)
    }
  }
}
