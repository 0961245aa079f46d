import NIOCore
import Testing

@testable import EdgeCache

// One short history from one seed: clients, an origin, purges and failures in random order, and
// after each event what must be true.
//
//   * A request that begins after a purge or an invalidation gets nothing older than the version of
//     that moment.
//   * Content is never torn or mixed: it is what the head says, or a beginning of it that was cut.
//   * Nothing is older than its lifetime, unless the upstream failed and the origin allows it.
//   * Of requests that may share, one leads.
//   * In the end each client has its answer, no flight is left, and nothing is reserved.

/// A client's request together with what its upstream is about to do.
final class SimulatedClient {
  let exchange: CoreExchange
  let path: OriginPath
  let variant: Int
  let isPost: Bool
  let start: Instant
  /// The oldest version that it may get.
  let floor: Int
  /// Number of fences of its path when it began.
  let fences: Int
  var headTime: Instant?
  var wasFollower = false
  var answer: SimulatedOrigin.Answer?
  var sentHead = false
  var sent = 0
  /// The forwarded request that `answer` is for.
  var attempt = 0
  var isChecked = false

  init(
    _ exchange: CoreExchange, _ path: OriginPath, variant: Int, isPost: Bool, start: Instant,
    floor: Int, fences: Int
  ) {
    self.exchange = exchange
    self.path = path
    self.variant = variant
    self.isPost = isPost
    self.start = start
    self.floor = floor
    self.fences = fences
  }

  /// True if others may wait for its response.
  func isJoinable(_ now: Instant) -> Bool {
    guard exchange.awaitsUpstream, !wasFollower, exchange.forwards.last?.isForStore == true else {
      return false
    }
    guard sentHead, attempt == exchange.forwards.count else { return true }
    // The age counts from the request, as nobody knows when the answer was made (§4.2.3).
    return answer?.kind == .whole && start.adding(seconds: path.lifetime) > now
  }
}

/// One history.
final class Simulation {
  let seed: UInt64
  private var random: SeededRandom
  private let world: CoreWorld
  private var origin = SimulatedOrigin()
  private var clients: [SimulatedClient] = []
  private var floors = [Int](repeating: 0, count: OriginPath.allCases.count)
  private var fences = [Int](repeating: 0, count: OriginPath.allCases.count)
  private var problem: String?
  private let paths: [OriginPath]
  private(set) var tally = (hits: 0, collapsed: 0, stale: 0, aborted: 0, validated: 0)

  init(seed: UInt64) {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    var limits = StoreLimits(memory: 24_000)
    limits.largestResponse = 1000
    limits.variants = 3
    limits.relayWindow = 600
    limits.relayBuffer = 300
    world = CoreWorld(limits: limits)
    // Few paths, so that much happens to each.
    var chosen: [OriginPath] = []
    for _ in 0...random.below(3) { chosen.append(random.pick(OriginPath.allCases)) }
    paths = chosen
    self.random = random
  }

  /// Runs the history and returns what went wrong, if anything did.
  func run(steps: Int) -> String? {
    for step in 0..<steps where problem == nil {
      event()
      watch()
      if problem != nil { problem? += ", step \(step)" }
    }
    if problem == nil { finish() }
    return problem.map { "seed \(seed): \($0)" }
  }

  private func fail(_ text: @autoclosure () -> String) {
    if problem == nil { problem = text() }
  }

  // MARK: Events

  private func event() {
    switch random.below(100) {
    case 0..<24: begin()
    case 24..<66: upstream(random.below(12) == 0)
    case 66..<78: pick()?.exchange.poll()
    case 78..<82:
      guard let client = pick() else { return }
      client.exchange.isWritable.toggle()
      if client.exchange.isWritable { client.exchange.perform() }
    case 82..<85: if let client = pick(), !client.exchange.isOver { leave(client) }
    case 85..<88: purge(random.pick(paths))
    case 88: purge(nil)
    case 89..<94: origin.change(random.pick(paths))
    default:
      let seconds = random.below(4) == 0 ? 25 : random.below(6)
      world.now = world.now.adding(seconds: Int64(seconds))
    }
  }

