import EdgeCache
import EdgeSocket
import NIOCore
import NIOSSL

// One connection to an upstream: writes a request, reads its response, one exchange at a time.
//
// Lives on the loop of the exchange that it serves, so both call each other directly. Its limits of time are in
// UpstreamConnection+Time.

/// Speaks HTTP/1.1 to an upstream.
final class UpstreamConnection: StreamSocket {
  enum Phase {
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
  let loop: LoopContext
  var exchange: Exchange?
  var phase = Phase.idle
  private var parser = ResponseParser()
  private var decoder = ContentDecoder(.none)
  /// Whether the request is HEAD, and whether it asks for another protocol.
  private var request = (isHead: false, asksForUpgrade: false)
  /// Whether the response lets the connection be used again.
  private var keepsAlive = false
  private var requestFraming = MessageFraming.none
  var isRequestSent = false
  private var servedBefore = false
  private var sawResponseByte = false
  /// True once the upstream may know a client by this connection: nobody else ever gets it.
  private var isBound = false
  /// True if a request may be sent again on another connection, where this one had been idle and is closed.
  private var mayRepeat = true
  /// Those of its client, once there was a complete response on it.
  private weak var owner: BoundConnections?
  /// True if the end of the connection is not the upstream's own orderly one.
  private var isBroken = false
  /// True while nothing is read.
  private(set) var isHeld = false
  /// True once it has changed its protocol: then it has no place among the others any more.
  var isTunnel = false
  /// When the head of the response is due, or the next byte of its content. Moved by the request's own content and by
  /// bytes of content: an interim response is no progress, or an upstream that sends one now and then would be waited
  /// for without end.
  var deadline: NIODeadline?
  /// When the whole response is due.
  var responseUntil = NIODeadline.distantFuture
  /// How long the next byte of the response is waited for.
  var betweenBytes = TimeAmount.zero
  /// When those who wait for the same response are told, and of what; nil if nobody is, or all have been told.
  var patience: (until: NIODeadline, Impatience)?
  /// Bytes of content that came since a moment.
  var rate = (since: NIODeadline.uptimeNanoseconds(0), bytes: 0)
  /// True if the response is a stream of events.
  var isEventStream = false
  /// Bytes of the response's content that came.
  var received = 0
  /// True if nothing was read at some time since that was asked last.
  var wasHeld = false
  /// How fast the response is taken while nothing is read for that.
  var pace = ReadingPace()
  /// When the request was sent.
  var requestedAt = NIODeadline.uptimeNanoseconds(0)

  /// What those are told who wait for a response that takes long.
  enum Impatience {
    /// Who does not know that it may share the response had better ask for itself.
    case mayLeave
    /// It is overdue.
    case overdue
  }

  /// A connection that was made, in TLS with a filter.
  init(_ descriptor: CInt, loop: LoopContext, upstream: Int, filter: (any StreamFilter)?) {
    self.loop = loop
    self.upstream = upstream
    super.init(descriptor, reactor: loop.reactor)
    self.filter = filter
    start()
  }

  // MARK: The request

  /// Sends the head of a request, which `write` writes; its content follows. `isShared` if others may wait for its
  /// response, or something stale may be sent in its place.
  func send(
    _ request: borrowing RequestHead, for exchange: Exchange, isShared: Bool,
    _ write: (inout HeadBuffer) -> MessageFraming
  ) {
    self.exchange = exchange
    self.request = (request.method == .head, request.asksForUpgrade)
    requestFraming = composeHead(512, write)
    isRequestSent = requestFraming == .none
    sawResponseByte = false
    mayRepeat = !isBound
    if request.fields.hasConnectionCredentials { isBound = true }
    phase = .waiting
    isHeld = false
    let (now, limits) = (NIODeadline.coarse(), exchange.limits)
    deadline = now + limits.firstByte
    responseUntil = now + limits.response
    patience =
      !isShared
      ? nil
      : limits.collapse < limits.overdue
        ? (now + limits.collapse, .mayLeave) : (now + limits.overdue, .overdue)
    requestedAt = now
    loop.counters.upstreamRequests += 1
    // Content that is there already goes with it.
    if isRequestSent { flush() }
    setReading(true)
  }

  /// Sends content of the request.
  func sendContent(_ content: ByteBuffer) {
    guard content.readableBytes > 0 else { return }
    requestMoved()
    if requestFraming == .chunked {
      composeHead(16) { ContentEncoder.chunkHead(content.readableBytes, to: &$0) }
      send(content)
      composeHead(16) { ContentEncoder.chunkEnd(to: &$0) }
    } else {
      send(content)
    }
  }

  /// Sends what there is of the request so far.
  func sendPending() {
    flush()
  }

  /// The content of the request is complete.
  func sendEnd(_ trailers: FieldSection?) {
    if isRequestSent { return }
    isRequestSent = true
    requestMoved()
    if requestFraming == .chunked {
      composeHead { ContentEncoder.lastChunk(trailers, to: &$0) }
    }
    flush()
  }

