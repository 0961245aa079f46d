// Limits that the configuration may set: for the whole fleet, for a site, and for a route. What the route does not
// say the site does, then the fleet, and last the PoP has a default for everything (docs/limits.md).

extension FleetConfiguration {
  /// Limits of time, number and size; nil leaves one to whoever says more generally.
  public struct Limits: Sendable, Hashable {
    /// From the first byte of a request to the end of its head.
    public var requestHead: Duration?
    /// Without any byte of a request's content.
    public var requestContent: Duration?
    /// Between two requests of a client's connection.
    public var keepAlive: Duration?
    /// Without the client taking any byte that waits for it.
    public var client: Duration?
    /// From wanting a connection to an upstream to having it, the look-up of its name included.
    public var connect: Duration?
    /// For a place among the connections to an upstream.
    public var queue: Duration?
    /// From the request to the head of its response.
    public var firstByte: Duration?
    /// Without any byte of a response.
    public var betweenBytes: Duration?
    /// From the request to the end of its response.
    public var response: Duration?
    /// Without any byte of server-sent events that are passed through.
    public var eventStream: Duration?
    /// Without any byte, either way, of a connection that changed its protocol.
    public var tunnel: Duration?
    /// For a response that others asked for, while nothing says that it may be shared.
    public var collapse: Duration?
    /// An idle connection to an upstream.
    public var upstreamKeepAlive: Duration?
    /// Connections to one upstream.
    public var upstreamConnections: Int?
    /// Connections to one upstream that changed their protocol.
    public var upstreamTunnels: Int?
    /// Requests that wait for a connection to one upstream, on each event loop.
    public var upstreamQueue: Int?
    /// The largest content of a request.
    public var largestRequest: ByteSize?
    /// Whether a client that has ended its side of the connection still gets what is passed through for it.
    public var servesHalfClosed: Bool?

    /// Nothing is said.
    public init() {}
  }
}

extension FleetConfiguration.Limits {
  private typealias Limits = FleetConfiguration.Limits

  /// The times for which something can be waited for: time is looked at once a second.
  static let times = Duration.seconds(1)...Duration.seconds(24 * 3600)
  /// The times that a whole response may take.
  static let responseTimes = Duration.seconds(1)...Duration.seconds(30 * 24 * 3600)
  /// The connections to one upstream that can be asked for.
  static let connections = 1...65_536
  /// The connections to one upstream that may change their protocol.
  static let tunnels = 0...1_000_000
  /// The requests that can be let wait for one upstream.
  static let queues = 0...1_000_000

  /// Limits of time by their key, as far as a route can have them.
  private static var timesOfRoutes: [(key: String, path: WritableKeyPath<Limits, Duration?>)] {
    [
      ("requestContentTimeout", \.requestContent), ("clientTimeout", \.client),
      ("connectTimeout", \.connect), ("queueTimeout", \.queue), ("firstByteTimeout", \.firstByte),
      ("betweenBytesTimeout", \.betweenBytes), ("eventStreamTimeout", \.eventStream),
      ("tunnelTimeout", \.tunnel), ("collapseTimeout", \.collapse),
    ]
  }

  /// Those that hold between the requests of a connection, when no route is known.
  private static var timesOfSites: [(key: String, path: WritableKeyPath<Limits, Duration?>)] {
    [
      ("requestHeadTimeout", \.requestHead), ("keepAliveTimeout", \.keepAlive),
      ("upstreamKeepAliveTimeout", \.upstreamKeepAlive),
    ]
  }

  /// The keys that a route may have.
  public static let routeKeys =
    timesOfRoutes.map(\.key) + ["responseTimeout", "largestRequest", "serveHalfClosed"]

  /// The keys that a site and a fleet may have.
  public static let keys =
    routeKeys + timesOfSites.map(\.key) + [
      "upstreamConnections", "upstreamTunnels", "upstreamQueue",
    ]

  /// Reads limits out of the members of a fleet, a site or a route, and notes what is wrong with them.
  init(_ fields: [String: ConfigurationNode], _ reader: inout ConfigurationReader) {
    self.init()
    for (key, path) in Self.timesOfRoutes + Self.timesOfSites {
      self[keyPath: path] = Self.time(fields[key], Self.times, &reader)
    }
    response = Self.time(fields["responseTimeout"], Self.responseTimes, &reader)
    upstreamConnections = reader.integer(fields["upstreamConnections"], in: Self.connections)
    upstreamTunnels = reader.integer(fields["upstreamTunnels"], in: Self.tunnels)
    upstreamQueue = reader.integer(fields["upstreamQueue"], in: Self.queues)
    largestRequest = reader.value(fields["largestRequest"]) { text throws(ValueProblem) in
      try ByteSize(parsing: text)
    }
    servesHalfClosed = reader.truth(fields["serveHalfClosed"])
  }

  private static func time(
    _ node: ConfigurationNode?, _ known: ClosedRange<Duration>, _ reader: inout ConfigurationReader
  ) -> Duration? {
    reader.value(node) { text throws(ValueProblem) in
      let time = try DurationText.parse(text)
      guard known.contains(time) else {
        throw ValueProblem(
          text,
          "is not from \(DurationText.print(known.lowerBound)) to \(DurationText.print(known.upperBound))"
        )
      }
      return time
    }
  }

  /// The value of a key as the configuration writes it; nil if it is not said.
  public func text(_ key: String) -> String? {
    if let known = (Self.timesOfRoutes + Self.timesOfSites).first(where: { $0.key == key }) {
      return self[keyPath: known.path].map(DurationText.print)
    }
    return switch key {
    case "responseTimeout": response.map(DurationText.print)
    case "upstreamConnections": upstreamConnections.map(String.init)
    case "upstreamTunnels": upstreamTunnels.map(String.init)
    case "upstreamQueue": upstreamQueue.map(String.init)
    case "largestRequest": largestRequest?.description
    case "serveHalfClosed": servesHalfClosed.map { "\($0)" }
    default: nil
    }
  }

  /// These limits, and where they say nothing those of `general`.
  public func within(_ general: Self) -> Self {
    var limits = self
    for (_, path) in Self.timesOfRoutes + Self.timesOfSites where limits[keyPath: path] == nil {
      limits[keyPath: path] = general[keyPath: path]
    }
    limits.response = response ?? general.response
    limits.upstreamConnections = upstreamConnections ?? general.upstreamConnections
    limits.upstreamTunnels = upstreamTunnels ?? general.upstreamTunnels
    limits.upstreamQueue = upstreamQueue ?? general.upstreamQueue
    limits.largestRequest = largestRequest ?? general.largestRequest
    limits.servesHalfClosed = servesHalfClosed ?? general.servesHalfClosed
    return limits
  }
}
