// Cache-Control, in requests and responses (RFC 9111 §5.2, RFC 5861, RFC 8246).
//
// Read leniently in form (case, quotes, stray commas and spaces) and strictly in meaning: a
// lifetime that is not a number counts as zero, so that a mistake at the origin makes the cache ask
// more often, never less.

/// The directives of all `Cache-Control` lines of one message.
public struct CacheControl: Sendable, Hashable {
  public var noStore = false
  /// `no-cache` without field names (§5.2.2.4).
  public var noCache = false
  /// `private` without field names (§5.2.2.7).
  public var isPrivate = false
  /// `no-cache` or `private` with field names: those fields are not kept, the rest may be. Which
  /// they are, ``qualifiedNames(_:)`` tells.
  public var isQualified = false
  public var isPublic = false
  public var mustRevalidate = false
  public var proxyRevalidate = false
  public var mustUnderstand = false
  public var noTransform = false
  public var immutable = false
  public var onlyIfCached = false
  /// Seconds; zero if the value was not a number.
  public var maxAge: Int64?
  /// Seconds; zero if the value was not a number.
  public var sMaxAge: Int64?
  /// Seconds; nil if the value was not a number.
  public var staleWhileRevalidate: Int64?
  /// Seconds; nil if the value was not a number.
  public var staleIfError: Int64?
  /// Seconds that the response must stay fresh (requests).
  public var minFresh: Int64?

  /// True if a request with these may want something validated that is fresh.
  public var mayWantValidation: Bool { noCache || maxAge != nil || minFresh != nil }
  /// Seconds of staleness that are accepted, the greatest number if any (requests).
  public var maxStale: Int64?

  /// No directives at all.
  public init() {}

  /// Values above this are read as this (RFC 9111 §1.2.2).
  static let maximumSeconds: Int64 = 1 << 31

  /// The directives of `fields`; the first of several of one name counts (§4.2.1). O(bytes).
  public init(_ fields: FieldSection) {
    var parsed = CacheControl()
    fields.forEachElement(of: .cacheControl) { span, element in
      parsed.add(span, element)
      // A quote that is never closed must not hide what comes after it.
      if Self.endsWithinQuotes(span, element) {
        span.forEachListElement(element, ofTokens: true) { inner in
          if inner.lowerBound > element.lowerBound { parsed.add(span, inner) }
          return true
        }
      }
      return true
    }
    self = parsed
  }

  /// True if an element has a quoted string without its end; then it is the last of its line.
  private static func endsWithinQuotes(_ bytes: Span<UInt8>, _ element: Range<Int>) -> Bool {
    var quoted = false
    var index = element.lowerBound
    while index < element.upperBound {
      if bytes[index] == ASCII.quote {
        quoted.toggle()
      } else if quoted, bytes[index] == ASCII.backslash {
        index += 1
      }
      index += 1
    }
    return quoted
  }

  private mutating func add(_ bytes: Span<UInt8>, _ element: Range<Int>) {
    let equals = bytes.firstIndex(of: ASCII.equals, in: element)
    let nameRange = bytes.trimmingWhitespace(
      element.lowerBound..<(equals ?? element.upperBound))
    let name = bytes.extracting(nameRange)
    let value = equals.map { bytes.trimmingWhitespace(($0 + 1)..<element.upperBound) }
    switch nameRange.count {
    case 6 where name.equalsIgnoringCase("public"): isPublic = true
    case 7 where name.equalsIgnoringCase("max-age"):
      if maxAge == nil { maxAge = Self.seconds(bytes, value) ?? 0 }
    case 7 where name.equalsIgnoringCase("private"):
      if Self.fieldNames(bytes, value) == nil { isPrivate = true } else { isQualified = true }
    case 8 where name.equalsIgnoringCase("s-maxage"):
      if sMaxAge == nil { sMaxAge = Self.seconds(bytes, value) ?? 0 }
    case 8 where name.equalsIgnoringCase("no-store"): noStore = true
    case 8 where name.equalsIgnoringCase("no-cache"):
      if Self.fieldNames(bytes, value) == nil { noCache = true } else { isQualified = true }
    case 9 where name.equalsIgnoringCase("immutable"): immutable = true
    case 9 where name.equalsIgnoringCase("max-stale"):
      if maxStale == nil {
        maxStale = value == nil ? Self.maximumSeconds : Self.seconds(bytes, value)
      }
    case 9 where name.equalsIgnoringCase("min-fresh"):
      if minFresh == nil { minFresh = Self.seconds(bytes, value) }
    case 12 where name.equalsIgnoringCase("no-transform"): noTransform = true
    case 14 where name.equalsIgnoringCase("only-if-cached"): onlyIfCached = true
    case 14 where name.equalsIgnoringCase("stale-if-error"):
      if staleIfError == nil { staleIfError = Self.seconds(bytes, value) }
    case 15 where name.equalsIgnoringCase("must-revalidate"): mustRevalidate = true
    case 15 where name.equalsIgnoringCase("must-understand"): mustUnderstand = true
    case 16 where name.equalsIgnoringCase("proxy-revalidate"): proxyRevalidate = true
    case 22 where name.equalsIgnoringCase("stale-while-revalidate"):
      if staleWhileRevalidate == nil { staleWhileRevalidate = Self.seconds(bytes, value) }
    default: break
    }
  }

