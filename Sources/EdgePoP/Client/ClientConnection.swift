import EdgeCache
import EdgeSocket
import NIOCore

// One client connection over HTTP/1.1 (RFC 9112): takes requests out of bytes, one at a time and in order
// (§9.3.2), and hands each to RequestHandler with itself as its stream. What a request gets is decided
// there; here are framing, the life of the connection, and its limits. What goes out is in
// ClientConnection+Response, what comes after 101 in ClientConnection+Tunnel.

/// Speaks HTTP/1.1 to a client.
final class ClientConnection: StreamSocket, ClientStream {
  enum Phase {
    /// Between requests, or within a head.
    case head
    /// A request is being answered.
    case busy
    /// Bytes of another protocol go both ways.
    case tunnel
    /// The last response went out; what still comes is dropped until the client closes.
    case lingering
    case closed
  }

  let loop: LoopContext
  let identity: ClientIdentity
  /// What its client is counted by.
  let network: ClientNetwork
  /// True if it is one of the connections that its address may have.
  var isCounted = false
  var bound: BoundConnections?
  var phase = Phase.head
  private var parser = RequestParser()
  /// What sends content from a file at present.
  var sender: FileSender?
  /// A large response that is being sent from memory.
  var held: StoredResponse?

  /// The content of the request that is being answered, until it is complete.
  private var decoder: ContentDecoder?
  private var outputHasEnded = false
  private var isProcessing = false
  /// True while a response that was handed over whole still waits for its client to take it.
  private var isFinishing = false

  /// The request that is being answered.
  var served = ServedRequest()
  /// How its response goes out.
  var response = ResponseFraming()
  private var requests = 0
  var timing: ConnectionTiming

  /// A connection that was accepted.
  init(_ descriptor: CInt, from address: InternetAddress, loop: LoopContext) {
    self.loop = loop
    network = address.network
    identity = ClientIdentity(
      address: address.host, isSecure: false, trust: loop.shared.trust)
    timing = ConnectionTiming(limits: loop.shared.routing.clientLimits, now: .now())
    super.init(descriptor, reactor: loop.reactor)
    loop.opened(self)
    start()
  }

  /// True while content of the request that is being answered is still to come.
  var isReceivingContent: Bool { decoder != nil }

  // MARK: Events of the socket

  /// Reading stops while the upstream takes no content and while pipelined requests wait.
  private var shouldRead: Bool {
    switch phase {
    case .lingering, .closed: return true
    case .head: return isWritable || inbound.readableBytes < loop.limits.pipelined
    case .tunnel: return served.exchange?.acceptsContent ?? false
    case .busy:
      if decoder != nil { return served.exchange?.acceptsContent ?? true }
      return inbound.readableBytes < loop.limits.pipelined
    }
  }

  /// Reads on or lets the client wait, as it is now.
  private func updateReading() { setReading(shouldRead) }

  func resumeContent() { updateReading() }

  func adopt(_ limits: ClientLimits) { timing.limits = limits }

  override func received(_ bytes: inout ByteBuffer) {
    loop.counters.bytesReceived += UInt64(bytes.readableBytes)
    switch phase {
    case .lingering, .closed: return
    case .tunnel where decoder == nil:
      tunnelReceived(bytes)
      return updateReading()
    case .tunnel: timing.moved()
    case .head, .busy: break
    }
    gather(&bytes) { process() }
  }

  override func readCompleted() {
    flush()
  }

  override func becameWritable() {
    // What is left of it is little.
    held = nil
    switch phase {
    case .tunnel: served.exchange?.tunnelClientIsWritable()
    case .busy:
      if isFinishing {
        isFinishing = false
        finishResponse()
      } else if let sender {
        sender.advance()
      } else {
        served.exchange?.clientBecameWritable()
      }
      flush()
    case .head:
      process()
      flush()
    case .lingering, .closed: break
    }
  }

  /// The client sends no more; it may still read (RFC 9112 §9.6).
  override func inputEnded() {
    switch phase {
    case .busy where decoder == nil: served.exchange?.leaveIfMostLikelyGone()
    case .head: process()
    case .lingering: if outputHasEnded { close() }
    case .tunnel where decoder == nil: served.exchange?.tunnelClientFinished()
    case .busy, .tunnel: cutOff()
    case .closed: break
    }
    flush()
  }

  /// True while content of the client is asked for and would be taken.
  private var isContentDue: Bool {
    decoder != nil && shouldRead && served.exchange?.awaitsContinue != true
  }

  /// The client is most likely gone.
  func leave() {
    flush()
    loop.clientGone(self)
    // What was answered before is for whoever still reads.
    if unsent > 0, !served.hasBegun { linger() } else { cutOff() }
  }

