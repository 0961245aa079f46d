// How a request goes upstream for the store, by what is stored for it: with whom it shares a flight,
// what it asks about and which bytes it wants. Decided without any state, so that every case can be
// read here side by side.

extension Transaction {
  /// A request to be sent upstream.
  public struct Forward: Sendable {
    /// Which bytes are asked for.
    public enum Part: Sendable {
      /// All of them: the client's range is left out.
      case whole
      /// Those that the client asked for.
      case clients
      /// Those that are missing of what is stored, if that has not changed (RFC 9110 §13.1.5).
      case missing(Range<Int>, of: StoredResponse)
    }

    public var group: UpstreamGroupID
    /// True if the response may go into the store.
    public var isForStore: Bool
    /// The stored responses to be validated.
    public var validates: [StoredResponse] = []
    /// Which bytes are asked for.
    public var part = Part.whole
    /// True if the client's own preconditions go along: nothing is stored that they could be about
    /// (RFC 9111 §4.3.2).
    public var keepsConditions = false
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
    var forward = Transaction.Forward(group: route.cached ?? route.passThrough, isForStore: true)
    if let piece {
      forward.part = .missing(piece.range, of: piece.response)
      return forward
    }
    guard let stale else {
      forward.part = asksForPart ? .clients : .whole
      forward.keepsConditions = request.isConditional
      if !request.isConditional, !asksForPart {
        // RFC 9111 §4.1: another variant may be what the origin would send. Not one in another
        // content coding: many origins give all codings of a content one tag.
        forward.validates = variants().filter {
          $0.parts == nil && $0.head.etag != nil && $0.selector.agreesOnCoding(request.fields)
        }
      }
      return forward
    }
    guard let parts = stale.parts else {
      if Validation.hasValidator(stale.head) { forward.validates = [stale] }
      return forward
    }
    if asksForPart {
      forward.part = .clients
      // RFC 9111 §4.3.1: asked about only if it could answer the request.
      if Delivery.isPossible(request, from: stale, parts, now: now),
        Validation.hasValidator(stale.head)
      {
        forward.validates = [stale]
      }
    } else if let missing = parts.onlyMissing?.range, stale.head.hasStrongETag,
      parts.completeLength <= largest
    {
      forward.part = .missing(missing, of: stale)
    }
    return forward
  }
}
