import EdgeCache
import EdgeSocket
import NIOCore

// Carries out what a Transaction decides: between one client connection and one upstream connection,
// both on the same event loop.
//
// The exchange of a leader outlives its client: the upstream connection holds it until the response
// is in the store.

/// Performs one transaction.
final class Exchange {
  /// The request.
  let request: RequestHead
  private var transaction: Transaction
  private let loop: LoopContext
  private let client: ClientIdentity
  /// Let go of soon after the response is complete, and when the client is gone.
  private var receiver: (any ResponseReceiver)?
  /// The receiver, if it is a client.
  private var connection: ClientConnection? { receiver as? ClientConnection }
  private let directives: CacheControl
  private let route: RequestRoute
  /// What sends content that is kept in pieces.
  private var delivery: PieceDelivery?
  /// True until the response is complete: from then on the connection is somebody else's, and says
  /// nothing about how fast the rest of the upstream's response is to be read.
  private var isServing = true

  private var upstream: UpstreamConnection?
  private var forward: Transaction.Forward?
  private var triedUpstreams = UpstreamSet()
  private var waitsForPool: Int?
  private var waitsUntil: NIODeadline?
  private var wantsFreshConnection = false
  /// True while the disk is asked, and until when.
  private var isConsulting = false
  private var consultsUntil = NIODeadline.now()
  private var readPurpose: ReadPurpose?

  private var isPerforming = false
  private var performsAgain = false
  private var isUpstreamHeld = false
  private var isFlightHolding = false

  /// Content of the request that came before there was a connection to send it on.
  private var pendingContent: [ByteBuffer] = []
  private var requestContentSent = false
  private var requestIsComplete: Bool
  private var requestTrailers: FieldSection?

  /// An exchange for a request of `connection`, or for nobody.
  init(
    request: RequestHead, key: CacheKey, directives: CacheControl, route: RequestRoute,
    loop: LoopContext, client: ClientIdentity, connection: ClientConnection?
  ) {
    self.request = request
    self.loop = loop
    self.client = client
    self.directives = directives
    self.route = route
    receiver = connection
    requestIsComplete = !request.hasContent
    transaction = Transaction(
      request: request, key: key, directives: directives, route: route,
      policy: loop.shared.routing.policy(route), store: loop.store)
  }

  /// An exchange that gets a piece of content for a request of somebody else.
  init(_ piece: PieceOrder, for parent: Exchange, receiver: any ResponseReceiver) {
    request = parent.request
    loop = parent.loop
    client = parent.client
    directives = parent.directives
    route = parent.route
    self.receiver = receiver
    requestIsComplete = true
    transaction = Transaction(
      piece, for: request, directives: directives, route: route,
      policy: loop.shared.routing.policy(route), store: loop.store)
  }

  /// What was done, as far as it is known.
  var status: CacheStatus { transaction.status }
  /// True while it waits for a connection.
  var isWaiting: Bool { waitsUntil != nil }

  /// Begins with what the store said; where that was to ask below, for this purpose.
  func begin(_ look: FirstLook, reading purpose: ReadPurpose = .sending) {
    readPurpose = purpose
    // What passes the store by has no flight to hear from.
    if case .pass = look {} else { listen() }
    handle(.begin(look))
  }

  /// Begins with a look into the store.
  func start() {
    listen()
    handle(.start)
  }

  private func listen() {
    let wakeUp = WakeUp(self, on: loop.reactor)
    transaction.listen(wake: { wakeUp.wake() }, resume: { wakeUp.resume() })
  }

  private func handle(_ event: Transaction.Event) {
    transaction.handle(event, now: loop.now)
    perform()
  }

  /// Does what the transaction says until it has nothing more to say. Events that come up meanwhile
  /// are taken in and their actions done by the outermost call.
  private func perform() {
    if isPerforming {
      performsAgain = true
      return
    }
    isPerforming = true
    repeat {
      performsAgain = false
      while let action = transaction.nextAction(
        clientIsWritable: clientIsWritable, now: loop.now)
      {
        perform(action)
      }
    } while performsAgain
    isPerforming = false
    holdOrResumeUpstream()
  }

