import EdgeCache
import Testing

@testable import edge_load

/// What a Cache-Status member says.
private func outcome(_ member: String) -> CacheOutcome {
  let bytes = Array(member.utf8)
  return CacheOutcome(member: bytes.span)
}

@Suite("Cache-Status")
struct CacheOutcomeTests {
  @Test(
    "One member",
    arguments: [
      ("us; hit", CacheOutcome.hit), ("us;hit;ttl=30", .hit), ("us; ttl=3; hit=?1", .hit),
      ("us; hit=?0", .unstated), ("us; fwd=uri-miss; stored", .uriMiss),
      ("us; fwd=stale; fwd-status=304", .stale), ("us; fwd=bypass", .bypass),
      ("us; fwd=method", .method), ("us; fwd=vary-miss", .varyMiss), ("us; fwd=miss", .miss),
      ("us; fwd=request", .request), ("us; fwd=partial", .partial),
      ("us; fwd=moon", .otherForward), ("us", .unstated), ("", .unstated),
      ("us; fwd-status=200", .unstated), ("us; key=\"a; hit\"; fwd=miss", .miss),
      ("\"a;hit\"; detail=\"; hit\"", .unstated), ("hit; fwd=miss", .miss), ("us; hits", .unstated),
    ])
  func members(text: String, expected: CacheOutcome) {
    #expect(outcome(text) == expected)
  }

  @Test("The last member counts, over all field lines")
  func lastMember() throws {
    let head =
      "HTTP/1.1 200 OK\r\nCache-Status: shield; hit\r\nCache-Status: x; hit, us; fwd=stale\r\n"
      + "Content-Length: 0\r\n\r\n"
    var parser = ResponseParser()
    guard case .head(let parsed, _) = try parser.parse(.init(string: head), toHead: false) else {
      Issue.record("the head is complete")
      return
    }
    #expect(CacheOutcome(parsed.fields) == .stale)
    #expect(CacheOutcome(FieldSection()) == .absent)
  }

  @Test("Labels are told apart, and every RFC 9211 reason is a forward")
  func labels() {
    #expect(Set(CacheOutcome.allCases.map(\.label)).count == CacheOutcome.allCases.count)
    #expect(CacheOutcome.allCases.filter(\.isForward).count == 9)
  }
}

private func response(_ status: Int, _ outcome: CacheOutcome) -> ResponseSummary {
  ResponseSummary(status: status, outcome: outcome, contentBytes: 10)
}

@Suite("Load report")
struct LoadReportTests {
  private func plan() throws -> LoadPlan {
    LoadPlan(targets: [try LoadTarget(url: "http://a:81/x")], connections: 3)
  }

  private func tally() -> LoadTally {
    var tally = LoadTally()
    for number in 1...60 {
      tally.record(response(200, .hit), nanoseconds: Int64(number) * 1000)
    }
    for _ in 0..<20 { tally.record(response(200, .uriMiss), nanoseconds: 1_000_000) }
    for _ in 0..<10 { tally.record(response(304, .stale), nanoseconds: 2_000_000) }
    for _ in 0..<10 { tally.record(response(404, .absent), nanoseconds: 3_000_000) }
    tally.bytes = 5000
    return tally
  }

  @Test("Counts, rates and ratio")
  func arithmetic() throws {
    let report = LoadReport(tally(), plan: try plan(), seconds: 2)
    #expect(report.requests == 100)
    #expect(report.requestsPerSecond == 50)
    #expect(report.bytesPerSecond == 2500)
    #expect(report.statusClasses == ["2xx": 80, "3xx": 10, "4xx": 10])
    #expect(report.cache.hits == 60)
    #expect(report.cache.forwarded == ["uri-miss": 20, "stale": 10])
    #expect(report.cache.noCacheStatus == 10)
    // Of the 90 responses that say anything; the others cannot count against a cache.
    #expect(report.cache.hitRatio == 60.0 / 90)
    #expect(report.targets == ["http://a:81/x"])
    #expect(report.isClean)
  }

  @Test("Latencies by outcome")
  func latencies() throws {
    let latency = LoadReport(tally(), plan: try plan(), seconds: 2).latencyMicroseconds
    #expect(latency["all"]?.count == 100)
    #expect(latency["hit"]?.count == 60)
    #expect(latency["forwarded"]?.count == 30)
    let hit = try #require(latency["hit"])
    #expect(abs(hit.min - 1) < 0.01)
    #expect(abs(hit.p50 - 30) < 0.1)
    #expect(abs(hit.max - 60) < 0.1)
    #expect(abs(hit.mean - 30.5) < 0.1)
    let forwarded = try #require(latency["forwarded"])
    #expect(abs(forwarded.p90 - 2000) < 3)
  }

  @Test("Tallies of several loops add up")
  func addition() throws {
    var sum = tally()
    sum.record(.timeout)
    var other = tally()
    other.record(.unsent, count: 4)
    sum.add(other)
    let report = LoadReport(sum, plan: try plan(), seconds: 2)
    #expect(report.requests == 200)
    #expect(report.bytes == 10_000)
    #expect(report.latencyMicroseconds["hit"]?.count == 120)
    #expect(report.errors == ["timeout": 1, "unsent": 4])
    #expect(!report.isClean)
  }

