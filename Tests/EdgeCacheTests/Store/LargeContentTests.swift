import NIOCore
import Testing

@testable import EdgeCache

/// Large content in memory: what is kept, what makes room for it, and what is counted while it is sent.
@Suite struct LargeContentTests {
  /// How the origin says how long its content is.
  enum Framing: String, CaseIterable {
    case length = "Content-Length: "
    case chunked = "Transfer-Encoding: chunked"
    case untilClose = "X: y"
  }

  /// Sends one response through, in chunks as they come from a socket, and lets go of it.
  @discardableResult
  private func fill(
    _ world: CoreWorld, _ path: String, _ count: Int, framing: Framing = .length,
    fields: String = ""
  ) -> CacheStatus {
    let exchange = world.begin("GET \(path) HTTP/1.1↵Host: a")
    guard exchange.awaitsUpstream else { return exchange.status }
    let length = framing == .length ? "\(count)" : ""
    exchange.upstreamHead(
      "HTTP/1.1 200 OK↵Cache-Control: max-age=60\(fields)↵\(framing.rawValue)\(length)")
    var sent = 0
    while sent < count {
      let size = min(count - sent, 100_000)
      exchange.upstreamContent(LongContent.buffer(size, from: sent))
      sent += size
    }
    exchange.upstreamEnd()
    #expect(exchange.received.isComplete && exchange.received.content.count == count)
    return exchange.status
  }

  private func stored(_ world: CoreWorld, _ path: String) -> StoredResponse? {
    guard
      case .selected(let response) = world.store.find(
        world.key("http://a\(path)"),
        request: CoreExchange.parseRequest("GET \(path) HTTP/1.1↵Host: a").fields, touches: false)
    else { return nil }
    return response
  }

  @Test("20 MB are a hit the second time with 256 MiB", arguments: Framing.allCases)
  func twentyMegabytes(_ framing: Framing) throws {
    let world = CoreWorld(limits: StoreLimits(memory: 256 << 20))
    let count = 20_000_000
    fill(world, "/", count, framing: framing)
    let second = world.begin("GET / HTTP/1.1↵Host: a")
    #expect(second.status.isHit && second.forwards.isEmpty)
    let isSame = LongContent.matches(second.received.content, count: count)
    #expect(isSame)
    let statistics = world.store.statistics
    #expect(statistics.reservedBytes == 0 && statistics.responses == 1)
    #expect(statistics.bytes >= count && statistics.bytes <= count + count / 16)
    #expect(world.store.purge(.everything).count == 1)
  }

  @Test("Any part of it is sent from memory")
  func ranges() {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    let count = 5_000_000
    fill(world, "/", count)
    for range in [0..<1, 1_048_575..<1_048_578, 4_999_999..<5_000_000, 1_000_000..<4_000_000] {
      let exchange = world.begin(
        "GET / HTTP/1.1↵Host: a↵Range: bytes=\(range.lowerBound)-\(range.upperBound - 1)")
      let isSame = LongContent.matches(
        exchange.received.content, count: range.count, from: range.lowerBound)
      #expect(isSame && exchange.status.isHit, "\(range)")
    }
  }

  @Test("What is small and used stays when one large response follows another")
  func smallOnesStay() {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    #expect(world.store.shards.count == 2)
    for _ in 0..<3 {
      for number in 0..<500 { fill(world, "/small/\(number)", 10_000) }
    }
    for number in 0..<20 { fill(world, "/large/\(number)", 12 << 20) }
    let left = (0..<500).count { stored(world, "/small/\($0)") != nil }
    #expect(left == 500)
    #expect(stored(world, "/large/19") != nil)
    let statistics = world.store.statistics
    #expect(statistics.bytes <= statistics.capacity && statistics.reservedBytes == 0)
    // Three quarters are for large content.
    #expect(statistics.bytes > 24 << 20 && statistics.bytes < 56 << 20)
  }

  @Test(
    "What is used often stays when other large content comes", arguments: EvictionPolicy.allCases)
  func oftenUsed(_ eviction: EvictionPolicy) {
    var limits = StoreLimits(memory: 64 << 20)
    limits.eviction = eviction
    let world = CoreWorld(limits: limits)
    fill(world, "/often", 8 << 20)
    for number in 0..<20 {
      for _ in 0..<4 { _ = world.begin("GET /often HTTP/1.1↵Host: a") }
      fill(world, "/\(number)", 8 << 20)
    }
    #expect(stored(world, "/often") != nil && stored(world, "/19") != nil)
    let statistics = world.store.statistics
    #expect(statistics.bytes <= statistics.capacity && statistics.reservedBytes == 0)
  }

