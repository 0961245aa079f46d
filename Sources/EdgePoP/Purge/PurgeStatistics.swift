/// What `/stats` says of purges.
struct PurgeStatistics: Codable, Sendable {
  /// The number of the newest purge here.
  var sequence: UInt64
  /// Purges that were applied, by scope.
  var applied: [String: UInt64]
  /// Purges that had been applied before when they came.
  var repeated: UInt64
  /// Purges that other PoPs told of.
  var caughtUp: UInt64
  /// Scopes that are remembered for the sake of what is stored.
  var remembered: Int
  /// Purges that are known by name.
  var journal: Int
  /// `synced`, `catching-up` or `unsynced`.
  var state: String
  /// Requests to the admin API without a token that is known, or with PURGE without leave.
  var unauthorized: UInt64
  /// Purges that were refused because too many came.
  var rateLimited: UInt64
  /// Purges that were not carried out, by the status of the answer.
  var refused: [String: UInt64]
}
