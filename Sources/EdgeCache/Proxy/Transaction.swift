import NIOCore

// The life of one request as one state machine: events in, actions out, no I/O.
//
//   state      | what it waits for       | where it goes
//   -----------+-------------------------+------------------------------------------------
//   received   | start                   | answered, consulting, following, leading, passing
//   consulting | the tier below memory   | answered, following, leading, passing
//   following  | news of a flight        | reading, answered, received (go alone), following or leading
//              |                         | (another one, when this one is overdue), received (go
//              |                         | alone, when this one is slow)
//   leading    | the upstream's head     | reading, answered, passing, leading (again)
//   reading    | content of the flight   | answered
//   solo       | the upstream's head     | passing, or leading if it may be stored after all
//   passing    | the upstream's response | answered
//   answered   | nothing                 |
//
// A leader has two sides that end independently. Its client may leave while the upstream goes on
// filling the store for others, and the client may still be reading when the upstream is done.
//
// Longer than files here usually are: one request is one machine, and a machine whose states are
// spread over files cannot be checked by reading.

/// The life of one request. Never copied: it is large, and what it holds is counted.
public struct Transaction: ~Copyable {
  private enum State {
    case received
    /// It is to be forwarded for the store, and waits for somebody whom a flight can wake.
    case unheard(ForwardReason)
    case consulting
    case following(Flight, Flight.ReaderID)
    case leading(Flight, Flight.ReaderID)
    case reading(Flight, Flight.ReaderID)
    /// What nobody else may have goes upstream without a flight. Once there is a head that may be stored, that waits
    /// for somebody whom a flight can wake.
    case solo(SoloTicket)
    indirect case soloStoring(SoloTicket, ResponseHead)
    case passing
    case answered
  }

  /// The upstream side.
  private enum Upstream {
    case idle
    /// The request is out; no head yet.
    case waiting
    /// Its response fills a flight.
    indirect case filling(Flight, FlightHead)
    /// Its response goes to the client.
    case passing
    /// What is left of its response is of no use.
    case draining
  }

  /// The request.
  public let request: RequestHead
  /// Its cache key.
  public let key: CacheKey
  /// What this cache did, as far as it is known.
  public private(set) var status = CacheStatus()

  private let route: RequestRoute
  private let sharedPolicy: SitePolicy.Shared
  private var policy: SitePolicy { sharedPolicy.value }
  private let store: Store
  private let directives: CacheControl
  private var wake: (@Sendable () -> Void)?
  private var resume: (@Sendable () -> Void)?
  /// What it is about, if it is not the whole response.
  private let piece: PieceOrder?

  private var state = State.received {
    didSet { noteState() }
  }
  private var upstream = Upstream.idle {
    didSet { noteUpstream() }
  }
  private var fill = Fill()
  /// Looks for the end of coded content.
  private var coding: CodingWatch?
  private var actions = ActionQueue()
  private var hasClient = true
  private var stale: StoredResponse?
  /// What is stored behind what arrives of a content.
  private var remainder: (content: Content, range: Range<Int>)?
  private var goesAlone = false
  /// True once it has left a flight that was overdue: it waits for the next one to its end.
  private var isPatient = false
  /// True once some of the request went to an upstream.
  private var hasLeft = false
  /// True once all of it did.
  private var hasLeftWhole = false
  /// Bytes that are to be sent of a flight; nil for all that there are.
  private var missing: Int?
  /// Flights that were followed and turned out to bring another variant.
  private var detours = 0
  private var requestTime = Instant(milliseconds: 0)
  private var forwardAttempts = 0
  private var lastForward: Forward?

  /// A transaction for a request that came in.
  public init(
    request: RequestHead, key: CacheKey, directives: CacheControl, route: RequestRoute,
    policy: SitePolicy.Shared = .standard, store: Store
  ) {
    self.request = request
    self.key = key
    self.directives = directives
    self.route = route
    sharedPolicy = policy
    self.store = store
    piece = nil
  }

  /// A transaction that gets one piece of content for a request.
  public init(
    _ piece: PieceOrder, for request: RequestHead, directives: CacheControl, route: RequestRoute,
    policy: SitePolicy.Shared, store: Store
  ) {
    // What the request says of the whole has been seen to.
    var request = request
    for name in [FieldName.ifNoneMatch, .ifModifiedSince, .ifRange, .range] {
      request.fields.removeAll(name)
    }
    self.request = request
    key = piece.key(store.secret)
    self.directives = directives
    self.route = route
    sharedPolicy = policy
    self.store = store
    self.piece = piece
  }

  /// Says what is called, from any thread: `wake` when ``Event/flightNews`` is due, and `resume` when
  /// ``Action/holdUpstream`` no longer holds. Due when ``Action/listen`` asks for it, or before.
  public mutating func listen(
    wake: @escaping @Sendable () -> Void, resume: @escaping @Sendable () -> Void
  ) {
    (self.wake, self.resume) = (wake, resume)
  }

