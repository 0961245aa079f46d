import EdgeCache
import NIOCore

// Large content on its way to a client, piece by piece: from memory, from disk, or from a flight that gets
// it. A few pieces are asked for ahead, so that the way to the upstream and the disk is not waited for each
// time. What a client costs is these pieces, however long the content is.

/// Sends content that is kept in pieces.
final class PieceDelivery {
  private let response: StoredResponse
  private var parts: ArraySlice<Delivery.Part>
  private let status: CacheStatus
  private unowned let exchange: Exchange
  private weak var stream: (any ClientStream)?
  /// The piece that is being sent, and those after it.
  private var fetches: [PieceFetch] = []
  private var hasBegun = false
  private var isAdvancing = false
  private var advancesAgain = false
  private var isStopped = false
  /// True while a piece is sent from its file.
  private var isSendingFile = false

  /// Pieces that are asked for before it is their turn.
  private static let ahead = 2
  /// How long a piece waits for a disk that has much to write, in nanoseconds, and how often: a disk that is
  /// stuck slows nobody down much.
  private static let wait: Int64 = 5_000_000
  private static let mostWaits = 20
  /// How often a piece is asked for.
  private static let mostAttempts = 2

  init(
    _ response: StoredResponse, _ parts: [Delivery.Part], _ status: CacheStatus,
    for exchange: Exchange, to stream: any ClientStream
  ) {
    self.response = response
    self.parts = parts[...]
    self.status = status
    self.exchange = exchange
    self.stream = stream
  }

  /// Bytes that the client has taken.
  var taken: Int { stream?.taken ?? 0 }

  /// The client is gone. What is on its way is still of use to others.
  func stop() {
    isStopped = true
    let left = fetches
    fetches = []
    for fetch in left { fetch.exchange?.clientGone() }
  }

  /// Sends what there is and what there is room for.
  func advance() {
    if isAdvancing {
      advancesAgain = true
      return
    }
    isAdvancing = true
    repeat {
      advancesAgain = false
      while step() {}
    } while advancesAgain
    isAdvancing = false
  }

  /// True if there is more to do.
  private func step() -> Bool {
    guard !isStopped, !isSendingFile, let stream else { return false }
    switch parts.first {
    case nil:
      finish(stream)
      return false
    case .bytes(let bytes):
      guard begins() else { return false }
      stream.sendContent(bytes)
      parts.removeFirst()
      return true
    case .range(let range) where range.isEmpty:
      parts.removeFirst()
      return true
    case .range(let range):
      guard let fetch = fetch(range) else { return false }
      guard fetch.isReady else { return fetch.pump() }
      guard begins(), stream.isWritable else { return false }
      return send(range, of: fetch, to: stream)
    }
  }

  /// Writes the head, once it is known that there is content; false if that is not known yet.
  private func begins() -> Bool {
    if hasBegun { return true }
    guard let first = fetches.first(where: \.isReady) ?? firstFetch(), first.isReady else {
      return false
    }
    hasBegun = true
    var status = status
    if status.forward == nil, first.isForwarded {
      // What is not stored yet was asked for (RFC 9211 §2.2).
      let ttl = status.ttl
      status = .forwarded(.partial)
      status.ttl = ttl
      status.isStored = first.status.isStored
      status.isCollapsed = first.isCollapsed
    }
    stream?.sendStoredHead(response, status, request: exchange.request, key: exchange.key)
    return true
  }

  /// The piece that comes first, which a head of a part may come before.
  private func firstFetch() -> PieceFetch? {
    for part in parts {
      if case .range(let range) = part, !range.isEmpty {
        guard let fetch = fetch(range) else { return nil }
        if !fetch.isReady { _ = fetch.pump() }
        return fetch
      }
    }
    return nil
  }

  /// The piece in which a range begins; those after it are asked for too. Nil if this is over: a piece that cannot be
  /// had may say so before ``start(_:)`` returns.
  private func fetch(_ range: Range<Int>) -> PieceFetch? {
    let index = range.lowerBound / PiecedContent.pieceSize
    if let first = fetches.first, first.index != index {
      // Parts of one request may be in any order.
      let left = fetches.prefix { $0.index != index }
      fetches.removeFirst(left.count)
      for fetch in left where !fetch.isOver { fetch.exchange?.clientGone() }
    }
    let last = (range.upperBound - 1) / PiecedContent.pieceSize
    for next in index...min(last, index + Self.ahead) where fetches.count <= next - index {
      let fetch = PieceFetch(next, for: self)
      fetches.append(fetch)
      // Those ahead only once the first one is there: if it is not, there is no use for them.
      if next == index || hasBegun { start(fetch) }
      // It was let go again, and this too if it was the first.
      if fetches.last?.index != next { break }
    }
    for fetch in fetches where hasBegun && !fetch.isStarted {
      if fetches.contains(where: { $0 === fetch }) { start(fetch) }
    }
    return isStopped ? nil : fetches.first
  }

