// One thread's share of a run: its connections, its requests, and the clock that decides when the
// next request is due.
//
// Closed loop: a connection sends its next request when the response is complete. Open loop:
// request k is due at start + k / rate, whether or not a connection is free, and its latency counts
// from that moment; otherwise a server that stalls would also stall the measurement and hide the
// wait (coordinated omission). What is due waits for a connection to its own target, so that one
// target that stalls does not hold up the requests to others.

import EdgeSocket
import NIOCore
import Synchronization

/// The connections of one thread; confined to it.
final class LoadLoop {
  /// What is to be done.
  let plan: LoadPlan
  /// The requests as bytes.
  let requests: RequestTable
  /// The addresses of each target.
  let addresses: [[InternetAddress]]
  /// Where events come from.
  let poller: Poller
  /// What has happened.
  var tally = LoadTally()
  /// Where all connections read into, one after the other. As small as that, because of content
  /// only the first part is ever looked at.
  var buffer = [UInt8](repeating: 0, count: 32 * 1024)

  private let progress: LoadProgress
  private var sequence: RequestSequence
  private var connections: [LoadConnection] = []
  /// Free connections of each target, longest free first.
  private var idle: [CircularBuffer<LoadConnection>]
  /// Requests of each target that are due and wait for a connection (open loop).
  private var waiting: [CircularBuffer<PlannedRequest>]
  private var unsettled = 0
  private var nextToConnect = 0
  private var unfinished = 0
  private var isComplete = false

  private var start = Int64(0)
  private var measured = Int64.max
  private var end = Int64.max
  private var lastResponse = Int64(0)
  private var nextTick = Int64(0)
  private var nextDue = Int64.max
  private var isStarted = false
  private var isStopped = false
  private var isMeasuring = false
  private var anyConnected = false
  /// Requests that have been begun, those of the warm-up too.
  private var issued = 0
  /// Requests that have been begun and count: each ends as a response or as an error.
  private var begun = 0
  /// Requests that may be begun in all and count.
  private let budget: Int
  private let pace: Pace
  /// The sequence has ended.
  private var isExhausted = false
  /// Of each target the next URL that is requested before the run.
  private var prefilled: [Int]
  /// Connections that request these.
  private var prefilling = 0

  private enum Pace {
    /// A request begins when a response has ended.
    case closed
    /// One is due every so many nanoseconds.
    case constant(interval: Double)
    /// The sequence says when they are due.
    case recorded
  }

  /// Connections that are being made at the same time at most: a listen backlog has its limits.
  private static let mostConnecting = 128
  /// How often deadlines are looked at and progress is published.
  private static let tick: Int64 = 50_000_000
  /// Pause before a refused connection is tried again.
  private static let retryPause: Int64 = 100_000_000
  /// Connections from one client address, whose ports are limited.
  private static let mostOfOneSource = 20_000

  /// The share of the loop with that number, of as many as the plan has threads.
  init(
    plan: LoadPlan, requests: RequestTable, addresses: [[InternetAddress]], number: Int,
    poller: Poller, progress: LoadProgress, board: PurgeBoard? = nil, replay: ReplayLog? = nil
  ) {
    self.plan = plan
    self.requests = requests
    self.addresses = addresses
    self.poller = poller
    self.progress = progress
    sequence = RequestSequence(
      plan, requests: requests, loop: number, board: board, replay: replay)
    idle = plan.targets.map { _ in CircularBuffer() }
    waiting = plan.targets.map { _ in CircularBuffer() }
    let threads = plan.threads
    let mine = Array(stride(from: number, to: plan.connections, by: threads))
    let share = Double(mine.count) / Double(plan.connections)
    if let rate = plan.rate {
      pace = .constant(interval: 1e9 / (rate * share))
    } else {
      pace = plan.replay?.speed == nil ? .closed : .recorded
    }
    prefilled = Array(repeating: plan.prefills ? number : .max, count: plan.targets.count)
    budget = plan.requests.map { $0 / threads + (number < $0 % threads ? 1 : 0) } ?? .max
    // Each thread has connections to each target: its requests are for all of them.
    for target in plan.dealtTargets(mine.count) { add(target, .load) }
    let resting = stride(from: number, to: plan.restingConnections, by: threads)
    for target in plan.dealtTargets(Array(resting).count) { add(target, .resting) }
    (unsettled, unfinished) = (connections.count, mine.count)
  }

