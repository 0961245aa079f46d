// What the head of an upstream's response means for a request that fills the store, by what was asked and
// what is stored. Decided without any state, so that every case can be read here one after another.

/// What an upstream's response is about.
enum UpstreamAnswer {
  /// An error, in the place of which something stale may be sent (RFC 9111 §4.2.4).
  case standIn(StoredResponse)
  /// What was missing of a stored content; with it, that is stored as the last one is (RFC 9111 §3.4).
  case completes(FreshenedResponse)
  /// Nothing that helps: the whole response is to be asked for, without these.
  case askAgain(without: [StoredResponse])
  /// What is stored is as good as new (RFC 9111 §4.3.4).
  case freshened(FreshenedResponse)
  /// The same, but with its new fields it may not be stored, and why.
  case confirmed(FreshenedResponse, StorageRefusal)
  /// A response of its own.
  case replaces

  /// What `head` is to a request that was sent as `forward`, while `stale` was stored for it.
  init(
    _ head: ResponseHead, to forward: Transaction.Forward?, stale: StoredResponse?,
    context: ValidationContext, largest: Int, mayStandIn: (StoredResponse) -> Bool,
    canAnswer: (StoredResponse) -> Bool, isUntouched: (StoredResponse) -> Bool
  ) {
    if head.status >= 500, let stale, mayStandIn(stale) {
      self = .standIn(stale)
      return
    }
    if case .missing(let missing, let stored)? = forward?.part {
      if head.status == 206 {
        self = .completing(
          stored, missing, with: head, context: context, largest: largest,
          isUntouched: isUntouched)
        return
      }
      // 416 and the like are about our range, not about the client's request.
      if head.status != 200, head.status < 500 {
        self = .askAgain(without: [stored])
        return
      }
    }
    guard let candidates = forward?.validates, !candidates.isEmpty else {
      self = .replaces
      return
    }
    switch Validation.judge(
      head, candidates: candidates, areOtherVariants: stale == nil, context)
    {
    case .freshened(let freshened) where !canAnswer(freshened.response),
      .confirmed(let freshened, _) where !canAnswer(freshened.response):
      self = .askAgain(without: [])
    case .freshened(let freshened): self = .freshened(freshened)
    case .confirmed(let freshened, let refusal): self = .confirmed(freshened, refusal)
    case .mismatch: self = .askAgain(without: stale.map { [$0] } ?? [])
    case .replaced: self = .replaces
    }
  }

  /// True only if it is the rest of the same content.
  private static func completing(
    _ stored: StoredResponse, _ missing: Range<Int>, with head: ResponseHead,
    context: ValidationContext, largest: Int, isUntouched: (StoredResponse) -> Bool
  ) -> UpstreamAnswer {
    guard let part = ContentPart(head), part.range == missing,
      part.completeLength == stored.completeLength, part.completeLength <= largest,
      head.fields.contains(.etag),
      Validation.isSame(stored.head, head.fields, now: context.responseTime),
      isUntouched(stored),
      case .freshened(let freshened) = Validation.freshen(stored, by: head, context)
    else { return .askAgain(without: [stored]) }
    return .completes(freshened)
  }
}
