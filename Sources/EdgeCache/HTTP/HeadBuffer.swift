import NIOCore

// Writes a head piece by piece into memory that grows only when it must: one check and one copy for
// each piece, where `ByteBuffer` would look at its ownership, its capacity and its indices every
// time. A head has some thirty pieces, so this is a good part of what a response costs. The names are
// those of `ByteBuffer`.
//
// Unsafe memory. Invariant: `base` is where the writable bytes of `buffer` begin, of which there are
// `room`; nobody else has a reference to that memory, so it stays where it is until `buffer` grows,
// which is done in one place, and `base` is taken anew there. `count` bytes from `base` are written.

/// The memory of a buffer while a head is written into it.
public struct HeadBuffer: ~Copyable {
  private var buffer: ByteBuffer
  private var base: UnsafeMutableRawPointer
  private var room: Int
  private var count = 0

  /// Takes the memory of `buffer`, with room for so many more bytes.
  fileprivate init(taking buffer: inout ByteBuffer, room: Int) {
    self.buffer = buffer
    buffer = ByteBuffer()
    (base, self.room) = Self.memory(of: &self.buffer, room: max(room, 64))
  }

  private static func memory(
    of buffer: inout ByteBuffer, room: Int
  ) -> (UnsafeMutableRawPointer, Int) {
    buffer.reserveCapacity(minimumWritableBytes: room)
    return buffer.withUnsafeMutableWritableBytes { memory in
      guard let base = memory.baseAddress else { preconditionFailure("a buffer without memory") }
      return (base, memory.count)
    }
  }

  /// The buffer with what was written.
  fileprivate consuming func finish() -> ByteBuffer {
    buffer.moveWriterIndex(forwardBy: count)
    return buffer
  }

  @inline(never)
  private mutating func grow(_ length: Int) {
    buffer.moveWriterIndex(forwardBy: count)
    count = 0
    (base, room) = Self.memory(of: &buffer, room: max(length, 256))
  }

  @inline(__always)
  private mutating func append(_ source: UnsafeRawPointer?, _ length: Int) {
    guard length > 0, let source else { return }
    if length > room &- count { grow(length) }
    (base + count).copyMemory(from: source, byteCount: length)
    count &+= length
  }

  /// Writes a literal.
  @inline(__always)
  mutating func writeStaticString(_ text: StaticString) {
    append(text.utf8Start, text.utf8CodeUnitCount)
  }

