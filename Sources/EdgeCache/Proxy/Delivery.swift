// What of a stored response goes to a client: the delivery plan.

/// How a stored response answers a request.
public struct Delivery: Sendable {
  /// Which answer it is.
  public enum Kind: Sendable, Hashable {
    /// Status and content as stored.
    case whole
    /// 206 with that part of the content.
    case part(Range<Int>)
    /// 304: the client has it.
    case notModified
    /// 416: no byte of it is asked for.
    case rangeNotSatisfiable
  }

  public let kind: Kind
  /// False for HEAD: the head is that of the answer to GET.
  public let sendsContent: Bool

  /// Plans the answer to `request` from a stored response of `length` bytes (RFC 9110 §13.2.2:
  /// preconditions first, then ranges). O(bytes of the fields).
  public init(request: RequestHead, head: StoredHead, length: Int, now: Instant) {
    sendsContent = request.method != .head
    if Preconditions.isNotModified(request: request.fields, response: head, now: now) {
      kind = .notModified
    } else if request.method == .get, request.fields.contains(.range) {
      switch ByteServing.range(
        request: request.fields, response: head, length: length, now: now)
      {
      case .whole: kind = .whole
      case .part(let range): kind = .part(range)
      case .unsatisfiable: kind = .rangeNotSatisfiable
      }
    } else {
      kind = .whole
    }
  }
}

/// Whether a stored response satisfies a request without asking the origin.
public enum Reuse: Sendable, Hashable {
  /// It does.
  case yes
  /// It does not, for that reason.
  case no(ForwardReason)

  /// Judges a selected stored response (RFC 9111 §4, §5.2.1, RFC 8246). O(1).
  public static func judge(
    _ freshness: Freshness, directives: CacheControl, now: Instant
  ) -> Reuse {
    let age = freshness.age(now)
    guard freshness.isFresh(now) else {
      guard let most = directives.maxStale, !freshness.neverStale, !freshness.alwaysValidate,
        age - freshness.lifetime <= most, directives.maxAge.map({ age <= $0 }) ?? true,
        directives.minFresh == nil
      else { return .no(.stale) }
      return .yes
    }
    if let least = directives.minFresh, freshness.lifetime - age < least { return .no(.request) }
    // A fresh immutable response does not change: a reload finds nothing new.
    if freshness.immutable { return .yes }
    if let most = directives.maxAge, age > most || most == 0 { return .no(.request) }
    return .yes
  }
}
