import NIOCore

// Takes the content of one message off a connection (RFC 9112 §6 and §7.1), without copying it, but for small chunks: of
// those that have come together one piece of content is made, since each piece costs as much as a large one.

/// What the next bytes of a message's content are.
public enum ContentEvent {
  /// The bytes that are there do not make up anything yet.
  case needMore
  /// Some content; never empty.
  case content(ByteBuffer)
  /// The content is complete; trailer fields, if any came.
  case end(FieldSection?)
}

/// Decodes content that is delimited in one of the ways of ``MessageFraming``.
public struct ContentDecoder: Sendable {
  private enum State: Sendable {
    case length(remaining: Int)
    case untilClose
    case chunkSize
    case chunk(remaining: Int)
    case chunkEnd
    case trailers
    case done
  }

  /// Longest line of a chunk's size with its extensions, in bytes.
  static let chunkLineLimit = 256
  /// Most bytes that extensions of all chunks of a message may take together: they carry nothing
  /// anybody uses, and are a way to make a proxy work for nothing.
  static let extensionLimit = 16 << 10

  private var state: State
  private var extensionBytes = 0
  private var trailerProgress = HeadProgress(hasStartLine: false)

  /// A decoder for the content of one message.
  public init(_ framing: MessageFraming) {
    switch framing {
    case .none: state = .length(remaining: 0)
    case .length(let count): state = .length(remaining: count)
    case .chunked: state = .chunkSize
    case .untilClose: state = .untilClose
    }
  }

  /// True once ``ContentEvent/end(_:)`` was returned.
  public var isDone: Bool {
    if case .done = state { return true }
    return false
  }

  /// Takes the next piece of content off the front of `buffer`.
  ///
  /// Complexity: O(framing bytes); content is a slice. Throws when the chunked coding is violated.
  public mutating func next(_ buffer: inout ByteBuffer) throws(MalformedMessage) -> ContentEvent {
    while true {
      switch state {
      case .length(let remaining):
        if remaining == 0 {
          state = .done
          return .end(nil)
        }
        guard let content = Self.take(remaining, &buffer) else { return .needMore }
        state = .length(remaining: remaining &- content.readableBytes)
        return .content(content)
      case .untilClose:
        guard let content = Self.take(.max, &buffer) else { return .needMore }
        return .content(content)
      case .chunkSize:
        guard let size = try readChunkSize(&buffer) else { return .needMore }
        state = size == 0 ? .trailers : .chunk(remaining: size)
      case .chunk(let remaining):
        guard let content = Self.take(remaining, &buffer) else { return .needMore }
        let left = remaining &- content.readableBytes
        state = left == 0 ? .chunkEnd : .chunk(remaining: left)
        if left == 0, content.readableBytes < Self.small, buffer.readableBytes > Self.leastChunk {
          return .content(gather(content, &buffer))
        }
        return .content(content)
      case .chunkEnd:
        guard try Self.isLineEnd(buffer.readableBytesUInt8Span) else { return .needMore }
        buffer.moveReaderIndex(forwardBy: 2)
        state = .chunkSize
      case .trailers:
        guard let trailers = try readTrailers(&buffer) else { return .needMore }
        state = .done
        return .end(trailers.fields.isEmpty ? nil : trailers)
      case .done:
        return .end(nil)
      }
    }
  }

  /// A chunk of fewer bytes is copied to those before it, if it has come with them.
  private static let small = 2048
  /// Bytes of the end of a chunk and a whole one of one byte.
  private static let leastChunk = 8
  /// Most bytes that are gathered at once.
  private static let mostGathered = 32 << 10

  /// A small chunk and those behind it, as far as they are small, here and like others. Whatever is wrong with one
  /// is left to the next call. O(bytes).
  private mutating func gather(_ first: ByteBuffer, _ buffer: inout ByteBuffer) -> ByteBuffer {
    var gathered: ByteBuffer?
    var count = first.readableBytes
    while count < Self.mostGathered {
      guard let next = Self.nextSmall(buffer.readableBytesUInt8Span),
        let content = buffer.getSlice(at: buffer.readerIndex &+ next.begin, length: next.here)
      else { break }
      if gathered == nil {
        var all = ByteBufferAllocator().buffer(
          capacity: min(Self.mostGathered &+ Self.small, count &+ buffer.readableBytes))
        all.writeImmutableBuffer(first)
        gathered = all
      }
      gathered?.writeImmutableBuffer(content)
      count &+= next.here
      buffer.moveReaderIndex(forwardBy: next.begin &+ next.here)
      if next.here < next.size {
        state = .chunk(remaining: next.size &- next.here)
        break
      }
    }
    return gathered ?? first
  }

