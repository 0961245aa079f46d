import Synchronization

/// How far a PoP is, for whoever asks: it goes forward only.
final class Life: Sendable {
  /// A stage of its life.
  enum Stage: Int, Sendable, Comparable {
    /// It accepts nobody yet.
    case starting
    case serving
    /// It accepts nobody any more.
    case draining

    static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
  }

  private struct State: Sendable {
    var stage = Stage.starting
    var waiting: [CheckedContinuation<Void, Never>] = []
    var isToEnd = false
    var isHurried = false
  }

  private let state = Mutex(State())

  /// How far it is.
  var stage: Stage { state.withLock { $0.stage } }

  /// True once a shutdown has begun.
  var isDraining: Bool { stage == .draining }

  /// It accepts clients.
  func beginServing() { reach(.serving) }

  /// A shutdown begins.
  func beginDraining() { reach(.draining) }

  private func reach(_ stage: Stage) {
    state.withLock { $0.stage = max($0.stage, stage) }
  }

  /// It is to end, because another PoP serves in its place, or it was told to.
  func end() {
    let waiting = state.withLock { state in
      state.isToEnd = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Another PoP is to have the addresses: nobody is to come here any more.
  func hurry() { state.withLock { $0.isHurried = true } }

  /// Waits for so long, while clients still come, or until another PoP is to have the addresses.
  func waitForBalancers(_ delay: Duration) async {
    let end = ContinuousClock.now + delay
    while ContinuousClock.now < end, !state.withLock({ $0.isHurried }) {
      try? await Task.sleep(for: min(.milliseconds(20), end - ContinuousClock.now))
    }
  }

  /// Waits until it is to end.
  func waitForEnd() async {
    await withCheckedContinuation { continuation in
      let isOver = state.withLock { state in
        if !state.isToEnd { state.waiting.append(continuation) }
        return state.isToEnd
      }
      if isOver { continuation.resume() }
    }
  }
}
