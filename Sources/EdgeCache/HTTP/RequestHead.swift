import NIOCore

/// The form in which a request target arrived (RFC 9112 §3.2).
public enum TargetForm: Sendable, Hashable {
  case origin, absolute, asterisk
}

/// A request's head: its bytes and where everything in it lies.
public struct RequestHead: Sendable {
  /// The field section; its bytes are those of the whole head, the request line included.
  public internal(set) var fields: FieldSection
  /// The method, as far as methods are told apart.
  public internal(set) var method: Method
  /// Where the method's bytes lie.
  public internal(set) var methodRange: ByteRange
  /// The form of the target.
  public internal(set) var form: TargetForm
  /// Where host and optional port lie: from an absolute-form target, else from `Host`; empty only
  /// in an HTTP/1.0 request without one.
  public internal(set) var authority: ByteRange
  /// What is known of ``authority``.
  var authorityShape: Authority.Shape
  /// Where path and query lie; `*` in asterisk form. Empty or starting with `?` when an
  /// absolute-form target has no path, which then is `/` (RFC 9110 §4.2.3).
  public internal(set) var path: ByteRange
  /// The minor version of HTTP/1.
  public internal(set) var minorVersion: UInt8
  /// How the content is delimited.
  public internal(set) var framing: MessageFraming
  /// True if the client lets the connection be used again (RFC 9112 §9.3).
  public internal(set) var keepsAlive: Bool
  /// True if the client waits for 100 (Continue) before it sends content (RFC 9110 §10.1.1).
  public internal(set) var expectsContinue: Bool
  /// True if the client asks to change to WebSocket (RFC 9110 §7.8, RFC 6455 §4.1).
  ///
  /// Other protocols are not offered: `h2c` would carry requests through that no rule here has
  /// seen. Such a request is answered as if it had not asked, which §7.8 allows.
  public internal(set) var asksForUpgrade: Bool

  /// This head with memory of its own: to be kept when what was read goes. O(bytes of the head).
  public borrowing func detached() -> RequestHead {
    RequestHead(
      fields: fields.detached(), method: method, methodRange: methodRange, form: form,
      authority: authority, authorityShape: authorityShape, path: path,
      minorVersion: minorVersion, framing: framing,
      keepsAlive: keepsAlive, expectsContinue: expectsContinue, asksForUpgrade: asksForUpgrade)
  }

  /// The authority in its parts. O(1).
  @inline(__always)
  var parsedAuthority: Authority { Authority(authorityShape, at: Int(authority.offset)) }

  /// True if the client sends content, of which there may turn out to be none.
  public var hasContent: Bool { framing != .none && framing != .length(0) }

  /// True if the client has something that it asks about (RFC 9110 §13.1.2, §13.1.3). O(fields).
  public var isConditional: Bool {
    fields.contains(.ifNoneMatch) || fields.contains(.ifModifiedSince)
  }
}

/// How the content of a message is delimited (RFC 9112 §6).
public enum MessageFraming: Sendable, Hashable {
  /// There is no content.
  case none
  /// Exactly that many bytes.
  case length(Int)
  /// The chunked transfer coding.
  case chunked
  /// Everything up to the end of the connection; responses only.
  case untilClose
}

/// What a parser found at the start of some bytes.
public enum ParseOutcome<Head> {
  /// The head is not complete yet.
  case needMore
  /// A head of that many bytes, leading empty lines included.
  case head(Head, consumed: Int)
}

extension ParseOutcome: Sendable where Head: Sendable {}

/// Reads request heads off a connection (RFC 9112 §3, RFC 9110 §7).
public struct RequestParser: Sendable {
  private let limits: HeadLimits
  private var progress = HeadProgress()
  /// The table of an earlier head that nobody needs any more.
  private var spare: [Field] = []
  private var lastHost = LastHost()

  /// A parser for one connection.
  public init(limits: HeadLimits = .request) {
    self.limits = limits
  }

  /// Takes back a head that is done with, so that the next one needs no memory of its own.
  public mutating func recycle(_ head: inout RequestHead) {
    head.fields.bytes = ByteBuffer()
    spare = head.fields.takeTable()
  }

  /// Parses the head at the start of `buffer` without consuming it.
  ///
  /// Complexity: O(bytes of the head), O(new bytes) while it is incomplete.
  /// Throws ``MalformedMessage`` when no continuation could make an acceptable request.
  public mutating func parse(
    _ buffer: ByteBuffer
  ) throws(MalformedMessage) -> ParseOutcome<RequestHead> {
    let bytes = buffer.readableBytesUInt8Span
    guard progress.isWorthParsing(bytes, limits: limits) else { return .needMore }
    let outcome = try parseHead(buffer)
    switch outcome {
    case .needMore: progress.needsMore()
    case .head: progress = HeadProgress()
    }
    return outcome
  }

