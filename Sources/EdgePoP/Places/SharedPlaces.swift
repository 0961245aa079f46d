import EdgeSocket
import Synchronization

// How many clients there may be, all event loops together. Touched when a connection comes and when it goes, never in
// between.

/// Counts the places of clients' connections, for all event loops.
final class SharedPlaces: Sendable {
  /// Connections of clients that there may be.
  let limit: Int
  /// Those of one address, or of one /64 of IPv6; nil if that is not bounded.
  let perAddress: Int?
  /// Files that this process may have open; nil if that is not known.
  let descriptorLimit: Int?
  private let taken = Atomic(0)
  private let isAwaited = Atomic(false)
  private let held = Mutex<[ClientNetwork: Int]>([:])
  private let waiting = Mutex<[@Sendable () -> Void]>([])
  private let told = Mutex<[Shortage: Int64]>([:])
  private let loops = Mutex<[@Sendable () -> Void]>([])

  init(limit: Int = .max, perAddress: Int? = nil, descriptorLimit: Int? = nil) {
    (self.limit, self.perAddress, self.descriptorLimit) = (limit, perAddress, descriptorLimit)
  }

  /// Connections that there are.
  var count: Int { taken.load(ordering: .relaxed) }

  /// True if there is one too many, so that another must be closed.
  var isOver: Bool { count > limit }

  /// A connection has come.
  func enter() { taken.add(1, ordering: .relaxed) }

  /// A connection has gone; who waits for its place is told.
  func leave() {
    let left = taken.subtract(1, ordering: .sequentiallyConsistent).newValue
    if left < limit, isAwaited.load(ordering: .sequentiallyConsistent) { wakeAll() }
  }

  /// Calls `wake` once when there is a place, on any thread.
  func waitForPlace(_ wake: @escaping @Sendable () -> Void) {
    waiting.withLock { $0.append(wake) }
    isAwaited.store(true, ordering: .sequentiallyConsistent)
    // It may have become free in between.
    if taken.load(ordering: .sequentiallyConsistent) < limit { wakeAll() }
  }

  private func wakeAll() {
    isAwaited.store(false, ordering: .sequentiallyConsistent)
    let wakes = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    for wake in wakes { wake() }
  }

  /// Tells all event loops, each in its way, that one of them needs a place.
  func askAll() {
    for ask in loops.withLock({ $0 }) { ask() }
  }

  /// The ways in which event loops are asked for a place.
  func setLoops(_ ways: [@Sendable () -> Void]) { loops.withLock { $0 = ways } }

  // MARK: Of one address

  /// Counts a connection of an address; false, and it is not counted, if that has as many as it may.
  func enter(_ network: ClientNetwork) -> Bool {
    guard let perAddress else { return true }
    return held.withLock { held in
      guard held[network, default: 0] < perAddress else { return false }
      held[network, default: 0] += 1
      return true
    }
  }

  /// A connection that was counted has gone.
  func leave(_ network: ClientNetwork) {
    held.withLock { held in
      if let count = held[network] { held[network] = count > 1 ? count - 1 : nil }
    }
  }

  // MARK: Telling

  /// What there may be too little of.
  enum Shortage: Sendable, Hashable {
    case all, perAddress, descriptors
  }

  /// True if it is time to say that something is short: once a minute, for all loops.
  func mayTell(now: Int64, _ shortage: Shortage) -> Bool {
    told.withLock { told in
      if let last = told[shortage], now - last < 60_000_000_000 { return false }
      told[shortage] = now
      return true
    }
  }
}
