import Testing

@testable import EdgeCache

/// The pool as a state machine: what is asked for, what is given.
@Suite struct ConnectionPoolTests {
  private final class Connection {}
  private final class Waiter {}
  private typealias Pool = ConnectionPool<Connection, Waiter>
  private let start = Instant(seconds: 100)

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
    pool.stopWaiting(waiters[1])
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
    #expect(pool.makeRoom(keptSince: start.adding(seconds: 9)).isEmpty, "nobody waits")
    let answers = [lease(&pool), name(pool.leaseNew(Waiter()))]
    #expect(answers == ["wait", "wait"])
    pool.takeBack(connections[0])
    #expect(pool.makeRoom(keptSince: start).isEmpty, "it is in use")
    let closed = pool.makeRoom(keptSince: start.adding(seconds: 1))
    #expect(closed.count == 1 && closed.first === connections[1])
    guard case .connect = pool.lost() else {
      Issue.record("nobody connects")
      return
    }
    #expect(pool.total == 3 && pool.waitingCount == 1 && pool.keptCount == 1)
    #expect(pool.expire(idleSince: start.adding(seconds: 99)).isEmpty)
    #expect(pool.makeRoom(keptSince: start.adding(seconds: 9)).count == 1)
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
    let closed = [pool.idleClosed(connections[1]), pool.idleClosed(connections[1])]
    #expect(closed == [true, false])
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
    let limit = 1 + random.below(4)
    var pool = Pool(limit: limit, queueLimit: 3)
    var inUse: [Connection] = []
    var connecting = 0
    var waiting: [Waiter] = []
    var now = start
    func take(_ next: PoolHandOver<Connection, Waiter>) {
      switch next {
      case .none: break
      case .give(let connection, let waiter):
        inUse.append(connection)
        #expect(waiter === waiting.removeFirst())
      case .connect(let waiter):
        connecting += 1
        #expect(waiter === waiting.removeFirst())
      }
    }
    for _ in 0..<1_000 {
      now = now.adding(seconds: Int64(random.below(3)))
      switch random.below(6) {
      case 0, 1:
        let waiter = Waiter()
        switch random.below(4) == 0 ? pool.leaseNew(waiter) : pool.lease(waiter) {
        case .use(let connection): inUse.append(connection)
        case .connect: connecting += 1
        case .wait: waiting.append(waiter)
        case .refuse: #expect(waiting.count == 3)
        }
      case 2 where connecting > 0:
        connecting -= 1
        if random.below(4) == 0 { take(pool.lost()) } else { inUse.append(Connection()) }
      case 3 where !inUse.isEmpty:
        take(pool.release(inUse.remove(at: random.below(inUse.count)), now: now))
      case 4 where !inUse.isEmpty:
        inUse.remove(at: random.below(inUse.count))
        take(pool.lost())
      case 5:
        if random.below(2) == 0, let last = waiting.popLast() { pool.stopWaiting(last) }
        for _ in pool.expire(idleSince: now.adding(seconds: -5)) { take(pool.lost()) }
      default: break
      }
      #expect(pool.total == inUse.count + connecting + pool.idleCount && pool.total <= limit)
      #expect(pool.waitingCount == waiting.count)
      #expect(pool.idleCount == 0 || waiting.isEmpty)
    }
  }
}