  private mutating func parseHead(
    _ buffer: ByteBuffer
  ) throws(MalformedMessage) -> ParseOutcome<RequestHead> {
    let all = buffer.readableBytesUInt8Span
    // RFC 9112 §2.2: at least one empty line before the request line is ignored.
    var skipped = 0
    while skipped < 4, skipped &+ 1 < all.count, all[skipped] == ASCII.carriageReturn,
      all[skipped &+ 1] == ASCII.lineFeed
    {
      skipped &+= 2
    }
    let bytes = all.extracting(droppingFirst: skipped)

    guard let line = try RequestLine.parse(bytes, limits: limits) else { return .needMore }

    var fields = spare
    spare = []
    fields.removeAll(keepingCapacity: true)
    if fields.capacity == 0 { fields.reserveCapacity(24) }
    let scan = try FieldParser.parse(
      bytes, from: line.end, into: &fields, limits: limits, allowsSpaceBeforeColon: false)
    guard case .complete(let end) = scan else { return .needMore }

    let method = Method(bytes.extracting(line.method))
    let target = try RequestTarget.resolve(
      bytes, target: line.target, fields: fields, method: method, minorVersion: line.minorVersion,
      last: &lastHost)
    let section = FieldSection(
      bytes: buffer.getSlice(at: buffer.readerIndex &+ skipped, length: end) ?? ByteBuffer(),
      fields: fields)
    let framing = try BodyFraming.request(section, minorVersion: line.minorVersion)
    let options = try ConnectionOptions.read(section, line.minorVersion, framing)
    let head = RequestHead(
      fields: section,
      method: method,
      methodRange: ByteRange(offset: line.method.lowerBound, count: line.method.count),
      form: target.form, authority: target.authority,
      authorityShape: target.shape, path: target.path,
      minorVersion: line.minorVersion, framing: framing, keepsAlive: options.keepsAlive,
      expectsContinue: options.expectsContinue, asksForUpgrade: options.asksForUpgrade)
    return .head(head, consumed: skipped &+ end)
  }
}

/// What a request says about the connection: `Connection`, `Expect` and `Upgrade` (RFC 9112 §9,
/// RFC 9110 §7.8 and §10.1.1).
private struct ConnectionOptions {
  var keepsAlive: Bool
  var expectsContinue = false
  var asksForUpgrade = false

  static func read(
    _ fields: FieldSection, _ minorVersion: UInt8, _ framing: MessageFraming
  ) throws(MalformedMessage) -> ConnectionOptions {
    var options = ConnectionOptions(keepsAlive: minorVersion >= 1)
    if fields.contains(.connection) { options.read(fields.connection, fields, minorVersion) }
    if minorVersion >= 1, fields.contains(.expect) {
      var known = false
      var unknown = false
      fields.forEachElement(of: .expect) { span, range in
        known = true
        unknown = !span.extracting(range).equalsIgnoringCase("100-continue")
        return !unknown
      }
      if unknown { throw .expectation }
      options.expectsContinue = known && framing != .none && framing != .length(0)
    }
    return options
  }

  private mutating func read(
    _ connection: ConnectionField, _ fields: FieldSection, _ minorVersion: UInt8
  ) {
    keepsAlive = connection.keepsAlive(minorVersion: minorVersion)
    asksForUpgrade =
      connection.contains(.upgrade) && minorVersion >= 1
      && fields.hasElement(.upgrade, "websocket")
  }
}

/// The first line of a request, taken apart.
struct RequestLine {
  var method: Range<Int>
  var target: Range<Int>
  var minorVersion: UInt8
  /// Index of the first byte after the line.
  var end: Int

  /// Parses the line at the start of `bytes`; nil if it is incomplete. O(line).
  static func parse(
    _ bytes: Span<UInt8>, limits: HeadLimits
  ) throws(MalformedMessage) -> RequestLine? {
    let end = bytes.count
    var index = 0
    index = HeadScanner.endOfToken(bytes, from: index)
    if index > limits.startLine { throw .targetTooLong }
    guard index < end else { return nil }
    if index == 0, bytes[0] == ASCII.carriageReturn, end == 1 { return nil }
    guard bytes[index] == ASCII.space, index > 0 else { throw .method }
    let method = 0..<index

    index &+= 1
    let targetStart = index
    index = HeadScanner.endOfTarget(bytes, from: index)
    if index > limits.startLine { throw .targetTooLong }
    guard index < end else { return nil }
    guard index > targetStart else { throw .requestLine }
    guard bytes[index] == ASCII.space else {
      let isLineEnd = bytes[index] == ASCII.carriageReturn || bytes[index] == ASCII.lineFeed
      throw isLineEnd ? .requestLine : .target
    }
    let target = targetStart..<index

    index &+= 1
    let name: StaticString = "HTTP/"
    let available = min(5, end &- index)
    let matches = name.withUTF8Buffer { expected in
      for offset in 0..<available where bytes[index &+ offset] != expected[offset] { return false }
      return true
    }
    guard matches else { throw .version }
    guard end &- index >= 8 else { return nil }
    let major = bytes[index &+ 5]
    let minor = bytes[index &+ 7]
    guard major.isDigit, bytes[index &+ 6] == ASCII.dot, minor.isDigit else { throw .version }
    guard major == ASCII.zero &+ 1 else { throw .unsupportedVersion }
    index &+= 8
    guard index < end else { return nil }
    guard bytes[index] == ASCII.carriageReturn else {
      throw bytes[index] == ASCII.lineFeed ? .bareLineEnd : .requestLine
    }
    guard index &+ 1 < end else { return nil }
    guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareLineEnd }
    return RequestLine(
      method: method, target: target, minorVersion: minor &- ASCII.zero, end: index &+ 2)
  }
}
