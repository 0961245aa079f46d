import Testing

@testable import EdgeCache

/// What becomes of a request that changes something when nobody hears, or nobody waits for, its answer.
@Suite("Unsafe requests") struct UnsafeRequestTests {
  private static let fresh = "HTTP/1.1 200 OK↵Cache-Control: max-age=60↵Content-Length: 1"

  private static func filled(_ paths: [String]) -> CoreWorld {
    let world = CoreWorld()
    for path in paths {
      let exchange = world.begin("GET \(path) HTTP/1.1↵Host: a")
      exchange.answer(fresh, "x")
    }
    return world
  }

  private static func isHit(_ path: String, _ world: CoreWorld) -> Bool {
    let exchange = world.begin("GET \(path) HTTP/1.1↵Host: a")
    return exchange.status.isHit
  }

  @Test(
    "The answer to a request whose client is gone still counts, if all of it has left",
    arguments: [
      ("DELETE", "204 No Content", true), ("DELETE", "403 Forbidden", false),
      ("MOVE", "201 Created", true), ("MOVE", "409 Conflict", false),
      ("UNBIND", "500 Internal Server Error", false),
    ])
  func clientGone(_ method: String, _ answer: String, _ isGone: Bool) {
    let world = Self.filled(["/c/", "/c/x", "/d"])
    let exchange = world.begin("\(method) /c/ HTTP/1.1↵Host: a↵Destination: /e")
    #expect(exchange.awaitsUpstream)
    exchange.requestLeft(whole: true)
    exchange.leave()
    #expect(exchange.awaitsUpstream && exchange.cancellations == 0)
    exchange.upstreamHead("HTTP/1.1 \(answer)↵Content-Length: 0")
    #expect(exchange.isDone && exchange.received.heads == 0)
    #expect(["/c/", "/c/x"].map { Self.isHit($0, world) } == [!isGone, !isGone])
    #expect(Self.isHit("/d", world))
  }

  @Test(
    "A request that has left in part makes what it names doubtful, and nothing else",
    arguments: [(true, false), (false, true)])
  func partly(_ hasLeft: Bool, _ isKept: Bool) {
    let world = Self.filled(["/c/", "/c/x"])
    let exchange = world.begin("DELETE /c/ HTTP/1.1↵Host: a↵Content-Length: 9")
    if hasLeft { exchange.requestLeft(whole: false) }
    exchange.leave()
    #expect(exchange.cancellations == 1 && exchange.isDone)
    #expect(Self.isHit("/c/", world) == isKept && Self.isHit("/c/x", world))
  }

  @Test(
    "A client that leaves before the upstream breaks: what it named is doubtful, nobody is told")
  func breaksAfterwards() {
    let world = Self.filled(["/a", "/a/b"])
    let exchange = world.begin("DELETE /a HTTP/1.1↵Host: a")
    exchange.requestLeft(whole: true)
    exchange.leave()
    exchange.upstreamFails(.firstByteTimeout, mayRetry: true)
    #expect(exchange.forwards.count == 1 && exchange.isDone)
    #expect(exchange.received.heads == 0)
    #expect(!Self.isHit("/a", world) && Self.isHit("/a/b", world))
  }
}
