// Content that is too large to be kept as a whole is kept in pieces: stored responses of their own, under
// keys that only the head of the content leads to. Whatever takes the head out (a purge, a validation that
// finds something new) so takes out all pieces at once, and a piece that arrives late belongs to nobody.

// What memory keeps as one is written to disk in pieces too when it is large: so it is read and checked a piece at a
// time, and need not fit into a segment.

/// What a stored head knows of content that is kept in pieces.
public struct PiecedContent: Sendable, Hashable {
  /// Bytes of a piece; the last one may be shorter.
  public static let pieceSize = 1 << 20

  /// Names the pieces: the same URL has others the next time.
  let name: KeyHash
  /// Bytes of the whole content.
  public let count: Int

  /// Number of pieces.
  public var pieces: Int { (count + Self.pieceSize - 1) / Self.pieceSize }

  /// The bytes of a piece.
  public func range(_ piece: Int) -> Range<Int> {
    piece * Self.pieceSize..<min((piece + 1) * Self.pieceSize, count)
  }

  /// Content of up to so many bytes is written to disk as it is.
  static let largestWhole = 2 << 20

  /// A response as it is written to disk: a head, and the pieces that it leads to.
  struct Split: Sendable {
    let head: StoredResponse
    let pieces: [StoredResponse]
  }

  /// The key of a piece of the content at `key`. No request has such a key: a target has no NUL.
  func key(_ piece: Int, of key: CacheKey, secret: HashSecret) -> CacheKey {
    var writer = DiskWriter(capacity: 32)
    writer.write(UInt8(0))
    writer.write(name.low)
    writer.write(name.high)
    writer.write(UInt64(piece))
    return key.appending(writer.bytes, secret: secret)
  }
}

extension Store {
  /// A response as it is to be written to the tier below, if not as it is. O(pieces), and nothing is copied.
  func inPieces(_ response: StoredResponse, now: Instant) -> PiecedContent.Split? {
    guard lower != nil, response.content.count > PiecedContent.largestWhole,
      response.content.file == nil, response.parts == nil, response.head.trailers == nil
    else { return nil }
    let pieced = PiecedContent(name: newPieceName(now), count: response.content.count)
    let head = StoredResponse(
      key: response.key, selector: response.selector, head: response.head,
      freshness: response.freshness, content: .empty,
      pieced: pieced)
    let pieces = (0..<pieced.pieces).map { index in
      StoredResponse(
        key: pieced.key(index, of: response.key, secret: secret), selector: .any, head: .ofPiece,
        freshness: .ofPiece(now), content: response.content.slice(pieced.range(index)))
    }
    return PiecedContent.Split(head: head, pieces: pieces)
  }

  /// True if bytes of content that is kept in pieces can be sent: all pieces are there, as far as can be told
  /// without reading them, or those that are not can be asked for, which `mayAsk` allows. O(pieces).
  public func canSend(
    _ ranges: [Range<Int>], of response: StoredResponse, mayAsk: Bool = true
  ) -> Bool {
    guard let pieced = response.pieced, !(mayAsk && response.head.canAskForParts) else {
      return true
    }
    return ranges.allSatisfy { range in
      range.isEmpty
        || (range.lowerBound / PiecedContent.pieceSize...(range.upperBound - 1)
          / PiecedContent.pieceSize).allSatisfy { index in
            let key = pieced.key(index, of: response.key, secret: secret)
            return lower?.mayHave(key.hash) == true || isInMemory(key)
          }
    }
  }
}

extension StoredHead {
  /// True if the origin can be asked for parts of this very content (RFC 9110 §13.1.5, §14.3).
  var canAskForParts: Bool { hasStrongETag && fields.hasElement(.acceptRanges, "bytes") }
}

extension CacheKey {
  /// True for the key of a piece.
  var isOfPiece: Bool {
    let suffix = 25
    return bytes.count >= hostCount + suffix && bytes[bytes.count - suffix] == 0
  }
}