  /// True when nothing more will happen.
  public var isDone: Bool {
    guard case .answered = state, actions.isEmpty else { return false }
    switch upstream {
    case .idle: return true
    case .waiting, .filling, .passing, .draining: return false
    }
  }

  // These are asked for often, and a look into the states would be one into all of this machine.

  /// True while the upstream's response goes straight to the client.
  public private(set) var isPassing = false
  /// True while the upstream's response goes to the store, at a pace that no client sets.
  public private(set) var isFilling = false
  /// True if the upstream's response is the client's alone, also before it has come: as far as anybody knows, that of a
  /// key is whose responses were not for sharing (hit-for-miss).
  public private(set) var isPassedThrough = false

  private mutating func noteState() {
    switch state {
    case .passing, .solo: isPassedThrough = true
    case .received, .unheard, .consulting, .following, .leading, .reading, .soloStoring,
      .answered:
      isPassedThrough = false
    }
  }

  private mutating func noteUpstream() {
    switch upstream {
    case .passing: (isPassing, isFilling) = (true, false)
    case .filling: (isPassing, isFilling) = (false, true)
    case .idle, .waiting, .draining: (isPassing, isFilling) = (false, false)
    }
  }

  /// True while it goes by itself, and nothing says yet whether its response may be stored.
  var isSolo: Bool {
    if case .solo = state { return true }
    return false
  }

  /// True while the upstream's response goes to those who share it, and will not be stored.
  public var isRelaying: Bool {
    if case .filling(let flight, _) = upstream { return flight.refusal != nil }
    return false
  }

  /// The next thing to do; nil when an event must come first. Content of a flight is only taken
  /// while the client can be written to.
  public mutating func nextAction(clientIsWritable: Bool, now: Instant) -> Action? {
    if actions.isEmpty, hasClient { takeFlightStep(clientIsWritable: clientIsWritable, now: now) }
    return actions.popFirst()
  }

  /// Takes an event in.
  public mutating func handle(_ event: Event, now: Instant) {
    switch event {
    case .start: start(look(now), now)
    case .begin(let look): start(look, now)
    case .listening: goOn(now)
    case .consulted(let response): consulted(response, now)
    case .flightNews: break
    case .upstreamInterim(let head):
      if hasClient, request.minorVersion >= 1 { actions.append(.sendInterim(head)) }
    case .upstreamHead(let head): upstreamHead(head, now)
    case .upstreamContent(let content): upstreamContent(content, now)
    case .upstreamEnd(let trailers): upstreamEnd(trailers, now)
    case .upstreamUpgraded(let head):
      upstream = .idle
      state = .answered
      if hasClient { actions.append(.tunnel(head, status)) }
    case .upstreamFailed(let failure, let mayRetry):
      upstreamFailed(failure, mayRetry: mayRetry, now)
    case .upstreamSlow:
      if case .leading(let flight, _) = state, case .waiting = upstream { flight.letLeave() }
    case .upstreamTrickles:
      if case .filling(let flight, _) = upstream {
        store.refuse(flight, .tooSlow, fill: &fill)
        store.markHitForMiss(key, now: now)
      }
    case .upstreamOverdue: upstreamOverdue(now)
    case .time: checkReaders(now)
    case .endedForOthers: endForOthers(now)
    case .clientGone: clientGone(now)
    }
  }

  // MARK: received

  private mutating func start(_ look: FirstLook, _ now: Instant) {
    switch look {
    // Who answers with something stale begins another transaction to validate it.
    case .answer(let response, let status), .answerAndValidate(let response, let status):
      answer(response, status)
    case .onlyIfCached: refuseOnlyIfCached()
    case .consult:
      state = .consulting
      actions.append(.consult)
    case .pass(let reason, let refusal): pass(reason, refusal, now)
    case .forward(let reason, let stale):
      self.stale = stale
      if reason == .uriMiss, piece == nil, let ticket = store.solo(key, now: now) {
        return beginSolo(reason, ticket, now)
      }
      forward(reason, now)
    case .validate(let stale):
      hasClient = false
      self.stale = stale
      forward(.stale, now)
    }
  }

  private mutating func consulted(_ response: StoredResponse?, _ now: Instant) {
    guard case .consulting = state else { return }
    state = .received
    start(look(now, below: .answered(response)), now)
  }

  private func look(_ now: Instant, below: FirstLook.Below = .unasked) -> FirstLook {
    if let piece {
      return FirstLook.take(
        piece, key: key, request: request, directives: directives, store: store, now: now,
        below: below)
    }
    return FirstLook.take(
      request: request, key: key, directives: directives, route: route, store: store, now: now,
      below: below)
  }

  private mutating func refuseOnlyIfCached() {
    status.detail = .onlyIfCached
    state = .answered
    actions.append(.sendError(status: 504, status))
  }

