// Whether a PoP is well, for those who balance load and for those who watch.

/// A PoP's answer to `GET /health`.
public struct HealthReport: Codable, Sendable, Hashable {
  /// `ok` when the PoP serves clients and all is well; `degraded` when it serves, and something is wrong that
  /// ``problems`` tells; `draining` when it is about to end.
  public let status: String
  /// The id of the PoP.
  public let pop: String
  /// The version of EdgeCache it runs.
  public let version: String
  /// For how long it has been running.
  public let uptimeSeconds: Int
  /// The number of the last purge it applied; 0 before the first.
  public let sequence: UInt64
  /// How far it knows what was purged in its fleet.
  public let purges: PurgeSyncReport?
  /// What is wrong, a sentence for each; absent if nothing is.
  public let problems: [String]?

  /// A report of these parts.
  public init(
    status: String = "ok", pop: String, version: String = Release.version, uptimeSeconds: Int,
    sequence: UInt64, purges: PurgeSyncReport? = nil, problems: [String] = []
  ) {
    self.problems = problems.isEmpty ? nil : problems
    self.purges = purges
    (self.status, self.pop, self.version) = (status, pop, version)
    (self.uptimeSeconds, self.sequence) = (uptimeSeconds, sequence)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}

/// A PoP's answer to `GET /ready`.
public struct ReadinessReport: Codable, Sendable, Hashable {
  /// Whether clients should be sent to it.
  public let ready: Bool
  /// The id of the PoP.
  public let pop: String
  /// Why not: `starting`, `draining`, `catching-up` or `unsynced`; absent if they should.
  public let reason: String?

  /// A report for a reason, or that there is none.
  public init(pop: String, reason: String?) {
    (self.ready, self.pop, self.reason) = (reason == nil, pop, reason)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}