  private func perform(_ action: Transaction.Action) {
    switch action {
    case .consult: consult()
    case .forward(let forward):
      if self.forward != nil { loop.counters.retries += 1 }
      self.forward = forward
      triedUpstreams = UpstreamSet()
      lease()
    case .cancelUpstream: cancelUpstream()
    case .holdUpstream: isFlightHolding = true
    case .countStored(let refusal): loop.counters.count(stored: refusal)
    case .sendInterim(let head): receiver?.sendInterim(head)
    case .sendStored(let response, let status): send(response, status)
    case .sendFlightHead(let head, let status, let whole):
      receiver?.sendFlightHead(head, status, whole: whole, key: transaction.key)
    case .sendUpstreamHead(let head, let status):
      receiver?.sendUpstreamHead(head, status, key: transaction.key)
    case .sendContent(let content): receiver?.sendContent(content)
    case .sendEnd: receiver?.sendEnd(nil)
    case .sendTrailers(let trailers): receiver?.sendEnd(trailers)
    case .sendError(let code, let status): receiver?.sendError(code, status)
    case .abortClient: receiver?.abort(transaction.status)
    case .tunnel(let head, let status): connection?.beginTunnel(head, status)
    }
  }

  // MARK: Content in pieces

  private func send(_ response: StoredResponse, _ status: CacheStatus) {
    if let pieced = response.pieced, let connection {
      let plan = Delivery(request: request, response: response, now: loop.now)
      let parts = plan.parts(of: pieced.count)
      if !parts.isEmpty {
        let delivery = PieceDelivery(response, parts, status, for: self, to: connection)
        self.delivery = delivery
        return delivery.advance()
      }
    }
    receiver?.sendStored(response, status, request: request, key: transaction.key)
  }

  /// Sends the head of a response whose content follows in pieces.
  func beginPieces(_ response: StoredResponse, _ status: CacheStatus) {
    connection?.beginPieces(response, status, request: request, key: transaction.key)
  }

  /// True if a piece would have to be fetched, and the disk could not take it at once.
  func isDiskBusy(_ piece: PieceOrder) -> Bool {
    guard let disk = loop.shared.disk else { return false }
    let key = piece.key(loop.store.secret)
    return disk.isBusy(key.hash) && !disk.mayHave(key.hash) && !loop.store.isInMemory(key)
  }

  /// Not even the first piece is to be had: the request is passed on as if nothing were stored.
  func passInstead() {
    delivery = nil
    transaction = Transaction(
      request: request, key: transaction.key, directives: directives, route: route,
      policy: loop.shared.routing.policy(route), store: loop.store)
    handle(.begin(directives.onlyIfCached ? .onlyIfCached : .pass(.miss, .tooLarge)))
    flushClient()
  }

  // MARK: The tier below memory

  /// Asks the disk. A client that waits for a disk that is stuck waits no longer than
  /// ``ShellLimits/disk``.
  private func consult() {
    guard let disk = loop.shared.disk else { return handle(.consulted(nil)) }
    let now = loop.now
    let purpose =
      readPurpose ?? loop.store.readPurpose(transaction.key.hash, directives: CacheControl())
    switch disk.look(transaction.key, request: request.fields, purpose: purpose, now: now) {
    case .nothing: return handle(.consulted(nil))
    case .found(let found): return handle(.consulted(found.promoted(by: loop.store, now: now)))
    case .waits: break
    }
    let waiting = Confined(self, to: loop.reactor)
    isConsulting = true
    consultsUntil = .coarse() + loop.limits.disk
    loop.watch(self)
    let store = loop.store
    disk.read(transaction.key, request: request.fields, purpose: purpose, now: now) { found in
      let response = found.flatMap { $0.promoted(by: store, now: WallClock.coarse()) }
      waiting.mailbox.execute { waiting.value.consulted(response) }
    }
  }

