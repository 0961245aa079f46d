import EdgeCache
import EdgeFleet
import Foundation
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// What a PoP ends itself is logged as that, with what is known of the request: not as if its client had left, and not
// as if all had been well.

@Suite(.serialized) struct CutRequestTests {
  /// What of a line tests look at.
  private struct Entry: Decodable {
    var site, target, cache, detail, upstream: String?
    var status, received, sent: Int
    var totalMicroseconds: Int
  }

  /// Runs `body` with a PoP that logs, and returns the entries.
  private static func entries(
    _ change: (inout TestPoP.Setup) -> Void = { _ in }, script: @escaping Origin.Script,
    _ body: (TestPoP, Origin) async throws -> Void
  ) async throws -> [Entry] {
    let path = "/tmp/edgecache-cut-\(UInt64.random(in: 0 ... .max)).log"
    defer { unlink(path) }
    try await withPoP(
      {
        $0.accessLog = .file(path)
        $0.accessLogFormat = .json
        change(&$0)
      }, origin: script, body)
    return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Entry.self, from: Data($0.utf8))
    }
  }

  @Test("Whoever waits for a head at the end of a drain gets 503, and the log says why")
  func waiting() async throws {
    for method in ["GET", "POST", "HEAD"] {
      let entries = try await Self.entries(
        { $0.limits.drain = .milliseconds(400) }, script: { _ = try await $0.wire.waitForEnd() }
      ) { pop, origin in
        let wire = try await pop.connect()
        wire.send("\(method) /wait HTTP/1.1\r\nHost: a.example\r\n\r\n")
        try await origin.waitForRequests(1)
        await pop.beginShutdown()
        let head = try await wire.readHead()
        #expect(head.status == 503)
        #expect(head["Connection"] == "close")
        #expect(head["Retry-After"] == "1")
        #expect(head.cacheStatus.contains("detail=draining"))
        let rest = try await wire.takeRest()
        #expect(rest.isEmpty == (method == "HEAD"))
        #expect(wire.end == .finished)
      }
      try #require(entries.count == 1)
      #expect(entries[0].status == 503 && entries[0].detail == "draining")
      #expect(entries[0].target == "/wait" && entries[0].site == "default")
      #expect(entries[0].upstream != nil && entries[0].totalMicroseconds > 0)
    }
  }

  @Test("A download that the end of a drain cuts says so", arguments: ["no-store", "max-age=60"])
  func downloads(control: String) async throws {
    let entries = try await Self.entries(
      { $0.limits.drain = .milliseconds(400) },
      script: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: \(control)\r\nContent-Length: 10\r\n\r\nabc")
        _ = try await exchange.wire.waitForEnd()
      }
    ) { pop, origin in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/half"))
      #expect(try await wire.readHead().status == 200)
      await pop.beginShutdown()
      #expect(try await wire.waitForEnd() == .broken)
    }
    try #require(entries.count == 1)
    #expect(entries[0].status == 200 && entries[0].detail == "draining")
  }

  @Test("A client that does not read is logged with the limit that closed it")
  func clientTimeout() async throws {
    let entries = try await Self.entries(
      { $0.limits.clientStall = .milliseconds(200) },
      script: { exchange in
        exchange.send(
          "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 99999999\r\n\r\n")
        exchange.wire.send(Pattern.bytes(32 << 20))
        _ = try await exchange.wire.waitForEnd()
      }
    ) { pop, _ in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(TestPoP.request("/long"))
      try await eventually("that it is closed") {
        try await pop.statistics().limits["clientStall"] == 1
      }
    }
    try #require(entries.count == 1)
    #expect(entries[0].status == 200 && entries[0].detail == "client-timeout")
  }

  @Test(
    "A stored response that its client does not take is logged when it is over, with what ended it")
  func storedResponse() async throws {
    for detail in ["client-timeout", "draining"] {
      let entries = try await Self.entries(
        {
          $0.limits.clientStall = detail == "draining" ? .seconds(60) : .milliseconds(300)
          $0.limits.drain = .milliseconds(400)
        },
        script: { exchange in
          exchange.send(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: \(12 << 20)\r\n\r\n")
          exchange.wire.send(Pattern.bytes(12 << 20))
        }
      ) { pop, _ in
        #expect(try await pop.get("/large").status == 200)
        try await pop.waitForFills()
        let wire = try await pop.connect(receiveBuffer: 32 << 10)
        try await wire.pause()
        wire.send(TestPoP.request("/large"))
        if detail == "draining" {
          try await eventually("the request") {
            try await pop.statistics().bytesReceived >= 2 * TestPoP.request("/large").utf8.count
          }
          await pop.beginShutdown()
          try await pop.waitForEnd()
        } else {
          try await eventually("that it is closed") {
            try await pop.statistics().limits["clientStall"] == 1
          }
        }
      }
      try #require(entries.count == 2)
      #expect(entries.map(\.detail) == [nil, detail])
      #expect(entries.map(\.cache) == ["miss", "hit"])
      #expect(entries.map(\.status) == [200, 200])
    }
  }

  @Test("A request that is refused within its content has what is known of it in the log")
  func withinContent() async throws {
    for (fields, content, status, detail, received) in [
      ("Content-Length: 10", "abc", 408, "request-content-timeout", 3),
      ("Transfer-Encoding: chunked", "14\r\n01234567890123456789\r\n", 413, "largest-request", 20),
      ("Content-Length: 2000", "", 413, "largest-request", 0),
    ] {
      let entries = try await Self.entries(
        {
          $0.limits.contentStall = .milliseconds(status == 408 ? 200 : 60_000)
          $0.limits.largestRequest = 10
        },
        script: { exchange in
          try await exchange.readContent()
          exchange.answer("ok")
        }
      ) { pop, origin in
        let wire = try await pop.connect()
        wire.send("POST /up HTTP/1.1\r\nHost: a.example\r\n\(fields)\r\n\r\n")
        if !content.isEmpty { try await eventually("a connection") { origin.wires.count == 1 } }
        wire.send(content)
        let response = try await wire.readResponse()
        #expect(response.status == status)
        #expect(response.cacheStatus.contains("detail=\(detail)"))
      }
      try #require(entries.count == 1)
      let entry = entries[0]
      #expect(entry.status == status && entry.detail == detail)
      #expect(entry.site == "default" && entry.target == "/up")
      #expect(entry.received == received, "\(entry)")
      #expect(entry.totalMicroseconds > 0)
      if received > 0 { #expect(entry.upstream != nil && entry.cache == "pass", "\(entry)") }
    }
  }

  @Test("A head that does not come to its end has its limit in the log")
  func head() async throws {
    let entries = try await Self.entries(
      { $0.limits.head = .milliseconds(200) }, script: { $0.answer("ok") }
    ) { pop, _ in
      let wire = try await pop.connect()
      wire.send("GET / HTTP/1.1\r\n")
      #expect(try await wire.readResponse().status == 408)
    }
    #expect(entries.map(\.detail) == ["request-head-timeout"])
  }

  @Test("Each token of an interruption is in docs/operations.md")
  func documented() throws {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let text = try String(contentsOfFile: "/\(root)/docs/operations.md", encoding: .utf8)
    let limits = try String(contentsOfFile: "/\(root)/docs/limits.md", encoding: .utf8)
    for limit in ReachedLimit.allCases {
      guard let interruption = limit.interruption else { continue }
      let row = "| `\(limit.rawValue)` | `\(interruption.rawValue)` |"
      #expect(limits.contains(row), "\(row)")
    }
    for interruption in Interruption.allCases {
      #expect(text.contains("| `\(interruption.rawValue)` |"), "\(interruption.rawValue)")
    }
  }
}
