// What a simulation found: a table for people, a document for programs.

import EdgeCache
import EdgeFleet
import FoundationEssentials

/// Hit ratios by size of memory and policy.
struct EvictionReport: Codable, Equatable, Sendable {
  /// One policy with one size of memory.
  struct Row: Codable, Equatable, Sendable {
    var memoryBytes: Int
    /// The memory as a share of the footprint.
    var memoryShare: Double
    var eviction: String
    var hits: Int
    var hitBytes: Int
    var objectHitRatio: Double
    var byteHitRatio: Double
    var evictions: UInt64
    /// Requests for objects too large to be stored.
    var tooLarge: Int
  }

  /// The log as it was named.
  var trace: String
  var requests: Int
  var bytes: Int
  var objects: Int
  /// Bytes that would keep everything.
  var footprintBytes: Int
  /// Requests that no cache could answer.
  var skipped: Int
  var damagedLines: Int
  /// What became of the lines of the log.
  var log: LogAccount
  /// Hit ratios of a memory that keeps everything.
  var unlimitedObjectHitRatio: Double
  var unlimitedByteHitRatio: Double
  var rows: [Row] = []

  /// A report about a log, without rows yet.
  init(_ trace: EvictionTrace, name: String) {
    self.trace = name
    requests = trace.requests.count
    bytes = trace.bytes
    objects = trace.objects.count
    footprintBytes = trace.footprint
    (skipped, damagedLines) = (trace.skipped, trace.damaged)
    log = trace.account
    log.path = name
    unlimitedObjectHitRatio = Self.ratio(requests - objects, requests)
    unlimitedByteHitRatio = Self.ratio(bytes - trace.firstBytes, bytes)
  }

  /// Adds what came of one replay.
  mutating func add(_ result: EvictionResult, memory: Int, policy: EvictionPolicy) {
    rows.append(
      Row(
        memoryBytes: memory, memoryShare: Self.ratio(memory, footprintBytes),
        eviction: policy.rawValue, hits: result.hits, hitBytes: result.hitBytes,
        objectHitRatio: Self.ratio(result.hits, requests),
        byteHitRatio: Self.ratio(result.hitBytes, bytes), evictions: result.evictions,
        tooLarge: result.tooLarge))
  }

  private static func ratio(_ part: Int, _ whole: Int) -> Double {
    whole > 0 ? Double(part) / Double(whole) : 0
  }

  /// The report as one JSON document.
  func json() throws -> String {
    String(decoding: try JSONForm.page.encoder.encode(self), as: UTF8.self) + "\n"
  }

  /// The report as lines.
  var text: String {
    var lines = ReportText.aligned([
      ["requests", "\(requests)", ReportText.bytes(Double(bytes))],
      ["objects", "\(objects)", ReportText.bytes(Double(footprintBytes))],
    ])
    if log.leftOutCount > 0 { lines += ["log"] + log.text("replayed") }
    lines.append("")
    let four = { ReportText.number($0, digits: 4) }
    var table = [
      [
        "memory", "share", "eviction", "object hit ratio", "byte hit ratio", "evictions",
        "too large",
      ]
    ]
    for row in rows {
      table.append([
        ReportText.bytes(Double(row.memoryBytes)),
        ReportText.number(row.memoryShare * 100, digits: 2) + " %", row.eviction,
        four(row.objectHitRatio), four(row.byteHitRatio), "\(row.evictions)", "\(row.tooLarge)",
      ])
    }
    table.append([
      "unlimited", "", "", four(unlimitedObjectHitRatio), four(unlimitedByteHitRatio), "0", "0",
    ])
    lines += ReportText.aligned(table)
    return lines.joined(separator: "\n") + "\n"
  }
}
