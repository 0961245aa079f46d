import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// Which limits hold for a request, who says so, and what is configured in vain.

@Suite struct LimitsInForceTests {
  private static func configuration(
    fleet: String = "", first: String = "", second: String = "", pop: String = ""
  ) throws -> FleetConfiguration {
    try FleetConfiguration.parse(
      Array(
        """
        {"fleet": "f", \(fleet) "regions": {"r": {"api": ["http://10.0.0.9:1"]}},
         "sites": [
          {"name": "a", "hosts": ["a.example"], "origin": ["http://10.0.0.1:1"], \(first)
           "routes": [
             {"prefix": "/up/", "to": "origin", "clientTimeout": "5s"},
             {"prefix": "/up/more/", "to": "api", "largestRequest": "2KiB"}]},
          {"name": "b", "hosts": ["b.example"], \(second) "origin": ["http://10.0.0.1:1"]}],
         "pops": [{"id": "p", "city": "C", "latitude": 0, "longitude": 0, "region": "r", \(pop)
           "listen": ["127.0.0.1:8080"], "admin": "127.0.0.1:9080"}]}
        """.utf8), file: "pops.json")
  }

  @Test("What a route does not say its site does, then the fleet, then the default")
  func levels() throws {
    let configuration = try Self.configuration(
      fleet: #""clientTimeout": "7s", "firstByteTimeout": "8s","#,
      first: #""firstByteTimeout": "9s","#)
    let site = configuration.sites[0]
    for (path, prefix, expected) in [
      (
        "/", nil,
        [
          "clientTimeout 7s (fleet)", "firstByteTimeout 9s (site a)",
          "largestRequest none (default)",
        ]
      ),
      (
        "/up/x", "/up/",
        [
          "clientTimeout 5s (route /up/)", "firstByteTimeout 9s (site a)",
          "queueTimeout 15s (default)",
        ]
      ),
      (
        "/up/more/x", "/up/more/",
        [
          "clientTimeout 7s (fleet)", "largestRequest 2KiB (route /up/more/)",
          "serveHalfClosed false (default)",
        ]
      ),
    ] as [(String, String?, [String])] {
      let found = configuration.routePrefix(site, path: Array(path.utf8))
      #expect(found == prefix)
      let limits = configuration.limitsInForce(site, prefix: found, defaults: ShellLimits())
      #expect(limits.count == FleetConfiguration.Limits.keys.count)
      let texts = limits.map(\.description)
      for text in expected { #expect(texts.contains(text), "\(path): \(texts)") }
    }
  }

  @Test("Of what sites share the widest limit holds, and it is said whose that is")
  func shared() throws {
    let configuration = try Self.configuration(
      first: #""upstreamConnections": 4,"#, second: #""upstreamConnections": 9,"#)
    for (site, text) in [
      (0, "upstreamConnections 9 (site b, which has the same upstream)"),
      (1, "upstreamConnections 9 (site b)"),
    ] {
      for prefix in [nil, "/up/more/"] {
        let limits = configuration.limitsInForce(
          configuration.sites[site], prefix: prefix, defaults: ShellLimits())
        #expect(limits.map(\.description).contains(text), "\(limits)")
      }
    }
  }

  @Test("Each default is the one that a request has")
  func defaults() {
    var limits = ShellLimits()
    limits.connect = .seconds(77)
    let configured = limits.asConfigured
    // These two have none.
    let unbounded = ["largestRequest", "upstreamTunnels"]
    for key in FleetConfiguration.Limits.keys where !unbounded.contains(key) {
      #expect(configured.text(key) != nil, "\(key)")
    }
    let own = RequestLimits(FleetConfiguration.Limits(), else: limits)
    #expect(TimeAmount(configured.connect ?? .zero) == own.connect)
    #expect(TimeAmount(configured.firstByte ?? .zero) == own.firstByte)
    #expect(TimeAmount(configured.response ?? .zero) == own.response)
  }

  @Test("What is configured in vain is said")
  func warnings() throws {
    let rows: [(configuration: FleetConfiguration, says: [String])] = [
      (try Self.configuration(), []),
      (
        try Self.configuration(first: #""upstreamConnections": 4,"#),
        [
          "site a: upstreamConnections 4 does not hold for http://10.0.0.1:1, which site b uses, too, with 256",
          "site a: upstreamConnections 4 does not hold for http://10.0.0.9:1, which site b",
        ]
      ),
      (try Self.configuration(fleet: #""upstreamConnections": 4,"#), []),
      (
        try Self.configuration(
          first: #""upstreamConnections": 4,"#, second: #""upstreamConnections": 4,"#), []
      ),
      (
        try Self.configuration(
          fleet: #""clientConnections": 10,"#, pop: #""connectionsPerAddress": 11,"#),
        ["PoP p: connectionsPerAddress 11 is larger than clientConnections 10"]
      ),
    ]
    for (configuration, says) in rows {
      let warnings = configuration.warnings(of: nil)
      #expect(warnings.count == says.count, "\(warnings)")
      for (warning, text) in zip(warnings, says) { #expect(warning.hasPrefix(text), "\(warning)") }
    }
  }

  @Test("An account has sites, upstreams, routes and the limits that differ there")
  func account() throws {
    let text = try Self.configuration().account(of: nil)
    for line in [
      "PoP p: 127.0.0.1:8080, admin 127.0.0.1:9080", "  drainDelay 0s", "  drainTimeout 30s",
      "site a: a.example", "  origin http://10.0.0.1:1", "  clientTimeout 1m (default)",
      "  route /up/ to the origin", "    clientTimeout 5s (route /up/)",
      "  route /up/more/ to the api", "    largestRequest 2KiB (route /up/more/)",
      "region r: http://10.0.0.9:1",
    ] {
      #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)\n\(text)")
    }
  }
}
