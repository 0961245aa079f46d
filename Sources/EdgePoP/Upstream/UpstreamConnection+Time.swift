import EdgeCache
import EdgeSocket
import NIOCore

// When a connection to an upstream has taken too long over something, or whoever reads what comes on it has. Looked at
// once a second.

extension UpstreamConnection {
  /// Some of the request goes out: the response may take that much longer.
  func requestMoved() {
    switch phase {
    case .waiting: awaitHead()
    case .receiving: deadline = .coarse() + betweenBytes
    case .idle, .tunnel, .closed: break
    }
  }

  /// True while the rest of the request is its client's to send, whose own limits hold.
  private var awaitsClient: Bool {
    if case .waiting = phase {
      !isRequestSent && unsent == 0 && exchange?.awaitsContinue != true
    } else {
      false
    }
  }

  /// The head of the response has all of its time from now on.
  func awaitHead() {
    if let limits = exchange?.limits { deadline = .coarse() + limits.firstByte }
  }

  /// The response is a stream of events. What goes to the store, or to nobody any more, has no more time for it.
  func awaitEvents(since last: NIODeadline) {
    guard case .receiving = phase, let exchange, exchange.isPassing || exchange.isRelaying
    else { return }
    betweenBytes = exchange.limits.eventStream
    deadline = last + betweenBytes
  }

  /// Ends what has taken too long.
  func checkLimits(_ now: NIODeadline) {
    if now >= responseUntil, exchange != nil { return responseTookTooLong() }
    checkReaders(now)
    // While nothing is read, nothing can arrive in time.
    guard !isHeld else { return }
    if let patience, now >= patience.until, case .waiting = phase { tellOthers(patience.1) }
    if exchange?.isFilling == true { checkRate(now) }
    guard let due = deadline, now >= due, !awaitsClient else { return }
    // It may not be for the store any more.
    if isEventStream { awaitEvents(since: due - betweenBytes) }
    guard let deadline, now >= deadline else { return }
    switch phase {
    case .waiting: fail(.firstByteTimeout)
    case .receiving: fail(.stalled)
    case .idle, .tunnel, .closed: break
    }
  }

  /// Those who wait for the same response as the exchange need not wait any longer.
  private func tellOthers(_ impatience: Impatience) {
    guard let limits = exchange?.limits else { return }
    switch impatience {
    case .mayLeave:
      patience = (requestedAt + limits.overdue, .overdue)
      exchange?.upstreamIsSlow()
    case .overdue:
      patience = nil
      exchange?.upstreamIsOverdue()
    }
  }

  /// What is to be stored, and waited for by others, comes at some rate at least; what only trickles is passed on.
  private func checkRate(_ now: NIODeadline) {
    guard now - rate.since >= loop.limits.slowFillGrace else { return }
    let least = Int((now - rate.since).nanoseconds / 1_000_000_000) * loop.limits.slowestFill
    let isSlow = rate.bytes < least
    rate = (now, 0)
    if isSlow { exchange?.upstreamTrickles() }
  }

  private func responseTookTooLong() {
    switch phase {
    case .waiting, .receiving: fail(.responseTimeout)
    case .idle, .tunnel, .closed: break
    }
  }

  // MARK: Readers

  /// While the response is held back for whoever reads it, they set the pace: slow ones are known in case others need
  /// the place.
  private func checkReaders(_ now: NIODeadline) {
    exchange?.checkReaders()
    guard case .receiving = phase, wasHeld || isHeld, let exchange else { return pace.reset() }
    wasHeld = isHeld
    let rate = pace.note(
      taken: exchange.takenByClient, received: exchange.isFilling ? received : 0, now: now,
      over: loop.limits.slowReaderGrace)
    guard let rate, rate < loop.limits.slowReader else { return }
    loop.slowReaders.append(SlowReader(connection: self, exchange: exchange, rate: rate))
  }

  /// Others need its place more than those who read its response.
  func endForOthers() {
    guard case .receiving = phase else { return }
    loop.counters.count(.slowestReader)
    exchange?.endForOthers()
  }
}
