import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Seeded mutations of the rows: no crash, nothing read past the end, one verdict however the bytes
/// are cut, and nothing accepted that a plain reading of the same bytes would not accept.
@Suite struct CodecFuzzTests {
  /// Change it to explore; a failure prints the seed of its own round.
  static let seed: UInt64 = 0x0E06_ECAC_4E00_0001

  /// What a parser said, cheap to compare.
  enum Outcome: Hashable {
    case needMore
    case refused(MalformedMessage)
    case head(consumed: Int, framing: MessageFraming, marks: Marks)
  }

  /// Numbers that describe a head, folded into one.
  struct Marks: Hashable {
    private var sum: UInt64 = 0

    mutating func add(_ number: UInt32) {
      sum = (sum ^ UInt64(number)) &* 0x9E37_79B9_7F4A_7C15
      sum ^= sum >> 29
    }

    mutating func add(_ range: ByteRange) {
      add(range.offset)
      add(range.count)
    }

    mutating func add(_ section: FieldSection) {
      for field in section.fields {
        add(UInt32(field.name.rawValue))
        add(field.nameRange)
        add(field.value)
      }
    }
  }

  // MARK: - Mutations

  /// Bytes that mean something to a parser.
  static let marks = wire("\r\n\t :,;\"\\\0\u{0B}\u{7F}\u{80}\u{FF}0159aAfFgGxX/?#*[]@%+-.H_")
  static let scraps: [[UInt8]] = [
    "↵", "↵↵", "\n", "\r", "↵ ", "↵\t", " :", "chunked", "Transfer-Encoding: chunked↵",
    "Content-Length: 5↵", "Content-Length: 6↵", "Host: b↵", "Connection: close↵", "HTTP/1.0",
    "HTTP/1.1", "0↵↵", "3↵abc↵", ";a=b", "http://b", ", ", "100-continue", "Expect: 100-continue↵",
  ].map(wire)

