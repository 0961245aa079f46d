import RawStructuredFieldValues

// Which differences between queries do not change a response, as its origin says it in
// `No-Vary-Search` (draft-ietf-httpbis-no-vary-search-05).
//
// Queries are compared by what they mean as application/x-www-form-urlencoded, not by their bytes.
// That holds only where the origin said so: the default variance compares bytes (§6), and nil stands
// for it here, so that a response without the field, or with one that is in error, never gets near
// a query that is written in another way.

/// What of a query matters for a response (draft-ietf-httpbis-no-vary-search-05 §4); never the
/// default variance, under which all of it does.
public struct SearchVariance: Sendable, Hashable {
  /// Which parameters matter, by names that are decoded.
  enum Scope: Sendable, Hashable {
    /// All but these: `params` with a list.
    case allBut(Set<[UInt8]>)
    /// Only these: `params` as a flag, and `except`.
    case only(Set<[UInt8]>)
  }

  let scope: Scope
  /// False if the order of parameters of different names does not matter: `key-order`.
  let keyOrderMatters: Bool

  /// The variance of a response (§5.2); nil if `No-Vary-Search` is absent, is in error, or says what
  /// holds without it. Entries that are not known, and parameters, are ignored. O(bytes of names,
  /// and of the field).
  public init?(_ fields: FieldSection) {
    guard let value = StructuredFields.joined(fields, name: "no-vary-search") else { return nil }
    var parser = StructuredFieldValueParser(value)
    guard let entries = try? parser.parseDictionaryFieldValue(),
      let scope = Self.scope(params: entries["params"], except: entries["except"])
    else { return nil }
    var ordered = true
    if let order = entries["key-order"] {
      guard let isSet = Self.flag(order) else { return nil }
      ordered = !isSet
    }
    if ordered, scope == .allBut([]) { return nil }
    keyOrderMatters = ordered
    self.scope = scope
  }

  /// What `params` and `except` say together (§5.1); nil if either is in error. Later drafts write
  /// `except` alone for what earlier ones write as `params, except`; both are read.
  private static func scope(params: ItemOrInnerList?, except: ItemOrInnerList?) -> Scope? {
    if let except {
      if let params, flag(params) != true { return nil }
      return names(except).map { .only($0) }
    }
    guard let params else { return .allBut([]) }
    if let isSet = flag(params) { return isSet ? .only([]) : .allBut([]) }
    return names(params).map { .allBut($0) }
  }

  private static func flag(_ entry: ItemOrInnerList) -> Bool? {
    guard case .item(let item) = entry, case .bool(let isSet) = item.rfc9651BareItem else {
      return nil
    }
    return isSet
  }

  /// The names in an inner list of strings; they are encoded as in a query (§5.3).
  private static func names(_ entry: ItemOrInnerList) -> Set<[UInt8]>? {
    guard case .innerList(let list) = entry, let strings = StructuredFields.strings(list) else {
      return nil
    }
    return Set(strings.map { FormEncoding.decoded($0.span, 0..<$0.count) })
  }

  /// What matters of a query, without its `?`: two queries are equivalent (§6) exactly if these bytes
  /// are the same. An absent query is an empty one. O(n), and O(n log n) if key order does not
  /// matter.
  public func canonicalQuery(_ query: Span<UInt8>) -> [UInt8] {
    var kept: [FormEncoding.Parameter] = []
    query.forEachParameter(0..<query.count) { range in
      let parameter = FormEncoding.Parameter(query, range)
      if matters(parameter.name) { kept.append(parameter) }
    }
    if !keyOrderMatters {
      // Any order does that tells different names apart. The sort is stable: parameters of one name
      // keep their order, which matters.
      kept.sort { $0.name.lexicographicallyPrecedes($1.name) }
    }
    var result: [UInt8] = []
    for parameter in kept {
      Self.append(parameter.name, to: &result)
      Self.append(parameter.value, to: &result)
    }
    return result
  }

  private func matters(_ name: [UInt8]) -> Bool {
    switch scope {
    case .allBut(let names): !names.contains(name)
    case .only(let names): names.contains(name)
    }
  }

  /// Appends bytes with their number in front: once they are decoded, no byte is left that could
  /// separate them.
  private static func append(_ bytes: [UInt8], to result: inout [UInt8]) {
    let count = UInt32(bytes.count)
    for shift in [24, 16, 8, 0] { result.append(UInt8(truncatingIfNeeded: count >> shift)) }
    result += bytes
  }
}

/// The application/x-www-form-urlencoded parser of the URL Standard (§5.1 there).
enum FormEncoding {
  /// A parameter, decoded.
  struct Parameter {
    var name: [UInt8]
    /// Empty if there is no `=`, as if there were nothing behind it.
    var value: [UInt8]

    /// Decodes what lies between two `&`.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
      let end = range.upperBound
      let equals = bytes.firstIndex(of: ASCII.equals, in: range) ?? end
      name = decoded(bytes, range.lowerBound..<equals)
      value = decoded(bytes, min(equals + 1, end)..<end)
    }
  }

  /// The bytes with `+` for a space, percent-encoding taken off and what is not UTF-8 replaced by
  /// U+FFFD. A `%` without two hexadecimal digits stands for itself. O(n).
  static func decoded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    var isASCII = true
    var index = range.lowerBound
    while index < range.upperBound {
      var byte = bytes[index]
      if byte == UInt8(ascii: "+") {
        byte = ASCII.space
      } else if byte == ASCII.percent, index + 2 < range.upperBound,
        let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue
      {
        byte = high << 4 | low
        index += 2
      }
      if byte >= 0x80 { isASCII = false }
      result.append(byte)
      index += 1
    }
    // The standard library replaces the same runs as the Encoding Standard: maximal subparts.
    return isASCII ? result : Array(String(decoding: result, as: UTF8.self).utf8)
  }
}
