import NIOCore
import Seeds
import Testing

@testable import EdgeCache

// A fleet from a seed: PoPs with real stores on simulated disks, an origin whose content changes, an operator who
// purges what changed, and a network that loses, delays, repeats and reorders. Processes and machines crash, in
// the middle of a write too. A seed that fails is printed, and repeats.
//
// What must hold: whoever acknowledged a purge serves nothing older, at once and ever after; who comes back and
// has heard from all others serves nothing older than what any of them had acknowledged before; and when all is
// well again, everybody has what anybody acknowledged.

private struct FleetHistory {
  private enum Message {
    case order(Int, to: Int)
    case question(from: Int, life: Int, number: Int, to: Int, after: PurgeCursor?)
    case page(JournalPage, from: Int, to: Int, life: Int, number: Int)

    /// True if it is a question of a node, or the answer.
    func isAbout(_ number: Int, _ node: Int) -> Bool {
      switch self {
      case .order: false
      case .question(let from, _, let other, _, _): from == node && other == number
      case .page(_, _, let to, _, let other): to == node && other == number
      }
    }
  }

  private struct Order {
    /// The purge as the PoP with that secret applies it.
    let purge: (HashSecret) -> Purge
    /// The version of each key when it was ordered, for what it covers.
    let floors: [Int: Int]
    let isSoft: Bool
    var acknowledged: Set<Int> = []
  }

  private final class Node {
    var volume: SimulatedVolume
    var world: CoreWorld?
    var follower: PurgeFollower?
    var life = 0
    /// Questions without an answer yet, by number.
    var questions: [Int: Int] = [:]
    var asked = 0
    /// The lowest version of each key that may be served.
    var floors: [Int: Int] = [:]
    /// Requests that are on their way to the origin, and the version that they will bring.
    var fills: [(exchange: CoreExchange, key: Int, version: Int)] = []
    var now = Instant(milliseconds: 0)

    init(_ volume: SimulatedVolume) { self.volume = volume }

    var disk: DiskStore? { (world?.store.lower as? TestDisk)?.disk }
  }

  let seed: UInt64
  private var random: SeededRandom
  private let nodes: [Node]
  private var network: [Message] = []
  private var orders: [Order] = []
  private var versions = [Int](repeating: 0, count: 4)
  private var log: [String] = []
  private var isCalm = false
  private(set) var hits = 0
  private(set) var revalidations = 0
  private(set) var caughtUp = 0

  private static let wall = Instant(seconds: 1_700_000_000)

  init(seed: UInt64) throws {
    self.seed = seed
    random = SeededRandom(seed: seed)
    nodes = (0..<3).map { Node(SimulatedVolume(seed: seed &* 3 &+ UInt64($0))) }
    for index in nodes.indices { try start(index) }
  }

  private func fail(_ text: String) {
    Issue.record("seed \(seed): \(text)\n\(log.suffix(25).joined(separator: "\n"))")
  }

  private func chance(_ percent: Int, _ random: inout SeededRandom) -> Bool {
    random.below(100) < percent
  }

  // MARK: Nodes

  private mutating func start(_ index: Int) throws {
    let node = nodes[index]
    var limits = JournalLimits()
    // So few that some who were away for long find a gap.
    if seed % 5 == 0 { limits.entries = 3 }
    let purges = PurgeLog(limits: limits)
    var words = SeededRandom(seed: seed &+ UInt64(index))
    let disk = try DiskStore.open(
      node.volume, DiskOptions(size: 1 << 18, segmentSize: 1 << 16, admission: .all),
      purges: purges, now: Self.wall, random: { words.next() }, clock: { 0 })
    let store = Store(
      limits: StoreLimits(memory: 4 << 20), secret: disk.secret, purges: purges,
      lower: TestDisk(disk))
    let world = CoreWorld(store: store)
    node.world = world
    node.life += 1
    node.questions = [:]
    node.fills = []
    // From before, all is checked until it is known what was purged meanwhile.
    node.floors.merge(anywhere) { max($0, $1) }
    let isFresh = disk.statistics.recovered == 0
    if !isFresh { purges.closeFence() }
    var follow = PurgeFollower.Limits()
    follow.maxUnsynced = 1_000_000
    node.follower = PurgeFollower(
      peers: nodes.indices.filter { $0 != index }
        .map { ("n\($0)", purges.cursor(of: "n\($0)")) },
      isFresh: isFresh, limits: follow, now: node.now)
    log.append("n\(index) starts, \(disk.statistics.recovered) on disk")
  }

