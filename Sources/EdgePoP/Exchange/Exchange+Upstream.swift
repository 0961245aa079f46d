import EdgeCache
import EdgeSocket
import NIOCore

// An exchange and what is behind it: the tier below memory, and the connection to an upstream.

extension Exchange {
  // MARK: The tier below memory

  /// Asks the disk. A client that waits for a disk that is stuck waits no longer than
  /// ``ShellLimits/disk``.
  func consult() {
    guard let disk = loop.shared.disk else { return handle(.consulted(nil)) }
    let now = loop.now
    let purpose = readPurpose ?? loop.store.readPurpose(key.hash, directives: CacheControl())
    switch disk.look(key, request: request.fields, purpose: purpose, now: now) {
    case .nothing: return handle(.consulted(nil))
    case .found(let found):
      stream?.served.isFromDisk = true
      return handle(.consulted(found.promoted(by: loop.store, now: now)))
    case .waits: break
    }
    let waiting = Confined(self, to: loop.reactor)
    step(.reads)
    let (store, clock) = (loop.store, loop.clock)
    disk.read(key, request: request.fields, purpose: purpose, now: now) { found in
      let response = found.flatMap { $0.promoted(by: store, now: clock.now) }
      waiting.mailbox.execute { waiting.value.consulted(response) }
    }
  }

  private func consulted(_ response: StoredResponse?) {
    guard wait.isReading else { return }
    if response != nil { stream?.served.isFromDisk = true }
    step(.read)
    handle(.consulted(response))
    flushClient()
  }

  /// True if a piece would have to be fetched, and the disk could not take it at once.
  func isDiskBusy(_ piece: PieceOrder) -> Bool {
    guard let disk = loop.shared.disk else { return false }
    let key = piece.key(loop.store.secret)
    return disk.isBusy(key.hash) && !disk.mayHave(key.hash) && !loop.store.isInMemory(key)
  }

  // MARK: The way to an upstream

  /// Sends the request upstream, as soon as there is a connection. What may still be under way, such as the rest
  /// of a response that nobody needs, makes room for it: so the event always finds the state that it must.
  func sendUpstream(_ forward: Transaction.Forward) {
    if self.forward != nil {
      loop.counters.retries += 1
      if !wait.isIdle { cancelUpstream() }
    }
    self.forward = forward
    if times.began == 0 { note(\.began) }
    step(.forward(forward.group))
  }

  /// Says which upstream is next, and what its pool says.
  func choose(anew: Bool) {
    let group = loop.shared.routing.groups[wait.search.group]
    if route.isBound, let bound = stream?.bound, let mark = client.clientMark(of: request),
      let connection = bound.take(group, for: mark)
    {
      if !content.isComplete {
        loop.withPool(connection.upstream) { $0.streamBegan(&$1) }
        streaming = (connection.upstream, true)
      }
      return step(.leased(upstream: connection.upstream, .use(connection), gathers: false))
    }
    guard let index = loop.health.next(group, tried: wait.search.tried, now: loop.now) else {
      return step(.noneLeft)
    }
    // What could not be connected to was not the last that there is.
    if wait.search.tried != [] { loop.counters.failures.count(wait.search.failure) }
    let streams = !content.isComplete
    let lease = mayAsk(index) ? loop.lease(index, for: self, streams: streams, anew: anew) : .refuse
    if streams { streaming = (index, false) }
    if case .wait = lease { loop.counters.count(.upstreamConnections) }
    step(
      .leased(
        upstream: index, consume lease, gathers: streams && !content.isGathered && !awaitsContinue))
  }

  /// False if it asks for another protocol, and the upstream has as many tunnels as it may.
  private func mayAsk(_ upstream: Int) -> Bool {
    guard request.asksForUpgrade,
      loop.shared.upstreamPlaces.use(upstream, { $0.areTunnelsFull })
    else { return true }
    loop.counters.count(.upstreamTunnels)
    return false
  }

  /// Sends the request, and what came of its content meanwhile.
  func sendRequest(on connection: UpstreamConnection) {
    guard let forward else { invariantFailed("a connection for a request that goes nowhere") }
    noteSent(to: connection.upstream)
    connection.send(
      request, for: self, isShared: forward.isForStore
    ) {
      ForwardedRequest.write(
        request, forward, client: client, cacheName: loop.shared.cacheName.bytes,
        upstreamAuthority: loop.shared.routing.upstreams[connection.upstream].authority,
        purgesApplied: loop.purgesApplied(tellingUpstream: connection.upstream),
        requestID: requestID, to: &$0)
    }
    transaction.requestLeft(whole: content.isComplete)
    if content.hasKept { for kept in content.takeKept() { connection.sendContent(kept) } }
    if content.isComplete {
      connection.sendEnd(content.trailers)
    } else {
      connection.sendPending()
    }
    stream?.resumeContent()
  }

