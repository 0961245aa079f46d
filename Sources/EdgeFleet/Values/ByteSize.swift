// Sizes in configuration are text with a binary unit, because a bare number of bytes is misread and
// "MB" means two things. The printed form parses back to the same size.

/// A number of bytes, written like `256MiB`.
public struct ByteSize: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The size in bytes; never negative.
  public let bytes: Int

  /// A size of `bytes`, which must not be negative.
  public init(bytes: Int) {
    precondition(bytes >= 0, "a size is not negative")
    self.bytes = bytes
  }

  /// A size of `count` mebibytes.
  public static func mebibytes(_ count: Int) -> ByteSize { ByteSize(bytes: count << 20) }

  private static let units: [(name: String, bytes: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1),
  ]

  /// Reads a whole number followed by `KiB`, `MiB`, `GiB`, `B` or nothing (bytes).
  public init(parsing text: String) throws(ValueProblem) {
    let digits = text.utf8.prefix(while: \.isDigit)
    let unit = text.utf8.dropFirst(digits.count)
    guard !digits.isEmpty,
      let scale = Self.units.first(where: { $0.name.utf8.elementsEqual(unit) })?.bytes
    else {
      throw ValueProblem(text, "is not a size; write it like 256MiB (units: B, KiB, MiB, GiB)")
    }
    guard let count = Int(String(digits) ?? ""),
      case let (bytes, overflow) = count.multipliedReportingOverflow(by: scale), !overflow
    else { throw ValueProblem(text, "is too large for a size; at most \(Int.max) bytes") }
    self.bytes = bytes
  }

  /// The size in the largest unit which states it exactly.
  public var description: String {
    guard bytes > 0, let unit = Self.units.first(where: { bytes % $0.bytes == 0 }) else {
      return "0B"
    }
    return "\(bytes / unit.bytes)\(unit.name)"
  }

  /// Orders sizes by their number of bytes.
  public static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}
