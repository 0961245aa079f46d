import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// The store as a whole: budget, variants, chains, hit-for-miss, purge and invalidation.
@Suite struct StoreTests {
  private func fill(
    _ world: CoreWorld, _ path: String, _ count: Int, host: String = "a", fields: String = ""
  ) -> CoreExchange {
    let exchange = world.begin("GET \(path) HTTP/1.1↵Host: \(host)")
    if exchange.awaitsUpstream {
      exchange.answer(
        "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: \(count)\(fields)",
        String(repeating: "x", count: count))
    }
    return exchange
  }

  /// Whatever is stored, the budget holds.
  @Test(arguments: EvictionPolicy.allCases) func budget(_ eviction: EvictionPolicy) {
    var random = SeededRandom(seed: 41)
    var limits = StoreLimits(memory: 64 << 10)
    limits.largestResponse = 16 << 10
    limits.eviction = eviction
    let world = CoreWorld(limits: limits)
    for step in 0..<1500 {
      _ = fill(world, "/\(random.below(60))", random.below(random.below(9) == 0 ? 20_000 : 3000))
      let statistics = world.store.statistics
      #expect(statistics.bytes <= statistics.capacity, "step \(step)")
      #expect(statistics.reservedBytes == 0 && statistics.flights == 0)
    }
    #expect(world.store.statistics.evictions > 100)
  }

  /// Shards of a large budget, and what is the largest that is kept.
  @Test(arguments: [(1 << 20, 1), (63 << 20, 1), (64 << 20, 2), (512 << 20, 16), (4 << 30, 16)])
  func shards(_ memory: Int, _ shards: Int) {
    let limits = StoreLimits(memory: memory)
    #expect(limits.shards == shards)
    #expect(limits.largestResponse == max(memory / 4, 1 << 20))
    let store = Store(limits: limits, secret: HashSecret(1, 2))
    #expect(store.statistics.capacity == memory)
  }

  /// A fill that finds no room because others have reserved it is relayed and not stored.
  @Test func noRoom() {
    var limits = StoreLimits(memory: 20_000)
    limits.largestResponse = 12_000
    let world = CoreWorld(limits: limits)
    let first = world.begin("GET /1 HTTP/1.1↵Host: a")
    first.upstreamHead("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 12000")
    first.upstreamContent([UInt8](repeating: 1, count: 10))
    let second = fill(world, "/2", 12_000)
    #expect(second.received.isComplete && second.received.content.count == 12_000)
    #expect(world.store.statistics.responses == 0)
    first.upstreamContent([UInt8](repeating: 1, count: 11_990))
    first.upstreamEnd()
    #expect(world.store.statistics.responses == 1 && world.store.statistics.reservedBytes == 0)
  }

  /// Responses under other ports do not crowd out the real one, nor do variants go past their limit.
  @Test func chainLimit() {
    var limits = StoreLimits(memory: 8 << 20)
    limits.chain = 8
    limits.variants = 4
    let world = CoreWorld(limits: limits)
    func variant(_ host: String, _ name: String) -> CoreExchange {
      let exchange = world.begin("GET / HTTP/1.1↵Host: \(host)↵A: \(name)")
      if exchange.awaitsUpstream {
        exchange.answer("HTTP/1.1 200 OK↵Vary: A↵Cache-Control: max-age=60↵Content-Length: 1", "x")
      }
      return exchange
    }
    for port in 1...30 { _ = variant("a:\(port)", "1") }
    #expect(world.store.statistics.responses <= 8)
    for name in 1...4 { _ = variant("a", "\(name)") }
    for port in 1...30 { _ = variant("a:\(port)", "1") }
    #expect(world.store.statistics.responses <= 8)
    for name in 1...4 { _ = variant("a", "\(name)") }
    for name in 1...4 { #expect(variant("a", "\(name)").status.isHit) }
    // With the chain just full, one variant too many finds room in neither.
    _ = world.store.purge(.everything)
    for name in 1...4 { _ = variant("a", "\(name)") }
    for port in 101...104 { _ = variant("a:\(port)", "1") }
    _ = variant("a", "5")
    #expect(!variant("a", "5").status.isHit)
  }

  /// A key that turned out not to be storable is not waited for, until a minute has passed or it is.
  @Test func hitForMiss() {
    let world = CoreWorld()
    func begin() -> CoreExchange { world.begin("GET / HTTP/1.1↵Host: a") }
    let uncacheable = "HTTP/1.1 200 OK↵Cache-Control: private↵Content-Length: 1"
    begin().answer(uncacheable, "x")
    let first = begin()
    let second = begin()
    #expect(first.awaitsUpstream && second.awaitsUpstream && !second.status.isCollapsed)
    first.answer(uncacheable, "x")
    second.answer(uncacheable, "x")
    world.now = world.now.adding(seconds: 60)
    let third = begin()
    let fourth = begin()
    #expect(third.awaitsUpstream && fourth.status.isCollapsed)
    third.answer("HTTP/1.1 200 OK↵Cache-Control: max-age=1↵Content-Length: 1", "x")
    fourth.poll()
    #expect(fourth.received.text == "x")
    // Being stored takes the mark off.
    world.now = world.now.adding(seconds: 1)
    begin().answer(uncacheable, "x")
    begin().answer("HTTP/1.1 200 OK↵Cache-Control: max-age=1↵Content-Length: 1", "x")
    world.now = world.now.adding(seconds: 1)
    let fifth = begin()
    #expect(begin().status.isCollapsed)
    fifth.answer(uncacheable, "x")
  }

  /// A purge of a URL takes all variants, schemes and ports; one of everything takes all.
  @Test func purge() {
    let world = CoreWorld()
    _ = fill(world, "/1", 10)
    _ = fill(world, "/1", 10, host: "a:81")
    _ = fill(world, "/1", 10, host: "b")
    _ = fill(world, "/2", 10)
    let before = world.store.statistics
    let removal = world.store.purge(.url(world.key("https://a/1")))
    #expect(removal.sequence == 1 && removal.count == 2 && removal.bytes > 1280)
    #expect(world.store.statistics.bytes == before.bytes - removal.bytes)
    #expect(world.store.purge(.url(world.key("http://a/1"))).count == 0)
    #expect(fill(world, "/2", 10).status.isHit && !fill(world, "/1", 10).status.isHit)
    let all = world.store.purge(.everything)
    #expect(all.sequence == 3 && all.count == 3)
    #expect(world.store.statistics.responses == 0 && world.store.statistics.bytes == 0)
    #expect(!fill(world, "/2", 10).status.isHit)
  }

  /// Another length than was announced is not stored (RFC 9111 §3.3).
  @Test(arguments: [3, 5]) func wrongLength(_ count: Int) {
    let world = CoreWorld()
    let exchange = world.begin("GET / HTTP/1.1↵Host: a")
    exchange.answer(
      "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 4",
      String(repeating: "x", count: count))
    #expect(exchange.received.isAborted && !exchange.received.isComplete)
    let statistics = world.store.statistics
    #expect(statistics.responses == 0 && statistics.reservedBytes == 0 && statistics.flights == 0)
  }

  /// A 204 that announces content has none all the same (RFC 9110 §8.6).
  @Test func lengthOfNoContent() {
    let world = CoreWorld()
    let exchange = world.begin("GET / HTTP/1.1↵Host: a")
    exchange.answer("HTTP/1.1 204 No Content↵Cache-Control: max-age=60↵Content-Length: 4")
    #expect(exchange.received.isComplete)
    #expect(world.begin("GET / HTTP/1.1↵Host: a").status.isHit)
  }
}
