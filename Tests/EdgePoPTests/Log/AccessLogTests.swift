import EdgeCache
import EdgeFleet
import Foundation
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// What of the requests of a PoP is in its access log, over sockets.

@Suite struct AccessLogTests {
  /// What of a line tests look at.
  private struct Entry: Decodable {
    var site, host, method, target, cache, detail, tier, upstream, firstLine: String?
    var client, id: String
    var status, received, sent: Int
    var ttl: Int?
    var connectMicroseconds, firstByteMicroseconds, upstreamMicroseconds: Int?
    var totalMicroseconds: Int
  }

  private static let storable: Origin.Script = { exchange in
    if exchange.request.startLine.contains("/error") {
      return exchange.answer("no", status: "500 Internal Server Error")
    }
    if exchange.request.startLine.hasPrefix("POST") { try await exchange.readContent() }
    exchange.answer("content", "Cache-Control: max-age=600")
  }

  /// Runs `body` with a PoP that logs, and returns its log.
  private static func log(
    _ change: (inout TestPoP.Setup) -> Void = { _ in }, script: @escaping Origin.Script = storable,
    _ body: (TestPoP, Origin) async throws -> Void
  ) async throws -> [String] {
    let path = "/tmp/edgecache-access-\(UInt64.random(in: 0 ... .max)).log"
    defer { unlink(path) }
    try await withPoP(
      {
        $0.accessLog = .file(path)
        change(&$0)
      }, origin: script, body)
    return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
  }

  private static func entries(
    _ change: (inout TestPoP.Setup) -> Void = { _ in }, script: @escaping Origin.Script = storable,
    _ body: (TestPoP, Origin) async throws -> Void
  ) async throws -> [Entry] {
    let lines = try await log(
      {
        $0.accessLogFormat = .json
        change(&$0)
      }, script: script, body)
    return try lines.map { try JSONDecoder().decode(Entry.self, from: Data($0.utf8)) }
  }

  @Test("JSON tells where a response came from, and how long that took")
  func outcomes() async throws {
    let entries = try await Self.entries { pop, _ in
      _ = try await pop.get("/a")
      try await pop.waitForFills()
      _ = try await pop.get("/a")
      _ = try await pop.exchange(
        "POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n12345")
      _ = try await pop.exchange("TRACE /t HTTP/1.1\r\nHost: a.example\r\n\r\n")
    }
    try #require(entries.count == 4)
    #expect(entries.map(\.cache) == ["miss", "hit", "pass", "none"])
    #expect(entries.map(\.tier) == ["upstream", "memory", "upstream", nil])
    #expect(entries.map(\.target) == ["/a", "/a", "/p", "/t"])
    #expect(entries.map(\.site) == ["default", "default", "default", nil])
    #expect(entries.map(\.received) == [0, 0, 5, 0])
    #expect(entries.map(\.sent) == [7, 7, 7, 0])
    #expect(entries.map { $0.upstream != nil } == [true, false, true, false])
    #expect(entries[0].connectMicroseconds != nil && entries[2].connectMicroseconds == nil)
    for entry in entries where entry.upstream != nil {
      let (first, all) = (entry.firstByteMicroseconds ?? -1, entry.upstreamMicroseconds ?? -1)
      #expect(0...all ~= first && all <= entry.totalMicroseconds, "\(entry)")
    }
    #expect(Set(entries.map(\.id)).count == 4 && entries.allSatisfy { $0.id.count == 32 })
  }

  @Test("Requests that are malformed, late or left have lines, once each")
  func refusals() async throws {
    let entries = try await Self.entries(
      { $0.limits.head = .milliseconds(200) },
      script: { exchange in
        if exchange.request.startLine.contains("/slow") { try await Task.sleep(for: .seconds(600)) }
        exchange.answer("a")
      }
    ) { pop, origin in
      for text in [
        "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%41\u{FF} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: " + String(repeating: "a", count: 40_000) + "\r\n\r\n",
        "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /late HTTP/1.1\r\nHost: a\r\n",
      ] {
        let wire = try await pop.connect()
        wire.send(text)
        _ = try await wire.takeRest()
        await wire.close()
      }
      let wire = try await pop.connect()
      wire.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
      try await eventually("the request at the origin") {
        origin.requests.contains { $0.startLine.contains("/slow") }
      }
      await wire.reset()
      try await eventually("that it was noticed") {
        try await pop.statistics().openConnections == 0
      }
    }
    #expect(entries.map(\.status) == [400, 400, 414, 431, 400, 408, 499])
    #expect(entries[0].firstLine == "GET /x y HTTP/1.1" && entries[0].target == nil)
    #expect(entries[1].firstLine == "GET /%41\u{FF} HTTP/1.1")
    #expect(entries[2].firstLine?.count == 1024)
    #expect(entries[4].target == "/chunks" && entries[4].firstLine == nil)
    #expect(entries[5].firstLine == "GET /late HTTP/1.1")
    #expect(entries[6].target == "/slow" && entries[6].sent == 0)
  }

