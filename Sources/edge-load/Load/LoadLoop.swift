// One event loop's share of a run: its connections, its workload, and the clock that decides when
// the next request is due.
//
// Closed loop: a connection sends its next request when the response is complete. Open loop:
// request k is due at start + k / rate, whether or not a connection is free, and its latency counts
// from that moment; otherwise a server that stalls would also stall the measurement and hide the
// wait (coordinated omission). Backlog needs no queue: it is the distance between the next due
// request and now.

import NIOCore
import Synchronization

/// Counters that other threads may read while the run goes on.
final class LoadProgress: Sendable {
  /// Complete responses.
  let responses = Atomic<Int>(0)
  /// Hits among them.
  let hits = Atomic<Int>(0)
  /// Errors.
  let errors = Atomic<Int>(0)
}

/// The connections of one event loop; confined to it.
final class LoadLoop {
  /// What is to be done.
  let plan: LoadPlan
  /// The requests as bytes.
  let requests: RequestTable
  /// Where everything here happens.
  let eventLoop: any EventLoop
  /// What has happened.
  var tally = LoadTally()
  /// Fulfilled with the elapsed time when all connections have ended.
  let done: EventLoopPromise<TimeAmount>

  private let progress: LoadProgress
  private var workload: Workload
  private var connections: [LoadConnection] = []
  /// Free connections, longest free first: in turn, so that all targets get their share.
  private var idle = CircularBuffer<LoadConnection>()
  private var unsettled = 0
  private var nextToConnect = 0
  private var unfinished = 0
  private var nextTick: Scheduled<Void>?
  private var isComplete = false
  private var pacing: Scheduled<Void>?

  private var start = NIODeadline.now()
  private var end = NIODeadline.distantFuture
  private var lastResponse = NIODeadline.uptimeNanoseconds(0)
  private var isStarted = false
  private var isStopped = false
  private var anyConnected = false
  /// Requests of the schedule that have been sent (open loop).
  private var issued = 0
  /// Time between two due requests of this loop; nil for a closed loop.
  private let interval: Double?

  /// Connections that are being made at the same time at most: a listen backlog has its limits.
  private static let mostConnecting = 128
  /// How often deadlines are looked at and progress is published.
  private static let tick = TimeAmount.milliseconds(50)
  /// Pause before a refused connection is tried again.
  private static let retryPause = TimeAmount.milliseconds(100)

  /// The share of the loop with that number, of as many as the plan has threads.
  init(
    plan: LoadPlan, requests: RequestTable, number: Int, eventLoop: any EventLoop,
    progress: LoadProgress
  ) {
    self.plan = plan
    self.requests = requests
    self.eventLoop = eventLoop
    self.progress = progress
    workload = Workload(plan, loop: number)
    done = eventLoop.makePromise()
    let mine = stride(from: number, to: plan.connections, by: plan.threads)
    interval = plan.rate.map { 1e9 / ($0 * Double(Array(mine).count) / Double(plan.connections)) }
    connections = mine.map { LoadConnection(loop: self, target: $0 % plan.targets.count) }
    (unsettled, unfinished) = (connections.count, connections.count)
  }

  /// Connects everything; the clock starts when each connection has been made or refused.
  func run() {
    scheduleTick()
    while nextToConnect < min(Self.mostConnecting, connections.count) { connectNext() }
  }

  /// Begins no more requests; those under way are completed.
  func stop() {
    isStopped = true
    end = min(end, .now())
  }

  // MARK: From the connections

  /// A connection has been made.
  func connected(_ connection: LoadConnection) {
    anyConnected = true
    if isStarted {
      ready(connection, now: .now())
    } else {
      settle(connection, isConnected: true)
    }
  }

  /// A connection could not be made.
  func connectFailed(_ connection: LoadConnection) {
    if isStarted { retryLater(connection) } else { settle(connection, isConnected: false) }
  }

  /// A free connection was closed by its peer.
  func withdraw(_ connection: LoadConnection) {
    idle = CircularBuffer(idle.filter { $0 !== connection })
  }

  /// A response was complete.
  func responded(at now: NIODeadline) {
    lastResponse = now
  }

