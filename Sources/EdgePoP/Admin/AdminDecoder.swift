import EdgeCache
import NIOCore
import NIOHTTP1

// The parser of NIOHTTP1 knows a closed list of methods, and PURGEKEYS is none of them. So heads and content are read by
// the parsers of the data plane, as strictly as there.

/// Takes requests to the admin API off a connection.
struct AdminDecoder: ByteToMessageDecoder {
  typealias InboundOut = HTTPServerRequestPart

  private var parser = RequestParser()
  private var content: ContentDecoder?

  mutating func decode(
    context: ChannelHandlerContext, buffer: inout ByteBuffer
  ) throws -> DecodingState {
    do throws(MalformedMessage) {
      // The end of a message may be no byte at all, for which this would not be called again.
      repeat {
        if content == nil, try decodeHead(context, &buffer) == .needMoreData {
          return .needMoreData
        }
        while try decodeContent(context, &buffer) == .continue {}
      } while content == nil
      return .needMoreData
    } catch {
      // What is answered with 400.
      throw HTTPParserError.unknown
    }
  }

  /// A request that was not complete is none.
  mutating func decodeLast(
    context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
  ) throws -> DecodingState {
    try decode(context: context, buffer: &buffer)
  }

  private mutating func decodeHead(
    _ context: ChannelHandlerContext, _ buffer: inout ByteBuffer
  ) throws(MalformedMessage) -> DecodingState {
    guard case .head(let head, let consumed) = try parser.parse(buffer) else {
      return .needMoreData
    }
    buffer.moveReaderIndex(forwardBy: consumed)
    content = ContentDecoder(head.framing)
    context.fireChannelRead(wrapInboundOut(.head(HTTPRequestHead(head))))
    return .continue
  }

  private mutating func decodeContent(
    _ context: ChannelHandlerContext, _ buffer: inout ByteBuffer
  ) throws(MalformedMessage) -> DecodingState {
    switch try content?.next(&buffer) {
    case .content(let bytes): context.fireChannelRead(wrapInboundOut(.body(bytes)))
    case .end:
      content = nil
      context.fireChannelRead(wrapInboundOut(.end(nil)))
      return .needMoreData
    case .needMore, nil: return .needMoreData
    }
    return .continue
  }
}

extension HTTPRequestHead {
  /// The same head as NIOHTTP1 has it.
  fileprivate init(_ head: RequestHead) {
    let fields = head.fields
    self.init(
      version: .init(major: 1, minor: Int(head.minorVersion)),
      method: .init(rawValue: fields.text(head.methodRange)),
      uri: head.path.isEmpty ? "/" : fields.text(head.path),
      headers: HTTPHeaders(fields.fields.map { (fields.text($0.nameRange), fields.text($0.value)) })
    )
  }
}
