import NIOCore

/// A response's head: its bytes and where everything in it lies.
public struct ResponseHead: Sendable {
  /// The field section; its bytes are those of the whole head, the status line included.
  public internal(set) var fields: FieldSection
  /// The status code, 100 to 999.
  public internal(set) var status: Int
  /// Where the reason phrase lies; may be empty.
  public internal(set) var reason: ByteRange
  /// The minor version of HTTP/1.
  public internal(set) var minorVersion: UInt8
  /// How the content is delimited.
  public internal(set) var framing: MessageFraming
  /// The length that `Content-Length` gives, also where there is no content (HEAD, 304).
  public internal(set) var contentLength: Int?
  /// True if the upstream lets the connection be used again (RFC 9112 §9.3).
  public internal(set) var keepsAlive: Bool

  /// Takes all fields with these names out, given in lower case. O(bytes).
  public mutating func removeFields(named names: [[UInt8]]) { fields.removeAll(named: names) }

  /// True for an interim response (RFC 9110 §15.2).
  public var isInterim: Bool { status < 200 }
}

/// Reads response heads off a connection (RFC 9112 §4).
public struct ResponseParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()
  /// The table of an earlier head that nobody needs any more.
  private var spare: [Field] = []

  /// A parser for one connection.
  public init(limits: HeadLimits = .response) {
    self.limits = limits
  }

  /// Takes back a head that is done with, so that the next one needs no memory of its own.
  public mutating func recycle(_ head: inout ResponseHead) {
    head.fields.bytes = ByteBuffer()
    spare = head.fields.takeTable()
  }

  /// Parses the head at the start of `buffer` without consuming it; `toHead` says that the request
  /// was HEAD, whose response has no content.
  ///
  /// Complexity: O(bytes of the head), O(new bytes) while it is incomplete.
  public mutating func parse(
    _ buffer: ByteBuffer, toHead: Bool
  ) throws(MalformedMessage) -> ParseOutcome<ResponseHead> {
    let bytes = buffer.readableBytesUInt8Span
    guard progress.isWorthParsing(bytes, limits: limits) else { return .needMore }
    let outcome = try parseHead(buffer, toHead: toHead)
    switch outcome {
    case .needMore: progress.needsMore()
    case .head: progress = HeadProgress()
    }
    return outcome
  }

  private mutating func parseHead(
    _ buffer: ByteBuffer, toHead: Bool
  ) throws(MalformedMessage) -> ParseOutcome<ResponseHead> {
    let bytes = buffer.readableBytesUInt8Span
    guard let line = try StatusLine.parse(bytes, limits: limits) else { return .needMore }
    var parsed = spare
    spare = []
    parsed.removeAll(keepingCapacity: true)
    if parsed.capacity == 0 { parsed.reserveCapacity(16) }
    let scan = try FieldParser.parse(
      bytes, from: line.end, into: &parsed, limits: limits, allowsSpaceBeforeColon: true)
    guard case .complete(let end) = scan else { return .needMore }

    let fields = FieldSection(
      bytes: buffer.getSlice(at: buffer.readerIndex, length: end) ?? ByteBuffer(), fields: parsed)
    let length = try BodyFraming.contentLength(fields)
    let framing = try BodyFraming.response(
      fields, length: length, status: line.status, minorVersion: line.minorVersion, toHead: toHead)
    var keepsAlive = line.minorVersion >= 1
    if fields.contains(.connection) {
      keepsAlive = fields.connection.keepsAlive(minorVersion: line.minorVersion)
    }
    if framing == .untilClose
      || !BodyFraming.isEmptyAsSaid(fields, status: line.status, length: length)
    {
      keepsAlive = false
    }
    return .head(
      ResponseHead(
        fields: fields, status: line.status, reason: line.reason,
        minorVersion: line.minorVersion, framing: framing,
        contentLength: length,
        keepsAlive: keepsAlive),
      consumed: end)
  }
}

/// The first line of a response, taken apart.
struct StatusLine {
  var status: Int
  var reason: ByteRange
  var minorVersion: UInt8
  /// Index of the first byte after the line.
  var end: Int

  /// Parses the line at the start of `bytes`; nil if it is incomplete. O(line).
  static func parse(
    _ bytes: Span<UInt8>, limits: HeadLimits
  ) throws(MalformedMessage) -> StatusLine? {
    let prefix: StaticString = "HTTP/1."
    let available = min(7, bytes.count)
    let matches = prefix.withUTF8Buffer { expected in
      for index in 0..<available where bytes[index] != expected[index] { return false }
      return true
    }
    guard matches else { throw .statusLine }
    // Each byte is judged once it is there: a head may end before the line has all of its parts.
    var index = 7
    while index < 12, index < bytes.count {
      let fits = index == 8 ? bytes[index] == ASCII.space : bytes[index].isDigit
      guard fits else { throw .statusLine }
      index &+= 1
    }
    // HTTP/1.1 SP 200, then SP or the end of the line: some servers leave out both SP and reason.
    guard bytes.count > 12 else { return nil }
    guard let status = bytes.decimal(9..<12), status >= 100 else { throw .statusLine }
    if bytes[index] == ASCII.space {
      index &+= 1
    } else if bytes[index] != ASCII.carriageReturn {
      throw bytes[index] == ASCII.lineFeed ? .bareLineEnd : .statusLine
    }
    let start = index
    while index < bytes.count, bytes[index].isFieldValue {
      index &+= 1
    }
    if index > limits.startLine { throw .headTooLarge }
    guard index < bytes.count else { return nil }
    guard bytes[index] == ASCII.carriageReturn else {
      throw bytes[index] == ASCII.lineFeed ? .bareLineEnd : .statusLine
    }
    guard index &+ 1 < bytes.count else { return nil }
    guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareLineEnd }
    return StatusLine(
      status: status, reason: ByteRange(offset: start, count: index &- start),
      minorVersion: bytes[7] &- ASCII.zero, end: index &+ 2)
  }
}
