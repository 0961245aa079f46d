// The configuration of a fleet, as a tree of values whose comments are its reference. All PoPs of a
// fleet read the same file and find themselves in it by their id. Nothing here reads a file or
// checks a rule: FleetConfiguration+Reading.swift does both, so that a value of this type which came
// from there is known to be consistent.

/// What a fleet is: its regions, the sites it serves and its PoPs. Read from `Config/pops.json`.
public struct FleetConfiguration: Sendable, Hashable {
  /// The name of the fleet, for logs and metrics, and for its own cache control field.
  public var fleet: String
  /// The regions by their name. Every PoP is in one.
  public var regions: [String: Region]
  /// The sites that every PoP serves.
  public var sites: [Site]
  /// The PoPs, in the order of the file.
  public var pops: [PoP]
  /// From where clients may purge without a token.
  public var purgeFrom: [AddressRange]
  /// The proxies whose word is taken for who a client is.
  public var trustedProxies: [AddressRange]
  /// The name servers that are asked where upstreams are; those of the system if there are none.
  public var resolvers: [ResolverAddress] = []
  /// How long PoPs that do not answer may keep a PoP, after a start, from believing what is on its disk.
  public var maxUnsynced: Duration
  /// What carries purges to the PoPs; nil if they go to each directly.
  public var purgeBus: PurgeBus?
  /// How the admin API is secured; nil if it is plain, on a private network.
  public var adminTLS: AdminTLS?
  /// Limits of the requests of all sites.
  public var limits = Limits()
  /// The access logs of PoPs that do not say themselves.
  public var accessLog = AccessLog()
  /// What lines of the log of events are like; nil leaves it to the PoP.
  public var logFormat: LogFormat?
  /// How many clients PoPs have, and how they begin and end; what this leaves open is left to the PoP.
  public var serving = Serving()

  /// The time where the configuration does not say.
  public static let defaultMaxUnsynced = Duration.seconds(30)

  /// A configuration of parts which the caller knows to be consistent.
  public init(
    fleet: String, regions: [String: Region], sites: [Site], pops: [PoP],
    purgeFrom: [AddressRange] = [], maxUnsynced: Duration = defaultMaxUnsynced,
    purgeBus: PurgeBus? = nil, adminTLS: AdminTLS? = nil, trustedProxies: [AddressRange] = []
  ) {
    self.trustedProxies = trustedProxies
    (self.purgeBus, self.adminTLS) = (purgeBus, adminTLS)
    (self.fleet, self.regions, self.sites, self.pops) = (fleet, regions, sites, pops)
    (self.purgeFrom, self.maxUnsynced) = (purgeFrom, maxUnsynced)
  }

  /// An engine that carries purges to the PoPs.
  public struct PurgeBus: Sendable, Hashable {
    /// The Redis.
    public var redis: RedisURL
    /// The name of the stream in it.
    public var stream: String
    /// A file of certificates of authorities, in PEM; nil stands for those of the system.
    public var ca: String?

    /// The stream where the configuration does not say.
    public static let defaultStream = "edgecache:purges"

    /// A bus from its parts.
    public init(redis: RedisURL, stream: String = defaultStream, ca: String? = nil) {
      (self.redis, self.stream, self.ca) = (redis, stream, ca)
    }
  }

  /// A geography with its own regional API.
  public struct Region: Sendable, Hashable {
    /// The servers of the regional API; each can answer any request. At least one.
    public var api: [UpstreamURL]
    /// The regions whose regional API stands in when none of this region's answers, nearest first.
    public var failover: [String]

    /// A region served by `api`.
    public init(api: [UpstreamURL], failover: [String] = []) {
      (self.api, self.failover) = (api, failover)
    }
  }

