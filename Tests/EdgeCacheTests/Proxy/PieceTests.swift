import NIOCore
import Testing

@testable import EdgeCache

// Large content, piece by piece: what is kept so, what a piece asks for, and what takes pieces away.

/// A disk below a store, without threads.
final class TestDisk: LowerTier {
  let disk: DiskStore
  private static let now = Instant(seconds: 1_700_000_000)

  init(_ disk: DiskStore) {
    self.disk = disk
  }

  func read(_ key: CacheKey, _ request: RequestHead) -> DiskStore.Read? {
    disk.read(key, request: request.fields, now: Self.now)
  }

  func mayHave(_ hash: KeyHash) -> Bool { disk.mayHave(hash) }
  func stored(_ response: StoredResponse, pieces: [StoredResponse], stamp: UInt64) {
    replaced(response)
    guard disk.admits(response.key.hash, always: response.pieced != nil && pieces.isEmpty) else {
      return
    }
    for piece in pieces { disk.write(piece, stamp: stamp) }
    disk.write(response, stamp: stamp)
  }
  func replaced(_ response: StoredResponse) {
    if let removal = disk.remove(response.key, response.selector) {
      disk.log([removal], now: Self.now)
    }
  }
  func removed(_ hash: KeyHash) {
    if let removal = disk.remove(hash) { disk.log([removal], now: Self.now) }
  }
  func purged(_ purge: Purge, sequence: UInt64) -> Int {
    let count = disk.forget(purge)
    try? disk.purge(purge, sequence: sequence, now: Self.now)
    return count
  }
  var oldestStamp: UInt64 { disk.oldestStamp }
  var oldestUnswept: UInt64 { disk.oldestUnswept }
  var oldestPending: UInt64 { .max }
}

@Suite("Large content in pieces")
struct PieceTests {
  private static let mebibyte = 1 << 20
  private static let size = 5 * mebibyte + 100
  private static let whole =
    "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵ETag: \"a\"↵Accept-Ranges: bytes↵"
    + "Content-Type: video/mp4↵Content-Length: \(size)"
  private static let request = "GET /film HTTP/1.1↵Host: a"

  /// A world whose memory keeps nothing of more than a quarter of it, above a disk.
  private static func world(
    _ volume: SimulatedVolume = SimulatedVolume(seed: 1), memory: Int = 8 << 20
  ) throws -> CoreWorld {
    let purges = PurgeLog()
    let disk = try DiskStore.open(
      volume, DiskOptions(size: 64 << 20, admission: .all), purges: purges,
      now: Instant(seconds: 1_700_000_000), random: { 7 }, clock: { 0 })
    return CoreWorld(
      store: Store(
        limits: StoreLimits(memory: memory), secret: disk.secret, purges: purges,
        lower: TestDisk(disk)))
  }

  private static func partHead(_ part: Range<Int>, tag: String = "\"a\"") -> String {
    "HTTP/1.1 206 Partial Content↵ETag: \(tag)↵"
      + "Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)↵"
      + "Content-Length: \(part.count)"
  }

  private static func bytes(_ range: Range<Int>) -> [UInt8] {
    range.map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
  }

