// URLs that say what is behind them: `/w/SIZE/NAME.HASH.EXT`. The load generator makes them up and
// the sample origin answers them, so that a workload of a million URLs needs no file. The two agree
// on the entity tag too, without having talked.

/// The parts of a generated URL that content and validators follow from.
struct GeneratedName: Equatable, Sendable {
  /// Bytes of content.
  var size: Int
  /// A number that follows from the last path segment; content begins differently for each.
  var seed: UInt64

  /// The largest size that is answered.
  static let largest = 1 << 30

  /// The entity tag of the content, with its quotes.
  var entityTag: String { "\"w-\(size)-\(String(seed & 0xFFFF_FFFF, radix: 16))\"" }

  /// What a size and a last path segment name.
  init(size: Int, name: some Sequence<UInt8>) {
    self.size = size
    // FNV-1a.
    seed = name.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }

  /// Reads the segments of a path below `/w/`; nil if it is none of these.
  init?(segments: [String]) {
    guard segments.count == 2, let size = Int(segments[0]), size >= 0, size <= Self.largest else {
      return nil
    }
    self.init(size: size, name: segments[1].utf8)
  }

  /// The path of a name with a hash in it, as a build tool would write it: new content, new name.
  static func path(size: Int, name: String, hash: UInt64) -> [UInt8] {
    let digits = String(hash & 0xFFFF_FFFF_FFFF, radix: 16)
    let padded = String(repeating: "0", count: 12 - digits.count) + digits
    return Array("/w/\(size)/\(name).\(padded).js".utf8)
  }

  /// The name behind a path that `path(size:name:hash:)` made.
  init(path: [UInt8], size: Int) {
    let last = path.lastIndex(of: 0x2F).map { path[($0 + 1)...] } ?? path[...]
    self.init(size: size, name: last)
  }
}
