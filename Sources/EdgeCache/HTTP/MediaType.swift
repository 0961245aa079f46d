// Media types (RFC 9110 §8.3.1), as far as a cache asks for them.

extension FieldSection {
  /// Where type and subtype of `Content-Type` lie, without parameters; nil unless there is exactly one such field.
  /// O(fields).
  public var mediaType: Range<Int>? {
    guard let value = only(.contentType)?.range else { return nil }
    let bytes = bytes.readableBytesUInt8Span
    let end = bytes.firstIndex(of: ASCII.semicolon, in: value) ?? value.upperBound
    return bytes.trimmingWhitespace(value.lowerBound..<end)
  }

  /// True if both say one type and subtype, and it is the same (RFC 9110 §8.3.1: without regard to case). O(fields).
  func hasMediaType(of other: FieldSection) -> Bool {
    guard let type = mediaType, let otherType = other.mediaType else { return false }
    return bytes.readableBytesUInt8Span.extracting(type)
      .equalsIgnoringCase(other.bytes.readableBytesUInt8Span.extracting(otherType))
  }

  /// True for a page. O(fields).
  var isPage: Bool {
    guard let type = mediaType else { return false }
    let span = bytes.readableBytesUInt8Span.extracting(type)
    return span.equalsIgnoringCase("text/html") || span.equalsIgnoringCase("application/xhtml+xml")
  }

  /// True for a stream of server-sent events. O(fields).
  public var isEventStream: Bool {
    guard let type = mediaType else { return false }
    return bytes.readableBytesUInt8Span.extracting(type).equalsIgnoringCase("text/event-stream")
  }
}
