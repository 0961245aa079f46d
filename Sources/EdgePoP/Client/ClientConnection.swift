import EdgeCache
import EdgeFleet
import EdgeSocket
import NIOCore

// One client connection over HTTP/1.1: reads requests, answers hits at once, and gives everything
// else to an Exchange. Requests are answered in order, one at a time (RFC 9112 §9.3.2).
//
// Longer than files here usually are: its phases are one state machine, and every event of the socket
// looks at them. What goes out is in ClientConnection+Response.

/// Speaks HTTP/1.1 to a client.
final class ClientConnection: StreamSocket, ResponseReceiver {
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
  private let identity: ClientIdentity
  private var phase = Phase.head
  private var inbound = ByteBuffer()
  private var parser = RequestParser()
  private var exchange: Exchange?
  /// What sends content from a file at present.
  var sender: FileSender?

  /// The content of the request that is being answered, until it is complete.
  private var decoder: ContentDecoder?
  private var outputHasEnded = false
  private var isProcessing = false

  /// The response that is going out.
  var response = ResponseInProgress()
  /// The request that is being answered, where it is to be logged.
  private var logged: RequestHead?
  private var requests = 0
  private var timing: ConnectionTiming

  /// A connection that was accepted.
  init(_ descriptor: CInt, from address: InternetAddress, loop: LoopContext) {
    self.loop = loop
    identity = ClientIdentity(address: address.host, isSecure: false)
    timing = ConnectionTiming(limits: loop.limits, now: .now())
    super.init(descriptor, reactor: loop.reactor)
    loop.opened(self)
    start()
  }

  /// The status that is logged and counted for a request whose client left before a response began.
  private static let clientLeft = 499

  /// True while content of the request that is being answered is still to come.
  var isReceivingContent: Bool { decoder != nil }

  // MARK: Events of the socket

  /// Reading stops while the upstream takes no content and while pipelined requests wait.
  private var shouldRead: Bool {
    switch phase {
    case .lingering, .closed: return true
    case .head: return isWritable || inbound.readableBytes < loop.limits.pipelined
    case .tunnel: return exchange?.acceptsContent ?? false
    case .busy:
      if decoder != nil { return exchange?.acceptsContent ?? true }
      return inbound.readableBytes < loop.limits.pipelined
    }
  }

  /// Reads on or lets the client wait, as it is now.
  func updateReading() {
    setReading(shouldRead)
  }

  override func received(_ bytes: inout ByteBuffer) {
    loop.counters.bytesReceived += UInt64(bytes.readableBytes)
    switch phase {
    case .lingering, .closed: return
    case .tunnel:
      timing.moved()
      exchange?.tunnelFromClient(bytes)
      return updateReading()
    case .head, .busy: break
    }
    if inbound.readableBytes == 0 {
      swap(&inbound, &bytes)
    } else {
      inbound.writeBuffer(&bytes)
    }
    process()
    if inbound.readableBytes == 0 {
      // Gives the memory back, to be read into again.
      swap(&inbound, &bytes)
      if inbound.capacity > 0 { inbound = ByteBuffer() }
    } else {
      inbound = inbound.compacted()
    }
  }

  override func readCompleted() {
    flush()
  }

  override func becameWritable() {
    switch phase {
    case .tunnel: exchange?.tunnelClientIsWritable()
    case .busy:
      if let sender { sender.advance() } else { exchange?.clientBecameWritable() }
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
    case .busy where decoder == nil: break
    case .head: process()
    case .lingering: if outputHasEnded { close() }
    case .tunnel: exchange?.tunnelClientFinished()
    case .busy: cutOff()
    case .closed: break
    }
    flush()
  }

  override func failed(_ error: (any Error)?) {
    if let error {
      loop.shared.logger.debug("client connection", metadata: ["error": "\(error)"])
    }
    close()
  }

  override func closed() {
    let wasTunnel: Bool
    if case .tunnel = phase { wasTunnel = true } else { wasTunnel = false }
    phase = .closed
    if exchange == nil, sender != nil { account() }
    if let left = exchange, !wasTunnel {
      // What nginx's users know as 499: the client left before the response was complete.
      if !response.hasBegun { response.statusCode = Self.clientLeft }
      response.status = left.status
      account()
    }
    let left = exchange
    exchange = nil
    sender = nil
    if wasTunnel { left?.tunnelClientClosed() } else { left?.clientGone() }
    loop.closed(self)
  }

  // MARK: Requests

