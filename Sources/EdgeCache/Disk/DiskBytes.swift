import CXXHash

// How values lie on disk: little endian, one behind the other, and checked with XXH3.
//
// Unsafe memory. Invariants: the pointer given to the library is that of a span, with its own count, and
// lives across the call; an integer is loaded only where as many bytes are left, and an array checks
// nothing, so `index` is never below 0 nor `end` above its count.

/// The checksum of bytes on disk: XXH3 with 64 bits, which takes a tenth of the time of a CRC that is
/// computed without special instructions, and leaves 2^-64 where that leaves 2^-32.
enum Checksum {
  /// The checksum of some bytes. O(bytes), about 10 GB/s.
  static func of(_ bytes: Span<UInt8>) -> UInt64 {
    bytes.withUnsafeBufferPointer { XXH3_64bits($0.baseAddress, $0.count) }
  }

  /// The checksum of some bytes, another one for each seed.
  static func of(_ bytes: Span<UInt8>, seed: UInt64) -> UInt64 {
    bytes.withUnsafeBufferPointer { XXH3_64bits_withSeed($0.baseAddress, $0.count, seed) }
  }

  /// The checksum of a part of some bytes.
  static func of(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
    of(bytes.span.extracting(range))
  }
}

/// Appends values in the form in which they lie on disk.
struct DiskWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int) {
    bytes.reserveCapacity(capacity)
  }

  mutating func write(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ other: [UInt8]) {
    bytes.append(contentsOf: other)
  }

  /// Writes a length and that many bytes.
  mutating func writeCounted(_ other: [UInt8]) {
    write(UInt32(truncatingIfNeeded: other.count))
    bytes.append(contentsOf: other)
  }

  /// Writes a length and that many bytes, or that there are none.
  mutating func writeCounted(_ other: [UInt8]?) {
    guard let other else { return write(UInt32.max) }
    writeCounted(other)
  }

  /// Writes zeros until there are so many bytes.
  mutating func fill(to count: Int) {
    invariant(bytes.count <= count, "more on disk than there is room for")
    bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
  }

  /// Writes the checksum of all bytes so far, at `offset` or behind as many zeros as that takes.
  mutating func seal(at offset: Int) {
    fill(to: offset)
    write(Checksum.of(bytes.span))
  }
}

/// Reads values off the disk; what is beyond the bytes, or too long, is nil.
struct DiskReader {
  private let bytes: [UInt8]
  private var index: Int
  private let end: Int

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    index = max(0, range.lowerBound)
    end = min(bytes.count, range.upperBound)
  }

  init(_ bytes: [UInt8]) {
    self.init(bytes, 0..<bytes.count)
  }

  var isAtEnd: Bool { index == end }

  mutating func read<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
    let count = Value.bitWidth / 8
    guard end - index >= count else { return nil }
    let value = bytes.withUnsafeBytes {
      $0.loadUnaligned(fromByteOffset: index, as: Value.self)
    }
    index += count
    return Value(littleEndian: value)
  }

  /// So many bytes.
  mutating func read(_ count: Int) -> [UInt8]? {
    guard count >= 0, end - index >= count else { return nil }
    defer { index += count }
    return Array(bytes[index..<(index + count)])
  }

  /// Skips a mark; nil if something else is there.
  mutating func expect(_ text: StaticString) -> Void? {
    guard let found = read(text.utf8CodeUnitCount) else { return nil }
    return text.withUTF8Buffer({ found.elementsEqual($0) }) ? () : nil
  }

  /// A length and that many bytes; `.some(nil)` if there were none.
  mutating func readCounted() -> [UInt8]?? {
    guard let count = read(UInt32.self) else { return nil }
    if count == UInt32.max { return .some(nil) }
    guard let found = read(Int(count)) else { return nil }
    return found
  }
}
