import EdgeSocket

/// Makes connections to upstreams: the network, as the event loops see it.
protocol UpstreamConnector: Sendable {
  /// Connects to an upstream on the loop of `loop`, which hears of the end later or at once: the
  /// connection, or why there is none. Within ``ShellLimits/connect``.
  func connect(
    _ index: Int, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void)
}
