// A single range of a complete stored response (RFC 9110 §14).

/// What a `Range` field means for content of a known length.
public enum RangeOutcome: Sendable, Hashable {
  /// The whole content: no range, one that is not understood, or several (§14.2 lets a server
  /// ignore the field).
  case whole
  /// These bytes, not empty.
  case part(Range<Int>)
  /// No byte of the content is asked for: 416.
  case unsatisfiable
}

/// Evaluates `Range` and `If-Range`.
public enum ByteServing {
  /// The part of `length` bytes that `request` asks for. O(bytes of the fields).
  public static func range(
    request: FieldSection, response: StoredHead, length: Int, now: Instant
  ) -> RangeOutcome {
    guard response.status == 200, let value = request.only(.range) else { return .whole }
    guard ifRangeHolds(request: request, response: response, now: now) else { return .whole }
    return parse(
      request.bytes.readableBytesUInt8Span, value.range, length: length)
  }

  /// Parses `bytes=first-last`, `bytes=first-` or `bytes=-suffix` (§14.1.2).
  static func parse(_ bytes: Span<UInt8>, _ value: Range<Int>, length: Int) -> RangeOutcome {
    guard let equals = bytes.firstIndex(of: ASCII.equals, in: value),
      bytes.extracting(value.lowerBound..<equals).equalsIgnoringCase("bytes")
    else { return .whole }
    let spec = bytes.trimmingWhitespace((equals + 1)..<value.upperBound)
    guard bytes.firstIndex(of: ASCII.comma, in: spec) == nil,
      let dash = bytes.firstIndex(of: ASCII.dash, in: spec)
    else { return .whole }
    let first = bytes.decimal(spec.lowerBound..<dash)
    let last = bytes.decimal((dash + 1)..<spec.upperBound)
    let hasLast = dash + 1 < spec.upperBound
    if spec.lowerBound == dash {
      guard let suffix = last else { return .whole }
      if suffix == 0 { return .unsatisfiable }
      // Satisfiable by all there is, for which Content-Range has no form.
      if length == 0 { return .whole }
      return .part(max(0, length - suffix)..<length)
    }
    guard let first, !hasLast || last != nil else { return .whole }
    if let last, last < first { return .whole }
    if first >= length { return .unsatisfiable }
    return .part(first..<(last.map { min($0, length - 1) + 1 } ?? length))
  }

  /// True if there is no `If-Range` or it names exactly the stored response (§13.1.5).
  private static func ifRangeHolds(
    request: FieldSection, response: StoredHead, now: Instant
  ) -> Bool {
    guard request.contains(.ifRange) else { return true }
    guard let value = request.only(.ifRange) else { return false }
    let bytes = request.bytes.readableBytesUInt8Span
    if let etag = response.etag {
      let stored = response.fields.bytes.readableBytesUInt8Span
      if EntityTag.stronglyEqual(bytes, value.range, stored, etag.range) { return true }
    }
    // A date is a strong validator only if the response was made at least a second later
    // (§8.8.2.2).
    guard let since = HTTPDate.parse(bytes.extracting(value.range), now: now),
      let modified = response.lastModified, let date = response.date
    else { return false }
    return since == modified && date > modified
  }
}