  private mutating func forward(_ reason: ForwardReason, _ now: Instant) {
    status = .forwarded(reason)
    if reason == .stale, stale?.freshness.alwaysValidate == true, store.purges.isFenceClosed {
      status.detail = .unsynced
    } else if reason == .stale, stale?.freshness.staleCause == .distrusted {
      status.detail = .distrusted
    }
    guard let wake, let resume else {
      state = .unheard(reason)
      actions.append(.listen)
      return
    }
    let request = request
    let outcome = store.plan(
      key, request: request.fields, stale: stale,
      terms: plan(stale).terms(isBackground: !hasClient, goesAlone: goesAlone), now: now,
      suffices: { response in
        response.parts.map { Delivery.isPossible(request, from: response, $0, now: now) } ?? true
      }, wake: wake)
    switch outcome {
    case .stored(let response):
      answer(response, .hit(ttl: response.freshness.ttl(now)))
    case .underWay: state = .answered
    case .follow(let flight, let reader, let stale):
      self.stale = stale
      status.isCollapsed = true
      state = .following(flight, reader)
    case .lead(let flight, let reader, let stale):
      self.stale = stale
      state = .leading(flight, reader)
      if !hasClient { flight.unsubscribe(reader) }
      flight.onResume(resume)
      sendForward(
        plan(stale).forward(
          store.variants(of: key), largest: store.limits.largestResponse, now: now), now)
    }
  }

  /// How the request goes upstream while this is stored for it.
  private func plan(_ stale: StoredResponse?) -> ForwardPlan {
    ForwardPlan(
      request: request, directives: directives, route: route, stale: stale, piece: piece)
  }

  private mutating func pass(
    _ reason: ForwardReason, _ refusal: StorageRefusal, _ now: Instant
  ) {
    status = .forwarded(reason)
    status.detail = .refused(refusal)
    state = .passing
    let group: UpstreamGroupID
    // A miss that is not stored (HEAD, a range, what is too large) still belongs to the origin.
    switch refusal {
    case .head, .partial, .tooLarge, .connectionBound: group = route.cached ?? route.passThrough
    default: group = route.passThrough
    }
    sendForward(Forward(group: group, isForStore: false), now)
  }

  private mutating func sendForward(_ forward: Forward, _ now: Instant) {
    upstream = .waiting
    requestTime = now
    lastForward = forward
    forwardAttempts += 1
    actions.append(.forward(forward))
  }

  // MARK: answered

  private mutating func answer(_ response: StoredResponse, _ status: CacheStatus) {
    self.status = status
    state = .answered
    if hasClient { actions.append(.sendStored(response, status)) }
  }

  private mutating func answerStale(
    _ response: StoredResponse, _ failure: CacheStatusDetail, forwardStatus: Int?, _ now: Instant
  ) {
    status.forwardStatus = forwardStatus
    status.ttl = response.freshness.ttl(now)
    status.detail = failure
    answer(response, status)
  }

  private mutating func abort() {
    state = .answered
    if hasClient { actions.append(.abortClient) }
  }

  // MARK: following and reading

  private mutating func takeFlightStep(clientIsWritable: Bool, now: Instant) {
    switch state {
    case .following(let flight, let reader), .leading(let flight, let reader):
      step(flight, reader, now)
    case .reading(let flight, let reader):
      if clientIsWritable || flight.isLeftBehind(reader) { step(flight, reader, now) }
    case .received, .unheard, .consulting, .solo, .soloStoring, .passing, .answered: break
    }
  }

  private mutating func step(_ flight: Flight, _ reader: Flight.ReaderID, _ now: Instant) {
    switch flight.next(reader, mayLeave: mayLeave) {
    case .wait: return
    case .mayLeave:
      flight.unsubscribe(reader)
      actions.append(.countImpatience(.collapse))
      forwardAlone(now)
    case .overdue: overdue(flight, reader, now)
    case .head(let head): begin(head, flight, reader, now)
    case .content(let content): send(content, flight, reader)
    case .end(let trailers):
      flight.unsubscribe(reader)
      state = .answered
      actions.append(trailers.map { .sendTrailers($0) } ?? .sendEnd)
    case .truncated:
      flight.unsubscribe(reader)
      status.detail = .failed(.truncated)
      status.isStored = false
      abort()
    case .leftBehind:
      flight.unsubscribe(reader)
      status.isStored = false
      state = .answered
      actions.append(.leaveClientBehind)
    case .stored(let response):
      flight.unsubscribe(reader)
      guard response.selector.matches(request.fields) else { return forwardAgain(now) }
      guard canAnswer(response, now) else { return forwardAlone(now) }
      status.ttl = response.freshness.ttl(now)
      answer(response, status)
    case .goAlone:
      flight.unsubscribe(reader)
      forwardAlone(now)
    case .failed(let failure):
      flight.unsubscribe(reader)
      fail(failure, flight, now)
    }
  }

  /// True if nothing says that it may share what it waits for.
  private var mayLeave: Bool {
    if case .following = state { stale == nil && !isPatient && piece == nil } else { false }
  }

