import EdgeCache

/// What one event loop knows of one upstream; added up for all of them it is what the operator is shown.
struct UpstreamRecord: Sendable {
  /// A failure, and when it was.
  struct Last: Sendable {
    let failure: UpstreamFailure
    /// What the system or the upstream said of it; empty if there is nothing more to say.
    let reason: String
    let at: Instant
  }

  /// Failures by kind: each attempt to connect, each response that did not come or not whole, and each request that
  /// waited for a place in vain.
  var failures = CaseCounts<UpstreamFailure>()
  /// The newest of them.
  private(set) var last: Last?
  // What is so when somebody asks.
  /// Connections that there are.
  var connections = 0
  /// Of those, how many are idle.
  var idle = 0
  /// Requests that wait for one.
  var waiting = 0
  /// Until when others are asked before it; nil if it is as good as any.
  var heldUntil: Instant?

  /// A failure.
  mutating func note(_ failure: UpstreamFailure, reason: String = "", at now: Instant) {
    failures.count(failure)
    last = Last(failure: failure, reason: reason, at: now)
  }

  /// Adds what another loop knows.
  mutating func add(_ other: UpstreamRecord) {
    failures.add(other.failures)
    connections += other.connections
    idle += other.idle
    waiting += other.waiting
    if let theirs = other.last, last.map({ $0.at < theirs.at }) ?? true { last = theirs }
    if let theirs = other.heldUntil { heldUntil = max(heldUntil ?? theirs, theirs) }
  }
}
