import NIOCore
import Testing

@testable import EdgeCache

/// Requests for what is known not to be for sharing go by themselves, and what may be stored after all is stored at
/// once.
@Suite("Requests that go by themselves")
struct SoloTests {
  private let own = "HTTP/1.1 200 OK↵Cache-Control: private↵Content-Length: 3"
  private let shared = "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 3"

  private func get(_ world: CoreWorld, _ fields: String = "") -> CoreExchange {
    world.begin("GET / HTTP/1.1↵Host: a\(fields)")
  }

  /// A world in which one response proved not to be for sharing.
  private func marked() -> CoreWorld {
    let world = CoreWorld()
    get(world).answer(own, "own")
    return world
  }

  @Test("It makes no flight, and nobody waits for it")
  func noFlight() {
    let world = marked()
    let (first, second) = (get(world), get(world))
    #expect(first.awaitsUpstream && second.awaitsUpstream)
    #expect(world.store.statistics.flights == 0)
    #expect(first.isSolo)
    first.answer(own, "one")
    second.answer(own, "two")
    #expect(first.received.text == "one" && second.received.text == "two")
    #expect(first.statusText.contains("fwd=uri-miss; detail=private"))
  }

  @Test("A response that may be stored is, at once", arguments: [true, false])
  func stores(isChunked: Bool) {
    let world = marked()
    let request = get(world)
    if isChunked {
      request.answer(
        "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Transfer-Encoding: chunked", "abc")
    } else {
      request.answer(shared, "abc")
    }
    #expect(request.received.text == "abc" && request.status.isStored)
    #expect(get(world).status.isHit)
    #expect(world.store.statistics.flights == 0 && world.store.statistics.reservedBytes == 0)
  }

  @Test(
    "Not what was purged or made unusable meanwhile",
    arguments: ["purge", "POST", "other", "many"])
  func fences(what: String) {
    let world = marked()
    let request = get(world)
    switch what {
    case "purge": _ = world.store.purge(.everything)
    case "POST": world.begin("POST / HTTP/1.1↵Host: a").answer(own, "")
    case "other": world.begin("POST /b HTTP/1.1↵Host: a").answer(own, "")
    default:
      for number in 0..<100 { world.store.invalidate(world.key("http://a/\(number)")) }
    }
    request.answer(shared, "abc")
    #expect(request.received.text == "abc" && request.received.isComplete)
    #expect(get(world).status.isHit == (what == "other"))
  }

  @Test("A purge while its content comes keeps it from being stored")
  func purgedWhileFilling() {
    let world = marked()
    let request = get(world)
    request.upstreamHead(shared)
    _ = world.store.purge(.everything)
    request.upstreamContent("abc")
    request.upstreamEnd()
    #expect(request.received.text == "abc" && !get(world).status.isHit)
  }

  @Test("It ends with its client, before the head and after")
  func clientLeaves() {
    let world = marked()
    let (early, late) = (get(world), get(world))
    late.upstreamHead(own)
    for exchange in [early, late] {
      exchange.handle(.clientGone)
      #expect(exchange.cancellations == 1 && exchange.isDone)
    }
  }

  @Test("A failure is its own, and a request that may be repeated is")
  func failures() {
    let world = marked()
    let request = get(world)
    request.handle(.upstreamFailed(.closed, mayRetry: true))
    #expect(request.awaitsUpstream && request.forwards.count == 2)
    request.handle(.upstreamFailed(.closed, mayRetry: true))
    #expect(request.received.errorStatus == 502)
  }

  @Test("The time for which it is remembered is renewed by what proves it again")
  func renews() {
    let world = marked()
    for _ in 0..<10 {
      world.now = world.now.adding(seconds: 50)
      let request = get(world)
      #expect(request.isSolo)
      request.answer(own, "own")
    }
    world.now = world.now.adding(seconds: 61)
    #expect(!get(world).isSolo)
  }

  @Test("Conditions and ranges of the client go along, and what answers them is the client's")
  func conditions() {
    let world = marked()
    let conditional = get(world, "↵If-None-Match: \"x\"")
    conditional.answer("HTTP/1.1 304 Not Modified↵ETag: \"x\"", "")
    #expect(conditional.received.parsed?.status == 304)
    let part = get(world, "↵Range: bytes=0-1")
    part.answer(
      "HTTP/1.1 206 Partial Content↵Cache-Control: max-age=60↵ETag: \"y\"↵Content-Range: bytes 0-1/3↵Content-Length: 2",
      "ab")
    #expect(part.received.text == "ab" && part.received.parsed?.status == 206)
    #expect(world.store.statistics.flights == 0)
  }
}
