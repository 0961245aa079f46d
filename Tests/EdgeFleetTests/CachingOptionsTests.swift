// The caching options of a site: what they are when nobody says, what is read, and in a table every
// way in which they are refused.

import EdgeFleet
import Testing

private typealias Options = FleetConfiguration.CachingOptions

/// A fleet of one site that has `members` besides what a site must have.
private func fleet(_ members: String) -> [UInt8] {
  let text = """
    {
      "fleet": "test", "regions": { "us": { "api": ["http://127.0.0.1:3101"] } },
      "sites": [{ "name": "a", "hosts": ["*"], "origin": ["http://a.origin"]\(members) }],
      "pops": [
        { "id": "iad1", "city": "Ashburn", "latitude": 38.9, "longitude": -77.4, "region": "us",
          "listen": ["127.0.0.1:8081"], "admin": "127.0.0.1:9081" }
      ]
    }
    """
  return Array(text.utf8)
}

private func options(_ members: String) throws -> Options {
  try FleetConfiguration.parse(fleet(", " + members), file: "f.json").sites[0].caching
}

@Suite struct CachingOptionsTests {
  @Test func theStandardIsTheDefault() throws {
    let site = try FleetConfiguration.parse(fleet(""), file: "f.json").sites[0]
    #expect(site.caching == Options())
    #expect(site.caching.query == .init(sort: false, include: nil, exclude: []))
    #expect(site.caching.negative.isEmpty)
    #expect(site.caching.heuristicFreshness)
    #expect(site.caching.requestDirectives == .honor)
    #expect(!site.caching.surrogateControl)
    #expect(site.caching.setCookie == .strip)
  }

  @Test func oneServerHasTheDefault() {
    let address = SocketEndpoint(host: "127.0.0.1", port: 0)
    let single = FleetConfiguration.single(
      upstream: .init(scheme: .http, host: "127.0.0.1"), listen: [address], admin: address)
    #expect(single.sites.map(\.caching) == [Options()])
  }

