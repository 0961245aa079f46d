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

  @Test(
    arguments: [
      ("", .init()),
      (#", "firstByteTimeout": "5m""#, .init(firstByte: .seconds(300))),
      (#", "betweenBytesTimeout": "1s""#, .init(betweenBytes: .seconds(1))),
      (
        #", "eventStreamTimeout": "24h", "firstByteTimeout": "1.5s""#,
        .init(firstByte: .milliseconds(1500), eventStream: .seconds(86_400))
      ),
    ] as [(String, FleetConfiguration.Site.Timeouts)])
  func timeouts(members: String, expected: FleetConfiguration.Site.Timeouts) throws {
    let site = try FleetConfiguration.parse(fleet(members), file: "f.json").sites[0]
    #expect(site.timeouts == expected)
  }

  @Test(arguments: [
    (#""firstByteTimeout": "0s""#, #"firstByteTimeout: "0s" is not from 1s to 24h"#),
    (#""betweenBytesTimeout": "999ms""#, #"betweenBytesTimeout: "999ms" is not from 1s to 24h"#),
    (#""eventStreamTimeout": "25h""#, #"eventStreamTimeout: "25h" is not from 1s to 24h"#),
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
