// What the store says to a request before anything is forwarded. Most requests end here: a hit needs
// nothing of the machinery of ``Transaction``.

/// The first decision about a request.
public enum FirstLook: Sendable {
  /// Answer it with this stored response.
  case answer(StoredResponse, CacheStatus)
  /// The client wants only what is stored, and nothing that may be used is (RFC 9111 §5.2.1.7).
  case onlyIfCached
  /// Send it past the store, for these reasons.
  case pass(ForwardReason, StorageRefusal)
  /// Forward it for the store; what is stored may be validated.
  case forward(ForwardReason, stale: StoredResponse?)

  /// Looks a request up. O(variants of the key).
  public static func take(
    request: RequestHead, key: CacheKey, directives: CacheControl, route: RequestRoute,
    store: Store, now: Instant
  ) -> FirstLook {
    if let (reason, refusal) = passThroughReason(request, directives, route) {
      return directives.onlyIfCached ? .onlyIfCached : .pass(reason, refusal)
    }
    let reason: ForwardReason
    var stale: StoredResponse?
    switch store.find(key, request: request.fields) {
    case .selected(let response):
      switch Reuse.judge(response.freshness, directives: directives, now: now) {
      case .yes: return .answer(response, .hit(ttl: response.freshness.ttl(now)))
      case .no(let why): reason = why
      }
      stale = response
    case .otherVariants: reason = .varyMiss
    case .nothing: reason = .uriMiss
    }
    if directives.onlyIfCached { return .onlyIfCached }
    // A fill wants the whole response to GET. Without something stored to validate, HEAD and ranges
    // would make the origin send more than was asked for.
    if request.method == .head { return .pass(reason, .head) }
    if stale == nil, request.fields.contains(.range) { return .pass(reason, .partial) }
    return .forward(reason, stale: stale)
  }

  /// Why a request goes past the store, if it does.
  private static func passThroughReason(
    _ request: RequestHead, _ directives: CacheControl, _ route: RequestRoute
  ) -> (ForwardReason, StorageRefusal)? {
    switch request.method {
    case .get, .head: break
    default: return (.method, .method)
    }
    if route.cached == nil { return (.bypass, .route) }
    if directives.noStore { return (.request, .requestNoStore) }
    if directives.noCache { return (.request, .passThrough) }
    if request.hasContent || request.asksForUpgrade
      || Preconditions.needOrigin(request.fields)
    {
      return (.bypass, .passThrough)
    }
    return nil
  }
}