  /// What a request for the whole is answered with, when its head has come.
  private static func begun(_ world: CoreWorld) throws -> (CoreExchange, StoredResponse) {
    let exchange = world.begin(request)
    exchange.upstreamHead(whole)
    return (exchange, try #require(exchange.received.stored))
  }

  @Test("A head that says its content is too large for memory is stored without it")
  func learned() throws {
    let world = try Self.world()
    let (exchange, response) = try Self.begun(world)
    #expect(exchange.cancellations == 1)
    #expect(response.pieced?.count == Self.size && response.pieced?.pieces == 6)
    let sent = try #require(exchange.received.parsed)
    #expect(sent.contentLength == Self.size)
    #expect(exchange.statusText == "edge; fwd=uri-miss; fwd-status=200; ttl=60; stored")
    // The next one knows, for any range, for HEAD and for a condition.
    for (text, status) in [
      (Self.request + "↵Range: bytes=3000000-3000009", 206),
      ("HEAD /film HTTP/1.1↵Host: a", 200), (Self.request + "↵If-None-Match: \"a\"", 304),
      (Self.request + "↵Range: bytes=9000000-", 416),
    ] {
      let next = world.begin(text)
      #expect(next.received.parsed?.status == status, "\(text)")
      #expect(next.forwards.isEmpty)
    }
  }

  @Test(
    "What cannot be told from other content, or has no ranges, is passed through",
    arguments: [
      ("ETag: \"a\"", "ETag: W/\"a\""), ("ETag: \"a\"↵", ""),
      ("↵Accept-Ranges: bytes", ""), ("Accept-Ranges: bytes", "Accept-Ranges: none"),
      ("max-age=60", "no-store"), ("max-age=60", "private"),
    ])
  func passed(_ old: String, _ new: String) throws {
    let world = try Self.world()
    let exchange = world.begin(Self.request)
    exchange.upstreamHead(Self.whole.replacing(old, with: new))
    #expect(exchange.received.stored == nil && exchange.cancellations == 0)
    #expect(exchange.awaitsUpstream)
  }

  @Test("A cookie goes to the client whose request brought the head, and takes nothing from it")
  func cookie() throws {
    let world = try Self.world()
    let exchange = world.begin(Self.request)
    exchange.upstreamHead(Self.whole + "↵Set-Cookie: a=b")
    let response = try #require(exchange.received.stored)
    #expect(exchange.received.parsed?.fields.text(.setCookie) == "a=b")
    let next = world.begin(Self.request)
    #expect(next.received.parsed?.fields.contains(.setCookie) == false && next.forwards.isEmpty)
    // What was learned by a piece of the one takes out the other.
    let piece = CoreExchange(try #require(PieceOrder(0, of: response)), for: exchange)
    piece.upstreamHead(Self.partHead(0..<Self.mebibyte, tag: "\"b\""))
    #expect(!world.begin(Self.request).forwards.isEmpty)
  }

  @Test("The answer to a range says how large the whole is")
  func range() throws {
    let world = try Self.world()
    let exchange = world.begin(Self.request + "↵Range: bytes=10-19")
    exchange.upstreamHead(
      Self.partHead(10..<20) + "↵Cache-Control: max-age=60")
    let response = try #require(exchange.received.stored)
    #expect(response.pieced?.count == Self.size && response.head.status == 200)
    #expect(exchange.received.parsed?.status == 206)
  }

  @Test("A piece asks for its bytes, once for all who want it, and then comes from the store")
  func piece() throws {
    let world = try Self.world()
    let (exchange, response) = try Self.begun(world)
    let order = try #require(PieceOrder(5, of: response))
    let leader = CoreExchange(order, for: exchange)
    let forwarded = try #require(leader.forwarded.first)
    #expect(forwarded.fields.text(.range) == "bytes=5242880-")
    #expect(forwarded.fields.text(.ifRange) == "\"a\"")
    let follower = CoreExchange(order, for: exchange)
    #expect(follower.forwards.isEmpty)
    leader.upstreamHead(Self.partHead(order.range))
    leader.upstreamContent(Self.bytes(order.range))
    leader.upstreamEnd()
    leader.poll()
    follower.poll()
    let expected = Self.bytes(order.range)
    for one in [leader, follower] {
      let isSame = one.received.content == expected
      #expect(isSame && one.received.isComplete)
    }
    let later = CoreExchange(order, for: exchange)
    #expect(later.forwards.isEmpty && later.received.content.count == 100)
  }

  @Test(
    "What is not the piece takes the head away; an error does not",
    arguments: [
      (PieceTests.partHead(0..<PieceTests.mebibyte, tag: "\"b\""), false),
      (PieceTests.whole, false),
      (PieceTests.partHead(0..<1000), false), ("HTTP/1.1 404 Not Found↵Content-Length: 0", false),
      ("HTTP/1.1 416 Range Not Satisfiable↵Content-Length: 0", false),
      ("HTTP/1.1 503 Service Unavailable↵Content-Length: 0", true),
    ])
  func mismatch(_ head: String, _ stays: Bool) throws {
    let world = try Self.world()
    let (exchange, response) = try Self.begun(world)
    let fetch = CoreExchange(try #require(PieceOrder(0, of: response)), for: exchange)
    fetch.upstreamHead(head)
    #expect(fetch.received.errorStatus == 502 && fetch.cancellations == 1)
    let next = world.begin(Self.request + "↵Range: bytes=0-9")
    #expect(next.forwards.isEmpty == stays)
  }

  @Test("What is passed on for want of pieces belongs to the origin, not to the regional API")
  func passedInstead() throws {
    let world = try Self.world()
    world.route = RequestRoute(cached: 1, passThrough: 0)
    let exchange = CoreExchange(world, CoreExchange.parseRequest(Self.request))
    exchange.handle(.begin(.pass(.miss, .tooLarge)))
    #expect(exchange.forwards.map(\.group) == [1])
  }

  @Test("An upstream that says that it has ranges and has none is asked for the whole, for a while")
  func noRanges() throws {
    let world = try Self.world()
    let (exchange, response) = try Self.begun(world)
    let fetch = CoreExchange(try #require(PieceOrder(0, of: response)), for: exchange)
    fetch.upstreamHead(Self.whole)
    #expect(fetch.received.errorStatus == 502)
    let next = world.begin(Self.request)
    next.upstreamHead(Self.whole)
    #expect(next.received.stored == nil && next.cancellations == 0 && next.awaitsUpstream)
    world.now = world.now.adding(seconds: 100)
    let (later, _) = try Self.begun(world)
    #expect(later.cancellations == 1)
  }

  @Test("A purge leaves no way to the pieces, also not for one that is on its way")
  func purge() throws {
    let world = try Self.world()
    let (exchange, response) = try Self.begun(world)
    let order = try #require(PieceOrder(0, of: response))
    let fetch = CoreExchange(order, for: exchange)
    _ = world.store.purge(.url(world.key("http://a/film")))
    fetch.upstreamHead(Self.partHead(order.range))
    fetch.upstreamContent(Self.bytes(order.range))
    fetch.upstreamEnd()
    let (again, other) = try Self.begun(world)
    #expect(other.pieced != response.pieced)
    let piece = CoreExchange(try #require(PieceOrder(0, of: other)), for: again)
    #expect(piece.forwards.count == 1)
  }

  @Test("A validation keeps the pieces, and something new has others")
  func validation() throws {
    let world = try Self.world()
    let (_, response) = try Self.begun(world)
    world.now = world.now.adding(seconds: 100)
    let check = world.begin(Self.request)
    #expect(check.forwarded.first?.fields.text(.ifNoneMatch) == "\"a\"")
    check.upstreamHead("HTTP/1.1 304 Not Modified↵ETag: \"a\"↵Cache-Control: max-age=60")
    #expect(check.received.stored?.pieced == response.pieced)
    world.now = world.now.adding(seconds: 100)
    let changed = world.begin(Self.request)
    changed.upstreamHead(Self.whole.replacing("\"a\"", with: "\"b\""))
    let new = try #require(changed.received.stored)
    #expect(new.pieced != nil && new.pieced != response.pieced)
  }

  @Test("Head and pieces outlive the process")
  func restart() throws {
    let volume = SimulatedVolume(seed: 1)
    let before = try Self.world(volume)
    let (exchange, response) = try Self.begun(before)
    let order = try #require(PieceOrder(1, of: response))
    let fetch = CoreExchange(order, for: exchange)
    fetch.upstreamHead(Self.partHead(order.range))
    fetch.upstreamContent(Self.bytes(order.range))
    fetch.upstreamEnd()

    let after = try Self.world(volume.crashed(machine: false, seed: 2))
    let next = after.begin(Self.request)
    let found = try #require(next.received.stored)
    #expect(next.forwards.isEmpty && found.pieced == response.pieced)
    let piece = CoreExchange(try #require(PieceOrder(1, of: found)), for: next)
    let isSame = piece.received.content == Self.bytes(order.range)
    #expect(isSame && piece.forwards.isEmpty)
  }

  @Test(
    "What memory keeps as one is pieces on disk; where they may not be asked for one by one, all must be there",
    arguments: [true, false])
  func keptAsOne(_ hasRanges: Bool) throws {
    let volume = SimulatedVolume(seed: 1)
    let before = try Self.world(volume, memory: 32 << 20)
    let exchange = before.begin(Self.request)
    exchange.upstreamHead(
      "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Transfer-Encoding: chunked"
        + (hasRanges ? "↵ETag: \"a\"↵Accept-Ranges: bytes" : ""))
    let count = 3_500_000
    for start in stride(from: 0, to: count, by: 100_000) {
      exchange.upstreamContent(LongContent.buffer(100_000, from: start))
    }
    exchange.upstreamEnd()
    #expect(exchange.forwards.count == 1)
    let whole = before.begin(Self.request)
    let isSame = LongContent.matches(whole.received.content, count: count)
    #expect(isSame && whole.received.stored?.pieced == nil)
    #expect((before.store.lower as? TestDisk)?.disk.statistics.written == 5)

    let after = try Self.world(volume.crashed(machine: false, seed: 2), memory: 32 << 20)
    let next = after.begin(Self.request)
    let found = try #require(next.received.stored)
    #expect(found.pieced?.count == count && next.forwards.isEmpty)
    for index in 0..<4 {
      let order = try #require(PieceOrder(index, of: found))
      let piece = CoreExchange(order, for: next)
      let isRight = LongContent.matches(
        piece.received.content, count: order.range.count, from: order.range.lowerBound)
      #expect(isRight && piece.forwards.isEmpty)
    }
    #expect(after.store.canSend([0..<count], of: found))
    let gone = try #require(PieceOrder(2, of: found))
    after.store.invalidate(gone.key(after.store.secret))
    #expect(after.store.canSend([0..<count], of: found) == hasRanges)
    #expect(after.store.canSend([10..<(2 << 20)], of: found))
    #expect(after.store.canSend([10..<20, (3 << 20)..<count], of: found))
    #expect(after.store.canSend([10..<20, (2 << 20)..<count], of: found) == hasRanges)
    // A purge of the URL leaves nothing that is found.
    after.store.purge(.url(after.key("http://a/film")))
    #expect(after.begin(Self.request).awaitsUpstream)
  }

  @Test("Parts are on disk as they were, up to what is written anew with each")
  func partsOnDisk() throws {
    let volume = SimulatedVolume(seed: 1)
    let before = try Self.world(volume, memory: 32 << 20)
    let ranges = [0..<1000, 50_000..<51_000, 99_000..<100_000]
    func read(_ world: CoreWorld, _ range: Range<Int>) -> CoreExchange {
      let exchange = world.begin(
        Self.request + "↵Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
      guard exchange.awaitsUpstream else { return exchange }
      exchange.upstreamHead(
        "HTTP/1.1 206 Partial Content↵ETag: \"a\"↵Cache-Control: max-age=60↵"
          + "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/6000000")
      exchange.upstreamContent(LongContent.buffer(range.count, from: range.lowerBound))
      exchange.upstreamEnd()
      return exchange
    }
    for range in ranges { #expect(!read(before, range).status.isHit) }
    let second = volume.crashed(machine: false, seed: 2)
    let after = try Self.world(second, memory: 32 << 20)
    for range in ranges {
      let again = read(after, range)
      let isRight = LongContent.matches(
        again.received.content, count: range.count, from: range.lowerBound)
      #expect(isRight && again.status.isHit && again.received.parsed?.status == 206)
    }
    // Together with what came before the restart.
    #expect(!read(after, 1_000_000..<3_500_000).status.isHit)
    for range in ranges + [1_000_000..<3_500_000] { #expect(read(after, range).status.isHit) }
    let third = try Self.world(second.crashed(machine: false, seed: 3), memory: 32 << 20)
    #expect(!read(third, ranges[0]).status.isHit)
  }

  @Test("What parts were joined to is pieces on disk, as if it had come as a whole")
  func joined() throws {
    let volume = SimulatedVolume(seed: 1)
    let before = try Self.world(volume, memory: 32 << 20)
    let count = 3_500_000
    for range in [0..<1_200_000, 2_500_000..<count, 1_200_000..<2_500_000] {
      let exchange = before.begin(
        Self.request + "↵Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
      exchange.upstreamHead(
        "HTTP/1.1 206 Partial Content↵ETag: \"a\"↵Cache-Control: max-age=60↵Accept-Ranges: bytes↵"
          + "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(count)")
      exchange.upstreamContent(LongContent.buffer(range.count, from: range.lowerBound))
      exchange.upstreamEnd()
    }
    let whole = before.begin(Self.request)
    let isSame = LongContent.matches(whole.received.content, count: count)
    #expect(isSame && whole.status.isHit && whole.received.stored?.pieced == nil)

    let after = try Self.world(volume.crashed(machine: false, seed: 2), memory: 32 << 20)
    let next = after.begin(Self.request)
    let found = try #require(next.received.stored)
    #expect(found.pieced?.count == count && next.forwards.isEmpty)
    for index in 0..<4 {
      let order = try #require(PieceOrder(index, of: found))
      let piece = CoreExchange(order, for: next)
      let isRight = LongContent.matches(
        piece.received.content, count: order.range.count, from: order.range.lowerBound)
      #expect(isRight && piece.forwards.isEmpty)
    }
  }
}
