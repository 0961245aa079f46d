import EdgeCache

/// What `GET /stats` reports of one upstream.
struct UpstreamStatistics: Codable, Sendable {
  /// The failure that was the last.
  struct LastFailure: Codable, Sendable {
    /// What it was: a `detail` token.
    var detail: String
    /// What the system or the upstream said of it; absent if there is nothing more to say.
    var reason: String?
    var secondsAgo: Int
  }

  /// Its address as it is configured.
  var upstream: String
  /// `up`, or `held-down` while others are asked before it.
  var state: String
  /// For how long that still is; absent if it is up.
  var heldDownSeconds: Int?
  /// Connections that there may be.
  var limit: Int
  /// Those that have a request, are being made or being closed.
  var inUse: Int
  /// Those without a request.
  var idle: Int
  /// Requests that wait for one.
  var waiting: Int
  /// Connections that changed their protocol, beside the others.
  var tunnels: Int
  /// Failures by kind; kinds that never came are absent.
  var failures: [String: UInt64]
  var lastFailure: LastFailure?

  init(_ record: UpstreamRecord, url: String, limit: Int, tunnels: Int, now: Instant) {
    upstream = url
    state = record.heldUntil == nil ? "up" : "held-down"
    heldDownSeconds = record.heldUntil.map {
      Int(max(0, $0.milliseconds(since: now) + 999) / 1000)
    }
    self.limit = limit
    inUse = record.connections - record.idle
    idle = record.idle
    waiting = record.waiting
    self.tunnels = tunnels
    failures = [:]
    for failure in UpstreamFailure.allCases where record.failures[failure] > 0 {
      failures[failure.rawValue] = record.failures[failure]
    }
    lastFailure = record.last.map {
      LastFailure(
        detail: $0.failure.rawValue, reason: $0.reason.isEmpty ? nil : $0.reason,
        secondsAgo: Int(max(0, now.milliseconds(since: $0.at)) / 1000))
    }
  }

  /// Of all upstreams, in the order in which the configuration names them.
  static func all(_ counters: Counters, _ shared: PoPShared) -> [UpstreamStatistics] {
    let now = shared.clock.now
    return counters.upstreams.enumerated().map { index, record in
      let (limit, tunnels) = shared.upstreamPlaces.use(index) { ($0.limit, $0.tunnels) }
      return UpstreamStatistics(
        record, url: "\(shared.routing.upstreams[index].url)", limit: limit, tunnels: tunnels,
        now: now)
    }
  }
}