  /// The chunk behind the end of another one, if it is small: where its content begins, how much of that is here, and
  /// its size.
  private static func nextSmall(_ bytes: Span<UInt8>) -> (begin: Int, here: Int, size: Int)? {
    guard bytes.count > 2, bytes[0] == ASCII.carriageReturn, bytes[1] == ASCII.lineFeed,
      let line = (try? chunkLine(bytes.extracting(droppingFirst: 2))) ?? nil,
      line.size > 0, line.extensions == 0
    else { return nil }
    let begin = 2 &+ line.count
    let here = min(line.size, bytes.count &- begin)
    return here > 0 && here < small ? (begin, here, line.size) : nil
  }

  /// Tells that the peer closed the connection; true if that completes the content
  /// (RFC 9112 §8: anything else is an incomplete message).
  public mutating func connectionClosed() -> Bool {
    switch state {
    case .untilClose:
      state = .done
      return true
    case .done:
      return true
    case .length(let remaining):
      return remaining == 0
    case .chunkSize, .chunk, .chunkEnd, .trailers:
      return false
    }
  }

  private static func take(_ most: Int, _ buffer: inout ByteBuffer) -> ByteBuffer? {
    let count = min(most, buffer.readableBytes)
    return count == 0 ? nil : buffer.readSlice(length: count)
  }

  /// True if CR LF comes first, false if it may still come.
  private static func isLineEnd(_ bytes: Span<UInt8>) throws(MalformedMessage) -> Bool {
    if bytes.count >= 1, bytes[0] != ASCII.carriageReturn { throw .chunkEnd }
    guard bytes.count >= 2 else { return false }
    guard bytes[1] == ASCII.lineFeed else { throw .chunkEnd }
    return true
  }

  /// Reads `chunk-size [ chunk-ext ] CRLF`; nil if the line is incomplete.
  private mutating func readChunkSize(
    _ buffer: inout ByteBuffer
  ) throws(MalformedMessage) -> Int? {
    guard let line = try Self.chunkLine(buffer.readableBytesUInt8Span) else { return nil }
    extensionBytes &+= line.extensions
    if extensionBytes > Self.extensionLimit { throw .chunkExtensionTooLong }
    buffer.moveReaderIndex(forwardBy: line.count)
    return line.size
  }

  private struct ChunkLine {
    var size: Int
    var extensions: Int
    var count: Int
  }

  private static func chunkLine(_ bytes: Span<UInt8>) throws(MalformedMessage) -> ChunkLine? {
    var index = 0
    var size = 0
    while index < bytes.count, let digit = bytes[index].hexValue {
      // 15 digits are 2^60 and cannot overflow.
      if index == 15 { throw .chunkSize }
      size = size << 4 | Int(digit)
      index &+= 1
    }
    guard index < bytes.count else { return nil }
    if index == 0 { throw .chunkSize }
    let digits = index
    try skipExtensions(bytes, &index)
    guard index &+ 1 < bytes.count else { return nil }
    guard bytes[index &+ 1] == ASCII.lineFeed else {
      throw digits == index ? .chunkSize : .chunkExtension
    }
    return ChunkLine(size: size, extensions: index &- digits, count: index &+ 2)
  }

  /// Moves past `*( BWS ";" ... )` (RFC 9112 §7.1.1); the content of extensions is ignored, but a
  /// line end hidden in one is refused.
  private static func skipExtensions(
    _ bytes: Span<UInt8>, _ index: inout Int
  ) throws(MalformedMessage) {
    let start = index
    var sawSemicolon = false
    while index < bytes.count, bytes[index] != ASCII.carriageReturn {
      let byte = bytes[index]
      guard byte.isFieldValue else { throw .chunkExtension }
      if byte == ASCII.semicolon { sawSemicolon = true }
      if !sawSemicolon, !byte.isOptionalWhitespace { throw .chunkSize }
      index &+= 1
      if index &- start > chunkLineLimit { throw .chunkExtensionTooLong }
    }
    if index < bytes.count, index > start, !sawSemicolon { throw .chunkSize }
  }

  private mutating func readTrailers(
    _ buffer: inout ByteBuffer
  ) throws(MalformedMessage) -> FieldSection? {
    let limits = HeadLimits.trailers
    guard trailerProgress.isWorthParsing(buffer.readableBytesUInt8Span, limits: limits) else {
      return nil
    }
    var fields: [Field] = []
    let scan = try FieldParser.parse(
      buffer.readableBytesUInt8Span, from: 0, into: &fields, limits: limits,
      allowsSpaceBeforeColon: false)
    guard case .complete(let end) = scan, let bytes = buffer.readSlice(length: end) else {
      trailerProgress.needsMore()
      return nil
    }
    return FieldSection(bytes: bytes, fields: fields)
  }
}
