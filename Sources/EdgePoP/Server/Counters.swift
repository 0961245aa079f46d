import EdgeCache

/// What one event loop counts. Only its loop writes; sums are made when somebody asks.
struct Counters: Sendable {
  var connections: UInt64 = 0
  var openConnections = 0
  var closedIdle: UInt64 = 0
  var closedInHead: UInt64 = 0
  var refusedConnections: UInt64 = 0
  var acceptPauses: UInt64 = 0
  var requests: UInt64 = 0
  var hits: UInt64 = 0
  var collapsed: UInt64 = 0
  var stored: UInt64 = 0
  var malformed: UInt64 = 0
  var limits = CaseCounts<ReachedLimit>()
  var bytesSent: UInt64 = 0
  var bytesReceived: UInt64 = 0
  var bytesFromUpstream: UInt64 = 0
  var upstreamRequests: UInt64 = 0
  var upstreamConnections: UInt64 = 0
  var retries: UInt64 = 0
  var tunnels: UInt64 = 0
  var statuses: [UInt64] = Array(repeating: 0, count: 6)
  var forwards = CaseCounts<ForwardReason>()
  var refusals = CaseCounts<StorageRefusal>()
  var failures = CaseCounts<UpstreamFailure>()
  /// What is known of each upstream, as of the moment when somebody asked.
  var upstreams: [UpstreamRecord] = []

  /// Counts a limit that was reached.
  mutating func count(_ limit: ReachedLimit) { limits.count(limit) }

  /// How often something took too long.
  var timeouts: UInt64 {
    ReachedLimit.allCases.reduce(0) { $1.isTimeout ? $0 + limits[$1] : $0 }
  }

  /// Counts a response that was answered.
  mutating func count(_ status: CacheStatus, statusCode: Int) {
    requests += 1
    statuses[min(5, max(0, statusCode / 100))] += 1
    if status.isHit { hits += 1 }
    if status.isCollapsed { collapsed += 1 }
    if let forward = status.forward { forwards.count(forward) }
    switch status.detail {
    case .refused(let refusal): refusals.count(refusal)
    case .failed(let failure): failures.count(failure)
    case .onlyIfCached, .unknownHost, .loop, .staleWhileRevalidate, .unsynced, .distrusted,
      .interrupted, nil:
      break
    }
  }

  /// Counts a response that was on its way into the store.
  mutating func count(stored refusal: StorageRefusal?) {
    if let refusal {
      refusals.count(refusal)
    } else {
      stored += 1
    }
  }

  /// Adds the counts of another loop.
  mutating func add(_ other: Counters) {
    connections += other.connections
    openConnections += other.openConnections
    closedIdle += other.closedIdle
    closedInHead += other.closedInHead
    refusedConnections += other.refusedConnections
    acceptPauses += other.acceptPauses
    requests += other.requests
    hits += other.hits
    collapsed += other.collapsed
    stored += other.stored
    malformed += other.malformed
    limits.add(other.limits)
    bytesSent += other.bytesSent
    bytesReceived += other.bytesReceived
    bytesFromUpstream += other.bytesFromUpstream
    upstreamRequests += other.upstreamRequests
    upstreamConnections += other.upstreamConnections
    retries += other.retries
    tunnels += other.tunnels
    for index in statuses.indices { statuses[index] += other.statuses[index] }
    forwards.add(other.forwards)
    refusals.add(other.refusals)
    failures.add(other.failures)
    if upstreams.isEmpty {
      upstreams = other.upstreams
    } else {
      for index in other.upstreams.indices { upstreams[index].add(other.upstreams[index]) }
    }
  }
}
