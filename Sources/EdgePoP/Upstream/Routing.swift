import EdgeCache
import EdgeFleet
import NIOCore

// The configuration as the data plane uses it: hosts and prefixes as bytes, upstreams as indices.

/// Which upstreams a request goes to. A class, so that nothing in it is copied for a request.
final class Routing: Sendable {
  /// A class, so that a request that looks one up copies a reference and not all that is in it.
  private final class Site: Sendable {
    let origin: UpstreamGroupID
    let api: UpstreamGroupID
    /// Longest prefix first.
    let routes: [(prefix: [UInt8], target: FleetConfiguration.RouteTarget)]
    let passThroughTo: FleetConfiguration.PassThroughTarget
    let name: String
    let index: Int
    let policy: SitePolicy
    let sharedPolicy: SitePolicy.Shared
    let limits: RequestLimits
    let clientLimits: ClientLimits
    /// The limits of requests and of their clients by their route, longest prefix first; empty if no route has its own.
    let routeLimits: [(prefix: [UInt8], request: RequestLimits, client: ClientLimits)]
    let ignoresRequestDirectives: Bool
    let withholdsTags: Bool
    private let passesMethodOverride: Bool
    private let hasQueryRules: Bool
    /// The routes for who takes capital letters for small ones; empty if none leads to the regional API.
    private let folded: [(prefix: [UInt8], target: FleetConfiguration.RouteTarget)]
    /// The two characters behind the first slash of those, a bit for each pair, so that most paths need not be compared;
    /// zero if there are none, all bits if one of them is shorter.
    private let initials: UInt64

    init(
      origin: UpstreamGroupID, api: UpstreamGroupID,
      routes: [(prefix: [UInt8], target: FleetConfiguration.RouteTarget)], index: Int,
      _ site: FleetConfiguration.Site, in configuration: FleetConfiguration, limits pop: ShellLimits
    ) {
      self.origin = origin
      self.api = api
      self.routes = routes
      self.index = index
      passThroughTo = site.passThroughTo
      name = site.name
      policy = SitePolicy(site.caching, fleet: configuration.fleet)
      sharedPolicy = SitePolicy.Shared(policy)
      let own = site.limits.within(configuration.limits)
      limits = RequestLimits(own, else: pop)
      clientLimits = ClientLimits(own, else: pop)
      routeLimits =
        site.routes.contains { $0.limits != .init() }
        ? site.routes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }.map {
          let limits = $0.limits.within(own)
          return (
            Array($0.prefix.utf8), RequestLimits(limits, else: pop), ClientLimits(limits, else: pop)
          )
        } : []
      ignoresRequestDirectives = site.caching.requestDirectives == .ignore
      hasQueryRules = !policy.query.isIdentity
      withholdsTags = !policy.tagFields.areForwarded
      passesMethodOverride = site.methodOverride
      folded =
        routes.contains { $0.target == .api }
        ? routes.map { ($0.prefix.map(Self.folded), $0.target) } : []
      initials = folded.reduce(0) { bits, route in
        route.prefix.count > 2 ? bits | Self.initial(route.prefix[1], route.prefix[2]) : .max
      }
    }

    @inline(__always)
    private static func initial(_ first: UInt8, _ second: UInt8) -> UInt64 {
      1 << UInt64(((first | 0x20) &+ (second | 0x20) &* 5) & 0x3F)
    }

