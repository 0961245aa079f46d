import NIOCore

/// Builds a field section whose ranges fit its own bytes.
struct SectionWriter {
  private(set) var section: FieldSection

  init(capacity: Int) {
    section = FieldSection(bytes: ByteBufferAllocator().buffer(capacity: capacity))
  }

  /// Writes `HTTP/1.1 STATUS REASON CRLF`; the known reason where the peer gave none.
  mutating func writeStatusLine(_ status: Int, reason source: FieldSection, _ reason: ByteRange) {
    section.bytes.writeStaticString("HTTP/1.1 ")
    section.bytes.writeDecimal(status)
    section.bytes.writeInteger(ASCII.space)
    if reason.isEmpty {
      section.bytes.writeStaticString(reasonPhrase(status))
    } else {
      section.bytes.writeRange(reason, of: source)
    }
    section.bytes.writeStaticString("\r\n")
  }

  mutating func copyBytes(of source: FieldSection, upTo end: Int) {
    section.bytes.writeRange(ByteRange(offset: 0, count: end), of: source)
  }

  /// Appends a field of another section, letter case kept.
  mutating func append(_ field: Field, from source: FieldSection) {
    let nameOffset = section.bytes.readableBytes
    section.bytes.writeRange(field.nameRange, of: source)
    section.bytes.writeStaticString(": ")
    let valueOffset = section.bytes.readableBytes
    section.bytes.writeRange(field.value, of: source)
    section.bytes.writeStaticString("\r\n")
    section.append(
      Field(
        name: field.name,
        nameRange: ByteRange(offset: nameOffset, count: Int(field.nameRange.count)),
        value: ByteRange(offset: valueOffset, count: Int(field.value.count))))
  }

  mutating func append(name: StaticString, value: some Sequence<UInt8>) {
    section.append(name: name, value: value)
  }
}
