import Testing

@testable import edge_load

@Suite("Load plan")
struct LoadPlanTests {
  @Test(
    "Target URLs",
    arguments: [
      ("http://a", "a", 80, "/", "a"),
      ("http://a:8080", "a", 8080, "/", "a:8080"),
      ("http://127.0.0.1:80/x?y=1#z", "127.0.0.1", 80, "/x?y=1", "127.0.0.1"),
      ("http://[::1]:81/p", "::1", 81, "/p", "[::1]:81"),
      ("http://a?q", "a", 80, "/?q", "a"),
    ])
  func targets(url: String, host: String, port: Int, path: String, authority: String) throws {
    let target = try LoadTarget(url: url)
    #expect(target.host == host)
    #expect(target.port == port)
    #expect(target.path == path)
    #expect(target.authority == authority)
  }

  @Test(
    "Bad target URLs",
    arguments: [
      "", "a", "https://a", "http://", "http://:80", "http://a:0", "http://a:70000", "http://a:x",
      "http://[::1", "http://[::1]x", "http://u@a/", "http://a/b c",
    ])
  func badTargets(url: String) {
    #expect(throws: LoadPlanError.self) { try LoadTarget(url: url) }
  }

  @Test("Fields are split at the first colon")
  func fields() throws {
    let field = try RequestField("Accept-Encoding:  gzip:br")
    #expect(field.name == "Accept-Encoding")
    #expect(field.value == "gzip:br")
    #expect(try RequestField("X-Empty:").value == "")
  }

  @Test(
    "Bad fields",
    arguments: [
      "", "no colon", ": x", "a b: x", "A: x\r\nB: y", "Host: a", "connection: close",
      "Content-Length: 3", "Transfer-Encoding: chunked",
    ])
  func badFields(text: String) {
    #expect(throws: LoadPlanError.self) { try RequestField(text) }
  }

  private func valid() throws -> LoadPlan {
    LoadPlan(targets: [try LoadTarget(url: "http://a"), try LoadTarget(url: "http://b")])
  }

  @Test("A plain plan is valid")
  func plain() throws {
    try valid().validate()
  }

  private static let mistakes: [(String, @Sendable (inout LoadPlan) -> Void)] = [
    ("no target", { $0.targets = [] }),
    ("no connection", { $0.connections = 0 }),
    ("fewer connections than targets", { $0.connections = 1 }),
    ("too many connections", { $0.connections = LoadPlan.mostConnections + 1 }),
    ("no duration", { $0.duration = .zero }),
    ("no timeout", { $0.timeout = .zero }),
    ("no thread", { $0.threads = 0 }),
    ("more threads than connections", { ($0.connections, $0.threads) = (2, 3) }),
    ("a thread without a connection to each target", { ($0.connections, $0.threads) = (3, 2) }),
    ("a workload and paths", { ($0.workload, $0.paths) = (NamedWorkload.web.model, ["/a"]) }),
    ("replay at a rate", { ($0.replay, $0.rate) = (ReplayPlan(path: "x"), 5) }),
    ("share above one", { $0.conditional = 1.5 }),
    ("no requests", { $0.requests = 0 }),
    ("method with a space", { $0.method = "GE T" }),
    ("rate zero", { $0.rate = 0 }),
    ("rate not a number", { $0.rate = .nan }),
    ("rate next to nothing", { $0.rate = 1e-300 }),
    ("rate infinite", { $0.rate = .infinity }),
    ("more left out than there is", { $0.replay = ReplayPlan(path: "x", mostLeftOut: 2) }),
    ("no such format", { $0.replay = ReplayPlan(path: "x", format: "x") }),
    ("zipf without paths", { $0.zipf = 1 }),
    ("zipf negative", { ($0.zipf, $0.paths) = (-1, ["/a", "/b"]) }),
    ("relative path", { $0.paths = ["a"] }),
    ("path with a space", { $0.paths = ["/a b"] }),
    ("empty host", { $0.host = "" }),
    ("host with line break", { $0.host = "a\r\nX: y" }),
  ]

  @Test("What makes a plan invalid")
  func invalid() throws {
    for (name, change) in Self.mistakes {
      var plan = try valid()
      change(&plan)
      #expect(throws: LoadPlanError.self, "\(name)") { try plan.validate() }
    }
  }

  @Test("A path in the URL and paths beside it contradict each other")
  func pathTwice() throws {
    let plan = LoadPlan(targets: [try LoadTarget(url: "http://a/x")], paths: ["/y"])
    #expect(throws: LoadPlanError.pathTwice("/x")) { try plan.validate() }
  }

  @Test("A file of paths: one to a line, comments and blanks left out")
  func pathsFile() {
    let text = "# front\n/\n\n  /a.css  # style\r\n/b.js\n"
    #expect(LoadPlan.paths(inFile: text) == ["/", "/a.css", "/b.js"])
    let windows = "\u{FEFF}" + text.replacing("\n", with: "\r\n")
    #expect(LoadPlan.paths(inFile: windows) == ["/", "/a.css", "/b.js"])
  }