  /// Keeps an idle connection for the client, among those that are returned; nil if the client is gone, or cannot be
  /// told from others.
  func keepForClient(_ connection: UpstreamConnection) -> BoundConnections? {
    guard let stream, let mark = client.clientMark(of: request) else { return nil }
    let bound = stream.bound ?? BoundConnections(on: loop)
    stream.bound = bound
    bound.keep(connection, for: mark)
    return bound
  }

  /// Lets go of the upstream, or of the wait for one. Seldom, and so kept out of line.
  @inline(never)
  func cancelUpstream() {
    forward = nil
    step(.cancel)
  }

  // MARK: Events of pools and connections

  /// A connection was made, for this attempt.
  func connected(_ connection: UpstreamConnection, attempt: Int) {
    note(\.connected)
    step(.connected(connection, attempt: attempt))
  }

  /// No connection could be made; the next upstream may do better.
  func connectFailed(_ failure: UpstreamFailure, attempt: Int) {
    step(.connectFailed(failure, attempt: attempt))
    // There may be something stale to answer with.
    flushClient()
  }

  /// It is this exchange's turn to use a connection.
  func handedOver(_ connection: UpstreamConnection) { step(.handedOver(connection)) }

  /// It is this exchange's turn to make a connection.
  func hasRoom() { step(.hasRoom) }

  func upstreamInterim(_ head: ResponseHead) { handle(.upstreamInterim(head)) }

  func upstreamHead(_ head: ResponseHead) {
    note(\.answered)
    take(head)
  }

  func upstreamContent(_ content: ByteBuffer) { take(content) }
  func upstreamReadComplete() { flushClient() }

  func upstreamUpgraded(_ head: ResponseHead) {
    step(.upgraded)
    // What is still to come of its content takes nobody's place any more.
    endStreaming()
    handle(.upstreamUpgraded(head))
  }

  func upstreamEnded(_ trailers: FieldSection?) {
    note(\.ended)
    step(.ended)
    takeEnd(trailers)
    flushClient()
  }

  func upstreamFailed(_ failure: UpstreamFailure, mayRetry: Bool) {
    note(\.ended)
    let mayRetry = mayRetry && content.canBeSentAgain
    if mayRetry { content.rewind() }
    step(.broke(mayRetry: mayRetry))
    handle(.upstreamFailed(failure, mayRetry: mayRetry))
    flushClient()
  }

  /// Who may not share this response has waited for long enough.
  func upstreamIsSlow() {
    handle(.upstreamSlow)
    flushClient()
  }

  /// The content of this response comes too slowly to be stored.
  func upstreamTrickles() {
    handle(.upstreamTrickles)
    flushClient()
  }

  /// Others had better not wait for this response any longer.
  func upstreamIsOverdue() {
    handle(.upstreamOverdue)
    flushClient()
  }

  func upstreamIsWritable() { stream?.resumeContent() }

  // MARK: Times

  /// Notes when something happens, where the log tells it.
  @inline(__always)
  func note(_ event: WritableKeyPath<UpstreamTimes, Int64>) {
    guard let log = loop.log, log.isDetailed else { return }
    times[keyPath: event] = loop.clock.microseconds
  }

  private func noteSent(to upstream: Int) {
    note(\.sent)
    // Of what was asked first there is no answer.
    (times.upstream, times.answered, times.ended) = (upstream, 0, 0)
  }

  // MARK: Pace

  /// Reads from the upstream, or leaves it waiting.
  func holdOrResumeUpstream() {
    // A leader's upstream is held by its flight alone: its own client must not slow down others. And
    // what nobody is waiting for is read to its end, or its time limit could not see it stall.
    let hold = isFilling ? isFlightFull : isPassing && !clientIsWritable
    if !hold, !mayBeHeld { return }
    guard case .forwarded(let upstream) = wait.state, hold != upstream.isHeld else { return }
    mayBeHeld = hold
    if hold { upstream.hold() } else { upstream.resumeReading() }
  }

  /// The flight has news.
  func wake() {
    handle(.flightNews)
    flushClient()
  }

  /// The flight's readers have caught up.
  func flightResumes() {
    isFlightFull = false
    holdOrResumeUpstream()
  }
}
