import EdgeFleet
import NIOCore

// Which limits are in force for a request, and who says so: the route, its site, the fleet, or nobody.

extension ShellLimits {
  /// The defaults of what the configuration may say.
  var asConfigured: FleetConfiguration.Limits {
    func time(_ amount: TimeAmount) -> Duration { .nanoseconds(amount.nanoseconds) }
    var limits = FleetConfiguration.Limits()
    (limits.requestHead, limits.requestContent) = (time(head), time(contentStall))
    (limits.keepAlive, limits.client) = (time(keepAlive), time(clientStall))
    (limits.connect, limits.queue) = (time(connect), time(queue))
    (limits.firstByte, limits.betweenBytes) = (time(upstreamFirstByte), time(betweenBytes))
    (limits.response, limits.eventStream) = (time(response), time(eventStream))
    (limits.tunnel, limits.collapse) = (time(tunnelIdle), time(collapse))
    limits.upstreamKeepAlive = time(upstreamIdle)
    (limits.upstreamConnections, limits.upstreamQueue) = (upstreamConnections, upstreamQueue)
    limits.servesHalfClosed = servesHalfClosed
    return limits
  }
}

extension FleetConfiguration {
  /// A limit that is in force: its setting, its value as the configuration would write it, and who says it.
  typealias LimitInForce = ExplainReport.Limit

  /// The limits in force at a site, for requests of the route with that prefix; nil stands for those of no route.
  func limitsInForce(_ site: Site, prefix: String?, defaults: ShellLimits) -> [LimitInForce] {
    let route = site.routes.first { $0.prefix == prefix }
    return Limits.keys.map { key in
      if let path = Self.shared[key] {
        let holder = widest(path, for: site, to: route?.target ?? .origin, defaults)
        let own = limit(key, of: holder, nil, defaults)
        if holder.name == site.name || !own.from.hasPrefix("site ") { return own }
        return LimitInForce(
          setting: key, value: own.value, from: "\(own.from), which has the same upstream")
      }
      return limit(key, of: site, route, defaults)
    }
  }

  private func limit(
    _ key: String, of site: Site, _ route: Route?, _ defaults: ShellLimits
  ) -> LimitInForce {
    var levels: [(limits: Limits, origin: String)] = [
      (site.limits, "site \(site.name)"), (limits, "fleet"), (defaults.asConfigured, "default"),
    ]
    if let route { levels.insert((route.limits, "route \(route.prefix)"), at: 0) }
    for (limits, origin) in levels {
      if let value = limits.text(key) {
        return LimitInForce(setting: key, value: value, from: origin)
      }
    }
    return LimitInForce(setting: key, value: "none", from: "default")
  }

  /// Limits of upstreams: of those that sites share, the widest holds.
  private static var shared: [String: @Sendable (Limits) -> Duration] {
    [
      "upstreamConnections": { .seconds($0.upstreamConnections ?? 0) },
      // As many as are wanted, if nobody says a number.
      "upstreamTunnels": { .seconds($0.upstreamTunnels ?? .max) },
      "upstreamQueue": { .seconds($0.upstreamQueue ?? 0) },
      "upstreamKeepAliveTimeout": { $0.upstreamKeepAlive ?? .zero },
    ]
  }

  /// The site that has the widest limit among those that share an upstream with this one; itself, if none is wider.
  private func widest(
    _ size: (Limits) -> Duration, for site: Site, to target: RouteTarget, _ defaults: ShellLimits
  ) -> Site {
    func value(_ site: Site) -> Duration {
      size(site.limits.within(limits).within(defaults.asConfigured))
    }
    let apis = Set(regions.values.flatMap(\.api))
    let upstreams = target == .api ? apis : Set(site.origin)
    var found = site
    // Every site may go to the regional API.
    for other in sites
    where !upstreams.isDisjoint(with: apis.union(other.origin)) && value(other) > value(found) {
      found = other
    }
    return found
  }

