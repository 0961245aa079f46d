import EdgeCache
import NIOCore

/// One piece on its way to a delivery.
final class PieceFetch: ResponseReceiver {
  let index: Int
  private weak var delivery: PieceDelivery?
  var exchange: Exchange?
  var isStarted = false
  var attempts = 1
  var waits = 0
  /// The whole piece, if it is stored.
  private(set) var stored: StoredResponse?
  /// True if a flight brings it.
  private(set) var isForwarded = false
  private(set) var isCollapsed = false
  /// True when nothing more comes.
  private(set) var isOver = false
  /// True if the content is not what it was.
  private(set) var isChanged = false
  private(set) var status = CacheStatus()
  private var contents = CircularBuffer<ByteBuffer>()
  /// Bytes that were taken.
  private var handedOn = 0
  private var isPumping = false

  init(_ index: Int, for delivery: PieceDelivery) {
    self.index = index
    self.delivery = delivery
  }

  /// True once there is content, or will be.
  var isReady: Bool { stored != nil || isForwarded }

  /// The next content, and where in the piece it begins.
  func nextContent() -> (start: Int, ByteBuffer)? {
    guard let bytes = contents.popFirst() else { return nil }
    defer { handedOn += bytes.readableBytes }
    return (handedOn, bytes)
  }

  /// Takes what the flight has; true if that was anything.
  func pump() -> Bool {
    if isPumping || isOver { return false }
    isPumping = true
    defer { isPumping = false }
    let before = (contents.count, isReady)
    exchange?.clientBecameWritable()
    return before != (contents.count, isReady)
  }

  private func tell() {
    if !isPumping { delivery?.news() }
  }

  // MARK: ResponseReceiver

  var isWritable: Bool {
    // What it has is sent before more is taken; those whose turn it is not wait in their flight.
    guard let delivery, delivery.isCurrent(self) else { return false }
    return delivery.isWritable && contents.isEmpty
  }

  /// What follows is behind what its client was sent before.
  var taken: Int { delivery?.taken ?? 0 }

  func sendInterim(_ head: ResponseHead) {}

  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey?,
    now: Instant
  ) {
    self.stored = stored
    self.status = status
    isForwarded = status.forward != nil
    isOver = true
    exchange = nil
    tell()
  }

  func sendFlightHead(_ head: FlightHead, _ status: CacheStatus, whole: Bool, key: CacheKey) {
    self.status = status
    isForwarded = true
    isCollapsed = status.isCollapsed
    tell()
  }

  func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus, key: CacheKey) {
    fail(status)
  }

  func sendContent(_ content: ByteBuffer) {
    contents.append(content)
    tell()
  }

  func sendEnd(_ trailers: FieldSection?) {
    isOver = true
    exchange = nil
    tell()
  }

  func sendError(_ code: Int, _ status: CacheStatus) {
    fail(status)
  }

  func abort(_ status: CacheStatus) {
    fail(status)
  }

  private func fail(_ status: CacheStatus) {
    self.status = status
    if case .failed(.contentChanged)? = status.detail { isChanged = true }
    if case .onlyIfCached? = status.detail { isChanged = true }
    isOver = true
    exchange = nil
    delivery?.failed(self)
  }

  func flush() {
    delivery?.flush()
  }
}
