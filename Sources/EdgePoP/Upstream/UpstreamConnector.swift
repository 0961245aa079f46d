import EdgeNames
import EdgeSocket
import NIOCore

/// Makes connections to upstreams: the network, as the event loops see it.
protocol UpstreamConnector: Sendable {
  /// Connects to an upstream on the loop of `loop`, which hears of the end later or at once: the
  /// connection, or why there is none. The exchange that asked waits for no longer than `limit`; its
  /// place in the pool stays taken until the end.
  func connect(
    _ index: Int, within limit: TimeAmount, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void)

  /// What was counted of the names of upstreams.
  var names: NameStatistics { get }

  /// What names of upstreams could not be looked up the last time, in sentences.
  var nameProblems: [String] { get }
}

extension UpstreamConnector {
  var names: NameStatistics { NameStatistics() }
  var nameProblems: [String] { [] }
}
