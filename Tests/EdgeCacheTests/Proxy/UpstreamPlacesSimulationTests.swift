import Seeds
import Testing

@testable import EdgeCache

// Several event loops that share the places of one upstream, as they really do: each does one thing at a time, and what
// it hears of others comes later. Everything that happens follows from a seed.

/// Loops, their pools and what is on the way between them.
private struct PlaceWorld {
  final class Connection {}
  final class Waiter {
    let loop: Int
    var streams: Bool
    init(loop: Int, streams: Bool) { (self.loop, self.streams) = (loop, streams) }
  }

  /// A connection with whoever uses it.
  struct Use {
    let connection: Connection
    let waiter: Waiter
  }

  var random: SeededRandom
  var places: PlaceLedger
  var pools: [ConnectionPool<Connection, Waiter>]
  var mail: [[PlaceLedger.News]]
  var connecting: [Waiter] = []
  var waiting: [Waiter] = []
  var using: [Use] = []
  var closing: [(loop: Int, connection: Connection)] = []
  var now = Instant(seconds: 100)
  var served = 0

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    let loops = 1 + random.below(4)
    places = PlaceLedger(limit: 1 + random.below(8), loops: loops)
    let queueLimit = random.below(3) == 0 ? 2 : 100
    pools = (0..<loops).map { ConnectionPool(loop: $0, queueLimit: queueLimit) }
    mail = Array(repeating: [], count: loops)
  }

  mutating func post() {
    for news in places.takeNews() { mail[news.loop].append(news) }
  }

  mutating func handed(_ handOver: PoolHandOver<Connection, Waiter>, on loop: Int) {
    post()
    switch handOver {
    case .none: break
    case .close(let connection): closing.append((loop, connection))
    case .give(let connection, let waiter):
      stopWaiting(waiter, on: loop)
      using.append(Use(connection: connection, waiter: waiter))
    case .connect(let waiter):
      stopWaiting(waiter, on: loop)
      connecting.append(waiter)
    }
  }

  mutating func stopWaiting(_ waiter: Waiter, on loop: Int) {
    #expect(waiter.loop == loop)
    let index = waiting.firstIndex { $0 === waiter }
    #expect(index != nil, "somebody gets a connection who does not wait")
    if let index { waiting.remove(at: index) }
  }

  mutating func ask() {
    let loop = random.below(pools.count)
    let waiter = Waiter(loop: loop, streams: random.below(4) == 0)
    let lease: PoolLease<Connection>
    if random.below(8) == 0 {
      lease = pools[loop].leaseNew(waiter, streams: waiter.streams, now: now, &places)
    } else if !waiter.streams, let idle = pools[loop].leaseIdle() {
      lease = .use(idle)
    } else {
      lease = pools[loop].lease(waiter, streams: waiter.streams, now: now, &places)
    }
    post()
    switch lease {
    case .use(let connection): using.append(Use(connection: connection, waiter: waiter))
    case .connect: connecting.append(waiter)
    case .wait: waiting.append(waiter)
    case .refuse: break
    }
  }

  mutating func connect() {
    guard !connecting.isEmpty else { return }
    let waiter = connecting.remove(at: random.below(connecting.count))
    if random.below(5) == 0 {
      endStream(waiter)
      handed(pools[waiter.loop].lost(&places), on: waiter.loop)
    } else {
      using.append(Use(connection: Connection(), waiter: waiter))
    }
  }

  mutating func endStream(_ waiter: Waiter) {
    guard waiter.streams else { return }
    waiter.streams = false
    handed(pools[waiter.loop].streamEnded(&places), on: waiter.loop)
  }

  mutating func endUse() {
    guard !using.isEmpty else { return }
    let use = using.remove(at: random.below(using.count))
    let loop = use.waiter.loop
    served += 1
    endStream(use.waiter)
    if random.below(4) == 0 {
      handed(pools[loop].closed(use.connection, &places), on: loop)
    } else if !pools[loop].releaseQuietly(use.connection, now: now) {
      handed(pools[loop].release(use.connection, now: now, &places), on: loop)
    }
  }

  mutating func leave() {
    guard !waiting.isEmpty else { return }
    let waiter = waiting.remove(at: random.below(waiting.count))
    handed(pools[waiter.loop].stopWaiting(waiter, &places), on: waiter.loop)
  }

  mutating func contentEnds() {
    let streams = waiting.filter(\.streams)
    if let waiter = streams.randomElement(using: &random) {
      waiter.streams = false
      handed(pools[waiter.loop].contentEnded(waiter, &places), on: waiter.loop)
    } else if let use = using.filter(\.waiter.streams).randomElement(using: &random) {
      endStream(use.waiter)
    }
  }

  mutating func hear() {
    let loop = random.below(pools.count)
    guard !mail[loop].isEmpty else { return }
    switch mail[loop].removeFirst() {
    case .place: handed(pools[loop].placeCame(&places), on: loop)
    case .slot: handed(pools[loop].slotCame(&places), on: loop)
    case .wanted:
      for connection in pools[loop].asked(&places) { closing.append((loop, connection)) }
      post()
    }
  }

  mutating func close() {
    guard !closing.isEmpty else { return }
    let (loop, connection) = closing.remove(at: random.below(closing.count))
    handed(pools[loop].closed(connection, &places), on: loop)
  }

  mutating func expire(all: Bool = false) {
    let moment = all ? now.adding(seconds: 1000) : now.adding(seconds: -2)
    for loop in pools.indices {
      for connection in pools[loop].expire(idleSince: moment) { closing.append((loop, connection)) }
    }
  }

  mutating func step() {
    now = now.adding(milliseconds: Int64(random.below(40)))
    switch random.below(12) {
    case 0, 1, 2: ask()
    case 3: connect()
    case 4, 5: endUse()
    case 6: close()
    case 7: leave()
    case 8: contentEnds()
    case 9, 10: hear()
    default: expire()
    }
  }

  var inFlight: Int {
    mail.joined().count { if case .place = $0 { true } else { false } }
  }

  /// True if nothing is on its way.
  var isSettled: Bool { closing.isEmpty && mail.allSatisfy(\.isEmpty) }

  func check() {
    #expect(places.taken <= places.limit)
    #expect(places.slots <= places.slotLimit && places.streaming <= places.slots)
    #expect(places.taken == pools.reduce(0) { $0 + $1.total } + inFlight)
    for loop in pools.indices {
      let own =
        connecting.count { $0.loop == loop } + using.count { $0.waiter.loop == loop }
        + closing.count { $0.loop == loop } + pools[loop].idleCount
      #expect(pools[loop].total == own)
      #expect(pools[loop].waitingCount == waiting.count { $0.loop == loop })
    }
    let streaming = (connecting + using.map(\.waiter)).count(where: \.streams)
    #expect(places.streaming == streaming)
    guard isSettled else { return }
    #expect(places.waiting + places.slotWaiting == waiting.count)
    if places.waiting > 0 {
      #expect(places.taken == places.limit, "somebody waits for a place that is free")
      #expect(pools.allSatisfy { $0.idleCount == 0 }, "somebody waits while a connection is idle")
    }
    if places.slotWaiting > 0 { #expect(places.slots == places.slotLimit) }
  }
}

