// Conditional and range requests (RFC 9110 §13 and §14) for content whose validators and size are
// known. A pure function, so that the order of evaluation, which is easy to get wrong, can be
// tested as a table.

import EdgeCache

/// The parts of a request head that select what of the content is sent.
struct ConditionalFields: Equatable, Sendable {
  /// If-None-Match.
  var ifNoneMatch: String?
  /// If-Modified-Since.
  var ifModifiedSince: String?
  /// Range.
  var range: String?
  /// If-Range.
  var ifRange: String?
}

/// What of the content a response carries.
enum ContentSelection: Equatable, Sendable {
  /// 200 with everything.
  case whole
  /// 206 with these bytes.
  case part(Range<Int>)
  /// 304.
  case notModified
  /// 416.
  case unsatisfiable
}

extension ContentSelection {
  /// Evaluates a GET or HEAD request in the order of RFC 9110 §13.2.2.
  ///
  /// `lastModified` is in seconds since 1970; nil where the content has no date.
  init(_ fields: ConditionalFields, entityTag: String, lastModified: Int64?, size: Int) {
    if let list = fields.ifNoneMatch {
      if EntityTagList.weaklyMatches(list, entityTag) {
        self = .notModified
        return
      }
    } else if let since = fields.ifModifiedSince.flatMap(HTTPDate.seconds), let lastModified,
      lastModified <= since
    {
      self = .notModified
      return
    }
    guard let range = fields.range else {
      self = .whole
      return
    }
    if let condition = fields.ifRange {
      // Strong comparison (§13.1.5): a weak tag never matches, a date must be exactly ours.
      let matches =
        condition == entityTag
        || (lastModified != nil && HTTPDate.seconds(condition) == lastModified)
      guard matches else {
        self = .whole
        return
      }
    }
    self = Self.single(range, size: size)
  }

  /// A single byte range; several ranges or a malformed field mean the whole content (§14.2).
  private static func single(_ field: String, size: Int) -> ContentSelection {
    guard field.lowercased().hasPrefix("bytes=") else { return .whole }
    let set = field.dropFirst(6).filter { $0 != " " && $0 != "\t" }
    let parts = set.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } })
    else { return .whole }
    switch (parts[0].isEmpty, parts[1].isEmpty) {
    case (true, true): return .whole
    case (true, false):
      let count = saturating(parts[1])
      guard count > 0, size > 0 else { return .unsatisfiable }
      return .part(max(0, size - count)..<size)
    case (false, let open):
      let first = saturating(parts[0])
      let last = open ? Int.max : saturating(parts[1])
      guard last >= first else { return .whole }
      guard first < size else { return .unsatisfiable }
      return .part(first..<(min(last, size - 1) + 1))
    }
  }

  private static func saturating(_ digits: Substring) -> Int {
    Int(digits) ?? Int.max
  }
}

/// A list of entity tags as in If-None-Match.
enum EntityTagList {
  /// Whether the list holds the tag by weak comparison (RFC 9110 §8.8.3.2), or is `*`.
  static func weaklyMatches(_ list: String, _ entityTag: String) -> Bool {
    if list.allSatisfy({ $0 == "*" || $0 == " " }) && list.contains("*") { return true }
    let wanted = Array(opaque(Substring(entityTag)).utf8)
    // Quoted strings are the opaque tags; what stands between them (W/, commas) does not matter.
    var rest = list.utf8[...]
    while let open = rest.firstIndex(of: 0x22) {
      let after = rest.index(after: open)
      guard let close = rest[after...].firstIndex(of: 0x22) else { return false }
      if rest[after..<close].elementsEqual(wanted) { return true }
      rest = rest[rest.index(after: close)...]
    }
    return false
  }

  private static func opaque(_ tag: Substring) -> Substring {
    let strong = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
    return strong.dropFirst().dropLast()
  }
}
