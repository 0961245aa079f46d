/// The authority that the last request of a connection named: the next one nearly always names it again, and then need
/// not be looked at byte by byte.
struct LastHost: Sendable {
  /// Those of as many bytes are remembered.
  private static let counts = 8...32

  /// Its first and last sixteen bytes, which overlap in a short one.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  /// Its number of bytes; 0 if there is none.
  private var count = 0
  /// What is known of it.
  private var shape = Authority.Shape.empty

  /// What is known of the authority in `range`, if it is the same. O(1).
  @inline(__always)
  func shape(at range: Range<Int>, of bytes: Span<UInt8>) -> Authority.Shape? {
    count != 0 && range.count == count && words == Self.words(bytes, range) ? shape : nil
  }

  /// Remembers the authority in `range`. O(1).
  @inline(__always)
  mutating func note(_ shape: Authority.Shape, at range: Range<Int>, of bytes: Span<UInt8>) {
    guard Self.counts.contains(range.count) else { return }
    self.shape = shape
    count = range.count
    words = Self.words(bytes, range)
  }

  @inline(__always)
  private static func words(
    _ bytes: Span<UInt8>, _ range: Range<Int>
  ) -> (UInt64, UInt64, UInt64, UInt64) {
    let (first, last) = (range.lowerBound, range.upperBound &- 8)
    return (
      HeadScanner.word(bytes, at: first), HeadScanner.word(bytes, at: min(first &+ 8, last)),
      HeadScanner.word(bytes, at: max(first, last &- 8)), HeadScanner.word(bytes, at: last)
    )
  }
}
