// Byte ranges of a stored response (RFC 9110 §14).

/// What a `Range` field means for content of a known length.
public enum RangeOutcome: Sendable, Hashable {
  /// The whole content: no range, one that is not understood, one of empty content, or so many or so much
  /// overlapping ones that answering would cost more than it gives (§14.2 lets a server ignore any, §17.15).
  case whole
  /// These bytes, not empty.
  case part(Range<Int>)
  /// Several runs of bytes, none empty, in the order in which they were asked for.
  case parts([Range<Int>])
  /// No byte of the content is asked for (§15.5.17): 416.
  case unsatisfiable
}

/// Evaluates `Range` and `If-Range`.
public enum ByteServing {
  /// Ranges in one request; with more, all are ignored.
  static let mostRanges = 256
  /// Ranges that may overlap others of the same request; with more, all are ignored (§14.2, §17.15).
  static let mostOverlaps = 2
  /// Ranges closer to each other than this are sent as one: the head of a part takes as much.
  static let gap = 80

  /// The part of a content of `length` bytes that `request` asks for. O(bytes of the fields).
  public static func range(
    request: FieldSection, response: StoredHead, length: Int, now: Instant
  ) -> RangeOutcome {
    guard response.status == 200, let value = request.only(.range) else { return .whole }
    guard response.hasRanges, ifRangeHolds(request: request, response: response, now: now)
    else { return .whole }
    return parse(request.bytes.readableBytesUInt8Span, value.range, length: length)
  }

  /// True if a request asks for one range, as far as can be said without knowing the length: its
  /// answer may be a part that can be stored. O(bytes of the field).
  static func asksForOneRange(_ request: FieldSection) -> Bool {
    guard let value = request.only(.range) else { return false }
    let bytes = request.bytes.readableBytesUInt8Span
    guard let specs = specifiers(bytes, value.range),
      bytes.firstIndex(of: ASCII.comma, in: specs) == nil
    else { return false }
    return specifier(bytes, specs) != nil
  }

  /// One `first-last`, `first-` or `-suffix` (§14.1.1).
  private enum Specifier {
    case from(Int, last: Int?)
    case suffix(Int)

    /// The bytes that are meant; nil if there are none.
    func resolved(_ length: Int) -> Range<Int>? {
      switch self {
      case .from(let first, let last):
        guard first < length else { return nil }
        return first..<(last.map { min($0, length - 1) + 1 } ?? length)
      case .suffix(let count):
        return count == 0 || length == 0 ? nil : max(0, length - count)..<length
      }
    }
  }

  /// What comes behind `bytes=`; nil for another unit or none.
  private static func specifiers(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Range<Int>? {
    guard let equals = bytes.firstIndex(of: ASCII.equals, in: value),
      bytes.extracting(value.lowerBound..<equals).equalsIgnoringCase("bytes")
    else { return nil }
    return bytes.trimmingWhitespace((equals + 1)..<value.upperBound)
  }

  /// Nil if it is not well formed.
  private static func specifier(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Specifier? {
    guard let dash = bytes.firstIndex(of: ASCII.dash, in: range) else { return nil }
    let first = bytes.decimal(range.lowerBound..<dash)
    let last = bytes.decimal((dash + 1)..<range.upperBound)
    let hasLast = dash + 1 < range.upperBound
    if range.lowerBound == dash { return last.map { .suffix($0) } }
    guard let first, !hasLast || last != nil else { return nil }
    if let last, last < first { return nil }
    return .from(first, last: last)
  }

  /// Parses a set of ranges (§14.1.2) and decides what is sent for it.
  static func parse(_ bytes: Span<UInt8>, _ value: Range<Int>, length: Int) -> RangeOutcome {
    // Clients ask for `bytes=0-` of whatever comes, and all servers answer 200 where it is empty.
    guard length > 0, let specs = specifiers(bytes, value) else { return .whole }
    var ranges: [Range<Int>] = []
    var count = 0
    var isMalformed = false
    bytes.forEachListElement(specs, ofTokens: true) { element in
      count += 1
      guard let specifier = specifier(bytes, element) else {
        isMalformed = true
        return false
      }
      if let range = specifier.resolved(length) { ranges.append(range) }
      return count <= mostRanges
    }
    if isMalformed || count == 0 || count > mostRanges { return .whole }
    if ranges.isEmpty { return .unsatisfiable }
    if ranges.count == 1 { return .part(ranges[0]) }
    guard let merged = merge(ranges) else { return .whole }
    return merged.count == 1 ? .part(merged[0]) : .parts(merged)
  }

  /// Joins what overlaps or nearly touches, each where its first member stood; nil if too much
  /// overlaps. O(n log n).
  private static func merge(_ ranges: [Range<Int>]) -> [Range<Int>]? {
    let order = ranges.indices.sorted { ranges[$0].lowerBound < ranges[$1].lowerBound }
    var overlaps = 0
    var runs: [(range: Range<Int>, place: Int)] = []
    for index in order {
      let range = ranges[index]
      guard let last = runs.last, range.lowerBound - last.range.upperBound < gap else {
        runs.append((range, index))
        continue
      }
      if range.lowerBound < last.range.upperBound { overlaps += 1 }
      runs[runs.count - 1] = (
        last.range.lowerBound..<max(last.range.upperBound, range.upperBound),
        min(last.place, index)
      )
    }
    if overlaps > mostOverlaps { return nil }
    return runs.sorted { $0.place < $1.place }.map(\.range)
  }

  /// True if there is no `If-Range` or it names exactly the stored response (§13.1.5).
  private static func ifRangeHolds(
    request: FieldSection, response: StoredHead, now: Instant
  ) -> Bool {
    guard request.contains(.ifRange) else { return true }
    guard let value = request.only(.ifRange) else { return false }
    let bytes = request.bytes.readableBytesUInt8Span
    if let etag = response.etag {
      let stored = response.storage.span
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