  @Test("The bytes of a request")
  func requestBytes() throws {
    var plan = try valid()
    plan.paths = ["/a", "/b?c"]
    plan.fields = [try RequestField("Accept: */*")]
    let table = RequestTable(plan)
    #expect(
      String(decoding: table.head(target: 1, path: 1), as: UTF8.self)
        == "GET /b?c HTTP/1.1\r\nHost: b\r\nAccept: */*\r\n\r\n")
    plan.host = "www.example.com"
    #expect(
      String(decoding: RequestTable(plan).head(target: 0, path: 0), as: UTF8.self)
        == "GET /a HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n")
  }
}

@Suite("Targets of a run")
struct TargetOptionsTests {
  /// The configuration of the repository, which the documentation names.
  private static let configuration = #filePath.replacing(
    "Tests/EdgeLoadTests/LoadPlanTests.swift", with: "Config/pops.json")

  @Test("The PoPs of a configuration, all of them or by name and weight")
  func pops() throws {
    let all = try TargetOptions.parse(["--pops", Self.configuration]).targets()
    #expect(all.count >= 3)
    #expect(all.allSatisfy { $0.weight == 1 && $0.path == "/" })
    let some = try TargetOptions.parse(
      ["--pops", Self.configuration, "--pop", "sin1", "--pop", "iad1@2.5"]
    ).targets()
    #expect(some.map(\.weight) == [1, 2.5])
    #expect(
      some[1]
        == {
          var first = all[0]; first.weight = 2.5; return first
        }())
  }

  @Test(
    "What cannot be taken",
    arguments: [
      ["--pop", "iad1"], ["--pops", "/no/such"], ["--pops", configuration, "--pop", "xxx1"],
      ["--pops", configuration, "--pop", "iad1@0"], ["--target", "http://a@x@0"],
    ])
  func refused(arguments: [String]) {
    #expect(throws: LoadPlanError.self) { try TargetOptions.parse(arguments).targets() }
  }

  @Test("A purge test needs PoPs and an origin")
  func purges() throws {
    #expect(try TargetOptions.parse([]).purges() == nil)
    let rate = ["--purge-rate", "5", "--admin", "http://127.0.0.1:9080"]
    #expect(throws: LoadPlanError.self) { try TargetOptions.parse(rate).purges() }
    let plan = try #require(
      try TargetOptions.parse(rate + ["--origin", "http://127.0.0.1:3000"]).purges())
    #expect(plan.admins.count == 1)
    try plan.validate()
    let alone = try #require(
      try TargetOptions.parse(["--purge-rate", "5", "--origin", "http://a"]).purges())
    #expect(throws: LoadPlanError.self) { try alone.validate() }
  }
}

@Suite("Workload options")
struct WorkloadOptionsTests {
  @Test("Options change parts of a workload")
  func changes() throws {
    let model = try #require(
      try WorkloadOptions.parse([
        "--workload", "web", "--core", "10", "--zipf", "0.7", "--dynamic", "0.5", "--one-hit", "0",
        "--median-size", "1KiB", "--largest-size", "2KiB", "--deploy-every", "0",
      ]).model())
    #expect(model.core == 10 && model.zipf == 0.7 && model.dynamic == 0.5 && model.oneHit == 0)
    #expect(model.sizes.median == 1024 && model.sizes.largest == 2048)
    #expect(model.deployEvery == nil)
    #expect(try WorkloadOptions.parse(["--zipf", "1"]).model() == nil)
  }

  @Test(
    "Wrong use",
    arguments: [
      ["--workload", "nope"], ["--core", "5"], ["--workload", "web", "--core", "0"],
      ["--workload", "web", "--dynamic", "2"], ["--workload", "web", "--median-size", "x"],
    ])
  func wrong(arguments: [String]) {
    #expect(throws: LoadPlanError.self) { try WorkloadOptions.parse(arguments).model() }
  }
}

@Suite("Spans of time")
struct TimeSpanTests {
  @Test(
    "Read",
    arguments: [
      ("0", 0), ("0ms", 0), ("250us", 250_000), ("5ms", 5_000_000), ("1.5s", 1_500_000_000),
      ("2m", 120_000_000_000), ("1h", 3_600_000_000_000), ("7ns", 7),
    ])
  func read(text: String, nanoseconds: Int64) throws {
    #expect(try TimeSpan.parse(text).nanoseconds == nanoseconds)
  }

  @Test("Refused", arguments: ["", "10", "s", "-1s", "1d", "1 s", "1e3s", "1.2.3s", "nan", "inf"])
  func refused(text: String) {
    #expect(throws: TimeSpanError.malformed) { try TimeSpan.parse(text) }
  }

  @Test("More than a year is refused")
  func tooLong() {
    #expect(throws: TimeSpanError.tooLong) { try TimeSpan.parse("9000h") }
    #expect(throws: TimeSpanError.tooLong) { try TimeSpan.parse("99999999999999999999s") }
  }
}