  @Test func allTogether() throws {
    let members = """
      "query": { "sort": true, "include": ["page", "q*"], "exclude": ["qx"] },
      "negative": { "404": "10s", "410": "24h" }, "heuristicFreshness": false,
      "requestDirectives": "ignore", "surrogateControl": true, "setCookie": "keep"
      """
    #expect(
      try options(members)
        == Options(
          query: .init(sort: true, include: ["page", "q*"], exclude: ["qx"]),
          negative: [404: 10, 410: 86_400], heuristicFreshness: false,
          requestDirectives: .ignore, surrogateControl: true, setCookie: .keep))
  }

  @Test(arguments: [
    (#""query": {}"#, Options()),
    (#""query": { "sort": false }"#, Options()),
    (#""query": { "sort": true }"#, Options(query: .init(sort: true))),
    (#""query": { "include": [] }"#, Options(query: .init(include: []))),
    (#""query": { "exclude": [] }"#, Options()),
    (#""query": { "exclude": ["utm_*"] }"#, Options(query: .init(exclude: ["utm_*"]))),
    (#""query": { "exclude": ["*"] }"#, Options(query: .init(exclude: ["*"]))),
    (#""query": { "include": ["%61", "a[]"] }"#, Options(query: .init(include: ["%61", "a[]"]))),
    (#""negative": {}"#, Options()),
    (#""negative": { "404": "1s" }"#, Options(negative: [404: 1])),
    (#""negative": { "410": "2000ms" }"#, Options(negative: [410: 2])),
    (#""negative": { "404": "1.5m" }"#, Options(negative: [404: 90])),
    (#""negative": { "404": "1440m" }"#, Options(negative: [404: 86_400])),
    (#""heuristicFreshness": true"#, Options()),
    (#""requestDirectives": "honor""#, Options()),
    (#""surrogateControl": false"#, Options()),
    (#""tagFields": ["X-My-Tags", "Cache-Tag"]"#, Options(tagFields: ["x-my-tags", "cache-tag"])),
    (#""tagFields": []"#, Options(tagFields: [])),
    (#""forwardTagFields": false"#, Options(forwardTagFields: false)),
    (#""setCookie": "strip""#, Options()),
    (#""setCookie": "refuse""#, Options(setCookie: .refuse)),
  ])
  func read(members: String, expected: FleetConfiguration.CachingOptions) throws {
    #expect(try options(members) == expected)
  }

  @Test(arguments: [
    // Types and keys.
    (#""heuristicFreshness": "no""#, #"heuristicFreshness: is the string "no"; expected true or "#),
    (#""heuristicFreshness": 0"#, "heuristicFreshness: is the number 0; expected true or false"),
    (#""surrogateControl": null"#, "surrogateControl: is null; expected true or false"),
    (#""tagFields": "a""#, #"tagFields: is the string "a"; expected an array"#),
    (#""tagFields": ["a b"]"#, #"tagFields[0]: "a b" is not the name of a field"#),
    (#""tagFields": ["Vary"]"#, #"tagFields[0]: "Vary" is a field that has a meaning of its own"#),
    (#""tagFields": ["a", "A"]"#, "tagFields[1]: repeats"),
    (#""forwardTagFields": "no""#, "forwardTagFields: is the string"),
    (#""setCookie": true"#, "setCookie: is true; expected a string"),
    (#""setCookie": "drop""#, #"setCookie: "drop" is not "strip" or "refuse" or "keep""#),
    (#""surrogateControls": true"#, "surrogateControls: is not a known key; did you mean"),
    (#""requestDirectives": "obey""#, #"requestDirectives: "obey" is not "honor" or "ignore""#),
    (#""requestDirectives": true"#, "requestDirectives: is true; expected a string"),
    (#""query": true"#, "query: is true; expected an object"),
    (#""query": ["page"]"#, "query: is an array; expected an object"),
    (#""query": { "sorted": true }"#, #"query.sorted: is not a known key; did you mean "sort"?"#),
    (#""query": { "sort": "name" }"#, #"query.sort: is the string "name"; expected true or"#),
    (#""query": { "include": "page" }"#, #"query.include: is the string "page"; expected an arr"#),
    (#""query": { "exclude": [7] }"#, "query.exclude[0]: is the number 7; expected a string"),
    // Names of parameters.
    (#""query": { "include": ["a", "a"] }"#, "query.include[1]: repeats sites[0].query.include[0]"),
    (#""query": { "include": [""] }"#, #"query.include[0]: "" is not the name of a parameter; w"#),
    (#""query": { "exclude": ["a&b"] }"#, #"query.exclude[0]: "a&b" is not the name of a parame"#),
    (#""query": { "exclude": ["a=1"] }"#, #"query.exclude[0]: "a=1" is not the name of a parame"#),
    ("\"query\": { \"exclude\": [\"#a\"] }", "query.exclude[0]: \"#a\" is not the "),
    (#""query": { "exclude": ["a b"] }"#, #"query.exclude[0]: "a b" is not the name of a parame"#),
    (#""query": { "exclude": ["é"] }"#, #"query.exclude[0]: "é" is not the name of a parameter;"#),
    (#""query": { "exclude": ["a\n"] }"#, #"query.exclude[0]: "a\n" is not the name of a parame"#),
    (#""query": { "exclude": ["a", "*b"] }"#, #"query.exclude[1]: "*b" has a * before its end; "#),
    (#""query": { "include": ["a**"] }"#, #"query.include[0]: "a**" has a * before its end; only"#),
    // Statuses and their seconds.
    (#""negative": "10s""#, #"negative: is the string "10s"; expected an object"#),
    (#""negative": { "500": "10s" }"#, "negative.500: is not a known key; known here: 404, 410"),
    (#""negative": { "404": 10 }"#, "negative.404: is the number 10; expected a string"),
    (#""negative": { "404": "10" }"#, #"negative.404: "10" is not a duration; write it like 30s"#),
    (#""negative": { "404": "0s" }"#, #"negative.404: "0s" is not a whole number of seconds fro"#),
    (#""negative": { "404": "1.5s" }"#, #"negative.404: "1.5s" is not a whole number of seconds"#),
    (#""negative": { "404": "25h" }"#, #"negative.404: "25h" is not a whole number of seconds f"#),
  ])
  func refused(members: String, problem: String) {
    #expect {
      try options(members)
    } throws: {
      guard let error = $0 as? ConfigurationError, error.lines.count == 1 else { return false }
      return error.lines[0].hasPrefix("f.json: sites[0].\(problem)")
    }
  }

  /// Keys of a site, and what they set.
  struct LimitRow: Sendable {
    let members: String
    let change: @Sendable (inout FleetConfiguration.Limits) -> Void

    init(
      _ members: String, _ change: @escaping @Sendable (inout FleetConfiguration.Limits) -> Void
    ) {
      (self.members, self.change) = (members, change)
    }
  }

  private static let limitRows: [LimitRow] = [
    .init("", { _ in }),
    .init(#", "firstByteTimeout": "5m""#, { $0.firstByte = .seconds(300) }),
    .init(#", "betweenBytesTimeout": "1s""#, { $0.betweenBytes = .seconds(1) }),
    .init(
      #", "eventStreamTimeout": "24h", "firstByteTimeout": "1.5s""#,
      { ($0.firstByte, $0.eventStream) = (.milliseconds(1500), .seconds(86_400)) }
    ),
    .init(
      #", "connectTimeout": "3s", "queueTimeout": "4s", "tunnelTimeout": "5s""#,
      { ($0.connect, $0.queue, $0.tunnel) = (.seconds(3), .seconds(4), .seconds(5)) }
    ),
    .init(
      #", "requestHeadTimeout": "3s", "requestContentTimeout": "4s", "keepAliveTimeout": "5s""#,
      {
        ($0.requestHead, $0.requestContent, $0.keepAlive) = (
          .seconds(3), .seconds(4), .seconds(5)
        )
      }
    ),
    .init(
      #", "clientTimeout": "3s", "collapseTimeout": "4s", "upstreamKeepAliveTimeout": "5s""#,
      { ($0.client, $0.collapse, $0.upstreamKeepAlive) = (.seconds(3), .seconds(4), .seconds(5)) }
    ),
    .init(#", "responseTimeout": "720h""#, { $0.response = .seconds(720 * 3600) }),
    .init(
      #", "upstreamConnections": 7, "upstreamQueue": 0, "largestRequest": "10MiB""#,
      {
        ($0.upstreamConnections, $0.upstreamQueue) = (7, 0)
        $0.largestRequest = .mebibytes(10)
      }
    ),
    .init(#", "upstreamTunnels": 9"#, { $0.upstreamTunnels = 9 }),
    .init(#", "serveHalfClosed": true"#, { $0.servesHalfClosed = true }),
  ]

  @Test(arguments: limitRows)
  func limits(row: LimitRow) throws {
    let site = try FleetConfiguration.parse(fleet(row.members), file: "f.json").sites[0]
    var expected = FleetConfiguration.Limits()
    row.change(&expected)
    #expect(site.limits == expected)
  }

  @Test("What a route leaves open its site says, and what that leaves open the fleet")
  func inheritance() throws {
    let fleet = try FleetConfiguration.parse(
      Array(
        #"""
        { "fleet": "f", "regions": { "eu": { "api": ["http://127.0.0.1:1"] } },
          "firstByteTimeout": "1s", "betweenBytesTimeout": "2s", "connectTimeout": "3s",
          "sites": [{ "name": "s", "hosts": ["*"], "origin": ["http://127.0.0.1:1"],
            "betweenBytesTimeout": "4s", "connectTimeout": "5s",
            "routes": [{ "prefix": "/a", "to": "origin", "connectTimeout": "6s" }] }],
          "pops": [{ "id": "p", "city": "c", "latitude": 0, "longitude": 0, "region": "eu",
            "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0" }] }
        """#.utf8), file: "f.json")
    let site = fleet.sites[0].limits.within(fleet.limits)
    let route = fleet.sites[0].routes[0].limits.within(site)
    #expect(route.firstByte == .seconds(1))
    #expect(route.betweenBytes == .seconds(4))
    #expect(route.connect == .seconds(6))
    #expect(site.connect == .seconds(5))
    #expect(route.largestRequest == nil)
  }

  @Test(arguments: [
    (#""firstByteTimeout": "0s""#, #"firstByteTimeout: "0s" is not from 1s to 24h"#),
    (#""betweenBytesTimeout": "999ms""#, #"betweenBytesTimeout: "999ms" is not from 1s to 24h"#),
    (#""eventStreamTimeout": "25h""#, #"eventStreamTimeout: "25h" is not from 1s to 24h"#),
    (#""responseTimeout": "721h""#, #"responseTimeout: "721h" is not from 1s to 720h"#),
    (#""upstreamConnections": 0"#, "upstreamConnections: 0 is not a whole number in 1...65536"),
    (#""upstreamTunnels": -1"#, "upstreamTunnels: -1 is not a whole number in 0...1000000"),
    (#""upstreamQueue": -1"#, "upstreamQueue: -1 is not a whole number in 0...1000000"),
    (#""largestRequest": "ten""#, #"largestRequest: "ten" is not a size"#),
    (#""serveHalfClosed": 1"#, "serveHalfClosed: is the number 1; expected true or false"),
    (
      #""routes": [{ "prefix": "/a", "to": "api", "keepAliveTimeout": "5s" }]"#,
      "routes[0].keepAliveTimeout: is not a known key"
    ),
    (#""firstByteTimeout": 60"#, "firstByteTimeout: is the number 60; expected a string"),
    (#""firstByteTimeout": "60""#, #"firstByteTimeout: "60" is not a duration; write it like 30s"#),
    (#""firstByteTimeouts": "1s""#, "firstByteTimeouts: is not a known key; did you mean"),
  ])
  func refusedTimeouts(members: String, problem: String) throws {
    refused(members: members, problem: problem)
  }

  @Test func theRangeOfSecondsIsNamed() {
    #expect {
      try options(#""negative": { "410": "2h", "404": "0.5s" }"#)
    } throws: {
      "\($0)"
        == "f.json: sites[0].negative.404: \"0.5s\" is not a whole number of seconds from 1s to 24h"
    }
  }
}
