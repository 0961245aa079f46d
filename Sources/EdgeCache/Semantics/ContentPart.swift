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
}
