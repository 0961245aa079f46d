// What can go wrong between a command to Redis and its reply.

/// Why a command has no reply that is of use.
public enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The connection could not be made, or ended.
  case unreachable(reason: String)
  /// There was no reply in time.
  case timeout
  /// Redis refused the command, in its own words.
  case refused(String)
  /// What came is no reply to the command.
  case unexpected

  /// What happened, in a few words.
  public var description: String {
    switch self {
    case .unreachable(let reason): "Redis cannot be reached: \(reason)"
    case .timeout: "Redis does not answer"
    case .refused(let text): "Redis says: \(text)"
    case .unexpected: "Redis answers something else than was asked"
    }
  }
}
