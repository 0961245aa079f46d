import EdgeCache
import EdgeFleet
import Foundation
import NIOCore
import Seeds
import Testing

@testable import EdgePoP

// Lines of the access log as tables of bytes: what came, and the line that is made of it.

@Suite struct AccessLogLineTests {
  private static let date = block("24/Nov/2026:09:15:02 +0000")
  private static let start = "192.0.2.7 - - [24/Nov/2026:09:15:02 +0000] "
  private static let iso = (second: block("2026-11-24T09:15:02"), fraction: Int64(42))

  private static func block(_ text: String) -> LogBlock {
    let block = LogBlock(capacity: 64)
    block.put(text: text)
    return block
  }

  private static func head(_ text: [UInt8]) throws -> RequestHead {
    var parser = RequestParser()
    guard case .head(let head, _) = try parser.parse(ByteBuffer(bytes: text)) else {
      throw WireProblem(description: "not a whole head")
    }
    return head
  }

  private static func served(
    _ code: Int = 200, _ status: CacheStatus = .hit(ttl: 300), content: Int = 5120
  ) -> ServedRequest {
    var served = ServedRequest()
    served.begin(Instant(milliseconds: 1_795_511_702_007))
    served.began(code, status)
    served.contentBytes = content
    served.startedMicroseconds = 1_795_511_702_007_042
    return served
  }

  private static var line: AccessLogLine {
    var line = AccessLogLine(
      client: "192.0.2.7", cacheName: Array("EdgeCache-sin1".utf8),
      finished: Instant(milliseconds: 1_795_511_702_010))
    line.finishedMicroseconds = 1_795_511_702_010_000
    return line
  }

  private static func combined(_ head: [UInt8], _ served: ServedRequest) throws -> String {
    let block = LogBlock(capacity: 1 << 20)
    line.writeCombined(served, try Self.head(head), date, to: block)
    return block.text
  }