  private func pick() -> SimulatedClient? {
    clients.isEmpty ? nil : random.pick(clients)
  }

  private func begin() {
    guard clients.count(where: { !$0.exchange.isOver || $0.exchange.awaitsUpstream }) < 8 else {
      return
    }
    let path = random.pick(paths)
    let isPost = random.below(14) == 0
    let variant = path == .varying ? random.below(3) : 0
    var text = "\(isPost ? "POST" : "GET") \(path.text) HTTP/1.1↵Host: a"
    if variant > 0 { text += "↵A: \(variant)" }
    if random.below(10) == 0 { text += "↵Cache-Control: max-age=0" }
    let sharers = clients.filter { $0.path == path && $0.fences == fences[path.rawValue] }
      .contains { $0.isJoinable(world.now) }
    let exchange = world.begin(text)
    clients.append(
      SimulatedClient(
        exchange, path, variant: variant, isPost: isPost, start: world.now,
        floor: floors[path.rawValue], fences: fences[path.rawValue]))
    if path == .plain, !isPost, sharers, exchange.awaitsUpstream { fail("two lead at once") }
  }

  /// An unsafe request that nobody waits for may have been carried out all the same.
  private func leave(_ client: SimulatedClient) {
    client.exchange.leave()
    if client.isPost { fence(client.path) }
  }

  private func purge(_ path: OriginPath?) {
    _ = world.store.purge(path.map { .url(world.key("http://a\($0.text)")) } ?? .everything)
    for other in OriginPath.allCases where path == nil || other == path { fence(other) }
  }

  private func fence(_ path: OriginPath) {
    floors[path.rawValue] = origin.version(path)
    fences[path.rawValue] += 1
  }

  /// One step of one upstream.
  private func upstream(_ breaks: Bool) {
    let busy = clients.filter { $0.exchange.awaitsUpstream && !$0.exchange.isHeld }
    guard !busy.isEmpty else { return }
    advance(random.pick(busy), breaks: breaks)
  }

  private func advance(_ client: SimulatedClient, breaks: Bool) {
    let exchange = client.exchange
    if client.attempt != exchange.forwards.count {
      client.attempt = exchange.forwards.count
      client.answer = nil
      client.sentHead = false
      client.sent = 0
    }
    guard let answer = client.answer else {
      if breaks { return breakOff(client, [.connect, .firstByteTimeout, .closed]) }
      if let request = exchange.forwarded.last {
        client.answer = origin.answer(
          request, client.path, fails: random.below(6) == 0, now: world.now)
      }
      return
    }
    if breaks { return breakOff(client, client.sentHead ? [.truncated, .stalled] : [.closed]) }
    if !client.sentHead {
      client.sentHead = true
      exchange.upstreamHead(answer.head)
      if client.isPost { fence(client.path) }
    } else if client.sent < answer.content.count {
      let count = min(answer.content.count - client.sent, 1 + random.below(200))
      let chunk = Array(answer.content[client.sent..<(client.sent + count)])
      client.sent += count
      exchange.upstreamContent(chunk)
    } else {
      exchange.upstreamEnd()
    }
  }

  private func breakOff(_ client: SimulatedClient, _ failures: [UpstreamFailure]) {
    let mayRetry = !client.sentHead && random.below(2) == 0
    client.exchange.upstreamFails(random.pick(failures), mayRetry: mayRetry)
    // An unsafe request that got no answer invalidates all the same (RFC 9111 §4.4).
    if client.isPost, !client.sentHead { fence(client.path) }
  }

  // MARK: What must be true

  private func watch() {
    for client in clients where !client.isChecked {
      if client.exchange.status.isCollapsed { client.wasFollower = true }
      if client.headTime == nil, client.exchange.received.heads > 0 { client.headTime = world.now }
      if client.exchange.isOver {
        client.isChecked = !client.exchange.awaitsUpstream
        check(client)
      }
    }
    let statistics = world.store.statistics
    if statistics.bytes > statistics.capacity { fail("over the budget") }
    clients.removeAll { $0.isChecked && $0.exchange.isOver }
  }