    /// True if a path may begin with one of the prefixes. O(1).
    @inline(__always)
    private func mayBegin(_ key: CacheKey) -> Bool {
      let (bytes, start) = (key.bytes.span, key.hostCount)
      if initials == .max || bytes.count < start &+ 3 { return initials == .max }
      return initials & Self.initial(bytes[start &+ 1], bytes[start &+ 2]) != 0
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
      byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    func route(_ key: inout CacheKey, secret: HashSecret) -> RequestRoute {
      if hasQueryRules { key = key.applying(policy.query, secret: secret) }
      var route = route(key)
      route.passesMethodOverride = passesMethodOverride
      return route
    }

    private func route(_ key: CacheKey) -> RequestRoute {
      var isAmbiguous = false
      // In normal form, and for every server the same.
      if !folded.isEmpty, !key.isPlain || mayBegin(key) {
        let reading =
          key.isNormal
          ? read(key.bytes.span.extracting(key.pathRange)) : read(key.normalPath.span)
        if reading == .api { return RequestRoute(cached: nil, passThrough: api, site: index) }
        isAmbiguous = reading == nil || key.isAmbiguous && apiReading(key) != nil
      }
      return RequestRoute(
        cached: isAmbiguous ? nil : origin, passThrough: passThroughTo == .api ? api : origin,
        site: index, ignoresRequestDirectives: ignoresRequestDirectives,
        refusal: isAmbiguous ? .ambiguousPath : .route)
    }

    /// The limits that hold on the route of a key; nil if they are those of the site. O(routes), if any has its own.
    func ownLimits(
      _ key: CacheKey
    ) -> (prefix: [UInt8], request: RequestLimits, client: ClientLimits)? {
      if routeLimits.isEmpty { return nil }
      return key.isNormal
        ? ownLimits(key.bytes.span.extracting(key.pathRange)) : ownLimits(key.normalPath.span)
    }

    /// A query behind the path changes nothing: no prefix has one.
    private func ownLimits(
      _ path: Span<UInt8>
    ) -> (prefix: [UInt8], request: RequestLimits, client: ClientLimits)? {
      for own in routeLimits where path.count >= own.prefix.count {
        if path.extracting(first: own.prefix.count).elementsEqual(own.prefix.span) { return own }
      }
      return nil
    }

    /// Where a path in normal form leads; nil if it leads to the origin, and to the regional API for who takes
    /// capital letters for small ones.
    private func read(_ path: Span<UInt8>) -> FleetConfiguration.RouteTarget? {
      for route in routes where path.count >= route.prefix.count {
        if path.extracting(first: route.prefix.count).elementsEqual(route.prefix.span) {
          if route.target == .api { return .api }
          break
        }
      }
      return folded(path) == .api ? nil : .origin
    }

    /// Where the longest prefix leads that a path begins with, letters without regard to case.
    private func folded(_ path: Span<UInt8>) -> FleetConfiguration.RouteTarget? {
      for route in folded where path.count >= route.prefix.count {
        var index = 0
        while index < route.prefix.count, Self.folded(path[index]) == route.prefix[index] {
          index += 1
        }
        if index == route.prefix.count { return route.target }
      }
      return nil
    }

    /// What a server that decodes more than others, or less, takes the path for that then leads to the regional API, if
    /// one does.
    @inline(never)
    func apiReading(_ key: CacheKey) -> [UInt8]? {
      if let reading = apiReading(of: key.normalPath) { return reading }
      return key.isNormal ? nil : apiReading(of: key.path)
    }

    private func apiReading(of path: [UInt8]) -> [UInt8]? {
      guard let readings = LenientPath.readings(of: path) else { return path }
      for reading in readings {
        let climbs = folded.contains { $0.target == .api && reading.mayClimb(to: $0.prefix) }
        if climbs { return reading.path }
        guard let target = read(reading.path.span) else { return reading.path.map(Self.folded) }
        if target == .api { return reading.path }
      }
      return nil
    }
  }

  /// All upstreams, each once.
  let upstreams: [Upstream]
  /// Groups of upstreams, by their number.
  let groups: [UpstreamGroup]
  private let sites: [Site]
  /// Hosts in the order of ``order(_:_:_:)``.
  private let exact: [(host: [UInt8], site: Int)]
  /// Longest suffix first.
  private let suffixes: [(suffix: [UInt8], site: Int)]
  private let any: Int?
  /// The limits of a connection whose client has not asked for anything.
  let clientLimits: ClientLimits
  /// True if a site or a route has its own.
  private let hasClientLimits: Bool
  /// How many connections there may be to each upstream, and how many requests may wait for one.
  let pools: [PoolLimits]

  /// The bounds of the connections to one upstream.
  struct PoolLimits: Hashable {
    /// Connections, all event loops together.
    var connections = 0
    /// Connections that changed their protocol, all event loops together.
    var tunnels = 0
    /// Requests that wait for one, on each event loop.
    var queue = 0
    /// Without a request.
    var keepAlive = TimeAmount.zero
  }

