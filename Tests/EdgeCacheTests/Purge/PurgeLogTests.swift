import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// The numbers of purges, what they cover, and what may be forgotten.
@Suite struct PurgeLogTests {
  private let secret = HashSecret(7, 8)

  private func key(_ url: String) -> CacheKey {
    guard let key = CacheKey(url: url.utf8, secret: secret) else { fatalError(url) }
    return key
  }

  @Test func numbers() {
    let log = PurgeLog()
    let a = key("http://a/x")
    let b = key("http://a/y")
    #expect(log.head == 0 && log.newest(covering: a) == 0 && !log.isPurged(a, since: 0))
    #expect(log.append(.url(a)) == 1)
    #expect(log.head == 1 && log.newest(covering: a) == 1 && log.newest(covering: b) == 0)
    #expect(log.isPurged(a, since: 0) && !log.isPurged(a, since: 1) && !log.isPurged(b, since: 0))
    #expect(log.append(.everything) == 2)
    #expect(log.newest(covering: a) == 2 && log.newest(covering: b) == 2)
    #expect(log.isPurged(a, since: 1) && log.isPurged(b, since: 0) && !log.isPurged(b, since: 2))
    #expect(log.append(.url(b)) == 3)
    #expect(log.newest(covering: a) == 2 && log.newest(covering: b) == 3)
  }

  /// A URL covers both schemes and every port; path, query and host tell URLs apart.
  @Test(arguments: [
    ("http://a/x", true), ("https://a/x", true), ("http://a:81/x", true), ("HTTP://A/x", true),
    ("http://a/x#f", true), ("http://a/X", false), ("http://a/x?", false), ("http://a/x/", false),
    ("http://a/", false), ("http://b/x", false), ("http://a.b/x", false), ("http://a/x%20", false),
  ]) func coverage(_ url: String, _ isCovered: Bool) {
    let log = PurgeLog()
    _ = log.append(.url(key("http://a/x")))
    #expect(log.isPurged(key(url), since: 0) == isCovered)
  }

  @Test func trimming() {
    let log = PurgeLog()
    let keys = (0..<10).map { key("http://a/\($0)") }
    for key in keys { _ = log.append(.url(key)) }
    #expect(log.rememberedURLs == 10)
    log.trim(urls: 4, others: 4, soft: 4)
    #expect(log.rememberedURLs == 6 && log.head == 10)
    #expect(!log.isPurged(keys[3], since: 0) && log.isPurged(keys[4], since: 4))
    _ = log.append(.everything)
    #expect(log.rememberedURLs == 0 && log.isPurged(keys[0], since: 10))
    log.trim(urls: 11, others: 11, soft: 11)
    #expect(log.isPurged(keys[0], since: 10) && !log.isPurged(keys[0], since: 11))
  }

  /// The index against a list of all purges, for responses of any age.
  @Test func againstNaiveModel() {
    var random = SeededRandom(seed: 31)
    let log = PurgeLog()
    let keys = (0..<8).map { key("http://a/\($0)") }
    var purges: [Int?] = []
    for _ in 0..<2000 {
      if random.below(3) == 0 {
        let place: Int? = random.below(20) == 0 ? nil : random.below(keys.count)
        purges.append(place)
        #expect(log.append(place.map { .url(keys[$0]) } ?? .everything) == UInt64(purges.count))
      }
      let place = random.below(keys.count)
      let since = random.below(purges.count + 1)
      let isPurged = purges[since...].contains { $0 == nil || $0 == place }
      #expect(log.isPurged(keys[place], since: UInt64(since)) == isPurged)
    }
  }

  /// The store forgets purged URLs by itself, but none that a flight on its way must know of.
  @Test func storeTrims() {
    let world = CoreWorld()
    func purge(_ range: Range<Int>) {
      for number in range { world.store.purge(.url(world.key("http://a/\(number)"))) }
    }
    purge(0..<3000)
    while !world.store.sweep(slots: 64) {}
    #expect(world.store.purges.rememberedURLs <= 1100)
    let flight = world.begin("GET /7 HTTP/1.1↵Host: a")
    purge(0..<5000)
    while !world.store.sweep(slots: 64) {}
    #expect(world.store.purges.rememberedURLs >= 4000)
    flight.answer("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 1", "x")
    #expect(world.store.statistics.responses == 0)
    purge(0..<6000)
    while !world.store.sweep(slots: 64) {}
    #expect(world.store.purges.rememberedURLs <= 10_000)
    purge(6000..<20_000)
    while !world.store.sweep(slots: 64) {}
    #expect(world.store.purges.rememberedURLs <= 10_000)
  }
}