  /// The longest prefix of a site's routes that a path in normal form begins with.
  func routePrefix(_ site: Site, path: [UInt8]) -> String? {
    site.routes.map(\.prefix).filter { path.starts(with: $0.utf8) }.max {
      $0.utf8.count < $1.utf8.count
    }
  }

  /// What is configured and does not hold, or bounds nothing, as sentences: of a PoP, or of all.
  public func warnings(of pop: PoP?, defaults: ShellLimits = ShellLimits()) -> [String] {
    (pop.map { [$0] } ?? pops).flatMap { clientWarnings($0) } + sharedUpstreamWarnings(defaults)
  }

  private func clientWarnings(_ pop: PoP) -> [String] {
    let serving = serving(of: pop)
    guard let all = serving.clientConnections, let own = serving.connectionsPerAddress, own > all
    else { return [] }
    return [
      "PoP \(pop.id): connectionsPerAddress \(own) is larger than clientConnections \(all), so that it bounds nothing"
    ]
  }

  /// The bound of an upstream is the widest that a site which uses it has.
  private func sharedUpstreamWarnings(_ defaults: ShellLimits) -> [String] {
    let apis = regions.values.flatMap(\.api)
    func bound(_ site: Site) -> Int {
      site.limits.within(limits).upstreamConnections ?? defaults.upstreamConnections
    }
    return sites.flatMap { site -> [String] in
      guard let own = site.limits.upstreamConnections else { return [] }
      let shared = site.origin + apis
      return shared.reduce(into: [UpstreamURL]()) { if !$0.contains($1) { $0.append($1) } }
        .compactMap { upstream in
          let others = sites.filter {
            $0.name != site.name && ($0.origin.contains(upstream) || apis.contains(upstream))
          }
          guard let widest = others.max(by: { bound($0) < bound($1) }), bound(widest) > own
          else { return nil }
          return
            "site \(site.name): upstreamConnections \(own) does not hold for \(upstream), which site \(widest.name) "
            + "uses, too, with \(bound(widest)): the widest holds for all"
        }
    }
  }

  /// What a PoP, or each, would serve, and within which limits, for people.
  public func account(of pop: PoP?, defaults: ShellLimits = ShellLimits()) -> String {
    var lines: [String] = []
    for pop in pop.map({ [$0] }) ?? pops {
      let serving = serving(of: pop)
      lines.append(
        "PoP \(pop.id): \(pop.listen.map(\.description).joined(separator: ", ")), admin \(pop.admin)"
      )
      let numbers = [
        ("memory", "\(pop.memory)"),
        (
          "clientConnections",
          serving.clientConnections.map(String.init) ?? "as many as open files leave room for"
        ),
        ("connectionsPerAddress", serving.connectionsPerAddress.map(String.init) ?? "none"),
        ("drainDelay", DurationText.print(serving.drainDelay ?? .zero)),
        (
          "drainTimeout",
          DurationText.print(serving.drainTimeout ?? .nanoseconds(defaults.drain.nanoseconds))
        ),
      ]
      lines += numbers.map { "  \($0) \($1)" }
    }
    for (name, region) in regions.sorted(by: { $0.key < $1.key }) {
      lines.append("region \(name): \(region.api.map(\.description).joined(separator: ", "))")
    }
    for site in sites {
      lines.append("site \(site.name): \(site.hosts.map { "\($0)" }.joined(separator: ", "))")
      lines.append("  origin \(site.origin.map(\.description).joined(separator: ", "))")
      let general = limitsInForce(site, prefix: nil, defaults: defaults)
      lines += general.map { "  \($0)" }
      for route in site.routes {
        lines.append("  route \(route.prefix) to the \(route.target.rawValue)")
        let own = limitsInForce(site, prefix: route.prefix, defaults: defaults)
        lines += own.filter { !general.contains($0) }.map { "    \($0)" }
      }
    }
    return lines.joined(separator: "\n")
  }
}