  /// Writes some bytes.
  @inline(__always)
  mutating func writeBytes(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0.baseAddress, $0.count) }
  }

  /// Writes those of some bytes that lie in a range.
  @inline(__always)
  mutating func writeBytes(_ bytes: [UInt8], _ range: Range<Int>) {
    bytes.withUnsafeBytes { bytes in
      invariant(range.upperBound <= bytes.count, "a range beyond its bytes")
      append(bytes.baseAddress.map { $0 + range.lowerBound }, range.count)
    }
  }

  /// Writes some text.
  mutating func writeString(_ text: String) {
    var text = text
    text.withUTF8 { append($0.baseAddress, $0.count) }
  }

  /// Writes one byte.
  @inline(__always)
  mutating func writeInteger(_ byte: UInt8) {
    if count == room { grow(1) }
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  /// Writes the readable bytes of a buffer.
  @inline(__always)
  mutating func writeImmutableBuffer(_ buffer: ByteBuffer) {
    buffer.withUnsafeReadableBytes { append($0.baseAddress, $0.count) }
  }

  /// Writes the bytes of a range of a field section. O(bytes).
  @inline(__always)
  mutating func writeRange(_ range: ByteRange, of source: FieldSection) {
    source.bytes.withUnsafeReadableBytes { bytes in
      let range = range.range
      invariant(range.upperBound <= bytes.count, "a range beyond its section")
      append(bytes.baseAddress.map { $0 + range.lowerBound }, range.count)
    }
  }

  /// Writes a field line of a section. O(bytes).
  mutating func writeLine(_ field: Field, of source: FieldSection) {
    source.bytes.withUnsafeReadableBytes { bytes in
      let (name, value) = (field.nameRange.range, field.value.range)
      invariant(
        name.upperBound <= bytes.count && value.upperBound <= bytes.count,
        "a range beyond its section")
      append(bytes.baseAddress.map { $0 + name.lowerBound }, name.count)
      writeStaticString(": ")
      append(bytes.baseAddress.map { $0 + value.lowerBound }, value.count)
      writeStaticString("\r\n")
    }
  }

  /// Writes the field lines of a section that are kept, those that stand beside each other at once. O(bytes).
  @inline(__always)
  mutating func writeLines(of source: FieldSection, where isKept: (Int, Field) -> Bool) {
    source.bytes.withUnsafeReadableBytes { bytes in
      var (start, end) = (0, 0)
      for index in source.fields.indices {
        let field = source.fields[index]
        guard isKept(index, field) else { continue }
        if Self.isPlain(field, bytes) {
          let name = field.nameRange.range.lowerBound
          if name != end {
            append(bytes.baseAddress.map { $0 + start }, end &- start)
            start = name
          }
          end = field.value.range.upperBound &+ 2
        } else {
          append(bytes.baseAddress.map { $0 + start }, end &- start)
          (start, end) = (0, 0)
          writeLine(field, of: source)
        }
      }
      append(bytes.baseAddress.map { $0 + start }, end &- start)
    }
  }

  /// True if a line is there as it would be written: with a colon and a space, and CR LF at its end.
  @inline(__always)
  private static func isPlain(_ field: Field, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let (name, value) = (field.nameRange.range.upperBound, field.value.range)
    guard value.lowerBound == name &+ 2, value.upperBound &+ 2 <= bytes.count else { return false }
    return bytes[name] == ASCII.colon && bytes[name &+ 1] == ASCII.space
      && bytes[value.upperBound] == ASCII.carriageReturn
      && bytes[value.upperBound &+ 1] == ASCII.lineFeed
  }

  /// Writes a number in decimal digits. O(digits).
  mutating func writeDecimal(_ value: Int) {
    if room &- count < 20 { grow(20) }
    if 0..<10 ~= value {
      base.storeBytes(
        of: ASCII.zero &+ UInt8(truncatingIfNeeded: value), toByteOffset: count, as: UInt8.self)
      count &+= 1
      return
    }
    if value < 0 { writeInteger(ASCII.dash) }
    var digits = 1
    var rest = value.magnitude
    while rest >= 10 {
      rest /= 10
      digits &+= 1
    }
    rest = value.magnitude
    count &+= digits
    var index = count
    repeat {
      index &-= 1
      let quotient = rest / 10
      base.storeBytes(
        of: ASCII.zero &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10), toByteOffset: index,
        as: UInt8.self)
      rest = quotient
    } while rest > 0
  }

  /// Writes a number in 16 hexadecimal digits.
  mutating func writeHexadecimal(word: UInt64) {
    if room &- count < 16 { grow(16) }
    let halves = (UInt32(truncatingIfNeeded: word >> 32), UInt32(truncatingIfNeeded: word))
    base.storeBytes(
      of: halves.0.hexadecimalDigits.littleEndian, toByteOffset: count, as: UInt64.self)
    base.storeBytes(
      of: halves.1.hexadecimalDigits.littleEndian, toByteOffset: count &+ 8, as: UInt64.self)
    count &+= 16
  }

  /// Writes a number in hexadecimal digits. O(digits).
  mutating func writeHexadecimal(_ value: Int) {
    if value >= 16 { writeHexadecimal(value >> 4) }
    let digit = UInt8(truncatingIfNeeded: value & 15)
    writeInteger(digit < 10 ? ASCII.zero &+ digit : 0x57 &+ digit)
  }
}

extension ByteBuffer {
  /// Writes a head with `body`; `estimate` is how many bytes it will likely have.
  @inline(__always)
  public mutating func writeHead<Result>(
    _ estimate: Int = 256, _ body: (inout HeadBuffer) -> Result
  ) -> Result {
    var head = HeadBuffer(taking: &self, room: estimate)
    let result = body(&head)
    self = head.finish()
    return result
  }
}

// For what is written seldom, or in one piece.
extension ByteBuffer {
  /// Writes a number in decimal digits. O(digits).
  mutating func writeDecimal(_ value: Int) {
    writeHead(20) { $0.writeDecimal(value) }
  }

  /// Writes the bytes of a range of a field section. O(bytes).
  mutating func writeRange(_ range: ByteRange, of source: FieldSection) {
    writeHead(Int(range.count)) { $0.writeRange(range, of: source) }
  }
}
