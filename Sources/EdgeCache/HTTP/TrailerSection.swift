// Trailer fields that are kept with a response and sent again behind its content (RFC 9110 §6.5).

/// Trailer fields as they go out. They are never merged into a head.
public struct TrailerSection: Sendable, Hashable {
  /// Field lines, each with its CR LF; not empty.
  let bytes: [UInt8]

  /// Those of a section that may be sent on (RFC 9110 §6.5.1); nil if there are none. O(bytes).
  init?(_ section: FieldSection) {
    var bytes: [UInt8] = []
    let source = section.bytes.readableBytesUInt8Span
    for field in section.fields where Self.mayTrail(field, of: section) {
      bytes += source.extracting(field.nameRange.range).copied()
      bytes += Array(": ".utf8)
      bytes += source.extracting(field.value.range).copied()
      bytes += [ASCII.carriageReturn, ASCII.lineFeed]
    }
    self.init(bytes)
  }

  /// Field lines as another process kept them; nil if there are none.
  init?(_ bytes: [UInt8]) {
    if bytes.isEmpty { return nil }
    self.bytes = bytes
  }

  /// Writes `Trailer`, which names the fields. O(bytes).
  func writeNames(to buffer: inout HeadBuffer) {
    buffer.writeStaticString("Trailer: ")
    for (place, line) in bytes.split(separator: ASCII.lineFeed).enumerated() {
      if place > 0 { buffer.writeStaticString(", ") }
      buffer.writeBytes(Array(line.prefix { $0 != ASCII.colon }))
    }
    buffer.writeStaticString("\r\n")
  }

  private static let forbidden: [StaticString] = [
    "content-encoding", "content-language", "set-cookie2", "www-authenticate", "retry-after",
    "clear-site-data", "strict-transport-security",
  ]

  /// False for fields that frame, route, authenticate or control the message they come after, or say what its
  /// content is.
  static func mayTrail(_ field: Field, of section: FieldSection) -> Bool {
    switch field.name {
    case .other:
      let bytes = section.bytes.readableBytesUInt8Span
      // Some servers put trailers among the fields of the head.
      if ForwardingField.of(bytes, field.nameRange.range) != nil { return false }
      let name = bytes.extracting(field.nameRange.range)
      return !forbidden.contains { name.equalsIgnoringCase($0) }
    case .etag, .date, .age, .cacheTag, .surrogateKey: return true
    default: return false
    }
  }
}
