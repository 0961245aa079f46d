import NIOCore

// What would happen to a request, and why, in words: the same decisions as for a request that came
// in, taken without touching anything. Made for people who ask why; nothing here is on the path of a
// request, so it may be text.

/// What the cache knows about a request and would do with it.
public struct Explanation: Sendable {
  /// All that is stored under the key.
  public var stored: [Item]
  /// True if requests for the key are not made to wait for each other.
  public var isHitForMiss: Bool
  /// Requests for the key that are upstream now.
  public var flights: Int
  /// Number of the newest purge that covers the URL; 0 if there is none.
  public var purge: UInt64
  /// The `Cache-Status` that a response would get, as far as it is known before.
  public var status: CacheStatus
  /// The decisions in their order, as sentences with the sections of the RFCs.
  public var because: [String]

  /// One stored response.
  public struct Item: Sendable {
    public var response: StoredResponse
    /// True if the request would be answered from it, or it would be asked about.
    public var isSelected: Bool
    /// True if it is in the tier below memory alone.
    public var isBelow = false
    /// Number of the newest purge that covers it; 0 if there is none.
    public var purge: UInt64
  }

  /// Explains what would happen to `request` at `now`; `below` is what the tier below memory has of the key, the
  /// newest of each variant first. O(variants of the key).
  public init(
    request: RequestHead, key: CacheKey, directives: CacheControl, route: RequestRoute,
    store: Store, below: [StoredResponse] = [], now: Instant
  ) {
    func take(_ below: FirstLook.Below) -> FirstLook {
      FirstLook.take(
        request: request, key: key, directives: directives, route: route, store: store, now: now,
        touches: false, below: below)
    }
    var look = take(.unasked)
    if case .consult = look { look = take(.answered(Self.selected(below, request))) }
    let chosen = look.stored
    var variants = store.variants(of: key)
    let others = below.filter { other in
      !variants.contains { $0.selector == other.selector && $0.key.scheme == other.key.scheme }
    }
    if let chosen, !(variants + others).contains(where: { $0 === chosen }) {
      variants.append(chosen)
    }
    func item(_ response: StoredResponse, isBelow: Bool) -> Item {
      Item(
        response: response, isSelected: response === chosen, isBelow: isBelow,
        purge: store.purges.newest(covering: response.key, response.names))
    }
    stored = variants.map { item($0, isBelow: false) } + others.map { item($0, isBelow: true) }
    (isHitForMiss, flights) = store.traffic(key, now: now)
    purge = store.purges.newest(covering: key)
    status = look.status
    because = []
    explain(look, request, directives, now)
    if chosen?.freshness.staleCause == .distrusted, let distrust = store.purges.distrust {
      let since = String(decoding: HTTPDate.bytes(distrust.since.seconds), as: UTF8.self)
      because.append("Found out on \(since): \(distrust.reason).")
    }
    if chosen == nil, case .forward(.uriMiss, _) = look { because += Self.gone(key, store) }
    if let chosen, chosen.key != key {
      because.append(
        "It is stored under \(chosen.key.url), whose origin says with No-Vary-Search that it is as "
          + "good for this URL.")
    }
  }

  /// Which of the stored responses below memory a request selects, as a disk does (RFC 9111 §4.1).
  private static func selected(
    _ below: [StoredResponse], _ request: RequestHead
  ) -> StoredResponse? {
    below.first { !$0.selector.isAny && $0.selector.matches(request.fields) }
      ?? below.first { $0.selector.isAny }
  }

  // MARK: Sentences

  /// Why nothing is stored for a key, as far as that is known.
  private static func gone(_ key: CacheKey, _ store: Store) -> [String] {
    var sentences: [String] = []
    let hard = store.purges.coverage(of: key).hard
    if hard > 0 {
      sentences.append("Purge \(hard) covers this URL: what was stored for it before is gone.")
    } else if let taken = store.purges.taken(key.hash) {
      sentences.append("Purge \(taken) took what was stored for it, by what it was named.")
    }
    if store.invalidated.withLock({ $0[key.hash] }) != nil {
      sentences.append(
        "An unsafe request to it, or to what named it, made what was stored before unusable "
          + "(RFC 9111 §4.4).")
    }
    return sentences
  }