  private func add(_ target: Int, _ role: LoadConnection.Role) {
    connections.append(
      LoadConnection(loop: self, index: connections.count, target: target, role: role))
  }

  /// Runs to the end on the calling thread, and returns how long it measured, in nanoseconds.
  ///
  /// The clock starts when each connection has been made or refused.
  func run() -> Int64 {
    nextTick = Monotonic.now() + Self.tick
    while nextToConnect < min(Self.mostConnecting, connections.count) { connectNext() }
    while !isComplete {
      let wake = min(nextTick, nextDue)
      let count = poller.wait(nanoseconds: wake - Monotonic.now())
      for index in 0..<count {
        let event = poller.event(index)
        let now = Monotonic.now()
        connections[Int(event.token & 0xFFFF_FFFF)].handle(event, now: now)
        if nextDue <= now { issueDue(now) }
      }
      let now = Monotonic.now()
      if nextDue <= now { issueDue(now) }
      if now >= nextTick { tick(now) }
    }
    for connection in connections { connection.finish() }
    connections = []
    idle = []
    let isEarly = isExhausted || begun >= budget
    return (isEarly ? lastResponse : max(end, lastResponse)) - measured
  }

  // MARK: From the connections

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
  private func refused(_ target: Int, now: Int64) {
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

  private func begin(_ request: PlannedRequest) {
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

  // MARK: The clock

  private func connectNext() {
    guard nextToConnect < connections.count else { return }
    nextToConnect += 1
    connections[nextToConnect - 1].connect(now: Monotonic.now())
  }

  private func settle(_ connection: LoadConnection) {
    guard !connection.isSettled else { return }
    connection.isSettled = true
    unsettled -= 1
    connectNext()
    if unsettled == 0 { beginPrefill() }
  }

  private func beginPrefill() {
    let free = connections.filter { $0.role == .load && $0.isIdle }
    guard plan.prefills, !free.isEmpty else { return begin() }
    prefilling = free.count
    let now = Monotonic.now()
    for connection in free { prefill(connection, now: now) }
  }

  /// Gives a connection the next URL of its target, until each has been requested.
  private func prefill(_ connection: LoadConnection, now: Int64) {
    let (target, number) = (connection.target, prefilled[connection.target])
    guard number < sequence.prefillCount, !isStopped else { return prefillEnded(now) }
    prefilled[target] += plan.threads
    connection.start(sequence.prefill(target: target, number: number, now: now), now: now)
  }

  private func prefillEnded(_ now: Int64) {
    prefilling -= 1
    if prefilling == 0 { begin() }
  }

  private func begin() {
    let now = Monotonic.now()
    isStarted = true
    start = now
    lastResponse = now
    measured = start + plan.warmup.nanoseconds
    end = isStopped ? start : measured + plan.duration.nanoseconds
    guard anyConnected else { return refuseAll() }
    if now >= measured { beginMeasuring(now) }
    scheduleNext()
    for connection in connections where connection.role == .load {
      if connection.isRefused {
        refused(connection.target, now: now)
        retryLater(connection, now: now)
      } else if connection.isFree {
        ready(connection, now: now)
      }
    }
  }

  /// Nobody listens: says so now instead of after the whole duration. Each connection has failed one request; what was
  /// asked for besides was never sent.
  private func refuseAll() {
    var asked = budget
    if case .constant(let interval) = pace {
      asked = min(asked, Int(nearest: (Double(plan.duration.nanoseconds) / interval).rounded(.up)))
    }
    var failed = min(asked, connections.count { $0.role == .load })
    if plan.replay != nil {
      // Of a log nobody knows how many there are.
      asked = .max
      var left = failed
      while left > 0, sequence.next(intended: start) != nil { left -= 1 }
      failed -= left
    }
    tally.record(.connect, count: failed)
    if asked < .max, !isStopped { tally.record(.unsent, count: asked - failed) }
    (isStopped, end, measured) = (true, start, start)
    complete()
  }

  private func retryLater(_ connection: LoadConnection, now: Int64) {
    guard wantsMore(connection.target, now) else {
      connection.finish()
      return finished(connection)
    }
    connection.retryTime = now + Self.retryPause
  }

  /// Works out when the next request is due.
  private func scheduleNext() {
    switch pace {
    case .closed: break
    case .constant(let interval):
      // Rounded, so that a request due exactly at the end is not taken to be due just before it.
      nextDue = later(start, by: Int64(Int(nearest: Double(issued) * interval)))
    case .recorded:
      if let time = sequence.nextRecordedTime() {
        nextDue = later(start, by: time)
      } else {
        (isExhausted, nextDue) = (true, .max)
      }
    }
  }

  /// A moment that may be further away than there is time.
  private func later(_ moment: Int64, by nanoseconds: Int64) -> Int64 {
    let (sum, overflows) = moment.addingReportingOverflow(nanoseconds)
    return overflows ? .max : sum
  }

  private var giveUpTime: Int64 { end + plan.timeout.nanoseconds }

  /// Begins what is due: on a free connection, or else in the queue of its target.
  private func issueDue(_ now: Int64) {
    while nextDue <= now {
      guard nextDue < end, begun < budget, !isStopped,
        let (target, request) = sequence.next(intended: nextDue)
      else {
        nextDue = .max
        return
      }
      begin(request)
      scheduleNext()
      if let connection = takeIdle(target) {
        connection.start(request, now: now)
      } else {
        waiting[target].append(request)
      }
    }
  }

  private func beginMeasuring(_ now: Int64) {
    isMeasuring = true
    tally.series.begin(now)
  }

  /// Tells those who watch how far this thread is.
  private func publish(_ now: Int64) {
    let total = SecondSample(
      responses: tally.responses, hits: tally.hits, errors: tally.errorCount, bytes: tally.bytes)
    if let second = tally.series.tick(now, total: total) {
      progress.p50.store(Int(second.p50), ordering: .relaxed)
      progress.p99.store(Int(second.p99), ordering: .relaxed)
    }
    progress.responses.store(tally.responses, ordering: .relaxed)
    progress.hits.store(tally.hits, ordering: .relaxed)
    progress.errors.store(tally.errorCount, ordering: .relaxed)
    progress.measured.store(isMeasuring ? Int(now - measured) : 0, ordering: .relaxed)
    let phase: LoadPhase =
      isMeasuring ? .measuring : isStarted ? .warmingUp : prefilling > 0 ? .prefilling : .connecting
    progress.phase.store(phase.rawValue, ordering: .relaxed)
  }

  private func takeIdle(_ target: Int) -> LoadConnection? {
    while let connection = idle[target].popFirst() {
      connection.isQueued = false
      // A peer may have closed it meanwhile, and it is being made again.
      if connection.isFree { return connection }
    }
    return nil
  }

  private func tick(_ now: Int64) {
    nextTick = now + Self.tick
    if progress.isStopped.load(ordering: .relaxed), !isStopped {
      isStopped = true
      end = min(end, now)
      if measured > end { measured = end }
    }
    if isStarted, !isMeasuring, now >= measured { beginMeasuring(now) }
    for connection in connections {
      connection.checkDeadline(now)
      if let retry = connection.retryTime, retry <= now { self.retry(connection, now: now) }
    }
    publish(now)
    guard isStarted, !isComplete else { return }
    for target in idle.indices where !wantsMore(target, now) {
      while let connection = takeIdle(target) {
        connection.finish()
        finished(connection)
      }
    }
  }

  private func retry(_ connection: LoadConnection, now: Int64) {
    connection.retryTime = nil
    if !wantsMore(connection.target, now) {
      connection.finish()
      finished(connection)
    } else if plan.newConnections {
      ready(connection, now: now)
    } else {
      connection.connect(now: now)
    }
  }

  private func complete() {
    isComplete = true
    guard !isStopped else { return }
    let unsent = waiting.reduce(0) { $0 + $1.count { $0.intended >= measured } }
    tally.record(.unsent, count: unsent)
  }
}
