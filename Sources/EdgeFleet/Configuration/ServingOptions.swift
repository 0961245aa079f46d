// How many clients a PoP has, and how it begins and ends: for all PoPs of a fleet, or for one.

extension FleetConfiguration {
  /// Bounds of a PoP as a whole; nil leaves one to who is asked next.
  public struct Serving: Sendable, Hashable {
    /// Connections of clients, all together.
    public var clientConnections: Int?
    /// Connections of one client: of an address, or a /64 of IPv6.
    public var connectionsPerAddress: Int?
    /// The time in which a PoP ends.
    public var drainTimeout: Duration?
    /// For how long a PoP that is told to end still accepts clients, while it says that it is not ready.
    public var drainDelay: Duration?
    /// Whether a PoP says that it is ready while it does not know what was purged.
    public var readyWhenUnsynced: Bool?

    /// Nothing is said.
    public init() {}

    /// The keys of these in the configuration.
    static let keys = [
      "clientConnections", "connectionsPerAddress", "drainTimeout", "drainDelay",
      "readyWhenUnsynced",
    ]

    /// More is no number of connections.
    public static let mostConnections = 10_000_000
    /// The longest time in which a PoP may end.
    public static let longestDrain = Duration.seconds(86_400)

    /// What the fields of an object say.
    init(_ fields: [String: ConfigurationNode], _ reader: inout ConfigurationReader) {
      clientConnections = reader.integer(
        fields["clientConnections"], in: 1...Self.mostConnections)
      connectionsPerAddress = reader.integer(
        fields["connectionsPerAddress"], in: 1...Self.mostConnections)
      drainTimeout = reader.value(fields["drainTimeout"]) { text throws(ValueProblem) in
        try Self.drainTimeout(text)
      }
      drainDelay = reader.value(fields["drainDelay"]) { text throws(ValueProblem) in
        try Self.drainDelay(text)
      }
      readyWhenUnsynced = reader.truth(fields["readyWhenUnsynced"])
    }

    /// Reads the time in which a PoP ends. Throws ``ValueProblem``.
    public static func drainTimeout(_ text: String) throws(ValueProblem) -> Duration {
      let time = try DurationText.parse(text)
      guard time > .zero, time <= longestDrain else {
        throw ValueProblem(text, "must be from 1ms to 24h")
      }
      return time
    }

    /// Reads for how long a PoP that is told to end still accepts clients. Throws ``ValueProblem``.
    public static func drainDelay(_ text: String) throws(ValueProblem) -> Duration {
      let time = try DurationText.parse(text)
      guard time <= longestDrain else { throw ValueProblem(text, "must be from 0s to 24h") }
      return time
    }
  }

  /// The bounds of a PoP: its own, or else those of the fleet.
  public func serving(of pop: PoP) -> Serving {
    var serving = pop.serving
    serving.clientConnections = serving.clientConnections ?? self.serving.clientConnections
    serving.connectionsPerAddress =
      serving.connectionsPerAddress ?? self.serving.connectionsPerAddress
    serving.drainTimeout = serving.drainTimeout ?? self.serving.drainTimeout
    serving.drainDelay = serving.drainDelay ?? self.serving.drainDelay
    serving.readyWhenUnsynced = serving.readyWhenUnsynced ?? self.serving.readyWhenUnsynced
    return serving
  }
}
