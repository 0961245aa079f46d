// One keep-alive connection under load: a single handler on ByteBuffers over the core's response
// parser, one request at a time. It stays the same through reconnects, so that the number of
// connections is what was asked for.
//
// Invariant: between `send` and exactly one of `complete`, `fail` there is one request under way,
// and only then may the connection be handed back to its loop.

import EdgeCache
import NIOCore
import NIOPosix

/// A connection of the load generator; lives on its loop's event loop.
final class LoadConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case disconnected
    case connecting
    case idle
    case awaitingHead
    case readingContent(ContentDecoder, status: Int, outcome: CacheOutcome, keepsAlive: Bool)
    case finished
  }

  private struct Request {
    var path: Int
    /// When it was due; latency counts from here.
    var intended: NIODeadline
    var deadline: NIODeadline
    var isRetry: Bool
  }

  private let loop: LoadLoop
  private let target: Int
  private var state = State.disconnected
  private var context: ChannelHandlerContext?
  private var request: Request?
  private var parser = ResponseParser()
  private var received = ByteBuffer()
  /// Responses on the present connection: zero means that a close is no keep-alive race.
  private var responses = 0
  private var sawBytes = false
  /// Whether the first attempt to connect has ended; the loop's clock starts when all have.
  var isSettled = false

  /// A connection to a target, given by its index in the plan.
  init(loop: LoadLoop, target: Int) {
    (self.loop, self.target) = (loop, target)
  }

  // MARK: For the loop

  /// Connects; the loop is told once it has worked or not.
  func connect() {
    if case .finished = state { return }
    state = .connecting
    let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
    let place = loop.plan.targets[target]
    ClientBootstrap(group: loop.eventLoop)
      .connectTimeout(.nanoseconds(loop.plan.timeout.nanoseconds))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      // One read per wake-up: a response is mostly there whole, and a second read finds nothing.
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(
        .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 * 1024)
      )
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(bound.value)
        }
      }
      .connect(host: place.host, port: place.port)
      .assumeIsolated()
      .whenFailure { _ in self.connectFailed() }
  }

  /// Sends a request that was due at `intended`. Only for an idle connection.
  func send(path: Int, intended: NIODeadline, now: NIODeadline, isRetry: Bool = false) {
    guard let context else { return }
    request = Request(
      path: path, intended: intended,
      deadline: now + .nanoseconds(loop.plan.timeout.nanoseconds), isRetry: isRetry)
    state = .awaitingHead
    sawBytes = false
    context.writeAndFlush(
      wrapOutboundOut(loop.requests.request(target: target, path: path)), promise: nil)
  }

  /// Fails the request under way if its time is up; connecting has a timeout of its own.
  func checkDeadline(_ now: NIODeadline) {
    guard let request, request.deadline <= now else { return }
    switch state {
    case .awaitingHead, .readingContent: fail(.timeout)
    case .disconnected, .connecting, .idle, .finished: break
    }
  }

  /// Whether nothing is under way to connect it.
  var isDisconnected: Bool {
    if case .disconnected = state { true } else { false }
  }

  /// Ends an idle connection.
  func finish() {
    state = .finished
    let context = self.context
    self.context = nil
    context?.close(promise: nil)
  }

  // MARK: Channel events

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
  }

  func channelActive(context: ChannelHandlerContext) {
    (responses, parser) = (0, ResponseParser())
    state = .idle
    if let request {
      send(path: request.path, intended: request.intended, now: .now(), isRetry: true)
    } else {
      loop.connected(self)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard context === self.context else { return }
    var bytes = unwrapInboundIn(data)
    loop.tally.bytes += bytes.readableBytes
    if received.readableBytes == 0 {
      received = bytes
    } else {
      received.writeBuffer(&bytes)
    }
    // Let go of the second reference, or taking content off `received` would copy it.
    bytes = ByteBuffer()
    sawBytes = true
    do {
      try advance()
    } catch {
      fail(.malformed)
    }
    // Likewise, so that the channel can use the same memory for its next read.
    if received.readableBytes == 0 { received = ByteBuffer() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    guard context === self.context else { return }
    self.context = nil
    switch state {
    case .readingContent(var decoder, let status, let outcome, _):
      if decoder.connectionClosed() {
        complete(status: status, outcome: outcome, keepsAlive: false)
      } else {
        fail(.truncated)
      }
    case .awaitingHead:
      if !sawBytes, responses > 0, let request, !request.isRetry {
        // The peer's idle timeout met our request: RFC 9112 §9.3.1 lets us try once more.
        reconnect()
      } else {
        fail(sawBytes ? .truncated : .closed)
      }
    case .idle:
      loop.withdraw(self)
      reconnect()
    case .connecting, .disconnected, .finished: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)  // channelInactive then says what that means.
  }

  // MARK: Responses

  private func advance() throws(MalformedMessage) {
    while true {
      switch state {
      case .awaitingHead:
        guard case .head(let head, let consumed) = try parser.parse(received, toHead: false)
        else { return }
        received.moveReaderIndex(forwardBy: consumed)
        if head.isInterim { continue }
        state = .readingContent(
          ContentDecoder(head.framing), status: head.status, outcome: CacheOutcome(head.fields),
          keepsAlive: head.keepsAlive)
      case .readingContent(var decoder, let status, let outcome, let keepsAlive):
        reading: while true {
          switch try decoder.next(&received) {
          case .content: continue
          case .needMore: break reading
          case .end:
            return complete(status: status, outcome: outcome, keepsAlive: keepsAlive)
          }
        }
        state = .readingContent(
          decoder, status: status, outcome: outcome, keepsAlive: keepsAlive)
        return
      case .idle, .connecting, .disconnected, .finished:
        if received.readableBytes > 0 { throw .statusLine }  // Bytes that nobody asked for.
        return
      }
    }
  }

  private func complete(status: Int, outcome: CacheOutcome, keepsAlive: Bool) {
    guard let request else { return }
    let now = NIODeadline.now()
    self.request = nil
    responses += 1
    let latency = (now - request.intended).nanoseconds
    loop.tally.record(status: status, outcome: outcome, nanoseconds: latency)
    loop.responded(at: now)
    state = .idle
    if received.readableBytes > 0 {
      loop.tally.record(.malformed)  // More than the framing announced: cannot be trusted further.
      reconnect()
    } else if keepsAlive {
      loop.ready(self, now: now)
    } else {
      reconnect()
    }
  }

  private func fail(_ error: LoadError) {
    loop.tally.record(error)
    request = nil
    reconnect()
  }

  private func reconnect() {
    drop()
    loop.tally.reconnects += 1
    if request != nil || loop.wantsMore(.now()) {
      connect()
    } else {
      state = .finished
      loop.finished(self)
    }
  }

  private func connectFailed() {
    drop()
    request = nil
    loop.tally.record(.connect)
    loop.connectFailed(self)
  }

  private func drop() {
    state = .disconnected
    received = ByteBuffer()
    let context = self.context
    self.context = nil
    context?.close(promise: nil)
  }
}
