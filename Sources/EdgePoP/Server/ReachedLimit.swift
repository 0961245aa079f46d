import EdgeCache

/// Limits that were reached, as they are counted: those of time and number that no `detail` of `Cache-Status` tells. The
/// raw value is the key in `limits` of `/stats`, and the name in docs/limits.md.
enum ReachedLimit: String, CaseIterable, Sendable {
  // Of a client's connection: ``ClientLimits``.
  case firstByte
  case head
  case contentStall
  case slowestContent
  case keepAlive
  case clientStall
  case tunnelIdle
  case linger
  case requestsPerConnection
  case connectionAge
  case largestRequest
  // Of what a request waits for.
  case disk
  case fence
  case purge
  case collapse
  case overdue
  case slowestReader
  case relayPatience
  case upstreamConnections
  case upstreamTunnels
  case upstreamIdle

  /// What the log has of a request that it struck; nil if it ends none.
  var interruption: Interruption? {
    switch self {
    case .head: .requestHeadTimeout
    case .contentStall: .requestContentTimeout
    case .slowestContent: .slowestContent
    case .largestRequest: .largestRequest
    case .clientStall: .clientTimeout
    case .slowestReader: .slowestReader
    case .relayPatience: .relayPatience
    case .firstByte, .keepAlive, .tunnelIdle, .linger, .requestsPerConnection, .connectionAge,
      .disk, .fence, .purge, .collapse, .overdue, .upstreamConnections,
      .upstreamTunnels, .upstreamIdle:
      nil
    }
  }

  /// True if something took too long.
  var isTimeout: Bool {
    switch self {
    case .firstByte, .head, .contentStall, .slowestContent, .keepAlive, .clientStall, .tunnelIdle,
      .linger, .disk, .fence, .purge, .slowestReader,
      .relayPatience:
      true
    case .requestsPerConnection, .connectionAge, .largestRequest, .collapse, .overdue,
      .upstreamConnections, .upstreamTunnels, .upstreamIdle:
      false
    }
  }
}
