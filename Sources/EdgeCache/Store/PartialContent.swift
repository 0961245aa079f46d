import NIOCore

// Putting parts of one content together (RFC 9111 §3.4): only under the same strong validator, and
// only where they touch.

enum PartialContent {
  /// What is stored in part and what has just come in part, as one; nil if they do not belong
  /// together or would be larger than what may be stored. O(bytes).
  static func join(
    _ stored: StoredResponse, _ head: FlightHead, _ content: Content, limits: StoreLimits
  ) -> (Content, ContentPart?)? {
    guard let old = stored.part, let new = head.part, let joined = old.joined(with: new),
      content.count == new.range.count, stored.content.count == old.range.count,
      joined.range.count <= limits.largestResponse,
      let tag = stored.head.etag, let other = head.head.etag
    else { return nil }
    let (oldHead, newHead) = (stored.head.storage, head.head.storage)
    guard EntityTag.stronglyEqual(oldHead.span, tag.range, newHead.span, other.range)
    else { return nil }
    var chunks: [ByteBuffer] = []
    // Where both have the same bytes, those that came last are taken (RFC 9110 §15.3.7.3).
    if old.range.lowerBound < new.range.lowerBound {
      stored.content.forEachPiece(in: 0..<(new.range.lowerBound - old.range.lowerBound)) {
        chunks.append($0)
      }
    }
    chunks += content.pieces
    if old.range.upperBound > new.range.upperBound {
      stored.content.forEachPiece(
        in: (new.range.upperBound - old.range.lowerBound)..<old.range.count
      ) { chunks.append($0) }
    }
    return (
      Content(copying: chunks, count: joined.range.count), joined.isComplete ? nil : joined
    )
  }
}