  override func failed(_ error: (any Error)?) {
    if let error {
      loop.shared.logger.debug("client connection", metadata: ["error": "\(error)"])
    }
    close()
  }

  override func closed() {
    phase = .closed
    // What was sent from a file may be all there was to do.
    if served.exchange == nil, sender != nil || isFinishing { account() }
    sender = nil
    held = nil
    loop.clientGone(self)
    bound.take()?.end()
    loop.closed(self)
  }

  // MARK: Requests

  /// Takes in what has been read, as far as the phase allows. A response that is complete at once
  /// makes room for the next request, hence the loop.
  func process() {
    if isProcessing { return }
    isProcessing = true
    var goOn = true
    while goOn {
      switch phase {
      // Who pipelines without reading waits: answers would pile up.
      case .head: goOn = isWritable && readHead()
      case .busy: goOn = decoder != nil && readContent()
      // The request is sent to its end before the other protocol begins (RFC 9110 §7.8).
      case .tunnel where decoder != nil: goOn = readContent()
      case .tunnel:
        passOnInbound()
        goOn = false
      case .lingering, .closed: goOn = false
      }
    }
    isProcessing = false
    if decoder != nil { served.exchange?.requestContentPauses() }
    updateReading()
  }

  private func readHead() -> Bool {
    do throws(MalformedMessage) {
      guard inbound.readableBytes > 0,
        case .head(var head, let consumed) = try parser.parse(inbound)
      else {
        if inputHasEnded {
          linger()
        } else if inbound.readableBytes > 0 {
          timing.headBegan()
        }
        return false
      }
      inbound.moveReaderIndex(forwardBy: consumed)
      accept(head)
      parser.recycle(&head)
      return true
    } catch {
      loop.counters.malformed += 1
      refuse(error)
      return false
    }
  }

  private func accept(_ head: borrowing RequestHead) {
    requests += 1
    phase = .busy
    if head.hasContent { decoder = ContentDecoder(head.framing) }
    timing.requestBegan(hasContent: head.hasContent)
    let keepsAlive =
      head.keepsAlive && !loop.isDraining && !(inputHasEnded && inbound.readableBytes == 0)
      && mayGoOn
    response = ResponseFraming(
      isToHead: head.method == .head, closes: !keepsAlive, minorVersion: head.minorVersion)
    served.begin(loop.now)
    RequestHandler.handle(head, for: self, on: loop)
  }

  /// True if the connection has neither lived for too long nor had too many requests.
  @inline(__always)
  private var mayGoOn: Bool {
    if requests < loop.limits.requestsPerConnection, !timing.isOld { return true }
    return endsHere()
  }

  @inline(never)
  private func endsHere() -> Bool {
    loop.counters.count(timing.isOld ? .connectionAge : .requestsPerConnection)
    return false
  }

  /// Reads content of the request; true if there may be more to do.
  private func readContent() -> Bool {
    guard var decoder else { return false }
    do throws(MalformedMessage) {
      let event = try decoder.next(&inbound)
      self.decoder = decoder
      switch event {
      case .needMore: return false
      case .content(let content):
        timing.contentCame(content.readableBytes)
        served.requestBytes += content.readableBytes
        served.exchange?.requestContent(content)
        return true
      case .end(let trailers):
        self.decoder = nil
        timing.contentEnded()
        served.exchange?.requestEnd(trailers)
        return true
      }
    } catch {
      loop.counters.malformed += 1
      loop.shared.logger.debug("malformed request", metadata: ["reason": "\(error.reason)"])
      refuseContent(.malformed(error))
      return false
    }
  }

  func refuseContent(_ answer: OwnAnswer) {
    decoder = nil
    if served.hasBegun {
      if case .interrupted(let interruption) = answer.detail {
        return cutOff(because: interruption)
      }
      return cutOff()
    }
    response.closes = true
    answerInstead(answer)
  }

  private func refuse(_ problem: MalformedMessage) {
    loop.shared.logger.debug("malformed request", metadata: ["reason": "\(problem.reason)"])
    answerAndClose(.malformed(problem))
  }

  /// Answers something that is no request, or not all of a head.
  private func answerAndClose(_ answer: OwnAnswer) {
    phase = .busy
    response = ResponseFraming(closes: true, minorVersion: 1)
    served.begin(loop.now)
    // What there was of a request is logged with it.
    if loop.log != nil { served.firstLine = firstLine() }
    self.answer(answer)
  }

