// A request that comes back to a cache that it has passed already (RFC 8586).

/// Finds loops of requests.
public enum LoopDetection {
  /// True if `CDN-Loop` says that the cache of that name has forwarded this request before. Only
  /// the name counts, parameters do not (RFC 8586 §2). O(bytes of the field).
  public static func hasPassed(_ request: FieldSection, cacheName: [UInt8]) -> Bool {
    guard request.contains(.cdnLoop) else { return false }
    var found = false
    request.forEachElement(of: .cdnLoop) { span, element in
      let end = span.firstIndex(of: ASCII.semicolon, in: element) ?? element.upperBound
      let name = span.trimmingWhitespace(element.lowerBound..<end)
      found = span.extracting(name).equalsIgnoringCase(cacheName.span)
      return !found
    }
    return found
  }
}
