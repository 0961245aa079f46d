// What becomes of a response that the store may have: decided from its head, before any content comes.

/// How a response goes into the store, if it does.
enum FillPlan {
  /// As a flight with that head, of which so much is expected.
  case fill(FlightHead, expectedLength: Int?)
  /// As this head alone: its content is got in pieces, from the first byte on. The client whose request it was may
  /// get another one.
  case pieces(StoredResponse, leadersHead: StoredHead?)
  case refuse(StorageRefusal)

  /// The plan for a response to a request. `asksForPart` if the client's own range was sent along.
  init(
    for head: ResponseHead, to request: RequestHead, directives: CacheControl, policy: SitePolicy,
    key: CacheKey, asksForPart: Bool, requestTime: Instant, store: Store, now: Instant
  ) {
    let decision = Storability.decide(
      request: request, requestDirectives: directives, response: head, policy: policy,
      asksForPart: asksForPart, requestTime: requestTime, responseTime: now,
      hashedURL: HashedURL(
        key, head.fields,
        isEmpty: head.contentLength == 0 || request.method == .get && head.framing == .none))
    let accepted: Storability.Accepted
    switch decision {
    case .success(let known): accepted = known
    case .failure(let refusal):
      self = .refuse(refusal)
      return
    }
    let stripped = ResponseDirectives.strippedNames(policy)
    let leadersHead =
      accepted.withheld.isEmpty
      ? nil : StoredHead(head, withheld: stripped, tags: policy.tagFields, now: now)
    if head.status == 206 || !store.traffic(key, now: now).isHitForMiss,
      let pieced = PieceOrder.kept(head, accepted, request: request, store: store, now: now)
    {
      self = .pieces(
        StoredResponse(
          key: key, selector: accepted.selector,
          head: StoredHead(
            head, withheld: accepted.withheld + stripped, tags: policy.tagFields, now: now),
          freshness: accepted.freshness, content: .empty, pieced: pieced),
        leadersHead: leadersHead)
      return
    }
    let length: Int? =
      switch head.framing {
      case .none: 0
      case .length(let length): length
      case .chunked, .untilClose: nil
      }
    guard
      length.map({ $0 <= store.limits.largestResponse }) ?? !store.wasTooLarge(key, now: now)
    else {
      self = .refuse(.tooLarge)
      return
    }
    var flightHead = FlightHead(
      head: StoredHead(
        head, withheld: accepted.withheld + stripped, tags: policy.tagFields, now: now),
      freshness: accepted.freshness, selector: accepted.selector, contentLength: length)
    flightHead.part = accepted.part
    flightHead.leadersHead = leadersHead
    if head.framing == .chunked { flightHead.trailerNames = head.fields.list(.trailer) }
    self = .fill(flightHead, expectedLength: accepted.part?.range.count ?? length)
  }
}
