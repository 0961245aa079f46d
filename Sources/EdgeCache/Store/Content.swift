import NIOCore

/// The content of a stored response, in a few pieces.
///
/// The allocator gives powers of two. A single buffer would waste a quarter of the memory on
/// average; pieces that follow the binary digits of the length keep the waste under a sixteenth.
public struct Content: Sendable {
  /// The pieces in order; none is empty.
  public let pieces: [ByteBuffer]
  /// Number of bytes of content.
  public let count: Int
  /// Number of bytes of memory that the pieces take.
  public let capacity: Int

  /// Content of no bytes.
  public static let empty = Content(copying: [], count: 0)

  /// A copy of `chunks`, which hold `count` bytes. O(count).
  public init(copying chunks: [ByteBuffer], count: Int) {
    var pieces: [ByteBuffer] = []
    var capacity = 0
    var remaining = count
    let allocator = ByteBufferAllocator()
    func nextPiece() -> ByteBuffer {
      let floor = 1 << (Int.bitWidth - 1 - remaining.leadingZeroBitCount)
      let exact = floor == remaining || floor * 2 - remaining <= max(64, count / 16)
      let size = exact ? remaining : floor
      remaining -= size
      return allocator.buffer(capacity: size)
    }
    var piece: ByteBuffer?
    func finish() {
      guard let full = piece, full.readableBytes > 0 else { return }
      capacity += full.storageCapacity
      pieces.append(full)
      piece = nil
    }
    var room = 0
    for chunk in chunks {
      var chunk = chunk
      while chunk.readableBytes > 0 {
        if room == 0 {
          finish()
          let before = remaining
          invariant(before > 0, "content is longer than was announced")
          piece = nextPiece()
          room = before - remaining
        }
        let size = min(room, chunk.readableBytes)
        if var slice = chunk.readSlice(length: size) { piece?.writeBuffer(&slice) }
        room -= size
      }
    }
    finish()
    invariant(remaining == 0 && room == 0, "content is shorter than was announced")
    self.pieces = pieces
    self.count = count
    self.capacity = capacity
  }

  /// Calls `body` with the pieces of a part of the content, not copied. O(pieces).
  public func forEachPiece(in range: Range<Int>, _ body: (ByteBuffer) -> Void) {
    var start = 0
    for piece in pieces {
      let lower = max(range.lowerBound, start)
      let upper = min(range.upperBound, start + piece.readableBytes)
      if lower < upper {
        if upper - lower == piece.readableBytes {
          body(piece)
        } else if let slice = piece.getSlice(
          at: piece.readerIndex + lower - start, length: upper - lower)
        {
          body(slice)
        }
      }
      start += piece.readableBytes
    }
  }
}
