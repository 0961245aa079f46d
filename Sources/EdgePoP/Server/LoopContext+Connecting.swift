import EdgeCache
import EdgeSocket
import NIOCore

// How an event loop makes connections to upstreams. What this machine lacks for one (a descriptor, a port, memory) is
// no fault of an upstream, and there again in a moment as a rule, for connections end all the time: so whoever needs it
// waits a little. Its place in the pool is taken meanwhile, which keeps others in order behind it.

extension LoopContext {
  /// After how many nanoseconds it is tried again what this machine lacked something for.
  private static let lackRetry: Int64 = 50_000_000
  /// For how many milliseconds nothing more is said about that.
  private static let lackPause: Int64 = 10_000

  /// Makes a connection to an upstream for an exchange, whose place in the pool is taken already.
  func connect(_ index: Int, for exchange: Exchange, attempt: Int) {
    // Whoever waits for longer than half of that could not tell a slow upstream from what is lacking here.
    let patience = min(limits.lack, .nanoseconds(exchange.limits.connect.nanoseconds / 2))
    connect(index, for: exchange, attempt: attempt, lackingUntil: .now() + patience)
  }

  private func connect(
    _ index: Int, for exchange: Exchange, attempt: Int, lackingUntil: NIODeadline
  ) {
    var isAtOnce = true
    shared.connector.connect(index, within: exchange.limits.connect, loop: self) { [self] result in
      switch result {
      case .success(let connection):
        health.succeeded(index)
        counters.upstreamConnections += 1
        exchange.connected(connection, attempt: attempt)
      case .failure(let problem) where isAtOnce:
        // The next in the queue may fail at once too, and the one behind it.
        let failed = Confined((self, exchange), to: reactor)
        reactor.mailbox.execute {
          failed.value.0.connectFailed(
            index, problem, for: failed.value.1, attempt: attempt, lackingUntil: lackingUntil)
        }
      case .failure(let problem):
        connectFailed(
          index, problem, for: exchange, attempt: attempt, lackingUntil: lackingUntil)
      }
    }
    isAtOnce = false
  }

  private func connectFailed(
    _ index: Int, _ problem: ConnectProblem, for exchange: Exchange, attempt: Int,
    lackingUntil: NIODeadline
  ) {
    let failure = UpstreamFailure(problem)
    if failure.isLack, .now() + .nanoseconds(Self.lackRetry) <= lackingUntil {
      noteLack(index, problem)
      _ = reactor.schedule(after: Self.lackRetry) { [self] in
        connect(index, for: exchange, attempt: attempt, lackingUntil: lackingUntil)
      }
      return
    }
    connectFailed(index, problem)
    perform(withPool(index) { $0.lost(&$1) }, upstream: index)
    exchange.connectFailed(failure, attempt: attempt)
  }

  /// An upstream could not be connected to: others are asked before it for a while, unless the reason is here.
  func connectFailed(_ index: Int, _ problem: ConnectProblem) {
    upstreams[index].note(UpstreamFailure(problem), reason: "\(problem)", at: now)
    if problem.isLocal { return noteLack(index, problem) }
    guard health.failed(index, now: now), shared.leftOut.add(index) else { return }
    shared.logger.warning(
      "cannot connect to upstream",
      metadata: [
        "upstream": "\(shared.routing.upstreams[index].url)", "reason": "\(problem)",
      ])
  }

  /// Makes room, and says that this machine lacks what a connection takes, now and then while it does.
  private func noteLack(_ index: Int, _ problem: ConnectProblem) {
    // Who only keeps a connection has one that a request needs.
    if UpstreamFailure(problem) == .outOfDescriptors { makeRoom() }
    guard lackToldUntil <= now else { return }
    lackToldUntil = now.adding(milliseconds: Self.lackPause)
    shared.logger.warning(
      "no connections to upstreams: a limit of this machine is reached",
      metadata: [
        "upstream": "\(shared.routing.upstreams[index].url)", "reason": "\(problem)",
        "detail": "\(UpstreamFailure(problem).rawValue)",
      ])
  }
}

extension UpstreamFailure {
  /// True if this machine lacks something that connections give back when they end.
  fileprivate var isLack: Bool {
    switch self {
    case .outOfDescriptors, .outOfPorts, .outOfMemory: true
    default: false
    }
  }
}