  /// What anybody has acknowledged so far.
  private var anywhere: [Int: Int] {
    var floors: [Int: Int] = [:]
    for order in orders where !order.acknowledged.isEmpty {
      floors.merge(order.floors) { max($0, $1) }
    }
    return floors
  }

  private mutating func crash(_ index: Int) {
    let node = nodes[index]
    guard node.world != nil else { return }
    let isMachine = random.below(2) == 0
    if chance(50, &random) {
      // In the middle of a write.
      node.volume.arm(SimulatedVolume.Faults(write: 500, sync: 500))
      if !orders.isEmpty { _ = apply(random.below(orders.count), at: index) }
    }
    node.world = nil
    node.follower = nil
    node.volume = node.volume.crashed(machine: isMachine, seed: random.next())
    node.volume.arm(SimulatedVolume.Faults())
    log.append("n\(index) \(isMachine ? "machine" : "process") crashes")
  }

  private mutating func tick(_ index: Int) {
    let node = nodes[index]
    guard node.follower != nil else { return }
    node.now = node.now.adding(milliseconds: 400)
    // Who waits for long stops waiting.
    for (number, peer) in node.questions where isCalm || chance(30, &random) {
      if isCalm, network.contains(where: { $0.isAbout(number, index) }) { continue }
      node.questions[number] = nil
      perform(node.follower?.failed("n\(peer)", now: node.now) ?? [], at: index)
    }
    perform(node.follower?.tick(node.now) ?? [], at: index)
  }

  private mutating func perform(_ actions: [PurgeFollower.Action], at index: Int) {
    let node = nodes[index]
    for action in actions {
      switch action {
      case .ask(let name, let cursor):
        let peer = Int(name.dropFirst()) ?? 0
        node.asked += 1
        node.questions[node.asked] = peer
        send(
          .question(
            from: index, life: node.life, number: node.asked, to: peer, after: cursor))
      case .purgeEverythingSoftly:
        node.world?.store.purge(.everything, .soft)
        log.append("n\(index) purges everything softly")
      case .openFence:
        node.world?.store.purges.openFence()
        log.append("n\(index) opens its fence")
      }
    }
  }

  // MARK: Network

  private mutating func send(_ message: Message) {
    if !isCalm, chance(15, &random) { return }
    network.append(message)
    if !isCalm, chance(10, &random) { network.append(message) }
  }

  private mutating func deliver() {
    guard !network.isEmpty else { return }
    let message = network.remove(at: random.below(network.count))
    switch message {
    case .order(let order, let index):
      guard nodes[index].world != nil else { return }
      if apply(order, at: index) {
        orders[order].acknowledged.insert(index)
        nodes[index].floors.merge(orders[order].floors) { max($0, $1) }
        log.append("n\(index) acknowledges purge \(order)")
      }
    case .question(let from, let life, let number, let to, let cursor):
      guard let purges = nodes[to].world?.store.purges else { return }
      let page = purges.journal(after: cursor, limit: 1 + random.below(3))
      send(.page(page, from: to, to: from, life: life, number: number))
    case .page(let page, let from, let to, let life, let number):
      let node = nodes[to]
      guard node.life == life, node.follower != nil, node.questions[number] == from else { return }
      node.questions[number] = nil
      take(page, from: from, at: to)
    }
  }