  private mutating func begin(
    _ head: FlightHead, _ flight: Flight, _ reader: Flight.ReaderID, _ now: Instant
  ) {
    // The leader's request chose the variant; this one may have been meant for another
    // (RFC 9111 §4.1), or may not be answered without asking (§4).
    let isLeader: Bool
    if case .leading = state { isLeader = true } else { isLeader = false }
    if !isLeader, !head.selector.matches(request.fields) {
      flight.unsubscribe(reader)
      return forwardAgain(now)
    }
    if !isLeader, !head.freshness.isFresh(now) || !store.isCurrent(flight, head) {
      flight.unsubscribe(reader)
      return forwardAlone(now)
    }
    var head = head
    if isLeader, let own = head.leadersHead {
      let trailerNames = head.trailerNames
      head = FlightHead(
        head: own, freshness: head.freshness, selector: head.selector,
        contentLength: head.contentLength, part: head.part)
      head.trailerNames = trailerNames
    }
    status.ttl = head.freshness.ttl(now)
    if Preconditions.isNotModified(request: request.fields, response: head.head, now: now) {
      flight.unsubscribe(reader)
      state = .answered
      actions.append(.sendFlightHead(head, status, whole: false))
      return
    }
    switch range(of: head, isLeader: isLeader, now) {
    case .part(let range):
      flight.seek(reader, to: range.lowerBound)
      missing = range.count
      head = FlightHead(
        head: head.head, freshness: head.freshness, selector: head.selector,
        contentLength: range.count,
        part: ContentPart(range: range, completeLength: head.contentLength ?? range.upperBound))
    case .unsatisfiable:
      flight.unsubscribe(reader)
      // None of its content is sent.
      return answer(
        StoredResponse(
          key: key, selector: head.selector, head: head.head, freshness: head.freshness,
          content: .empty, parts: StoredParts(noneOf: head.contentLength ?? 0)), status)
    case .whole, .parts: break
    }
    state = .reading(flight, reader)
    actions.append(.sendFlightHead(head, status, whole: true))
  }

  /// What of a response to a request for the whole goes to a client that asks for a range, which the length must be
  /// known for (RFC 9110 §14.2). Several ranges are ignored: what is between them may take long to come.
  private func range(of head: FlightHead, isLeader: Bool, _ now: Instant) -> RangeOutcome {
    guard request.method == .get, request.fields.contains(.range), head.part == nil,
      let length = head.contentLength
    else { return .whole }
    // Its own range went to the origin, which chose to send the whole.
    if isLeader, case .clients? = lastForward?.part { return .whole }
    return ByteServing.range(
      request: request.fields, response: head.head, length: length, now: now)
  }

  /// Sends content of a flight, as far as it is asked for.
  private mutating func send(_ content: ByteBuffer, _ flight: Flight, _ reader: Flight.ReaderID) {
    guard let missing else { return actions.append(.sendContent(content)) }
    let count = min(missing, content.readableBytes)
    if let part = content.getSlice(at: content.readerIndex, length: count), count > 0 {
      actions.append(.sendContent(part))
    }
    self.missing = missing - count
    if count < missing { return }
    flight.unsubscribe(reader)
    state = .answered
    actions.append(.sendEnd)
  }

  /// Starts over, this time without waiting for anybody.
  private mutating func forwardAlone(_ now: Instant) {
    let reason = status.forward ?? .miss
    goesAlone = true
    status.isCollapsed = false
    forward(reason, now)
  }

  /// Starts over and may wait once more, for those who want the same variant.
  private mutating func forwardAgain(_ now: Instant) {
    detours += 1
    if detours >= Self.detourLimit { return forwardAlone(now) }
    let reason = status.forward ?? .miss
    forward(reason, now)
  }

  /// What it waits for is overdue. Something stale will do, where it may stand in. Else one of those who wait asks
  /// once more, and the others wait for that one; so a request that hangs delays nobody else, and however many
  /// wait, an upstream that is slow gets one request more each time and not all of them.
  private mutating func overdue(_ flight: Flight, _ reader: Flight.ReaderID, _ now: Instant) {
    guard case .following = state, !isPatient else { return }
    flight.unsubscribe(reader)
    isPatient = true
    actions.append(.countImpatience(.overdue))
    if let stale, mayStandIn(stale, flight, now) {
      return answerStale(stale, .failed(.firstByteTimeout), forwardStatus: nil, now)
    }
    status.isCollapsed = false
    forward(status.forward ?? .miss, now)
  }

  /// The response that this request leads is overdue: nobody joins those who wait for it any more, and where
  /// something stale may be sent in its place, it is. What comes later is for the store.
  private mutating func upstreamOverdue(_ now: Instant) {
    guard case .waiting = upstream, case .leading(let flight, let reader) = state else { return }
    flight.becomeOverdue()
    guard hasClient, let stale, mayStandIn(stale, flight, now) else { return }
    actions.append(.countImpatience(.overdue))
    flight.unsubscribe(reader)
    answerStale(stale, .failed(.firstByteTimeout), forwardStatus: nil, now)
    hasClient = false
    state = .leading(flight, reader)
  }