  /// Compiles what `pop` needs of a consistent configuration.
  init(_ configuration: FleetConfiguration, pop: FleetConfiguration.PoP, limits: ShellLimits) {
    let region = configuration.regions[pop.region]
    let apis =
      [region].compactMap { $0?.api }
      + (region?.failover ?? []).compactMap {
        configuration.regions[$0]?.api
      }
    var upstreams = Groups(
      pops: Set(
        configuration.pops.flatMap(\.listen).filter { $0.port > 0 }
          .map { UpstreamURL(scheme: .http, host: $0.host, port: $0.port) }))
    let parent = pop.parent.flatMap { id in configuration.pops.first { $0.id == id } }
    // When the parent cannot be had, the origin is asked.
    let parents = (parent?.listen.prefix(1) ?? []).map {
      UpstreamURL(scheme: .http, host: $0.host, port: $0.port)
    }
    let api = upstreams.add(apis)
    var sites: [Site] = []
    var exact: [(host: [UInt8], site: Int)] = []
    var suffixes: [(suffix: [UInt8], site: Int)] = []
    var any: Int?
    for site in configuration.sites {
      let routes = site.routes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
      sites.append(
        Site(
          origin: upstreams.add((parents.isEmpty ? [] : [parents]) + [site.origin]), api: api,
          routes: routes.map { (Array($0.prefix.utf8), $0.target) }, index: sites.count, site,
          in: configuration, limits: limits))
      for host in site.hosts {
        switch host {
        case .exact(let name): exact.append((Array(name.utf8), sites.count - 1))
        case .suffix(let suffix): suffixes.append((Array(".\(suffix)".utf8), sites.count - 1))
        case .any: any = sites.count - 1
        }
      }
    }
    self.upstreams = upstreams.upstreams
    groups = upstreams.groups
    clientLimits = ClientLimits(configuration.limits, else: limits)
    hasClientLimits = configuration.sites.contains { site in
      site.limits != .init() || site.routes.contains { $0.limits != .init() }
    }
    pools = Self.pools(
      sites, configuration, groups: upstreams.groups, count: upstreams.upstreams.count, limits)
    self.sites = sites
    self.exact = exact.sorted { Self.order($0.host, $1.host, $1.host.count) < 0 }
    self.suffixes = suffixes.sorted { $0.suffix.count > $1.suffix.count }
    self.any = any
  }

  /// The bounds of each upstream: the widest that a site which uses it has.
  private static func pools(
    _ sites: [Site], _ configuration: FleetConfiguration, groups: [UpstreamGroup], count: Int,
    _ pop: ShellLimits
  ) -> [PoolLimits] {
    var pools = Array(repeating: PoolLimits(), count: count)
    for (site, own) in zip(sites, configuration.sites) {
      let limits = own.limits.within(configuration.limits)
      for upstream in [site.origin, site.api].flatMap({ groups[$0].tiers.joined() }) {
        let known = pools[upstream]
        pools[upstream] = PoolLimits(
          connections: max(
            known.connections, limits.upstreamConnections ?? pop.upstreamConnections),
          tunnels: max(known.tunnels, limits.upstreamTunnels ?? pop.upstreamTunnels),
          queue: max(known.queue, limits.upstreamQueue ?? pop.upstreamQueue),
          keepAlive: max(
            known.keepAlive, limits.upstreamKeepAlive.map { TimeAmount($0) } ?? pop.upstreamIdle))
      }
    }
    return pools
  }

  /// Gives upstreams and their groups numbers.
  private struct Groups {
    let pops: Set<UpstreamURL>
    var upstreams: [Upstream] = []
    var groups: [UpstreamGroup] = []

    mutating func add(_ tiers: [[UpstreamURL]]) -> UpstreamGroupID {
      let indices = tiers.map { tier in
        tier.map { url in
          if let known = upstreams.firstIndex(where: { $0.url == url }) { return known }
          upstreams.append(
            Upstream(url: url, authority: url.authority, isPoP: pops.contains(url)))
          return upstreams.count - 1
        }
      }
      groups.append(UpstreamGroup(tiers: indices))
      return groups.count - 1
    }
  }

  /// The route of a key, which becomes what the rules of its site make of it; nil if no site has its
  /// host. O(host + routes).
  func route(_ key: inout CacheKey, secret: HashSecret) -> RequestRoute? {
    site(key)?.route(&key, secret: secret)
  }