  private mutating func explain(
    _ look: FirstLook, _ request: RequestHead, _ directives: CacheControl, _ now: Instant
  ) {
    switch look {
    case .answer(let response, _):
      because.append(Self.usable(response, directives, now))
      because.append(Self.delivery(request, response, now))
    case .answerAndValidate(let response, _):
      let freshness = response.freshness
      because.append(
        "The stored response has been stale for \(-freshness.ttl(now)) s, which is within its "
          + "stale-while-revalidate of \(freshness.staleWhileRevalidate) s: it is sent, and validated "
          + "in the background (RFC 5861 §3).")
      because.append(Self.delivery(request, response, now))
    case .consult: break
    case .validate: break
    case .onlyIfCached:
      because.append(
        "The request says only-if-cached and nothing that is stored may be used: 504 "
          + "(RFC 9111 §5.2.1.7).")
    case .pass(_, let refusal): because.append(Self.passing(refusal))
    case .forward(let reason, let stale):
      because.append(Self.forwarding(reason, stale, directives, now))
      explainForward(stale, directives, now)
    }
  }

  private static func usable(
    _ response: StoredResponse, _ directives: CacheControl, _ now: Instant
  ) -> String {
    let freshness = response.freshness
    if freshness.isFresh(now) {
      return "A stored response is fresh: its lifetime of \(freshness.lifetime) s "
        + "(\(freshness.sourceText)) exceeds its age of \(freshness.age(now)) s (RFC 9111 §4.2)."
    }
    return
      "A stored response is stale by \(-freshness.ttl(now)) s, and the request accepts that with "
      + "max-stale (RFC 9111 §5.2.1.2)."
  }

  private static func delivery(
    _ request: RequestHead, _ response: StoredResponse, _ now: Instant
  ) -> String {
    switch Delivery(request: request, response: response, now: now).kind {
    case .whole: "It is sent with status \(response.head.status)."
    case .part(let range):
      "Its bytes \(range.lowerBound) to \(range.upperBound - 1) of \(response.completeLength) are sent "
        + "with status 206 (RFC 9110 §14.2)."
    case .parts(let parts):
      "\(parts.ranges.count) ranges of it are sent as multipart/byteranges with status 206 "
        + "(RFC 9110 §14.6)."
    case .notModified:
      "The client has it already, by its own conditions: 304 (RFC 9111 §4.3.2)."
    case .rangeNotSatisfiable:
      "No byte of it is asked for: 416 (RFC 9110 §15.5.17)."
    }
  }

  private static func passing(_ refusal: StorageRefusal) -> String {
    switch refusal {
    case .method: "Only GET and HEAD are answered from the store; it is forwarded (RFC 9111 §4)."
    case .route: "The path belongs to the regional API; it is passed through."
    case .ambiguousPath:
      "Servers that decode more of a path than others would take it for one of the regional API; it "
        + "is passed through to where its own route leads, and never stored."
    case .requestNoStore:
      "The request says no-store; it is passed through and not stored (RFC 9111 §5.2.1.5)."
    case .head:
      "Nothing that is stored answers this HEAD, and its response has no content to store; it is "
        + "forwarded, and freshens what is stored (RFC 9111 §4.3.5)."
    case .connectionBound:
      "The request has credentials that belong to its connection (NTLM, Negotiate); it is forwarded on a connection "
        + "that nobody else uses, and not stored (RFC 9110 §3.3)."
    case .partial:
      "Several ranges of something that is not stored are forwarded and not stored "
        + "(RFC 9111 §3.3)."
    default:
      "The request says no-cache where such requests have an upstream of their own, has content, "
        + "asks for another protocol, or has conditions that only the origin can judge; it is "
        + "passed through (RFC 9111 §4.3.2, §5.2.1.4)."
    }
  }

  private static func forwarding(
    _ reason: ForwardReason, _ stale: StoredResponse?, _ directives: CacheControl, _ now: Instant
  ) -> String {
    switch reason {
    case .uriMiss: return "Nothing is stored for this URL; it is forwarded (RFC 9111 §4)."
    case .varyMiss:
      return "What is stored for this URL was selected by other values of the fields that Vary "
        + "names; it is forwarded (RFC 9111 §4.1)."
    case .partial:
      return "Only a part of the content is stored, and this request needs more; it is forwarded "
        + "(RFC 9111 §3.3)."
    case .request:
      return directives.noCache
        ? "The request says no-cache: nothing is used without asking (RFC 9111 §5.2.1.4)."
        : "The request wants something younger or fresher than what is stored, with max-age or "
          + "min-fresh (RFC 9111 §5.2.1.1, §5.2.1.3)."
    default:
      guard let freshness = stale?.freshness else { return "It is forwarded." }
      switch freshness.staleCause {
      case .purged:
        return
          "A soft purge covers what is stored: it is not used without asking, and may stand in if the "
          + "upstream fails."
      case .unchecked:
        return
          "What is stored may have been purged while this PoP was away, and it does not know yet: it "
          + "is not used without asking."
      case .distrusted:
        return
          "What is stored was on a disk that has lost purges, or the clock was set back since: it is "
          + "not used without asking, and does not stand in if the upstream fails."
      case .outdated:
        return
          "HEAD told of another version than is stored: it is not used without asking (RFC 9111 "
          + "§4.3.5)."
      case .none: break
      }
      if freshness.alwaysValidate, freshness.ttl(now) > 0 {
        return
          "What is stored says no-cache: it is not used without asking (RFC 9111 §5.2.2.4)."
      }
      return "What is stored is stale by \(-freshness.ttl(now)) s: its lifetime is "
        + "\(freshness.lifetime) s (\(freshness.sourceText)), its age \(freshness.age(now)) s "
        + "(RFC 9111 §4.2)."
    }
  }

