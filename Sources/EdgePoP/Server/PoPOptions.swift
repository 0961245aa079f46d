import EdgeCache
import EdgeFleet
import Logging

/// What a PoP is started with.
public struct PoPOptions: Sendable {
  /// The configuration of the fleet.
  public var configuration: FleetConfiguration
  /// The PoP of the fleet that this one is.
  public var pop: FleetConfiguration.PoP
  /// The tokens of which admin requests must carry one.
  public var access: AdminAccess?
  /// From where clients may purge without a token.
  public var purgeFrom: [AddressRange]
  /// The proxies whose word is taken for who a client is; nil if the configuration says.
  public var trustedProxies: [AddressRange]?
  /// A file of certificates that upstreams may be certified by besides the system's, in PEM.
  public var upstreamCA: String?
  /// The name servers that are asked where upstreams are; nil if the configuration says.
  public var resolvers: [ResolverAddress]?
  /// Where access log lines go.
  public var accessLog: AccessLogTarget
  /// What its lines are like.
  public var accessLogFormat = FleetConfiguration.AccessLogFormat.combined
  /// The share of them that is written, of those that need not be.
  public var accessLogSample = 1.0
  /// Time limits and bounds.
  public var limits: ShellLimits
  /// Where log messages go.
  public var logger: Logger
  /// The log behind that, where it is ours: what it drops is told in the statistics.
  public var operationalLog: OperationalLog?
  /// Whether a PoP that serves at the same addresses is to hand them over.
  public var takesOver = false
  /// Called when it begins to drain.
  public var whenDraining: @Sendable () -> Void = {}
  /// What tells the time.
  var clock = ProcessClock()
  /// What makes names of requests, for one event loop.
  var requestIDs: @Sendable () -> RequestIDSource = {
    RequestIDSource(.random(in: .min ... .max), .random(in: .min ... .max))
  }

  /// Options from their parts.
  public init(
    configuration: FleetConfiguration, pop: FleetConfiguration.PoP, access: AdminAccess? = nil,
    purgeFrom: [AddressRange] = [], trustedProxies: [AddressRange]? = nil,
    upstreamCA: String? = nil, resolvers: [ResolverAddress]? = nil,
    accessLog: AccessLogTarget = .off,
    limits: ShellLimits = ShellLimits(), logger: Logger = Logger(label: "edge-pop")
  ) {
    self.configuration = configuration
    self.pop = pop
    self.access = access
    self.purgeFrom = purgeFrom
    self.trustedProxies = trustedProxies
    self.upstreamCA = upstreamCA
    self.resolvers = resolvers
    self.accessLog = accessLog
    self.limits = limits
    self.logger = logger
  }

  /// The proxies whose word is taken for who a client is.
  var believedProxies: [AddressRange] {
    trustedProxies ?? pop.trustedProxies ?? configuration.trustedProxies
  }

  /// The name servers that are asked; none stands for those of the system.
  var nameServers: [ResolverAddress] { resolvers ?? pop.resolvers ?? configuration.resolvers }

  /// True if whoever comes by way of a TLS terminator on this machine that adds no field may purge: it cannot be told
  /// from who is here.
  var mayTakeTerminatorsForOthers: Bool {
    believedProxies.isEmpty && purgeFrom.contains { $0.contains("127.0.0.1") || $0.contains("::1") }
  }
}