  /// What the path of a key may be taken for that belongs to the regional API, though it does not; nil if nothing.
  func apiReading(_ key: CacheKey) -> String? {
    site(key)?.apiReading(key).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The key that a purge of a URL takes: as its site makes it of a request for the URL.
  func purgeKey(_ url: String, _ secret: HashSecret) -> CacheKey? {
    guard var key = CacheKey(url: url.utf8, secret: secret) else { return nil }
    _ = route(&key, secret: secret)
    return key
  }

  /// True if the site of a key may leave out or sort what queries have. O(hosts).
  func hasQueryRules(_ key: CacheKey) -> Bool {
    site(key).map { !$0.policy.query.isIdentity } ?? false
  }

  /// What a request that goes on a route keeps of its site.
  struct Terms {
    let limits: RequestLimits
    let policy: SitePolicy.Shared
    /// True if fields with tags do not go on to clients.
    let withholdsTags: Bool
  }

  /// The terms of a request that goes on a route. O(routes of the site), if any of them has limits of its own.
  func terms(_ key: CacheKey, _ route: RequestRoute) -> Terms {
    let site = sites[route.site]
    return Terms(
      limits: site.ownLimits(key)?.request ?? site.limits, policy: site.sharedPolicy,
      withholdsTags: site.withholdsTags)
  }

  /// The choices of the site that a route belongs to.
  func policy(_ route: RequestRoute) -> SitePolicy { sites[route.site].policy }

  /// The limits of a request that goes on a route. O(routes of the site), if any of them has its own.
  func limits(_ key: CacheKey, _ route: RequestRoute) -> RequestLimits {
    let site = sites[route.site]
    return site.ownLimits(key)?.request ?? site.limits
  }

  /// The limits of a connection whose client asks for something on a route; nil if they are those of every connection.
  /// O(routes of the site), if any of them has its own.
  @inline(__always)
  func clientLimits(_ key: CacheKey, _ route: RequestRoute) -> ClientLimits? {
    if !hasClientLimits { return nil }
    let site = sites[route.site]
    return site.ownLimits(key)?.client ?? site.clientLimits
  }

  /// The name of the site that a route belongs to.
  func siteName(_ route: RequestRoute) -> String { siteName(index: route.site) }

  /// The name of a site.
  func siteName(index: Int) -> String { sites[index].name }

  /// Bytes of the longest names of sites and upstreams together.
  var longestNames: Int {
    (sites.map(\.name.utf8.count).max() ?? 0) + (upstreams.map(\.authority.utf8.count).max() ?? 0)
  }

  private func site(_ key: CacheKey) -> Site? {
    if let any, exact.isEmpty, suffixes.isEmpty { return sites[any] }
    if let site = exactSite(key) { return sites[site] }
    for (suffix, site) in suffixes where key.hostCount > suffix.count {
      if key.bytes[(key.hostCount - suffix.count)..<key.hostCount].elementsEqual(suffix) {
        return sites[site]
      }
    }
    return any.map { sites[$0] }
  }

  private func exactSite(_ key: CacheKey) -> Int? {
    var (low, high) = (0, exact.count)
    while low < high {
      let middle = (low + high) / 2
      let order = Self.order(exact[middle].host, key.bytes, key.hostCount)
      if order == 0 { return exact[middle].site }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// Negative if a host is before the one in the first `count` of some bytes: shorter ones first, then
  /// by their bytes.
  private static func order(_ host: [UInt8], _ bytes: [UInt8], _ count: Int) -> Int {
    if host.count != count { return host.count - count }
    if host.span.elementsEqual(bytes.span.extracting(first: count)) { return 0 }
    for index in host.indices where host[index] != bytes[index] {
      return Int(host[index]) - Int(bytes[index])
    }
    return 0
  }
}

extension SitePolicy {
  /// The choices of a site of that fleet.
  init(_ options: FleetConfiguration.CachingOptions, fleet: String) {
    self.init(ownFields: [Array("\(fleet.lowercased())-cache-control".utf8)])
    usesSurrogateControl = options.surrogateControl
    guessesFreshness = options.heuristicFreshness
    negative = options.negative
    tagFields =
      options.tagFields.map { TagFields($0, areForwarded: options.forwardTagFields) }
      ?? TagFields(areForwarded: options.forwardTagFields)
    cookies =
      switch options.setCookie {
      case .strip: .strip
      case .refuse: .refuse
      case .keep: .keep
      }
    query = QueryRules(
      sorts: options.query.sort, include: options.query.include.map { $0.map { Array($0.utf8) } },
      exclude: options.query.exclude.map { Array($0.utf8) })
  }
}
