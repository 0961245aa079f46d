// Asking the origin whether stored responses are still good (RFC 9111 §4.3).

/// What an answer to a validation request means for the stored responses that were asked about.
public enum ValidationOutcome: Sendable {
  /// 304: what was asked about is good (§4.3.4).
  case freshened(FreshenedResponse)
  /// 304: it is good for this request, but with its new fields it may not be stored.
  case confirmed(FreshenedResponse, StorageRefusal)
  /// 304, but about something else: none of the stored responses may be used.
  case mismatch
  /// Any other answer replaces the stored one.
  case replaced
}

/// A stored response that a validation found good.
public struct FreshenedResponse: Sendable {
  /// What was stored.
  public var chosen: StoredResponse
  /// The same with its new fields.
  public var response: StoredResponse
  /// The head for the client whose request was answered, where fields are for that client alone.
  var leadersHead: StoredHead?

  /// What the client gets whose request was answered.
  public var leaders: StoredResponse { leadersHead.map(response.with(head:)) ?? response }
}

/// When, and to what request, an answer came.
public struct ValidationContext: Sendable {
  public var request: RequestHead
  public var policy: SitePolicy
  public var requestTime: Instant
  public var responseTime: Instant

  /// A context from its parts.
  public init(
    request: RequestHead, policy: SitePolicy, requestTime: Instant, responseTime: Instant
  ) {
    self.request = request
    self.policy = policy
    self.requestTime = requestTime
    self.responseTime = responseTime
  }
}

/// Builds and judges validation requests.
public enum Validation {
  /// True if the stored response has something to ask with (§4.3.1).
  public static func hasValidator(_ head: StoredHead) -> Bool {
    head.etag != nil || head.fields.contains(.lastModified)
  }

  /// Judges the answer to a validation of `candidates`: of the one that the request selects, or of
  /// variants that it does not. O(bytes).
  public static func judge(
    _ response: ResponseHead, candidates: [StoredResponse], areOtherVariants: Bool = false,
    _ context: ValidationContext
  ) -> ValidationOutcome {
    guard response.status == 304 else { return .replaced }
    let chosen = select(
      response.fields, candidates, isStrict: areOtherVariants, now: context.responseTime)
    guard let chosen else { return .mismatch }
    return freshen(chosen, by: response, context)
  }

  /// Puts the fields of a 304, of a 206 that goes with what is stored, or of a response to HEAD in
  /// the place of the stored ones and judges the result (§3.2). O(bytes).
  static func freshen(
    _ chosen: StoredResponse, by response: ResponseHead, _ context: ValidationContext
  ) -> ValidationOutcome {
    let now = context.responseTime
    let stripped = ResponseDirectives.strippedNames(context.policy)
    // What was not to be kept is not kept now either, and what the update says comes on top.
    let withheld =
      ResponseDirectives(response.fields, policy: context.policy).withheld
      + ResponseDirectives(chosen.head.fields, policy: context.policy).withheld
      + ClientFields.names(response.fields, context.policy.cookies)
      + ClientFields.names(chosen.head.fields, context.policy.cookies)
    let head = chosen.head.freshened(
      by: response, withheld: withheld + stripped, tags: context.policy.tagFields,
      now: now)
    var leadersHead: StoredHead?
    if response.fields.fields.indices.contains(where: {
      response.fields.isNamed($0, in: withheld)
    }) {
      leadersHead = chosen.head.freshened(
        by: response, withheld: stripped, tags: context.policy.tagFields, now: now)
    }
    // It is about the stored response now: its Age counts, and its Date is new.
    var renewed = head.asResponse
    if let age = response.fields.first(.age) {
      renewed.fields.append(name: "age", value: response.fields.copy(age))
    }
    let accepted = Storability.decide(
      request: context.request, requestDirectives: CacheControl(), response: renewed,
      policy: context.policy, requestTime: context.requestTime,
      responseTime: now, hashedURL: chosen.hashedURL(renewed.fields))
    switch accepted {
    case .success(var accepted):
      // A 304 that leaves out of `Vary` what was in it does not make the content fit more requests than before.
      accepted.selector = accepted.selector.including(
        chosen.selector, for: context.request.fields)
      return .freshened(
        FreshenedResponse(
          chosen: chosen, response: chosen.freshened(head: head, accepted: accepted),
          leadersHead: leadersHead))
    case .failure(let refusal):
      let freshness = Freshness(
        renewed, directives: ResponseDirectives(renewed.fields, policy: context.policy),
        policy: context.policy, requestTime: context.requestTime,
        responseTime: now, hashedURL: chosen.hashedURL(renewed.fields))
      let accepted = Storability.Accepted(freshness: freshness, selector: chosen.selector)
      return .confirmed(
        FreshenedResponse(
          chosen: chosen, response: chosen.freshened(head: head, accepted: accepted),
          leadersHead: leadersHead),
        refusal)
    }
  }

