// What a response's Cache-Status field (RFC 9211) says about it. The list's last member is the
// cache nearest to the client: the PoP under load, whatever stands behind it.

import EdgeCache

/// What the nearest cache did, by its own word.
enum CacheOutcome: Int, CaseIterable, Sendable {
  case hit
  case bypass, method, uriMiss, varyMiss, miss, request, stale, partial
  /// `fwd` with a reason that RFC 9211 does not name.
  case otherForward
  /// A member with neither `hit` nor `fwd`.
  case unstated
  /// No Cache-Status field.
  case absent

  /// The name in reports: for forwards the reason's token.
  var label: String {
    switch self {
    case .hit: "hit"
    case .bypass: "bypass"
    case .method: "method"
    case .uriMiss: "uri-miss"
    case .varyMiss: "vary-miss"
    case .miss: "miss"
    case .request: "request"
    case .stale: "stale"
    case .partial: "partial"
    case .otherForward: "other"
    case .unstated: "unstated"
    case .absent: "no Cache-Status"
    }
  }

  /// Whether the request went on toward the origin.
  var isForward: Bool {
    switch self {
    case .hit, .unstated, .absent: false
    default: true
    }
  }

  /// Reads the last member of a response's Cache-Status.
  init(_ fields: FieldSection) {
    var outcome = CacheOutcome.absent
    fields.forEachElement(of: .cacheStatus) { bytes, member in
      outcome = CacheOutcome(member: bytes.extracting(member))
      return true
    }
    self = outcome
  }

  /// Reads one member: a cache's name and its parameters, such as `us; fwd=uri-miss; stored`.
  init(member: Span<UInt8>) {
    self = .unstated
    var start = 0
    var isFirst = true
    var isQuoted = false
    for index in 0...member.count {
      let atEnd = index == member.count
      if !atEnd && member[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
      guard atEnd || (member[index] == UInt8(ascii: ";") && !isQuoted) else { continue }
      if !isFirst, let outcome = Self.parameter(member, start..<index) {
        self = outcome
        return
      }
      isFirst = false
      start = index + 1
    }
  }

  private static func parameter(_ member: Span<UInt8>, _ range: Range<Int>) -> CacheOutcome? {
    let text = member.extracting(member.trimmingWhitespace(range))
    if text.equalsIgnoringCase("hit") || text.equalsIgnoringCase("hit=?1") { return .hit }
    guard text.count > 4, text.extracting(0..<4).equalsIgnoringCase("fwd=") else { return nil }
    let reason = text.extracting(4..<text.count)
    for (name, outcome) in reasons where reason.equalsIgnoringCase(name) { return outcome }
    return .otherForward
  }

  /// The usual ones first.
  private static let reasons: [(StaticString, CacheOutcome)] = [
    ("uri-miss", .uriMiss), ("stale", .stale), ("bypass", .bypass), ("vary-miss", .varyMiss),
    ("request", .request), ("miss", .miss), ("partial", .partial), ("method", .method),
  ]
}
