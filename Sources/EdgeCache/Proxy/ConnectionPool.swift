// The connections of one event loop to one upstream, as a pure state machine: events in, what is to
// be done out. It never touches a connection; the shell does.
//
// How many connections there may be is for all event loops together: places are taken from a ``PlaceLedger`` and given
// back to it. Whoever gets an idle connection has nothing to do with that (``leaseIdle()``), nor does a connection that
// comes back while nobody waits (``releaseQuietly(_:now:)``).
//
// Invariant: `total` is the number of connections that are idle, in use, being made or being closed, each of which has
// a place; nobody waits for a place while a connection is idle here.
//
// A request whose content is still arriving keeps its connection for as long as its client likes. So such requests get
// no more than three quarters of the connections, however many of them there are: those that are as fast as the
// upstream have the rest to themselves. Each takes a slot first, and then waits for a place like others.
//
// Whoever reads a response slowly holds its connection for as long, which shows only on the way. While others wait, such
// connections and those of the former kind together are no more than three quarters of all
// (``PlaceLedger/slowReaders(_:_:slowest:)``).
//
// A connection by which an upstream knows a client is kept for that client while it is idle, and never given to
// anybody else. It has its place among the others; when somebody waits for a place, the one that was kept for longest
// is closed.
//
// Inlinable where a request goes by each time, because the shell's types are filled in: without that each call would
// look up at run time what is known when the program is built.

/// What somebody who needs a connection gets.
public enum PoolLease<Connection> {
  /// This idle connection.
  case use(Connection)
  /// Make a new one.
  case connect
  /// Wait; a connection will be handed over.
  case wait
  /// No: the queue is full.
  case refuse
}

/// What to do with room in a pool.
public enum PoolHandOver<Connection, Waiter> {
  /// Nothing.
  case none
  /// Give the connection to this waiter.
  case give(Connection, Waiter)
  /// Make a new connection for this waiter.
  case connect(Waiter)
  /// Close the connection: somebody on another loop needs its place. It counts until ``ConnectionPool/lost(_:)``.
  case close(Connection)
}

/// Idle connections and those who wait for one.
public struct ConnectionPool<Connection: AnyObject, Waiter: AnyObject> {
  @usableFromInline
  struct Idle {
    @usableFromInline let connection: Connection
    @usableFromInline let since: Instant

    @inlinable
    init(connection: Connection, since: Instant) {
      self.connection = connection
      self.since = since
    }
  }

  @usableFromInline
  struct Waiting {
    let waiter: Waiter
    let since: Instant
    let ticket: UInt64
    /// True if it has a slot.
    var streams: Bool
  }

  /// The number of its loop.
  let loop: Int
  let queueLimit: Int
  @usableFromInline var idle: [Idle] = []
  /// Those that are idle and kept, the one kept for longest first.
  var kept: [Idle] = []
  /// Those who wait for a place.
  @usableFromInline var queue: [Waiting] = []
  /// Those who wait for a slot.
  var slotQueue: [Waiting] = []
  /// How many of those who wait for a place have a slot.
  private var streamsQueued = 0
  /// True while others may need what comes back.
  @usableFromInline var isAsked = false
  /// True if the ledger knows of slow readers here.
  private var hasSlowReaders = false
  /// Connections that are idle, in use, being made or being closed.
  public private(set) var total = 0

  /// The pool of a loop, in which at most `queueLimit` requests wait that have all of their content, and as many that
  /// have not.
  public init(loop: Int = 0, queueLimit: Int) {
    self.loop = loop
    self.queueLimit = queueLimit
  }

  /// Number of idle connections.
  public var idleCount: Int { idle.count }
  /// Number of connections that are idle and kept for those to whom they belong.
  public var keptCount: Int { kept.count }
  /// Number of those who wait.
  public var waitingCount: Int { queue.count + slotQueue.count }

  // MARK: Asking

  /// Takes an idle connection, for a request that has all of its content; the one used last is the warmest. O(1).
  @inlinable
  public mutating func leaseIdle() -> Connection? { idle.popLast()?.connection }

  /// Asks for a connection. With `streams` the content of the request is still arriving: until ``streamEnded(_:)`` it
  /// has a slot, of which there are fewer. O(1).
  public mutating func lease(
    _ waiter: Waiter, streams: Bool = false, now: Instant, _ places: inout PlaceLedger
  ) -> PoolLease<Connection> {
    ask(waiter, streams: streams, anew: false, now, &places)
  }

  /// Asks for a new connection, whatever is idle: for a request that failed on an idle one. O(1).
  public mutating func leaseNew(
    _ waiter: Waiter, streams: Bool = false, now: Instant, _ places: inout PlaceLedger
  ) -> PoolLease<Connection> {
    ask(waiter, streams: streams, anew: true, now, &places)
  }