  /// The beginning of what came, up to the end of its line, for the log.
  private func firstLine() -> [UInt8] {
    let bytes = inbound.readableBytesView.prefix(Self.longestFirstLine)
    return Array(
      bytes.drop { $0 == ASCII.carriageReturn || $0 == ASCII.lineFeed }
        .prefix { $0 != ASCII.carriageReturn && $0 != ASCII.lineFeed })
  }

  /// Bytes that the log has of what is no request.
  private static let longestFirstLine = 1024

  // MARK: After a response

  /// The response is complete: the connection is ready for the next request, or closed.
  func finishResponse() {
    guard case .busy = phase else { return }
    // It is complete when its client has taken nearly all of it, so that none is logged as sent that is cut before.
    if !isWritable, decoder == nil {
      isFinishing = true
      return loop.handedOver(self)
    }
    loop.finished(self)
    timing.requestEnded()
    if response.closes || (inputHasEnded && inbound.readableBytes == 0) { return linger() }
    // Content that is still to come has nowhere to go.
    if decoder != nil { return linger() }
    phase = .head
    process()
  }

  /// Closes so that the client can read the response to its end: closing at once would destroy what
  /// has not been sent, and while the client is still sending, what it has not read (RFC 9112 §9.6).
  func linger() {
    phase = .lingering
    timing.lingers()
    endOutput()
    updateReading()
  }

  override func outputEnded() {
    outputHasEnded = true
    if inputHasEnded { close() }
  }

  /// Closes the connection at once, whatever has not been sent.
  func cutOff() {
    // An orderly end would make what was sent look whole (RFC 9112 §8), to some browsers whatever its framing says; a
    // reset does not.
    if isWithinResponse || (response.content == .untilClose && !outputHasEnded) { breakOff() }
    phase = .closed
    close()
  }

  /// The same, where it is this PoP that ends what is under way.
  func cutOff(because interruption: Interruption) {
    if isWithinResponse || !served.isAccounted { served.interruption = interruption }
    cutOff()
  }

  /// Ends what is under way, for the PoP ends: with an answer where none has begun. False if nothing was.
  func endUnfinished() -> Bool {
    switch phase {
    case .busy where !served.hasBegun:
      refuseContent(.draining)
      flush()
      return true
    case .busy, .head, .lingering:
      let isWithin = isWithinResponse
      cutOff(because: .draining)
      return isWithin
    case .tunnel:
      cutOff()
      return true
    case .closed: return false
    }
  }

  /// True while some of a response is still to be sent.
  private var isWithinResponse: Bool {
    if unsent > 0 || sender != nil { return true }
    if case .busy = phase { return served.hasBegun }
    return false
  }

  /// Breaks off a response so that the client can tell; `status` says why.
  func abort(_ status: CacheStatus) {
    guard isOpen else { return }
    served.status = status
    account()
    flush()
    cutOff()
  }

  /// Closes the connection when it is idle, or after the response.
  func drain() {
    // The response that is on its way has not said that it is the last: whoever has asked on gets one that does.
    if isFinishing, inbound.readableBytes > 0 { return }
    response.closes = true
    guard case .head = phase, inbound.readableBytes == 0 else { return }
    // The end of the last response may still wait for the client to read.
    closeAfterOutput()
  }

  /// What it does, as far as that decides whether it may be closed for another.
  var standing: ClientStanding {
    guard unsent == 0 else { return .busy }
    switch phase {
    case .head: return timing.standing(isWithinHead: inbound.readableBytes > 0)
    case .lingering: return timing.leaving
    case .busy, .tunnel, .closed: return .busy
    }
  }

  // MARK: Time

  var taken: Int { served.contentBytes - unsent - unacknowledged - (sender?.unsent ?? 0) }

  override func checkTime(_ now: NIODeadline) {
    if held != nil, unsent == 0 { held = nil }
    let verdict = timing.check(
      phase, now: now, isReceiving: isContentDue,
      unsent: unsent + (sender?.unsent ?? 0), inKernel: unacknowledged,
      isScarce: served.exchange?.holdsScarcePlace ?? false)
    switch verdict {
    case .fine: break
    case .close(let limit):
      loop.counters.count(limit)
      if let interruption = limit.interruption { cutOff(because: interruption) } else { cutOff() }
    case .requestTimeout(let limit):
      loop.counters.count(limit)
      let answer = OwnAnswer.requestTimeout(limit.interruption ?? .requestContentTimeout)
      // Between requests what was served is the last one.
      if case .busy = phase { refuseContent(answer) } else { answerAndClose(answer) }
      flush()
    }
  }

  /// Counts and logs the request, once.
  func account() { loop.account(&served, from: identity) }
}
