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
  var sequence: RequestSequence
  var connections: [LoadConnection] = []
  /// Free connections of each target, longest free first.
  var idle: [CircularBuffer<LoadConnection>]
  /// Requests of each target that are due and wait for a connection (open loop).
  var waiting: [CircularBuffer<PlannedRequest>]
  private var unsettled = 0
  private var nextToConnect = 0
  var unfinished = 0
  private var isComplete = false

  private var start = Int64(0)
  var measured = Int64.max
  var end = Int64.max
  var lastResponse = Int64(0)
  private var nextTick = Int64(0)
  var nextDue = Int64.max
  var isStarted = false
  var isStopped = false
  var isMeasuring = false
  var anyConnected = false
  /// Requests that have been begun, those of the warm-up too.
  var issued = 0
  /// Requests that have been begun and count: each ends as a response or as an error.
  var begun = 0
  /// Requests that may be begun in all and count.
  let budget: Int
  let pace: Pace
  /// The sequence has ended.
  var isExhausted = false
  /// Of each target the next URL that is requested before the run.
  private var prefilled: [Int]
  /// Connections that request these.
  var prefilling = 0

  enum Pace {
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
  static let mostOfOneSource = 20_000

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

  // MARK: The clock

  private func connectNext() {
    guard nextToConnect < connections.count else { return }
    nextToConnect += 1
    connections[nextToConnect - 1].connect(now: Monotonic.now())
  }

  func settle(_ connection: LoadConnection) {
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
  func prefill(_ connection: LoadConnection, now: Int64) {
    let (target, number) = (connection.target, prefilled[connection.target])
    guard number < sequence.prefillCount, !isStopped else { return prefillEnded(now) }
    prefilled[target] += plan.threads
    connection.start(sequence.prefill(target: target, number: number, now: now), now: now)
  }

  func prefillEnded(_ now: Int64) {
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

  func retryLater(_ connection: LoadConnection, now: Int64) {
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

  var giveUpTime: Int64 { end + plan.timeout.nanoseconds }

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

  func complete() {
    isComplete = true
    guard !isStopped else { return }
    let unsent = waiting.reduce(0) { $0 + $1.count { $0.intended >= measured } }
    tally.record(.unsent, count: unsent)
  }
}
