import NIOCore

// What is stored, record by record, and what a PoP would serve of it.

/// A stored response as it lies on disk.
public struct DiskRecord: Sendable {
  /// Whether a PoP would serve it, and why not.
  public enum State: Sendable, Hashable {
    /// It would, as far as its head tells.
    case alive
    /// The purge with this number covers it.
    case purged(UInt64)
    /// It was taken out by an unsafe request, a validation, or a newer response.
    case removed
    /// There is a newer one for the same requests.
    case hidden
    /// Another record of the same URL is damaged: nobody knows what that would have replaced.
    case behindDamage
    /// A piece of content whose head is gone.
    case orphaned
  }

  /// The response without its content.
  public let response: StoredResponse
  /// Whether a PoP would serve it.
  public let state: State
  /// The number of the newest purge when its request left.
  public let stamp: UInt64
  /// The segment that it is in, and where it begins there.
  public let segment: Int
  public let offset: Int
  /// Bytes that it takes there, with key and head.
  public let bytesOnDisk: Int
  /// Bytes of content in this record.
  public let contentBytes: Int
  /// Which piece of large content it is, from 0; nil if it is none.
  public let piece: Int?

  /// The URL; that of the content for a piece of it, with its number.
  public var url: String { response.key.readableURL }
  /// The host in lower case.
  public var host: String {
    String(decoding: response.key.bytes[..<response.key.hostCount], as: UTF8.self)
  }
  /// Path and query.
  public var target: String {
    let key = response.key.withoutPiece
    return String(decoding: key.bytes[key.pathRange], as: UTF8.self)
  }
  /// The entity tag.
  public var etag: String? { response.head.fields.text(.etag) }
  /// What it may be purged by.
  public var tags: [String] {
    CacheTag.names(response.head).map { String(decoding: $0, as: UTF8.self) }
  }
  /// Bytes of the content, wherever they are: for large content the head counts for all.
  public var size: Int { response.pieced?.count ?? contentBytes }

  init(_ found: DiskInspection.Head, state: State, segment: Int, offset: Int) {
    response = found.response
    self.state = state
    stamp = found.header.stamp
    self.segment = segment
    self.offset = offset
    bytesOnDisk = found.header.total
    contentBytes = found.header.contentCount
    piece = found.key.piece
  }
}

extension CacheKey {
  /// Bytes that the key of a piece has behind that of its content: see ``PiecedContent``.
  private static let pieceBytes = 25

  private var pieceRange: Range<Int>? {
    let start = bytes.count - Self.pieceBytes
    return start >= hostCount && bytes[start] == 0 ? start..<bytes.count : nil
  }

  /// Which piece of large content it is the key of.
  var piece: Int? {
    guard let range = pieceRange else { return nil }
    var reader = DiskReader(bytes, (range.upperBound - 8)..<range.upperBound)
    return reader.read(UInt64.self).flatMap { Int(exactly: $0) }
  }

  /// The name of the content that it is a piece of.
  var pieceName: KeyHash? {
    guard let range = pieceRange else { return nil }
    var reader = DiskReader(bytes, (range.lowerBound + 1)..<range.upperBound)
    guard let low = reader.read(UInt64.self), let high = reader.read(UInt64.self) else {
      return nil
    }
    return KeyHash(low: low, high: high)
  }

  /// The key of the content that it is a piece of. It is not there to look anything up.
  var withoutPiece: CacheKey {
    guard let range = pieceRange else { return self }
    return CacheKey(
      stored: Array(bytes[..<range.lowerBound]), hostCount: hostCount, scheme: scheme, hash: hash)
  }

  /// The URL, with the number of the piece if it is one.
  var readableURL: String {
    piece.map { "\(withoutPiece.url) [piece \($0)]" } ?? url
  }
}
