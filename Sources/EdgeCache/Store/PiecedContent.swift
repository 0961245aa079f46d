// Content that is too large to be kept as a whole is kept in pieces: stored responses of their own, under
// keys that only the head of the content leads to. Whatever takes the head out (a purge, a validation that
// finds something new) so takes out all pieces at once, and a piece that arrives late belongs to nobody.

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

extension CacheKey {
  /// True for the key of a piece.
  var isOfPiece: Bool {
    let suffix = 25
    return bytes.count >= hostCount + suffix && bytes[bytes.count - suffix] == 0
  }
}