  @Test("A share of the requests, and all errors and refusals")
  func sample() async throws {
    let lines = try await Self.log({ $0.accessLogSample = 0.25 }) { pop, _ in
      for _ in 0..<40 { _ = try await pop.get("/a") }
      for _ in 0..<3 { _ = try await pop.get("/error") }
      _ = try await pop.exchange("GET / HTTP/9.9\r\n\r\n")
      _ = try await pop.exchange("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
    }
    #expect(lines.count { $0.contains("GET /a ") } == 10)
    #expect(lines.count { $0.contains("\" 500 ") } == 3)
    #expect(lines.count { $0.contains("\" 505 ") || $0.contains("\" 405 ") } == 2)
  }

  @Test("With the host before it")
  func host() async throws {
    let lines = try await Self.log({ $0.accessLogFormat = .vhostCombined }) { pop, _ in
      _ = try await pop.get("/a")
      try await pop.waitForFills()
      _ = try await pop.get("/a")
      _ = try await pop.exchange("nonsense\r\n\r\n")
    }
    #expect(
      lines.map { $0.prefix { $0 != "[" } } == [
        "a.example:80 127.0.0.1 - - ", "a.example:80 127.0.0.1 - - ", "- 127.0.0.1 - - ",
      ])
  }

  @Test(
    "A request goes upstream under the name that the log has, which a believed proxy may give it")
  func requestIDs() async throws {
    for isBelieved in [true, false] {
      var seen: [String?] = []
      let proxies = try ["127.0.0.1"].map { try AddressRange(parsing: $0) }
      let entries = try await Self.entries({
        if isBelieved { $0.trustedProxies = proxies }
      }) { pop, origin in
        for id in ["from-proxy-1", "has blank", String(repeating: "a", count: 129), "b\u{FF}", ""] {
          _ = try await pop.get("/\(seen.count)", "X-Request-ID: \(id)")
          seen.append(origin.requests.last?["X-Request-ID"])
        }
        _ = try await pop.get("/\(seen.count)", "X-Request-ID: a", "X-Request-ID: b")
        seen.append(origin.requests.last?["X-Request-ID"])
        try await pop.waitForFills()
        // A hit has one, too.
        _ = try await pop.get("/0", "X-Request-ID: from-proxy-2")
      }
      try #require(entries.count == 7)
      #expect(entries.map(\.id).dropLast() == seen.map { $0 ?? "none" }[...])
      #expect((entries[0].id == "from-proxy-1") == isBelieved)
      #expect((entries[6].id == "from-proxy-2") == isBelieved && entries[6].cache == "hit")
      for entry in isBelieved ? entries[1..<6] : entries[...] {
        #expect(entry.id.wholeMatch(of: /[0-9a-f]{32}/) != nil, "\(entry.id)")
      }
    }
  }

  @Test("A file that was moved away is opened anew, and no line is lost")
  func rotation() async throws {
    let path = "/tmp/edgecache-access-\(UInt64.random(in: 0 ... .max)).log"
    defer { for name in [path, path + ".1"] { unlink(name) } }
    try await withPoP({ $0.accessLog = .file(path) }, origin: Self.storable) { pop, _ in
      for number in 0..<10 { _ = try await pop.get("/a\(number)") }
      rename(path, path + ".1")
      #expect(pop.server.reopenLogs())
      for number in 10..<20 { _ = try await pop.get("/a\(number)") }
    }
    let lines = try [path + ".1", path].flatMap {
      try String(contentsOfFile: $0, encoding: .utf8).split(separator: "\n")
    }
    for number in 0..<20 { #expect(lines.count { $0.contains("GET /a\(number) ") } == 1) }
    #expect(lines.count == 20)
  }
}