  private mutating func take(_ page: JournalPage, from: Int, at index: Int) {
    let node = nodes[index]
    guard let store = node.world?.store, let disk = node.disk else { return }
    for entry in page.entries where store.purges.journalEntry(entry.id) == nil {
      caughtUp += 1
      _ = store.purge(orders[Int(entry.id.number)].purge(store.secret))
    }
    let isNoted = store.purges.note(page, of: "n\(from)")
    let cursors = isNoted ? [("n\(from)", page.cursor)] : []
    let isLasting = (try? disk.log([], cursors: cursors, syncs: true, now: Self.wall)) != nil
    if isLasting { store.purges.makeDurable(through: store.purges.head) }
    if !isCalm, chance(page.hasForgotten ? 60 : 8, &random) { return crash(index) }
    perform(
      (isLasting
        ? node.follower?.answered("n\(from)", page, now: node.now)
        : node.follower?.failed("n\(from)", now: node.now)) ?? [], at: index)
  }

  /// Applies a purge; true if it may be acknowledged.
  private func apply(_ order: Int, at index: Int) -> Bool {
    guard let store = nodes[index].world?.store, let disk = nodes[index].disk else { return false }
    _ = store.purge(orders[order].purge(store.secret))
    guard (try? disk.log([], syncs: true, now: Self.wall)) != nil else { return false }
    store.purges.makeDurable(through: store.purges.head)
    return true
  }

  // MARK: The operator

  private mutating func order() {
    let key = random.below(versions.count)
    let host = key < 2 ? "a" : "b"
    let url: (HashSecret) -> CacheKey = { secret in
      CacheKey(url: "http://\(host)/\(key)".utf8, secret: secret)!
    }
    let scope: ((HashSecret) -> PurgeScope, Set<Int>) =
      switch random.below(8) {
      case 0: ({ _ in .everything }, Set(versions.indices))
      case 1: ({ _ in .host(PurgeHost(host.utf8)) }, host == "a" ? [0, 1] : [2, 3])
      case 2, 3:
        ({ _ in .tag(CacheTag(Array("t\(key % 2)".utf8))) }, [key % 2, key % 2 + 2])
      case 4: ({ .prefix(PurgePrefix(url($0))) }, [key])
      default: ({ .url(url($0)) }, [key])
      }
    let covered = scope.1
    // Some purge what has not changed.
    if !chance(25, &random) { for key in covered { versions[key] += 1 } }
    let isSoft = random.below(4) == 0
    let number = orders.count
    orders.append(
      Order(
        purge: { secret in
          Purge(
            [scope.0(secret)], mode: isSoft ? .soft : .hard,
            id: PurgeID(milliseconds: 1, number: UInt64(number)),
            message: Array("\(number)".utf8), time: Self.wall)
        },
        floors: Dictionary(uniqueKeysWithValues: covered.map { ($0, versions[$0]) }),
        isSoft: isSoft))
    log.append("purge \(number) of \(covered.sorted()), \(isSoft ? "soft" : "hard")")
    for index in nodes.indices { send(.order(number, to: index)) }
  }

  private mutating func retry() {
    guard !orders.isEmpty else { return }
    let order = random.below(orders.count)
    for index in nodes.indices where !orders[order].acknowledged.contains(index) {
      send(.order(order, to: index))
    }
  }

  // MARK: Clients

  private func head(_ key: Int, _ version: Int) -> String {
    "HTTP/1.1 200 OK↵ETag: \"\(version)\"↵Cache-Tag: t\(key % 2)↵"
      + "Cache-Control: max-age=600, stale-while-revalidate=600↵Content-Length: \(text(key, version).utf8.count)"
  }

  private func text(_ key: Int, _ version: Int) -> String {
    "\(key) \(version)" + String(repeating: ".", count: version % 3 == 0 ? 600 : 0)
  }

  private mutating func read(_ index: Int) {
    let node = nodes[index]
    guard let world = node.world else { return }
    let key = random.below(versions.count)
    let exchange = world.begin("GET /\(key) HTTP/1.1↵Host: \(key < 2 ? "a" : "b")")
    if exchange.awaitsUpstream {
      if !isCalm, chance(30, &random) {
        node.fills.append((exchange, key, versions[key]))
        return
      }
      answer(exchange, key, versions[key])
    } else if !exchange.isOver {
      // It waits for another's.
      if let fill = node.fills.firstIndex(where: { $0.key == key }) {
        let (leader, _, version) = node.fills.remove(at: fill)
        answer(leader, key, version)
        exchange.poll()
      }
      if exchange.awaitsUpstream { answer(exchange, key, versions[key]) }
    } else {
      hits += 1
    }
    judge(exchange, key, index)
  }

