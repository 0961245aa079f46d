import NIOCore
import Seeds
import Synchronization
import Testing

@testable import EdgeCache

/// The store under several threads at once: each request runs on one thread, as on an event loop, and
/// flights, purges and evictions cross between them.
@Suite struct StoreStressTests {
  /// What all threads know.
  private final class Shared: Sendable {
    /// The content version of each path; a purge is acknowledged before a version counts as floor.
    let versions = [0, 1, 2, 3].map { _ in Counter() }
    let floors = [0, 1, 2, 3].map { _ in Counter() }
    /// Held while a purge is applied, so that versions and floors go up together.
    let purging = Mutex(0)
    let problems = Mutex<[String]>([])
    let requests = Counter()

    func fail(_ text: String) { problems.withLock { $0.append(text) } }
  }

  private final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    var now: Int { value.load(ordering: .sequentiallyConsistent) }
    func set(_ new: Int) { value.store(new, ordering: .sequentiallyConsistent) }
    @discardableResult func add() -> Int {
      value.add(1, ordering: .sequentiallyConsistent).newValue
    }
  }

  private static func content(_ path: Int, _ version: Int) -> [UInt8] {
    let count = 50 + (path * 131 + version * 37) % 700
    return (0..<count).map { UInt8(truncatingIfNeeded: $0 + path * 7 + version) }
  }

  /// One thread's requests: several at a time, each with its own upstream.
  private static func work(_ store: Store, _ shared: Shared, seed: UInt64, count: Int) {
    var random = SeededRandom(seed: seed)
    let world = CoreWorld(store: store)
    var open: [Request] = []
    var begun = 0
    while begun < count || !open.isEmpty {
      if begun < count, open.count < 6 {
        begun += 1
        let path = random.below(4)
        let floor = shared.floors[path].now
        open.append(
          Request(exchange: world.begin("GET /\(path) HTTP/1.1↵Host: a"), path: path, floor: floor))
      }
      if random.below(40) == 0 {
        purge(store, shared, world, random.below(4), all: random.below(9) == 0)
      }
      if !open.isEmpty { open[random.below(open.count)].move(shared, &random) }
      for request in open {
        request.exchange.poll()
        if request.exchange.isOver { request.check(shared) }
      }
      open.removeAll { $0.exchange.isOver && !$0.exchange.awaitsUpstream }
    }
  }

  /// Purges, and only then says that nothing older may be seen.
  private static func purge(
    _ store: Store, _ shared: Shared, _ world: CoreWorld, _ path: Int, all: Bool
  ) {
    shared.purging.withLock { purges in
      purges += 1
      let version = shared.versions[path].add()
      _ = store.purge(all ? .everything : .url(world.key("http://a/\(path)")))
      shared.floors[path].set(version)
    }
  }

  private final class Request {
    let exchange: CoreExchange
    let path: Int
    let floor: Int
    private var content: [UInt8]?
    private var sent = 0
    private var attempt = 0

    init(exchange: CoreExchange, path: Int, floor: Int) {
      self.exchange = exchange
      self.path = path
      self.floor = floor
    }

    func move(_ shared: Shared, _ random: inout SeededRandom) {
      if random.below(60) == 0, !exchange.isOver { exchange.leave() }
      guard exchange.awaitsUpstream else { return }
      if attempt != exchange.forwards.count {
        attempt = exchange.forwards.count
        content = nil
        sent = 0
      }
      if random.below(50) == 0 {
        return exchange.upstreamFails(content == nil ? .connect : .truncated)
      }
      guard let content else {
        let version = shared.versions[path].now
        let bytes = StoreStressTests.content(path, version)
        content = bytes
        let framing =
          version % 2 == 0 ? "Content-Length: \(bytes.count)" : "Transfer-Encoding: chunked"
        return exchange.upstreamHead(
          "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵ETag: \"\(version)\"↵\(framing)")
      }
      if sent < content.count {
        let count = min(content.count - sent, 1 + random.below(300))
        exchange.upstreamContent(Array(content[sent..<(sent + count)]))
        sent += count
      } else {
        exchange.upstreamEnd()
      }
    }

    func check(_ shared: Shared) {
      shared.requests.add()
      let received = exchange.received
      guard received.heads > 0, received.errorStatus == nil, let head = received.parsed,
        let tag = head.fields.text(.etag), let version = Int(tag.dropFirst().dropLast())
      else { return }
      if version < floor { shared.fail("version \(version) after a purge at \(floor)") }
      let content = StoreStressTests.content(path, version)
      let isGood =
        received.isComplete ? received.content == content : content.starts(with: received.content)
      if !isGood { shared.fail("torn content of version \(version)") }
    }
  }

  @Test(.timeLimit(.minutes(15)), arguments: EvictionPolicy.allCases)
  func threads(_ eviction: EvictionPolicy) async {
    var limits = StoreLimits(memory: 40_000)
    limits.shards = 2
    limits.largestResponse = 2000
    limits.eviction = eviction
    let store = Store(limits: limits, secret: HashSecret(3, 4))
    let shared = Shared()
    await withTaskGroup(of: Void.self) { group in
      for thread in 0..<4 {
        group.addTask { Self.work(store, shared, seed: UInt64(thread), count: 1000) }
      }
    }
    #expect(shared.problems.withLock { $0 } == [])
    #expect(shared.requests.now >= 4 * 900)
    let statistics = store.statistics
    #expect(statistics.flights == 0 && statistics.reservedBytes == 0)
    #expect(statistics.bytes <= statistics.capacity)
  }
}