  /// Takes in what has been read, as far as the phase allows. A response that is complete at once
  /// makes room for the next request, hence the loop.
  private func process() {
    if isProcessing { return }
    isProcessing = true
    var goOn = true
    while goOn {
      switch phase {
      // Who pipelines without reading waits: answers would pile up.
      case .head: goOn = isWritable && readHead()
      case .busy: goOn = decoder != nil && readContent()
      case .tunnel:
        goOn = false
        if inbound.readableBytes > 0 {
          let rest = inbound
          inbound = ByteBuffer()
          exchange?.tunnelFromClient(rest)
        }
      case .lingering, .closed: goOn = false
      }
    }
    isProcessing = false
    if decoder != nil { exchange?.requestContentPauses() }
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
      && requests < loop.limits.requestsPerConnection && !timing.isOld
    response = ResponseInProgress(
      isToHead: head.method == .head, closes: !keepsAlive, minorVersion: head.minorVersion,
      started: loop.now)
    if loop.shared.accessLog != nil { logged = head.detached() }

    if head.method == .other, ClientPurge.isMeant(head), loop.shared.gate.takesPurgesOfClients {
      return purge(head)
    }
    if head.method == .trace {
      return answer(405, "TRACE is not supported", allow: true)
    }
    if head.method == .options, let hops = head.fields.first(.maxForwards),
      head.fields.text(hops) == "0"
    {
      return answer(200, "this cache is the last recipient", allow: true)
    }
    if LoopDetection.hasPassed(head.fields, cacheName: loop.shared.cacheName.bytes) {
      response.status.detail = .loop
      return answer(508, "the request has passed through this cache before")
    }
    // Another PoP may have applied purges that have not come here yet.
    if head.fields.contains(.purgesApplied), !head.hasContent,
      let place = loop.shared.tiers.place(head.fields, from: identity.address),
      !loop.shared.tiers.hasApplied(place)
    {
      return hold(head.detached(), for: place)
    }
    serve(head)
  }

  /// Lets a request wait until the purges have been applied that the PoP which asks has applied.
  private func hold(_ head: RequestHead, for place: TierFence.Place) {
    let waiting = Confined((connection: self, head: head), to: loop.reactor)
    let number = requests
    loop.shared.tiers.catchUp(with: place) { isDone in
      waiting.mailbox.execute {
        let (connection, head) = waiting.value
        guard case .busy = connection.phase, connection.requests == number else { return }
        // What cannot be told from what was purged is asked for.
        connection.serve(head, isUnsynced: !isDone)
        connection.flush()
      }
    }
  }

  private func serve(_ head: borrowing RequestHead, isUnsynced: Bool = false) {
    var key = CacheKey(
      head, isSecure: identity.isSecured(head), secret: loop.store.secret, storage: &loop.keyStorage
    )
    guard let route = loop.shared.routing.route(&key, secret: loop.store.secret) else {
      response.status.detail = .unknownHost
      return answer(421, "no site has this host")
    }
    var directives = route.directives(head.fields)
    if isUnsynced { directives.noCache = true }
    var look = FirstLook.take(
      request: head, key: key, directives: directives, route: route, store: loop.store,
      now: response.started)
    // What can be read without waiting is as good as in memory.
    var purpose = ReadPurpose.sending
    if case .consult = look {
      purpose = loop.store.readPurpose(key.hash, directives: directives)
      if let below = loop.look(key, head.fields, purpose: purpose) {
        look = FirstLook.take(
          request: head, key: key, directives: directives, route: route, store: loop.store,
          now: response.started, below: below)
      }
    }
    switch consume look {
    case .answer(let stored, let status) where stored.pieced == nil:
      key.giveBack(to: &loop.keyStorage)
      return sendStored(stored, status, request: head)
    case .answerAndValidate(let stored, let status):
      if stored.pieced == nil {
        sendStored(stored, status, request: head)
      } else {
        let exchange = exchange(for: head.detached(), key, directives, route, connection: self)
        self.exchange = exchange
        exchange.begin(.answer(stored, status))
      }
      // It holds on to itself by what it waits for; nobody else waits for it.
      if head.method == .get {
        exchange(for: head.detached(), key, CacheControl(), route, connection: nil)
          .begin(.validate(stored))
      }
    case let look:
      let exchange = exchange(for: head.detached(), key, directives, route, connection: self)
      self.exchange = exchange
      exchange.begin(look, reading: purpose)
    }
  }

