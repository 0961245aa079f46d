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
    var ownership = Ownership.own
  }

  /// Whose its addresses are.
  private enum Ownership: Sendable {
    case own
    /// A successor has copies, and may begin to serve or not.
    case offered
    /// They are the successor's.
    case given
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

  /// A successor gets copies of the sockets; false if this PoP does not serve, or is to end.
  func beginOffer() -> Bool {
    state.withLock { state in
      guard state.stage == .serving, !state.isToEnd, state.ownership == .own else { return false }
      state.ownership = .offered
      return true
    }
  }

  /// The addresses are another PoP's.
  func giveAddresses() { state.withLock { $0.ownership = .given } }

  /// The successor does not begin: true if this PoP goes on, and not when it ends anyway.
  func takeBack() -> Bool {
    state.withLock { state in
      guard state.ownership == .offered, state.stage == .serving, !state.isToEnd else {
        return false
      }
      state.ownership = .own
      return true
    }
  }

  /// True while a successor has copies of the sockets: whatever is done to a socket itself would be done to its, too.
  var isOffering: Bool { state.withLock { $0.ownership == .offered } }

  /// False from the moment that a successor may begin to serve: it would not know of them. What was applied before
  /// is older than all that it serves from memory, and is on disk before it has that.
  var takesPurges: Bool { state.withLock { $0.ownership == .own } }

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