  private mutating func explainForward(
    _ stale: StoredResponse?, _ directives: CacheControl, _ now: Instant
  ) {
    if let stale, stale.parts == nil {
      because.append(
        Validation.hasValidator(stale.head)
          ? "It is asked about with its validators; 304 makes it fresh again (RFC 9111 §4.3)."
          : "It has no validator, so the whole response is asked for (RFC 9111 §4.3.1).")
      because.append(
        stale.freshness.mayServeStaleOnError(now) && !directives.noCache
          ? "It would stand in if the upstream fails (RFC 9111 §4.2.4)."
          : "It may not stand in if the upstream fails (RFC 9111 §4.2.4).")
    }
    if isHitForMiss {
      because.append(
        "Responses for this key were not storable of late, so requests for it do not wait for each "
          + "other.")
    } else if flights > 0 {
      because.append(
        "\(flights) request\(flights == 1 ? " is" : "s are") on the way for it; this one would wait "
          + "for that response if it may share it (RFC 9111 §4).")
    }
  }
}

extension FirstLook {
  /// The stored response that it is about.
  var stored: StoredResponse? {
    switch self {
    case .answer(let response, _), .answerAndValidate(let response, _), .validate(let response):
      response
    case .forward(_, let stale): stale
    case .onlyIfCached, .consult, .pass: nil
    }
  }

  /// What is known of the cache status before anything is forwarded.
  var status: CacheStatus {
    switch self {
    case .answer(_, let status), .answerAndValidate(_, let status): return status
    case .validate: return .forwarded(.stale)
    case .forward(let reason, _): return .forwarded(reason)
    case .consult: return CacheStatus()
    case .onlyIfCached:
      var status = CacheStatus()
      status.detail = .onlyIfCached
      return status
    case .pass(let reason, let refusal):
      var status = CacheStatus.forwarded(reason)
      status.detail = .refused(refusal)
      return status
    }
  }
}

extension Freshness {
  /// Where the lifetime came from, in words.
  public var sourceText: String {
    switch source {
    case .sMaxAge: "s-maxage of \(field.name)"
    case .maxAge: "max-age of \(field.name)"
    case .expires: "Expires"
    case .hashedURL: "the URL has a hash of the content"
    case .heuristic: "guessed from Last-Modified, RFC 9111 §4.2.2"
    case .negative: "configured for this status"
    case .none: "nothing gives one"
    }
  }

  /// What else it says about its use, in words.
  public var notes: [String] {
    var notes: [String] = []
    switch staleCause {
    case .purged: notes.append("not used without asking: a soft purge covers it")
    case .unchecked:
      notes.append("not used without asking: it may have been purged while this PoP was away")
    case .distrusted:
      notes.append(
        "not used without asking: its disk has lost purges, or the clock was set back since")
    case .outdated:
      notes.append("not used without asking: HEAD told of another version (RFC 9111 §4.3.5)")
    case .none:
      if alwaysValidate { notes.append("never used without asking (RFC 9111 §5.2.2.4)") }
    }
    if neverStale, staleCause != .unchecked, staleCause != .distrusted {
      notes.append(
        "never used stale: must-revalidate, proxy-revalidate, s-maxage or no-cache "
          + "(RFC 9111 §4.2.4)")
    }
    if immutable { notes.append("immutable: a reload does not ask (RFC 8246 §2)") }
    if staleWhileRevalidate > 0 {
      notes.append("used stale for \(staleWhileRevalidate) s while it is validated (RFC 5861 §3)")
    }
    if let staleIfError {
      notes.append("stands in for \(staleIfError) s if the upstream fails (RFC 5861 §4)")
    }
    return notes
  }
}

extension VariantSelector {
  /// The fields and values that select, for people: `accept-encoding: gzip`, or `(absent)`.
  public var texts: [String] {
    zip(names, values).map { name, value in
      let text = value.map { String(decoding: $0, as: UTF8.self) } ?? "(absent)"
      return "\(String(decoding: name, as: UTF8.self)): \(text)"
    }
  }
}
