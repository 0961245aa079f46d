// Where those who purge and those who read meet. A purge notes which version it makes the oldest that
// may be served; a reader notes, when it sends a request, which version that is, and afterwards what
// came.
//
// Invariant: `required` goes up only after every PoP has acknowledged the purge. So a response to a
// request that was sent with that requirement and has an older version breaks the promise of a purge.

import Histogram
import Synchronization

/// What is known of one read when its request is sent.
struct VersionedRead: Equatable, Sendable {
  /// Which resource is read.
  var resource: Int
  /// The oldest version that may be served.
  var required: Int
}

/// What a purge test has found.
struct PurgeSummary: Codable, Equatable, Sendable {
  /// Purges that every PoP acknowledged.
  var acknowledged: Int
  /// Purges that were not acknowledged everywhere, or whose resource could not be changed.
  var failed: Int
  /// From sending a purge to the last acknowledgement.
  var acknowledgementMicroseconds: LatencySummary?
  /// Reads of resources that are purged.
  var reads: Int
  /// Reads of an older version that began before the acknowledgement, which is no mistake.
  var staleBeforeAcknowledgement: Int
  /// Reads of an older version that began after it: there must be none.
  var staleAfterAcknowledgement: Int
  /// From sending a purge to the end of the last response with an older version, for the purges that
  /// had such responses.
  var lastStaleMicroseconds: LatencySummary?
  /// The longest time from an acknowledgement to the end of such a response: those that were already
  /// on their way.
  var longestAfterAcknowledgementMicroseconds: Double
}

/// The board; shared by all threads of a run.
final class PurgeBoard: Sendable {
  fileprivate struct Resource {
    /// The newest version that there is.
    var newest = 1
    /// The oldest version that may be served.
    var required = 1
    /// When the purge of the versions before `newest` was sent.
    var purgeTime = Int64(0)
    /// When the last PoP acknowledged it; nil until then.
    var acknowledged: Int64?
    /// When the last response with an older version ended.
    var lastStale: Int64?
    var isBusy = false
  }

  fileprivate struct State {
    var resources: [Resource]
    var acknowledged = 0
    var failed = 0
    var reads = 0
    var staleBefore = 0
    var staleAfter = 0
    var longestAfter = Int64(0)
    var acknowledgement = PurgeBoard.histogram()
    var lastStale = PurgeBoard.histogram()
  }

  private let state: Mutex<State>

  /// A board for so many resources.
  init(resources: Int) {
    state = Mutex(State(resources: Array(repeating: Resource(), count: resources)))
  }

  fileprivate static func histogram() -> Histogram<UInt32> {
    Histogram(
      highestTrackableValue: LoadTally.longestLatency, numberOfSignificantValueDigits: .three)
  }

  // MARK: For those who read

  /// What must hold for a read that begins now.
  func read(_ resource: Int) -> VersionedRead {
    state.withLock { VersionedRead(resource: resource, required: $0.resources[resource].required) }
  }

  /// Takes in the version that a read has got.
  func record(_ read: VersionedRead, version: Int, now: Int64) {
    state.withLock { state in
      state.reads += 1
      guard version < state.resources[read.resource].newest else { return }
      if version < read.required {
        state.staleAfter += 1
      } else {
        state.staleBefore += 1
      }
      if version == state.resources[read.resource].newest - 1 {
        state.resources[read.resource].lastStale = now
      }
    }
  }

  // MARK: For those who purge

  /// Reserves a resource for a purge; false if the last one is still under way.
  func begin(_ resource: Int) -> Bool {
    state.withLock { state in
      guard !state.resources[resource].isBusy else { return false }
      state.close(resource)
      state.resources[resource].isBusy = true
      return true
    }
  }

  /// The origin has a new version, and the purge of the older ones is sent.
  func sent(_ resource: Int, newest: Int, now: Int64) {
    state.withLock { state in
      state.resources[resource].newest = newest
      state.resources[resource].purgeTime = now
      state.resources[resource].acknowledged = nil
      state.resources[resource].lastStale = nil
    }
  }

  /// Every PoP has acknowledged.
  func acknowledged(_ resource: Int, now: Int64) {
    state.withLock { state in
      state.acknowledged += 1
      state.resources[resource].required = state.resources[resource].newest
      state.resources[resource].acknowledged = now
      state.resources[resource].isBusy = false
      state.acknowledgement.record(UInt64(max(0, now - state.resources[resource].purgeTime)))
    }
  }

  /// It did not work everywhere: nothing is promised.
  func failed(_ resource: Int) {
    state.withLock { state in
      state.failed += 1
      state.resources[resource].isBusy = false
    }
  }

  /// What was found.
  func summary() -> PurgeSummary {
    state.withLock { state in
      for resource in state.resources.indices { state.close(resource) }
      return PurgeSummary(
        acknowledged: state.acknowledged, failed: state.failed,
        acknowledgementMicroseconds: LatencySummary(state.acknowledgement), reads: state.reads,
        staleBeforeAcknowledgement: state.staleBefore,
        staleAfterAcknowledgement: state.staleAfter,
        lastStaleMicroseconds: LatencySummary(state.lastStale),
        longestAfterAcknowledgementMicroseconds: Double(state.longestAfter / 10) / 100)
    }
  }
}

extension PurgeBoard.State {
  /// Takes in what is known of the last purge of a resource, once.
  fileprivate mutating func close(_ index: Int) {
    guard let stale = resources[index].lastStale else { return }
    lastStale.record(UInt64(max(0, stale - resources[index].purgeTime)))
    if let acknowledged = resources[index].acknowledged {
      longestAfter = max(longestAfter, stale - acknowledged)
    }
    resources[index].lastStale = nil
  }
}
