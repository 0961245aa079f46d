// What the configuration accepts and, in tables, every way in which it refuses: each row changes
// one place of a good configuration and expects the exact path and reason.

import EdgeFleet
import Foundation
import Testing

private let good = """
  {
    "fleet": "test",
    "regions": {
      "us": { "api": ["http://127.0.0.1:3101"], "failover": ["eu"] },
      "eu": { "api": ["http://127.0.0.1:3102", "https://api.eu.example"] }
    },
    "sites": [
      { "name": "a", "hosts": ["www.a.example", "*.a.example"], "origin": ["http://a.origin"],
        "routes": [{ "prefix": "/api/", "to": "api" }, { "prefix": "/api/s", "to": "origin" }] },
      { "name": "b", "hosts": ["*"], "origin": ["http://b.origin"], "passThroughTo": "api" }
    ],
    "pops": [
      { "id": "iad1", "city": "Ashburn", "latitude": 38.9, "longitude": -77.4, "region": "us",
        "listen": ["127.0.0.1:8081", "[::1]:8081"], "admin": "127.0.0.1:9081",
        "memory": "64MiB", "largestResponse": "24MiB", "threads": 2, "eviction": "slru" },
      { "id": "fra1", "city": "Frankfurt", "latitude": 50, "longitude": 8.57, "region": "eu",
        "listen": ["127.0.0.1:8082"], "admin": "127.0.0.1:9082" }
    ]
  }
  """

private func lines(of text: String) -> [String] {
  do throws(ConfigurationError) {
    _ = try FleetConfiguration.parse(Array(text.utf8), file: "f.json")
    return []
  } catch {
    return error.lines
  }
}