@Suite("Places of an upstream") struct UpstreamPlacesSimulationTests {
  @Test(
    "Any history of several loops: no place too many, everybody served, nothing left",
    arguments: 1...60)
  func histories(seed: Int) {
    var world = PlaceWorld(seed: UInt64(seed))
    for _ in 0..<1500 {
      world.step()
      world.check()
    }
    // Nobody asks any more, and nobody leaves.
    var steps = 0
    while !(world.waiting.isEmpty && world.using.isEmpty && world.connecting.isEmpty
      && world.isSettled), steps < 20_000
    {
      steps += 1
      switch world.random.below(4) {
      case 0: world.connect()
      case 1: world.endUse()
      case 2: world.close()
      default: world.hear()
      }
      world.check()
    }
    #expect(world.waiting.isEmpty, "somebody is forgotten")
    world.expire(all: true)
    while !world.isSettled {
      world.close()
      world.hear()
    }
    #expect(world.places.taken == 0 && world.places.slots == 0 && world.places.streaming == 0)
    #expect(world.places.allWaiting == 0 && world.places.uncovered == 0)
    #expect(world.served > 20)
  }

  private typealias Pool = ConnectionPool<PlaceWorld.Connection, PlaceWorld.Waiter>

  private func pools(_ count: Int) -> [Pool] {
    (0..<count).map { Pool(loop: $0, queueLimit: 9) }
  }

