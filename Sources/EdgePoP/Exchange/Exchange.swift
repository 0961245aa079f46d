import EdgeCache
import EdgeSocket
import NIOCore

// Carries out what a Transaction decides: between a client, whatever version of HTTP it speaks, and one
// upstream connection of the same event loop. What it waits for meanwhile is ExchangeState's; the ways to the
// upstream are in Exchange+Upstream, those to the client in Exchange+Client.
//
// The exchange of a leader outlives its client: the upstream connection holds it until the response
// is in the store.

/// Performs one transaction.
final class Exchange: TimedWait {
  /// The request.
  let request: RequestHead
  /// What it is called.
  let requestID: RequestID
  let loop: LoopContext
  let client: ClientIdentity
  let directives: CacheControl
  let route: RequestRoute
  let terms: Routing.Terms
  var transaction: Transaction

  /// What it waits for.
  var wait: ExchangeState<UpstreamConnection>
  /// True while ``LoopContext/watch(_:)`` looks after the present wait.
  private var isWatched = false
  /// The request as it is sent upstream.
  var forward: Transaction.Forward?
  var content: RequestContent
  /// Bytes of it that the loop counts as gathered.
  private var countedContent = 0
  /// The upstream on whose connection content is still to arrive, or for one of which this waits.
  var streaming: (upstream: Int, holdsPlace: Bool)?
  /// When what happened, for the log.
  var times = UpstreamTimes()
  /// What the tier below memory is asked for.
  var readPurpose: ReadPurpose?
  /// True while the flight has no room for more of the upstream's response.
  var isFlightFull = false
  /// False if reading from the upstream goes on for sure: most exchanges never hold it.
  var mayBeHeld = false

  /// Whom the response goes to. Let go of soon after the response is complete, and when the client is gone.
  var receiver: (any ResponseReceiver)?
  /// The same, if it is a client.
  var stream: (any ClientStream)?
  /// What sends content that is kept in pieces.
  var delivery: PieceDelivery?
  /// True until the response is complete: from then on the stream is somebody else's, and says nothing
  /// about how fast the rest of the upstream's response is to be read.
  var isServing = true

  private var isPerforming = false
  private var performsAgain = false

  /// An exchange for the request of a stream, or for nobody.
  init(
    request: consuming RequestHead, id: RequestID, key: CacheKey, directives: CacheControl,
    route: RequestRoute,
    loop: LoopContext, client: ClientIdentity, stream: (any ClientStream)?
  ) {
    content = RequestContent(
      isComplete: !request.hasContent, mayRepeat: request.method.isIdempotent)
    self.request = request
    requestID = id
    self.loop = loop
    self.client = client
    self.directives = directives
    self.route = route
    receiver = stream
    self.stream = stream
    terms = loop.shared.routing.terms(key, route)
    wait = ExchangeState(terms.limits, disk: loop.limits.disk)
    transaction = Transaction(
      request: self.request, key: key, directives: directives, route: route,
      policy: terms.policy, store: loop.store)
  }

  /// An exchange that gets a piece of content for a request of somebody else.
  init(_ piece: PieceOrder, for parent: Exchange, receiver: PieceFetch) {
    request = parent.request
    requestID = parent.requestID
    loop = parent.loop
    client = parent.client
    directives = parent.directives
    route = parent.route
    self.receiver = receiver
    terms = parent.terms
    wait = ExchangeState(terms.limits, disk: parent.loop.limits.disk)
    content = RequestContent(isComplete: true, mayRepeat: true)
    transaction = Transaction(
      piece, for: request, directives: directives, route: route,
      policy: terms.policy, store: loop.store)
  }

  /// Begins with what the store said; where that was to ask below, for this purpose.
  func begin(_ look: FirstLook, reading purpose: ReadPurpose = .sending) {
    readPurpose = purpose
    handle(.begin(look))
  }

  /// Begins with a look into the store.
  func start() { handle(.start) }

  private func listen() {
    let wakeUp = WakeUp(self, on: loop.reactor)
    transaction.listen(wake: { wakeUp.wake() }, resume: { wakeUp.resume() })
  }

