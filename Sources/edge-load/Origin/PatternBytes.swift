// Content of any length that nobody has to store: byte i of /bytes/N depends on N and i alone. Two
// origins, two requests and every byte range agree, so a test can tell whether a cache joined,
// truncated or mixed responses.

import NIOCore

/// The generated content of `/bytes/N`.
struct PatternBytes: Equatable, Sendable {
  /// The content's length, which also seeds it.
  let count: Int
  /// Bytes that the content repeats over and over.
  private let period: [UInt8]
  /// Where in them it begins.
  private var start = 0

  /// The length after which the content repeats: a prime, so that pieces which were joined at a
  /// wrong place show, whatever power of two they were cut at.
  private static let longestPeriod = 65_521

  /// The content of `count` bytes. O(1) past 64 KiB.
  init(count: Int) {
    self.count = count
    let length = min(count, Self.longestPeriod)
    period = (0..<length).map { index in
      UInt8(truncatingIfNeeded: Self.word(index / 8, seed: count) >> UInt64(index % 8 * 8))
    }
  }

  /// The content behind a generated name. O(1): all of them are the same bytes over and over, each
  /// from a place of its own.
  init(_ name: GeneratedName) {
    count = name.size
    period = Self.shared
    start = Int(name.seed % UInt64(Self.longestPeriod))
  }

  private static let shared = PatternBytes(count: longestPeriod).period

  /// The entity tag of this content.
  var entityTag: String { "\"bytes-\(count)\"" }

  /// Eight bytes of the content: SplitMix64's output function on a counter.
  private static func word(_ index: Int, seed: Int) -> UInt64 {
    var mixed = UInt64(truncatingIfNeeded: seed) &* 0xD134_2543_DE82_EF95
    mixed &+= UInt64(truncatingIfNeeded: index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Appends the bytes of a range of the content. O(range length).
  func append(_ range: Range<Int>, to buffer: inout ByteBuffer) {
    var position = range.lowerBound
    while position < range.upperBound {
      let from = (start + position) % period.count
      let end = min(period.count, from + range.upperBound - position)
      buffer.writeBytes(period[from..<end])
      position += end - from
    }
  }
}
