import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// What is purged softly is validated before it is used again, and stands in for an upstream that fails.
@Suite struct SoftPurgeTests {
  private static let answer =
    "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Tag: t↵Cache-Control: max-age=60, "
    + "stale-while-revalidate=60↵Content-Length: 3"
  private static let request = "GET /x HTTP/1.1↵Host: a"

  static let scopes: [@Sendable (CoreWorld) -> PurgeScope] = [
    { .url($0.key("http://a/x")) }, { .prefix(PurgePrefix($0.key("http://a/"))) },
    { _ in .host(PurgeHost("a".utf8)) }, { _ in .tag(CacheTag(Array("t".utf8))) },
    { _ in .everything },
  ]

  private func world() -> CoreWorld {
    let world = CoreWorld()
    world.begin(Self.request).answer(Self.answer, "old")
    return world
  }

  @Test("The next request validates it, and no other is sent it before", arguments: 0..<5)
  func validated(_ scope: Int) {
    let world = world()
    let removal = world.store.purge(Self.scopes[scope](world), .soft)
    #expect(removal.count == 1)
    let next = world.begin(Self.request)
    #expect(next.awaitsUpstream && next.forwards.last?.validates.isEmpty == false)
    #expect(next.received.heads == 0, "it is not sent stale while it is validated")
    next.answer("HTTP/1.1 304 Not Modified↵Cache-Control: max-age=60", "")
    #expect(next.received.text == "old")
    let hit = world.begin(Self.request)
    #expect(hit.received.text == "old" && hit.forwards.isEmpty)
  }

  @Test("It stands in for an upstream that fails", arguments: 0..<5)
  func onError(_ scope: Int) {
    let world = world()
    world.store.purge(Self.scopes[scope](world), .soft)
    let next = world.begin(Self.request)
    next.answer("HTTP/1.1 503 Service Unavailable↵Content-Length: 4", "down")
    #expect(next.received.text == "old")
  }

  @Test("A hard purge after it takes it away; one before does not come back")
  func bothModes() {
    let world = world()
    world.store.purge(.everything, .soft)
    world.store.purge(.host(PurgeHost("a".utf8)))
    let next = world.begin(Self.request)
    #expect(next.awaitsUpstream && next.forwards.last?.validates.isEmpty == true)
    next.answer(Self.answer, "new")
    world.store.purge(.everything, .soft)
    let again = world.begin(Self.request)
    #expect(again.forwards.last?.validates.isEmpty == false)
  }

  @Test("What is on its way is not stored as fresh, and joined by nobody", arguments: 0..<5)
  func inFlight(_ scope: Int) {
    let world = CoreWorld()
    let leader = world.begin(Self.request)
    world.store.purge(Self.scopes[scope](world), .soft)
    let after = world.begin(Self.request)
    #expect(after.awaitsUpstream && !after.status.isCollapsed)
    leader.answer(Self.answer, "old")
    #expect(world.store.statistics.responses == 0 && leader.received.text == "old")
    after.answer(Self.answer, "new")
    #expect(world.begin(Self.request).received.text == "new")
  }

  @Test("A sweep finds what nobody asks for, and counts it", arguments: [PurgeMode.hard, .soft])
  func swept(_ mode: PurgeMode) {
    let world = CoreWorld()
    for number in 0..<500 {
      let tag = number < 200 ? "t" : "u"
      world.begin("GET /\(number) HTTP/1.1↵Host: a")
        .answer(
          "HTTP/1.1 200 OK↵Cache-Tag: \(tag)↵Cache-Control: max-age=60↵Content-Length: 1", "x")
    }
    let before = world.store.statistics
    let id = PurgeID(milliseconds: 9, number: 9)
    let removal = world.store.purge(
      Purge([.tag(CacheTag(Array("t".utf8)))], mode: mode, id: id, message: [1]))
    #expect(removal.count == 200 && !removal.isSample)
    #expect(world.store.statistics.responses == 500, "nothing is looked through before it is said")
    var steps = 0
    while !world.store.sweep(slots: 16) { steps += 1 }
    #expect(steps > 20)
    let yield = world.store.purges.journalEntry(id)?.1
    #expect(yield?.count == 200)
    let after = world.store.statistics
    #expect(after.responses == (mode == .hard ? 300 : 500))
    #expect((after.bytes < before.bytes) == (mode == .hard))
    #expect((yield?.bytes ?? 0) == before.bytes - after.bytes)
  }

  @Test("Much is judged by a sample, which says so")
  func sampled() {
    let world = CoreWorld(limits: StoreLimits(memory: 256 << 20))
    for number in 0..<20_000 {
      world.begin("GET /\(number % 4)/\(number) HTTP/1.1↵Host: a")
        .answer("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 1", "x")
    }
    let estimate = world.store.estimate([.prefix(PurgePrefix(world.key("http://a/3/")))])
    #expect(estimate.isSample && (4000...6000).contains(estimate.count))
    #expect(world.store.estimate([.everything]).count == 20_000)
    #expect(world.store.estimate([.url(world.key("http://a/1/1"))]).count == 1)
  }

  @Test("What was there before a restart is checked until the fence opens, and never stands in")
  func fence() throws {
    let volume = SimulatedVolume(seed: 3)
    func world() throws -> CoreWorld {
      let purges = PurgeLog()
      var words = SeededRandom(seed: 3)
      let disk = try DiskStore.open(
        volume, DiskOptions(size: 1 << 20, segmentSize: 1 << 16, admission: .all), purges: purges,
        now: Instant(seconds: 1_700_000_000), random: { words.next() }, clock: { 0 })
      return CoreWorld(
        store: Store(
          limits: StoreLimits(memory: 8 << 20), secret: disk.secret, purges: purges,
          lower: TestDisk(disk)))
    }
    let before = try world()
    before.begin(Self.request).answer(Self.answer, "old")
    let closed = try world()
    closed.store.purges.closeFence()
    let checked = closed.begin(Self.request)
    #expect(checked.forwards.last?.validates.isEmpty == false && checked.received.heads == 0)
    checked.answer("HTTP/1.1 503 Service Unavailable↵Content-Length: 4", "down")
    #expect(checked.received.text == "down", "it may have been purged for good")
    closed.begin("GET /y HTTP/1.1↵Host: a").answer(Self.answer, "new")
    #expect(closed.begin("GET /y HTTP/1.1↵Host: a").received.text == "new")
    let opened = try world()
    opened.store.purges.closeFence()
    opened.store.purges.openFence()
    #expect(opened.begin(Self.request).received.text == "old")
  }
}