  private mutating func ask(
    _ waiter: Waiter, streams: Bool, anew: Bool, _ now: Instant, _ places: inout PlaceLedger
  ) -> PoolLease<Connection> {
    let others = streams ? streamsQueued + slotQueue.count : queue.count - streamsQueued
    if streams, !places.takeSlot() {
      guard others < queueLimit else { return .refuse }
      slotQueue.append(
        Waiting(waiter: waiter, since: now, ticket: places.waitForSlot(loop), streams: false))
      return .wait
    }
    if !anew, let last = idle.popLast() {
      if streams { places.streaming += 1 }
      return .use(last.connection)
    }
    if places.take() {
      total += 1
      if streams { places.streaming += 1 }
      return .connect
    }
    if let last = idle.popLast() {
      if streams { places.streaming += 1 }
      return .use(last.connection)
    }
    guard others < queueLimit else {
      // Nobody waits for it, or it would not have been there.
      if streams { _ = places.giveSlotBack(loop) }
      return .refuse
    }
    wait(waiter, since: now, streams: streams, &places)
    return .wait
  }

  private mutating func wait(
    _ waiter: Waiter, since: Instant, streams: Bool, _ places: inout PlaceLedger
  ) {
    let ticket = places.wait(loop, now: since)
    queue.append(Waiting(waiter: waiter, since: since, ticket: ticket, streams: streams))
    if streams { streamsQueued += 1 }
  }

  /// Somebody who has waited for something else needs a connection now, with a slot or without. O(1).
  private mutating func askAgain(
    _ waiting: Waiting, streams: Bool, _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    if let last = idle.popLast() {
      if streams { places.streaming += 1 }
      return .give(last.connection, waiting.waiter)
    }
    if places.take() {
      total += 1
      if streams { places.streaming += 1 }
      return .connect(waiting.waiter)
    }
    wait(waiting.waiter, since: waiting.since, streams: streams, &places)
    return .none
  }

  // MARK: Waiting

  /// Takes out the one who has waited longest, who gets a connection. O(queue).
  private mutating func next(_ places: inout PlaceLedger) -> Waiter? {
    guard !queue.isEmpty else { return nil }
    let next = queue.removeFirst()
    places.stopWaiting(loop, next.ticket)
    if next.streams {
      streamsQueued -= 1
      places.streaming += 1
    }
    return next.waiter
  }

  /// The content of the request is here of somebody who waits: it counts like others now. O(queue).
  public mutating func contentEnded(
    _ waiter: Waiter, _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    if let index = slotQueue.firstIndex(where: { $0.waiter === waiter }) {
      let waiting = slotQueue.remove(at: index)
      places.stopWaitingForSlot(waiting.ticket)
      return askAgain(waiting, streams: false, &places)
    }
    guard let index = queue.firstIndex(where: { $0.waiter === waiter }), queue[index].streams
    else { return .none }
    queue[index].streams = false
    streamsQueued -= 1
    return slotEnded(&places)
  }

  /// Takes somebody out of the queue; somebody else may have his slot. O(queue).
  public mutating func stopWaiting(
    _ waiter: Waiter, _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    if let index = slotQueue.firstIndex(where: { $0.waiter === waiter }) {
      places.stopWaitingForSlot(slotQueue.remove(at: index).ticket)
      return .none
    }
    guard let index = queue.firstIndex(where: { $0.waiter === waiter }) else { return .none }
    let gone = queue.remove(at: index)
    places.stopWaiting(loop, gone.ticket)
    guard gone.streams else { return .none }
    streamsQueued -= 1
    return slotEnded(&places)
  }

  // MARK: Slots

  /// The content of a request is still arriving that has a connection of its own, whatever the bound is. O(1).
  public func streamBegan(_ places: inout PlaceLedger) {
    places.forceSlot()
    places.streaming += 1
  }

  /// The content of a request is complete that has a connection, or it has none any more: another one may stream.
  /// O(queue).
  public mutating func streamEnded(
    _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    places.streaming -= 1
    invariant(places.streaming >= 0, "more contents ended than began")
    return slotEnded(&places)
  }

  private mutating func slotEnded(
    _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    places.giveSlotBack(loop) ? slotCame(&places) : .none
  }

  /// A slot is here for the one who has waited for it longest. O(queue).
  public mutating func slotCame(
    _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    // Whoever it was for may be gone.
    guard !slotQueue.isEmpty else { return slotEnded(&places) }
    let next = slotQueue.removeFirst()
    places.stopWaitingForSlot(next.ticket)
    return askAgain(next, streams: true, &places)
  }

