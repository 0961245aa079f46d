import Synchronization

/// Whether the PoP is on its way out; read by the admin API, set once at shutdown.
final class Life: Sendable {
  private let draining = Atomic<Bool>(false)

  /// True once a shutdown has begun.
  var isDraining: Bool { draining.load(ordering: .relaxed) }

  /// A shutdown begins.
  func beginDraining() { draining.store(true, ordering: .relaxed) }
}