  /// A set of hosts with one origin and one way of routing.
  public struct Site: Sendable, Hashable {
    /// The name of the site, for logs and metrics.
    public var name: String
    /// The hosts of the site. An exact name wins over `*.suffix`, the longer suffix over the
    /// shorter, and either over `*`.
    public var hosts: [HostPattern]
    /// The servers of the origin; each can answer any request. At least one.
    public var origin: [UpstreamURL]
    /// Where paths go. The longest prefix wins; a path with no route goes to the origin.
    public var routes: [Route]
    /// Where requests go that are passed through whatever their path.
    public var passThroughTo: PassThroughTarget
    /// How its responses are cached, where the standard leaves a choice.
    public var caching: CachingOptions
    /// Whether fields go to its upstreams that stand in for the method of a POST, such as X-HTTP-Method-Override.
    public var methodOverride = false
    /// Limits of its requests; what they leave open those of the fleet say.
    public var limits: Limits

    /// A site whose requests all go to `origin` but for `routes`.
    public init(
      name: String, hosts: [HostPattern], origin: [UpstreamURL], routes: [Route] = [],
      passThroughTo: PassThroughTarget = .route, caching: CachingOptions = CachingOptions(),
      limits: Limits = Limits()
    ) {
      (self.name, self.hosts, self.origin) = (name, hosts, origin)
      (self.routes, self.passThroughTo, self.caching) = (routes, passThroughTo, caching)
      self.limits = limits
    }
  }

  /// Which requests a host pattern takes: `www.example`, `*.example` or `*`.
  public enum HostPattern: Sendable, Hashable, CustomStringConvertible {
    /// Exactly this host: lower case, without a port; an IPv6 address in its brackets.
    case exact(String)
    /// Every host that ends in a dot and this suffix, which does not match itself.
    case suffix(String)
    /// Every host.
    case any

    /// The pattern as it is written in the configuration.
    public var description: String {
      switch self {
      case .exact(let host): host
      case .suffix(let suffix): "*.\(suffix)"
      case .any: "*"
      }
    }
  }

  /// One rule of a site: paths that begin with `prefix` go to `target`.
  public struct Route: Sendable, Hashable {
    /// What the path begins with, compared byte by byte; itself beginning with `/`.
    public var prefix: String
    /// Where such requests go.
    public var target: RouteTarget
    /// Limits of such requests; what they leave open those of the site say.
    public var limits = Limits()

    /// A route of `prefix` to `target`.
    public init(prefix: String, target: RouteTarget) {
      (self.prefix, self.target) = (prefix, target)
    }
  }

  /// Where a route leads.
  public enum RouteTarget: String, Sendable, Hashable, CaseIterable {
    /// The site's origin, through the cache.
    case origin
    /// The regional API of the PoP's region, always as pass-through.
    case api
  }

  /// Where the requests go that are passed through whatever their path: unsafe methods, and
  /// requests with no-cache or no-store.
  public enum PassThroughTarget: String, Sendable, Hashable, CaseIterable {
    /// Where the route of their path says.
    case route
    /// The regional API.
    case api
  }

  /// One PoP: a process that serves all sites from one place.
  public struct PoP: Sendable, Hashable {
    /// The identity of the PoP, unique in the fleet, such as `sin1`.
    public var id: String
    /// The city it is in, for people.
    public var city: String
    /// Degrees north, -90...90.
    public var latitude: Double
    /// Degrees east, -180...180.
    public var longitude: Double
    /// The region it is in, which decides its regional API.
    public var region: String
    /// Where clients connect. At least one.
    public var listen: [SocketEndpoint]
    /// Where purges arrive and health and statistics are read.
    public var admin: SocketEndpoint
    /// The capacity of the memory tier.
    public var memory: ByteSize
    /// The largest content that memory keeps as one; nil leaves it to the PoP.
    public var largestResponse: ByteSize?
    /// How many threads serve clients; nil leaves it to the PoP.
    public var threads: Int?
    /// Which stored response is evicted when memory is full; nil leaves it to the PoP.
    public var eviction: Eviction?
    /// The disks below memory, if there are any.
    public var disks: [Disk]
    /// The PoP that is asked instead of the origins, as long as it answers.
    public var parent: String?
    /// The proxies whose word is taken for who a client of this PoP is; nil if they are those of the fleet.
    public var trustedProxies: [AddressRange]?
    /// The name servers that this PoP asks; nil if they are those of the fleet.
    public var resolvers: [ResolverAddress]?
    /// Its access log; what it does not say is as the fleet has it.
    public var accessLog = AccessLog()
    /// What lines of the log of events are like; nil if they are as the fleet has them.
    public var logFormat: LogFormat?
    /// How many clients it has, and how it begins and ends; what this leaves open the fleet says.
    public var serving = Serving()

