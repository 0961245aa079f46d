import EdgeCache
import EdgeSocket
import NIOCore

// What goes out to a client: heads, content in the framing that fits, and answers of our own.

/// The response that is going out on a client connection.
struct ResponseInProgress {
  /// True for the answer to HEAD.
  var isToHead = false
  var closes = false
  var minorVersion: UInt8 = 1
  var started = Instant(milliseconds: 0)
  var framing = MessageFraming.none
  var status = CacheStatus()
  var statusCode = 0
  var contentBytes = 0
  /// True once a final head was written.
  var hasBegun = false
  var isAccounted = false

  init() {}

  init(
    isToHead: Bool = false, closes: Bool, minorVersion: UInt8,
    started: Instant
  ) {
    self.isToHead = isToHead
    self.closes = closes
    self.minorVersion = minorVersion
    self.started = started
  }
}

extension ClientConnection {
  @inline(__always)
  private func responseContext() -> ResponseContext {
    ResponseContext(
      name: loop.shared.cacheName, closes: response.closes, minorVersion: response.minorVersion)
  }

  private func began(_ code: Int, _ status: CacheStatus, _ framing: MessageFraming) {
    response.hasBegun = true
    response.statusCode = code
    response.status = status
    response.framing = framing
    if framing == .untilClose { response.closes = true }
  }

  /// Sends a stored response, whole or in part; with `key` if it was forwarded before.
  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead,
    key: CacheKey? = nil
  ) {
    let now = loop.now
    let delivery = Delivery(request: request, response: stored, now: now)
    composeHead {
      ResponseWriter.stored(
        stored, delivery, status, responseContext(), key: key, now: now, to: &$0)
    }
    began(delivery.status(stored), status, .none)
    response.contentBytes = delivery.contentCount(stored)
    if let file = stored.content.file, delivery.sendsContent {
      return sendContent(of: file, delivery)
    }
    delivery.forEachPiece(of: stored) { send($0) }
    finishResponse()
  }

  /// Sends content that lies in a file; most of it goes at once.
  private func sendContent(of file: ContentFile, _ delivery: Delivery) {
    guard let range = delivery.onlyRange(of: file.region.count) else {
      return send(delivery.parts(of: file.region.count), of: file) { $0.finishResponse() }
    }
    let sent = FileSender.sendAtOnce(file, range, to: self)
    if sent == range.count { return finishResponse() }
    send([.range(range.dropFirst(sent))], of: file) { $0.finishResponse() }
  }

  /// Sends the head of a stored response whose content follows.
  func beginPieces(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey
  ) {
    let now = loop.now
    let delivery = Delivery(request: request, response: stored, now: now)
    composeHead {
      ResponseWriter.stored(
        stored, delivery, status, responseContext(), key: key, now: now, to: &$0)
    }
    began(delivery.status(stored), status, .length(delivery.contentCount(stored)))
  }

  /// Sends content that lies in a file, at the pace of the client; then `whenDone`.
  func send(
    _ parts: [Delivery.Part], of file: ContentFile,
    whenDone: @escaping (ClientConnection) -> Void
  ) {
    let sender = FileSender(parts, of: file, for: self, whenDone: whenDone)
    self.sender = sender
    sender.advance()
  }

  /// Sends the head of a response that is still arriving.
  func sendFlightHead(
    _ head: FlightHead, _ status: CacheStatus, whole: Bool, key: CacheKey
  ) {
    let framing = composeHead {
      ResponseWriter.flight(
        head, status, responseContext(), key: key, whole: whole, now: loop.now, to: &$0)
    }
    let code = head.part == nil ? head.head.status : 206
    began(whole ? code : 304, status, framing)
    if !whole { finishResponse() }
  }

  /// Sends the head of a response that is passed through.
  func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus, key: CacheKey) {
    closeIfContentIsDue()
    let framing = composeHead {
      ResponseWriter.passedThrough(
        head, status, responseContext(), key: key, now: loop.now, to: &$0)
    }
    began(head.status, status, framing)
  }

  /// Sends an interim response at once.
  func sendInterim(_ head: ResponseHead) {
    guard !response.hasBegun else { return }
    composeHead { ResponseWriter.interim(head, to: &$0) }
    flush()
  }

  /// Sends content of the response.
  func sendContent(_ content: ByteBuffer) {
    response.contentBytes += content.readableBytes
    switch response.framing {
    case .none: break
    case .chunked:
      composeHead(16) { ContentEncoder.chunkHead(content.readableBytes, to: &$0) }
      send(content)
      composeHead(16) { ContentEncoder.chunkEnd(to: &$0) }
    case .length, .untilClose: send(content)
    }
  }

  /// Ends the response.
  func sendEnd(_ trailers: FieldSection?) {
    if response.framing == .chunked {
      composeHead { ContentEncoder.lastChunk(trailers, to: &$0) }
    }
    finishResponse()
  }

  /// Sends an answer of our own for a request that could not be forwarded.
  func sendError(_ code: Int, _ status: CacheStatus) {
    response.status = status
    let reason = status.detail?.token ?? "error"
    answer(code, reason, retryAfter: code == 503 ? 1 : nil)
    flush()
  }

  /// Sends an answer of our own.
  func answer(
    _ code: Int, _ reason: String, allow: Bool = false, challenges: Bool = false,
    retryAfter: Int? = nil
  ) {
    closeIfContentIsDue()
    composeHead {
      ResponseWriter.error(
        code, reason: reason, response.status, responseContext(), allow: allow,
        challenges: challenges,
        sendsContent: !response.isToHead, retryAfter: retryAfter, now: loop.now, to: &$0)
    }
    began(code, response.status, .none)
    flush()
    finishResponse()
  }

  /// A response that comes before the request is complete ends the connection: what the client still
  /// sends may never come, or may be a long time coming (RFC 9112 §9.3).
  private func closeIfContentIsDue() {
    if isReceivingContent { response.closes = true }
  }

  // MARK: Tunnel

  /// Sends 101 and carries bytes from then on.
  func beginTunnel(_ head: ResponseHead, _ status: CacheStatus) {
    composeHead { ResponseWriter.upgrade(head, status, responseContext(), to: &$0) }
    began(101, status, .none)
    flush()
    tunnelBegan()
  }

  /// Sends bytes of another protocol.
  func sendTunnel(_ bytes: ByteBuffer) {
    tunnelMoved()
    send(bytes)
    flush()
  }
}