@Suite struct ConfigurationTests {
  @Test("Logs, of the fleet and of a PoP")
  func logs() throws {
    let text = good.replacing(
      "\"fleet\": \"test\",",
      with: """
        "fleet": "test", "logFormat": "json",
        "accessLog": { "path": "/var/log/a", "format": "vhost-combined", "sample": 0.5 },
        """
    ).replacing(
      "\"admin\": \"127.0.0.1:9082\"",
      with: """
        "admin": "127.0.0.1:9082", "logFormat": "text", "accessLog": { "format": "json" }
        """)
    let configuration = try FleetConfiguration.parse(Array(text.utf8), file: "f.json")
    let (iad1, fra1) = (try configuration.pop(id: "iad1"), try configuration.pop(id: "fra1"))
    #expect(configuration.logFormat == .json && iad1.logFormat == nil && fra1.logFormat == .text)
    #expect(
      iad1.accessLog.filled(from: configuration.accessLog)
        == .init(path: "/var/log/a", format: .vhostCombined, sample: 0.5))
    #expect(
      fra1.accessLog.filled(from: configuration.accessLog)
        == .init(path: "/var/log/a", format: .json, sample: 0.5))
  }

  @Test(
    "Logs that cannot be",
    arguments: [
      (#""logFormat": "xml","#, #"f.json: logFormat: "xml" is not "text" or "json""#),
      (#""logFormat": 1,"#, "f.json: logFormat: is the number 1; expected a string"),
      (#""accessLog": "-","#, #"f.json: accessLog: is the string "-"; expected an object"#),
      (
        #""accessLog": { "paths": "-" },"#,
        #"f.json: accessLog.paths: is not a known key; did you mean "path"?"#
      ),
      (
        #""accessLog": { "path": "" },"#,
        #"f.json: accessLog.path: "" is not a file; write - for standard output, or off"#
      ),
      (
        #""accessLog": { "format": "common" },"#,
        #"f.json: accessLog.format: "common" is not "combined" or "vhost-combined" or "json""#
      ),
      (#""accessLog": { "sample": 1.01 },"#, "f.json: accessLog.sample: 1.01 is outside 0...1"),
    ])
  func wrongLogs(member: String, line: String) {
    let text = good.replacing("\"fleet\": \"test\",", with: "\"fleet\": \"test\", \(member)")
    #expect(lines(of: text) == [line])
    let pop = good.replacing("\"id\": \"fra1\",", with: "\"id\": \"fra1\", \(member)")
    #expect(lines(of: pop) == [line.replacing("f.json: ", with: "f.json: pops[1].")])
  }

  @Test func everyPartIsRead() throws {
    let configuration = try FleetConfiguration.parse(Array(good.utf8), file: "f.json")
    #expect(configuration.fleet == "test")
    #expect(
      configuration.regions == [
        "us": .init(api: [.init(scheme: .http, host: "127.0.0.1", port: 3101)], failover: ["eu"]),
        "eu": .init(api: [
          .init(scheme: .http, host: "127.0.0.1", port: 3102),
          .init(scheme: .https, host: "api.eu.example"),
        ]),
      ])
    #expect(
      configuration.sites == [
        .init(
          name: "a", hosts: [.exact("www.a.example"), .suffix("a.example")],
          origin: [.init(scheme: .http, host: "a.origin")],
          routes: [.init(prefix: "/api/", target: .api), .init(prefix: "/api/s", target: .origin)]),
        .init(
          name: "b", hosts: [.any], origin: [.init(scheme: .http, host: "b.origin")],
          passThroughTo: .api),
      ])
    let (iad1, fra1) = (try configuration.pop(id: "iad1"), try configuration.pop(id: "fra1"))
    #expect(iad1.memory == .mebibytes(64))
    #expect(iad1.threads == 2 && iad1.largestResponse == .mebibytes(24))
    #expect(iad1.eviction == .slru)
    #expect(iad1.listen.map(\.description) == ["127.0.0.1:8081", "[::1]:8081"])
    #expect(iad1.latitude == 38.9)
    #expect(fra1.memory == .mebibytes(256))
    #expect(fra1.threads == nil && fra1.largestResponse == nil)
    #expect(fra1.eviction == nil)
    #expect(fra1.admin == SocketEndpoint(host: "127.0.0.1", port: 9082))
  }

  @Test func theRepositorysConfigurationLoads() throws {
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<3 { root.deleteLastPathComponent() }
    let path = root.appendingPathComponent(FleetConfiguration.defaultPath).path
    let configuration = try FleetConfiguration.load(path: path)
    #expect(configuration.pops.map(\.id) == ["iad1", "fra1", "sin1"])
    #expect(configuration.pops.map(\.region) == ["us", "eu", "ap"])
    #expect(configuration.pops.allSatisfy { $0.admin.isLoopback })
    // Failover goes to the nearer region first.
    #expect(configuration.regions.mapValues(\.failover)["ap"] == ["eu", "us"])
  }

  @Test func anUnknownPoPIsAnsweredWithTheKnownOnes() throws {
    let configuration = try FleetConfiguration.parse(Array(good.utf8), file: "f.json")
    #expect(throws: UnknownPoP(id: "sin1", known: ["fra1", "iad1"])) {
      try configuration.pop(id: "sin1")
    }
    #expect(
      UnknownPoP(id: "sin1", known: ["fra1", "iad1"]).description
        == "there is no PoP \"sin1\"; the configuration has fra1, iad1")
  }

  @Test func oneServerMakesAFleet() throws {
    let upstream = UpstreamURL(scheme: .http, host: "127.0.0.1", port: 3000)
    let configuration = FleetConfiguration.single(
      upstream: upstream, listen: [.init(host: "127.0.0.1", port: 0)],
      admin: .init(host: "127.0.0.1", port: 0), threads: 1)
    #expect(configuration.regions["local"]?.api == [upstream])
    #expect(configuration.sites.map(\.hosts) == [[.any]])
    #expect(try configuration.pop(id: "local").memory == .mebibytes(256))
  }

  @Test func allProblemsAreReportedAtOnce() {
    let text =
      good
      .replacing("\"64MiB\"", with: "\"256MB\"")
      .replacing("\"fra1\"", with: "\"iad1\"")
      .replacing("38.9", with: "138.9")
    #expect(
      lines(of: text) == [
        "f.json: pops[0].latitude: 138.9 is outside -90...90",
        "f.json: pops[0].memory: \"256MB\" is not a size; write it like 256MiB "
          + "(units: B, KiB, MiB, GiB)",
        "f.json: pops[1].id: \"iad1\" is already taken by pops[0].id",
      ])
  }

  @Test func aMissingFileIsNamed() {
    let path = "/nonexistent/pops.json"
    let problem = ConfigurationError.Problem(.file, "no such file or directory")
    #expect(throws: ConfigurationError(file: path, problems: [problem])) {
      try FleetConfiguration.load(path: path)
    }
  }

  @Test func addressesThatMayBeShared() {
    let anyPort = good.replacing(":8081", with: ":0").replacing(":8082", with: ":0")
    #expect(lines(of: anyPort) == [])
    let wildcard =
      good
      .replacing("127.0.0.1:8081", with: "0.0.0.0:80")
      .replacing("127.0.0.1:8082", with: "0.0.0.0:80")
    #expect(lines(of: wildcard) == [])
  }
}

