import EdgeCache
import EdgeSocket
import NIOCore

// What goes out to a client: heads, content in the framing that fits, and answers of our own.

extension ClientConnection {
  @inline(__always)
  private func responseContext() -> ResponseContext {
    ResponseContext(
      name: loop.shared.cacheName, closes: response.closes, minorVersion: response.minorVersion,
      isToPoP: served.isOfPoP)
  }

  private func began(_ code: Int, _ status: CacheStatus, _ framing: MessageFraming) {
    served.began(code, status)
    response.content = framing
    if framing == .untilClose { response.closes = true }
  }

  /// Sends a stored response, whole or in part; with `key` if it was forwarded before.
  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead,
    key: CacheKey?, now: Instant
  ) {
    let delivery = Delivery(request: request, response: stored, now: now)
    composeHead {
      ResponseWriter.stored(
        stored, delivery, status, responseContext(), key: key, now: now, to: &$0)
    }
    began(delivery.status(stored), status, .none)
    served.contentBytes = delivery.contentCount(stored)
    if stored.isLarge { held = stored }
    if let trailers = delivery.trailers { return sendChunk(of: stored.content, trailers) }
    if let file = stored.content.file, delivery.sendsContent {
      return sendContent(of: file, delivery)
    }
    delivery.forEachPiece(of: stored) { send($0) }
    finishResponse()
  }

  /// Sends content as one chunk, with trailer fields behind it.
  private func sendChunk(of content: Content, _ trailers: TrailerSection) {
    if content.count > 0 { composeHead(16) { ContentEncoder.chunkHead(content.count, to: &$0) } }
    let end = { (connection: ClientConnection) in
      connection.composeHead {
        if content.count > 0 { ContentEncoder.chunkEnd(to: &$0) }
        ContentEncoder.lastChunk(trailers, to: &$0)
      }
      connection.finishResponse()
    }
    if let file = content.file {
      return send([.range(0..<content.count)], of: file, whenDone: end)
    }
    content.forEachPiece(in: 0..<content.count) { send($0) }
    end(self)
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
  func sendStoredHead(
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

  func sendFile(_ range: Range<Int>, of file: ContentFile, whenSent: @escaping () -> Void) {
    served.contentBytes += range.count
    send([.range(range)], of: file) { connection in
      whenSent()
      connection.flush()
    }
  }

  private func send(
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
    guard !served.hasBegun else { return }
    composeHead { ResponseWriter.interim(head, to: &$0) }
    flush()
  }

  /// Sends content of the response.
  func sendContent(_ content: ByteBuffer) {
    served.contentBytes += content.readableBytes
    switch response.content {
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
    if response.content == .chunked {
      composeHead { ContentEncoder.lastChunk(trailers, to: &$0) }
    }
    finishResponse()
  }

  func answer(_ answer: OwnAnswer) {
    served.isOwnAnswer = true
    if let detail = answer.detail { served.status.detail = detail }
    closeIfContentIsDue()
    composeHead {
      ResponseWriter.error(
        answer.status, reason: answer.reason, served.status, responseContext(),
        allow: answer.allows, challenges: answer.challenges, sendsContent: !response.isToHead,
        retryAfter: answer.retryAfter, now: loop.now, to: &$0)
    }
    began(answer.status, served.status, .none)
    flush()
    finishResponse()
  }

  /// A response that comes before the request is complete ends the connection: what the client still
  /// sends may never come, or may be a long time coming (RFC 9112 §9.3).
  private func closeIfContentIsDue() {
    if isReceivingContent { response.closes = true }
  }

  /// Sends 101 at once, behind which another protocol begins.
  func sendSwitch(_ head: ResponseHead, _ status: CacheStatus) {
    composeHead { ResponseWriter.upgrade(head, status, responseContext(), to: &$0) }
    began(101, status, .none)
    flush()
  }
}