  @Test("Small responses find room where everything that is stored is large and elsewhere")
  func smallAmongLarge() {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    for number in 0..<4 { fill(world, "/large/\(number)", 14 << 20) }
    for number in 0..<2000 { fill(world, "/\(number)", 40_000) }
    #expect(stored(world, "/1999") != nil && stored(world, "/1900") != nil)
    let statistics = world.store.statistics
    #expect(statistics.bytes <= statistics.capacity && statistics.reservedBytes == 0)
  }

  @Test("What was evicted is counted for as long as it is sent")
  func pinned() {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    var sent: [StoredResponse] = []
    for number in 0..<6 {
      fill(world, "/\(number)", 10 << 20)
      if let response = stored(world, "/\(number)") { sent.append(response) }
      let statistics = world.store.statistics
      #expect(statistics.bytes >= sent.count * (10 << 20) && statistics.bytes <= 64 << 20)
    }
    // Whoever came when three quarters were being sent was served and not stored.
    #expect(sent.count == 4 && !sent.contains { $0.key == world.key("http://a/5") })
    for number in 0..<1000 { fill(world, "/small/\(number)", 10_000) }
    #expect(stored(world, "/small/999") != nil)
    sent = []
    world.store.purge(.everything)
    while !world.store.sweep(slots: 1000) {}
    #expect(world.store.statistics.bytes == 0)
    fill(world, "/6", 10 << 20)
    #expect(stored(world, "/6") != nil)
  }

  @Test("Content that breaks off, or may not be stored after all, leaves nothing behind")
  func failures() {
    let world = CoreWorld(limits: StoreLimits(memory: 64 << 20))
    for purges in [true, false] {
      let exchange = world.begin("GET / HTTP/1.1↵Host: a")
      let slow = world.begin("GET / HTTP/1.1↵Host: a")
      exchange.upstreamHead("HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 9000000")
      slow.poll()
      slow.isWritable = false
      exchange.upstreamContent(LongContent.buffer(5_000_000))
      if purges {
        world.store.purge(.everything)
        exchange.upstreamContent(LongContent.buffer(4_000_000, from: 5_000_000))
        exchange.upstreamEnd()
      } else {
        exchange.upstreamFails(.truncated)
        exchange.poll()
      }
      #expect(world.store.statistics.responses == 0 && world.store.statistics.reservedBytes == 0)
      // What the slow one has yet to get is counted.
      #expect(world.store.statistics.bytes >= 4_000_000)
      slow.isWritable = true
      slow.poll()
      slow.perform()
      #expect(slow.received.isComplete == purges && slow.received.isAborted != purges)
      let isSame =
        LongContent.matches(slow.received.content, count: purges ? 9_000_000 : 5_000_000)
      #expect(isSame)
    }
    #expect(world.store.statistics.bytes == 0)
  }

  @Test(
    "What a limit says, and what memory has room for",
    arguments: [
      (256, nil, 64 << 20), (256, 1 << 20, 1 << 20), (256, 1 << 30, 128 << 20), (1, nil, 1 << 20),
      (2, 3 << 20, 1 << 20), (64, nil, 16 << 20), (16, 8 << 20, 8 << 20), (16, 9 << 20, 8 << 20),
      (1 << 10, nil, 256 << 20),
    ] as [(Int, Int?, Int)])
  func limits(_ mebibytes: Int, _ asked: Int?, _ kept: Int) {
    #expect(StoreLimits(memory: mebibytes << 20, largestResponse: asked).largestResponse == kept)
  }

  @Test("What turned out too large on the way is not begun to be kept again for a while")
  func tooLargeAgain() {
    let world = CoreWorld(limits: StoreLimits(memory: 16 << 20))
    for number in 0..<300 { fill(world, "/\(number)", 30_000) }
    let before = world.store.statistics.evictions
    let first = fill(world, "/large", 6 << 20, framing: .chunked)
    #expect(!first.isHit && world.store.statistics.reservedBytes == 0)
    let between = world.store.statistics.evictions
    for _ in 0..<3 {
      let next = fill(world, "/large", 6 << 20, framing: .chunked)
      #expect(next.detail == .refused(.tooLarge) && !next.isStored)
    }
    #expect(world.store.statistics.evictions == between && between >= before)
    world.now = world.now.adding(seconds: 200)
    fill(world, "/large", 3 << 20, framing: .chunked)
    #expect(stored(world, "/large") != nil)
  }

  @Test("The largest that there is room for is kept", arguments: [8, 16, 64])
  func largest(_ mebibytes: Int) {
    let limits = StoreLimits(memory: mebibytes << 20, largestResponse: .max)
    for framing in [Framing.length, .chunked] {
      let world = CoreWorld(limits: limits)
      for path in ["/1", "/2"] {
        fill(world, path, limits.largestResponse, framing: framing)
        #expect(stored(world, path) != nil, "\(mebibytes) MiB, \(framing)")
      }
      fill(world, "/3", limits.largestResponse + 1, framing: framing)
      #expect(stored(world, "/3") == nil && world.store.statistics.reservedBytes == 0)
    }
  }
}
