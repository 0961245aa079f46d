import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Parts that are kept beside each other: which bytes are there, where, and what joins.
@Suite struct StoredPartsTests {
  private static let length = 3000
  private let head =
    "HTTP/1.1 206 Partial Content↵ETag: \"a\"↵Cache-Control: max-age=60↵Transfer-Encoding: chunked"

  /// Any parts in any order, against an array that says of each byte whether it is there.
  @Test(arguments: 0..<20 as Range<UInt64>) func againstBytes(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var isThere = [Bool](repeating: false, count: Self.length)
    var parts: StoredParts?
    for step in 0..<60 {
      let lower = random.below(Self.length)
      let upper = min(Self.length, lower + 1 + random.below(random.below(4) == 0 ? 900 : 40))
      let part = ContentPart(range: lower..<upper, completeLength: Self.length)
      for byte in lower..<upper { isThere[byte] = true }
      let before = parts
      if let old = parts {
        let (new, pieces) = try #require(old.adding(part))
        parts = new
        #expect(pieces.count { $0 == nil } == 1)
        #expect(
          pieces.reduce(0) { $0 + ($1?.count ?? part.range.count) } == new.count, "step \(step)")
      } else {
        parts = StoredParts(part)
      }
      let now = try #require(parts)
      #expect(now.count == isThere.count { $0 } && now.isComplete == !isThere.contains(false))
      for (one, next) in zip(now.ranges, now.ranges.dropFirst()) {
        #expect(one.upperBound < next.lowerBound)
      }
      for _ in 0..<20 {
        let from = random.below(Self.length)
        let range = from..<min(Self.length, from + 1 + random.below(60))
        let place = now.place(of: range)
        #expect((place != nil) == isThere[range].allSatisfy { $0 }, "\(range) of \(now.text)")
        if let place {
          #expect(place.lowerBound == isThere[..<range.lowerBound].count { $0 })
          #expect(place.count == range.count)
        }
      }
      let gaps = now.ranges.count + 1 - (isThere[0] ? 1 : 0) - (isThere[Self.length - 1] ? 1 : 0)
      #expect((now.onlyMissing != nil) == (gaps == 1), "\(now.text)")
      if let missing = now.onlyMissing {
        #expect(isThere[missing.range].allSatisfy { !$0 })
        #expect(missing.before == isThere[..<missing.range.lowerBound].count { $0 })
      }
      #expect(before.map { $0.count <= now.count } ?? true)
    }
  }

  @Test("Runs that overlap, touch, are empty or go beyond the end are none")
  func malformed() {
    #expect(StoredParts([], of: 10) == nil && StoredParts([3..<3], of: 10) == nil)
    #expect(
      StoredParts([0..<3, 3..<4], of: 10) == nil && StoredParts([4..<5, 0..<1], of: 10) == nil)
    #expect(StoredParts([8..<11], of: 10) == nil && StoredParts([0..<2, 3..<10], of: 10) != nil)
    #expect(StoredParts([0..<2, 3..<10], of: 10)?.text == "0-1,3-9/10")
  }

  /// Asks for a part and answers it, if that is asked for.
  @discardableResult
  private func read(_ world: CoreWorld, _ range: Range<Int>, of length: Int) -> CoreExchange {
    let exchange = begin(world, range)
    if exchange.awaitsUpstream { answer(exchange, range, of: length) }
    return exchange
  }

  private func begin(_ world: CoreWorld, _ range: Range<Int>) -> CoreExchange {
    world.begin(
      "GET / HTTP/1.1↵Host: a↵Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
  }

  private func answer(_ exchange: CoreExchange, _ range: Range<Int>, of length: Int) {
    exchange.upstreamHead(
      head + "↵Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)")
    exchange.upstreamContent(LongContent.buffer(range.count, from: range.lowerBound))
    exchange.upstreamEnd()
  }

  /// Small reads at the end, then here and there, as readers of COG, zip and Parquet make them: each part is asked
  /// for once.
  @Test(arguments: [UInt64(1), 2, 3]) func scatteredReads(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    let length = 30_000_000
    var ranges = [0..<16_384, (length - 8)..<length, (length - 65_536)..<length]
    for _ in 0..<150 {
      let from = random.below(length - 200_000)
      ranges.append(from..<(from + 1 + random.below(60_000)))
    }
    for pass in 0..<2 {
      for range in ranges {
        let exchange = read(world, range, of: length)
        let isRight = LongContent.matches(
          exchange.received.content, count: range.count, from: range.lowerBound)
        #expect(isRight && exchange.received.parsed?.status == 206)
        if pass == 1 { #expect(exchange.status.isHit && exchange.forwards.isEmpty) }
      }
    }
    let statistics = world.store.statistics
    #expect(statistics.responses == 1 && statistics.reservedBytes == 0)
    let bytes = ranges.reduce(0) { $0 + $1.count }
    #expect(statistics.bytes < bytes * 2 + 200_000)
    #expect(world.store.purge(.url(world.key("http://a/"))).count == 1)
    #expect(world.store.statistics.bytes == 0)
  }

  /// Sequential small reads become one run in few buffers.
  @Test func sequentialReads() throws {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    let length = 3_000_000
    for start in stride(from: 0, to: length, by: 5000) {
      read(world, start..<(start + 5000), of: length)
    }
    let whole = world.begin("GET / HTTP/1.1↵Host: a")
    let isRight = LongContent.matches(whole.received.content, count: length)
    #expect(isRight && whole.status.isHit && whole.received.parsed?.status == 200)
    #expect((whole.received.stored?.content.pieces.count ?? 0) < 100)
    #expect(whole.received.stored?.isLarge == true)
  }

  /// Two that are under way at once are both kept.
  @Test func atOnce() {
    let world = CoreWorld()
    let one = begin(world, 0..<100)
    let two = begin(world, 5000..<5100)
    answer(two, 5000..<5100, of: 10_000)
    answer(one, 0..<100, of: 10_000)
    #expect(read(world, 0..<100, of: 10_000).status.isHit)
    #expect(read(world, 5000..<5100, of: 10_000).status.isHit)
  }

  /// A purge while a part arrives takes all, and what arrives is not kept.
  @Test func purgeMeanwhile() {
    let world = CoreWorld()
    read(world, 0..<100, of: 10_000)
    let exchange = begin(world, 5000..<5100)
    world.store.purge(.url(world.key("http://a/")))
    answer(exchange, 5000..<5100, of: 10_000)
    #expect(exchange.received.isComplete && world.store.statistics.responses == 0)
    #expect(world.store.statistics.reservedBytes == 0)
  }

  /// More than may be kept: what came last stays.
  @Test func bounds() {
    var limits = StoreLimits(memory: 1 << 20)
    limits.largestResponse = 1000
    let world = CoreWorld(limits: limits)
    for start in [0, 2000, 4000] { read(world, start..<(start + 400), of: 10_000) }
    #expect(read(world, 4000..<4400, of: 10_000).status.isHit)
    #expect(!read(world, 0..<400, of: 10_000).status.isHit)
    // And not more parts than are looked through in no time.
    let many = CoreWorld()
    for part in 0...(StoredParts.most) { read(many, (part * 10)..<(part * 10 + 1), of: 100_000) }
    #expect(!read(many, 0..<1, of: 100_000).status.isHit)
    #expect(read(many, 10_240..<10_241, of: 100_000).status.isHit)
  }
}
