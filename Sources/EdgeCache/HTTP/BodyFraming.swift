// Where content ends (RFC 9112 §6): every rule against request smuggling is in this file.
//
// Requests are held to the strict reading. Two parties that disagree on where a message ends are
// how requests are smuggled, so anything that can be read in two ways is refused.

enum BodyFraming {
  /// How a request's content is delimited (RFC 9112 §6.3).
  static func request(
    _ fields: FieldSection, minorVersion: UInt8
  ) throws(MalformedMessage) -> MessageFraming {
    var length: ByteRange?
    var hasTransferEncoding = false
    for field in fields.fields {
      if field.name == .contentLength {
        if length != nil { throw .contentLengthRepeated }
        length = field.value
      } else if field.name == .transferEncoding {
        hasTransferEncoding = true
      }
    }
    if hasTransferEncoding {
      if minorVersion == 0 { throw .transferEncodingInHTTP10 }
      if length != nil { throw .contentLengthWithTransferEncoding }
      try requireChunked(fields)
      return .chunked
    }
    guard let length else { return .none }
    guard let count = fields.bytes.readableBytesUInt8Span.decimal(length.range) else {
      throw .contentLength
    }
    return .length(count)
  }

  /// How a response's content is delimited (RFC 9112 §6.3); `length` is its ``contentLength(_:)``.
  ///
  /// A response with both fields is refused: whoever sees it otherwise would cut it elsewhere.
  static func response(
    _ fields: FieldSection, length: Int?, status: Int, minorVersion: UInt8, toHead: Bool
  ) throws(MalformedMessage) -> MessageFraming {
    let hasTransferEncoding = fields.contains(.transferEncoding)
    if toHead || status < 200 || status == 204 || status == 304 { return .none }
    if hasTransferEncoding {
      if minorVersion == 0 { throw .transferEncodingInHTTP10 }
      if length != nil { throw .contentLengthWithTransferEncoding }
      try requireChunked(fields)
      return .chunked
    }
    return length.map { .length($0) } ?? .untilClose
  }

  /// The one number that all `Content-Length` lines of a response agree on (RFC 9110 §8.6).
  static func contentLength(_ fields: FieldSection) throws(MalformedMessage) -> Int? {
    guard fields.contains(.contentLength) else { return nil }
    let bytes = fields.bytes.readableBytesUInt8Span
    // Nearly all have one line with one number.
    if let only = fields.only(.contentLength), let number = bytes.decimal(only.range) {
      return number
    }
    var agreed: Int?
    for field in fields.fields where field.name == .contentLength {
      var failure: MalformedMessage?
      var elements = 0
      bytes.forEachListElement(field.value.range) { element in
        elements += 1
        guard let number = bytes.decimal(element) else {
          failure = .contentLength
          return false
        }
        if let earlier = agreed, earlier != number {
          failure = .contentLengthRepeated
          return false
        }
        agreed = number
        return true
      }
      if let failure { throw failure }
      if elements == 0 { throw .contentLength }
    }
    return agreed
  }

  /// False if a response that has no content says that it has some: whether the upstream then sends
  /// any is anybody's guess, so the connection cannot be used again.
  static func isEmptyAsSaid(_ fields: FieldSection, status: Int, length: Int?) -> Bool {
    if status >= 200, status != 204, status != 304 { return true }
    if fields.contains(.transferEncoding) { return false }
    return status == 304 || length ?? 0 == 0
  }

  /// Throws unless `chunked` is the one and only transfer coding.
  private static func requireChunked(_ fields: FieldSection) throws(MalformedMessage) {
    var codings = 0
    var chunked = 0
    var lastIsChunked = false
    fields.forEachElement(of: .transferEncoding) { span, range in
      codings += 1
      lastIsChunked = span.extracting(range).equalsIgnoringCase("chunked")
      if lastIsChunked { chunked += 1 }
      return true
    }
    if chunked > 1 || (chunked == 1 && !lastIsChunked) { throw .transferEncoding }
    if codings == 0 { throw .transferEncoding }
    // RFC 9112 §6.1: a coding that is not understood is 501; here no other than chunked is.
    if codings > 1 || chunked == 0 {
      throw chunked == 0 ? .transferEncoding : .transferCodingUnknown
    }
  }
}