  /// delta-seconds (RFC 9111 §1.2.2), with or without quotes; nil if it is not a number.
  private static func seconds(_ bytes: Span<UInt8>, _ range: Range<Int>?) -> Int64? {
    guard var range, !range.isEmpty else { return nil }
    if range.count >= 2, bytes[range.lowerBound] == ASCII.quote,
      bytes[range.upperBound - 1] == ASCII.quote
    {
      range = (range.lowerBound + 1)..<(range.upperBound - 1)
    }
    return deltaSeconds(bytes, range)
  }

  /// A number of seconds made of digits, held at ``maximumSeconds``; nil for anything else.
  static func deltaSeconds(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
    guard !range.isEmpty else { return nil }
    var value: Int64 = 0
    for index in range {
      guard bytes[index].isDigit else { return nil }
      value = min(maximumSeconds, value * 10 + Int64(bytes[index] - ASCII.zero))
    }
    return value
  }

  /// The field names that an argument lists, in lower case; nil if there is none or it is not a list
  /// of names, and then the directive counts as one without (the safe side).
  static func fieldNames(_ bytes: Span<UInt8>, _ value: Range<Int>?) -> [[UInt8]]? {
    guard var value, !value.isEmpty else { return nil }
    if bytes[value.lowerBound] == ASCII.quote {
      guard value.count >= 2, bytes[value.upperBound - 1] == ASCII.quote else { return nil }
      value = (value.lowerBound + 1)..<(value.upperBound - 1)
    }
    var names: [[UInt8]]? = []
    bytes.forEachListElement(value, ofTokens: true) { element in
      let name = bytes.extracting(element)
      for index in 0..<name.count where !name[index].isToken { names = nil }
      names?.append(element.map { bytes[$0].asciiLowercased })
      return names != nil
    }
    return names?.isEmpty == false ? names : nil
  }

  /// The fields that `no-cache` and `private` of a response name (§5.2.2.4, §5.2.2.7). O(bytes).
  static func qualifiedNames(_ fields: FieldSection) -> [[UInt8]] {
    var names: [[UInt8]] = []
    fields.forEachElement(of: .cacheControl) { span, element in
      guard let equals = span.firstIndex(of: ASCII.equals, in: element) else { return true }
      let name = span.extracting(span.trimmingWhitespace(element.lowerBound..<equals))
      if name.equalsIgnoringCase("no-cache") || name.equalsIgnoringCase("private") {
        let value = span.trimmingWhitespace((equals + 1)..<element.upperBound)
        names += fieldNames(span, value) ?? []
      }
      return true
    }
    return names
  }

  /// The directives of a request, `Pragma: no-cache` included (§5.4).
  public static func ofRequest(_ fields: FieldSection) -> CacheControl {
    if fields.contains(.cacheControl) {
      var directives = CacheControl(fields)
      // In requests `no-cache` has no argument (§5.2.1.4).
      if directives.isQualified { directives.noCache = true }
      return directives
    }
    var directives = CacheControl()
    if fields.hasElement(.pragma, "no-cache") { directives.noCache = true }
    return directives
  }
}