  private func start(_ fetch: PieceFetch) {
    guard let order = PieceOrder(fetch.index, of: response) else { return failed(fetch) }
    fetch.isStarted = true
    // What the disk has no time for would have to be asked for again by the next one.
    if fetch.waits < Self.mostWaits, exchange.isDiskBusy(order) {
      fetch.waits += 1
      _ = exchange.loop.reactor.schedule(after: Self.wait) { [weak self, weak fetch] in
        guard let self, let fetch, !self.isStopped, self.fetches.contains(where: { $0 === fetch })
        else { return }
        self.start(fetch)
        self.flush()
      }
      return
    }
    let child = Exchange(order, for: exchange, receiver: fetch)
    fetch.exchange = child
    child.start()
  }

  /// Sends what there is of a range; true if there is more to do.
  private func send(
    _ range: Range<Int>, of fetch: PieceFetch, to stream: any ClientStream
  ) -> Bool {
    guard let pieced = response.pieced else { return false }
    let piece = pieced.range(fetch.index)
    let wanted = range.clamped(to: piece)
    if let stored = fetch.stored {
      let inside = (wanted.lowerBound - piece.lowerBound)..<(wanted.upperBound - piece.lowerBound)
      parts[parts.startIndex] = .range(wanted.upperBound..<range.upperBound)
      if let file = stored.content.file {
        isSendingFile = true
        // What is being sent keeps the exchange, and that this.
        stream.sendFile(inside, of: file) { [self, exchange] in
          isSendingFile = false
          exchange.clientBecameWritable()
        }
        return false
      }
      stored.content.forEachPiece(in: inside) { stream.sendContent($0) }
      return true
    }
    guard let (start, bytes) = fetch.nextContent() else {
      if fetch.isOver { failed(fetch) } else if fetch.pump() { return true }
      return false
    }
    let there = (piece.lowerBound + start)..<(piece.lowerBound + start + bytes.readableBytes)
    let useful = there.clamped(to: wanted)
    if !useful.isEmpty, useful.lowerBound == wanted.lowerBound,
      let slice = bytes.getSlice(
        at: bytes.readerIndex + useful.lowerBound - there.lowerBound, length: useful.count)
    {
      stream.sendContent(slice)
      parts[parts.startIndex] = .range(useful.upperBound..<range.upperBound)
    }
    return true
  }

  private func finish(_ stream: any ClientStream) {
    isStopped = true
    let left = fetches
    fetches = []
    for fetch in left where !fetch.isOver { fetch.exchange?.clientGone() }
    stream.sendEnd(nil)
  }

  // MARK: What pieces tell

  /// True if a piece is the one that is being sent.
  func isCurrent(_ fetch: PieceFetch) -> Bool { fetches.first === fetch }

  /// True if the client takes more.
  var isWritable: Bool { stream?.isWritable ?? true }

  /// A piece has news.
  func news() {
    if !isStopped { advance() }
  }

  func flush() {
    stream?.flush()
  }

  /// A piece could not be had, or broke off.
  func failed(_ fetch: PieceFetch) {
    guard !isStopped, let stream else { return }
    guard let place = fetches.firstIndex(where: { $0 === fetch }) else { return }
    if fetch.attempts < Self.mostAttempts, !fetch.isChanged {
      // What was sent of it is not sent again: the range says what is missing.
      let again = PieceFetch(fetch.index, for: self)
      again.attempts = fetch.attempts + 1
      fetches[place] = again
      start(again)
      return
    }
    if place > 0 {
      // Perhaps its turn never comes, and if it does it is asked for again.
      for left in fetches[place...] where !left.isOver { left.exchange?.clientGone() }
      fetches.removeSubrange(place...)
      return
    }
    stop()
    if hasBegun {
      stream.abort(fetch.status)
    } else {
      exchange.passInstead()
    }
  }
}
