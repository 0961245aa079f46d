import EdgeCache
import Foundation
import Testing

@testable import edge_load

extension TraceFile {
  /// The requests in the file, for a simulation.
  func evictionTrace(skippingDamagedLines skips: Bool = false) throws -> EvictionTrace {
    try EvictionTrace(path: path, skippingDamagedLines: skips)
  }
}

@Suite struct SimulateEvictionTests {
  /// A log worked out by hand. Memory for 10 bytes: a and b fit, c evicts what was used longest ago.
  private let log = """
    time,key,size
    1,a,4
    2,b,6
    3,a,4
    4,c,6
    5,a,4
    6,b,6
    7,d,11
    8,c,6
    """

  private func report(_ text: String, _ plan: EvictionPlan) throws -> EvictionReport {
    let trace = try TraceFile(text).evictionTrace()
    return plan.run(trace, name: "log")
  }

  @Test func byHand() throws {
    let report = try report(log, EvictionPlan(memories: [.bytes(10)], policies: [.lru]))
    #expect(report.requests == 8 && report.bytes == 47 && report.objects == 4)
    #expect(report.footprintBytes == 27)
    let row = try #require(report.rows.first)
    #expect(row.hits == 2 && row.hitBytes == 8 && row.evictions == 4 && row.tooLarge == 1)
    #expect(row.objectHitRatio == 0.25 && abs(row.byteHitRatio - 8.0 / 47) < 1e-12)
    #expect(report.unlimitedObjectHitRatio == 0.5)
    #expect(abs(report.unlimitedByteHitRatio - 20.0 / 47) < 1e-12)
  }

  @Test func memoryAndPoliciesInOrder() throws {
    let report = try report(log, EvictionPlan(memories: [.percent(50), .bytes(100)]))
    #expect(report.rows.map(\.memoryBytes) == [14, 14, 14, 100, 100, 100])
    #expect(report.rows.map(\.eviction) == ["lru", "slru", "size-lru", "lru", "slru", "size-lru"])
    #expect(report.rows.suffix(3).allSatisfy { $0.hits == 4 && $0.evictions == 0 })
  }

  /// With the bookkeeping of a PoP there is less room.
  @Test func asPoP() throws {
    var plan = EvictionPlan(memories: [.bytes(700)], policies: [.lru])
    #expect(try report(log, plan).rows[0].hits == 4)
    plan.asPoP = true
    #expect(try report(log, plan).rows[0].hits < 4)
    plan.overhead = 0
    plan.largest = 5
    let row = try report(log, plan).rows[0]
    #expect(row.hits == 2 && row.tooLarge == 5)
  }

  /// Of an access log those requests count which a cache could answer.
  @Test func accessLog() throws {
    let line = { (method: String, status: Int) in
      "h - - [01/Aug/1995:00:00:01 -0400] \"\(method) /a HTTP/1.0\" \(status) 5\n"
    }
    let text = line("GET", 200) + line("POST", 200) + line("GET", 404) + line("GET", 200)
    let report = try report(text, EvictionPlan(memories: [.bytes(10)]))
    #expect(report.requests == 2 && report.skipped == 2 && report.rows.allSatisfy { $0.hits == 1 })
  }

  @Test func damagedLines() throws {
    let file = try TraceFile(log + "\n9,b\n10,b,6\n")
    #expect(throws: TraceProblem.self) {
      try file.evictionTrace()
    }
    let trace = try file.evictionTrace(skippingDamagedLines: true)
    #expect(trace.damaged == 1 && trace.requests.count == 9)
  }

  static let wrongUses: [([String], String)] = [
    (["--memory", "64MB"], "is not a size"),
    (["--memory", "0%"], "a share is above 0%"),
    (["--eviction", "fifo"], "--eviction fifo: there is lru, slru, size-lru"),
    (["--shards", "3"], "there can be 1, 2, 4, 8 or 16"),
    (["--changed-size", "x"], "there is keep, resize, replace"),
  ]

  @Test(arguments: wrongUses) func wrongUse(_ use: ([String], String)) {
    do {
      _ = try SimulateEvictionCommand.parse(["log.csv"] + use.0)
      Issue.record("accepted")
    } catch {
      #expect(SimulateEvictionCommand.message(for: error).contains(use.1))
    }
  }

  /// The report names everything in its text, and its JSON is what it was made from.
  @Test func reports() throws {
    let report = try report(log, EvictionPlan(memories: [.bytes(10)], policies: [.lru]))
    #expect(report.text.contains("0.2500"))
    let decoded = try JSONDecoder().decode(EvictionReport.self, from: Data(report.json().utf8))
    #expect(decoded == report)
  }
}
