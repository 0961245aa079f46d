// Which part of a content a stored response has (RFC 9111 §3.3, RFC 9110 §14.4).

/// A part of a content whose whole length is known.
public struct ContentPart: Sendable, Hashable {
  /// The bytes that are there; not empty.
  public var range: Range<Int>
  /// The length of the whole content.
  public var completeLength: Int

  /// Longest content that is believed, in bytes, so that sums of offsets stay numbers.
  private static let longest = 1 << 53

  /// True if nothing is missing.
  public var isComplete: Bool { range.count == completeLength }
  /// True if it begins where the content does.
  public var isPrefix: Bool { range.lowerBound == 0 }
  /// True if it ends where the content does.
  public var isSuffix: Bool { range.upperBound == completeLength }

  /// The one run of bytes that is missing; nil if there are two, or none.
  public var missing: Range<Int>? {
    if isComplete { return nil }
    if isPrefix { return range.upperBound..<completeLength }
    return isSuffix ? 0..<range.lowerBound : nil
  }

  /// A part of a content.
  public init(range: Range<Int>, completeLength: Int) {
    self.range = range
    self.completeLength = completeLength
  }

  /// The part that a 206 says it carries; nil if it has several, does not know the whole length, or
  /// contradicts itself. O(bytes of the fields).
  public init?(_ response: ResponseHead) {
    guard let field = response.fields.only(.contentRange) else { return nil }
    let bytes = response.fields.bytes.readableBytesUInt8Span
    let value = field.range
    guard value.count > 6,
      bytes.extracting(value.lowerBound..<(value.lowerBound + 5)).equalsIgnoringCase("bytes"),
      bytes[value.lowerBound + 5] == ASCII.space,
      let dash = bytes.firstIndex(of: ASCII.dash, in: value),
      let slash = bytes.firstIndex(of: ASCII.slash, in: dash..<value.upperBound),
      let first = bytes.decimal((value.lowerBound + 6)..<dash),
      let last = bytes.decimal((dash + 1)..<slash),
      let length = bytes.decimal((slash + 1)..<value.upperBound),
      first <= last, last < length, length <= Self.longest
    else { return nil }
    self.init(range: first..<(last + 1), completeLength: length)
    if let sent = response.contentLength, sent != range.count { return nil }
  }

  /// The part that both make together; nil if they do not touch or are not of one content.
  public func joined(with other: ContentPart) -> ContentPart? {
    guard completeLength == other.completeLength, range.lowerBound <= other.range.upperBound,
      other.range.lowerBound <= range.upperBound
    else { return nil }
    return ContentPart(
      range: min(
        range.lowerBound, other.range.lowerBound)..<max(
          range.upperBound, other.range.upperBound),
      completeLength: completeLength)
  }
}