  /// The stored response that a 304 is about (§4.3.4): by its strong validator, else by a weak one,
  /// else the only one that was asked about.
  ///
  /// Where §4.3.4 wants a strong entity tag to be that of the stored response, one that differs in
  /// its weakness alone is taken too, unless `isStrict`: origins that compress weaken the tag of a 200 and leave it
  /// strong in the 304, and only the tags that were sent can be meant. A date alone must be the
  /// same: an origin that went back to an older file answers `If-Modified-Since` with 304.
  private static func select(
    _ update: FieldSection, _ candidates: [StoredResponse], isStrict: Bool, now: Instant
  ) -> StoredResponse? {
    let bytes = update.bytes.readableBytesUInt8Span
    if let etag = update.first(.etag) {
      func matches(
        _ candidate: StoredResponse,
        _ equal: (Span<UInt8>, Range<Int>, Span<UInt8>, Range<Int>) -> Bool
      ) -> Bool {
        guard let own = candidate.head.etag else { return false }
        let stored = candidate.head.fields
        return equal(bytes, etag.range, stored.bytes.readableBytesUInt8Span, own.range)
      }
      if let same = candidates.first(where: { matches($0, EntityTag.stronglyEqual) }) {
        return same
      }
      if isStrict, !EntityTag.isWeak(bytes, etag.range) { return nil }
      return candidates.first { matches($0, EntityTag.weaklyEqual) }
    }
    // A date, or nothing, does not tell variants apart.
    if isStrict { return nil }
    if let range = update.first(.lastModified),
      let modified = HTTPDate.parse(bytes.extracting(range.range), now: now)
    {
      return candidates.first { ($0.head.lastModified ?? modified) == modified }
    }
    return candidates.count == 1 ? candidates[0] : nil
  }

  /// True if a strong validator says that the update is about the same bytes (RFC 9110 §8.8.1).
  static func isSame(_ stored: StoredHead, _ update: FieldSection, now: Instant) -> Bool {
    let bytes = update.bytes.readableBytesUInt8Span
    if let etag = update.first(.etag), let own = stored.etag {
      return EntityTag.stronglyEqual(
        bytes, etag.range, stored.fields.bytes.readableBytesUInt8Span, own.range)
    }
    // Without any validator it is about the tag that was sent.
    guard let range = update.first(.lastModified) else { return stored.hasStrongETag }
    guard let modified = stored.lastModified, let date = stored.date, date > modified else {
      return false
    }
    return HTTPDate.parse(bytes.extracting(range.range), now: now) == modified
  }

  /// What the answer to HEAD means for a stored response that could have answered it (§4.3.5); nil
  /// if it says nothing about it.
  public static func judgeHead(
    _ response: ResponseHead, stored: StoredResponse, _ context: ValidationContext
  ) -> StoredResponse? {
    if response.status == 304 || response.status >= 500 { return nil }
    guard response.status == 200, agrees(response, stored, now: context.responseTime) else {
      return stored.markedStale(.outdated)
    }
    switch freshen(stored, by: response, context) {
    case .freshened(let freshened): return freshened.response
    // That it may not be kept is about this client alone.
    case .confirmed(_, .authorization): return nil
    default: return stored.markedStale(.outdated)
    }
  }

  /// True if all validators and the length that a response to HEAD has are the stored ones.
  private static func agrees(
    _ response: ResponseHead, _ stored: StoredResponse, now: Instant
  ) -> Bool {
    let bytes = response.fields.bytes.readableBytesUInt8Span
    if let length = response.contentLength, length != stored.completeLength { return false }
    if let etag = response.fields.first(.etag) {
      guard let own = stored.head.etag else { return false }
      let fields = stored.head.fields
      guard
        EntityTag.weaklyEqual(
          bytes, etag.range, fields.bytes.readableBytesUInt8Span, own.range)
      else { return false }
    }
    if let range = response.fields.first(.lastModified) {
      return HTTPDate.parse(bytes.extracting(range.range), now: now) == stored.head.lastModified
    }
    return true
  }
}