  /// Flights that a request waits for in vain before it goes by itself.
  private static let detourLimit = 3

  private mutating func fail(_ failure: UpstreamFailure, _ flight: Flight?, _ now: Instant) {
    if let flight, let stale, mayStandIn(stale, flight, now) {
      return answerStale(stale, .failed(failure), forwardStatus: nil, now)
    }
    status.detail = .failed(failure)
    state = .answered
    if hasClient { actions.append(.sendError(status: failure.status, status)) }
  }

  // MARK: The upstream's response

  private mutating func upstreamHead(_ head: ResponseHead, _ now: Instant) {
    guard case .waiting = upstream else { return }
    watchCoding(of: head)
    if case .solo(let ticket) = state { return soloHead(head, ticket, now) }
    guard case .leading(let flight, let reader) = state else { return passHead(head, now) }
    if let piece { return take(piece, head, flight, reader, now) }
    switch meaning(of: head, flight, now) {
    case .standIn(let stale):
      leaveFlight(flight, reader, hitForMiss: false, now)
      flight.resolve(stale)
      upstream = .draining
      answerStale(stale, .failed(.serverError), forwardStatus: head.status, now)
    case .completes(let freshened): complete(freshened, with: head, flight, now)
    case .askAgain(let useless): askAgain(without: useless, now)
    case .freshened(let outcome): freshened(outcome, flight, reader, head.status, now)
    case .confirmed(let outcome, let refusal):
      if refusal != .authorization, outcome.chosen === stale { store.remove(outcome.chosen) }
      leaveFlight(flight, reader, hitForMiss: false, now)
      flight.scatter(refusal)
      upstream = .draining
      status.detail = .refused(refusal)
      status.forwardStatus = head.status
      status.ttl = outcome.response.freshness.ttl(now)
      answer(outcome.leaders, status)
    case .replaces: store(head, flight, reader, now)
    }
  }

  private mutating func watchCoding(of head: ResponseHead) {
    coding = request.method == .head ? nil : CodingWatch.of(head, room: store.codings)
  }

  // MARK: At once

  // Most of what is passed through needs no actions that wait for each other: whoever has a part of the upstream's
  // response in hand asks whether the client gets it at once and as it is, ``status`` with the head. If not, nothing has
  // happened yet, and it is an event like any other.

  /// True if the head of the upstream's response goes to the client at once.
  public mutating func passes(_ head: ResponseHead, now: Instant) -> Bool {
    guard hasClient, actions.isEmpty, case .waiting = upstream, !policy.usesSurrogateControl
    else { return false }
    if case .solo(let ticket) = state {
      guard case .refuse(let refusal) = fillPlan(head, now) else { return false }
      remember(refusal, of: head, ticket, now)
      status.detail = .refused(refusal)
      state = .passing
    } else {
      guard case .passing = state else { return false }
    }
    watchCoding(of: head)
    heed(head, now)
    upstream = .passing
    return true
  }

  /// True if content goes to the client at once.
  public mutating func passes(_ content: ByteBuffer) -> Bool {
    guard hasClient, actions.isEmpty, case .passing = upstream else { return false }
    coding?.take(content)
    return true
  }

  /// True if the end of the response goes to the client at once, with its trailers.
  public mutating func passesEnd() -> Bool {
    guard hasClient, actions.isEmpty, case .passing = upstream, coding?.isCut != true
    else { return false }
    upstream = .idle
    state = .answered
    return true
  }

  // MARK: solo

  private mutating func beginSolo(_ reason: ForwardReason, _ ticket: SoloTicket, _ now: Instant) {
    status = .forwarded(reason)
    state = .solo(ticket)
    sendForward(plan(nil).forward([], largest: store.limits.largestResponse, now: now), now)
  }

  /// Most often it is what it was before: for this client alone.
  private mutating func soloHead(_ head: ResponseHead, _ ticket: SoloTicket, _ now: Instant) {
    guard case .refuse(let refusal) = fillPlan(head, now) else {
      state = .soloStoring(ticket, head)
      actions.append(.listen)
      return
    }
    remember(refusal, of: head, ticket, now)
    passAlone(refusal, head, now)
  }

  private func remember(
    _ refusal: StorageRefusal, of head: ResponseHead, _ ticket: SoloTicket, _ now: Instant
  ) {
    if isLasting(refusal, head), now >= ticket.renewedFrom { store.markHitForMiss(key, now: now) }
  }

  /// There is somebody whom a flight can wake.
  private mutating func goOn(_ now: Instant) {
    switch state {
    case .unheard(let reason): forward(reason, now)
    case .soloStoring(let ticket, let head): soloStores(head, ticket, now)
    default: break
    }
  }

  private mutating func soloStores(_ head: ResponseHead, _ ticket: SoloTicket, _ now: Instant) {
    guard let wake, let resume else { return }
    guard let (flight, reader) = store.lead(key, ticket, wake: wake) else {
      return passAlone(.invalidated, head, now)
    }
    flight.onResume(resume)
    state = .leading(flight, reader)
    store(head, flight, reader, now)
  }

