import NIOCore

/// Time limits and bounds of the shell. Reaching one is counted.
public struct ShellLimits: Sendable {
  /// From accept to the first byte of a request.
  public var firstByte: TimeAmount = .seconds(10)
  /// From the first byte of a request to the end of its head.
  public var head: TimeAmount = .seconds(10)
  /// Without any byte of a request's content.
  public var contentStall: TimeAmount = .seconds(60)
  /// Slowest content, in bytes per second, after `slowContentGrace`, while others wait for what it holds.
  public var slowestContent = 500
  /// For how long content may be slower than that.
  public var slowContentGrace: TimeAmount = .seconds(10)
  /// Between two requests of a connection.
  public var keepAlive: TimeAmount = .seconds(60)
  /// Requests of one connection.
  public var requestsPerConnection = 10_000
  /// Age of a connection; past it, it is closed after a response.
  public var connectionAge: TimeAmount = .hours(1)
  /// Without the client taking any byte that waits for it.
  public var clientStall: TimeAmount = .seconds(60)
  /// Waiting for the disk before a request is treated as a miss.
  public var disk: TimeAmount = .seconds(1)
  /// A request of another PoP, waiting for purges that were applied there; then it is validated.
  public var fence: TimeAmount = .seconds(5)
  /// A PURGE of a client, waiting for its record to be synced; then it is answered 500.
  public var purge: TimeAmount = .seconds(30)
  /// Making a connection to an upstream.
  public var connect: TimeAmount = .seconds(2)
  /// Waiting for a descriptor, a port or memory of this machine that a connection to an upstream takes; half of
  /// `connect` at most.
  public var lack: TimeAmount = .seconds(1)
  /// Waiting for a connection to an upstream that has its limit of them.
  public var queue: TimeAmount = .seconds(15)
  /// From a request to the head of its response, where the site does not say.
  public var upstreamFirstByte: TimeAmount = .seconds(60)
  /// For how long of that others wait for the same response, and something stale is not sent in its place.
  public var overdue: TimeAmount = .seconds(15)
  /// For how long of that others wait of whom nobody can say that they may share the response.
  public var collapse: TimeAmount = .seconds(2)
  /// From a request to the end of its response, where the site does not say.
  public var response: TimeAmount = .hours(24)
  /// The largest content of a request, in bytes, where the site does not say.
  public var largestRequest = Int.max
  /// Whether a client that has ended its side of the connection still gets what is passed through for it.
  public var servesHalfClosed = false
  /// Slowest reading of a response that is not stored, in bytes per second over `slowReaderGrace`, while others wait for
  /// its place among the connections to an upstream.
  public var slowestReader = 500
  /// Responses that are read more slowly than this leave a quarter of the places to others who wait.
  public var slowReader = 50_000
  /// Over which time the rate of reading is looked at.
  public var slowReaderGrace: TimeAmount = .seconds(10)
  /// Without any byte of a response, where the site does not say.
  public var betweenBytes: TimeAmount = .seconds(60)
  /// Slowest content of a response that is to be stored, in bytes per second over `slowFillGrace`; slower content is
  /// only passed on.
  public var slowestFill = 100
  /// For how long content of a response that is to be stored may be slower than that.
  public var slowFillGrace: TimeAmount = .seconds(60)
  /// The same for a stream of server-sent events that is passed through.
  public var eventStream: TimeAmount = .hours(1)
  /// A tunnel in which nothing moves, either way.
  public var tunnelIdle: TimeAmount = .hours(1)
  /// An idle upstream connection.
  public var upstreamIdle: TimeAmount = .seconds(30)
  /// Connections to each upstream, all event loops together.
  public var upstreamConnections = 256
  /// Connections to each upstream that changed their protocol, all event loops together.
  public var upstreamTunnels = Int.max
  /// Requests that wait for a connection to an upstream, on each event loop.
  public var upstreamQueue = 1024
  /// Bytes of pipelined requests that are read ahead.
  public var pipelined = 64 << 10
  /// Reading what a client still sends after its connection was to be closed.
  public var linger: TimeAmount = .seconds(2)
  /// Purges a second, of each token.
  public var purgesPerSecond = 1000
  /// The end as a whole, from the moment it is asked for; finishing what runs has what `drainReserve` leaves.
  public var drain: TimeAmount = .seconds(30)
  /// What of that is kept for disks and logs, if it is no more than half.
  public var drainReserve: TimeAmount = .seconds(3)
  /// Writing what waits of the access log at shutdown; then it is dropped.
  public var logs: TimeAmount = .seconds(2)
  /// At shutdown, for a further request of a client that is idle, which then gets its last response.
  public var drainIdle: TimeAmount = .seconds(1)

  /// The limits that `docs/limits.md` lists.
  public init() {}
}