  private func consulted(_ response: StoredResponse?) {
    guard isConsulting else { return }
    isConsulting = false
    loop.unwatch(self)
    handle(.consulted(response))
    flushClient()
  }

  // MARK: Upstream connection

  private func lease() {
    guard let forward else { return }
    let group = loop.shared.routing.groups[forward.group]
    guard let index = loop.health.next(group, tried: triedUpstreams, now: loop.now) else {
      return fail(.connect, mayRetry: false)
    }
    triedUpstreams.insert(index)
    waitsForPool = index
    waitsUntil = .coarse() + loop.limits.queue
    let lease =
      wantsFreshConnection ? loop.pools[index].leaseNew(self) : loop.pools[index].lease(self)
    switch lease {
    case .use(let connection): leased(connection)
    case .connect: loop.connect(index, for: self)
    case .wait: loop.watch(self)
    case .refuse:
      waitsUntil = nil
      fail(.queueFull, mayRetry: false)
    }
  }

  /// A connection is there.
  func leased(_ connection: UpstreamConnection) {
    waitsUntil = nil
    waitsForPool = nil
    guard let forward else { return loop.release(connection) }
    upstream = connection
    connection.send(
      request, for: self,
      firstByte: forward.isForStore
        ? loop.limits.firstByteForStore : loop.limits.firstBytePassThrough
    ) {
      ForwardedRequest.write(
        request, forward, client: client, cacheName: loop.shared.cacheName.bytes,
        upstreamAuthority: loop.shared.routing.upstreams[connection.upstream].authority,
        purgesApplied: loop.purgesApplied(tellingUpstream: connection.upstream), to: &$0)
    }
    sendPendingContent()
  }

  /// No connection could be made; the next upstream may do better.
  func connectFailed(_ failure: UpstreamFailure) {
    guard isWaiting else { return }
    waitsUntil = nil
    waitsForPool = nil
    let group = forward.map { loop.shared.routing.groups[$0.group] }
    if let group, group.tiers.joined().contains(where: { !triedUpstreams.contains($0) }) {
      return lease()
    }
    fail(failure, mayRetry: false)
    // There may be something stale to answer with.
    flushClient()
  }

  func checkTime(_ now: NIODeadline) {
    if isConsulting, now >= consultsUntil {
      loop.counters.timeouts += 1
      return consulted(nil)
    }
    guard let waitsUntil, now >= waitsUntil, let waitsForPool else { return }
    self.waitsUntil = nil
    self.waitsForPool = nil
    loop.pools[waitsForPool].stopWaiting(self)
    loop.unwatch(self)
    fail(.queueTimeout, mayRetry: false)
    flushClient()
  }

  private func cancelUpstream() {
    if let waitsForPool {
      loop.pools[waitsForPool].stopWaiting(self)
      loop.unwatch(self)
    }
    waitsUntil = nil
    waitsForPool = nil
    forward = nil
    let abandoned = upstream
    upstream = nil
    isUpstreamHeld = false
    abandoned?.abandon()
  }

  private func fail(_ failure: UpstreamFailure, mayRetry: Bool) {
    handle(.upstreamFailed(failure, mayRetry: mayRetry))
  }

  /// True if nothing speaks against sending more to the client.
  private var clientIsWritable: Bool { !isServing || receiver?.isWritable ?? true }

  private func holdOrResumeUpstream() {
    guard let upstream else { return }
    // A leader's upstream is held by its flight alone: its own client must not slow down others. And
    // what nobody is waiting for is read to its end, or its time limit could not see it stall.
    let hold: Bool
    if transaction.isFilling {
      hold = isFlightHolding
    } else {
      hold = transaction.isPassing && !clientIsWritable
    }
    if hold == isUpstreamHeld { return }
    isUpstreamHeld = hold
    if hold { upstream.hold() } else { upstream.resumeReading() }
  }

