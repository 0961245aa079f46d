// A client's conditional request, answered from a stored response (RFC 9111 §4.3.2, RFC 9110 §13).

/// Entity tags and their comparison (RFC 9110 §8.8.3).
enum EntityTag {
  /// The range without a leading `W/`.
  static func opaque(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    isWeak(bytes, range) ? (range.lowerBound + 2)..<range.upperBound : range
  }

  /// True if the tag is marked weak.
  static func isWeak(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    range.count >= 2 && bytes[range.lowerBound] == UInt8(ascii: "W")
      && bytes[range.lowerBound + 1] == ASCII.slash
  }

  /// Weak comparison: the opaque parts are the same (§8.8.3.2).
  static func weaklyEqual(
    _ lhs: Span<UInt8>, _ lhsRange: Range<Int>, _ rhs: Span<UInt8>, _ rhsRange: Range<Int>
  ) -> Bool {
    lhs.extracting(opaque(lhs, lhsRange)).elementsEqual(
      rhs.extracting(opaque(rhs, rhsRange)))
  }

  /// Strong comparison: neither is weak and they are the same (§8.8.3.2).
  static func stronglyEqual(
    _ lhs: Span<UInt8>, _ lhsRange: Range<Int>, _ rhs: Span<UInt8>, _ rhsRange: Range<Int>
  ) -> Bool {
    !isWeak(lhs, lhsRange) && !isWeak(rhs, rhsRange)
      && lhs.extracting(lhsRange).elementsEqual(rhs.extracting(rhsRange))
  }
}

/// Evaluates `If-None-Match` and `If-Modified-Since` against a response to be sent.
public enum Preconditions {
  /// True if the client has this content already and gets 304 (RFC 9110 §13.2.2).
  ///
  /// `If-None-Match` is compared weakly and, where it is there, hides `If-Modified-Since`. Without
  /// `Last-Modified` the date is compared with `Date` (RFC 9111 §4.3.2). O(bytes of the fields).
  public static func isNotModified(
    request: FieldSection, response: StoredHead, now: Instant
  ) -> Bool {
    guard response.status == 200 else { return false }
    if request.contains(.ifNoneMatch) {
      return matchesAny(.ifNoneMatch, of: request, response: response)
    }
    guard let range = request.only(.ifModifiedSince),
      let since = HTTPDate.parse(
        request.bytes.readableBytesUInt8Span.extracting(range.range), now: now),
      let modified = response.lastModified ?? response.date
    else { return false }
    return modified <= since
  }

  private static func matchesAny(
    _ name: FieldName, of request: FieldSection, response: StoredHead
  ) -> Bool {
    let stored = response.storage.span
    var matches = false
    request.forEachElement(of: name) { span, element in
      if element.count == 1, span[element.lowerBound] == ASCII.asterisk {
        matches = true
      } else if let etag = response.etag {
        matches = EntityTag.weaklyEqual(span, element, stored, etag.range)
      }
      return !matches
    }
    return matches
  }

  /// True if a request's precondition can only be judged by the origin (RFC 9111 §4.3.2).
  public static func needOrigin(_ request: FieldSection) -> Bool {
    request.contains(.ifMatch) || request.contains(.ifUnmodifiedSince)
  }
}