  /// Sends bytes of another protocol.
  func sendTunnel(_ bytes: ByteBuffer) {
    send(bytes)
    flush()
  }

  /// Ends what is sent, behind all that was.
  func finishTunnel() {
    endOutput()
  }

  // MARK: Flow

  /// Stops reading until ``resumeReading()``.
  func hold() {
    isHeld = true
    wasHeld = true
    setReading(false)
  }

  /// Goes on reading.
  func resumeReading() {
    if isHeld { rate = (.coarse(), 0) }
    isHeld = false
    switch phase {
    case .receiving: deadline = .coarse() + betweenBytes
    case .waiting: awaitHead()
    case .idle, .tunnel, .closed: deadline = nil
    }
    setReading(true)
  }

  /// The exchange wants no more of it.
  func abandon() {
    exchange = nil
    phase = .closed
    cutOff()
  }

  /// Closes the connection at once.
  func cutOff() {
    isBroken = true
    close()
  }

  override func checkTime(_ now: NIODeadline) { checkLimits(now) }

  /// Ends the connection and tells the exchange why.
  func fail(_ failure: UpstreamFailure) {
    let failed = exchange
    // A connection that was kept may have been closed while the request was on its way.
    let mayRetry = failure == .closed && servedBefore && !sawResponseByte && mayRepeat
    if !mayRetry { loop.upstreamFailed(upstream, failure, for: failed) }
    exchange = nil
    phase = .closed
    close()
    failed?.upstreamFailed(failure, mayRetry: mayRetry)
  }

  // MARK: Events of the socket

  override func received(_ bytes: inout ByteBuffer) {
    loop.counters.bytesFromUpstream += UInt64(bytes.readableBytes)
    if case .tunnel = phase {
      exchange?.tunnelFromUpstream(bytes)
      return
    }
    gather(&bytes) { process() }
  }

  override func readCompleted() {
    exchange?.upstreamReadComplete()
  }

  override func becameWritable() {
    exchange?.upstreamIsWritable()
  }

  /// What came before may be all of a response.
  override var drainsAfterFailure: Bool { true }

  override func failed(_ error: (any Error)?) {
    // A TLS peer that closes without saying so: as good as a close for what frames itself, but what
    // ends with the connection may have been cut (RFC 9112 §9.8).
    isBroken = true
    if case NIOSSLError.uncleanShutdown? = error as? NIOSSLError { return }
    if let error, error is NIOSSLError {
      // Nothing was said in plain text, so no request reached it.
      if loop.health.failed(upstream, now: loop.now) { _ = loop.shared.leftOut.add(upstream) }
      loop.shared.logger.warning(
        "TLS with upstream",
        metadata: [
          "upstream": "\(loop.shared.routing.upstreams[upstream].url)", "reason": "\(error)",
        ])
    } else if let error {
      loop.shared.logger.debug("upstream connection", metadata: ["error": "\(error)"])
    }
    close()
  }

  override func closed() {
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
    owner?.closed(self)
    loop.closed(self)
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
        if inbound.readableBytes > 0 { cutOff() }
        return
      case .tunnel:
        if inbound.readableBytes > 0 { exchange?.tunnelFromUpstream(takeInbound()) }
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
        case .head(var head, let consumed) = try parser.parse(
          inbound, toHead: request.isHead)
      else { return false }
      inbound.moveReaderIndex(forwardBy: consumed)
      if head.status == 101 {
        guard request.asksForUpgrade else { throw .statusLine }
        guard loop.beginTunnel(on: self) else {
          fail(.queueFull)
          return false
        }
        phase = .tunnel
        deadline = nil
        exchange?.upstreamUpgraded(head)
      } else if head.isInterim {
        exchange?.upstreamInterim(head)
      } else {
        phase = .receiving
        loop.upstreamAnswers(upstream)
        keepsAlive = head.keepsAlive
        if head.asksForConnectionCredentials { isBound = true }
        decoder = ContentDecoder(head.framing)
        betweenBytes = exchange?.limits.betweenBytes ?? .zero
        let now = NIODeadline.coarse()
        deadline = now + betweenBytes
        rate = (now, 0)
        received = 0
        exchange?.upstreamHead(head)
        isEventStream = head.contentLength == nil && head.fields.isEventStream
        if isEventStream { awaitEvents(since: now) }
        parser.recycle(&head)
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
        if !isHeld { deadline = .coarse() + betweenBytes }
        rate.bytes += content.readableBytes
        received += content.readableBytes
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
    // The next request of its client may come before the rest of this.
    if isReusable, isBound, let owner = ended?.keepForClient(self) {
      self.owner = owner
      ended?.upstreamEnded(trailers)
      if isIdle { resumeReading() }
      return
    }
    ended?.upstreamEnded(trailers)
    if isReusable, !isBound {
      resumeReading()
      loop.release(self)
    } else {
      cutOff()
    }
  }

  /// True while it has no request.
  var isIdle: Bool { if case .idle = phase { true } else { false } }
}
