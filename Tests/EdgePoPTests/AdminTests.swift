import EdgeFleet
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

// The admin API: who may ask for what, and what a purge guarantees from the moment at which it is
// acknowledged (RFC 9110 §11 and §15.5, RFC 9111 §4.4 for the idea of invalidation).

@Suite("Admin API", .serialized)
struct AdminTests {
  /// Answers with the number of the request, to be stored.
  private static let numbered: Origin.Script = { exchange in
    exchange.answer("\(exchange.number)", "Cache-Control: max-age=600")
  }

  private static func request(_ line: String, _ fields: String = "", _ body: String = "") -> String
  {
    "\(line) HTTP/1.1\r\nHost: admin\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test("Health and statistics are JSON that nobody stores")
  func reports() async throws {
    try await withPoP(origin: Self.numbered) { pop, _ in
      for path in ["/health", "/stats", "/health?x=y"] {
        let answer = try await pop.admin(Self.request("GET \(path)"))
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer.text.contains("\"pop\""))
        let head = try await pop.admin(Self.request("HEAD \(path)"))
        #expect(head.status == 200)
      }
      #expect(try await pop.admin(Self.request("GET /health")).text.contains("\"ok\""))
    }
  }

  @Test(
    "What is not there, or not so, has its status",
    arguments: [
      (404, "GET /", ""), (404, "GET /purge/x", ""), (404, "POST /", ""),
      (405, "GET /purge", ""), (405, "DELETE /purge", ""), (405, "POST /health", "x"),
      (405, "PUT /stats", "x"), (400, "POST /purge", ""), (400, "POST /purge", "{"),
      (400, "POST /purge", "[]"), (400, "POST /purge", "{}"),
      (400, "POST /purge", #"{"scope": "url"}"#),
      (400, "POST /purge", #"{"scope": "url", "urls": []}"#),
      (400, "POST /purge", #"{"scope": "url", "urls": ["/relative"]}"#),
      (400, "POST /purge", #"{"scope": "url", "urls": ["http://a/#x"]}"#),
      (400, "POST /purge", #"{"scope": "host", "host": "a"}"#),
      (400, "POST /purge", #"{"scope": "everything", "urls": []}"#),
      (400, "POST /purge", #"{"scope": "everything", "more": 1}"#),
      (400, "POST /purge", #"{"scope": "everything", "mode": "lazy"}"#),
      (404, "GET /purges/1-1", ""), (400, "GET /purges/1", ""), (400, "GET /purges?after=x", ""),
      (405, "POST /purges", "x"), (405, "DELETE /purges/1-1", ""),
      (400, "POST /purge", #"{"scope": "everything"} x"#),
    ])
  func refusals(status: Int, line: String, body: String) async throws {
    try await withPoP(origin: Self.numbered) { pop, _ in
      let wire = try await Wire.connect(pop.server.adminAddress)
      let answer = try await wire.exchange(Self.request(line, "", body))
      #expect(answer.status == status)
      #expect(answer.text.contains("\"error\""))
      if status == 405 { #expect(answer["Allow"] != nil) }
      #expect(try await wire.exchange(Self.request("GET /health")).text.contains("\"sequence\":0"))
    }
  }

  @Test("A body over a megabyte is 413, and is not kept (RFC 9110 §15.5.14)")
  func tooLarge() async throws {
    try await withPoP(origin: Self.numbered) { pop, _ in
      let body = String(repeating: " ", count: (1 << 20) + 1)
      let answer = try await pop.purge(body)
      #expect(answer.status == 413)
    }
  }

  @Test("With a token nothing is told without it (RFC 6750 §2.1, RFC 9110 §11.6.1)")
  func token() async throws {
    let token = try AdminToken("0123456789abcdef0123456789abcdef")
    let good = "Authorization: \(token.authorization)\r\n"
    try await withPoP({ $0.token = token }, origin: Self.numbered) { pop, _ in
      let refused = [
        "", "Authorization: Bearer wrong\r\n", "Authorization: \(token.authorization)x\r\n",
        "Authorization: Basic YTpi\r\n", good + good,
      ]
      for path in ["GET /health", "GET /stats", "POST /purge", "GET /none"] {
        for fields in refused {
          let answer = try await pop.admin(Self.request(path, fields))
          #expect(answer.status == 401)
          #expect(answer["WWW-Authenticate"] == "Bearer")
        }
      }
      #expect(try await pop.admin(Self.request("GET /health", good)).status == 200)
    }
  }

  @Test("A purge of a URL takes all its variants and nothing else")
  func purgeURL() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer(
        "\(exchange.number)", "Cache-Control: max-age=600", "Vary: X-Kind", "ETag: \"a\"")
    }) { pop, _ in
      for target in ["/a", "/a?b", "/b"] {
        for kind in ["1", "2"] { _ = try await pop.get(target, "X-Kind: \(kind)") }
      }
      try await pop.waitForFills()
      let answer = try await pop.purge(url: "http://a.example/a")
      #expect(answer.status == 200)
      #expect(answer.text.contains("\"matched\":2"))
      #expect(answer.text.contains("\"sequence\":1"))
      for kind in ["1", "2"] {
        #expect(try await pop.get("/a", "X-Kind: \(kind)").cacheStatus.contains("-miss"))
        #expect(try await pop.get("/a?b", "X-Kind: \(kind)").cacheStatus.contains("; hit"))
        #expect(try await pop.get("/b", "X-Kind: \(kind)").cacheStatus.contains("; hit"))
      }
    }
  }

  @Test("A purge of everything takes everything")
  func purgeEverything() async throws {
    try await withPoP(origin: Self.numbered) { pop, _ in
      for number in 0..<20 { _ = try await pop.get("/\(number)") }
      try await pop.waitForFills()
      let answer = try await pop.purge(#"{"scope": "everything"}"#)
      #expect(answer.text.contains("\"matched\":20"))
      let memory = try await pop.statistics().memory
      #expect(memory.eviction == "size-lru")
      #expect(memory.storedResponses == 0)
      #expect(memory.bytes == 0)
    }
  }

  @Test(
    "What is on its way during a purge is not stored, nor joined afterwards", arguments: [0, 2])
  func purgeInFlight(sent: Int) async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      let policy = "Cache-Control: max-age=600\r\n"
      let head = "HTTP/1.1 200 OK\r\n\(policy)Content-Length: 4\r\n\r\n"
      if exchange.number > 1 { return exchange.send(head + "new!") }
      if sent > 0 { exchange.send(head + "ol") }
      await gate.wait()
      exchange.send(sent > 0 ? "d!" : head + "old!")
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      try await origin.waitForRequests(1)
      if sent > 0 { _ = try await wire.readHead() }
      #expect(try await pop.purge(url: "http://a.example/").status == 200)
      // While the old one is still on its way.
      #expect(try await pop.get("/").text == "new!")
      gate.open()
      if sent > 0 {
        #expect(try await wire.take(4) == ByteBuffer(string: "old!"))
      } else {
        #expect(try await wire.readResponse().text == "old!")
      }
      try await pop.waitForFills()
      let after = try await pop.get("/")
      #expect(after.text == "new!")
      #expect(after.cacheStatus.contains("; hit"))
      #expect(origin.requests.count == 2)
    }
  }

  /// Versions of what the origin has, and of what was purged.
  private final class Versions: Sendable {
    private let state = Mutex((current: 1, purged: 1))

    var current: Int {
      get { state.withLock { $0.current } }
      set { state.withLock { $0.current = newValue } }
    }

    var purged: Int {
      get { state.withLock { $0.purged } }
      set { state.withLock { $0.purged = newValue } }
    }
  }

  /// Reads until `isOver`, and counts; throws if it gets anything older than was purged before.
  /// Opens `hasBegun` once it has read something.
  private static func read(
    _ target: String, from pop: TestPoP, _ versions: Versions, hasBegun: Gate, until isOver: Gate
  ) async throws -> Int {
    let wire = try await pop.connect()
    var count = 0
    while !isOver.isOpen {
      defer { hasBegun.open() }
      let least = versions.purged
      let response = try await wire.exchange(TestPoP.request(target))
      let got = Int(response.text) ?? 0
      if got < least {
        throw WireProblem(description: "got \(got) after \(least) was acknowledged")
      }
      count += 1
    }
    return count
  }

  @Test("No request after the acknowledgement of a purge gets older bytes, on any loop")
  func purgeStress() async throws {
    let versions = Versions()
    try await withPoP(
      { $0.threads = 3 },
      origin: { exchange in
        // Read before the answer is sent, as an origin does.
        let current = versions.current
        await Task.yield()
        exchange.answer("\(current)", "Cache-Control: max-age=600")
      }
    ) { pop, _ in
      let isOver = Gate()
      let begun = (0..<6).map { _ in Gate() }
      let readers = begun.enumerated().map { number, hasBegun in
        Task {
          try await Self.read(
            "/\(number % 2)", from: pop, versions, hasBegun: hasBegun, until: isOver)
        }
      }
      defer { isOver.open() }
      try await eventually("all read") { begun.allSatisfy(\.isOpen) }
      let admin = try await Wire.connect(pop.server.adminAddress)
      for round in 2...150 {
        versions.current = round
        let body =
          round % 10 == 0
          ? #"{"scope": "everything"}"#
          : #"{"scope": "url", "urls": ["http://a.example/0", "http://a.example/1"]}"#
        let answer = try await admin.exchange(Self.request("POST /purge", "", body))
        #expect(answer.status == 200)
        versions.purged = round
      }
      isOver.open()
      for reader in readers { #expect(try await reader.value > 0) }
    }
  }

  @Test("An unsafe request invalidates what is stored for its URL (RFC 9111 §4.4)")
  func invalidation() async throws {
    try await withPoP(origin: Self.numbered) { pop, _ in
      #expect(try await pop.get("/").text == "1")
      try await pop.waitForFills()
      #expect(try await pop.get("/").text == "1")
      _ = try await pop.exchange("POST / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      #expect(try await pop.get("/").text == "3")
    }
  }
}
