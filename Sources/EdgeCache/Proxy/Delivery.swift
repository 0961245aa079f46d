import NIOCore

// What of a stored response goes to a client: the delivery plan.

/// How a stored response answers a request.
public struct Delivery: Sendable {
  /// Which answer it is.
  public enum Kind: Sendable {
    /// Status and content as stored.
    case whole
    /// 206 with that part of the content.
    case part(Range<Int>)
    /// 206 with several parts of the content.
    case parts(MultipartRanges)
    /// 304: the client has it.
    case notModified
    /// 416: no byte of it is asked for.
    case rangeNotSatisfiable
  }

  public let kind: Kind
  /// False for HEAD: the head is that of the answer to GET.
  public let sendsContent: Bool
  /// What goes out behind the content: with all of it, to those who say that they take it (RFC 9110 §6.5.1).
  public let trailers: TrailerSection?

  /// Plans the answer to `request` from a stored response (RFC 9110 §13.2.2: preconditions first,
  /// then ranges). O(bytes of the fields).
  public init(request: borrowing RequestHead, response: StoredResponse, now: Instant) {
    sendsContent = request.method != .head
    if request.fields.contains(.ifNoneMatch) || request.fields.contains(.ifModifiedSince),
      Preconditions.isNotModified(request: request.fields, response: response.head, now: now)
    {
      kind = .notModified
    } else if request.method == .get, request.fields.contains(.range) {
      switch ByteServing.range(
        request: request.fields, response: response.head, length: response.completeLength, now: now)
      {
      case .whole: kind = .whole
      case .part(let range): kind = .part(range)
      case .parts(let ranges): kind = .parts(MultipartRanges(ranges, of: response))
      case .unsatisfiable: kind = .rangeNotSatisfiable
      }
    } else {
      kind = .whole
    }
    if let kept = response.head.trailers, sendsContent, request.minorVersion >= 1,
      request.fields.hasElement(.te, "trailers"), case .whole = kind
    {
      trailers = kept
    } else {
      trailers = nil
    }
  }

  /// The status that is sent.
  public func status(_ response: StoredResponse) -> Int {
    switch kind {
    case .whole: response.head.status
    case .part, .parts: 206
    case .notModified: 304
    case .rangeNotSatisfiable: 416
    }
  }

  /// The number of bytes of content that are sent.
  public func contentCount(_ response: StoredResponse) -> Int {
    guard sendsContent else { return 0 }
    return switch kind {
    case .whole: response.sentCount
    case .part(let range): range.count
    case .parts(let parts): parts.length
    case .notModified, .rangeNotSatisfiable: 0
    }
  }

  /// Calls `body` with the content that is sent, piece by piece, not copied. O(pieces).
  public func forEachPiece(of response: StoredResponse, _ body: (ByteBuffer) -> Void) {
    guard sendsContent else { return }
    switch kind {
    case .whole: response.content.forEachPiece(in: 0..<response.content.count, body)
    case .part(let range):
      response.content.forEachPiece(in: response.place(of: range), body)
    case .parts(let several):
      for (index, range) in several.ranges.enumerated() {
        body(several.partHead(index))
        response.content.forEachPiece(in: response.place(of: range), body)
      }
      body(several.end)
    case .notModified, .rangeNotSatisfiable: break
    }
  }

  /// Something that is sent where the content is not in memory.
  public enum Part: Sendable {
    /// These bytes, such as the head of one part of several.
    case bytes(ByteBuffer)
    /// Bytes of the content.
    case range(Range<Int>)
  }

  /// What is sent of a content of `count` bytes that is all there, in order. O(parts).
  public func parts(of count: Int) -> [Part] {
    guard sendsContent else { return [] }
    switch kind {
    case .whole: return [.range(0..<count)]
    case .part(let range): return [.range(range)]
    case .parts(let parts):
      return parts.ranges.enumerated().flatMap {
        [Part.bytes(parts.partHead($0)), .range($1)]
      } + [.bytes(parts.end)]
    case .notModified, .rangeNotSatisfiable: return []
    }
  }

  /// The same, where it is one range: most answers need no array. O(1).
  public func onlyRange(of count: Int) -> Range<Int>? {
    guard sendsContent else { return nil }
    return switch kind {
    case .whole: 0..<count
    case .part(let range): range
    case .parts, .notModified, .rangeNotSatisfiable: nil
    }
  }

  /// True if a response that is stored in part has all that this answer to a request needs
  /// (RFC 9111 §3.3). O(bytes of the fields).
  static func isPossible(
    _ request: RequestHead, from response: StoredResponse, _ parts: StoredParts, now: Instant
  ) -> Bool {
    guard request.method == .get else { return false }
    switch ByteServing.range(
      request: request.fields, response: response.head, length: parts.completeLength, now: now)
    {
    case .part(let range): return parts.place(of: range) != nil
    case .parts(let ranges): return ranges.allSatisfy { parts.place(of: $0) != nil }
    case .unsatisfiable: return true
    case .whole: return false
    }
  }
}

/// Whether a stored response satisfies a request without asking the origin.
public enum Reuse: Sendable, Hashable {
  /// It does.
  case yes
  /// It does, and is to be validated meanwhile (RFC 5861 §3).
  case yesWhileValidating
  /// It does not, for that reason.
  case no(ForwardReason)

  /// Judges a selected stored response (RFC 9111 §4, §5.2.1, RFC 8246). O(1).
  public static func judge(
    _ freshness: Freshness, directives: CacheControl, now: Instant
  ) -> Reuse {
    if directives.noCache { return .no(.request) }
    let age = freshness.age(now)
    guard freshness.isFresh(now) else {
      if freshness.neverStale || freshness.alwaysValidate || directives.minFresh != nil {
        return .no(.stale)
      }
      let staleness = age - freshness.lifetime
      if let most = directives.maxStale, staleness <= most,
        directives.maxAge.map({ age <= $0 }) ?? true
      {
        return .yes
      }
      return directives.maxAge == nil && staleness <= freshness.staleWhileRevalidate
        && freshness.staleWhileRevalidate > 0 ? .yesWhileValidating : .no(.stale)
    }
    if let least = directives.minFresh, freshness.lifetime - age < least { return .no(.request) }
    // A fresh immutable response does not change: a reload finds nothing new.
    if freshness.immutable { return .yes }
    if let most = directives.maxAge, age > most || most == 0 { return .no(.request) }
    return .yes
  }
}
