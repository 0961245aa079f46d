import NIOCore
import Testing

@testable import EdgeCache

/// Trailer fields of what is stored: kept for those who take them, never a part of the head (RFC 9110 §6.5).
@Suite struct TrailerTests {
  private static let head =
    "HTTP/1.1 200 OK↵ETag: \"a\"↵Cache-Control: max-age=60↵Transfer-Encoding: chunked"
  private static let takes = "GET / HTTP/1.1↵Host: a↵TE: trailers"
  private static let plain = "GET / HTTP/1.1↵Host: a"

  private static func section(_ text: String) throws -> FieldSection {
    var decoder = ContentDecoder(.chunked)
    var bytes = ByteBuffer(bytes: wire("0↵\(text)↵↵"))
    guard case .end(let trailers?) = try decoder.next(&bytes) else { throw CancellationError() }
    return trailers
  }

  private static func fill(_ world: CoreWorld, _ text: String) throws -> CoreExchange {
    let leader = world.begin(takes)
    leader.upstreamHead(head)
    leader.upstreamContent("abc")
    leader.upstreamEnd(trailers: try section(text))
    return leader
  }

  @Test func keptInMemory() throws {
    let world = CoreWorld()
    let leader = try Self.fill(world, "X-Sum: 1↵Content-Length: 9↵Set-Cookie: a=b↵Server-Timing: x")
    #expect(leader.received.trailers == ["X-Sum: 1", "Server-Timing: x"])
    let hit = world.begin(Self.takes)
    #expect(hit.status.isHit && hit.received.text == "abc")
    #expect(hit.received.trailers == ["X-Sum: 1", "Server-Timing: x"])
    let sent = try #require(hit.received.parsed)
    #expect(sent.fields.text(.trailer) == "X-Sum, Server-Timing")
    #expect(sent.fields.hasElement(.transferEncoding, "chunked") && sent.contentLength == nil)
    #expect(sent.fields.only(named: "x-sum") == nil && !sent.fields.contains(.setCookie))
    for other in [
      Self.plain, "HEAD / HTTP/1.1↵Host: a↵TE: trailers", "GET / HTTP/1.0↵Host: a↵TE: trailers",
      Self.takes + "↵Range: bytes=0-0", Self.takes + "↵If-None-Match: \"a\"",
      Self.plain + "↵TE: gzip",
    ] {
      let hit = world.begin(other)
      #expect(hit.status.isHit && hit.received.trailers == [], "\(other)")
      let sent = try #require(hit.received.parsed)
      #expect(!sent.fields.contains(.transferEncoding) && !sent.fields.contains(.trailer))
    }
    #expect(world.store.statistics.bytes > 0)
  }

  @Test func keptThroughAValidation() throws {
    let world = CoreWorld()
    _ = try Self.fill(world, "X-Sum: 1")
    world.now = world.now.adding(seconds: 60)
    let stale = world.begin(Self.takes)
    stale.answer("HTTP/1.1 304 Not Modified")
    #expect(stale.received.trailers == ["X-Sum: 1"])
    #expect(world.begin(Self.takes).received.trailers == ["X-Sum: 1"])
  }

  @Test func followersGetThem() throws {
    let world = CoreWorld()
    let leader = world.begin(Self.plain)
    let follower = world.begin(Self.takes)
    leader.upstreamHead(Self.head)
    leader.upstreamContent("abc")
    leader.upstreamEnd(trailers: try Self.section("X-Sum: 1"))
    follower.poll()
    #expect(follower.received.trailers == ["X-Sum: 1"] && follower.received.isComplete)
  }

  @Test func onlyForbiddenOnesAreNone() throws {
    let world = CoreWorld()
    _ = try Self.fill(world, "Content-Encoding: gzip↵Transfer-Encoding: chunked↵Vary: *")
    let hit = world.begin(Self.takes)
    #expect(hit.status.isHit && hit.received.parsed?.contentLength == 3)
  }

  @Test func notWithAPart() throws {
    let world = CoreWorld()
    let part = world.begin(Self.takes + "↵Range: bytes=0-0")
    part.upstreamHead(
      "HTTP/1.1 206 Partial Content↵ETag: \"a\"↵Cache-Control: max-age=60↵"
        + "Content-Range: bytes 0-0/3↵Transfer-Encoding: chunked")
    part.upstreamContent("a")
    part.upstreamEnd(trailers: try Self.section("X-Sum: 1"))
    #expect(part.received.text == "a" && part.received.trailers == ["X-Sum: 1"])
    #expect(world.store.statistics.responses == 0 && world.store.statistics.reservedBytes == 0)
  }

  @Test func onDisk() throws {
    let world = CoreWorld()
    _ = try Self.fill(world, "X-Sum: 1↵X-Other: 2")
    guard
      case .selected(let stored) = world.store.find(
        world.key("http://a/"), request: CoreExchange.parseRequest(Self.takes).fields)
    else {
      Issue.record("nothing is stored")
      return
    }
    let bytes = ResponseCodec.head(stored)
    let read = try #require(
      ResponseCodec.read(bytes, 0..<bytes.count, key: stored.key, content: stored.content))
    #expect(read.head.trailers == stored.head.trailers && read.head.trailers != nil)
    // Cut anywhere, it is no head.
    for count in 0..<bytes.count {
      #expect(
        ResponseCodec.read(bytes, 0..<count, key: stored.key, content: stored.content) == nil)
    }
  }
}