  private mutating func passAlone(
    _ refusal: StorageRefusal, _ head: ResponseHead, _ now: Instant
  ) {
    status.detail = .refused(refusal)
    state = .passing
    passHead(head, now)
  }

  /// What the head of the upstream's response means.
  private func meaning(
    of head: ResponseHead, _ flight: Flight, _ now: Instant
  ) -> UpstreamAnswer {
    UpstreamAnswer(
      head, to: lastForward, stale: stale,
      context: ValidationContext(
        request: request, policy: policy, requestTime: requestTime, responseTime: now),
      largest: store.limits.largestResponse, mayStandIn: { mayStandIn($0, flight, now) },
      canAnswer: { canAnswer($0, now) },
      isUntouched: { store.isUntouched(flight, $0) })
  }

  /// A piece arrives, or something else.
  private mutating func take(
    _ piece: PieceOrder, _ head: ResponseHead, _ flight: Flight, _ reader: Flight.ReaderID,
    _ now: Instant
  ) {
    if let flightHead = piece.flightHead(head, now: now) {
      return fill(flight, flightHead, expectedLength: piece.range.count)
    }
    // An error says nothing about the content; anything else says that it is not what it was.
    let failure = head.status >= 500 ? UpstreamFailure.serverError : .contentChanged
    if failure == .contentChanged { store.remove(piece.response) }
    // The upstream knows no ranges of it: it is not kept in pieces for a while.
    if head.status == 200 { store.markHitForMiss(piece.response.key, now: now) }
    status.forwardStatus = head.status
    upstream = .idle
    actions.append(.cancelUpstream)
    fail(failure, flight, now)
    leaveFlight(flight, reader, hitForMiss: false, now)
    flight.fail(failure)
  }

  /// Content that is to be kept in pieces is got in pieces, from the first byte on.
  private mutating func keep(
    _ response: StoredResponse, leadersHead: StoredHead?, _ head: ResponseHead, _ flight: Flight,
    _ reader: Flight.ReaderID, _ now: Instant
  ) {
    flight.unsubscribe(reader)
    let refusal = store.keep(response, from: flight, replacing: stale, now: now)
    actions.append(.countStored(refusal))
    status.forwardStatus = head.status
    status.ttl = response.freshness.ttl(now)
    if let refusal {
      status.detail = .refused(refusal)
      state = .passing
      return passHead(head, now)
    }
    status.isStored = true
    upstream = .idle
    actions.append(.cancelUpstream)
    answer(leadersHead.map(response.with(head:)) ?? response, status)
  }

  /// Asks for the whole response, without what turned out to be of no use.
  private mutating func askAgain(without useless: [StoredResponse], _ now: Instant) {
    for response in useless { store.remove(response) }
    stale = nil
    upstream = .idle
    actions.append(.cancelUpstream)
    sendForward(Forward(group: route.cached ?? route.passThrough, isForStore: true), now)
  }

  /// What was missing arrives: the flight brings all of it, what is stored and what comes now
  /// (RFC 9111 §3.4).
  private mutating func complete(
    _ outcome: FreshenedResponse, with head: ResponseHead, _ flight: Flight, _ now: Instant
  ) {
    let (stored, response) = (outcome.chosen, outcome.response)
    var flightHead = FlightHead(
      head: response.head, freshness: response.freshness, selector: response.selector,
      contentLength: head.contentLength == nil ? nil : stored.completeLength)
    flightHead.leadersHead = outcome.leadersHead
    fill(flight, flightHead, expectedLength: stored.completeLength)
    let before = stored.parts?.onlyMissing?.before ?? 0
    append(stored.content, 0..<before, to: flight)
    if before < stored.content.count {
      remainder = (stored.content, before..<stored.content.count)
    }
  }

  /// The upstream's response fills a flight from now on.
  private mutating func fill(_ flight: Flight, _ head: FlightHead, expectedLength: Int?) {
    fill = Fill(expectedLength: expectedLength)
    if !hasClient { state = .answered }
    upstream = .filling(flight, head)
    status.isStored = true
    flight.begin(head)
  }

  private mutating func append(_ content: Content, _ range: Range<Int>, to flight: Flight) {
    content.forEachPiece(in: range) { _ = store.append($0, to: flight, fill: &fill) }
  }

  /// True if a stored response may be sent in the place of one that the upstream failed to give
  /// (RFC 9111 §4.2.4), and was neither purged nor invalidated while it was asked for.
  private func mayStandIn(_ stale: StoredResponse, _ flight: Flight, _ now: Instant) -> Bool {
    !directives.noCache && stale.freshness.mayServeStaleOnError(now)
      && canAnswer(stale, now)
      && store.isUntouched(flight, stale)
  }

