import EdgeCache

/// What one event loop counts. Only its loop writes; sums are made when somebody asks.
struct Counters: Sendable {
  var connections: UInt64 = 0
  var openConnections = 0
  var requests: UInt64 = 0
  var hits: UInt64 = 0
  var collapsed: UInt64 = 0
  var stored: UInt64 = 0
  var malformed: UInt64 = 0
  var timeouts: UInt64 = 0
  var bytesSent: UInt64 = 0
  var bytesReceived: UInt64 = 0
  var bytesFromUpstream: UInt64 = 0
  var upstreamRequests: UInt64 = 0
  var upstreamConnections: UInt64 = 0
  var retries: UInt64 = 0
  var tunnels: UInt64 = 0
  var statuses: [UInt64] = Array(repeating: 0, count: 6)
  var forwards: [ForwardReason: UInt64] = [:]
  var refusals: [StorageRefusal: UInt64] = [:]
  var failures: [UpstreamFailure: UInt64] = [:]

  /// Counts a response that was answered.
  mutating func count(_ status: CacheStatus, statusCode: Int) {
    requests += 1
    statuses[min(5, max(0, statusCode / 100))] += 1
    if status.isHit { hits += 1 }
    if status.isCollapsed { collapsed += 1 }
    if let forward = status.forward { forwards[forward, default: 0] += 1 }
    switch status.detail {
    case .refused(let refusal): refusals[refusal, default: 0] += 1
    case .failed(let failure): failures[failure, default: 0] += 1
    case .onlyIfCached, .unknownHost, .loop, .staleWhileRevalidate, nil: break
    }
  }

  /// Counts a response that was on its way into the store.
  mutating func count(stored refusal: StorageRefusal?) {
    if let refusal {
      refusals[refusal, default: 0] += 1
    } else {
      stored += 1
    }
  }

  /// Adds the counts of another loop.
  mutating func add(_ other: Counters) {
    connections += other.connections
    openConnections += other.openConnections
    requests += other.requests
    hits += other.hits
    collapsed += other.collapsed
    stored += other.stored
    malformed += other.malformed
    timeouts += other.timeouts
    bytesSent += other.bytesSent
    bytesReceived += other.bytesReceived
    bytesFromUpstream += other.bytesFromUpstream
    upstreamRequests += other.upstreamRequests
    upstreamConnections += other.upstreamConnections
    retries += other.retries
    tunnels += other.tunnels
    for index in statuses.indices { statuses[index] += other.statuses[index] }
    forwards.merge(other.forwards, uniquingKeysWith: +)
    refusals.merge(other.refusals, uniquingKeysWith: +)
    failures.merge(other.failures, uniquingKeysWith: +)
  }
}
