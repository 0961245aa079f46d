// The connections of one event loop to one upstream, as a pure state machine: events in, what is to
// be done out. It never touches a connection; the shell does.
//
// Invariant: `total` is the number of connections that are idle, in use, being made or being closed,
// and never exceeds the limit; nobody waits who may have a connection while one is idle or can be made.
//
// A request whose content is still arriving keeps its connection for as long as its client likes. So such requests get
// no more than three quarters of the connections, however many of them there are: those that are as fast as the
// upstream have the rest to themselves.
//
// Whoever reads a response slowly holds its connection for as long, which shows only on the way. While others wait, such
// connections and those of the former kind together are no more than three quarters of all.
//
// A connection by which an upstream knows a client is kept for that client while it is idle, and never given to
// anybody else. It has its place among the others; when somebody waits for a place, the one that was kept for longest
// is closed.
//
// Inlinable, because the shell's types are filled in on every request: without that each call would
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
    @usableFromInline let waiter: Waiter
    /// True while the content of its request is still arriving.
    @usableFromInline var streams: Bool

    @inlinable
    init(waiter: Waiter, streams: Bool) {
      self.waiter = waiter
      self.streams = streams
    }
  }

  @usableFromInline let limit: Int
  /// Most connections on which the content of a request is still arriving.
  @usableFromInline let streamLimit: Int
  /// Connections that are kept for requests and responses whose clients are as fast as the upstream.
  @usableFromInline let reserve: Int
  @usableFromInline let queueLimit: Int
  @usableFromInline var idle: [Idle] = []
  /// Those that are idle and kept, the one kept for longest first.
  @usableFromInline var kept: [Idle] = []
  @usableFromInline var queue: [Waiting] = []
  /// How many of those who wait have content that is still arriving.
  @usableFromInline var streamsWaiting = 0
  /// Connections that are idle, in use, being made or being closed.
  public var total: Int { count }
  @usableFromInline var count = 0
  /// Connections on which the content of a request is still arriving.
  public var streaming: Int { streams }
  @usableFromInline var streams = 0

  /// A pool of at most `limit` connections, for which at most `queueLimit` requests wait that have all of their
  /// content, and as many that have not.
  @inlinable
  public init(limit: Int, queueLimit: Int) {
    self.limit = limit
    self.queueLimit = queueLimit
    reserve = (limit + 3) / 4
    streamLimit = max(1, limit - reserve)
  }

  /// Number of idle connections.
  public var idleCount: Int { idle.count }
  /// Number of connections that are idle and kept for those to whom they belong.
  public var keptCount: Int { kept.count }
  /// Number of those who wait.
  public var waitingCount: Int { queue.count }
  /// Number of those who wait and would use a place if there were one.
  @inlinable
  public var wanted: Int {
    queue.count - streamsWaiting + min(streamsWaiting, max(0, streamLimit - streams))
  }

  /// How many are too many, while others wait, of so many connections whose responses are read slowly. O(1).
  @inlinable
  public func excess(slowReaders: Int) -> Int {
    min(wanted, max(0, slowReaders + streams - (limit - reserve)))
  }

  /// Asks for a connection; the one used last is the warmest. With `streams` the content of the request is still
  /// arriving: until ``streamEnded()`` it counts among those, of which there may be fewer. O(1).
  @inlinable
  public mutating func lease(_ waiter: Waiter, streams: Bool = false) -> PoolLease<Connection> {
    if streams, self.streams >= streamLimit { return wait(waiter, streams: true) }
    if let last = idle.popLast() {
      if streams { self.streams += 1 }
      return .use(last.connection)
    }
    return leaseNew(waiter, streams: streams)
  }

  /// Asks for a new connection, whatever is idle: for a request that failed on an idle one. O(1).
  @inlinable
  public mutating func leaseNew(_ waiter: Waiter, streams: Bool = false) -> PoolLease<Connection> {
    if streams, self.streams >= streamLimit { return wait(waiter, streams: true) }
    if count < limit {
      count += 1
      if streams { self.streams += 1 }
      return .connect
    }
    if !idle.isEmpty { return lease(waiter, streams: streams) }
    return wait(waiter, streams: streams)
  }

  @inlinable
  mutating func wait(_ waiter: Waiter, streams: Bool) -> PoolLease<Connection> {
    let others = streams ? streamsWaiting : queue.count - streamsWaiting
    guard others < queueLimit else { return .refuse }
    queue.append(Waiting(waiter: waiter, streams: streams))
    if streams { streamsWaiting += 1 }
    return .wait
  }

  /// Takes out the one who waited longest and may have a connection. O(queue).
  @inlinable
  mutating func next() -> Waiter? {
    let mayStream = streams < streamLimit
    guard let index = queue.firstIndex(where: { mayStream || !$0.streams }) else { return nil }
    let next = queue.remove(at: index)
    if next.streams {
      streamsWaiting -= 1
      streams += 1
    }
    return next.waiter
  }

  /// Gives an idle connection, or room for one, to somebody who waits. O(queue).
  @inlinable
  mutating func serve() -> PoolHandOver<Connection, Waiter> {
    guard !idle.isEmpty || count < limit, let next = next() else { return .none }
    if let last = idle.popLast() { return .give(last.connection, next) }
    count += 1
    return .connect(next)
  }

  /// The content of the request is here of somebody who waits: it counts like others now. O(queue).
  @inlinable
  public mutating func contentEnded(_ waiter: Waiter) -> PoolHandOver<Connection, Waiter> {
    guard let index = queue.firstIndex(where: { $0.waiter === waiter }), queue[index].streams
    else { return .none }
    queue[index].streams = false
    streamsWaiting -= 1
    return serve()
  }

  /// The content of a request is still arriving that has a connection of its own, whatever the bound is. O(1).
  @inlinable
  public mutating func streamBegan() { streams += 1 }

  /// The content of a request is complete that has a connection, or it has none any more: another one may stream.
  /// O(queue).
  @inlinable
  public mutating func streamEnded() -> PoolHandOver<Connection, Waiter> {
    streams -= 1
    invariant(streams >= 0, "more contents ended than began")
    return queue.isEmpty ? .none : serve()
  }

  /// Takes back a connection that can be used again. O(queue).
  @inlinable
  public mutating func release(
    _ connection: Connection, now: Instant
  ) -> PoolHandOver<Connection, Waiter> {
    if !queue.isEmpty, let next = next() { return .give(connection, next) }
    idle.append(Idle(connection: connection, since: now))
    return .none
  }

  /// Keeps an idle connection for the one to whom it belongs. O(1).
  @inlinable
  public mutating func keep(_ connection: Connection, now: Instant) {
    kept.append(Idle(connection: connection, since: now))
  }

  /// A connection that was kept is used again, or closed: it counts until ``lost()`` says that it is gone. O(kept).
  @inlinable
  public mutating func takeBack(_ connection: Connection) {
    kept.removeAll { $0.connection === connection }
  }

  /// Takes out connections that have been kept since before `moment`, one for each who waits and may
  /// have its place, to be closed; each
  /// counts until ``lost()`` says that it is gone. O(kept).
  @inlinable
  public mutating func makeRoom(keptSince moment: Instant) -> [Connection] {
    let count = min(wanted, kept.count)
    guard count > 0 else { return [] }
    let old = kept.prefix(count).prefix { $0.since <= moment }.map(\.connection)
    kept.removeFirst(old.count)
    return old
  }

  /// A connection that was in use, being made or being closed is gone. O(queue).
  @inlinable
  public mutating func lost() -> PoolHandOver<Connection, Waiter> {
    count -= 1
    invariant(count >= 0, "more connections lost than made")
    return queue.isEmpty ? .none : serve()
  }

  /// An idle connection was closed by the upstream; false if it was not idle. O(idle).
  @inlinable
  public mutating func idleClosed(_ connection: Connection) -> Bool {
    guard let index = idle.firstIndex(where: { $0.connection === connection }) else {
      return false
    }
    idle.remove(at: index)
    count -= 1
    return true
  }

  /// Takes somebody out of the queue. O(queue).
  @inlinable
  public mutating func stopWaiting(_ waiter: Waiter) {
    queue.removeAll { $0.waiter === waiter }
    streamsWaiting = queue.count { $0.streams }
  }

  /// Takes out the connections that have been idle since before `moment`, to be closed; each counts
  /// until ``lost()`` says that it is gone. O(idle).
  @inlinable
  public mutating func expire(idleSince moment: Instant) -> [Connection] {
    guard idle.contains(where: { $0.since <= moment }) else { return [] }
    let expired = idle.filter { $0.since <= moment }.map(\.connection)
    idle.removeAll { $0.since <= moment }
    return expired
  }
}