  /// True unless only a part of it is there, and more is asked for (RFC 9111 §3.3).
  private func canAnswer(_ response: StoredResponse, _ now: Instant) -> Bool {
    guard hasClient, let parts = response.parts else { return true }
    return Delivery.isPossible(request, from: response, parts, now: now)
  }

  private mutating func freshened(
    _ outcome: FreshenedResponse, _ flight: Flight, _ reader: Flight.ReaderID,
    _ forwardStatus: Int, _ now: Instant
  ) {
    let (chosen, response) = (outcome.chosen, outcome.response)
    flight.unsubscribe(reader)
    // A variant that was chosen for a request it had not been stored for is stored for that too.
    let refusal = store.freshen(
      flight, stale: chosen === stale ? chosen : nil, with: response, now: now)
    upstream = .draining
    status.forwardStatus = forwardStatus
    status.isStored = refusal == nil
    actions.append(.countStored(refusal))
    if let refusal { status.detail = .refused(refusal) }
    status.ttl = response.freshness.ttl(now)
    answer(outcome.leaders, status)
  }

  private mutating func store(
    _ head: ResponseHead, _ flight: Flight, _ reader: Flight.ReaderID, _ now: Instant
  ) {
    switch fillPlan(head, now) {
    case .fill(let flightHead, let expectedLength):
      fill(flight, flightHead, expectedLength: expectedLength)
    case .pieces(let response, let leadersHead):
      keep(response, leadersHead: leadersHead, head, flight, reader, now)
    case .refuse(let refusal): refuse(refusal, head, flight, reader, now)
    }
  }

  /// What becomes of a response that the store may have.
  private func fillPlan(_ head: ResponseHead, _ now: Instant) -> FillPlan {
    FillPlan(
      for: head, to: request, directives: directives, policy: policy, key: key,
      asksForPart: plan(stale).asksForPart && !request.fields.contains(.ifRange),
      requestTime: requestTime, store: store, now: now)
  }

  /// True if what is not stored now will not be the next time either. One failure of the origin, or one client's
  /// credentials, say nothing about the next request. Neither does what only this client has.
  private func isLasting(_ refusal: StorageRefusal, _ head: ResponseHead) -> Bool {
    refusal != .authorization && refusal != .partial && head.status < 500 && head.status != 304
      && head.status != 206
  }

  private mutating func refuse(
    _ refusal: StorageRefusal, _ head: ResponseHead, _ flight: Flight, _ reader: Flight.ReaderID,
    _ now: Instant
  ) {
    let isLasting = isLasting(refusal, head)
    if isLasting, let stale { store.remove(stale) }
    leaveFlight(flight, reader, hitForMiss: isLasting, now)
    flight.scatter(refusal)
    passAlone(refusal, head, now)
  }

  private mutating func leaveFlight(
    _ flight: Flight, _ reader: Flight.ReaderID, hitForMiss: Bool, _ now: Instant
  ) {
    flight.unsubscribe(reader)
    store.close(flight, hitForMiss: hitForMiss, fill: &fill, now: now)
  }

  private mutating func passHead(_ head: ResponseHead, _ now: Instant) {
    heed(head, now)
    guard hasClient else {
      upstream = .idle
      state = .answered
      actions.append(.cancelUpstream)
      return
    }
    upstream = .passing
    if policy.usesSurrogateControl, head.fields.contains(.surrogateControl) {
      var head = head
      head.fields.removeAll(.surrogateControl)
      actions.append(.sendUpstreamHead(head, status))
    } else {
      actions.append(.sendUpstreamHead(head, status))
    }
  }

  /// Does what a response that is not stored says about what is.
  private func heed(_ head: ResponseHead, _ now: Instant) {
    if !request.method.isSafe {
      invalidate(
        Invalidation(
          request, at: key, isCached: route.cached != nil, response: head, rules: policy.query,
          secret: store.secret))
    }
    for group in CacheGroup.invalidated(by: head.fields, method: request.method, at: key) {
      store.purge(.group(group))
    }
    if request.method == .head { freshenByHead(head, now) }
  }

  /// What the answer to HEAD says about a stored response to GET (RFC 9111 §4.3.5).
  private func freshenByHead(_ head: ResponseHead, _ now: Instant) {
    let context = ValidationContext(
      request: request, policy: policy, requestTime: requestTime, responseTime: now)
    guard route.cached != nil, !directives.noStore, !route.isBound,
      !request.fields.hasConnectionCredentials,
      case .selected(let stored) = store.find(key, request: request.fields, touches: false),
      let updated = Validation.judgeHead(head, stored: stored, context)
    else { return }
    store.exchange(stored, for: updated)
  }

  private mutating func upstreamContent(_ content: ByteBuffer, _ now: Instant) {
    coding?.take(content)
    switch upstream {
    case .filling(let flight, _):
      switch store.append(content, to: flight, fill: &fill) {
      case .goOn: break
      case .hold: actions.append(.holdUpstream)
      case .cancel: giveUpFill(flight, now)
      }
    case .passing: if hasClient { actions.append(.sendContent(content)) }
    case .idle, .waiting, .draining: break
    }
  }