  private func mutate(
    _ original: [UInt8], _ corpus: [[UInt8]], _ random: inout SeededRandom
  ) -> [UInt8] {
    var bytes = original
    for _ in 0...random.below(3) {
      let at = random.below(bytes.count + 1)
      switch random.below(7) {
      case 0 where at < bytes.count: bytes[at] = random.pick(Self.marks)
      case 1 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.below(8))
      case 2 where at < bytes.count:
        bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(3)))
      case 3: bytes.insert(random.pick(Self.marks), at: at)
      case 4: bytes.insert(contentsOf: random.pick(Self.scraps), at: at)
      case 5 where at < bytes.count: bytes.insert(contentsOf: bytes[at...].prefix(12), at: at)
      case 6 where random.below(4) == 0:
        let other = random.pick(corpus)
        bytes = Array(bytes[..<at] + other[random.below(other.count + 1)...])
      default: break
      }
    }
    return bytes
  }

  /// Runs rounds, each with a seed of its own, until one fails.
  private func rounds(
    _ count: Int, salt: UInt64, _ body: (inout SeededRandom) -> String?
  ) {
    for round in 0..<UInt64(count) {
      let seed = Self.seed &+ salt << 32 &+ round
      var random = SeededRandom(seed: seed)
      if let complaint = body(&random) {
        Issue.record("\(complaint); round with seed \(seed)")
        return
      }
    }
  }

  private static let limits = [
    HeadLimits.request, HeadLimits(startLine: 24, fieldLine: 24, head: 64, fields: 2),
  ]

  // MARK: - Heads

  @Test func requests() {
    let corpus = Rows.requests.map(\.bytes)
    rounds(40_000, salt: 1) { random in
      let bytes = mutate(random.pick(corpus), corpus, &random)
      let limits = Self.limits[random.below(4) == 0 ? 1 : 0]
      let buffer = ByteBuffer(bytes: bytes)
      var parser = RequestParser(limits: limits)
      let whole = outcome(&parser, buffer)
      if case .head(let head, let consumed) = whole.head, let flaw = flaw(head, consumed, bytes) {
        return "\(flaw): \(bytes)"
      }
      var pieces = RequestParser(limits: limits)
      let cut = feed(bytes, whole.outcome, &random) { outcome(&pieces, $0).outcome }
      return agree(whole.outcome, cut, bytes)
    }
  }

  @Test func responses() {
    let corpus = Rows.responses.map(\.bytes)
    rounds(25_000, salt: 2) { random in
      let bytes = mutate(random.pick(corpus), corpus, &random)
      let limits = Self.limits[random.below(4) == 0 ? 1 : 0]
      let toHead = random.below(4) == 0
      let buffer = ByteBuffer(bytes: bytes)
      var parser = ResponseParser(limits: limits)
      let whole = outcome(&parser, buffer, toHead: toHead)
      if case .head(let head, let consumed) = whole.head {
        if consumed > bytes.count { return "consumed \(consumed): \(bytes)" }
        if let flaw = flaw(head.fields, consumed, bytes) { return "\(flaw): \(bytes)" }
        if head.status < 100 || head.status > 999 { return "status \(head.status): \(bytes)" }
        let isBare = toHead || head.isInterim || head.status == 204 || head.status == 304
        if isBare, head.framing != .none { return "content: \(bytes)" }
      }
      var pieces = ResponseParser(limits: limits)
      let cut = feed(bytes, whole.outcome, &random) { outcome(&pieces, $0, toHead: toHead).outcome }
      return agree(whole.outcome, cut, bytes)
    }
  }

  private func outcome(
    _ parser: inout RequestParser, _ buffer: ByteBuffer
  ) -> (outcome: Outcome, head: ParseOutcome<RequestHead>) {
    do throws(MalformedMessage) {
      let result = try parser.parse(buffer)
      guard case .head(let head, let consumed) = result else { return (.needMore, .needMore) }
      var marks = Marks()
      marks.add(head.authority)
      marks.add(head.path)
      marks.add(head.methodRange)
      marks.add(head.keepsAlive ? 1 : 0)
      marks.add(head.expectsContinue ? 1 : 0)
      marks.add(head.asksForUpgrade ? 1 : 0)
      marks.add(head.fields)
      return (.head(consumed: consumed, framing: head.framing, marks: marks), result)
    } catch {
      return (.refused(error), .needMore)
    }
  }

  private func outcome(
    _ parser: inout ResponseParser, _ buffer: ByteBuffer, toHead: Bool
  ) -> (outcome: Outcome, head: ParseOutcome<ResponseHead>) {
    do throws(MalformedMessage) {
      let result = try parser.parse(buffer, toHead: toHead)
      guard case .head(let head, let consumed) = result else { return (.needMore, .needMore) }
      var marks = Marks()
      marks.add(UInt32(head.status))
      marks.add(head.keepsAlive ? 1 : 0)
      marks.add(UInt32(head.minorVersion))
      marks.add(head.fields)
      return (.head(consumed: consumed, framing: head.framing, marks: marks), result)
    } catch {
      return (.refused(error), .needMore)
    }
  }

  /// Feeds the bytes in random pieces until there is a verdict. One that the whole has may wait for
  /// the end of the head, so that end follows.
  private func feed(
    _ bytes: [UInt8], _ whole: Outcome, _ random: inout SeededRandom,
    _ parse: (ByteBuffer) -> Outcome
  ) -> Outcome {
    var buffer = ByteBuffer()
    var fed = 0
    let largest = random.pick([3, 20, 80, 80])
    while fed < bytes.count {
      let end = min(bytes.count, fed + 1 + random.below(largest))
      buffer.writeBytes(bytes[fed..<end])
      fed = end
      let outcome = parse(buffer)
      if outcome != .needMore { return outcome }
    }
    guard case .refused = whole else { return parse(buffer) }
    buffer.writeBytes(wire("↵↵"))
    return parse(buffer)
  }

  private func agree(_ whole: Outcome, _ cut: Outcome, _ bytes: [UInt8]) -> String? {
    whole == cut ? nil : "\(whole) in one piece, \(cut) in several: \(bytes)"
  }

  private static let notInAuthority = wire("/?#@\\, \"")

  /// Why an accepted request should not have been; nil if all is well.
  private func flaw(_ head: RequestHead, _ consumed: Int, _ bytes: [UInt8]) -> String? {
    if consumed > bytes.count { return "consumed \(consumed)" }
    if let flaw = flaw(head.fields, consumed, bytes) { return flaw }
    let fields = head.fields
    let lengths = fields.count(of: .contentLength)
    let codings = fields.count(of: .transferEncoding)
    if fields.count(of: .host) != 1, head.minorVersion > 0 { return "not one Host" }
    if lengths > 1 || lengths + codings > 1 && lengths > 0 { return "two framings" }
    switch head.framing {
    case .none: if lengths + codings > 0 { return "framing ignored" }
    case .chunked: if codings == 0 || head.minorVersion == 0 { return "chunked from nowhere" }
    case .untilClose: return "a request until close"
    case .length(let count):
      let digits = fields.first(.contentLength).map(fields.copy) ?? []
      if digits.isEmpty || !digits.allSatisfy(\.isDigit) || count < 0 { return "length" }
    }
    if head.method == .connect { return "CONNECT" }
    if fields.copy(head.path).contains(where: { $0 <= 32 || $0 >= 127 }) { return "path" }
    if fields.copy(head.authority).contains(where: Self.notInAuthority.contains) {
      return "authority"
    }
    return nil
  }

  /// Reads the lines of an accepted head in the plainest way and compares.
  private func flaw(_ section: FieldSection, _ consumed: Int, _ bytes: [UInt8]) -> String? {
    let head = Array(section.bytes.readableBytesView)
    guard head.suffix(4) == [13, 10, 13, 10] else { return "no empty line" }
    guard bytes[..<consumed].suffix(head.count) == head[...] else { return "other bytes" }
    var lines = 0
    var returns = 0
    for byte in head {
      if byte == 0 || byte == 127 { return "control character" }
      if byte == ASCII.lineFeed { lines += 1 }
      if byte == ASCII.carriageReturn { returns += 1 }
    }
    guard lines == returns else { return "bare CR or LF" }
    guard lines == section.fields.count + 2 else { return "\(lines) lines" }
    for field in section.fields {
      let name = section.copy(field.nameRange)
      let value = section.copy(field.value)
      if name.isEmpty || !name.allSatisfy(\.isToken) { return "name" }
      if let last = value.last, last.isOptionalWhitespace { return "whitespace" }
      if FieldNameTable.name(name.span) != field.name { return "known name" }
    }
    return nil
  }

  // MARK: - Content and dates

  @Test func content() {
    let corpus =
      ContentDecoderTests.chunks.map(\.bytes) + ContentDecoderTests.badChunks.map(\.bytes)
    rounds(25_000, salt: 3) { random in
      let bytes = mutate(random.pick(corpus), corpus, &random)
      let choice = random.below(8)
      let framing: MessageFraming =
        choice == 0 ? .length(random.below(9)) : choice == 1 ? .untilClose : .chunked
      let whole = decode(framing, bytes, pieces: [bytes.count])
      var pieces = [0]
      var left = bytes.count
      while left > 0 {
        pieces.append(min(left, 1 + random.below(6)))
        left -= pieces[pieces.count - 1]
      }
      // A refusal of trailers may wait for the empty line that ends them.
      let end = whole.refusal == nil ? [] : wire("↵↵")
      let cut = decode(framing, bytes + end, pieces: pieces + [end.count])
      if whole == cut { return nil }
      return "\(framing): \(whole) in one piece, \(cut) in several: \(bytes)"
    }
  }

  /// What came of some content.
  struct Decoded: Equatable {
    var content: [UInt8] = []
    var trailers: Marks?
    var left = 0
    var refusal: MalformedMessage?
    var isOpen = false
  }

  private func decode(_ framing: MessageFraming, _ bytes: [UInt8], pieces: [Int]) -> Decoded {
    var decoder = ContentDecoder(framing)
    var decoded = Decoded()
    var buffer = ByteBuffer()
    var fed = 0
    do throws(MalformedMessage) {
      for piece in pieces {
        buffer.writeBytes(bytes[fed..<(fed + piece)])
        fed += piece
        loop: while true {
          switch try decoder.next(&buffer) {
          case .needMore: break loop
          case .content(let slice): decoded.content += slice.readableBytesView
          case .end(let trailers):
            decoded.trailers = trailers.map {
              var marks = Marks()
              marks.add($0)
              return marks
            }
            decoded.left = buffer.readableBytes + bytes.count - fed
            return decoded
          }
        }
      }
      decoded.isOpen = true
    } catch {
      decoded.refusal = error
    }
    return decoded
  }

  @Test func dates() {
    let corpus = [
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
      "Thu, 29 Feb 2024 23:59:60 GMT", "Wednesday, 31-Dec-99 23:59:59 GMT",
    ].map(wire)
    rounds(60_000, salt: 4) { random in
      let bytes = mutate(random.pick(corpus), corpus, &random)
      let now = Instant(seconds: Int64(random.below(4_000_000_000)))
      guard let moment = HTTPDate.parse(bytes.span, now: now) else { return nil }
      let written = HTTPDate.bytes(moment)
      let again = HTTPDate.parse(written.span, now: now)
      return again == moment ? nil : "\(moment) is written as \(written): \(bytes)"
    }
  }

  /// Lists of anything: elements lie in order within the range, never empty, never padded.
  @Test func lists() {
    let corpus = ["a, b, \"c,d\", e;f=\"g\\\"h\"", "W/\"a\",*", ",,a,,"].map(wire)
    rounds(60_000, salt: 5) { random in
      let bytes = mutate(random.pick(corpus), corpus, &random)
      let lower = random.below(bytes.count + 1)
      let range = lower..<(lower + random.below(bytes.count - lower + 1))
      var end = range.lowerBound
      var complaint: String?
      bytes.span.forEachListElement(range) { element in
        if element.isEmpty || element.lowerBound < end || element.upperBound > range.upperBound
          || bytes[element.lowerBound].isOptionalWhitespace
          || bytes[element.upperBound - 1].isOptionalWhitespace
        {
          complaint = "\(element) in \(range): \(bytes)"
        }
        end = element.upperBound
        return complaint == nil
      }
      return complaint
    }
  }
}
