// What of a query is part of the cache key, by the rules of a site's operator (RFC 9111 §2 leaves to
// the cache which of a request's parts make its key).
//
// Names are compared in their normal form (RFC 3986 §6.2.2): `%75tm_source` is `utm_source`. What is left keeps its
// spelling. Where no rule
// is set the key is the URL byte for byte; once one is, parameters that are empty, as in `a&&b`, go
// as well.

/// Which parameters of a query count, and whether their order does.
public struct QueryRules: Sendable, Hashable {
  /// True if parameters are put in the order of their names; those of one name keep their order,
  /// which usually means something.
  public var sorts: Bool
  /// Names of the only parameters that count; nil if all do. A name that ends in `*` is a prefix.
  public var include: [[UInt8]]?
  /// Names of parameters that do not count, not even if they are included. A name that ends in `*`
  /// is a prefix.
  public var exclude: [[UInt8]]

  /// Rules; those that are not given leave the query alone.
  public init(sorts: Bool = false, include: [[UInt8]]? = nil, exclude: [[UInt8]] = []) {
    self.sorts = sorts
    self.include = include?.map { NormalTarget.decodingUnreserved($0) }
    self.exclude = exclude.map { NormalTarget.decodingUnreserved($0) }
  }

  /// True if the rules leave every query as it is.
  public var isIdentity: Bool {
    !sorts && include == nil && exclude.isEmpty
  }

  /// Path and query (RFC 3986 §3.3, §3.4) with what the rules leave of the query; its `?` goes with
  /// the last parameter. O(n · rules), and O(n log n) if it sorts.
  public func canonical(_ target: [UInt8]) -> [UInt8] {
    if isIdentity { return target }
    let bytes = target.span
    guard let question = bytes.firstIndex(of: ASCII.question, in: 0..<bytes.count) else {
      return target
    }
    var kept: [Parameter] = []
    bytes.forEachParameter((question + 1)..<bytes.count) { range in
      let equals = bytes.firstIndex(of: ASCII.equals, in: range)
      let name = target[range.lowerBound..<(equals ?? range.upperBound)]
      let normal = name.contains(ASCII.percent) ? NormalTarget.decodingUnreserved(name)[...] : name
      if counts(normal.span) { kept.append(Parameter(range: range, name: normal)) }
    }
    if sorts {
      // The sort is stable.
      kept.sort { $0.name.lexicographicallyPrecedes($1.name) }
    }
    var result = Array(target[..<question])
    result.reserveCapacity(target.count)
    for (index, parameter) in kept.enumerated() {
      result.append(index == 0 ? ASCII.question : UInt8(ascii: "&"))
      result += target[parameter.range]
    }
    return result
  }

  /// Where a parameter lies, and its name in normal form.
  private struct Parameter {
    var range: Range<Int>
    var name: ArraySlice<UInt8>
  }

  /// True if a parameter of that name is part of the key.
  private func counts(_ name: Span<UInt8>) -> Bool {
    if let include, !Self.matches(include, name) { return false }
    return !Self.matches(exclude, name)
  }

  private static func matches(_ patterns: [[UInt8]], _ name: Span<UInt8>) -> Bool {
    for pattern in patterns {
      if pattern.last == ASCII.asterisk {
        let count = pattern.count - 1
        if name.count >= count,
          name.extracting(first: count).elementsEqual(pattern.span.extracting(first: count))
        {
          return true
        }
      } else if name.elementsEqual(pattern.span) {
        return true
      }
    }
    return false
  }
}

extension Span<UInt8> {
  /// Calls `body` with each run between `&` that is not empty. O(n).
  func forEachParameter(_ query: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = query.lowerBound
    while start < query.upperBound {
      let end = firstIndex(of: UInt8(ascii: "&"), in: start..<query.upperBound) ?? query.upperBound
      if start < end { body(start..<end) }
      start = end + 1
    }
  }
}
