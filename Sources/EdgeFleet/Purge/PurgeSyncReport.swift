// What `GET /health` says of purges: a PoP that does not know them all may serve what should be gone.

/// How far a PoP knows what was purged in its fleet.
public struct PurgeSyncReport: Codable, Sendable, Hashable {
  /// `synced`, `catching-up` after a start, or `unsynced` if it gave up waiting for others.
  public var state: String
  /// The name of the newest purge of the fleet that it has applied.
  public var newest: String?
  /// When it applied that, in milliseconds since 1970.
  public var appliedAt: Int64?
  /// Number of purges of the last 7 days that it knows.
  public var known: Int
  /// The PoPs that could not be asked the last time.
  public var unreachable: [String]?

  /// A report of these parts.
  public init(
    state: String, newest: String? = nil, appliedAt: Int64? = nil, known: Int,
    unreachable: [String]? = nil
  ) {
    (self.state, self.newest, self.appliedAt) = (state, newest, appliedAt)
    (self.known, self.unreachable) = (known, unreachable)
  }
}
