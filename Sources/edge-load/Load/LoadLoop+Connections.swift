import EdgeSocket
import NIOCore
import Synchronization

// What the connections of a loop tell it.

extension LoadLoop {
  /// The client address of a connection, as the last byte of 127.0.0.x; nil for the usual one.
  func source(of index: Int, _ role: LoadConnection.Role) -> UInt8? {
    let number = index * plan.threads / Self.mostOfOneSource
    guard number > 0, addresses[connections[index].target].first?.isLoopback == true else {
      return nil
    }
    return UInt8(1 + min(number, 200))
  }

  /// A connection has been made.
  func connected(_ connection: LoadConnection, now: Int64) {
    anyConnected = true
    if connection.role == .resting {
      connection.start(sequence.probe(target: connection.target, now: now), now: now)
    } else if isStarted || prefilling > 0 {
      ready(connection, now: now)
    } else {
      settle(connection)
    }
  }

  /// A connection could not be made, with the request that it was made for, if there is one.
  func connectFailed(_ connection: LoadConnection, _ request: PlannedRequest?, now: Int64) {
    if let request {
      record(.connect, request)
    } else if connection.role == .resting {
      record(.connect, nil)
    } else if isStarted {
      refused(connection.target, now: now)
    }
    if connection.role == .load && isStarted {
      retryLater(connection, now: now)
    } else if prefilling > 0 {
      prefillEnded(now)
    } else {
      settle(connection)
    }
  }

  /// A resting connection has had its one response.
  func rested(_ connection: LoadConnection) {
    tally.restingConnections += 1
    settle(connection)
  }

  /// A resting connection was closed by its peer.
  func restingClosed(_ connection: LoadConnection) {
    if connection.isSettled { tally.restingClosed += 1 } else { settle(connection) }
    connection.finish()
  }

  /// Bytes have arrived.
  func received(_ count: Int) {
    if isMeasuring { tally.bytes += count }
  }

  /// A response was complete.
  func record(
    _ request: PlannedRequest, of target: Int, _ response: ResponseSummary, now: Int64
  ) {
    lastResponse = now
    sequence.learn(request.mark, response, now: now)
    let isCounted = request.intended >= measured
    if let storage = request.mark.storage {
      tally.infinite.record(storage, target: target, counted: isCounted)
    }
    guard isCounted else { return }
    tally.record(response, nanoseconds: now - request.intended)
    tally.series.record(nanoseconds: now - request.intended)
  }

  /// A request has failed, or a connection without one.
  func record(_ error: LoadError, _ request: PlannedRequest?) {
    if let request {
      if isStarted, request.intended >= measured { tally.record(error) }
    } else if isMeasuring || !isStarted {
      tally.recordBeside(error)
    }
  }

  /// A connection of the load could not be made and had no request yet: the one that fails is the one that it would
  /// have sent, or the one that waits longest for it.
  func refused(_ target: Int, now: Int64) {
    if case .closed = pace {
      guard wantsMore(target, now) else { return }
      guard let request = sequence.next(target: target, intended: now) else {
        isExhausted = true
        return
      }
      begin(request)
      record(.connect, request)
    } else if let request = waiting[target].popFirst() {
      record(.connect, request)
    } else {
      record(.connect, nil)
    }
  }

  func begin(_ request: PlannedRequest) {
    issued += 1
    if request.intended >= measured { begun += 1 }
  }

  /// A connection is free: gives it the next request, or keeps it until one is due.
  func ready(_ connection: LoadConnection, now: Int64) {
    let target = connection.target
    if !isStarted { return prefill(connection, now: now) }
    guard wantsMore(target, now) else {
      connection.finish()
      return finished(connection)
    }
    if case .closed = pace {
      guard let request = sequence.next(target: target, intended: now) else {
        isExhausted = true
        connection.finish()
        return finished(connection)
      }
      begin(request)
      connection.start(request, now: now)
    } else if let request = waiting[target].popFirst() {
      connection.start(request, now: now)
    } else if !connection.isQueued {
      connection.isQueued = true
      idle[target].append(connection)
    }
  }

  /// Whether requests to a target are still to be begun, or were due and wait for a connection.
  func wantsMore(_ target: Int, _ now: Int64) -> Bool {
    guard isStarted, !isStopped else { return !isStopped }
    if now < end && begun < budget && !isExhausted { return true }
    return (nextDue < end || !waiting[target].isEmpty) && now < giveUpTime
  }

  /// A connection has ended for good.
  func finished(_ connection: LoadConnection) {
    unfinished -= 1
    if unfinished == 0 { complete() }
  }
}