  private func check(_ client: SimulatedClient) {
    let received = client.exchange.received
    if received.heads > 1 { return fail("two heads") }
    if received.isComplete, received.isAborted { return fail("complete and aborted") }
    guard received.heads == 1, received.errorStatus == nil, let head = received.parsed,
      head.status == 200, !client.isPost
    else {
      if received.isComplete, received.heads == 0 { fail("content without a head") }
      return
    }
    guard let field = head.fields.fields.first(where: { head.fields.text($0.nameRange) == "X-Id" }),
      let identity = ContentIdentity(head.fields.text(field.value))
    else { return fail("a response without identity") }
    var place: String { "\(client.path) \(identity.text), \(client.exchange.statusText)" }
    if identity.path != client.path || identity.variant != client.variant {
      fail("somebody else's response: \(place)")
    }
    if identity.version < client.floor { fail("older than a purge at \(client.floor): \(place)") }
    let content = identity.content
    let isGood =
      received.isComplete ? received.content == content : content.starts(with: received.content)
    if !isGood { fail("torn or mixed: \(place)") }
    if received.isAborted { tally.aborted += 1 }
    checkAge(client, identity)
  }

  private func checkAge(_ client: SimulatedClient, _ identity: ContentIdentity) {
    let status = client.exchange.status
    var place: String { "\(client.path) \(identity.text), \(client.exchange.statusText)" }
    if status.isHit { tally.hits += 1 }
    if status.isCollapsed { tally.collapsed += 1 }
    if status.forwardStatus == 304 { tally.validated += 1 }
    guard let headTime = client.headTime, let confirmed = origin.confirmed[identity] else {
      return fail("never sent by the origin: \(place)")
    }
    if confirmed >= client.start { return }
    if confirmed.adding(seconds: client.path.lifetime) > headTime { return }
    tally.stale += 1
    if !client.path.mayBeStale { fail("stale against the origin's word: \(place)") }
    // A follower of a validation that failed is told of it by the leader's stale response alone.
    let isExcused =
      if case .failed = status.detail { true } else { status.isCollapsed && status.forward != nil }
    if !isExcused || status.isHit { fail("stale without need: \(place)") }
  }

  /// All that is on its way comes to its end.
  private func finish() {
    for client in clients {
      client.exchange.isWritable = true
      client.exchange.perform()
    }
    var rounds = 0
    var moved = true
    while moved, rounds < 2000, problem == nil {
      rounds += 1
      moved = false
      for client in clients {
        if client.exchange.poll() { moved = true }
        if client.exchange.awaitsUpstream, !client.exchange.isHeld {
          advance(client, breaks: false)
          moved = true
        }
      }
      watch()
    }
    guard problem == nil else { return }
    if moved { fail("without end") }
    for client in clients where !client.exchange.isOver || client.exchange.awaitsUpstream {
      fail("\(client.path) left waiting: \(client.exchange.statusText)")
    }
    let statistics = world.store.statistics
    if statistics.flights != 0 { fail("\(statistics.flights) flights left") }
    if statistics.reservedBytes != 0 { fail("\(statistics.reservedBytes) bytes left reserved") }
  }
}

@Suite struct SimulationTests {
  /// Hundreds of short histories; a larger range here runs more.
  @Test(arguments: [UInt64(1), 2]) func histories(_ half: UInt64) {
    var tally = (hits: 0, collapsed: 0, stale: 0, aborted: 0, validated: 0)
    for number in 0..<UInt64(350) {
      let simulation = Simulation(seed: half << 32 | number)
      if let problem = simulation.run(steps: 20 + Int(number % 60)) {
        Issue.record("\(problem)")
        return
      }
      tally.hits += simulation.tally.hits
      tally.collapsed += simulation.tally.collapsed
      tally.stale += simulation.tally.stale
      tally.aborted += simulation.tally.aborted
      tally.validated += simulation.tally.validated
    }
    // The histories must go through what they are about.
    #expect(tally.hits > 100 && tally.collapsed > 100 && tally.stale > 2, "\(tally)")
    #expect(tally.aborted > 10 && tally.validated > 20, "\(tally)")
  }
}