    /// The capacity of the memory tier where the configuration does not say.
    public static let defaultMemory = ByteSize.mebibytes(256)

    /// A PoP of parts which the caller knows to be consistent.
    public init(
      id: String, city: String, latitude: Double, longitude: Double, region: String,
      listen: [SocketEndpoint], admin: SocketEndpoint, memory: ByteSize = Self.defaultMemory,
      largestResponse: ByteSize? = nil, threads: Int? = nil, eviction: Eviction? = nil,
      disks: [Disk] = [], parent: String? = nil
    ) {
      self.largestResponse = largestResponse
      self.parent = parent
      (self.id, self.city, self.region) = (id, city, region)
      (self.latitude, self.longitude) = (latitude, longitude)
      (self.listen, self.admin) = (listen, admin)
      (self.memory, self.threads, self.eviction) = (memory, threads, eviction)
      self.disks = disks
    }
  }

  /// A disk for stored responses.
  public struct Disk: Sendable, Hashable {
    /// The directory, which belongs to this PoP alone.
    public var path: String
    /// What it may take.
    public var size: ByteSize
    /// What is written to it; nil leaves it to the PoP.
    public var admission: DiskAdmission?

    /// The capacity where only the directory is given.
    public static let defaultSize = ByteSize.mebibytes(10 << 10)

    /// A disk from its parts.
    public init(path: String, size: ByteSize = defaultSize, admission: DiskAdmission? = nil) {
      (self.path, self.size, self.admission) = (path, size, admission)
    }
  }

  /// What is written to disk.
  public enum DiskAdmission: String, Sendable, Hashable, CaseIterable {
    /// Everything while there is free room, then what was asked for four times lately.
    case auto
    /// Everything.
    case all
    /// What is asked for a second time.
    case secondHit = "second-hit"
  }

  /// Which stored response is evicted when memory is full.
  public enum Eviction: String, Sendable, Hashable, CaseIterable {
    /// The one that was used longest ago.
    case lru
    /// The same, but those that were used once before those that were used again.
    case slru
    /// Large ones before small ones, rarely used ones before often used ones.
    case sizeLRU = "size-lru"
  }
}

extension FleetConfiguration {
  /// A fleet of one PoP in front of one server, which is both origin and regional API.
  public static func single(
    upstream: UpstreamURL, listen: [SocketEndpoint], admin: SocketEndpoint,
    memory: ByteSize = PoP.defaultMemory, threads: Int? = nil
  ) -> FleetConfiguration {
    FleetConfiguration(
      fleet: "edgecache",
      regions: ["local": Region(api: [upstream])],
      sites: [Site(name: "default", hosts: [.any], origin: [upstream])],
      pops: [
        PoP(
          id: "local", city: "Local", latitude: 0, longitude: 0, region: "local", listen: listen,
          admin: admin, memory: memory, threads: threads)
      ])
  }

  /// The PoP with this id.
  ///
  /// - Complexity: O(*n*) in the number of PoPs.
  public func pop(id: String) throws(UnknownPoP) -> PoP {
    guard let pop = pops.first(where: { $0.id == id }) else {
      throw UnknownPoP(id: id, known: pops.map(\.id).sorted())
    }
    return pop
  }
}

/// A PoP was asked for that the configuration does not have.
public struct UnknownPoP: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was asked for.
  public let id: String
  /// The ids there are, in order.
  public let known: [String]

  /// An error for `id`, where only `known` would have been right.
  public init(id: String, known: [String]) {
    (self.id, self.known) = (id, known)
  }

  /// What was asked for and what there is.
  public var description: String {
    "there is no PoP \(quoted(id)); the configuration has \(known.joined(separator: ", "))"
  }
}
