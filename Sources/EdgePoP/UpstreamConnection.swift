import EdgeCache
import NIOCore
import NIOSSL

// One connection to an upstream: writes a request, reads its response, one exchange at a time.
//
// Lives on the loop of the exchange that it serves, so both call each other directly.

/// Speaks HTTP/1.1 to an upstream.
final class UpstreamConnection: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case idle
    /// The request is going out or is out, its response has not begun.
    case waiting
    /// The response's content is arriving.
    case receiving
    /// Bytes of another protocol go both ways.
    case tunnel
    case closed
  }

  /// Index of the upstream.
  let upstream: Int
  private let loop: LoopContext
  private var context: ChannelHandlerContext?
  private var exchange: Exchange?
  private var phase = Phase.idle
  private var inbound = ByteBuffer()
  private var parser = ResponseParser()
  private var decoder = ContentDecoder(.none)
  /// Whether the request is HEAD, and whether it asks for another protocol.
  private var request = (isHead: false, asksForUpgrade: false)
  /// Whether the response lets the connection be used again.
  private var keepsAlive = false
  private var requestFraming = MessageFraming.none
  private var isRequestSent = false
  private var servedBefore = false
  private var sawResponseByte = false
  /// True if the end of the connection is not the upstream's own orderly one.
  private var isBroken = false
  private var isHeld = false
  private var readIsPending = false
  private var deadline: NIODeadline?
  private var firstByte: TimeAmount = .seconds(60)

  init(loop: LoopContext, upstream: Int) {
    self.loop = loop
    self.upstream = upstream
  }

  private let outbox = Outbox()

  /// True if what is written goes out at once.
  var isWritable: Bool { outbox.isWritable }

  private func write(_ buffer: ByteBuffer) {
    outbox.send(buffer)
  }

  private func flush() {
    outbox.flush()
  }

  // MARK: The request

  /// Sends the head of a request; its content follows.
  func send(
    _ request: RequestHead, _ head: ByteBuffer, framing: MessageFraming, for exchange: Exchange,
    firstByte: TimeAmount
  ) {
    self.exchange = exchange
    self.request = (request.method == .head, request.asksForUpgrade)
    self.firstByte = firstByte
    requestFraming = framing
    isRequestSent = framing == .none
    sawResponseByte = false
    phase = .waiting
    isHeld = false
    deadline = .coarse() + firstByte
    loop.counters.upstreamRequests += 1
    write(head)
    // Content that is there already goes with it.
    if isRequestSent { flush() }
    resumeReading()
  }

  /// Sends content of the request.
  func sendContent(_ content: ByteBuffer) {
    guard content.readableBytes > 0 else { return }
    deadline = .coarse() + firstByte
    if requestFraming == .chunked {
      var head = ByteBuffer()
      head.writeHead(16) { ContentEncoder.chunkHead(content.readableBytes, to: &$0) }
      write(head)
      write(content)
      write(ByteBuffer(staticString: "\r\n"))
    } else {
      write(content)
    }
  }

  /// Sends what there is of the request so far.
  func sendPending() {
    flush()
  }

  /// The content of the request is complete.
  func sendEnd(_ trailers: FieldSection?) {
    isRequestSent = true
    if requestFraming == .chunked {
      var end = ByteBuffer()
      end.writeHead(16) { ContentEncoder.lastChunk(trailers, to: &$0) }
      write(end)
    }
    flush()
  }

  /// Sends bytes of another protocol.
  func sendTunnel(_ bytes: ByteBuffer) {
    write(bytes)
    flush()
  }

  /// Ends what is sent, behind all that was.
  func finishTunnel() {
    flush()
    context?.close(mode: .output, promise: nil)
  }

  // MARK: Flow

  /// Stops reading until ``resumeReading()``.
  func hold() {
    isHeld = true
  }

  /// Goes on reading.
  func resumeReading() {
    isHeld = false
    switch phase {
    case .receiving: deadline = .coarse() + loop.limits.betweenBytes
    case .waiting: deadline = .coarse() + firstByte
    case .idle, .tunnel, .closed: deadline = nil
    }
    if readIsPending {
      readIsPending = false
      context?.read()
    }
  }

  /// The exchange wants no more of it.
  func abandon() {
    exchange = nil
    phase = .closed
    close()
  }

  /// Closes the connection.
  func close() {
    isBroken = true
    context?.close(promise: nil)
  }

  func checkTime(_ now: NIODeadline) {
    // While nothing is read, nothing can arrive in time.
    guard let deadline, now >= deadline, !isHeld else { return }
    switch phase {
    case .waiting: fail(.firstByteTimeout)
    case .receiving: fail(.stalled)
    case .idle, .tunnel, .closed: break
    }
  }

  private func fail(_ failure: UpstreamFailure) {
    let failed = exchange
    // A connection that was kept may have been closed while the request was on its way.
    let mayRetry = failure == .closed && servedBefore && !sawResponseByte
    exchange = nil
    phase = .closed
    context?.close(promise: nil)
    failed?.upstreamFailed(failure, mayRetry: mayRetry)
  }

  // MARK: Channel events

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    outbox.attach(context)
  }

  func channelActive(context: ChannelHandlerContext) {
    if loop.shared.routing.upstreams[upstream].url.scheme == .http { outbox.connected() }
    context.fireChannelActive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    outbox.detach()
  }

  func read(context: ChannelHandlerContext) {
    if isHeld {
      readIsPending = true
    } else {
      context.read()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    loop.counters.bytesFromUpstream += UInt64(bytes.readableBytes)
    if case .tunnel = phase {
      exchange?.tunnelFromUpstream(bytes)
      return
    }
    if inbound.readableBytes == 0 {
      inbound = bytes
    } else {
      inbound.writeBuffer(&bytes)
    }
    process()
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    exchange?.upstreamReadComplete()
    context.fireChannelReadComplete()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { exchange?.upstreamIsWritable() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A TLS peer that closes without saying so: as good as a close for what frames itself, but what
    // ends with the connection may have been cut (RFC 9112 §9.8).
    isBroken = true
    if case NIOSSLError.uncleanShutdown? = error as? NIOSSLError { return }
    if error is NIOSSLError {
      // Nothing was said in plain text, so no request reached it.
      loop.health.failed(upstream, now: loop.now)
      loop.shared.logger.warning(
        "TLS with upstream",
        metadata: [
          "upstream": "\(loop.shared.routing.upstreams[upstream].url)", "reason": "\(error)",
        ])
    } else {
      loop.shared.logger.debug("upstream connection", metadata: ["error": "\(error)"])
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    outbox.detach()
    let wasPhase = phase
    phase = .closed
    switch wasPhase {
    case .receiving where !isBroken && decoder.connectionClosed():
      let ended = exchange
      exchange = nil
      ended?.upstreamEnded(nil)
    case .receiving: fail(.truncated)
    case .waiting: fail(.closed)
    case .tunnel:
      let ended = exchange
      exchange = nil
      ended?.tunnelUpstreamClosed()
    case .idle, .closed: break
    }
    loop.closed(self)
    context.fireChannelInactive()
  }

  // MARK: The response

  private func process() {
    while true {
      switch phase {
      case .waiting:
        guard readHead() else { return }
      case .receiving:
        guard readContent() else { return }
      case .idle:
        // Bytes that nobody asked for: what they would answer is anybody's guess.
        if inbound.readableBytes > 0 { close() }
        return
      case .tunnel:
        if inbound.readableBytes > 0 {
          let rest = inbound
          inbound = ByteBuffer()
          exchange?.tunnelFromUpstream(rest)
        }
        return
      case .closed: return
      }
    }
  }

  /// Reads a head; true if there may be more to do.
  private func readHead() -> Bool {
    guard inbound.readableBytes > 0 else { return false }
    sawResponseByte = true
    do throws(MalformedMessage) {
      guard
        case .head(let head, let consumed) = try parser.parse(
          inbound, toHead: request.isHead)
      else { return false }
      inbound.moveReaderIndex(forwardBy: consumed)
      deadline = .coarse() + firstByte
      if head.status == 101 {
        guard request.asksForUpgrade else { throw .statusLine }
        phase = .tunnel
        deadline = nil
        exchange?.upstreamUpgraded(head)
      } else if head.isInterim {
        exchange?.upstreamInterim(head)
      } else {
        phase = .receiving
        keepsAlive = head.keepsAlive
        decoder = ContentDecoder(head.framing)
        deadline = .coarse() + loop.limits.betweenBytes
        exchange?.upstreamHead(head)
      }
      return true
    } catch {
      malformed(error)
      return false
    }
  }

  private func malformed(_ error: MalformedMessage) {
    loop.shared.logger.warning(
      "malformed response",
      metadata: [
        "upstream": "\(loop.shared.routing.upstreams[upstream].url)", "reason": "\(error.reason)",
      ])
    fail(.malformed)
  }

  /// Reads content; true if there may be more to do.
  private func readContent() -> Bool {
    do throws(MalformedMessage) {
      switch try decoder.next(&inbound) {
      case .needMore: return false
      case .content(let content):
        if !isHeld { deadline = .coarse() + loop.limits.betweenBytes }
        exchange?.upstreamContent(content)
        return true
      case .end(let trailers):
        finish(trailers)
        return true
      }
    } catch {
      malformed(error)
      return false
    }
  }

  private func finish(_ trailers: FieldSection?) {
    let ended = exchange
    // Servers that refuse an upgrade may still have stopped reading requests, in expectation of the
    // other protocol; it shows only when the next request is not answered.
    let askedForUpgrade = request.asksForUpgrade
    exchange = nil
    deadline = nil
    isHeld = false
    servedBefore = true
    // What the client still sends of its request has no place on a connection that is used again.
    let isReusable =
      keepsAlive && isRequestSent && !askedForUpgrade && inbound.readableBytes == 0
    phase = isReusable ? .idle : .closed
    ended?.upstreamEnded(trailers)
    if isReusable {
      resumeReading()
      loop.release(self)
    } else {
      close()
    }
  }
}
