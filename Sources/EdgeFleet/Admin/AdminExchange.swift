// Requests and replies on one connection to an admin API.
//
// Invariant: everything here is touched on the event loop of the connection alone.

import NIOCore
import NIOHTTP1

/// A whole reply.
struct AdminReply: Sendable {
  let status: Int
  let body: [UInt8]
  let isKeptAlive: Bool
}

/// Sends one request after the other and gathers the replies.
final class AdminExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  static let endedEarly = AdminClientError.connectionLost(
    reason: "closed before the reply was complete")

  private var context: ChannelHandlerContext?
  private var promise: EventLoopPromise<AdminReply>?
  private var status = 0
  private var isKeptAlive = false
  private var content: [UInt8] = []

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func begin(_ head: HTTPRequestHead, _ body: ByteBuffer, _ promise: EventLoopPromise<AdminReply>) {
    guard let context, context.channel.isActive else { return promise.fail(Self.endedEarly) }
    self.promise = promise
    (status, isKeptAlive, content) = (0, false, [])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if body.readableBytes > 0 {
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      // An interim response is not what was asked for.
      if head.status.code < 200 { return }
      status = Int(head.status.code)
      isKeptAlive = head.isKeepAlive
    case .body(let part):
      guard content.count + part.readableBytes <= AdminClient.largestReply else {
        return fail(.badReply(reason: "it is too large"))
      }
      content.append(contentsOf: part.readableBytesView)
    case .end:
      let done = promise
      promise = nil
      done?.succeed(AdminReply(status: status, body: content, isKeptAlive: isKeptAlive))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    // The parser's word for an end in the middle of a reply: a PoP that stopped, not a stranger.
    case HTTPParserError.invalidEOFState: fail(Self.endedEarly)
    case is HTTPParserError: fail(.badReply(reason: "it is not HTTP"))
    default: fail(.connectionLost(reason: plainReason(error)))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(Self.endedEarly)
  }

  private func fail(_ error: AdminClientError) {
    let failed = promise
    promise = nil
    failed?.fail(error)
  }
}
