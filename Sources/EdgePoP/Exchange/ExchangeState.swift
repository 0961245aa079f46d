import EdgeCache
import NIOCore

// What one exchange waits for on its way to an upstream, as a pure state machine: events in, what is to be
// done out. Every wait of an exchange is one of these states, and each that is not somebody else's has its
// deadline in it, so that none can be forgotten.
//
//   state      | waits for                        | until                  | then
//   -----------+----------------------------------+------------------------+---------------------------
//   idle       | its flight or its client         | the flight's leader has| -
//              |                                  | a deadline of its own  |
//   reading    | the tier below memory            | `disk`                 | as if nothing were there
//   choosing   | nothing: within one step         | -                      | -
//   queued     | a place in a full pool           | `queue`, once as much  | queue-timeout
//              |                                  | of its content is here |
//              |                                  | as is gathered         |
//   connecting | a connection that is being made  | `connect`              | the next upstream, or
//              |                                  |                        | connect-timeout
//   forwarded  | the response                     | the connection's own   | upstreamFailed
//   tunnel     | bytes, either way                | the client's own       | the client closes
//
// An event that comes too late for its state changes nothing, but for a connection, which goes to the pool. One
// that cannot come in its state is a mistake of ours, and traps.

/// What an exchange waits for.
struct ExchangeState<Connection: AnyObject>: ~Copyable {
  /// What there is to wait for, and until when.
  enum State {
    case idle
    case reading(until: NIODeadline)
    case choosing
    case queued(until: NIODeadline)
    case connecting(until: NIODeadline)
    case forwarded(Connection)
    case tunnel(Connection)
  }

  /// How the way to an upstream is looked for, while it is: kept beside the state, which is copied often.
  struct Search: Hashable {
    /// The upstreams to choose from.
    var group: UpstreamGroupID = 0
    /// Upstreams that were tried, the present one too.
    var tried: UpstreamSet = []
    /// The upstream that is tried at present.
    var upstream = -1
    /// The number of this attempt to connect, among all of the exchange.
    var attempt = 0
    /// Why the last attempt failed.
    var failure = UpstreamFailure.connect
  }

  /// What happens to an exchange.
  enum Event {
    /// The tier below memory is asked, and will answer later.
    case reads
    /// It has answered.
    case read
    /// The request is to go to an upstream of a group.
    case forward(UpstreamGroupID)
    /// All upstreams of the group were tried.
    case noneLeft
    /// What the pool of an upstream says. `gathers` if more content of the request is gathered meanwhile: then its
    /// client sets the pace.
    case leased(upstream: Int, PoolLease<Connection>, gathers: Bool)
    /// As much content of the request is here as is gathered.
    case gathered
    /// There is room for another connection, for the one who waited longest.
    case hasRoom
    /// A connection that others used is free, for the one who waited longest.
    case handedOver(Connection)
    case connected(Connection, attempt: Int)
    case connectFailed(UpstreamFailure, attempt: Int)
    /// The upstream changed the protocol.
    case upgraded
    /// The response is complete, and the connection no longer this exchange's.
    case ended
    /// The connection broke, or the response ended early. `mayRetry` if that may be because the connection had
    /// been idle, so that another idle one may be as old.
    case broke(mayRetry: Bool)
    /// The request is to go nowhere any more.
    case cancel
    /// Some time has passed.
    case time
  }

  /// What is to be done.
  enum Action {
    case none
    /// Say which upstream is next, and what its pool says: ``Event/leased(upstream:_:)`` or
    /// ``Event/noneLeft``. `anew` if no connection that was idle will do.
    case choose(anew: Bool)
    /// An upstream did not answer in time: leave it out for a while, as after any failure to connect, and
    /// then the same.
    case giveUp(upstream: Int, anew: Bool)
    case connect(upstream: Int, attempt: Int)
    /// Send the request on this connection.
    case send(Connection)
    /// Nobody here needs it any more: others may.
    case release(Connection)
    case abandon(Connection)
    case leaveQueue(upstream: Int)
    /// No connection can be had; leave the queue of an upstream if there is one.
    case fail(UpstreamFailure, leaving: Int?)
    /// The tier below memory is not waited for any more.
    case readTimedOut
  }

  private(set) var state = State.idle
  private(set) var search = Search()
  private let limits: RequestLimits
  private let disk: TimeAmount
  /// True if a connection that was idle has failed already.
  private var needsNew = false

  /// An exchange that waits for nothing yet.
  init(_ limits: RequestLimits, disk: TimeAmount) {
    self.limits = limits
    self.disk = disk
  }

  // MARK: What is so

  /// When the present wait ends; nil if somebody else watches over it, or there is none.
  var deadline: NIODeadline? {
    switch state {
    case .reading(let until), .queued(let until), .connecting(let until): until
    case .idle, .choosing, .forwarded, .tunnel: nil
    }
  }

