// How many requests have reached this origin, by path: the answer of /api/stats, with which a test
// proves that a cache answered without asking.

import Synchronization

/// Counts of requests by path; shared by all connections of an origin.
final class RequestCounts: Sendable {
  /// The most paths that are told apart; later ones are counted in the total only.
  static let mostPaths = 10_000

  /// The counts at one moment, as `/api/stats` shows them.
  struct Snapshot: Equatable, Sendable, Codable {
    /// All requests except those for `/api/stats` itself.
    var total = 0
    /// Requests by path, without the query.
    var paths: [String: Int] = [:]
  }

  private let counts = Mutex(Snapshot())

  /// Counts one request.
  func record(path: String) {
    counts.withLock { counts in
      counts.total += 1
      if counts.paths[path] != nil || counts.paths.count < Self.mostPaths {
        counts.paths[path, default: 0] += 1
      }
    }
  }

  /// The counts now.
  func snapshot() -> Snapshot {
    counts.withLock { $0 }
  }
}
