// The connections of one event loop to one upstream, as a pure state machine: events in, what is to
// be done out. It never touches a connection; the shell does.
//
// Invariant: `total` is the number of connections that are idle, in use, being made or being closed,
// and never exceeds the limit; nobody waits while a connection is idle that anybody may have.
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

  @usableFromInline let limit: Int
  @usableFromInline let queueLimit: Int
  @usableFromInline var idle: [Idle] = []
  /// Those that are idle and kept, the one kept for longest first.
  @usableFromInline var kept: [Idle] = []
  @usableFromInline var queue: [Waiter] = []
  /// Connections that are idle, in use, being made or being closed.
  public var total: Int { count }
  @usableFromInline var count = 0

  /// A pool of at most `limit` connections, for which at most `queueLimit` wait.
  @inlinable
  public init(limit: Int, queueLimit: Int) {
    self.limit = limit
    self.queueLimit = queueLimit
  }

  /// Number of idle connections.
  public var idleCount: Int { idle.count }
  /// Number of connections that are idle and kept for those to whom they belong.
  public var keptCount: Int { kept.count }
  /// Number of those who wait.
  public var waitingCount: Int { queue.count }

  /// Asks for a connection; the one used last is the warmest. O(1).
  @inlinable
  public mutating func lease(_ waiter: Waiter) -> PoolLease<Connection> {
    if let last = idle.popLast() { return .use(last.connection) }
    if count < limit {
      count += 1
      return .connect
    }
    if queue.count < queueLimit {
      queue.append(waiter)
      return .wait
    }
    return .refuse
  }

  /// Asks for a new connection, whatever is idle: for a request that failed on an idle one. O(1).
  @inlinable
  public mutating func leaseNew(_ waiter: Waiter) -> PoolLease<Connection> {
    if count < limit {
      count += 1
      return .connect
    }
    return lease(waiter)
  }

  /// Takes back a connection that can be used again. O(queue).
  @inlinable
  public mutating func release(
    _ connection: Connection, now: Instant
  ) -> PoolHandOver<Connection, Waiter> {
    if !queue.isEmpty { return .give(connection, queue.removeFirst()) }
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

  /// Takes out connections that have been kept since before `moment`, one for each who waits, to be closed; each
  /// counts until ``lost()`` says that it is gone. O(kept).
  @inlinable
  public mutating func makeRoom(keptSince moment: Instant) -> [Connection] {
    let count = min(queue.count, kept.count)
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
    guard !queue.isEmpty, count < limit else { return .none }
    count += 1
    return .connect(queue.removeFirst())
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
    queue.removeAll { $0 === waiter }
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
