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

  /// True if the content coding plays no part, or the request accepts the same ones, with the same dictionary.
  func agreesOnCoding(_ request: FieldSection) -> Bool {
    for name in [Self.acceptEncoding, Self.availableDictionary] {
      guard let index = names.firstIndex(of: name) else { continue }
      if Self.value(of: name, in: request) != values[index] { return false }
    }
    return true
  }

  private static let acceptEncoding = Array("accept-encoding".utf8)
  private static let availableDictionary = Array("available-dictionary".utf8)

  /// True if the request that it was made of had a dictionary to decode with (RFC 9842 §2.2).
  var hasDictionary: Bool {
    guard let index = names.firstIndex(of: Self.availableDictionary) else { return false }
    return values[index] != nil
  }

  /// This selector with the names of another one too, so that it never selects more than both of them do.
  func including(_ other: VariantSelector, for request: FieldSection) -> VariantSelector {
    let added = other.names.filter { !names.contains($0) }
    if added.isEmpty { return self }
    return VariantSelector(
      names: names + added, values: values + added.map { Self.value(of: $0, in: request) })
  }

  /// True for fields that are written anew for each client: what a request has of them is not what the origin saw.
  private static func isOfOneClient(_ name: [UInt8]) -> Bool {
    switch FieldNameTable.name(name.span) {
    case .xForwardedFor, .forwarded, .xRequestID: true
    default: name.span.equalsIgnoringCase("x-real-ip")
    }
  }

  /// The selector with these names for another request.
  public func reselected(for request: FieldSection) -> VariantSelector {
    VariantSelector(names: names, values: names.map { Self.value(of: $0, in: request) })
  }

  /// Bytes that the selector takes in memory.
  var cost: Int {
    MemoryCost.array(of: names) + names.reduce(0) { $0 + MemoryCost.array(of: $1) }
      + MemoryCost.array(of: values) + values.reduce(0) { $0 + MemoryCost.array(of: $1 ?? []) }
  }

  init(names: [[UInt8]], values: [[UInt8]?]) {
    self.names = names
    self.values = values
  }

  /// The names in `Vary`, in lower case, each once; `*` is one of them. O(bytes of the field).
  static func names(_ response: FieldSection) -> [[UInt8]] {
    var names: [[UInt8]] = []
    response.forEachElement(of: .vary) { span, range in
      let name = range.map { span[$0].asciiLowercased }
      if !names.contains(name) { names.append(name) }
      return true
    }
    return names
  }

  /// The selector of a response to `request`; nil if `Vary` has `*`, which nothing matches.
  public init?(response: FieldSection, request: FieldSection) {
    let isDictionaryCoded = response.isDictionaryCoded
    guard response.contains(.vary) || isDictionaryCoded else {
      self = .any
      return
    }
    // RFC 9842 §6: nobody else can decode it, whether `Vary` says so or not.
    var names = isDictionaryCoded ? [Self.acceptEncoding, Self.availableDictionary] : []
    for name in Self.names(response) where !names.contains(name) {
      if name == [ASCII.asterisk] || Self.isOfOneClient(name) { return nil }
      names.append(name)
    }
    self.init(names: names, values: names.map { Self.value(of: $0, in: request) })
  }

  /// The normalised value of all lines of a field; nil if the field is absent, which is not the
  /// same as empty (RFC 9111 §4.1).
  ///
  /// Whitespace around commas is taken out. Where the field is a set of preferences with weights,
  /// the order of its members means nothing (RFC 9110 §12.5) and they are sorted; letter case is
  /// folded where it means nothing. A line that `Connection` names is absent: it does not reach the
  /// origin, whose response was made without it.
  private static func value(of name: [UInt8], in request: FieldSection) -> [UInt8]? {
    let bytes = request.bytes.readableBytesUInt8Span
    let known = FieldNameTable.name(name.span)
    // Who asks for a range gets that of the plain content.
    let hidesDictionary = request.contains(.range)
    if hidesDictionary, name == availableDictionary { return nil }
    let isPreference =
      known == .acceptEncoding || known == .acceptLanguage || known == .accept
    var members: [[UInt8]]?
    for (index, field) in request.fields.enumerated()
    where bytes.extracting(field.nameRange.range).equalsIgnoringCase(name.span)
      && request.isEndToEnd(index)
    {
      if members == nil { members = [] }
      bytes.forEachListElement(field.value.range) { element in
        if hidesDictionary, known == .acceptEncoding, bytes.isDictionaryCoding(element) {
          return true
        }
        members?.append(
          isPreference
            ? preference(bytes, element, foldsParameters: known != .accept)
            : element.map { bytes[$0] })
        return true
      }
    }
    guard var members else { return nil }
    if isPreference { members.sort { $0.lexicographicallyPrecedes($1) } }
    return Array(members.joined(separator: [ASCII.comma]))
  }

  /// One member of a set of preferences without whitespace around `;`. Parameters of media types
  /// keep their case, which can mean something.
  private static func preference(
    _ bytes: Span<UInt8>, _ element: Range<Int>, foldsParameters: Bool
  ) -> [UInt8] {
    var member: [UInt8] = []
    var folds = true
    var quoted = false
    for index in element {
      let byte = bytes[index]
      if byte == ASCII.quote { quoted.toggle() }
      if !quoted, byte.isOptionalWhitespace { continue }
      if byte == ASCII.semicolon, !quoted { folds = foldsParameters }
      member.append(folds ? byte.asciiLowercased : byte)
    }
    return member
  }
}
