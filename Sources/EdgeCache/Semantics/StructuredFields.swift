import RawStructuredFieldValues

// Fields that are Structured Fields (RFC 9651), as bytes.
//
// The parser works on one run of bytes, whereas a field may have come in several lines; here they are
// put together, and what the parser found is taken out as bytes again. An error anywhere makes the
// whole field count as absent (RFC 9651 §4.2): half a field never decides anything.

/// Reads Structured Fields (RFC 9651).
enum StructuredFields {
  /// The value that all lines of a field make together (RFC 9651 §4.2); nil if there is no line,
  /// or they are longer than ``longest``. O(bytes of the section's names).
  static func joined(_ fields: FieldSection, name: StaticString) -> [UInt8]? {
    joined(fields) { $0.equalsIgnoringCase(name) }
  }

  /// The same for a name that is not known beforehand.
  static func joined(_ fields: FieldSection, name: Span<UInt8>) -> [UInt8]? {
    joined(fields) { $0.equalsIgnoringCase(name) }
  }

  /// Longest value that is read, in bytes: room for the 128 groups of 128 bytes that RFC 9875 §2 asks
  /// for, and a bound, since reading takes longer than in proportion.
  static let longest = 20 << 10

  private static func joined(
    _ fields: FieldSection, where isMeant: (Span<UInt8>) -> Bool
  ) -> [UInt8]? {
    let bytes = fields.bytes.readableBytesUInt8Span
    var value: [UInt8]?
    for field in fields.fields where isMeant(bytes.extracting(field.nameRange.range)) {
      if value == nil { value = [] } else { value?.append(contentsOf: [ASCII.comma, ASCII.space]) }
      for index in field.value.range { value?.append(bytes[index]) }
    }
    return (value?.count ?? 0) > longest ? nil : value
  }

  /// The members of a List of Strings (RFC 9651 §3.1), at most `atMost`, their parameters left out; nil if the
  /// field is absent, is longer than ``longest``, is not a List, or has a member of another type. O(bytes of the
  /// field).
  static func strings(
    _ fields: FieldSection, name: StaticString, atMost: Int = .max
  ) -> [[UInt8]]? {
    guard let value = joined(fields, name: name) else { return nil }
    var parser = StructuredFieldValueParser(value)
    guard let list = try? parser.parseListFieldValue() else { return nil }
    var strings: [[UInt8]] = []
    for member in list {
      guard case .item(let item) = member, let text = string(item) else { return nil }
      if strings.count < atMost { strings.append(text) }
    }
    return strings
  }

  /// The Strings of an Inner List (RFC 9651 §3.1.1); nil if it has an item of another type.
  static func strings(_ list: InnerList) -> [[UInt8]]? {
    var strings: [[UInt8]] = []
    for item in list.bareInnerList {
      guard let text = string(item) else { return nil }
      strings.append(text)
    }
    return strings
  }

  /// The bytes of an Item that is a String (RFC 9651 §3.3.3); its parameters are ignored.
  private static func string(_ item: Item) -> [UInt8]? {
    guard case .string(let text) = item.rfc9651BareItem else { return nil }
    return Array(text.utf8)
  }
}
