import NIOCore

// Writes a head into memory that is known to be large enough: one check and one copy for each piece,
// where `ByteBuffer` would look at its ownership, its capacity and its indices every time. Heads are
// written piece by piece, so this is a good part of what a hit costs.
//
// Unsafe memory. Invariant: `count` bytes from `base` are written and lie within `room`; each write
// checks that it fits before it copies, and traps if the caller's bound was wrong.

/// A place in a buffer to which the bytes of a head are written one after another.
struct HeadCursor: ~Copyable {
  private let base: UnsafeMutableRawPointer
  private let room: Int
  fileprivate private(set) var count = 0

  fileprivate init(_ memory: UnsafeMutableRawBufferPointer) {
    invariant(memory.baseAddress != nil, "a head is written to nowhere")
    base = memory.baseAddress!
    room = memory.count
  }

  @inline(__always)
  private mutating func append(_ source: UnsafeRawPointer?, _ length: Int) {
    if length == 0 { return }
    invariant(length <= room &- count, "a head is longer than its bound")
    (base + count).copyMemory(from: source!, byteCount: length)
    count &+= length
  }

  /// Writes a literal.
  @inline(__always)
  mutating func write(_ text: StaticString) {
    append(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Writes some bytes.
  @inline(__always)
  mutating func write(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0.baseAddress, $0.count) }
  }

  /// Writes the readable bytes of a buffer.
  @inline(__always)
  mutating func write(_ buffer: ByteBuffer) {
    buffer.withUnsafeReadableBytes { append($0.baseAddress, $0.count) }
  }

  /// Writes a number in decimal digits.
  mutating func write(decimal value: Int) {
    invariant(value >= 0 && room &- count >= 20, "a head is longer than its bound")
    var digits = 1
    var rest = value
    while rest >= 10 {
      rest /= 10
      digits &+= 1
    }
    rest = value
    var index = count &+ digits
    count = index
    repeat {
      index &-= 1
      let quotient = rest / 10
      base.storeBytes(
        of: ASCII.zero &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10), toByteOffset: index,
        as: UInt8.self)
      rest = quotient
    } while rest > 0
  }
}

extension ByteBuffer {
  /// Writes a head of at most `bound` bytes with `body`.
  @inline(__always)
  mutating func writeHead(upTo bound: Int, _ body: (inout HeadCursor) -> Void) {
    writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { memory in
      var cursor = HeadCursor(memory)
      body(&cursor)
      return cursor.count
    }
  }

  /// Writes a number in decimal digits. O(digits).
  mutating func writeDecimal(_ value: Int) {
    if value < 0 {
      writeInteger(ASCII.dash)
      // Int.min has no positive counterpart; no caller comes near it.
      return writeDecimal(value == .min ? .max : -value)
    }
    writeHead(upTo: 20) { $0.write(decimal: value) }
  }
}
