import EdgeFleet
import NIOCore

/// How long an upstream is waited for: the times of a site, and where it does not say, those of the PoP.
struct UpstreamTimeouts: Sendable {
  /// From a request to the head of its response, which begins anew with each piece of content and each interim
  /// response.
  let firstByte: TimeAmount
  /// Without any byte of a response.
  let betweenBytes: TimeAmount
  /// The same for a stream of server-sent events that is passed through: it is quiet while nothing happens, and
  /// only the client knows for how long that is worth waiting for.
  let eventStream: TimeAmount

  /// The times of `site`.
  init(_ site: FleetConfiguration.Site.Timeouts, limits: ShellLimits) {
    firstByte = site.firstByte.map { TimeAmount($0) } ?? limits.upstreamFirstByte
    betweenBytes = site.betweenBytes.map { TimeAmount($0) } ?? limits.betweenBytes
    eventStream = site.eventStream.map { TimeAmount($0) } ?? limits.eventStream
  }
}
