import EdgeCache
import NIOCore

// An exchange and whom it answers: the response, the content of the request, and tunnels.

extension Exchange {
  /// True if nothing speaks against sending more to the client.
  var clientIsWritable: Bool { !isServing || receiver?.isWritable ?? true }

  /// Sends what was written for the client, and lets go of it if that was all.
  func flushClient() {
    receiver?.flush()
    if !isServing { letGoOfClient() }
  }

  private func letGoOfClient() { (receiver, stream) = (nil, nil) }

  /// Bytes of the response that its client has taken.
  var takenByClient: Int { isServing ? receiver?.taken ?? 0 : 0 }

  /// Others need the place of this exchange more than those who read its response so slowly.
  func endForOthers() {
    if !isFilling {
      receiver?.abort(status.interrupted(.slowestReader))
      return
    }
    handle(.endedForOthers)
    flushClient()
  }

  /// Looks after those who read what comes, about once a second.
  func checkReaders() {
    guard isFilling else { return }
    handle(.time)
    flushClient()
  }

  // MARK: The response

  /// Sends a stored response, in pieces where it is kept in pieces.
  func sendStored(_ response: StoredResponse, _ status: CacheStatus) {
    if let pieced = response.pieced, let stream {
      let plan = Delivery(request: request, response: response, now: loop.now)
      let parts = plan.parts(of: pieced.count)
      let ranges = parts.compactMap { part in
        if case .range(let range) = part { range } else { nil }
      }
      if directives.onlyIfCached, !loop.store.canSend(ranges, of: response, mayAsk: false) {
        return passInstead()
      }
      if !loop.store.canSend(ranges, of: response) { return refetch(insteadOf: response) }
      if !parts.isEmpty {
        let delivery = PieceDelivery(response, parts, status, for: self, to: stream)
        self.delivery = delivery
        return delivery.advance()
      }
    }
    receiver?.sendStored(response, status, request: request, key: key, now: loop.now)
  }

  /// The client takes more.
  func clientBecameWritable() {
    if let delivery { delivery.advance() } else { perform(loop.now) }
    flushClient()
  }

  /// The response is complete; the upstream may not be done yet.
  func responseEnded() {
    isServing = false
    delivery = nil
    holdOrResumeUpstream()
  }

  /// Lets go of a client that has ended its side of the connection, where a response is only passed through for it: most
  /// that do so are gone. True if it was let go of.
  @discardableResult
  func leaveIfMostLikelyGone() -> Bool {
    guard isPassedThrough, !limits.servesHalfClosed, let stream, stream.inputHasEnded
    else { return false }
    stream.leave()
    return true
  }

  /// Nobody waits for the response any more.
  func clientGone() {
    letGoOfClient()
    delivery?.stop()
    delivery = nil
    // What a tunnel carries is nobody else's.
    if case .tunnel = wait.state { return step(.cancel) }
    handle(.clientGone)
  }

  // MARK: Content of the request

  /// True if more of the request's content can be taken.
  var acceptsContent: Bool {
    if let upstream = wait.connection { return upstream.isWritable }
    // Before there is a connection some is gathered, the rest waits with the client; after it is over it is dropped.
    return !wait.awaitsConnection || !content.isGathered && loop.mayGather
  }

  /// True while the client waits to be told to send the content of its request.
  var awaitsContinue: Bool {
    !content.isAskedFor && content.total == 0 && !content.isComplete
      && request.fields.contains(.expect)
  }

  /// True if others wait for what this request holds for as long as its content comes.
  var holdsScarcePlace: Bool {
    guard let streaming, streaming.holdsPlace else { return false }
    return loop.shared.upstreamPlaces.use(streaming.upstream) { $0.allWaiting } > 0
  }

  func requestContent(_ some: ByteBuffer) {
    content.came(some)
    guard content.total <= limits.largestRequest else {
      loop.counters.count(.largestRequest)
      stream?.refuseContent(.contentTooLarge)
      return
    }
    guard let upstream = wait.connection else {
      if wait.awaitsConnection {
        content.keep(some)
        countContent()
        if content.isGathered { step(.gathered) }
      }
      return
    }
    content.send(some)
    upstream.sendContent(some)
  }

  /// There is no more content for now.
  func requestContentPauses() { wait.connection?.sendPending() }

  func requestEnd(_ trailers: FieldSection?) {
    content.end(trailers)
    guard let upstream = wait.connection else { return contentIsHere() }
    endStreaming()
    transaction.requestLeft(whole: true)
    upstream.sendEnd(trailers)
  }

  /// All content came before there was a connection.
  private func contentIsHere() {
    guard wait.isQueued, let waited = streaming.take() else { return }
    step(.gathered)
    let handOver = loop.withPool(waited.upstream) { $0.contentEnded(self, &$1) }
    loop.perform(handOver, upstream: waited.upstream)
  }

  // MARK: Tunnel

  func tunnelFromClient(_ bytes: ByteBuffer) { wait.connection?.sendTunnel(bytes) }

  func tunnelFromUpstream(_ bytes: ByteBuffer) {
    stream?.sendTunnel(bytes)
    if stream?.isWritable == false { wait.connection?.hold() }
  }

  func tunnelClientIsWritable() { wait.connection?.resumeReading() }

  /// The client sends no more; what it sent is still to arrive, and it may still read.
  func tunnelClientFinished() { wait.connection?.finishTunnel() }

  func tunnelUpstreamClosed() {
    step(.ended)
    stream?.endTunnel()
  }
}
