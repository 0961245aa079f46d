import EdgeCache

/// A request that is being served, and what has become of it: what counters and log will tell.
struct ServedRequest {
  /// When it came.
  private(set) var started: Instant
  /// The same in microseconds of the time line, where the log tells them; 0 elsewhere.
  var startedMicroseconds: Int64 = 0
  /// The head, where it is to be logged and nobody else keeps it.
  var logged: RequestHead?
  /// What there is of something that is no request, where it is to be logged.
  var firstLine: [UInt8] = []
  /// What gets the response, unless that was there at once.
  var exchange: Exchange?
  /// What got the response, where that is over before all of it has gone out; for the log.
  var former: Exchange?
  /// What it waits for before it is served.
  var wait: (any PendingWait)?

  var status = CacheStatus()
  var statusCode = 0
  var contentBytes = 0
  /// Bytes of the request's content that came.
  var requestBytes = 0
  /// Index of its site; negative if no site has its host.
  var site = -1
  /// Why it is ended by this PoP before its response was complete. Its connection ends with it, so that no other request
  /// finds it here.
  var interruption: Interruption?
  /// True if what is stored was found on disk.
  var isFromDisk = false
  /// True if another PoP sent it.
  var isOfPoP = false
  /// True if the answer is one of our own.
  var isOwnAnswer = false
  /// True once a final head was sent.
  var hasBegun = false
  var isAccounted = false
  /// Whether whoever has the head, as it was read, still has it, and is to log it.
  var head = HeadAtHand.gone

  /// What is known of the head of a request as it was read.
  enum HeadAtHand {
    /// It is being handled.
    case held
    /// It is being handled, and will be logged after that.
    case due
    case gone
  }

  /// No request.
  init() { started = Instant(milliseconds: 0) }

  /// A request comes at that moment. Whatever the last one waited for is over.
  @inline(__always)
  mutating func begin(_ now: Instant) {
    started = now
    startedMicroseconds = 0
    status = CacheStatus()
    statusCode = 0
    contentBytes = 0
    requestBytes = 0
    site = -1
    isFromDisk = false
    isOfPoP = false
    isOwnAnswer = false
    hasBegun = false
    isAccounted = false
  }

  /// A final head is sent.
  mutating func began(_ code: Int, _ status: CacheStatus) {
    hasBegun = true
    statusCode = code
    self.status = status
  }

  /// True for what is in the log however few lines it takes: errors, refusals and clients that left.
  var isAlwaysLogged: Bool {
    if isOwnAnswer || statusCode >= 499 { return true }
    switch status.detail {
    case .failed, .interrupted: return true
    default: return false
    }
  }
}

extension LoopContext {
  /// The status that is logged and counted for a request whose client left before a response began.
  private static let clientLeft = 499

  /// Counts and logs a request, once. `exchange` is what got its response, if that has been let go of.
  func account(
    _ served: inout ServedRequest, from identity: ClientIdentity, _ exchange: Exchange? = nil
  ) {
    if served.isAccounted { return }
    served.isAccounted = true
    if let interruption = served.interruption { served.status.detail = .interrupted(interruption) }
    counters.count(served.status, statusCode: served.statusCode)
    counters.bytesSent += UInt64(served.contentBytes)
    guard let log else { return }
    // Whoever has the head logs it straight from what was read.
    if case .held = served.head { return served.head = .due }
    logLater(&served, identity, exchange ?? served.exchange ?? served.former.take(), log)
  }

  /// A head is about to be handled.
  @inline(__always)
  func handles(_ served: inout ServedRequest) {
    guard let log else { return }
    served.head = .held
    if log.isDetailed { served.startedMicroseconds = clock.microseconds }
  }

  /// A head was handled, and whoever has it will not have it much longer.
  @inline(__always)
  func handled(
    _ served: inout ServedRequest, _ head: borrowing RequestHead, from identity: ClientIdentity
  ) {
    guard let log else { return }
    switch served.head {
    case .due:
      served.head = .gone
      logNow(served, head, identity, log)
    case .held:
      served.head = .gone
      if served.exchange == nil { served.logged = head.detached() }
    case .gone: break
    }
  }

  private func logNow(
    _ served: borrowing ServedRequest, _ head: borrowing RequestHead, _ identity: ClientIdentity,
    _ log: LoopLog
  ) {
    var line = AccessLogLine(
      client: identity.address(toldBy: head), cacheName: shared.cacheName.bytes, finished: now)
    if log.isDetailed {
      line.id = RequestID(
        of: head, isBelieved: identity.believes(head), from: &requestIDs)
      detail(&line, served, nil)
    } else if case .vhostCombined = log.log.format {
      line.isSecure = identity.isSecured(head)
    }
    log.write(served, head, line)
  }

  /// For what was answered after its head was gone.
  @inline(never)
  private func logLater(
    _ served: inout ServedRequest, _ identity: ClientIdentity, _ exchange: Exchange?,
    _ log: LoopLog
  ) {
    let logged = served.logged.take()
    defer { served.firstLine = [] }
    if let exchange {
      var line = AccessLogLine(
        client: exchange.client.address, cacheName: shared.cacheName.bytes, finished: now)
      line.isSecure = exchange.client.isSecure
      line.id = exchange.requestID
      detail(&line, served, exchange.times)
      return log.write(served, exchange.request, line)
    }
    if let logged { return logNow(served, logged, identity, log) }
    var line = AccessLogLine(
      client: identity.address, cacheName: shared.cacheName.bytes, finished: now)
    line.id = RequestID(from: &requestIDs)
    detail(&line, served, nil)
    log.write(served, line)
  }

  private func detail(
    _ line: inout AccessLogLine, _ served: borrowing ServedRequest, _ times: UpstreamTimes?
  ) {
    line.finishedMicroseconds = clock.microseconds
    line.site = served.site < 0 ? nil : shared.routing.siteName(index: served.site)
    if let times, times.upstream >= 0 {
      line.upstream = .init(
        authority: shared.routing.upstreams[times.upstream].authority, times: times)
    }
  }

  /// The response of a request is complete: it is counted and logged, and its exchange goes on without a client, if
  /// there is anything left to do.
  func finished(_ stream: some ClientStream) {
    account(&stream.served, from: stream.identity)
    stream.served.exchange.take()?.responseEnded()
  }

  /// All of a response was handed over, and not all has gone out: its exchange goes on without a client, and the request
  /// is counted and logged when the client has got it.
  func handedOver(_ stream: some ClientStream) {
    let exchange = stream.served.exchange.take()
    if log != nil { stream.served.former = exchange }
    exchange?.responseEnded()
  }

  /// The client of a request is gone: what is under way for it ends, unless others need it. A response that it
  /// did not get whole is counted and logged, with 499 if it got nothing, unless it is this PoP that ends it.
  func clientGone(_ stream: some ClientStream) {
    let wait = stream.served.wait.take()
    wait?.cancel()
    let exchange = stream.served.exchange.take()
    if wait == nil, exchange == nil { return }
    if !stream.served.hasBegun { stream.served.statusCode = Self.clientLeft }
    if let exchange { stream.served.status = exchange.status }
    account(&stream.served, from: stream.identity, exchange)
    exchange?.clientGone()
  }
}