  /// Not even the first piece is to be had: the request is passed on as if nothing were stored. Whatever the
  /// transaction so far still had under way is of no use to the next one.
  func passInstead() {
    delivery = nil
    cancelUpstream()
    isFlightFull = false
    transaction = Transaction(
      request: request, key: transaction.key, directives: directives, route: route,
      policy: terms.policy, store: loop.store)
    handle(.begin(directives.onlyIfCached ? .onlyIfCached : .pass(.miss, .tooLarge)))
    flushClient()
  }

  /// Not all of a stored response is there any more, and the upstream cannot be asked for the rest alone: it is got
  /// anew, as if nothing were stored.
  func refetch(insteadOf response: StoredResponse) {
    loop.store.remove(response)
    cancelUpstream()
    isFlightFull = false
    transaction = Transaction(
      request: request, key: transaction.key, directives: directives, route: route,
      policy: terms.policy, store: loop.store)
    start()
  }

  // MARK: The transaction

  /// How long it may take, and other limits.
  var limits: RequestLimits { terms.limits }
  /// What was done, as far as it is known.
  var status: CacheStatus { transaction.status }
  /// The key of the response.
  var key: CacheKey { transaction.key }
  /// True while the upstream's response goes to the store, at a pace that no client sets.
  var isFilling: Bool { transaction.isFilling }
  /// True while the upstream's response goes straight to the client.
  var isPassing: Bool { transaction.isPassing }
  /// True if it goes to those who share it, and not to the store any more.
  var isRelaying: Bool { transaction.isRelaying }
  /// True if the response is its client's alone.
  var isPassedThrough: Bool { transaction.isPassedThrough }

  /// Takes an event in and does what follows.
  func handle(_ event: Transaction.Event) {
    let now = loop.now
    transaction.handle(event, now: now)
    perform(now)
  }

  /// Does what the transaction says until it has nothing more to say. Events that come up meanwhile
  /// are taken in and their actions done by the outermost call.
  func perform(_ now: Instant) {
    if isPerforming {
      performsAgain = true
      return
    }
    isPerforming = true
    repeat {
      performsAgain = false
      while let action = transaction.nextAction(clientIsWritable: clientIsWritable, now: now) {
        perform(action)
      }
    } while performsAgain
    isPerforming = false
    holdOrResumeUpstream()
  }

  /// Does what needs no more than to be said, and then what follows from what came up meanwhile.
  @inline(__always)
  private func perform(_ body: () -> Void) {
    isPerforming = true
    body()
    isPerforming = false
    if performsAgain { perform(loop.now) } else { holdOrResumeUpstream() }
  }

  /// The head of the upstream's response has come. What an upstream says of time is compared with the wall clock as it
  /// is at that moment.
  func take(_ head: ResponseHead) {
    let now = loop.clock.read()
    if !isPerforming, transaction.passes(head, now: now) {
      perform { sendUpstreamHead(head, transaction.status) }
    } else {
      transaction.handle(.upstreamHead(head), now: now)
      perform(now)
    }
  }

  /// Some of its content has come.
  func take(_ content: ByteBuffer) {
    if !isPerforming, transaction.passes(content) {
      perform { receiver?.sendContent(content) }
    } else {
      handle(.upstreamContent(content))
    }
  }

  /// Its end has come.
  func takeEnd(_ trailers: FieldSection?) {
    if !isPerforming, transaction.passesEnd() {
      perform { receiver?.sendEnd(trailers) }
    } else {
      handle(.upstreamEnd(trailers))
    }
  }

  private func perform(_ action: consuming Transaction.Action) {
    switch consume action {
    case .consult: consult()
    case .listen:
      listen()
      handle(.listening)
    // What it asks for may be its own only from here on. Once there is a head nothing is waited for any more.
    case .forward(let forward):
      if self.forward == nil, leaveIfMostLikelyGone() { return }
      sendUpstream(forward)
    case .cancelUpstream: cancelUpstream()
    case .holdUpstream: isFlightFull = true
    case .countImpatience(let impatience):
      loop.counters.count(impatience == .collapse ? .collapse : .overdue)
    case .countStored(let refusal): loop.counters.count(stored: refusal)
    case .sendInterim(let head):
      if head.status == 100 { content.isAskedFor = true }
      receiver?.sendInterim(head)
    case .sendStored(let response, let status): sendStored(response, status)
    case .sendFlightHead(let head, let status, let whole):
      receiver?.sendFlightHead(head, status, whole: whole, key: transaction.key)
    case .sendUpstreamHead(let head, let status): sendUpstreamHead(head, status)
    case .sendContent(let content): receiver?.sendContent(content)
    case .sendEnd: receiver?.sendEnd(nil)
    case .sendTrailers(let trailers): receiver?.sendEnd(trailers)
    case .sendError(let code, let status): receiver?.sendError(code, status)
    case .leaveClientBehind:
      loop.counters.count(.relayPatience)
      receiver?.abort(transaction.status.interrupted(.relayPatience))
    case .abortClient: receiver?.abort(transaction.status)
    case .tunnel(let head, let status): stream?.beginTunnel(head, status)
    }
  }