  /// The connection that it has.
  var connection: Connection? {
    switch state {
    case .forwarded(let connection), .tunnel(let connection): connection
    case .idle, .reading, .choosing, .queued, .connecting: nil
    }
  }

  /// True if there will be a connection, or none can be had.
  var awaitsConnection: Bool {
    switch state {
    case .choosing, .queued, .connecting: true
    case .idle, .reading, .forwarded, .tunnel: false
    }
  }

  /// True while it waits for a place in a full pool.
  var isQueued: Bool { if case .queued = state { true } else { false } }

  /// True while it has a place in the pool of an upstream.
  var hasPlace: Bool {
    switch state {
    case .connecting, .forwarded, .tunnel: true
    case .idle, .reading, .choosing, .queued: false
    }
  }

  /// True if it waits for nothing of its own.
  var isIdle: Bool { if case .idle = state { true } else { false } }

  /// True while the tier below memory is waited for.
  var isReading: Bool { if case .reading = state { true } else { false } }

  // MARK: Events

  /// Takes an event in. `now` is only asked for where a wait begins or may end.
  mutating func handle(_ event: consuming Event, now: @autoclosure () -> NIODeadline) -> Action {
    // Both are looked at one after the other: what they hold would be copied for a look at both.
    switch consume event {
    case .reads:
      if isIdle { state = .reading(until: now() + disk) }
    case .read:
      if isReading { state = .idle }
    // Each of these would lose a request, or a place in a pool, in a state that is not its own.
    case .forward(let group):
      invariant(isIdle, "a request goes upstream twice at once")
      search = Search(group: group, attempt: search.attempt)
      return choose()
    case .leased(let upstream, let lease, let gathers):
      guard case .choosing = state else { invariantFailed("a place that nobody asked for") }
      search.tried.insert(upstream)
      search.upstream = upstream
      return leased(lease, gathers: gathers, now())
    case .hasRoom:
      invariant(isQueued, "room for somebody who does not wait")
      return connect(now())
    case .noneLeft:
      guard case .choosing = state else { break }
      state = .idle
      return .fail(search.failure, leaving: nil)
    case .gathered:
      if case .queued(until: .distantFuture) = state {
        state = .queued(until: now() + limits.queue)
      }
    case .handedOver(let connection):
      return isQueued ? send(on: connection) : .release(connection)
    case .connected(let connection, let attempt):
      return isConnecting(attempt) ? send(on: connection) : .release(connection)
    case .connectFailed(let failure, let attempt):
      guard isConnecting(attempt) else { break }
      search.failure = failure
      return choose()
    case .upgraded:
      if case .forwarded(let connection) = state { state = .tunnel(connection) }
    case .ended:
      if hasConnection { state = .idle }
    case .broke(let mayRetry):
      guard hasConnection else { break }
      state = .idle
      needsNew = needsNew || mayRetry
    case .cancel: return cancel()
    case .time: return timePassed(now())
    }
    return .none
  }

  /// True while it has a connection.
  private var hasConnection: Bool {
    switch state {
    case .forwarded, .tunnel: true
    case .idle, .reading, .choosing, .queued, .connecting: false
    }
  }

  private func isConnecting(_ attempt: Int) -> Bool {
    if case .connecting = state { attempt == search.attempt } else { false }
  }

  private mutating func choose() -> Action {
    state = .choosing
    return .choose(anew: needsNew)
  }

  private mutating func leased(
    _ lease: consuming PoolLease<Connection>, gathers: Bool, _ now: @autoclosure () -> NIODeadline
  ) -> Action {
    switch consume lease {
    case .use(let connection): return send(on: connection)
    case .connect: return connect(now())
    case .wait:
      state = .queued(until: gathers ? .distantFuture : now() + limits.queue)
      return .none
    case .refuse:
      state = .idle
      return .fail(.queueFull, leaving: nil)
    }
  }

  private mutating func connect(_ now: NIODeadline) -> Action {
    search.attempt += 1
    state = .connecting(until: now + limits.connect)
    return .connect(upstream: search.upstream, attempt: search.attempt)
  }

  private mutating func send(on connection: Connection) -> Action {
    state = .forwarded(connection)
    return .send(connection)
  }

  private mutating func cancel() -> Action {
    defer { state = .idle }
    switch state {
    case .idle, .reading, .choosing, .connecting: return .none
    case .queued: return .leaveQueue(upstream: search.upstream)
    case .forwarded(let connection), .tunnel(let connection): return .abandon(connection)
    }
  }

  private mutating func timePassed(_ now: NIODeadline) -> Action {
    guard let deadline, now >= deadline else { return .none }
    switch state {
    case .reading:
      state = .idle
      return .readTimedOut
    case .queued:
      state = .idle
      return .fail(.queueTimeout, leaving: search.upstream)
    case .connecting:
      // If it is made all the same, others may have it.
      search.failure = .connectTimeout
      state = .choosing
      return .giveUp(upstream: search.upstream, anew: needsNew)
    case .idle, .choosing, .forwarded, .tunnel: return .none
    }
  }
}
