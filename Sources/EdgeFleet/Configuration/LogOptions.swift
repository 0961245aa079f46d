extension FleetConfiguration {
  /// Where the access log of a PoP goes and what it is like. What is nil is left to the fleet, and what the fleet does
  /// not say to the program.
  public struct AccessLog: Sendable, Hashable {
    /// A file to append to, `-` for standard output, or `off`.
    public var path: String?
    /// What a line is like.
    public var format: AccessLogFormat?
    /// The share of requests that have a line, from 0 to 1. Errors and refusals always have one.
    public var sample: Double?

    /// A log of parts.
    public init(path: String? = nil, format: AccessLogFormat? = nil, sample: Double? = nil) {
      (self.path, self.format, self.sample) = (path, format, sample)
    }

    /// With what another says where this one says nothing.
    public func filled(from other: AccessLog) -> AccessLog {
      AccessLog(
        path: path ?? other.path, format: format ?? other.format, sample: sample ?? other.sample)
    }
  }

  /// What a line of the access log is like.
  public enum AccessLogFormat: String, Sendable, Hashable, CaseIterable {
    /// The combined log format, with two columns more.
    case combined
    /// The same with host and port before it.
    case vhostCombined = "vhost-combined"
    /// An object of JSON.
    case json
  }

  /// What a line of the log of events is like.
  public enum LogFormat: String, Sendable, Hashable, CaseIterable {
    case text, json
  }

  /// The shares of requests that can have lines in the access log.
  public static let samples = 0.0...1.0
}