  private func waiter(_ loop: Int) -> PlaceWorld.Waiter {
    PlaceWorld.Waiter(loop: loop, streams: false)
  }

  @Test(
    "An idle connection of another loop makes room, the coldest, and only as many as are needed")
  func idleOfOthers() {
    var places = PlaceLedger(limit: 3, loops: 2)
    var pools = pools(2)
    let start = Instant(seconds: 100)
    let connections = (0..<3).map { _ in PlaceWorld.Connection() }
    for _ in connections { _ = pools[0].lease(waiter(0), now: start, &places) }
    for (second, connection) in connections.enumerated() {
      let isKept = pools[0].releaseQuietly(
        connection, now: start.adding(seconds: Int64(second)))
      #expect(isKept)
    }
    let late = waiter(1)
    let lease = pools[1].lease(late, now: start, &places)
    guard case .wait = lease else {
      Issue.record("there is a place too many")
      return
    }
    #expect(places.takeNews() == [.wanted(loop: 0)])
    let closed = pools[0].asked(&places)
    #expect(closed.count == 1 && closed.first === connections[0])
    _ = pools[0].closed(connections[0], &places)
    #expect(places.takeNews() == [.place(loop: 1)])
    guard case .connect(let next) = pools[1].placeCame(&places) else {
      Issue.record("nobody connects")
      return
    }
    #expect(next === late && places.taken == 3 && pools[0].idleCount == 2)
    // What comes back is kept, and touches nothing that is shared.
    let idle = pools[0].leaseIdle()
    let isKept = idle.map { pools[0].releaseQuietly($0, now: start) }
    #expect(isKept == true)
  }

  @Test(
    "A connection that comes back is used where it is, unless somebody elsewhere has waited much longer",
    arguments: [(0, false), (49, false), (50, true), (5000, true)] as [(Int64, Bool)])
  func fairness(longer: Int64, isPassedOn: Bool) {
    var places = PlaceLedger(limit: 1, loops: 2)
    var pools = pools(2)
    let start = Instant(seconds: 100)
    _ = pools[0].lease(waiter(0), now: start, &places)
    let elsewhere = waiter(1)
    _ = pools[1].lease(elsewhere, now: start, &places)
    _ = pools[0].lease(waiter(0), now: start.adding(milliseconds: longer), &places)
    let connection = PlaceWorld.Connection()
    switch pools[0].release(connection, now: start.adding(seconds: 10), &places) {
    case .give: #expect(!isPassedOn)
    case .close:
      #expect(isPassedOn)
      _ = pools[0].closed(connection, &places)
      #expect(places.takeNews().contains(.place(loop: 1)))
    default: Issue.record("nobody gets it")
    }
  }

  @Test(
    "Slow readers of all loops together leave a quarter of the places, and no more end than must")
  func slowReaders() {
    var places = PlaceLedger(limit: 8, loops: 2)
    var pools = pools(2)
    for _ in 0..<4 {
      for loop in 0...1 { _ = pools[loop].lease(waiter(loop), now: .init(seconds: 1), &places) }
    }
    for _ in 0..<5 { _ = pools[0].lease(waiter(0), now: .init(seconds: 1), &places) }
    // The first look knows only its own.
    let counts = [(0, 4), (1, 4), (0, 4), (1, 2)].map {
      pools[$0].excess(slowReaders: $1, slowest: 0, &places)
    }
    #expect(counts == [0, 2, 0, 0])
  }

  @Test("Tunnels have no places, and a bound of their own")
  func tunnels() {
    var places = PlaceLedger(limit: 1, tunnels: 2)
    var pool = Pool(queueLimit: 0)
    for _ in 0..<2 {
      let lease = pool.lease(waiter(0), now: .init(seconds: 1), &places)
      guard case .connect = lease else {
        Issue.record("a tunnel has its place")
        return
      }
      let begins = places.beginTunnel()
      #expect(begins)
      _ = pool.lost(&places)
    }
    let begins = places.beginTunnel()
    #expect(!begins && places.areTunnelsFull && places.taken == 0)
    places.endTunnel()
    #expect(!places.areTunnelsFull)
  }
}
