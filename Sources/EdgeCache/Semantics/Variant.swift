// Selecting among stored responses by request fields (RFC 9111 §4.1).

/// The request fields that a response's `Vary` names, with the values of its own request.
public struct VariantSelector: Sendable, Hashable {
  /// Field names in lower case, in the order of `Vary`.
  let names: [[UInt8]]
  /// Their normalised values in the request; nil where the field was absent.
  let values: [[UInt8]?]

  /// The selector that every request matches.
  public static let any = VariantSelector(names: [], values: [])

  /// True if `Vary` was absent.
  public var isAny: Bool { names.isEmpty }

  /// True if the response may be used for `request` as far as `Vary` goes. O(fields named).
  public func matches(_ request: FieldSection) -> Bool {
    for index in names.indices
    where Self.value(of: names[index], in: request) != values[index] { return false }
    return true
  }

  /// The selector with these names for another request.
  public func reselected(for request: FieldSection) -> VariantSelector {
    VariantSelector(names: names, values: names.map { Self.value(of: $0, in: request) })
  }

  /// Bytes that the selector takes in memory, about.
  var cost: Int {
    names.reduce(0) { $0 + $1.count + 48 } + values.reduce(0) { $0 + ($1?.count ?? 0) + 48 }
  }

  private init(names: [[UInt8]], values: [[UInt8]?]) {
    self.names = names
    self.values = values
  }

  /// The selector of a response to `request`; nil if `Vary` has `*`, which nothing matches.
  public init?(response: FieldSection, request: FieldSection) {
    guard response.contains(.vary) else {
      self = .any
      return
    }
    var names: [[UInt8]] = []
    var matchesNothing = false
    response.forEachElement(of: .vary) { span, range in
      if range.count == 1, span[range.lowerBound] == ASCII.asterisk { matchesNothing = true }
      let name = range.map { span[$0].asciiLowercased }
      if !names.contains(name) { names.append(name) }
      return !matchesNothing
    }
    if matchesNothing { return nil }
    self.init(names: names, values: names.map { Self.value(of: $0, in: request) })
  }

  /// The combined value of all lines of a field, whitespace around commas taken out; nil if the
  /// field is absent, which is not the same as empty (RFC 9111 §4.1).
  ///
  /// A line that `Connection` names is absent: it does not reach the origin, whose response was
  /// made without it.
  private static func value(of name: [UInt8], in request: FieldSection) -> [UInt8]? {
    let bytes = request.bytes.readableBytesUInt8Span
    var value: [UInt8]?
    // Content codings are case-insensitive (RFC 9110 §8.4.1); clients differ in how they write them.
    let foldsCase = name.span.equalsIgnoringCase("accept-encoding")
    for (index, field) in request.fields.enumerated()
    where bytes.extracting(field.nameRange.range).equalsIgnoringCase(name.span)
      && request.isEndToEnd(index)
    {
      if value == nil { value = [] }
      bytes.forEachListElement(field.value.range) { element in
        if value?.isEmpty == false { value?.append(ASCII.comma) }
        for index in element {
          value?.append(foldsCase ? bytes[index].asciiLowercased : bytes[index])
        }
        return true
      }
    }
    return value
  }
}