  /// The origin answers with the content of when it was asked.
  private mutating func answer(_ exchange: CoreExchange, _ key: Int, _ version: Int) {
    guard exchange.awaitsUpstream else { return }
    let condition = exchange.forwarded.last?.fields.text(.ifNoneMatch)
    if condition == "\"\(version)\"" {
      revalidations += 1
      exchange.answer("HTTP/1.1 304 Not Modified↵ETag: \"\(version)\"↵Cache-Control: max-age=600")
    } else {
      exchange.answer(head(key, version), text(key, version))
    }
  }

  private func judge(_ exchange: CoreExchange, _ key: Int, _ index: Int) {
    guard exchange.received.isComplete, exchange.received.errorStatus == nil else { return }
    let words = exchange.received.text.split { $0 == " " || $0 == "." }
    guard words.count == 2, Int(words[0]) == key, let version = Int(words[1]),
      exchange.received.text == text(key, version)
    else { return fail("n\(index) sent \(exchange.received.text.prefix(20)) for \(key)") }
    let floor = nodes[index].floors[key] ?? 0
    if version < floor {
      fail("n\(index) sent version \(version) of \(key); \(floor) is the oldest that it may")
    }
  }

  private mutating func finishFill(_ index: Int) {
    let node = nodes[index]
    guard !node.fills.isEmpty else { return }
    let (exchange, key, version) = node.fills.remove(at: random.below(node.fills.count))
    answer(exchange, key, version)
  }

  // MARK: Running

  mutating func run(steps: Int) throws {
    for _ in 0..<steps {
      let index = random.below(nodes.count)
      switch random.below(100) {
      case 0..<12: order()
      case 12..<16: retry()
      case 16..<46: deliver()
      case 46..<72: read(index)
      case 72..<77: finishFill(index)
      case 77..<89: tick(index)
      case 89..<92 where nodes[index].world != nil:
        nodes[index].volume.arm(
          random.below(2) == 0
            ? SimulatedVolume.Faults() : SimulatedVolume.Faults(write: 30, sync: 30, slow: 200))
      case 92..<96: crash(index)
      default: if nodes[index].world == nil { try start(index) }
      }
    }
    try settle()
  }

  /// All is well again: everybody comes back, and hears what anybody knows.
  private mutating func settle() throws {
    isCalm = true
    network = []
    for index in nodes.indices {
      nodes[index].volume.arm(SimulatedVolume.Faults())
      // A disk that failed is not served from until a restart.
      if nodes[index].world != nil { crash(index) }
      nodes[index].volume.arm(SimulatedVolume.Faults())
    }
    let known = anywhere
    for index in nodes.indices { try start(index) }
    for _ in 0..<60 {
      for index in nodes.indices { tick(index) }
      while !network.isEmpty { deliver() }
    }
    log.append("settled")
    for index in nodes.indices {
      if nodes[index].follower?.state != .synced { fail("n\(index) has not caught up") }
      nodes[index].floors.merge(known) { max($0, $1) }
      for _ in 0..<12 { read(index) }
    }
  }
}

@Suite("Purges of a fleet, simulated")
struct FleetSimulationTests {
  @Test("Nothing purged is served by who acknowledged it, or has caught up", arguments: 0..<20)
  func histories(_ block: Int) throws {
    var (hits, revalidations, caughtUp) = (0, 0, 0)
    for seed in 0..<100 {
      var history = try FleetHistory(seed: UInt64(block * 100 + seed) &+ 1)
      try history.run(steps: 120)
      hits += history.hits
      revalidations += history.revalidations
      caughtUp += history.caughtUp
    }
    // A fleet that serves nothing, or never hears of anything, would pass, too.
    #expect(hits > 1000 && revalidations > 20 && caughtUp > 500)
  }
}
