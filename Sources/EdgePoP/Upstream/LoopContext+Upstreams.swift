import EdgeCache
import Logging

// What an event loop learns of upstreams, and whom it tells.

extension UpstreamFailure {
  /// True if it is told in the log, by whom it was met; other failures are told where they arise, with more to say.
  var isTold: Bool {
    switch self {
    case .firstByteTimeout, .stalled, .queueFull, .queueTimeout, .responseTimeout, .truncated:
      true
    case .connect, .connectTimeout, .dnsTimeout, .dnsError, .outOfDescriptors, .outOfPorts,
      .outOfMemory, .closed, .malformed, .serverError, .contentChanged:
      false
    }
  }
}

extension LoopContext {
  /// An upstream failed a request: that is counted, told, and learned from.
  func upstreamFailed(_ upstream: Int, _ failure: UpstreamFailure, for exchange: Exchange?) {
    upstreams[upstream].note(failure, at: now)
    guard let exchange else { return }
    if failure.isTold {
      // Lines that are alike are counted by the log.
      shared.logger.warning(
        "upstream failed",
        metadata: [
          "upstream": "\(shared.routing.upstreams[upstream].url)",
          "site": "\(shared.routing.siteName(exchange.route))", "detail": "\(failure.rawValue)",
        ])
    }
    guard case .firstByteTimeout = failure else { return }
    let group = shared.routing.groups[exchange.wait.search.group]
    if health.timedOut(upstream, in: group, now: now) {
      tellLeftOut(upstream, "it has not answered several requests in a row in time")
    }
  }

  /// An upstream is left out from now on: that is told once for all loops.
  func tellLeftOut(_ upstream: Int, _ reason: String) {
    guard shared.leftOut.add(upstream) else { return }
    shared.logger.warning(
      "an upstream is left out for a while",
      metadata: [
        "upstream": "\(shared.routing.upstreams[upstream].url)", "reason": "\(reason)",
      ])
  }

  /// An upstream has answered a request: that is told where it was told that it is left out. That it can
  /// be connected to says too little.
  func upstreamAnswers(_ upstream: Int) {
    health.answered(upstream)
    guard shared.leftOut.remove(upstream) else { return }
    shared.logger.notice(
      "an upstream answers again",
      metadata: ["upstream": "\(shared.routing.upstreams[upstream].url)"])
  }

  /// What has been counted, with what is so at this moment.
  var counted: Counters {
    var counted = counters
    counted.upstreams = upstreams
    for index in pools.indices {
      counted.upstreams[index].connections = pools[index].total
      counted.upstreams[index].idle = pools[index].idleCount + pools[index].keptCount
      counted.upstreams[index].waiting = pools[index].waitingCount
      counted.upstreams[index].heldUntil = health.heldUntil(index, now: now)
    }
    return counted
  }
}
