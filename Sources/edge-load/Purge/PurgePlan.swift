// A purge test: what is purged, how often, and where the purges and changes go.

import EdgeFleet

/// Purges while a run reads.
struct PurgePlan: Equatable, Sendable {
  /// Purges per second.
  var rate: Double
  /// The PoPs that are purged: those behind the run's targets.
  var admins: [PurgeFanOut.Target]
  /// The token for them.
  var token: AdminToken?
  /// The origin, which is told to change before each purge.
  var origin: LoadTarget
  /// How many resources are read and purged in turn.
  var resources = 16

  /// The share of requests that read them beside another workload.
  static let readShare = 0.2

  /// Checks all bounds.
  func validate() throws(LoadPlanError) {
    guard LoadPlan.lowestRate...1000 ~= rate else {
      throw .value(
        option: "--purge-rate", need: "from \(LoadPlan.lowestRate) to 1000 per second")
    }
    guard !admins.isEmpty else {
      throw .value(option: "--purge-rate", need: "used with --pops or --admin")
    }
    guard 1...10_000 ~= resources else {
      throw .value(option: "--purge-urls", need: "between 1 and 10000")
    }
  }
}
