import EdgeCache
import EdgeSocket
import NIOCore

@testable import EdgePoP

// A client that is no socket: what it takes to serve requests over something else than HTTP/1.1. Requests go
// in as text, one after another, and responses come out as text, because that is what tests read; neither
// connections nor their end, keep-alive, versions, pipelining nor time limits are known here.

/// Requests in, responses out, in memory.
final class MemoryStream: ClientStream {
  let identity: ClientIdentity
  var served = ServedRequest()
  var bound: BoundConnections?
  /// False while the client does not read.
  var isWritable = true
  /// It takes what it is sent at once, or nothing.
  var taken: Int { served.contentBytes }

  private let loop: LoopContext
  private let deliver: (ByteBuffer) -> Void
  private let end: () -> Void
  private var inbound = ByteBuffer()
  private var parser = RequestParser()
  private var decoder: ContentDecoder?
  private var outbound = ByteBuffer()
  private var framing = MessageFraming.none
  private var isToHead = false
  private var isBusy = false
  private var isTunnel = false
  private var isOpen = true
  private(set) var inputHasEnded = false

  /// A client of a loop; `deliver` gets what it is sent, and `end` is called when the PoP ends it.
  init(on loop: LoopContext, deliver: @escaping (ByteBuffer) -> Void, end: @escaping () -> Void) {
    (self.loop, self.deliver, self.end) = (loop, deliver, end)
    identity = ClientIdentity(address: "127.0.0.1", isSecure: false, trust: loop.shared.trust)
    loop.counters.openConnections += 1
  }

  /// The client ends its side.
  func endInput() {
    inputHasEnded = true
    if isBusy, decoder == nil { served.exchange?.leaveIfMostLikelyGone() }
  }

  func leave() { fail() }

  /// The client sends some bytes.
  func receive(_ bytes: ByteBuffer) {
    loop.counters.bytesReceived += UInt64(bytes.readableBytes)
    inbound.writeImmutableBuffer(bytes)
    process()
    // Whoever hands a request in sends what was put together meanwhile.
    flush()
  }

  /// The client reads again.
  func becameWritable() {
    served.exchange?.clientBecameWritable()
    flush()
  }

  /// The client is gone.
  func close() {
    guard isOpen else { return }
    isOpen = false
    loop.counters.openConnections -= 1
    loop.clientGone(self)
    bound.take()?.end()
  }

  // MARK: Requests

  private func process() {
    do throws(MalformedMessage) {
      while isOpen {
        if isTunnel, decoder == nil {
          served.exchange?.tunnelFromClient(inbound)
          return inbound.clear()
        }
        guard try isBusy ? readContent() : readHead() else { break }
      }
      if decoder != nil { served.exchange?.requestContentPauses() }
    } catch {
      refuseContent(.malformed(error))
    }
  }

  func refuseContent(_ answer: OwnAnswer) {
    inbound.clear()
    decoder = nil
    answerInstead(answer)
    fail()
  }

  private func readHead() throws(MalformedMessage) -> Bool {
    guard inbound.readableBytes > 0,
      case .head(let head, let consumed) = try parser.parse(inbound)
    else { return false }
    inbound.moveReaderIndex(forwardBy: consumed)
    isBusy = true
    isToHead = head.method == .head
    decoder = head.hasContent ? ContentDecoder(head.framing) : nil
    served.begin(loop.now)
    RequestHandler.handle(head, for: self, on: loop)
    return true
  }

  private func readContent() throws(MalformedMessage) -> Bool {
    guard decoder != nil, served.exchange?.acceptsContent ?? true else { return false }
    switch try decoder?.next(&inbound) {
    case .content(let content): served.exchange?.requestContent(content)
    case .end(let trailers):
      decoder = nil
      served.exchange?.requestEnd(trailers)
    case .needMore, nil: return false
    }
    return true
  }

  func resumeContent() { process() }

  func adopt(_ limits: ClientLimits) {}

  private func finish() {
    loop.finished(self)
    flush()
    isBusy = false
    process()
  }

  // MARK: Responses