  @Test("Nothing, errors, 5xx and unknown classes are not clean")
  func clean() throws {
    let plan = try plan()
    #expect(!LoadReport(LoadTally(), plan: plan, seconds: 0).isClean)
    for status in [500, 503, 700, 99] {
      var tally = LoadTally()
      tally.record(response(status, .hit), nanoseconds: 1)
      #expect(!LoadReport(tally, plan: plan, seconds: 1).isClean, "status \(status)")
    }
  }

  @Test("An absurd latency is kept at the longest one, a negative one at zero")
  func clamped() {
    var tally = LoadTally()
    tally.record(response(200, .hit), nanoseconds: .max)
    tally.record(response(200, .hit), nanoseconds: -5)
    #expect(tally.latency { _ in true }.totalCount == 2)
  }

  @Test("Text is aligned and leaves out zeros")
  func text() throws {
    let text = ReportText(report: LoadReport(tally(), plan: try plan(), seconds: 2)).text
    #expect(text.contains("target  http://a:81/x\n3 connections, closed loop, 2.00 s\n"))
    #expect(text.contains("hit ratio"))
    #expect(text.contains("66.7 %"))
    #expect(!text.contains("errors"))
    #expect(!text.split(separator: "\n").contains { $0.hasSuffix(" ") })
  }

  @Test("JSON can be read back")
  func json() throws {
    let json = try LoadReport(tally(), plan: try plan(), seconds: 2).json()
    #expect(json.contains("\"requests\" : 100"))
    #expect(json.contains("\"hitRatio\" : 0.66"))
    #expect(json.hasSuffix("}\n"))
  }

  @Test("Numbers in the unit that fits")
  func units() {
    #expect(ReportText.microseconds(12.4) == "12 us")
    #expect(ReportText.microseconds(1234) == "1.23 ms")
    #expect(ReportText.microseconds(2_500_000) == "2.50 s")
    #expect(ReportText.bytes(512) == "512 B")
    #expect(ReportText.bytes(1536) == "1.5 KiB")
    #expect(ReportText.percent(0.0666) == "6.7 %")
    #expect(ReportText.number(3.999, digits: 2) == "4.00")
    // What is rounded up is told in the next unit.
    #expect(ReportText.microseconds(999.7) == "1.00 ms")
    #expect(ReportText.microseconds(999_999) == "1.00 s")
    #expect(ReportText.microseconds(125_000_000) == "2 min 5 s")
    #expect(ReportText.bytes(1_048_575) == "1.0 MiB")
    #expect(ReportText.bytes(1023.7) == "1.0 KiB")
    #expect(ReportText.percent(0) == "0.0 %" && ReportText.percent(1) == "100.0 %")
    #expect(ReportText.percent(0.0001) == "<0.1 %" && ReportText.percent(0.9999) == ">99.9 %")
    let rates: [(Double, String)] = [
      (0, "0"), (0.0001, "0.0001"), (0.5, "0.5000"), (1, "1.00"), (9.999, "10.0"), (50, "50.0"),
      (99.99, "100"), (40_682.4, "40682"), (0.000_01, "<0.0001"),
    ]
    let asked: [(Double, String)] = [
      (0.0001, "0.0001"), (0.5, "0.5"), (5, "5"), (100, "100"), (1234.5, "1234.5"),
      (1e7, "10000000"),
    ]
    for (value, text) in asked { #expect(ReportText.askedRate(value) == text) }
    for (value, text) in rates { #expect(ReportText.rate(value) == text) }
    let spans: [(Double, String)] = [
      (0, "0.00 s"), (59.5, "59.50 s"), (119.99, "119.99 s"), (119.999, "2 min"),
      (125, "2 min 5 s"), (3599.7, "60 min"), (7140, "119 min"), (7200, "2 h"),
      (7500, "2 h 5 min"), (86_399, "24 h"), (172_800, "2 days"), (273_600, "3 days 4 h"),
      (-7500, "-2 h 5 min"), (700 * 86_400, "700 days"), (1e9, "31.7 years"),
      (-1.7e18, "-53869749283.8 years"), (1e30, ""),
    ]
    for (value, text) in spans where !text.isEmpty {
      #expect(ReportText.seconds(value) == text)
    }
    #expect(!ReportText.seconds(1e30).isEmpty)
  }

  @Test("A plot of a long run is in minutes or hours, and one of nothing has marks that differ")
  func plots() throws {
    let rows: [(seconds: Int, mark: String)] = [
      (30, ">20 s<"), (3600, ">40 min<"), (36_000, ">8 h<"),
    ]
    for (seconds, mark) in rows {
      var report = LoadReport(tally(), plan: try plan(), seconds: Double(seconds))
      report.series = Array(repeating: SecondSample(), count: seconds)
      let page = ReportPage(report: report).html
      #expect(page.contains(mark), "\(seconds)")
      #expect(page.contains(">0.8/s<"), "\(seconds)")
    }
  }
}
