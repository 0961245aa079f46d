import EdgeFleet
import Logging
import Synchronization
import Testing

@testable import EdgePoP

// A purge does never less than its sender meant, and whoever sends one that does nothing learns of it: what depends on
// the sites of a PoP, and on what is stored.

@Suite("What purges mean at a PoP", .serialized)
struct PurgeMeaningTests {
  private static func storable(_ field: String = "X: y") -> Origin.Script {
    { exchange in
      exchange.answer(
        "\(exchange.number)", "Cache-Control: max-age=600", "X-HashTwo: two", field)
    }
  }

  private static func start(
    _ origin: Origin, _ change: (inout FleetConfiguration.Site) -> Void = { _ in }
  ) async throws -> TestPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, threads: 1)
    configuration.sites[0].hosts = [.exact("a.example")]
    change(&configuration.sites[0])
    var setup = TestPoP.Setup()
    setup.purgeFrom = [try AddressRange(parsing: "127.0.0.0/8")]
    return try await TestPoP.start(configuration, pop: configuration.pops[0], setup)
  }

  private static func purge(
    _ path: String, _ fields: String = "", method: String = "PURGE", host: String = "a.example"
  ) -> String {
    "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(fields)\r\n"
  }

  private static func fill(_ pop: TestPoP, _ paths: [String]) async throws {
    for path in paths { _ = try await pop.get(path) }
    try await pop.waitForFills()
  }

  private static func isHit(_ pop: TestPoP, _ path: String) async throws -> Bool {
    try await pop.get(path).cacheStatus.contains("; hit")
  }

  @Test(
    "A prefix with the beginning of a query takes the page with any, if queries are not stored as they came",
    arguments: [
      ("/i?id=1&*", "/i?x=2&id=1&y=3"), ("/i?x=*", "/i?x=2&id=1"), ("/i?y=.*", "/i?id=1&y=3"),
      ("/i?x=*", "/i?x=2"),
    ])
  func queryRules(_ purged: String, _ stored: String) async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin) { $0.caching.query = .init(include: ["id"]) }
    try await Self.fill(pop, [stored, "/iii?id=1"])
    let answer = try await pop.exchange(Self.purge(purged))
    #expect(answer.status == 200 && answer.text.contains("with any query"), "\(answer.text)")
    let (isThere, isOtherThere) = try await (
      Self.isHit(pop, stored), Self.isHit(pop, "/iii?id=1")
    )
    #expect(!isThere && isOtherThere)
    await origin.stop()
    try await pop.stop()
  }

  @Test("A prefix with the beginning of a query takes what is as good (No-Vary-Search)")
  func equivalents() async throws {
    let origin = try await Origin.start(
      Self.storable("No-Vary-Search: params=(\"utm\"), key-order"))
    let pop = try await Self.start(origin)
    try await Self.fill(pop, ["/i?utm=1&id=1"])
    #expect(try await Self.isHit(pop, "/i?id=1"))
    let answer = try await pop.exchange(Self.purge("/i?id=*"))
    #expect(answer.status == 200 && answer.text.contains("with any query"), "\(answer.text)")
    #expect(try await !Self.isHit(pop, "/i?id=1"))
    await origin.stop()
    try await pop.stop()
  }

  @Test("Where a query is stored as it came, a prefix takes what begins so")
  func asWritten() async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    try await Self.fill(pop, ["/i?id=1&a", "/i?id=2"])
    let answer = try await pop.exchange(Self.purge("/i?id=1*"))
    #expect(answer.text.contains("purged 1 ") && !answer.text.contains("any query"))
    #expect(try await Self.isHit(pop, "/i?id=2"))
    await origin.stop()
    try await pop.stop()
  }

  @Test("A host that no site has is told: 421, or a warning where more is purged")
  func unknownHost() async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    for (path, fields) in [
      ("/a", ""), ("/*", ""), ("/a", "X-Purge-Method: default\r\n"), ("/(.*)", ""),
      ("/", "X-LiteSpeed-Purge: /a\r\n"),
    ] {
      let answer = try await pop.exchange(Self.purge(path, fields, host: "127.0.0.1"))
      #expect(answer.status == 421 && answer.text.contains("no site has the host 127.0.0.1"))
    }
    for fields in ["xkey: a\r\n", "X-LiteSpeed-Purge: *\r\n", "Clear-Cache: true\r\n"] {
      #expect(try await pop.exchange(Self.purge("/", fields, host: "127.0.0.1")).status == 200)
    }
    let both = try await pop.exchange(Self.purge("/a", "xkey: a\r\n", host: "127.0.0.1"))
    #expect(both.status == 200 && both.text.contains("no site has the host 127.0.0.1"))
    #expect(try await pop.exchange(Self.purge("/a", host: "A.example:8080")).status == 200)
    for scope in [
      #""urls":["http://b.example/a"]"#, #""prefixes":["http://b.example/"]"#,
      #""hosts":["b.example"]"#,
    ] {
      let answer = try await pop.purge("{\(scope)}")
      #expect(
        answer.status == 200
          && answer.text.contains(#""warnings":["no site has the host b.example"]"#),
        "\(answer.text)")
    }
    #expect(
      try await !pop.purge(#"{"urls":["http://a.example/a"]}"#).text.contains("warnings"))
    await origin.stop()
    try await pop.stop()
  }

  @Test("Fields that a site chose for its tags name them in PURGE, at both addresses")
  func ownFields() async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin) { $0.caching.tagFields = ["x-hashtwo"] }
    try await Self.fill(pop, ["/a"])
    let answer = try await pop.exchange(Self.purge("/", "X-HashTwo: two\r\n"))
    #expect(answer.text.contains("purged 1 "), "\(answer.text)")
    try await Self.fill(pop, ["/a"])
    let other = try await pop.admin(Self.purge("/", "X-HashTwo: two\r\n"))
    #expect(other.text.contains(#""matched":1"#), "\(other.text)")
    await origin.stop()
    try await pop.stop()
  }

  @Test("Refused purges are counted by their status")
  func counted() async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    for (method, path, fields) in [
      ("BAN", "/", ""), ("PURGE", "/", "X-Domain: a\r\n"), ("PURGEKEYS", "/", ""),
      ("purge", "/", ""),
    ] {
      _ = try await pop.exchange(Self.purge(path, fields, method: method))
    }
    _ = try await pop.exchange(Self.purge("/", host: "b.example"))
    _ = try await pop.purge("{}")
    let statistics = try await pop.statistics()
    #expect(statistics.purges.refused == ["400": 3, "501": 2, "421": 1])
    await origin.stop()
    try await pop.stop()
  }

  @Test("A target without a path is that of the root, with its query")
  func withoutPath() async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    try await Self.fill(pop, ["/?x"])
    let answer = try await pop.exchange(Self.purge("http://a.example?x"))
    #expect(answer.status == 200 && answer.text.contains("purged 1 "), "\(answer.text)")
    await origin.stop()
    try await pop.stop()
  }

  @Test(
    "Fastly-Soft-Purge is about the content of the admin API, too, where that does not say how",
    arguments: [
      (#"{"tags":["two"]}"#, "1", true), (#"{"tags":["two"]}"#, "0", false),
      (#"{"tags":["two"],"mode":"hard"}"#, "1", false),
      (#"{"tags":["two"],"mode":"soft"}"#, "0", false),
      (#"{"tags":["two"],"mode":"soft"}"#, "1", true),
    ])
  func softContent(_ content: String, _ value: String, _ isSoft: Bool) async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    try await Self.fill(pop, ["/a"])
    let answer = try await pop.purge(content, "Fastly-Soft-Purge: \(value)")
    #expect(answer.status == 200, "\(answer.text)")
    let next = try await pop.get("/a").cacheStatus
    #expect(next.contains("fwd=stale") == isSoft, "\(next)")
    #expect(try await pop.purge("", "Fastly-Soft-Purge: 1").status == 400)
    await origin.stop()
    try await pop.stop()
  }

  @Test(
    "Explain says what becomes of methods that are not forwarded",
    arguments: [
      ("PURGE", "carried out"), ("PURGEKEYS", "carried out"), ("BAN", "501"), ("TRACE", "405"),
    ])
  func explained(_ method: String, _ expected: String) async throws {
    let origin = try await Origin.start(Self.storable())
    let pop = try await Self.start(origin)
    let answer = try await pop.admin(
      "GET /explain?url=http://a.example/&method=\(method) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(answer.status == 200 && answer.text.contains(expected), "\(answer.text)")
    #expect(!answer.text.contains("it is forwarded"))
    await origin.stop()
    try await pop.stop()
  }

  @Test(
    "A PoP that may take a terminator for who is on its own machine says so",
    arguments: [
      (["127.0.0.1"], nil, true), (["10.0.0.0/8", "::1"], [], true), (["127.0.0.0/8"], nil, true),
      (["127.0.0.1"], ["127.0.0.1"], false), (["10.0.0.0/8"], nil, false), ([], nil, false),
    ] as [([String], [String]?, Bool)])
  func terminators(_ purgeFrom: [String], _ proxies: [String]?, _ expected: Bool) throws {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    let configuration = FleetConfiguration.single(
      upstream: try UpstreamURL(parsing: "http://127.0.0.1:1"), listen: [any], admin: any)
    let options = PoPOptions(
      configuration: configuration, pop: configuration.pops[0],
      purgeFrom: try purgeFrom.map { try AddressRange(parsing: $0) },
      trustedProxies: try proxies?.map { try AddressRange(parsing: $0) })
    #expect(options.mayTakeTerminatorsForOthers == expected)
  }

  // MARK: The log

  /// Keeps what is logged.
  private struct Lines: LogHandler {
    final class Memory: Sendable { let lines = Mutex<[String]>([]) }

    let memory: Memory
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let values = (event.metadata ?? [:]).sorted { $0.key < $1.key }
        .map { "\($0.key)=\($0.value)" }
      memory.lines.withLock {
        $0.append("\(event.level) \(event.message) \(values.joined(separator: " "))")
      }
    }
  }

  @Test("A refused purge is in the log, with who sent what and why; many are one line a second")
  func logged() {
    let memory = Lines.Memory()
    let refusals = PurgeRefusals(Logger(label: "test") { _ in Lines(memory: memory) })
    func note(_ seconds: Int64) {
      refusals.note(
        400, "the field X-Domain is not understood", method: "PURGE", url: "a.example/b?secret",
        from: "10.0.0.1", at: seconds * 1_000_000_000)
    }
    for _ in 0..<100 { note(5) }
    note(6)
    note(6)
    let lines = memory.lines.withLock { $0 }
    #expect(lines.count == 11)
    #expect(
      lines.first
        == "warning purge refused client=10.0.0.1 method=PURGE "
        + "reason=the field X-Domain is not understood status=400 url=a.example/b")
    #expect(lines.last?.contains("suppressed=90") == true)
    #expect(refusals.counts == ["400": 102])
  }
}
