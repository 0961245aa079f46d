import EdgeCache

/// A request that is being served, and what has become of it: what counters and log will tell.
struct ServedRequest {
  /// When it came.
  private(set) var started: Instant
  /// The head, where it is to be logged.
  var logged: RequestHead?
  /// What gets the response, unless that was there at once.
  var exchange: Exchange?
  /// What it waits for before it is served.
  var wait: (any PendingWait)?

  var status = CacheStatus()
  var statusCode = 0
  var contentBytes = 0
  /// True if another PoP sent it.
  var isOfPoP = false
  /// True once a final head was sent.
  var hasBegun = false
  var isAccounted = false

  /// No request.
  init() { started = Instant(milliseconds: 0) }

  /// A request comes at that moment. Whatever the last one waited for is over.
  @inline(__always)
  mutating func begin(_ now: Instant) {
    started = now
    status = CacheStatus()
    statusCode = 0
    contentBytes = 0
    isOfPoP = false
    hasBegun = false
    isAccounted = false
  }

  /// A final head is sent.
  mutating func began(_ code: Int, _ status: CacheStatus) {
    hasBegun = true
    statusCode = code
    self.status = status
  }
}

extension LoopContext {
  /// The status that is logged and counted for a request whose client left before a response began.
  private static let clientLeft = 499

  /// Counts and logs a request, once.
  func account(_ served: inout ServedRequest, from identity: ClientIdentity) {
    if served.isAccounted { return }
    served.isAccounted = true
    counters.count(served.status, statusCode: served.statusCode)
    counters.bytesSent += UInt64(served.contentBytes)
    guard let log = shared.accessLog, let request = served.logged else { return }
    served.logged = nil
    let entry = AccessLogEntry(
      client: identity.address(toldBy: request), request: request, statusCode: served.statusCode,
      bytes: served.contentBytes, status: served.status, started: served.started, finished: now)
    log.append(entry.line(cacheName: shared.cacheName.bytes))
  }

  /// The response of a request is complete: it is counted and logged, and its exchange goes on without a client, if
  /// there is anything left to do.
  func finished(_ stream: some ClientStream) {
    account(&stream.served, from: stream.identity)
    stream.served.exchange.take()?.responseEnded()
  }

  /// The client of a request is gone: what is under way for it ends, unless others need it. A response that it
  /// did not get whole is counted and logged, with 499 if it got nothing.
  func clientGone(_ stream: some ClientStream) {
    stream.served.wait.take()?.cancel()
    guard let exchange = stream.served.exchange.take() else { return }
    if !stream.served.hasBegun { stream.served.statusCode = Self.clientLeft }
    stream.served.status = exchange.status
    account(&stream.served, from: stream.identity)
    exchange.clientGone()
  }
}
