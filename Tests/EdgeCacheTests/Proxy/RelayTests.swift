import Testing

@testable import EdgeCache

/// Content that will not be stored after all, on its way to several readers: none holds up the others for long, and what
/// waits for them is counted.
@Suite struct RelayTests {
  private let head =
    "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Transfer-Encoding: chunked"

  private func world(_ change: (inout StoreLimits) -> Void = { _ in }) -> CoreWorld {
    var limits = StoreLimits(memory: 1 << 20)
    limits.largestResponse = 50
    limits.relayWindow = 400
    limits.relayBuffer = 100
    change(&limits)
    return CoreWorld(limits: limits)
  }

  private func get(_ world: CoreWorld) -> CoreExchange { world.begin("GET / HTTP/1.1↵Host: a") }

  private func isClean(_ world: CoreWorld) -> Bool {
    world.store.statistics.flights == 0 && world.store.statistics.reservedBytes == 0
  }

  /// Content comes until the upstream is held; returns how much that was.
  @discardableResult
  private func fill(_ leader: CoreExchange, _ others: [CoreExchange]) -> Int {
    var sent = 0
    while !leader.isHeld, sent < 100_000 {
      leader.upstreamContent(String(repeating: "x", count: 30))
      for other in others { other.poll() }
      sent += 30
    }
    return sent
  }

  /// A second passes for the one that leads.
  private func pass(
    _ seconds: Int, _ world: CoreWorld, _ leader: CoreExchange, _ others: [CoreExchange]
  ) {
    for _ in 0..<seconds {
      world.now = world.now.adding(seconds: 1)
      leader.handle(.time)
      for other in [leader] + others { other.poll() }
    }
  }

  @Test("A reader that reads nothing is waited for by others for ten seconds, and then left behind")
  func stalled() {
    let world = world()
    let (leader, fast, slow) = (get(world), get(world), get(world))
    leader.upstreamHead(head)
    for other in [fast, slow] { other.poll() }
    slow.isWritable = false
    var sent = fill(leader, [fast, slow])
    pass(10, world, leader, [fast, slow])
    #expect(leader.isHeld && !slow.received.isAborted)
    pass(1, world, leader, [fast, slow])
    #expect(!leader.isHeld && slow.received.isAborted && slow.isOver)
    leader.upstreamContent("yz")
    fast.poll()
    leader.upstreamEnd()
    fast.poll()
    sent += 2
    for other in [leader, fast] {
      #expect(other.received.isComplete && other.received.content.count == sent)
    }
    #expect(slow.isDone && isClean(world))
  }

  @Test(
    "A reader that takes a quarter of the window in ten seconds is waited for; the next pause counts anew"
  )
  func slow() {
    let world = world()
    let (leader, slow) = (get(world), get(world))
    leader.upstreamHead(head)
    slow.poll()
    fill(leader, [slow])
    for _ in 0..<6 {
      slow.isWritable = false
      fill(leader, [slow])
      pass(9, world, leader, [slow])
      var taken = 0
      while taken < 130, slow.performOne() { taken += 30 }
      slow.isWritable = false
      pass(2, world, leader, [slow])
      #expect(!slow.received.isAborted)
    }
    fill(leader, [slow])
    pass(12, world, leader, [slow])
    #expect(slow.received.isAborted && !leader.received.isAborted)
  }

  @Test("Nobody is left behind where nobody else could read on")
  func alone() {
    let world = world()
    let leader = get(world)
    leader.isWritable = false
    leader.upstreamHead(head)
    fill(leader, [])
    pass(60, world, leader, [])
    #expect(leader.isHeld && !leader.received.isAborted)
    // Others may need its connection more.
    leader.handle(.endedForOthers)
    #expect(leader.received.isAborted && leader.cancellations == 1 && isClean(world))
  }

  @Test("What nobody reads any more is let go of, also while nothing comes")
  func unread() {
    let world = world()
    let leader = get(world)
    leader.upstreamHead(head)
    leader.upstreamContent(String(repeating: "x", count: 60))
    leader.leave()
    #expect(leader.cancellations == 0)
    leader.handle(.time)
    #expect(leader.cancellations == 1 && isClean(world))
  }

  @Test("What waits for readers is counted, and is little where there is no room")
  func room() {
    let memory = 8 << 20
    let world = world {
      $0 = StoreLimits(memory: memory)
      $0.largestResponse = 1 << 20
    }
    let bytes = [UInt8](repeating: 1, count: 32 << 10)
    var leaders: [CoreExchange] = []
    var received = 0
    for number in 0..<40 {
      let leader = world.begin("GET /\(number) HTTP/1.1↵Host: a")
      let slow = world.begin("GET /\(number) HTTP/1.1↵Host: a")
      leader.upstreamHead(head)
      slow.poll()
      slow.isWritable = false
      var sent = 0
      while !leader.isHeld, sent < 16 << 20 {
        leader.upstreamContent(bytes)
        leader.poll()
        sent += bytes.count
      }
      #expect(leader.isHeld)
      received += sent
      leaders.append(leader)
      leaders.append(slow)
    }
    let reserved = world.store.statistics.reservedBytes
    #expect(reserved <= memory && reserved > memory / 2)
    #expect(received <= memory + 40 * (128 << 10))
    for exchange in leaders { exchange.leave() }
    for exchange in leaders { exchange.handle(.time) }
    #expect(isClean(world))
  }
}