  private mutating func giveUpFill(_ flight: Flight, _ now: Instant) {
    store.close(flight, hitForMiss: false, fill: &fill, now: now)
    flight.truncate()
    upstream = .idle
    actions.append(.cancelUpstream)
  }

  /// Others wait for no reader of what is relayed for longer than they must, and nobody's response is for nobody.
  private mutating func checkReaders(_ now: Instant) {
    guard case .filling(let flight, _) = upstream, !flight.leaveBehind(now: now) else { return }
    giveUpFill(flight, now)
  }

  /// Others need the connection more than those who read so slowly what is only relayed.
  private mutating func endForOthers(_ now: Instant) {
    guard case .filling(let flight, _) = upstream, flight.refusal != nil else { return }
    flight.leaveAllBehind()
    giveUpFill(flight, now)
  }

  private mutating func upstreamEnd(_ trailers: FieldSection?, _ now: Instant) {
    if coding?.isCut == true { return upstreamFailed(.truncated, mayRetry: false, now) }
    let side = upstream
    upstream = .idle
    switch side {
    case .filling(let flight, let head):
      // Only behind what really was missing; else the flight is found to be incomplete.
      if let remainder, flight.received + remainder.range.count == fill.expectedLength {
        append(remainder.content, remainder.range, to: flight)
      }
      remainder = nil
      let refusal = store.complete(
        flight, head: head, trailers: trailers?.detached(), replacing: stale, fill: &fill,
        now: now)
      actions.append(.countStored(refusal))
    case .passing:
      state = .answered
      if hasClient { actions.append(trailers.map { .sendTrailers($0) } ?? .sendEnd) }
    case .idle, .waiting, .draining: break
    }
  }

  private mutating func upstreamFailed(
    _ failure: UpstreamFailure, mayRetry: Bool, _ now: Instant
  ) {
    let side = upstream
    upstream = .idle
    switch side {
    case .idle, .draining: break
    case .filling(let flight, _):
      store.close(flight, hitForMiss: false, fill: &fill, now: now)
      actions.append(.countStored(.incomplete))
      flight.truncate()
    case .passing:
      status.detail = .failed(failure)
      abort()
    case .waiting:
      invalidateIfUnsafe()
      // RFC 9110 §9.2.2: a proxy repeats only what is idempotent, and only once.
      if mayRetry, forwardAttempts < 2, request.method.isIdempotent, let lastForward,
        hasClient || isLeading
      {
        return sendForward(lastForward, now)
      }
      guard case .leading(let flight, let reader) = state else { return fail(failure, nil, now) }
      fail(failure, flight, now)
      leaveFlight(flight, reader, hitForMiss: false, now)
      flight.fail(failure)
    }
  }

  /// The request has begun to go to an upstream: from now on it may be carried out, whatever is heard of it. All of it
  /// has if it is `whole`.
  public mutating func requestLeft(whole: Bool) {
    hasLeft = true
    hasLeftWhole = whole
  }

  /// An unsafe request whose answer will not be seen may have been carried out all the same; what is
  /// stored for its target is as doubtful as after an answer (RFC 9111 §4.4). One that nobody got has done nothing.
  private func invalidateIfUnsafe() {
    if request.method.isSafe || !hasLeft { return }
    invalidate(
      Invalidation(
        unanswered: request, at: key, isCached: route.cached != nil, rules: policy.query,
        secret: store.secret))
  }

  private func invalidate(_ invalidation: Invalidation) {
    for key in invalidation.keys { store.invalidate(key) }
    for collection in invalidation.collections {
      store.purge(.prefix(PurgePrefix(collection)))
    }
  }

  private var isLeading: Bool {
    if case .leading = state { return true }
    return false
  }

  // MARK: The client leaves

  private mutating func clientGone(_ now: Instant) {
    guard hasClient else { return }
    hasClient = false
    actions.removeAll { action in
      switch action {
      case .forward, .cancelUpstream, .holdUpstream, .countStored, .countImpatience: false
      default: true
      }
    }
    switch state {
    case .following(let flight, let reader), .reading(let flight, let reader):
      flight.unsubscribe(reader)
      state = .answered
    case .leading(let flight, let reader):
      // A leader goes on: others may wait, and what arrives can be stored. Nobody reads for it.
      flight.unsubscribe(reader)
    case .received, .unheard, .consulting, .answered: break
    case .passing, .solo, .soloStoring:
      state = .answered
      actions.removeAll { _ in true }
      switch upstream {
      // What came of it is still to be heard: nobody else knows what it changed.
      case .waiting where !request.method.isSafe && hasLeftWhole: break
      case .waiting, .passing:
        upstream = .idle
        invalidateIfUnsafe()
        actions.append(.cancelUpstream)
      case .idle, .filling, .draining: break
      }
    }
    switch state {
    case .received, .unheard, .consulting: state = .answered
    default: break
    }
  }
}
