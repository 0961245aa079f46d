// Content of any length that nobody has to store: byte i of /bytes/N depends on N and i alone. Two
// origins, two requests and every byte range agree, so a test can tell whether a cache joined,
// truncated or mixed responses.

import NIOCore

/// The generated content of `/bytes/N`.
struct PatternBytes: Equatable, Sendable {
  /// The content's length, which also seeds it.
  let count: Int

  /// The entity tag of this content.
  var entityTag: String { "\"bytes-\(count)\"" }

  /// The eight bytes at `8 * index`: SplitMix64's output function on a counter.
  private func word(_ index: Int) -> UInt64 {
    var mixed = UInt64(truncatingIfNeeded: count) &* 0xD134_2543_DE82_EF95
    mixed &+= UInt64(truncatingIfNeeded: index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Appends the bytes of a range of the content. O(range length).
  func append(_ range: Range<Int>, to buffer: inout ByteBuffer) {
    var position = range.lowerBound
    while position < range.upperBound {
      let bytes = word(position / 8)
      let offset = position % 8
      if offset == 0 && range.upperBound - position >= 8 {
        buffer.writeInteger(bytes, endianness: .little)
        position += 8
      } else {
        buffer.writeInteger(UInt8(truncatingIfNeeded: bytes >> UInt64(offset * 8)))
        position += 1
      }
    }
  }
}