  private func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus) {
    if terms.withholdsTags, stream?.served.isOfPoP != true {
      sendWithoutTags(head, status)
    } else {
      receiver?.sendUpstreamHead(head, status, key: transaction.key)
    }
  }

  @inline(never)
  private func sendWithoutTags(_ head: ResponseHead, _ status: CacheStatus) {
    var head = head
    head.removeFields(named: terms.policy.value.tagFields.names)
    receiver?.sendUpstreamHead(head, status, key: transaction.key)
  }

  // MARK: Waiting

  /// Takes an event in and does what follows. The one place where ``wait`` changes, so that one with a
  /// deadline is always watched and never longer than it is.
  func step(
    _ event: ExchangeState<UpstreamConnection>.Event,
    now: @autoclosure () -> NIODeadline = .coarse()
  ) {
    let action = wait.handle(event, now: now())
    let waits = wait.deadline != nil
    if waits != isWatched {
      isWatched = waits
      if waits { loop.watch(self) } else { loop.unwatch(self) }
    }
    if streaming != nil { followStreaming() }
    carryOut(action)
    countContent()
  }

  /// Content that is still to arrive has its place while there is one for it.
  private func followStreaming() {
    guard let streaming else { return }
    if wait.hasPlace {
      self.streaming?.holdsPlace = true
    } else if !wait.isQueued {
      endStreaming()
    }
    if content.isComplete, streaming.holdsPlace { endStreaming() }
  }

  /// No more of the request's content is to arrive on a connection: others may stream theirs.
  func endStreaming() {
    guard let ended = streaming.take(), ended.holdsPlace else { return }
    loop.perform(
      loop.withPool(ended.upstream) { $0.streamEnded(&$1) }, upstream: ended.upstream)
  }

  /// Counts what is gathered.
  func countContent() {
    let gathered = wait.awaitsConnection ? content.gathered : 0
    guard gathered != countedContent else { return }
    loop.gatheredContent += gathered - countedContent
    countedContent = gathered
  }

  private func carryOut(_ action: consuming ExchangeState<UpstreamConnection>.Action) {
    switch consume action {
    case .none: break
    case .choose(let anew): choose(anew: anew)
    case .giveUp(let upstream, let anew):
      loop.connectFailed(upstream, .timeout)
      choose(anew: anew)
    case .connect(let upstream, let attempt):
      note(\.connecting)
      loop.connect(upstream, for: self, attempt: attempt)
    case .send(let connection): sendRequest(on: connection)
    case .release(let connection): loop.release(connection)
    case .abandon(let connection): connection.abandon()
    case .leaveQueue(let upstream): leaveQueue(of: upstream)
    case .fail(let failure, let upstream):
      if let upstream { leaveQueue(of: upstream) }
      if failure == .queueFull || failure == .queueTimeout {
        loop.upstreamFailed(wait.search.upstream, failure, for: self)
      }
      handle(.upstreamFailed(failure, mayRetry: false))
    case .readTimedOut:
      loop.counters.count(.disk)
      handle(.consulted(nil))
    }
  }

  private func leaveQueue(of upstream: Int) {
    loop.perform(loop.withPool(upstream) { $0.stopWaiting(self, &$1) }, upstream: upstream)
  }

  func checkTime(_ now: NIODeadline) {
    // Where there is no room for more of its content, it is not its client that is waited for.
    if wait.isQueued, !content.isGathered, !loop.mayGather { step(.gathered, now: now) }
    step(.time, now: now)
    // There may be room for more of its content by now.
    if wait.isQueued { stream?.resumeContent() }
    flushClient()
  }
}