  private func exchange(
    for head: RequestHead, _ key: CacheKey, _ directives: CacheControl, _ route: RequestRoute,
    connection: ClientConnection?
  ) -> Exchange {
    // With memory of its own: that of the loop may be far larger than this key.
    Exchange(
      request: head, key: key.compacted, directives: directives, route: route, loop: loop,
      client: identity.asToldBy(head), connection: connection)
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
        exchange?.requestContent(content)
        return true
      case .end(let trailers):
        self.decoder = nil
        timing.contentEnded()
        exchange?.requestEnd(trailers)
        return true
      }
    } catch {
      loop.counters.malformed += 1
      self.decoder = nil
      let left = exchange
      exchange = nil
      left?.clientGone()
      if response.hasBegun { cutOff() } else { refuse(error) }
      return false
    }
  }

  private func refuse(_ problem: MalformedMessage) {
    phase = .busy
    response = ResponseInProgress(closes: true, minorVersion: 1, started: loop.now)
    loop.shared.logger.debug("malformed request", metadata: ["reason": "\(problem.reason)"])
    answer(problem.status, "\(problem.reason)")
  }

  // MARK: Purging

  /// Carries out PURGE, if the client may order it.
  private func purge(_ head: borrowing RequestHead) {
    var authorization: [String] = []
    for field in head.fields.fields where field.name == .authorization {
      authorization.append(head.fields.text(field.value))
    }
    let author: PurgeService.Author
    switch loop.shared.gate.judgeClient(authorization, from: identity.address) {
    case .granted(let granted): author = granted
    case .unknown: return answer(401, "PURGE needs Authorization: Bearer TOKEN", challenges: true)
    case .forbidden(let name): return answer(403, "the token \(name) has not the right to purge")
    case .tooMany: return answer(429, "too many purges", retryAfter: 1)
    }
    let request: PurgeRequest
    let acknowledgement: PurgeAcknowledgement
    do {
      request = try ClientPurge.request(head)
      acknowledgement = try loop.shared.purges.apply(request, by: author)
    } catch let problem as PurgeRequest.Problem {
      return answer(400, problem.description)
    } catch let refusal as PurgeService.Refusal {
      return answer(400, refusal.reason)
    } catch {
      return answer(500, "\(error)")
    }
    let waiting = Confined(self, to: loop.reactor)
    let number = requests
    loop.shared.purges.complete(request, acknowledgement) { problem in
      waiting.mailbox.execute { waiting.value.purged(acknowledgement, problem, request: number) }
    }
  }

  private func purged(
    _ acknowledgement: PurgeAcknowledgement, _ problem: String?, request: Int
  ) {
    guard case .busy = phase, requests == request, !response.hasBegun else { return }
    if let problem {
      answer(500, problem)
    } else {
      let about = acknowledgement.estimated == true ? "about " : ""
      answer(
        200,
        "purged \(about)\(acknowledgement.matched) stored responses; purge "
          + "\(acknowledgement.id ?? "?") at \(acknowledgement.pop)")
    }
    flush()
  }

  // MARK: After a response

  /// The response is complete: the connection is ready for the next request, or closed.
  func finishResponse() {
    guard case .busy = phase else { return }
    account()
    let ended = exchange
    exchange = nil
    ended?.responseEnded()
    timing.requestEnded()
    if response.closes || (inputHasEnded && inbound.readableBytes == 0) { return linger() }
    // Content that is still to come has nowhere to go.
    if decoder != nil { return linger() }
    phase = .head
    process()
  }

  /// Closes so that the client can read the response to its end: closing at once would destroy what
  /// has not been sent, and while the client is still sending, what it has not read (RFC 9112 §9.6).
  private func linger() {
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
    phase = .closed
    // An orderly end would make what was sent look whole (RFC 9112 §8); a reset does not.
    if response.framing == .untilClose, !outputHasEnded { breakOff() }
    close()
  }

  /// Breaks off a response so that the client can tell; `status` says why.
  func abort(_ status: CacheStatus) {
    guard isOpen else { return }
    response.status = status
    account()
    flush()
    cutOff()
  }

  /// Closes the connection when it is idle, or after the response.
  func drain() {
    response.closes = true
    guard case .head = phase, inbound.readableBytes == 0 else { return }
    // The end of the last response may still wait for the client to read.
    closeAfterOutput()
  }

  // MARK: Time

  override func checkTime(_ now: NIODeadline) {
    let verdict = timing.check(
      phase, now: now, isReceiving: decoder != nil && shouldRead,
      unsent: unsent + (sender?.unsent ?? 0))
    switch verdict {
    case .fine: break
    case .close:
      loop.counters.timeouts += 1
      cutOff()
    case .requestTimeout:
      loop.counters.timeouts += 1
      let left = exchange
      exchange = nil
      left?.clientGone()
      // Between requests the response is the last one's.
      if case .busy = phase, response.hasBegun { return cutOff() }
      phase = .busy
      response = ResponseInProgress(closes: true, minorVersion: 1, started: loop.now)
      answer(408, "the request did not come in time")
      flush()
    }
  }

  /// Counts and logs the response, once.
  func account() {
    if response.isAccounted { return }
    response.isAccounted = true
    loop.counters.count(response.status, statusCode: response.statusCode)
    loop.counters.bytesSent += UInt64(response.contentBytes)
    guard let log = loop.shared.accessLog, let request = logged else { return }
    logged = nil
    let entry = AccessLogEntry(
      client: identity.address, request: request, statusCode: response.statusCode,
      bytes: response.contentBytes, status: response.status, started: response.started,
      finished: loop.now)
    log.append(entry.line(cacheName: loop.shared.cacheName.bytes))
  }

  /// From here on bytes go both ways.
  func tunnelBegan() {
    phase = .tunnel
    loop.counters.tunnels += 1
    account()
    process()
  }

  /// Bytes went through the tunnel.
  func tunnelMoved() {
    timing.moved()
  }

  /// The upstream closed the tunnel.
  func endTunnel() {
    exchange = nil
    flush()
    linger()
  }
}