  // MARK: Events of the upstream connection

  func upstreamInterim(_ head: ResponseHead) { handle(.upstreamInterim(head)) }
  func upstreamHead(_ head: ResponseHead) { handle(.upstreamHead(head)) }
  func upstreamContent(_ content: ByteBuffer) { handle(.upstreamContent(content)) }
  func upstreamUpgraded(_ head: ResponseHead) { handle(.upstreamUpgraded(head)) }

  func upstreamReadComplete() {
    flushClient()
  }

  /// Sends what was written for the client, and lets go of it if that was all.
  private func flushClient() {
    receiver?.flush()
    if !isServing { receiver = nil }
  }

  func upstreamEnded(_ trailers: FieldSection?) {
    upstream = nil
    isUpstreamHeld = false
    handle(.upstreamEnd(trailers))
    flushClient()
  }

  func upstreamFailed(_ failure: UpstreamFailure, mayRetry: Bool) {
    upstream = nil
    isUpstreamHeld = false
    let mayRetry = mayRetry && !requestContentSent
    if mayRetry { wantsFreshConnection = true }
    fail(failure, mayRetry: mayRetry)
    flushClient()
  }

  func upstreamIsWritable() {
    connection?.updateReading()
  }

  // MARK: Events of the client connection

  /// True if more of the request's content can be taken.
  var acceptsContent: Bool {
    if let upstream { return upstream.isWritable }
    // Before there is a connection the content waits with the client; after it is over it is
    // dropped.
    return !isWaiting
  }

  func requestContent(_ content: ByteBuffer) {
    guard let upstream else {
      if isWaiting { pendingContent.append(content.compacted()) }
      return
    }
    requestContentSent = true
    upstream.sendContent(content)
  }

  /// There is no more content for now.
  func requestContentPauses() {
    upstream?.sendPending()
  }

  func requestEnd(_ trailers: FieldSection?) {
    requestIsComplete = true
    requestTrailers = trailers
    upstream?.sendEnd(trailers)
  }

  private func sendPendingContent() {
    guard let upstream else { return }
    let pending = pendingContent
    pendingContent = []
    for content in pending {
      requestContentSent = true
      upstream.sendContent(content)
    }
    if requestIsComplete { upstream.sendEnd(requestTrailers) } else { upstream.sendPending() }
    connection?.updateReading()
  }

  func clientBecameWritable() {
    if let delivery {
      delivery.advance()
    } else {
      perform()
    }
    flushClient()
  }

  /// The response is complete; the upstream may not be done yet.
  func responseEnded() {
    isServing = false
    delivery = nil
    holdOrResumeUpstream()
  }

  func clientGone() {
    receiver = nil
    delivery?.stop()
    delivery = nil
    handle(.clientGone)
  }

  /// The flight has news.
  func wake() {
    handle(.flightNews)
    flushClient()
  }

  /// The flight's readers have caught up.
  func flightResumes() {
    isFlightHolding = false
    holdOrResumeUpstream()
  }

  // MARK: Tunnel

  func tunnelFromClient(_ bytes: ByteBuffer) {
    upstream?.sendTunnel(bytes)
  }

  func tunnelFromUpstream(_ bytes: ByteBuffer) {
    connection?.sendTunnel(bytes)
    if connection?.isWritable == false { upstream?.hold() }
  }

  func tunnelClientIsWritable() {
    upstream?.resumeReading()
  }

  /// The client sends no more; what it sent is still to arrive, and it may still read.
  func tunnelClientFinished() {
    upstream?.finishTunnel()
  }

  func tunnelUpstreamClosed() {
    upstream = nil
    connection?.endTunnel()
  }

  func tunnelClientClosed() {
    receiver = nil
    let abandoned = upstream
    upstream = nil
    abandoned?.abandon()
  }
}