  // MARK: Connections

  /// Takes back a connection that can be used again, if nobody waits for one; false if somebody may. O(1).
  @inlinable
  public mutating func releaseQuietly(_ connection: Connection, now: Instant) -> Bool {
    guard queue.isEmpty, !isAsked else { return false }
    idle.append(Idle(connection: connection, since: now))
    return true
  }

  /// Takes back a connection that can be used again. O(queue + loops).
  public mutating func release(
    _ connection: Connection, now: Instant, _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    if let first = queue.first, !places.isForOthers(loop, waitingSince: first.since),
      let next = next(&places)
    {
      return .give(connection, next)
    }
    if !queue.isEmpty || isAsked && places.uncovered > 0 {
      places.promise(loop)
      return .close(connection)
    }
    idle.append(Idle(connection: connection, since: now))
    forgetAsking(&places)
    return .none
  }

  private mutating func forgetAsking(_ places: inout PlaceLedger) {
    guard isAsked else { return }
    isAsked = false
    places.forgetAsking(loop)
  }

  /// Somebody on another loop needs a place. Takes out idle connections, the coldest first, to be closed; each counts
  /// until ``lost(_:)`` says that it is gone. O(idle).
  public mutating func asked(_ places: inout PlaceLedger) -> [Connection] {
    isAsked = true
    let count = min(idle.count, places.uncovered)
    let closed = idle.prefix(count).map(\.connection)
    idle.removeFirst(count)
    places.promise(loop, count)
    if !idle.isEmpty || places.waiting == 0 { forgetAsking(&places) }
    return closed
  }

  /// A place is here for the one who has waited longest. O(queue).
  public mutating func placeCame(
    _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    total += 1
    if let next = next(&places) { return .connect(next) }
    // Whoever it was for may be gone.
    return lost(&places)
  }

  /// A connection that was in use, being made or being closed is gone. O(queue + loops).
  public mutating func lost(_ places: inout PlaceLedger) -> PoolHandOver<Connection, Waiter> {
    total -= 1
    invariant(total >= 0, "more connections lost than made")
    return places.giveBack(loop) ? placeCame(&places) : .none
  }

  /// A connection was closed, idle or not. O(idle + queue + loops).
  public mutating func closed(
    _ connection: Connection, _ places: inout PlaceLedger
  ) -> PoolHandOver<Connection, Waiter> {
    idle.removeAll { $0.connection === connection }
    return lost(&places)
  }

  /// Takes out the connections that have been idle since before `moment`, to be closed; each counts
  /// until ``lost(_:)`` says that it is gone. O(idle).
  public mutating func expire(idleSince moment: Instant) -> [Connection] {
    guard idle.contains(where: { $0.since <= moment }) else { return [] }
    let expired = idle.filter { $0.since <= moment }.map(\.connection)
    idle.removeAll { $0.since <= moment }
    return expired
  }

  // MARK: Connections of one client

  /// Keeps an idle connection for the one to whom it belongs. O(1).
  public mutating func keep(_ connection: Connection, now: Instant) {
    kept.append(Idle(connection: connection, since: now))
  }

  /// A connection that was kept is used again, or closed: it counts until ``lost(_:)`` says that it is gone. O(kept).
  public mutating func takeBack(_ connection: Connection) {
    kept.removeAll { $0.connection === connection }
  }

  /// True if somebody may need the place of a connection that is kept.
  public var mayNeedRoom: Bool { !kept.isEmpty && (isAsked || !queue.isEmpty) }

  /// Takes out connections that have been kept since before `moment`, one for each who waits and has no place on its
  /// way, to be closed; each counts until ``lost(_:)`` says that it is gone. O(kept).
  public mutating func makeRoom(
    keptSince moment: Instant, _ places: inout PlaceLedger
  ) -> [Connection] {
    let count = min(places.uncovered, kept.count)
    guard count > 0 else { return [] }
    let old = kept.prefix(count).prefix { $0.since <= moment }.map(\.connection)
    kept.removeFirst(old.count)
    places.promise(loop, old.count)
    return old
  }

  // MARK: Slow readers

  /// True if so many slow readers are news to the ledger.
  public func isNews(slowReaders count: Int) -> Bool { count > 0 || hasSlowReaders }

  /// How many of so many slow readers had better end (``PlaceLedger/slowReaders(_:_:slowest:)``).
  public mutating func excess(
    slowReaders count: Int, slowest: Int, _ places: inout PlaceLedger
  ) -> Int {
    hasSlowReaders = count > 0
    return places.slowReaders(loop, count, slowest: slowest)
  }
}
