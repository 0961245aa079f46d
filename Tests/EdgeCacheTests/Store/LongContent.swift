import NIOCore

@testable import EdgeCache

/// Content of any length that is quickly made and compared: byte n is the same whoever asks, and no two places a
/// block apart are alike.
enum LongContent {
  private static let period = 65_521
  private static let pattern = ByteBuffer(
    bytes: (0..<(2 * period)).map {
      UInt8(truncatingIfNeeded: ($0 % period) &* 31 &+ ($0 % period) >> 8)
    })

  /// `count` bytes from `start` on. O(count).
  static func buffer(_ count: Int, from start: Int = 0) -> ByteBuffer {
    var buffer = ByteBufferAllocator().buffer(capacity: count)
    while buffer.readableBytes < count {
      let place = (start + buffer.readableBytes) % period
      let size = min(period, count - buffer.readableBytes)
      if let slice = pattern.getSlice(at: place, length: size) {
        buffer.writeImmutableBuffer(slice)
      }
    }
    return buffer
  }

  /// True if these are the bytes from `start` on.
  static func matches(_ bytes: ByteBuffer, from start: Int = 0) -> Bool {
    bytes == buffer(bytes.readableBytes, from: start)
  }

  /// True if these are all of `count` bytes.
  static func matches(_ bytes: [UInt8], count: Int, from start: Int = 0) -> Bool {
    bytes.count == count && matches(ByteBuffer(bytes: bytes), from: start)
  }
}
