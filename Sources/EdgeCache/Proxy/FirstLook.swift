// What the store says to a request before anything is forwarded. Most requests end here: a hit needs
// nothing of the machinery of ``Transaction``.

/// The first decision about a request.
public enum FirstLook: Sendable {
  /// Answer it with this stored response.
  case answer(StoredResponse, CacheStatus)
  /// Answer it with this stored response, which is stale, and validate that for others.
  case answerAndValidate(StoredResponse, CacheStatus)
  /// Nobody asked: validate this stored response.
  case validate(StoredResponse)
  /// The client wants only what is stored, and nothing that may be used is (RFC 9111 §5.2.1.7).
  case onlyIfCached
  /// Ask the tier below memory, and look again with what it has.
  case consult
  /// Send it past the store, for these reasons.
  case pass(ForwardReason, StorageRefusal)
  /// Forward it for the store; what is stored may be validated.
  case forward(ForwardReason, stale: StoredResponse?)

  /// What the tier below memory said.
  public enum Below: Sendable {
    /// It has not been asked.
    case unasked
    /// It has this one, which is not in memory, or nothing.
    case answered(StoredResponse?)
  }

  /// Looks a request up. O(variants of the key). With `touches` false nothing counts as used.
  public static func take(
    request: RequestHead, key: CacheKey, directives: CacheControl, route: RequestRoute,
    store: Store, now: Instant, touches: Bool = true, below: Below = .unasked
  ) -> FirstLook {
    if let (reason, refusal) = passThroughReason(request, directives, route) {
      return directives.onlyIfCached ? .onlyIfCached : .pass(reason, refusal)
    }
    let reason: ForwardReason
    var stale: StoredResponse?
    // Asked only where something is to be forwarded: what is stored may be sent to anybody.
    var isBound: Bool { route.isBound || request.fields.hasConnectionCredentials }
    var found = store.find(key, request: request.fields, touches: touches)
    switch (found, below) {
    case (.selected, _): break
    case (_, .answered(let response?)): found = .selected(response)
    case (_, .answered(nil)): break
    case (_, .unasked):
      if let lower = store.lower, lower.mayHave(key.hash) { return .consult }
    }
    switch found {
    case .selected(let response):
      stale = response
      if let parts = response.parts,
        !Delivery.isPossible(request, from: response, parts, now: now)
      {
        reason = .partial
        break
      }
      switch Reuse.judge(response.freshness, directives: directives, now: now) {
      case .yes where response.pieced == nil || !isBound:
        return .answer(response, .hit(ttl: response.freshness.ttl(now)))
      // Pieces that are missing would be fetched for it.
      case .yes: reason = .partial
      case .yesWhileValidating where isBound: reason = .stale
      case .yesWhileValidating: return answerAndValidate(response, now)
      case .no(let why): reason = why
      }
    case .otherVariants: reason = .varyMiss
    case .nothing:
      if let response = store.findEquivalent(key, request: request.fields, touches: touches),
        response.parts == nil,
        Reuse.judge(response.freshness, directives: directives, now: now) == .yes
      {
        return .answer(response, .hit(ttl: response.freshness.ttl(now)))
      }
      reason = .uriMiss
    }
    if directives.onlyIfCached { return .onlyIfCached }
    if isBound { return .pass(reason, .connectionBound) }
    // A fill wants a response to GET. Without something stored that can be validated for it, HEAD and several
    // ranges would make the origin send more than was asked for.
    if request.method == .head { return .pass(reason, .head) }
    if stale == nil || stale?.parts != nil, request.fields.contains(.range),
      !ByteServing.asksForOneRange(request.fields)
    {
      return .pass(reason, .partial)
    }
    return .forward(reason, stale: stale)
  }

  /// Looks a piece of large content up; it is good whatever the request says. O(1).
  static func take(
    _ piece: PieceOrder, key: CacheKey, request: RequestHead, directives: CacheControl,
    store: Store, now: Instant, below: Below = .unasked
  ) -> FirstLook {
    if case .selected(let response) = store.find(key, request: request.fields) {
      return .answer(response, .hit(ttl: response.freshness.ttl(now)))
    }
    switch below {
    case .answered(let response?): return .answer(response, .hit(ttl: response.freshness.ttl(now)))
    case .answered(nil): break
    case .unasked: if let lower = store.lower, lower.mayHave(key.hash) { return .consult }
    }
    return directives.onlyIfCached ? .onlyIfCached : .forward(.partial, stale: nil)
  }

  private static func answerAndValidate(_ response: StoredResponse, _ now: Instant) -> FirstLook {
    var status = CacheStatus.hit(ttl: response.freshness.ttl(now))
    status.detail = .staleWhileRevalidate
    return .answerAndValidate(response, status)
  }

  /// Why a request goes past the store, if it does.
  private static func passThroughReason(
    _ request: RequestHead, _ directives: CacheControl, _ route: RequestRoute
  ) -> (ForwardReason, StorageRefusal)? {
    switch request.method {
    case .get, .head: break
    default: return (.method, .method)
    }
    if route.cached == nil { return (.bypass, route.refusal) }
    // What has no host could not be named by a purge.
    if request.authority.isEmpty { return (.bypass, .passThrough) }
    if directives.noStore { return (.request, .requestNoStore) }
    // Where requests past the store have another upstream than the store, they are not for the store.
    if directives.noCache, route.cached != route.passThrough { return (.request, .passThrough) }
    if request.hasContent || request.asksForUpgrade
      || Preconditions.needOrigin(request.fields)
    {
      return (.bypass, .passThrough)
    }
    return nil
  }
}
