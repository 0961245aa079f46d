import NIOCore

// Putting parts of one content together (RFC 9111 §3.4): only under the same strong validator. Those that touch
// become one; others are kept beside each other.

enum PartialContent {
  /// Buffers of up to so many bytes become one where they touch.
  private static let small = 64 << 10

  /// What is stored in part with what has just come in part; nil if they do not belong together, or would be larger
  /// or more than what may be stored. What is stored is not copied, but for small pieces that touch what came.
  /// O(parts).
  static func join(
    _ stored: StoredResponse, _ head: FlightHead, _ content: Content, limits: StoreLimits
  ) -> (Content, StoredParts)? {
    guard let old = stored.parts, let new = head.part, content.count == new.range.count,
      stored.content.count == old.count, let (parts, pieces) = old.adding(new),
      parts.count <= limits.largestResponse, parts.ranges.count <= StoredParts.most,
      let tag = stored.head.etag, let other = head.head.etag
    else { return nil }
    let (oldHead, newHead) = (stored.head.storage, head.head.storage)
    guard EntityTag.stronglyEqual(oldHead.span, tag.range, newHead.span, other.range)
    else { return nil }
    var buffers: [ByteBuffer] = []
    for (index, piece) in pieces.enumerated() {
      // Whether it touches what is new: only then it may grow.
      let touches = index > 0 && (piece == nil || pieces[index - 1] == nil)
      if let piece {
        stored.content.forEachPiece(in: piece) {
          append($0.compacted(), to: &buffers, joins: touches)
        }
      } else {
        for buffer in content.pieces { append(buffer, to: &buffers, joins: touches) }
      }
    }
    return (Content(sharing: buffers, count: parts.count), parts)
  }

  private static func append(_ buffer: ByteBuffer, to buffers: inout [ByteBuffer], joins: Bool) {
    guard joins, let last = buffers.last, last.readableBytes + buffer.readableBytes <= small else {
      return buffers.append(buffer)
    }
    var joined = ByteBufferAllocator().buffer(capacity: last.readableBytes + buffer.readableBytes)
    joined.writeImmutableBuffer(last)
    joined.writeImmutableBuffer(buffer)
    buffers[buffers.count - 1] = joined
  }
}
