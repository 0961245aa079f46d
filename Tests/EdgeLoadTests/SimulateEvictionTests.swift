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
    #expect(report.log.leftOut == ["method": 1, "status": 1] && report.log.complaint == nil)
    #expect(report.requests == 2 && report.skipped == 2 && report.rows.allSatisfy { $0.hits == 1 })
  }

  @Test func damagedLines() throws {
    let file = try TraceFile(log + "\n9,b\n10,b,6\n")
    #expect(throws: TraceProblem.self) {
      try file.evictionTrace()
    }
    let trace = try file.evictionTrace(skippingDamagedLines: true)
    #expect(trace.damaged == 1 && trace.requests.count == 9)
    #expect(trace.account.complaint == nil)
    let worse = try TraceFile(log + "\n9,b\n").evictionTrace(skippingDamagedLines: true)
    #expect(worse.account.complaint?.contains("11.1 % of the lines") == true)
  }

  /// Sizes that no sum can hold are no reason to end.
  @Test func hugeSizes() throws {
    let size = TraceRequest.largest
    let text = (0..<9000).map { "\($0),\($0),\(size)\n" }.joined()
    let plan = EvictionPlan(memories: [.percent(1000), .bytes(SimulatedMemory.most)], asPoP: true)
    let report = try report(text, plan)
    #expect(report.bytes == .max && report.footprintBytes == .max)
    #expect(!report.text.isEmpty)
  }

  /// The same path at two hosts is two objects, where the log tells them apart.
  @Test func hosts() throws {
    let line = { (host: String) in
      "\(host):80 192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n"
    }
    let trace = try TraceFile(line("a.example") + line("b.example")).evictionTrace()
    #expect(trace.objects.count == 2)
  }

  static let wrongUses: [([String], String)] = [
    (["--memory", "64MB"], "is not a size"),
    (["--memory", "0%"], "a share is above 0%"),
    (["--memory", "nan%"], "a share is above 0%"),
    (["--memory", "0B"], "that is no memory at all"),
    (["--memory", "9223372036854775807"], "more than any machine has"),
    (["--overhead", "9223372036854775807"], "more than any machine has"),
    (["--most-left-out", "2"], "--most-left-out must be from 0 to 1"),
    (["--format", "x"], "--format x: there is common"),
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
