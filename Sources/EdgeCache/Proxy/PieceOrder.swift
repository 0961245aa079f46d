import NIOCore

// Large content, piece by piece: which responses are kept so, and what one piece asks of the upstream.

/// One piece of content that is kept in pieces, for a transaction that gets it.
public struct PieceOrder: Sendable {
  /// The stored head that leads to it.
  public let response: StoredResponse
  /// Its number.
  public let index: Int
  /// Its bytes within the content.
  public let range: Range<Int>

  /// A piece of a response, if it is kept in pieces.
  public init?(_ index: Int, of response: StoredResponse) {
    guard let pieced = response.pieced, index < pieced.pieces else { return nil }
    self.response = response
    self.index = index
    range = pieced.range(index)
  }

  /// The key that it is stored under.
  public func key(_ secret: HashSecret) -> CacheKey {
    guard let pieced = response.pieced else { return response.key }
    return pieced.key(index, of: response.key, secret: secret)
  }

  /// What a flight brings whose response has this head; nil if that is not the piece: the content has
  /// changed, or the upstream knows no ranges (RFC 9110 §13.1.5, §14.2).
  func flightHead(_ head: ResponseHead, now: Instant) -> FlightHead? {
    guard head.status == 206, let part = ContentPart(head), part.range == range,
      part.completeLength == response.completeLength, let etag = response.head.etag,
      let sent = head.fields.only(.etag)
    else { return nil }
    let (own, other) = (response.head.storage, head.fields.copy(sent))
    guard EntityTag.stronglyEqual(own.span, etag.range, other.span, 0..<other.count) else {
      return nil
    }
    return FlightHead(
      head: .ofPiece, freshness: .ofPiece(now), selector: .any, contentLength: range.count)
  }

  /// What is known of content that is to be kept in pieces, from the head of a response that may be stored;
  /// nil if it is small enough, or if nothing says that the upstream has ranges of it which can be told from
  /// those of other content.
  static func kept(
    _ head: ResponseHead, _ accepted: Storability.Accepted, request: RequestHead, store: Store,
    now: Instant
  ) -> PiecedContent? {
    guard store.keepsPieces, request.method == .get,
      !head.fields.isDictionaryCoded,
      let etag = head.fields.only(.etag),
      !EntityTag.isWeak(head.fields.bytes.readableBytesUInt8Span, etag.range)
    else { return nil }
    let count: Int?
    switch head.status {
    case 206: count = accepted.part?.completeLength
    case 200 where head.fields.hasElement(.acceptRanges, "bytes"): count = head.contentLength
    default: count = nil
    }
    guard let count, count > store.limits.largestResponse else { return nil }
    return PiecedContent(name: store.newPieceName(now), count: count)
  }
}

extension StoredHead {
  /// The head of a piece, which nobody sees.
  static let ofPiece: StoredHead = {
    let line = Array("HTTP/1.1 200 OK\r\n".utf8)
    guard
      let head = StoredHead(
        storage: line, count: line.count, statusLineCount: line.count, status: 200, etag: nil,
        lastModified: nil, date: nil)
    else { invariantFailed("a status line is a head") }
    return head
  }()
}

extension Freshness {
  /// A piece is good for as long as a head leads to it.
  static func ofPiece(_ now: Instant) -> Freshness {
    Freshness(
      responseTime: now, initialAge: 0, lifetime: 1 << 40, source: .none, field: .cacheControl,
      alwaysValidate: false, neverStale: false, immutable: true, staleIfError: nil,
      staleWhileRevalidate: 0)
  }
}
