import EdgeFleet
import NIOCore

/// The limits of a request and its response, once it is known where it goes: those of its route, and what that leaves
/// open, of its site, of the fleet and of the PoP. A class, so that a request holds one reference.
final class RequestLimits: Sendable {
  /// Having a connection to an upstream, the look-up of its name included.
  let connect: TimeAmount
  /// Waiting for a place among the connections to an upstream.
  let queue: TimeAmount
  /// From a request to the head of its response; begins anew with each piece of the request's content.
  let firstByte: TimeAmount
  /// For how long of that others wait for the same response, and something stale is not sent in its place.
  let overdue: TimeAmount
  /// For how long of that others wait of whom nobody can say that they may share the response.
  let collapse: TimeAmount
  /// Without any byte of a response.
  let betweenBytes: TimeAmount
  /// The same for a stream of server-sent events that is passed through: it is quiet while nothing happens, and
  /// only the client knows for how long that is worth waiting for.
  let eventStream: TimeAmount
  /// From a request to the end of its response.
  let response: TimeAmount
  /// The largest content of a request, in bytes.
  let largestRequest: Int
  /// True if a client that ended its side of the connection still gets what is passed through for it.
  let servesHalfClosed: Bool

  /// What `limits` say, and where they do not, those of the PoP.
  init(_ limits: FleetConfiguration.Limits, else pop: ShellLimits) {
    connect = limits.connect.map { TimeAmount($0) } ?? pop.connect
    queue = limits.queue.map { TimeAmount($0) } ?? pop.queue
    firstByte = limits.firstByte.map { TimeAmount($0) } ?? pop.upstreamFirstByte
    overdue = pop.overdue
    collapse = limits.collapse.map { TimeAmount($0) } ?? pop.collapse
    betweenBytes = limits.betweenBytes.map { TimeAmount($0) } ?? pop.betweenBytes
    eventStream = limits.eventStream.map { TimeAmount($0) } ?? pop.eventStream
    response = limits.response.map { TimeAmount($0) } ?? pop.response
    largestRequest = limits.largestRequest?.bytes ?? pop.largestRequest
    servesHalfClosed = limits.servesHalfClosed ?? pop.servesHalfClosed
  }
}

/// The limits of a client's connection, as the route and the site of the request say that it asked last.
final class ClientLimits: Sendable {
  /// From accept to the first byte of a request.
  let firstByte: TimeAmount
  /// From the first byte of a request to the end of its head.
  let head: TimeAmount
  /// Without any byte of a request's content.
  let content: TimeAmount
  /// Slowest content, in bytes per second, after a grace, while others wait for what it holds.
  let slowestContent: (rate: Int, grace: TimeAmount)
  /// Between two requests.
  let keepAlive: TimeAmount
  /// Without the client taking any byte that waits for it.
  let stall: TimeAmount
  /// Age of a connection; past it, it is closed after a response.
  let age: TimeAmount
  /// A tunnel in which nothing moves, either way.
  let tunnel: TimeAmount
  /// Reading what a client still sends after its connection was to be closed.
  let linger: TimeAmount

  /// What `limits` say, and where they do not, those of the PoP.
  init(_ limits: FleetConfiguration.Limits, else pop: ShellLimits) {
    firstByte = pop.firstByte
    head = limits.requestHead.map { TimeAmount($0) } ?? pop.head
    content = limits.requestContent.map { TimeAmount($0) } ?? pop.contentStall
    slowestContent = (pop.slowestContent, pop.slowContentGrace)
    keepAlive = limits.keepAlive.map { TimeAmount($0) } ?? pop.keepAlive
    stall = limits.client.map { TimeAmount($0) } ?? pop.clientStall
    age = pop.connectionAge
    tunnel = limits.tunnel.map { TimeAmount($0) } ?? pop.tunnelIdle
    linger = pop.linger
  }
}