  /// Heads, and what stands between the time and the end.
  private static let rows: [(head: String, line: String)] = [
    (
      "GET /a.js?v=2 HTTP/1.1|Host: a|User-Agent: curl/8.5.0",
      #""GET /a.js?v=2 HTTP/1.1" 200 5120 "-" "curl/8.5.0""#
    ),
    ("GET / HTTP/1.0", #""GET / HTTP/1.0" 200 5120 "-" "-""#),
    ("GET http://a HTTP/1.1|Host: a", #""GET / HTTP/1.1" 200 5120 "-" "-""#),
    ("GET http://a?b HTTP/1.1|Host: a", #""GET /?b HTTP/1.1" 200 5120 "-" "-""#),
    ("OPTIONS * HTTP/1.1|Host: a", #""OPTIONS * HTTP/1.1" 200 5120 "-" "-""#),
    (
      "GET /\"]%0a\\x HTTP/1.1|Host: a|Referer: \" 200 1 \"-\"|User-Agent: \\\"",
      #""GET /\x22]%0a\x5Cx HTTP/1.1" 200 5120 "\x22 200 1 \x22-\x22" "\x5C\x22""#
    ),
    (
      "GET / HTTP/1.1|Host: a|User-Agent: a\tb\u{FF}é",
      #""GET / HTTP/1.1" 200 5120 "-" "a\x09b\xC3\xBF\xC3\xA9""#
    ),
    // The first of each.
    (
      "GET / HTTP/1.1|Host: a|user-agent: a|USER-AGENT: b|referer: c|Referer: d",
      #""GET / HTTP/1.1" 200 5120 "c" "a""#
    ),
    ("M-SEARCH / HTTP/1.1|Host: a|User-Agent:", #""M-SEARCH / HTTP/1.1" 200 5120 "-" """#),
  ]

  private static func bytes(_ text: String) -> [UInt8] {
    Array((text.split(separator: "|").joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  @Test("The combined log format, and two columns", arguments: rows.indices)
  func combined(index: Int) throws {
    let row = Self.rows[index]
    let written = try Self.combined(Self.bytes(row.head), Self.served())
    #expect(written == Self.start + row.line + " 3ms \"EdgeCache-sin1; hit; ttl=300\"\n")
  }

  @Test("What is no UTF-8 is told byte by byte")
  func invalid() throws {
    let head =
      Array("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: ".utf8) + [0x80, 0xC0, 0xFF, 13, 10, 13, 10]
    let written = try Self.combined(head, Self.served())
    #expect(written.contains(#""-" "\x80\xC0\xFF" 3ms"#), "\(written)")
  }

  @Test("The longest fields have room")
  func long() throws {
    let agent = [UInt8](repeating: 0xFF, count: 8_000)
    let head =
      Array("GET /\(String(repeating: "\"", count: 8000)) HTTP/1.1\r\nHost: a\r\nUser-Agent: ".utf8)
      + agent + Array("\r\nReferer: ".utf8) + agent + [13, 10, 13, 10]
    let written = try Self.combined(head, Self.served())
    #expect(written.utf8.count { $0 == 10 } == 1)
    #expect(written.contains(String(repeating: #"\x22"#, count: 8000) + " HTTP"))
    #expect(written.components(separatedBy: String(repeating: #"\xFF"#, count: 8_000)).count == 3)
  }

  @Test("The last column is what Cache-Status says")
  func statuses() throws {
    for forward in ForwardReason.allCases.map(Optional.some) + [nil] {
      for details in [nil, CacheStatusDetail.loop, .failed(.closed), .refused(.noStore)] {
        for bits in 0..<32 {
          var status = CacheStatus()
          (status.forward, status.detail) = (forward, details)
          status.isHit = bits & 1 != 0
          status.isStored = bits & 2 != 0
          status.isCollapsed = bits & 4 != 0
          if bits & 8 != 0 { status.ttl = -7 }
          if bits & 16 != 0 { status.forwardStatus = 304 }
          let written = try Self.combined(
            Self.bytes("GET / HTTP/1.1|Host: a"), Self.served(200, status))
          let expected = status.text(name: Array("EdgeCache-sin1".utf8))
          #expect(written.hasSuffix("3ms \"\(expected)\"\n"), "\(written)")
        }
      }
    }
  }

  @Test(
    "The host stands before it, always with a port",
    arguments: [
      ("Host: a.example", false, "a.example:80"), ("Host: a.example", true, "a.example:443"),
      ("Host: A.example:8080", false, "A.example:8080"), ("Host: [::1]", false, "[::1]:80"),
      ("Host: [::1]:81", true, "[::1]:81"),
      ("Host: a.example:", false, "a.example:80"), ("Host: [::1]:", true, "[::1]:443"),
      ("Via: x", false, "-"),
    ])
  func host(field: String, isSecure: Bool, expected: String) throws {
    let version = field == "Via: x" ? "1.0" : "1.1"
    let block = LogBlock(capacity: 4096)
    var line = Self.line
    line.isSecure = isSecure
    line.writeHost(try Self.head(Self.bytes("GET / HTTP/\(version)|\(field)")), to: block)
    #expect(block.text == expected + " ")
  }

  @Test("What is no request has its first line, whatever bytes came")
  func malformed() {
    for (line, expected) in [
      ([], "-"), (Array("GET /x y HTTP/1.1".utf8), "GET /x y HTTP/1.1"),
      ([0x16, 0x03, 0x01, 0, 0xFF, 0x22], #"\x16\x03\x01\x00\xFF\x22"#),
    ] as [([UInt8], String)] {
      var served = Self.served(400, CacheStatus(), content: 0)
      served.firstLine = line
      let block = LogBlock(capacity: 4096)
      Self.line.writeCombined(served, Self.date, to: block)
      #expect(
        block.text == Self.start + "\"\(expected)\" 400 0 \"-\" \"-\" 3ms \"EdgeCache-sin1\"\n")
    }
  }

  // MARK: JSON

  private struct Entry: Decodable, Equatable {
    var time: String
    var site: String?
    var host: String?
    var client: String
    var id: String
    var method, target, `protocol`, tls: String?
    var status: Int
    var cache: String
    var detail, forward: String?
    var forwardStatus: Int?
    var stored: Bool
    var tier: String?
    var ttl: Int?
    var upstream: String?
    var connectMicroseconds, firstByteMicroseconds, upstreamMicroseconds: Int?
    var totalMicroseconds, received, sent: Int
    var referer, userAgent, firstLine: String?
  }

  private static let keys: Set = [
    "time", "site", "host", "client", "id", "method", "target", "protocol", "tls", "status",
    "cache",
    "detail", "forward", "forwardStatus", "stored", "tier", "ttl", "upstream",
    "connectMicroseconds", "firstByteMicroseconds", "upstreamMicroseconds", "totalMicroseconds",
    "received", "sent", "referer", "userAgent", "firstLine",
  ]

  private static func entry(_ block: LogBlock) throws -> Entry {
    let text = block.text
    #expect(
      text.hasSuffix("}\n") && text.utf8.allSatisfy { $0 == 10 || (0x20..<0x7F).contains($0) })
    let data = Data(text.utf8)
    let members = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    #expect(members.map { Set($0.keys) } == keys)
    return try JSONDecoder().decode(Entry.self, from: data)
  }

  @Test("JSON tells all of a hit")
  func hit() throws {
    let block = LogBlock(capacity: 8192)
    var line = Self.line
    (line.site, line.id) = ("shop", nil)
    var source = RequestIDSource(1, 2)
    let head = try Self.head(Self.bytes("GET /a?b HTTP/1.1|Host: a.example|User-Agent: x"))
    line.id = RequestID(of: head, isBelieved: false, from: &source)
    line.writeJSON(Self.served(), head, Self.iso, to: block)
    #expect(
      try Self.entry(block)
        == Entry(
          time: "2026-11-24T09:15:02.000042Z", site: "shop", host: "a.example",
          client: "192.0.2.7", id: "910a2dec89025cc1975835de1c9756ce", method: "GET",
          target: "/a?b", protocol: "HTTP/1.1", tls: nil,
          status: 200, cache: "hit", detail: nil, forward: nil, forwardStatus: nil, stored: false,
          tier: "memory", ttl: 300, upstream: nil, connectMicroseconds: nil,
          firstByteMicroseconds: nil, upstreamMicroseconds: nil, totalMicroseconds: 2958,
          received: 0, sent: 5120, referer: nil, userAgent: "x", firstLine: nil))
  }

  @Test("JSON tells all of a forwarded request")
  func forwarded() throws {
    let block = LogBlock(capacity: 8192)
    var line = Self.line
    var times = UpstreamTimes()
    (times.upstream, times.began, times.connecting, times.connected) = (0, 1000, 1010, 1110)
    (times.sent, times.answered, times.ended) = (1120, 2120, 3000)
    line.upstream = .init(authority: "10.0.0.1:3000", times: times)
    var status = CacheStatus.forwarded(.stale)
    status.forwardStatus = 304
    status.detail = .failed(.closed)
    let head = try Self.head(
      Self.bytes("POST / HTTP/1.1|Host: a|X-Request-ID: abc\"1|Content-Length: 7"))
    var source = RequestIDSource(1, 2)
    line.id = RequestID(of: head, isBelieved: true, from: &source)
    var served = Self.served(200, status)
    served.requestBytes = 7
    line.writeJSON(served, head, Self.iso, to: block)
    let entry = try Self.entry(block)
    #expect(entry.id == "abc\"1" && entry.upstream == "10.0.0.1:3000")
    #expect(entry.connectMicroseconds == 100 && entry.firstByteMicroseconds == 1000)
    #expect(entry.upstreamMicroseconds == 2000 && entry.received == 7)
    #expect(entry.cache == "validated" && entry.forward == "stale" && entry.tier == "upstream")
    #expect(entry.detail == "upstream-closed" && entry.forwardStatus == 304)
  }

  @Test("JSON is JSON whatever bytes came, and they can be told from it")
  func hostile() throws {
    var random = SeededRandom(seed: 3)
    for _ in 0..<300 {
      func text(_ allowed: (UInt8) -> Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...40, using: &random) {
          let byte = UInt8.random(in: 0...255, using: &random)
          if allowed(byte) { bytes.append(byte) }
        }
        return bytes
      }
      let target = text { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }
      let field = { ($0 as UInt8) > 0x20 && $0 != 0x7F }
      let (referer, agent) = (text(field), text(field))
      let head =
        Array("GET /".utf8) + target + Array(" HTTP/1.1\r\nHost: a\r\nReferer: ".utf8) + referer
        + Array("\r\nUser-Agent: ".utf8) + agent + [13, 10, 13, 10]
      let block = LogBlock(capacity: 8192)
      Self.line.writeJSON(Self.served(), try Self.head(head), Self.iso, to: block)
      let entry = try Self.entry(block)
      #expect(entry.target.map { Array($0.utf8) } == [0x2F] + target)
      #expect(entry.referer?.unicodeScalars.map { UInt8($0.value) } == referer)
      #expect(entry.userAgent?.unicodeScalars.map { UInt8($0.value) } == agent)

      var served = Self.served(400, CacheStatus())
      served.firstLine = text { _ in true }
      let other = LogBlock(capacity: 8192)
      Self.line.writeJSON(served, Self.iso, to: other)
      let line = try Self.entry(other).firstLine
      #expect(line?.unicodeScalars.map { UInt8($0.value) } == served.firstLine)
    }
  }

  @Test("What a line has of its own has room, with the longest of everything")
  func room() throws {
    let names = String(repeating: "n", count: 64)
    var line = AccessLogLine(
      client: "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", cacheName: Array(names.utf8),
      finished: Instant(milliseconds: .max / 4))
    line.site = names
    var times = UpstreamTimes()
    (times.upstream, times.began, times.connecting, times.connected) = (
      0, .min / 4, .min / 4, .max / 4
    )
    (times.sent, times.answered, times.ended) = (.min / 4, .max / 4, .max / 4)
    line.upstream = .init(authority: names, times: times)
    line.finishedMicroseconds = .max / 4
    var source = RequestIDSource(1, 2)
    let head = try Self.head(Self.bytes("GET / HTTP/1.0"))
    line.id = RequestID(of: head, isBelieved: false, from: &source)
    let details =
      StorageRefusal.allCases.map(CacheStatusDetail.refused)
      + UpstreamFailure.allCases.map(CacheStatusDetail.failed) + [.staleWhileRevalidate]
    for detail in details {
      var status = CacheStatus.forwarded(.varyMiss)
      (status.detail, status.ttl, status.forwardStatus) = (detail, .min, .min)
      (status.isHit, status.isStored, status.isCollapsed) = (true, true, true)
      var served = Self.served(.min, status, content: .min)
      (served.requestBytes, served.startedMicroseconds) = (.min, .min / 4)
      let most = LoopLog.mostFixed + 3 * names.utf8.count
      for format in 0..<4 {
        let block = LogBlock(capacity: 1 << 16)
        switch format {
        case 0: line.writeCombined(served, head, Self.date, to: block)
        case 1: line.writeCombined(served, Self.date, to: block)
        case 2: line.writeJSON(served, head, Self.iso, to: block)
        default: line.writeJSON(served, Self.iso, to: block)
        }
        #expect(block.count + 64 < most)
      }
    }
  }

  @Test("A long head needs room for what is in its line, and for no more")
  func longHeads() throws {
    func long(_ text: String, _ count: Int = 8000) -> String {
      String(repeating: text, count: count)
    }
    // Heads, and about how much of them is in the line.
    let rows: [(head: String, bytes: Int)] = [
      ("GET / HTTP/1.1|Host: a", 0),
      ("GET / HTTP/1.1|Host: a|Cookie: \(long("c"))|Cookie: \(long("d"))|X: \(long("e"))", 0),
      ("GET /\(long("x")) HTTP/1.1|Host: a|Cookie: \(long("c"))", 8000),
      ("GET / HTTP/1.1|Host: \(long("hh.", 66))a|Cookie: \(long("c"))", 199),
      ("GET / HTTP/1.1|Host: a|Referer: \(long("\""))|User-Agent: \(long("\""))", 16_000),
      ("GET / HTTP/1.1|Host: a|Referer: a|Referer: \(long("\""))", 0),
      ("GET / HTTP/1.1|Host: a|X-Request-ID: \(long("\"", 128))", 0),
    ]
    for row in rows {
      let head = try Self.head(Self.bytes(row.head))
      let most = AccessLogLine.bytes(of: head)
      #expect((row.bytes..<(row.bytes + 150)).contains(most), "\(row.head.prefix(40)): \(most)")
      var (line, source) = (Self.line, RequestIDSource(1, 2))
      line.id = RequestID(of: head, isBelieved: true, from: &source)
      let capacity = LoopLog.mostFixed + LogBlock.mostForByte * (most + 64)
      for isJSON in [false, true] {
        // More would be a trap.
        let block = LogBlock(capacity: capacity)
        if isJSON {
          line.writeJSON(Self.served(), head, Self.iso, to: block)
        } else {
          line.writeHost(head, to: block)
          line.writeCombined(Self.served(), head, Self.date, to: block)
        }
        #expect(block.lines == 1)
      }
    }
  }

  @Test(
    "A share of lines is every so manieth",
    arguments: [(0.0, 0), (0.001, 1), (0.25, 250), (0.5, 500), (0.999, 999), (1.0, 1000)])
  func sample(share: Double, expected: Int) {
    var sampler = LogSampler(share: share)
    let count = (0..<1000).count { _ in sampler.takes() }
    #expect(abs(count - expected) <= 1)
    if share == 0 || share == 1 { #expect(count == expected) }
  }
}
