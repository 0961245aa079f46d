import NIOCore
import Testing

@testable import EdgeCache

/// Purges and invalidations at every point in the life of a request.
@Suite struct PurgeRaceTests {
  /// What makes unusable all that is from before.
  enum Fence: String, CaseIterable, Sendable {
    case url, prefix, host, tag, surrogateKey, groupAsTag, group, everything, invalidation

    func apply(_ world: CoreWorld) {
      let key = world.key("http://a/")
      switch self {
      case .url: world.store.purge(.url(key))
      case .prefix: world.store.purge(.prefix(PurgePrefix(key)))
      case .host: world.store.purge(.host(PurgeHost("A".utf8)))
      case .tag: world.store.purge(.tag(CacheTag(Array("two".utf8))))
      case .surrogateKey: world.store.purge(.tag(CacheTag(Array("four".utf8))))
      case .groupAsTag: world.store.purge(.tag(CacheTag(Array("g".utf8))))
      case .group: world.store.purge(.group(CacheGroup(Array("g".utf8), at: key)))
      case .everything: world.store.purge(.everything)
      case .invalidation: world.store.invalidate(key)
      }
    }
  }

  private static let names = "Cache-Tag: one, two↵Surrogate-Key: three  four↵Cache-Groups: \"g\"↵"
  private let old =
    "HTTP/1.1 200 OK↵ETag: \"old\"↵\(names)Cache-Control: max-age=60↵Content-Length: 3"
  private let new =
    "HTTP/1.1 200 OK↵ETag: \"new\"↵\(names)Cache-Control: max-age=60↵Content-Length: 3"
  private let unchanged = "HTTP/1.1 304 Not Modified↵Cache-Control: max-age=60"

  private func get(_ world: CoreWorld) -> CoreExchange { world.begin("GET / HTTP/1.1↵Host: a") }

  private func staleWorld() -> CoreWorld {
    let world = CoreWorld()
    get(world).answer(old, "old")
    world.now = world.now.adding(seconds: 60)
    return world
  }

  /// Who comes after the fence leads, gets the new content, and finds it stored.
  private func expectNew(_ world: CoreWorld, _ place: Comment) {
    let next = get(world)
    #expect(next.awaitsUpstream && next.forwards.last?.validates.isEmpty == true, place)
    next.answer(new, "new")
    #expect(next.received.text == "new", place)
    #expect(get(world).received.text == "new", place)
    #expect(world.store.statistics.reservedBytes == 0, place)
  }

  @Test(arguments: Fence.allCases) func stored(_ fence: Fence) {
    let world = CoreWorld()
    get(world).answer(old, "old")
    fence.apply(world)
    expectNew(world, "stored")
  }

  /// Before the head, after it, within the content: the response is not stored, and not joined.
  @Test(arguments: Fence.allCases, 0..<3) func inFlight(_ fence: Fence, _ point: Int) {
    let world = CoreWorld()
    let leader = get(world)
    let follower = get(world)
    if point == 0 { fence.apply(world) }
    leader.upstreamHead(old)
    if point == 1 { fence.apply(world) }
    leader.upstreamContent("o")
    if point == 2 { fence.apply(world) }
    let after = get(world)
    #expect(after.awaitsUpstream && !after.status.isCollapsed)
    leader.upstreamContent("ld")
    leader.upstreamEnd()
    follower.poll()
    // Both asked before the fence.
    #expect(leader.received.text == "old" && leader.received.isComplete)
    #expect(follower.received.text == "old" || follower.forwards.count == 1)
    #expect(world.store.statistics.responses == 0)
    after.answer(new, "new")
    #expect(after.received.text == "new" && get(world).received.text == "new")
    if follower.awaitsUpstream { follower.answer(new, "new") }
    #expect(world.store.statistics.flights == 0 && world.store.statistics.reservedBytes == 0)
  }

  /// What is found and then purged is not validated: a 304 would bring it back.
  @Test(arguments: Fence.allCases) func betweenLookAndPlan(_ fence: Fence) {
    let world = staleWorld()
    let request = CoreExchange.parseRequest("GET / HTTP/1.1↵Host: a")
    let look = FirstLook.take(
      request: request, key: world.key("http://a/"), directives: CacheControl(),
      route: world.route, store: world.store, now: world.now)
    fence.apply(world)
    let exchange = CoreExchange(world, request)
    exchange.handle(.begin(look))
    #expect(exchange.awaitsUpstream && exchange.forwards.last?.validates.isEmpty == true)
    exchange.answer(new, "new")
    #expect(get(world).received.text == "new")
  }

  /// A validation that was on its way brings nothing back, neither do its followers.
  @Test(arguments: Fence.allCases) func inValidation(_ fence: Fence) {
    let world = staleWorld()
    let leader = get(world)
    let follower = get(world)
    #expect(leader.forwards.last?.validates.isEmpty == false)
    fence.apply(world)
    leader.answer(unchanged)
    #expect(leader.received.text == "old" && !leader.status.isStored)
    while !world.store.sweep(slots: 16) {}
    #expect(world.store.statistics.responses == 0)
    follower.poll()
    #expect(follower.awaitsUpstream && follower.forwards.last?.validates.isEmpty == true)
    follower.answer(new, "new")
    #expect(follower.received.text == "new" && get(world).received.text == "new")
  }

  /// What was purged does not stand in for a response that failed, for the leader and followers.
  @Test(arguments: Fence.allCases, [true, false]) func inFailure(_ fence: Fence, _ answers: Bool) {
    let world = staleWorld()
    let leader = get(world)
    let follower = get(world)
    fence.apply(world)
    if answers {
      leader.answer("HTTP/1.1 503 Busy↵Content-Length: 4", "busy")
      follower.poll()
      #expect(leader.received.text == "busy" && follower.awaitsUpstream)
      follower.answer(new, "new")
    } else {
      leader.upstreamFails(.connect)
      follower.poll()
      #expect(leader.received.errorStatus == 502 && follower.received.errorStatus == 502)
      expectNew(world, "after a failure")
    }
    #expect(get(world).received.text == "new")
  }

  /// A retry after the fence is still a request from before it.
  @Test(arguments: Fence.allCases) func retry(_ fence: Fence) {
    let world = CoreWorld()
    let leader = get(world)
    fence.apply(world)
    leader.upstreamFails(.closed, mayRetry: true)
    leader.answer(old, "old")
    #expect(leader.received.text == "old")
    expectNew(world, "after a retry")
  }

  /// A fence for another key touches nothing.
  @Test func otherKey() {
    let world = CoreWorld()
    let leader = get(world)
    _ = world.store.purge(.url(world.key("http://a/x")))
    _ = world.store.purge(.url(world.key("http://b/")))
    world.store.invalidate(world.key("http://a/x"))
    let follower = get(world)
    #expect(follower.status.isCollapsed)
    leader.answer(old, "old")
    follower.poll()
    #expect(get(world).status.isHit && follower.received.text == "old")
  }

  /// An unsafe request of the same key fences what was asked before its answer (RFC 9111 §4.4).
  @Test func unsafeRequest() {
    let world = CoreWorld()
    let post = world.begin("POST / HTTP/1.1↵Host: a")
    let reader = get(world)
    reader.upstreamHead(old)
    post.answer("HTTP/1.1 204 Done")
    reader.upstreamContent("old")
    reader.upstreamEnd()
    #expect(reader.received.text == "old")
    expectNew(world, "after a POST")
  }
}
