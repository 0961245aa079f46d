import Testing

@testable import EdgeFleet

// The parts of pops.json that are about purges and tiers: what is read, and every way in which it is refused.

@Suite struct FleetOptionsTests {
  private static func parse(
    _ options: String, parents: [String: String] = [:], listen: String = "127.0.0.1:80"
  ) throws -> FleetConfiguration {
    let pops = ["a", "b", "c"].enumerated().map { index, id in
      let parent = parents[id].map { #", "parent": "\#($0)""# } ?? ""
      return """
        { "id": "\(id)", "city": "A", "latitude": 0, "longitude": 0, "region": "r",
          "listen": ["\(listen)\(index)"], "admin": "127.0.0.1:90\(index)"\(parent) }
        """
    }
    let text = """
      { \(options) "fleet": "f", "regions": { "r": { "api": ["http://o"] } },
        "sites": [{ "name": "s", "hosts": ["*"], "origin": ["http://o"] }],
        "pops": [\(pops.joined(separator: ","))] }
      """
    return try FleetConfiguration.parse(Array(text.utf8), file: "f")
  }

  @Test func read() throws {
    let plain = try Self.parse("")
    #expect(plain.purgeFrom == [] && plain.purgeBus == nil && plain.adminTLS == nil)
    #expect(plain.maxUnsynced == .seconds(30))
    #expect(plain.resolvers == [] && plain.pops.allSatisfy { $0.resolvers == nil })
    let full = try Self.parse(
      """
      "purgeFrom": ["10.0.0.0/8", "::1"], "maxUnsynced": "500ms",
      "resolvers": ["192.0.2.53", "[2001:db8::53]:5353"],
      "purgeBus": { "redis": "rediss://u:p%20w@r.example:7000/2", "stream": "s", "ca": "ca.pem" },
      "adminTLS": { "ca": "a", "certificate": "b", "key": "c", "requireClientCertificate": false },
      """, parents: ["a": "b", "b": "c"])
    #expect(full.purgeFrom.map(\.description) == ["10.0.0.0/8", "::1"])
    #expect(full.maxUnsynced == .milliseconds(500))
    #expect(full.resolvers.map(\.description) == ["192.0.2.53:53", "[2001:db8::53]:5353"])
    let redis = try #require(full.purgeBus?.redis)
    #expect(redis.isSecure && redis.user == "u" && redis.password == "p w" && redis.database == 2)
    #expect(redis.endpoint == SocketEndpoint(host: "r.example", port: 7000))
    #expect("\(redis)" == "rediss://r.example:7000", "the password is not printed")
    #expect(full.purgeBus?.stream == "s" && full.purgeBus?.ca == "ca.pem")
    #expect(full.adminTLS?.requiresClientCertificate == false)
    #expect(full.pops.map(\.parent) == ["b", "c", nil])
  }

  @Test(arguments: [
    (#""purgeFrom": ["10.0.0.0/40"],"#, "purgeFrom[0]: \"10.0.0.0/40\" has a length"),
    (#""purgeFrom": "::1","#, "purgeFrom: is the string"),
    (#""resolvers": [],"#, "resolvers: must"),
    (#""resolvers": "192.0.2.53","#, "resolvers: is the string"),
    (
      #""resolvers": ["dns.example"],"#,
      "resolvers[0]: \"dns.example\" is a name; a name server must"
    ),
    (
      #""resolvers": ["192.0.2.53", "192.0.2.53:53"],"#,
      "resolvers[1]: \"192.0.2.53:53\" is already taken by resolvers[0]"
    ),
    (#""maxUnsynced": 3,"#, "maxUnsynced: is"),
    (#""maxUnsynced": "3","#, "maxUnsynced: \"3\""),
    (#""purgeBus": {},"#, "purgeBus.redis: is required"),
    (#""purgeBus": { "redis": "http://r" },"#, "purgeBus.redis: \"http://r\" is not a redis://"),
    (
      #""purgeBus": { "redis": "redis://secret@r" },"#,
      "purgeBus.redis: \"redis://…\" has no password"
    ),
    (#""purgeBus": { "redis": "redis://r:0" },"#, "purgeBus.redis: \"redis://r:0\" has a port"),
    (#""purgeBus": { "redis": "redis://r/x" },"#, "purgeBus.redis: \"redis://r/x\" has a database"),
    (
      #""purgeBus": { "redis": "redis://r", "ca": "a" },"#, "purgeBus.ca: means nothing without TLS"
    ),
    (#""purgeBus": { "redis": "redis://r", "stream": "a b" },"#, "purgeBus.stream: \"a b\" is not"),
    (#""adminTLS": { "ca": "a", "key": "b" },"#, "adminTLS.certificate: is required"),
  ])
  func refused(_ options: String, _ problem: String) {
    #expect {
      try Self.parse(options)
    } throws: {
      ($0 as? ConfigurationError)?.lines.contains { $0.contains(problem) } == true
    }
  }

  @Test(arguments: [
    (["a": "d"], "127.0.0.1:80", "\"d\" is not a PoP of this file"),
    (["a": "a"], "127.0.0.1:80", "a asks a: no origin is asked"),
    (["a": "b", "b": "c", "c": "a"], "127.0.0.1:80", "a asks b asks c asks a: no origin is asked"),
    (["a": "b"], "0.0.0.0:80", "does not say where it can be reached"),
  ])
  func parents(_ parents: [String: String], _ listen: String, _ problem: String) {
    #expect {
      try Self.parse("", parents: parents, listen: listen)
    } throws: {
      ($0 as? ConfigurationError)?.lines.contains { $0.contains(problem) } == true
    }
  }
}