@Suite struct ConfigurationProblemTests {
  /// A change to the good configuration, and the one problem it makes.
  struct Row: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let problem: String
    var testDescription: String { problem }

    init(_ old: String, _ new: String, _ problem: String) {
      (self.old, self.new, self.problem) = (old, new, problem)
    }
  }

  @Test(arguments: [
    // Keys and types.
    Row("\"fleet\"", "\"flete\"", #"flete: is not a known key; did you mean "fleet"?"#),
    Row("\"memory\"", "\"memorySize\"", "pops[0].memorySize: is not a known key; known here"),
    Row("\"threads\"", "\"thread\"", #"pops[0].thread: is not a known key; did you mean "t"#),
    Row("\"passThroughTo\"", "\"passthroughto\"", #"sites[1].passthroughto: is not a known key; "#),
    Row("\"to\": \"api\"", "\"too\": \"api\"", #"sites[0].routes[0].too: is not a known key; did"#),
    Row("\"city\": \"Ashburn\",", "", "pops[0].city: is required"),
    Row(", \"origin\": [\"http://b.origin\"]", "", "sites[1].origin: is required"),
    Row("\"test\"", "7", "fleet: is the number 7; expected a string"),
    Row("\"test\"", "\"a b\"", #"fleet: "a b" is not a name; use 1 to 64 letters, digits"#),
    Row("[\"127.0.0.1:8082\"]", "\"127.0.0.1:8082\"", "pops[1].listen: is the string \"127.0.0.1"),
    Row("50,", "\"50\",", "pops[1].latitude: is the string \"50\"; expected a number"),
    Row("50,", "null,", "pops[1].latitude: is null; expected a number"),
    // Regions.
    Row("[\"eu\"]", "[\"us\"]", #"regions.us.failover[0]: "us" fails over to itself"#),
    Row("[\"eu\"]", "[\"ap\"]", #"regions.us.failover[0]: "ap" is not a region; there is eu, us"#),
    Row("[\"eu\"]", "[\"eu\", \"eu\"]", "regions.us.failover[1]: repeats regions.us.failover[0]"),
    Row("[\"http://127.0.0.1:3101\"]", "[]", "regions.us.api: must not be empty"),
    Row("[\"http://127.0.0.1:3101\"]", "[7]", "regions.us.api[0]: is the number 7; expected a st"),
    Row("http://127.0.0.1:3101", "127.0.0.1", #"regions.us.api[0]: "127.0.0.1" is not an http or"#),
    Row("\"failover\": [\"eu\"]", "\"fail.over\": []", #"regions.us["fail.over"]: is not a known"#),
    // Sites.
    Row("[\"*\"]", "[]", "sites[1].hosts: must not be empty"),
    Row("[\"*\"]", "[\"*.a.example\"]", #"sites[1].hosts[0]: "*.a.example" is already taken by s"#),
    Row("[\"*\"]", "[\"*\", \"*\"]", #"sites[1].hosts[1]: "*" is already taken by sites[1].hosts"#),
    Row("[\"*\"]", "[\"B.example\"]", #"sites[1].hosts[0]: "B.example" should be written b.examp"#),
    Row("[\"*\"]", "[\"b.example:80\"]", #"sites[1].hosts[0]: "b.example:80" has a port; a site "#),
    Row("[\"*\"]", "[\"b.*\"]", #"sites[1].hosts[0]: "b.*" is not a host; write www.example, *.e"#),
    Row("[\"*\"]", "[\"*.[::1]\"]", #"sites[1].hosts[0]: "*.[::1]" is not a host; write www.exam"#),
    Row("[\"*\"]", "[\"[0::1]\"]", #"sites[1].hosts[0]: "[0::1]" should be written [::1]"#),
    Row("\"name\": \"b\"", "\"name\": \"a\"", #"sites[1].name: "a" is already taken by sites"#),
    Row("http://b.origin", "http://b/x", #"sites[1].origin[0]: "http://b/x" has a path, query or"#),
    Row("[\"http://b.origin\"]", "[]", "sites[1].origin: must not be empty"),
    Row("\"/api/\"", "\"api/\"", #"sites[0].routes[0].prefix: "api/" does not begin with /"#),
    Row("\"/api/\"", "\"/api?\"", #"sites[0].routes[0].prefix: "/api?" is not the beginning of a"#),
    Row("\"/api/\"", "\"/api#\"", #"sites[0].routes[0].prefix: "/api#" is not the beginning of a"#),
    Row("\"/api/\"", "\"/api/*\"", #"sites[0].routes[0].prefix: "/api/*" has a *, which stands "#),
    Row("\"/api/\"", "\"/*/x\"", #"sites[0].routes[0].prefix: "/*/x" has a *, which stands for n"#),
    Row("\"/api/\"", "\"/%61pi/\"", #"sites[0].routes[0].prefix: "/%61pi/" should be written /ap"#),
    Row(
      "\"/api/\"", "\"/a%2fb\"", #"sites[0].routes[0].prefix: "/a%2fb" should be written /a%2Fb"#),
    Row(
      "\"/api/\"", "\"/x/../api/\"", #"sites[0].routes[0].prefix: "/x/../api/" should be writte"#),
    Row("\"/api/\"", "\"/./api/\"", #"sites[0].routes[0].prefix: "/./api/" should be written /ap"#),
    Row("\"/api/\"", "\"/api/..\"", #"sites[0].routes[0].prefix: "/api/.." ends in a dot segment"#),
    Row("\"/api/\"", "\"/api/%2e\"", #"sites[0].routes[0].prefix: "/api/%2e" ends in a dot segme"#),
    Row("\"/api/\"", "\"/a%zz\"", #"sites[0].routes[0].prefix: "/a%zz" has a % without two hexad"#),
    Row("\"/api/\"", "\"/a%4\"", #"sites[0].routes[0].prefix: "/a%4" has a % without two hexade"#),
    Row("\"/api/\"", #""/a\\b""#, #"sites[0].routes[0].prefix: "/a\\b" has a backslash, which n"#),
    Row("/api/s", "/api/", #"sites[0].routes[1].prefix: "/api/" is already taken by sites[0].rou"#),
    Row("\"to\": \"api\"", "\"to\": \"us\"", #"sites[0].routes[0].to: "us" is not "origin" or "a"#),
    Row("\"passThroughTo\": \"api\"", "\"passThroughTo\": \"x\"", "sites[1].passThroughTo: \"x\" "),
    Row(
      "\"passThroughTo\": \"api\"", "\"methodOverride\": 1", "sites[1].methodOverride: is the num"),
    // PoPs.
    Row("\"fra1\"", "\"iad1\"", #"pops[1].id: "iad1" is already taken by pops[0].id"#),
    Row("\"fra1\"", "\"fra 1\"", #"pops[1].id: "fra 1" is not a name; use 1 to 64 letters"#),
    Row("\"Ashburn\"", "\"\"", #"pops[0].city: "" is not the name of a city"#),
    Row("50,", "90.1,", "pops[1].latitude: 90.1 is outside -90...90"),
    Row("-77.4", "-180.5", "pops[0].longitude: -180.5 is outside -180...180"),
    Row("\"region\": \"eu\"", "\"region\": \"ap\"", #"pops[1].region: "ap" is not a region"#),
    Row("[\"127.0.0.1:8082\"]", "[]", "pops[1].listen: must not be empty"),
    Row("127.0.0.1:8082", "127.0.0.1", #"pops[1].listen[0]: "127.0.0.1" is not a host and port;"#),
    Row("127.0.0.1:8082", "127.0.0.1:8081", #"pops[1].listen[0]: "127.0.0.1:8081" is already ta"#),
    Row("127.0.0.1:8082", "[0::1]:8081", #"pops[1].listen[0]: "[::1]:8081" is already taken by "#),
    Row("127.0.0.1:9082", "127.0.0.1:9081", #"pops[1].admin: "127.0.0.1:9081" is already taken "#),
    Row("127.0.0.1:9082", "127.0.0.1:8082", #"pops[1].admin: "127.0.0.1:8082" is already taken "#),
    Row("127.0.0.1:9082", "0.0.0.0:9082", #"pops[1].admin: "0.0.0.0:9082" does not say which ma"#),
    Row("slru", "fifo", #"pops[0].eviction: "fifo" is not "lru" or "slru" or "size-lru""#),
    Row("64MiB", "256MB", #"pops[0].memory: "256MB" is not a size; write it like 256MiB"#),
    Row("64MiB", "64KiB", #"pops[0].memory: "64KiB" is too little; at least 1MiB"#),
    Row("24MiB", "33MiB", #"pops[0].largestResponse: "33MiB" must be from 1B to half of the memo"#),
    Row(
      "24MiB", "0B", #"pops[0].largestResponse: "0B" must be from 1B to half of the memory, 32M"#),
    Row("24MiB", "24MB", #"pops[0].largestResponse: "24MB" is not a size; write it like 256MiB"#),
    Row("\"threads\": 2", "\"threads\": 0", "pops[0].threads: 0 is not a whole number in 1...1024"),
    Row("\"threads\": 2", "\"threads\": 1.5", "pops[0].threads: 1.5 is not a whole number in 1..."),
  ])
  func refused(row: Row) throws {
    #expect(good.contains(row.old), "the row changes nothing")
    let lines = lines(of: good.replacing(row.old, with: row.new, maxReplacements: 1))
    // A misspelt key which is required is noted twice, as unknown and as missing.
    let unexpected = lines.filter { !$0.hasSuffix("is required") || row.problem.hasSuffix("ired") }
    try #require(unexpected.count == 1, "\(lines)")
    #expect(unexpected[0].hasPrefix("f.json: " + row.problem), "\(unexpected[0])")
  }

  @Test func anotherTypeAltogether() {
    #expect(lines(of: "[]") == ["f.json: is an array; expected an object"])
    #expect(lines(of: "{}").count == 4)
  }

  @Test(arguments: [
    ("", "1:1: the file ends where a value is expected"),
    ("{\n  \"fleet\": test }", "2:12: expected a value"),
    ("{ \"a\": 1 \"b\": 2 }", "1:10: expected , or } after the value of a key"),
    ("{ \"a\" 1 }", "1:7: expected : after the key \"a\""),
    ("{ \"a\": 1, }", "1:9: a comma behind the last one, which JSON does not have; remove it"),
    ("{ \"a\": 1,\n  \"a\": 2 }", "2:3: the key \"a\" is already in this object"),
    ("[1 2]", "1:4: expected , or ] after an element"),
    ("[1, ]", "1:3: a comma behind the last one, which JSON does not have; remove it"),
    ("[1,\n2 // two\n]", "2:3: a comment, which JSON does not have; remove it"),
    ("{ // a\n}", "1:3: a comment, which JSON does not have; remove it"),
    ("{\"a\": 1, /* b */ \"b\": 2}", "1:10: a comment, which JSON does not have; remove it"),
    ("# a\n{}", "1:1: a comment, which JSON does not have; remove it"),
    ("{} // end", "1:4: a comment, which JSON does not have; remove it"),
    ("{} x", "1:4: expected the end of the file"), ("[01]", "1:2: not a JSON number"),
    ("[1.]", "1:2: not a JSON number"), ("[-]", "1:2: not a JSON number"),
    ("[1e]", "1:2: not a JSON number"), ("[1e999]", "1:2: a number too large"),
    ("[\"a", "1:2: a string which is not closed"),
    ("[\"a\n\"]", "1:4: a line break or control character inside a string"),
    ("[\"\\x\"]", "1:3: an escape which JSON does not have"),
    ("[\"\\ud800\"]", "1:3: an escape which JSON does not have"),
    ("[\"\\ud800\\u0041\"]", "1:3: an escape which JSON does not have"),
    (String(repeating: "[", count: 65), "1:65: nested too deeply"),
  ])
  func syntax(text: String, problem: String) {
    #expect(lines(of: text) == ["f.json:\(problem)"])
  }

  @Test func escapesAndSpaces() throws {
    let text =
      "\u{FEFF}\r\n\t"
      + good
      .replacing("Ashburn", with: "A\\u0073h\\ud83d\\ude00\\/é")
      .replacing("50,", with: "5e1,")
    let configuration = try FleetConfiguration.parse(Array(text.utf8), file: "f.json")
    #expect(configuration.pops[0].city == "Ash😀/é")
    #expect(configuration.pops[1].latitude == 50)
  }
}