  private var context: ResponseContext {
    ResponseContext(
      name: loop.shared.cacheName, closes: false, minorVersion: 1,
      isToPoP: served.isOfPoP)
  }

  private func write<Result>(_ body: (inout HeadBuffer) -> Result) -> Result {
    outbound.writeHead(512, body)
  }

  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey?,
    now: Instant
  ) {
    let delivery = Delivery(request: request, response: stored, now: now)
    write {
      ResponseWriter.stored(stored, delivery, status, context, key: key, now: loop.now, to: &$0)
    }
    served.began(delivery.status(stored), status)
    served.contentBytes = delivery.contentCount(stored)
    if let trailers = delivery.trailers {
      let count = stored.content.count
      if count > 0 { write { ContentEncoder.chunkHead(count, to: &$0) } }
      delivery.forEachPiece(of: stored) { outbound.writeImmutableBuffer($0) }
      write {
        if count > 0 { ContentEncoder.chunkEnd(to: &$0) }
        ContentEncoder.lastChunk(trailers, to: &$0)
      }
      return finish()
    }
    delivery.forEachPiece(of: stored) { outbound.writeImmutableBuffer($0) }
    finish()
  }

  func sendStoredHead(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey
  ) {
    let delivery = Delivery(request: request, response: stored, now: loop.now)
    write {
      ResponseWriter.stored(stored, delivery, status, context, key: key, now: loop.now, to: &$0)
    }
    served.began(delivery.status(stored), status)
    framing = .length(delivery.contentCount(stored))
  }

  func sendFile(_ range: Range<Int>, of file: ContentFile, whenSent: @escaping () -> Void) {
    preconditionFailure("there is no disk tier in memory")
  }

  func sendFlightHead(_ head: FlightHead, _ status: CacheStatus, whole: Bool, key: CacheKey) {
    framing = write {
      ResponseWriter.flight(
        head, status, context, key: key, whole: whole, now: loop.now, to: &$0)
    }
    served.began(whole ? (head.part == nil ? head.head.status : 206) : 304, status)
    if !whole { finish() }
  }

  func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus, key: CacheKey) {
    framing = write {
      ResponseWriter.passedThrough(head, status, context, key: key, now: loop.now, to: &$0)
    }
    served.began(head.status, status)
  }

  func sendInterim(_ head: ResponseHead) {
    write { ResponseWriter.interim(head, to: &$0) }
    flush()
  }

  func sendContent(_ content: ByteBuffer) {
    served.contentBytes += content.readableBytes
    if framing == .chunked { write { ContentEncoder.chunkHead(content.readableBytes, to: &$0) } }
    outbound.writeImmutableBuffer(content)
    if framing == .chunked { write { ContentEncoder.chunkEnd(to: &$0) } }
  }

  func sendEnd(_ trailers: FieldSection?) {
    if framing == .chunked { write { ContentEncoder.lastChunk(trailers, to: &$0) } }
    finish()
  }

  func answer(_ answer: OwnAnswer) {
    if let detail = answer.detail { served.status.detail = detail }
    served.isOwnAnswer = true
    write {
      ResponseWriter.error(
        answer.status, reason: answer.reason, served.status, context, allow: answer.allows,
        challenges: answer.challenges, sendsContent: !isToHead, retryAfter: answer.retryAfter,
        now: loop.now, to: &$0)
    }
    served.began(answer.status, served.status)
    finish()
  }

  func abort(_ status: CacheStatus) {
    served.status = status
    loop.account(&served, from: identity)
    flush()
    fail()
  }

  private func fail() {
    close()
    end()
  }

  func flush() {
    guard outbound.readableBytes > 0 else { return }
    deliver(outbound)
    outbound = ByteBuffer()
  }

  // MARK: Tunnel

  func beginTunnel(_ head: ResponseHead, _ status: CacheStatus) {
    write { ResponseWriter.upgrade(head, status, context, to: &$0) }
    served.began(101, status)
    loop.account(&served, from: identity)
    isTunnel = true
    flush()
    process()
  }

  func sendTunnel(_ bytes: ByteBuffer) {
    outbound.writeImmutableBuffer(bytes)
    flush()
  }

  func endTunnel() { fail() }
}
