import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Content by length, in chunks and until the end of the connection (RFC 9112 §6 and §7.1).
@Suite struct ContentDecoderTests {
  /// Bytes on a connection and what they decode to.
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var section: String
    var framing: MessageFraming
    var bytes: [UInt8]
    var result: Result
    var testDescription: String { "\(name) (RFC \(section))" }
  }

  /// What all of some bytes decode to.
  enum Result: Sendable, Hashable {
    /// Content, trailer fields if any, and the number of bytes left over.
    case end(String, trailers: String? = nil, left: Int = 0)
    case open(String)
    case refused(MalformedMessage, after: String)
  }

  private static func chunked(
    _ name: String, _ text: String, _ content: String, trailers: String? = nil, left: Int = 0
  ) -> Row {
    Row(
      name: name, section: "9112 §7.1", framing: .chunked, bytes: wire(text),
      result: .end(content, trailers: trailers, left: left))
  }

  private static func notChunked(
    _ name: String, _ text: String, _ reason: MalformedMessage, after content: String = ""
  ) -> Row {
    Row(
      name: name, section: "9112 §7.1", framing: .chunked, bytes: wire(text),
      result: .refused(reason, after: content))
  }

  private static func open(_ name: String, _ text: String, _ content: String = "") -> Row {
    Row(
      name: name, section: "9112 §8", framing: .chunked, bytes: wire(text), result: .open(content))
  }

  private static func length(_ count: Int, _ text: String, _ result: Result) -> Row {
    Row(
      name: "\(count) of \(text.count) bytes", section: "9112 §6.2", framing: .length(count),
      bytes: wire(text), result: result)
  }

  private static func run(_ count: Int, of text: String = "x") -> String {
    String(repeating: text, count: count)
  }

  static let lengths: [Row] = [
    length(0, "", .end("")),
    length(0, "abc", .end("", left: 3)),
    length(3, "abc", .end("abc")),
    length(3, "abcd", .end("abc", left: 1)),
    length(3, "ab", .open("ab")),
    length(3, "", .open("")),
    length(3, "\0\r\n", .end("\0\r\n")),
    length(.max, "abc", .open("abc")),
    Row(
      name: "none", section: "9112 §6.3", framing: .none, bytes: wire("abc"),
      result: .end("", left: 3)),
    Row(
      name: "until close", section: "9112 §6.3", framing: .untilClose, bytes: wire("a\0↵b"),
      result: .open("a\0\r\nb")),
  ]

  static let chunks: [Row] = [
    chunked("no content", "0↵↵", ""),
    chunked("one chunk", "3↵abc↵0↵↵", "abc"),
    chunked("two chunks", "3↵abc↵2↵de↵0↵↵", "abcde"),
    chunked("chunks of one byte", "1↵a↵1↵b↵1↵c↵0↵↵", "abc"),
    chunked("what follows is left", "1↵a↵0↵↵GET /", "a", left: 5),
    chunked("a message follows", "1↵a↵0↵↵0↵↵", "a", left: 5),
    chunked("size in lower case", "a↵0123456789↵0↵↵", "0123456789"),
    chunked("size in upper case", "A↵0123456789↵0↵↵", "0123456789"),
    chunked("size of two digits", "1a↵\(run(26))↵0↵↵", run(26)),
    chunked("mixed case", "fF↵\(run(255))↵0↵↵", run(255)),
    chunked("leading zeros", "0003↵abc↵0↵↵", "abc"),
    chunked("fifteen digits", "000000000000003↵abc↵0↵↵", "abc"),
    chunked("several zeros last", "1↵a↵0000↵↵", "a"),
    chunked("line ends in content", "4↵\r\n\r\n↵0↵↵", "\r\n\r\n"),
    chunked("a last chunk in content", "5↵0\r\n\r\n↵0↵↵", "0\r\n\r\n"),
    chunked("NUL in content", "1↵\0↵0↵↵", "\0"),
    chunked("extension", "3;a↵abc↵0↵↵", "abc"),
    chunked("extension with a value", "3;a=b↵abc↵0↵↵", "abc"),
    chunked("extension in quotes", "3;a=\"b;c\\\"\"↵abc↵0↵↵", "abc"),
    chunked("two extensions", "3;a;b=c↵abc↵0;d↵↵", "abc"),
    chunked("whitespace around", "3 \t; a = b↵abc↵0↵↵", "abc"),
    chunked("only a semicolon", "3;↵abc↵0↵↵", "abc"),
    chunked("extension beyond ASCII", "3;\u{E9}↵abc↵0↵↵", "abc"),
    chunked("extension at the limit", "1;\(run(255))↵a↵0↵↵", "a"),
    chunked("a trailer", "1↵a↵0↵X: b↵↵", "a", trailers: "fields=1 X:b"),
    chunked("two trailers", "0↵X: b↵Digest:c↵↵", "", trailers: "fields=2 X:b Digest:c"),
    chunked("framing in trailers", "0↵Host:a↵TE:b↵↵", "", trailers: "fields=2 !Host:a !TE:b"),
    chunked("trailer, then a message", "0↵X:b↵↵GET", "", trailers: "fields=1 X:b", left: 3),
    open("nothing", ""),
    open("a size", "3"),
    open("a size and CR", "3\r"),
    open("a chunk's line", "3↵"),
    open("half a chunk", "3↵ab", "ab"),
    open("a chunk without its end", "3↵abc", "abc"),
    open("a chunk and CR", "3↵abc\r", "abc"),
    open("no last chunk", "3↵abc↵", "abc"),
    open("last chunk only", "0↵"),
    open("last chunk and CR", "0↵\r"),
    open("trailers not ended", "0↵X: b↵"),
    open("2^32 + 3 is not 3", "100000003↵abc↵0↵↵", "abc\r\n0\r\n\r\n"),
    open("largest size", "fffffffffffffff↵a", "a"),
  ]

  static let badChunks: [Row] = [
    notChunked("no size", "↵abc", .chunkSize),
    notChunked("no size but an extension", ";a↵", .chunkSize),
    notChunked("space first", " 3↵abc↵", .chunkSize),
    notChunked("tab first", "\t3↵abc↵", .chunkSize),
    notChunked("plus", "+3↵abc↵", .chunkSize),
    notChunked("minus", "-3↵abc↵", .chunkSize),
    notChunked("minus zero", "-0↵↵", .chunkSize),
    notChunked("0x", "0x3↵abc↵", .chunkSize),
    notChunked("g", "g↵", .chunkSize),
    notChunked("digit and g", "3g↵", .chunkSize),
    notChunked("underscore", "1_0↵", .chunkSize),
    notChunked("fraction", "3.0↵", .chunkSize),
    notChunked("comma", "3,3↵", .chunkSize),
    notChunked("quoted", "\"3\"↵", .chunkSize),
    notChunked("space after the size", "3 ↵abc↵", .chunkSize),
    notChunked("two sizes", "3 3↵abc↵", .chunkSize),
    notChunked("beyond ASCII", "\u{B2}↵", .chunkSize),
    notChunked("NUL", "\0↵", .chunkSize),
    notChunked("sixteen digits", "0000000000000003↵", .chunkSize),
    notChunked("2^60", "1000000000000000↵", .chunkSize),
    notChunked("2^63", "8000000000000000↵", .chunkSize),
    notChunked("2^64 - 1", "ffffffffffffffff↵", .chunkSize),
    notChunked("2^64 + 3, which wraps to 3", "10000000000000003↵abc↵", .chunkSize),
    notChunked("LF after the size", "3\nabc↵", .chunkExtension),
    notChunked("CR after the size", "3\rabc↵", .chunkSize),
    notChunked("CR CR LF", "3\r↵abc↵", .chunkSize),
    notChunked("LF after an extension", "3;a\nabc↵", .chunkExtension),
    notChunked("CR in an extension", "3;a\rb↵abc↵", .chunkExtension),
    notChunked("CR in quotes", "3;a=\"\r\"↵abc↵", .chunkExtension),
    notChunked("NUL in an extension", "3;\0↵abc↵", .chunkExtension),
    notChunked("vertical tab after the size", "3\u{0B}↵abc↵", .chunkExtension),
    notChunked("extension past the limit", "1;\(run(256))↵a↵", .chunkExtensionTooLong),
    notChunked("extension never ending", "1;\(run(400))", .chunkExtensionTooLong),
    notChunked("whitespace never ending", "1\(run(400, of: " "))", .chunkExtensionTooLong),
    notChunked("chunk too long", "3↵abcd↵", .chunkEnd, after: "abc"),
    notChunked("chunk too short", "3↵ab↵0↵↵", .chunkEnd, after: "ab\r"),
    notChunked("no end of a chunk", "3↵abc0↵↵", .chunkEnd, after: "abc"),
    notChunked("LF after a chunk", "3↵abc\n0↵↵", .chunkEnd, after: "abc"),
    notChunked("CR after a chunk", "3↵abc\r0↵↵", .chunkEnd, after: "abc"),
    notChunked("LF CR after a chunk", "3↵abc\n\r0↵↵", .chunkEnd, after: "abc"),
    notChunked("second size is bad", "1↵a↵x↵", .chunkSize, after: "a"),
    notChunked("LF ends the message", "0↵\n", .bareLineEnd),
    notChunked("LF ends all", "0\n\n", .chunkExtension),
    notChunked("CR ends the message", "0↵\rX↵↵", .bareLineEnd),
    notChunked("no end of the message", "0↵GET / HTTP/1.1↵↵", .fieldName),
    notChunked("LF after a trailer", "0↵X: b\n↵", .bareLineEnd),
    notChunked("folded trailer", "0↵X: b↵ c↵↵", .lineFolding),
    notChunked("whitespace first", "0↵ ↵↵", .lineFolding),
    notChunked("no colon", "0↵X↵↵", .fieldLine),
    notChunked("space before the colon", "0↵X : b↵↵", .fieldName),
    notChunked("NUL in a trailer", "0↵X: \0↵↵", .fieldValue),
  ]

  static let limits: [Row] = [
    chunked(
      "64 trailers", "0↵\(run(64, of: "X:b↵"))↵", "",
      trailers: "fields=64" + run(64, of: " X:b")),
    notChunked("65 trailers", "0↵\(run(65, of: "X:b↵"))↵", .tooManyFields),
    notChunked("65 trailers, never ending", "0↵\(run(65, of: "X:b↵"))", .tooManyFields),
    chunked(
      "trailer at the limit", "0↵X:\(run(8190))↵↵", "", trailers: "fields=1 X:\(run(8190))"),
    notChunked("trailer past it", "0↵X:\(run(8191))↵↵", .fieldTooLong),
    notChunked("trailer past it, never ending", "0↵X:\(run(8191))", .fieldTooLong),
    chunked(
      "trailers at the limit", "0↵X:\(run(8188))↵X:\(run(8186))↵↵", "",
      trailers: "fields=2 X:\(run(8188)) X:\(run(8186))"),
    notChunked("trailers past it", "0↵X:\(run(8188))↵X:\(run(8187))↵↵", .headTooLarge),
    notChunked("trailers far past it", "0↵\(run(9, of: "X:\(run(8000))↵"))↵", .headTooLarge),
    chunked(
      "extensions at the limit", run(64, of: "1;\(run(255))↵a↵") + "0↵↵", run(64, of: "a")),
    notChunked(
      "extensions past it", run(64, of: "1;\(run(255))↵a↵") + "0;↵↵", .chunkExtensionTooLong,
      after: run(64, of: "a")),
  ]

  static let all = lengths + chunks + badChunks + limits

  @Test(arguments: all) func whole(_ row: Row) {
    #expect(decode(row, pieces: [row.bytes.count]) == row.result)
  }

  /// Two pieces, cut at every byte.
  @Test(arguments: lengths + chunks + badChunks) func cutAnywhere(_ row: Row) {
    for cut in 0...row.bytes.count {
      #expect(decode(row, pieces: [cut, row.bytes.count - cut]) == settled(row), "cut at \(cut)")
    }
  }

  /// Every byte on its own.
  @Test(arguments: all) func byteByByte(_ row: Row) {
    #expect(decode(row, pieces: Array(repeating: 1, count: row.bytes.count)) == settled(row))
  }

  /// Messages one after another in one buffer, each with a decoder of its own.
  /// Chunks of any size, cut anywhere, with extensions here and there: the same content, in few pieces.
  @Test(arguments: 0..<50 as Range<UInt64>) func anyChunks(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let most = random.pick([1, 2, 16, 300, 5000])
    var (wire, content) = (ByteBuffer(), ByteBuffer())
    for _ in 0..<400 {
      let chunk = ByteBuffer(bytes: (0...random.below(most)).map { _ in UInt8(random.below(256)) })
      let size = String(chunk.readableBytes, radix: 16, uppercase: random.below(2) == 0)
      wire.writeString("\(random.below(9) == 0 ? "0" : "")\(size)")
      wire.writeString(random.below(20) == 0 ? ";a=b\r\n" : "\r\n")
      wire.writeImmutableBuffer(chunk)
      wire.writeString("\r\n")
      content.writeImmutableBuffer(chunk)
    }
    wire.writeString("0\r\n\r\nnext")
    var decoder = ContentDecoder(.chunked)
    var (inbound, decoded) = (ByteBuffer(), ByteBuffer())
    var (pieces, reads) = (0, 0)
    while !decoder.isDone {
      let cut = seed % 2 == 0 ? wire.readableBytes : min(wire.readableBytes, 1 + random.below(4000))
      if var some = wire.readSlice(length: cut) { inbound.writeBuffer(&some) }
      reads += 1
      reading: while true {
        switch try decoder.next(&inbound) {
        case .content(let some):
          #expect(some.readableBytes > 0)
          decoded.writeImmutableBuffer(some)
          pieces += 1
        case .needMore, .end: break reading
        }
      }
    }
    #expect(decoded == content && String(buffer: inbound) + String(buffer: wire) == "next")
    // One for each read, for each extension, and for what is too large to be copied.
    if most <= 300 { #expect(pieces <= 2 * reads + 60) }
  }

  @Test func severalMessages() {
    let bodies = ["0↵↵", "3↵abc↵0↵↵", "0↵X: b↵↵", "2;e↵de↵0↵↵"]
    let contents = ["", "abc", "", "de"]
    var buffer = ByteBuffer(bytes: wire(bodies.joined()))
    for content in contents {
      var decoder = ContentDecoder(.chunked)
      var taken = ""
      loop: while true {
        switch try? decoder.next(&buffer) {
        case .content(let piece): taken += String(buffer: piece)
        case .end: break loop
        case .needMore, nil:
          Issue.record("no end")
          return
        }
      }
      #expect(taken == content)
    }
    #expect(buffer.readableBytes == 0)
  }

  /// The end of the connection completes content until close, and what is complete already.
  @Test(arguments: [
    (MessageFraming.none, "", true), (.length(0), "", true), (.length(3), "abc", true),
    (.length(3), "ab", false), (.length(3), "", false), (.untilClose, "", true),
    (.untilClose, "abc", true), (.chunked, "", false), (.chunked, "3", false),
    (.chunked, "3↵abc", false), (.chunked, "3↵abc↵", false), (.chunked, "0↵", false),
    (.chunked, "0↵X: b↵", false), (.chunked, "0↵↵", true),
  ])
  func close(_ framing: MessageFraming, _ text: String, _ isComplete: Bool) throws {
    var decoder = ContentDecoder(framing)
    var buffer = ByteBuffer(bytes: wire(text))
    loop: while true {
      switch try decoder.next(&buffer) {
      case .content: continue
      case .needMore, .end: break loop
      }
    }
    #expect(decoder.connectionClosed() == isComplete)
  }

  // MARK: - Checks

  /// The end does not see bytes that were never fed after it.
  private func settled(_ row: Row) -> Result {
    guard case .end(let content, let trailers, _) = row.result else { return row.result }
    return .end(content, trailers: trailers, left: left(row))
  }

  private func left(_ row: Row) -> Int {
    if case .end(_, _, let left) = row.result { return left }
    return 0
  }

  /// Decodes pieces as they arrive; what is left counts the pieces not yet fed too.
  private func decode(_ row: Row, pieces: [Int]) -> Result {
    var decoder = ContentDecoder(row.framing)
    var buffer = ByteBuffer()
    var content = ""
    var fed = 0
    do throws(MalformedMessage) {
      for piece in pieces + [0] {
        buffer.writeBytes(row.bytes[fed..<(fed + piece)])
        fed += piece
        loop: while true {
          switch try decoder.next(&buffer) {
          case .needMore: break loop
          case .content(let bytes):
            #expect(bytes.readableBytes > 0)
            content.unicodeScalars += bytes.readableBytesView.map { Unicode.Scalar($0) }
          case .end(let trailers):
            #expect(decoder.isDone)
            let left = buffer.readableBytes + row.bytes.count - fed
            return .end(content, trailers: trailers.map { facts($0) }, left: left)
          }
        }
        #expect(!decoder.isDone)
      }
      return .open(content)
    } catch {
      return .refused(error, after: content)
    }
  }
}
