import Glibc
import NIOCore
import Testing

@testable import EdgeCache

/// A head that trickles in is not read again for every byte, and its verdict does not wait.
@Suite struct HeadProgressTests {
  /// Limits that a few bytes reach, so that every prefix can be tried.
  static let small = HeadLimits(startLine: 40, fieldLine: 30, head: 160, fields: 4)

  /// Heads around the small limits, and some that end or go wrong in the usual ways.
  static let heads: [String] = [
    "GET / HTTP/1.1↵Host: a↵↵",
    "↵↵GET / HTTP/1.1↵Host: a↵↵",
    "GET /\(run(35)) HTTP/1.1↵Host: a↵↵",
    "GET /\(run(36)) HTTP/1.1↵Host: a↵↵",
    "GET /\(run(36))",
    "↵GET /\(run(36)) HTTP/1.1↵",
    "\(run(41)) / HTTP/1.1↵↵",
    "GET / HTTP/1.1↵X:\(run(28))↵Host: a↵↵",
    "GET / HTTP/1.1↵X:\(run(29))↵Host: a↵↵",
    "GET / HTTP/1.1↵X:\(run(29))",
    "GET / HTTP/1.1↵\(run(31)): b↵",
    "GET / HTTP/1.1↵A: b↵A: b↵A: b↵Host: a↵↵",
    "GET / HTTP/1.1↵A: b↵A: b↵A: b↵A: b↵Host: a↵↵",
    "↵↵GET / HTTP/1.1↵A: b↵A: b↵A: b↵A: b↵Host: a↵↵",
    "GET / HTTP/1.1↵A:\(run(28))↵A:\(run(28))↵A:\(run(28))↵A:\(run(28))↵B:\(run(28))↵",
    "GET /\(run(33)) HTTP/1.1↵A:\(run(28))↵A:\(run(28))↵A:\(run(28))↵\(run(20))",
  ]

  private static func run(_ count: Int) -> String { String(repeating: "x", count: count) }

  /// A full parse of every prefix says where the verdict is due; at that byte it must come.
  @Test(arguments: heads, [1, 2, 3, 7, 19]) func verdictIsNotDelayed(_ head: String, _ step: Int) {
    let bytes = wire(head)
    var due: (count: Int, verdict: Verdict)?
    for count in 0...bytes.count where due == nil {
      let verdict = RequestParser.verdict(Array(bytes[..<count]), limits: Self.small)
      if verdict != .needMore { due = (count, verdict) }
    }
    var parser = RequestParser(limits: Self.small)
    var fed = 0
    while fed < bytes.count {
      fed = min(bytes.count, fed + step)
      let verdict = parser.verdict(ByteBuffer(bytes: bytes[..<fed]))
      guard let due, fed >= due.count else {
        #expect(verdict == .needMore, "after \(fed) bytes")
        continue
      }
      #expect(verdict == due.verdict, "after \(fed) bytes, due after \(due.count)")
      return
    }
  }

  /// A head that comes byte by byte.
  struct Trickle: Sendable, CustomTestStringConvertible {
    var name: String
    var limits: HeadLimits
    var bytes: [UInt8]
    var testDescription: String { name }
  }

  private static func request(_ name: String, _ text: String) -> Trickle {
    Trickle(name: name, limits: .request, bytes: wire(text))
  }

  private static func response(_ name: String, _ text: String) -> Trickle {
    Trickle(name: name, limits: .response, bytes: wire("HTTP/1.1 200 OK↵" + text))
  }

  private static func lines(_ count: Int, _ length: Int) -> String {
    String(repeating: "X:\(run(length - 4))↵", count: count)
  }

  static let trickles: [Trickle] = [
    request("one long target", "GET /\(run(8180)) HTTP/1.1↵Host: a↵↵"),
    request("long fields", "GET / HTTP/1.1↵" + lines(4, 8000) + "Host: a↵↵"),
    request("many fields", "GET / HTTP/1.1↵" + lines(99, 300) + "Host: a↵↵"),
    request("empty lines first", "↵↵GET / HTTP/1.1↵" + lines(99, 300) + "Host: a↵↵"),
    request("too many fields", "↵↵GET / HTTP/1.1↵" + lines(101, 300)),
    request("one field that never ends", "GET / HTTP/1.1↵X:\(run(8191))"),
    response("a long field", lines(1, 32000) + "↵"),
    response("long fields", lines(2, 32000) + "↵"),
    response("many fields", lines(250, 250) + "↵"),
  ]

  /// How often a head that comes byte by byte is parsed from its start.
  @Test(arguments: trickles) func parsesFewTimes(_ row: Trickle) {
    var progress = HeadProgress()
    var buffer = ByteBuffer()
    var parses = 0
    for byte in row.bytes {
      buffer.writeInteger(byte)
      guard progress.isWorthParsing(buffer.readableBytesUInt8Span, limits: row.limits) else {
        continue
      }
      parses += 1
      let all = Array(buffer.readableBytesView)
      let isRequest = row.limits.fields == HeadLimits.request.fields
      let verdict = isRequest ? RequestParser.verdict(all) : ResponseParser.verdict(all)
      if verdict != .needMore {
        #expect(all.count == row.bytes.count, "verdict after \(all.count) bytes")
        break
      }
      progress.needsMore()
      if parses > 100 { break }
    }
    // The first read, up to two empty lines, the verdict, and the few bytes around a limit.
    #expect(parses <= 16)
  }

  /// The work of this thread, in nanoseconds of a processor: what else a machine does is not in it.
  private static func work(_ body: () throws -> Void) rethrows -> Int {
    func now() -> Int {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
    let start = now()
    try body()
    return now() - start
  }

  /// Trailers come under the same rule: byte by byte they are some dozens of times the work that they
  /// are at once, and not thousands.
  @Test func trailersAreNotReadAgainForEveryByte() throws {
    let bytes = wire("0↵" + Self.lines(2, 8000) + "↵")
    var whole = ContentDecoder(.chunked)
    let once = try Self.work {
      var buffer = ByteBuffer(bytes: bytes)
      _ = try whole.next(&buffer)
    }
    var decoder = ContentDecoder(.chunked)
    let trickled = try Self.work {
      var buffer = ByteBuffer()
      for byte in bytes {
        buffer.writeInteger(byte)
        _ = try decoder.next(&buffer)
      }
    }
    #expect(whole.isDone && decoder.isDone)
    #expect(trickled < 1000 * once, "\(trickled) ns, and \(once) ns at once")
  }
}
