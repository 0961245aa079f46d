// How a request goes upstream for the store, by what is stored for it: with whom it shares a flight,
// what it asks about and which bytes it wants. Decided without any state, so that every case can be
// read here side by side.

extension Transaction {
  /// A request to be sent upstream. A class, so that it is handed on as one reference.
  public final class Forward: Sendable {
    /// Which bytes are asked for.
    public enum Part: Sendable {
      /// All of them: the client's range is left out.
      case whole
      /// Those that the client asked for.
      case clients
      /// Those that are missing of what is stored, if that has not changed (RFC 9110 §13.1.5).
      case missing(Range<Int>, of: StoredResponse)
    }

    public let group: UpstreamGroupID
    /// True if the response may go into the store.
    public let isForStore: Bool
    /// The stored responses to be validated.
    public let validates: [StoredResponse]
    /// Which bytes are asked for.
    public let part: Part
    /// True if the client's own preconditions go along: nothing is stored that they could be about
    /// (RFC 9111 §4.3.2).
    public let keepsConditions: Bool

    init(
      group: UpstreamGroupID, isForStore: Bool, validates: [StoredResponse] = [],
      part: Part = .whole, keepsConditions: Bool = false
    ) {
      self.group = group
      self.isForStore = isForStore
      self.validates = validates
      self.part = part
      self.keepsConditions = keepsConditions
    }
  }
}

/// How one request goes upstream while `stale` (or nothing) is stored for it.
struct ForwardPlan {
  let request: RequestHead
  let directives: CacheControl
  let route: RequestRoute
  let stale: StoredResponse?
  /// What is asked for, if it is a piece.
  var piece: PieceOrder?

  /// With whom this request may share a flight; in the background it is nobody's.
  func terms(isBackground: Bool, goesAlone: Bool) -> FlightTerms {
    var terms = FlightTerms.shared
    if piece != nil { return goesAlone ? .alone : terms }
    if isBackground {
      terms.isBackground = true
      terms.mayBeFollowed = stale?.parts == nil
      return terms
    }
    // What must be validated for each request cannot be shared, and who asks for a part gets what nobody may want
    // who asks for another; nobody is made to wait for either.
    if goesAlone || stale?.freshness.isNeverReusable == true { return .alone }
    if asksForPart {
      guard !request.isConditional, !directives.noCache, !request.fields.contains(.ifRange),
        let range = request.fields.only(.range)
      else { return .alone }
      terms.range = request.fields.copy(range)
      return terms
    }
    if directives.noCache {
      // What left before was asked for before.
      terms.mayFollow = false
      terms.takesStored = false
    }
    // Its answer may be 304, about what only this client has.
    if stale == nil, request.isConditional { terms.mayBeFollowed = false }
    return terms
  }

  /// True if the client's own range goes upstream.
  var asksForPart: Bool {
    piece == nil && (stale == nil || stale?.parts != nil) && request.method == .get
      && ByteServing.asksForOneRange(request.fields)
  }

  /// The request that a leader sends; `variants` are all that is stored under the key.
  func forward(
    _ variants: @autoclosure () -> [StoredResponse], largest: Int, now: Instant
  ) -> Transaction.Forward {
    if let piece { return forward(.missing(piece.range, of: piece.response)) }
    guard let stale else {
      let (isConditional, asksForPart) = (request.isConditional, asksForPart)
      // RFC 9111 §4.1: another variant may be what the origin would send. Not one in another content coding: many
      // origins give all codings of a content one tag.
      let validated =
        isConditional || asksForPart
        ? []
        : variants().filter {
          $0.parts == nil && $0.head.etag != nil && $0.selector.agreesOnCoding(request.fields)
        }
      return forward(
        asksForPart ? .clients : .whole, validates: validated, keepsConditions: isConditional)
    }
    let hasValidator = Validation.hasValidator(stale.head)
    guard let parts = stale.parts else { return forward(validates: hasValidator ? [stale] : []) }
    if asksForPart {
      // RFC 9111 §4.3.1: asked about only if it could answer the request.
      let asks = hasValidator && Delivery.isPossible(request, from: stale, parts, now: now)
      return forward(.clients, validates: asks ? [stale] : [])
    }
    if let missing = parts.onlyMissing?.range, stale.head.hasStrongETag,
      parts.completeLength <= largest
    {
      return forward(.missing(missing, of: stale))
    }
    return forward()
  }

  private func forward(
    _ part: Transaction.Forward.Part = .whole, validates: [StoredResponse] = [],
    keepsConditions: Bool = false
  ) -> Transaction.Forward {
    Transaction.Forward(
      group: route.cached ?? route.passThrough, isForStore: true, validates: validates, part: part,
      keepsConditions: keepsConditions)
  }
}