  /// A connection is free: gives it the next request, or keeps it until one is due.
  func ready(_ connection: LoadConnection, now: NIODeadline) {
    guard wantsMore(now) else {
      connection.finish()
      return finished(connection)
    }
    guard interval != nil else {
      return connection.send(path: workload.next(), intended: now, now: now)
    }
    let due = dueTime(issued)
    if due <= now {
      issued += 1
      connection.send(path: workload.next(), intended: due, now: now)
    } else {
      idle.append(connection)
      pace()
    }
  }

  /// Whether requests are still to be begun, or were due and wait for a connection.
  func wantsMore(_ now: NIODeadline) -> Bool {
    guard isStarted, !isStopped else { return !isStopped }
    if now < end { return true }
    return interval != nil && dueTime(issued) < end && now < giveUpTime
  }

  /// A connection has ended for good.
  func finished(_ connection: LoadConnection) {
    unfinished -= 1
    if unfinished == 0 { complete() }
  }

  // MARK: The clock

  private func connectNext() {
    guard nextToConnect < connections.count else { return }
    nextToConnect += 1
    connections[nextToConnect - 1].connect()
  }

  private func settle(_ connection: LoadConnection, isConnected: Bool) {
    if isConnected { idle.append(connection) }
    guard !connection.isSettled else { return }
    connection.isSettled = true
    unsettled -= 1
    connectNext()
    if unsettled == 0 { begin() }
  }

  private func begin() {
    isStarted = true
    start = .now()
    lastResponse = start
    end = isStopped ? start : start + .nanoseconds(plan.duration.nanoseconds)
    guard anyConnected else {
      // Nobody listens: say so now instead of after the whole duration.
      (isStopped, end) = (true, start)
      return complete()
    }
    let waiting = idle
    idle = CircularBuffer()
    for connection in waiting { ready(connection, now: .now()) }
    for connection in connections where connection.isDisconnected { retryLater(connection) }
  }

  private func retryLater(_ connection: LoadConnection) {
    guard wantsMore(.now()) else { return finished(connection) }
    eventLoop.assumeIsolated().scheduleTask(in: Self.retryPause) {
      if self.wantsMore(.now()) { connection.connect() } else { self.finished(connection) }
    }
  }

  private func dueTime(_ number: Int) -> NIODeadline {
    // Rounded, so that a request due exactly at the end is not taken to be due just before it.
    start + .nanoseconds(Int64((Double(number) * (interval ?? 0)).rounded()))
  }

  private var giveUpTime: NIODeadline { end + .nanoseconds(plan.timeout.nanoseconds) }

  /// Wakes up when the next request is due, as long as a connection is free for it.
  private func pace() {
    guard pacing == nil, !idle.isEmpty else { return }
    let due = dueTime(issued)
    guard due < end else { return }
    pacing = eventLoop.assumeIsolated().scheduleTask(deadline: due) {
      self.pacing = nil
      let now = NIODeadline.now()
      while !self.idle.isEmpty, self.dueTime(self.issued) <= now, self.wantsMore(now) {
        self.ready(self.idle.removeFirst(), now: now)
      }
      self.pace()
    }
  }

  private func scheduleTick() {
    nextTick = eventLoop.assumeIsolated().scheduleTask(in: Self.tick) {
      self.tick()
      if !self.isComplete { self.scheduleTick() }
    }
  }

  private func tick() {
    let now = NIODeadline.now()
    for connection in connections { connection.checkDeadline(now) }
    progress.responses.store(tally.responses, ordering: .relaxed)
    progress.hits.store(tally.hits, ordering: .relaxed)
    progress.errors.store(tally.errorCount, ordering: .relaxed)
    guard isStarted, !wantsMore(now) else { return }
    let resting = idle
    idle = CircularBuffer()
    for connection in resting {
      connection.finish()
      finished(connection)
    }
  }

  private func complete() {
    isComplete = true
    nextTick?.cancel()
    pacing?.cancel()
    if interval != nil, !isStopped {
      var unsent = issued
      while dueTime(unsent) < end { unsent += 1 }
      tally.record(.unsent, count: unsent - issued)
    }
    done.succeed(max(end, lastResponse) - start)
  }
}
