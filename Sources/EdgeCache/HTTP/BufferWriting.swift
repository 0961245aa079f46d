import NIOCore

extension ByteBuffer {
  /// Writes a number in hexadecimal digits. O(digits).
  mutating func writeHexadecimal(_ value: Int) {
    if value >= 16 { writeHexadecimal(value >> 4) }
    let digit = UInt8(truncatingIfNeeded: value & 15)
    writeInteger(digit < 10 ? ASCII.zero &+ digit : 0x57 &+ digit)
  }

  /// Writes the bytes of a range of a field section. O(bytes).
  mutating func writeRange(_ range: ByteRange, of source: FieldSection) {
    if range.isEmpty { return }
    let start = source.bytes.readerIndex &+ Int(range.offset)
    if let slice = source.bytes.viewBytes(at: start, length: Int(range.count)) {
      writeBytes(slice)
    }
  }
}
