// The report for people: aligned columns, units that fit the numbers, nothing that is zero.

import EdgeFleet
import FoundationEssentials

/// A report as text.
struct ReportText {
  /// The numbers.
  let report: LoadReport

  /// The lines, each ended.
  var text: String {
    let noun = report.targets.count == 1 ? "target" : "targets"
    var lines = ["\(noun)  \(report.targets.joined(separator: " "))", heading, ""]
    lines += Self.aligned(counts)
    lines += ["", "latency"]
    lines += Self.aligned(latencies, indent: "  ")
    if let purges = report.purges {
      lines += ["", "purges"]
      lines += Self.aligned(Self.rows(purges), indent: "  ")
    }
    if let log = report.log {
      lines += ["", "log"] + log.text("requests")
      if let complaint = log.complaint { lines.append("  \(complaint)") }
    }
    for (name, errors) in [
      ("errors", report.errors), ("connections without a request", report.connectionErrors ?? [:]),
    ] where !errors.isEmpty {
      let kinds = errors.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      lines += ["", "\(name): " + kinds.joined(separator: ", ")]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var heading: String {
    let rate = report.askedRate.map(Self.askedRate)
    var shape = rate.map { "open loop at \($0)/s" } ?? "closed loop"
    if let log = report.replayed { shape = "replay of \(log)" }
    let connections = report.connections == 1 ? "1 connection" : "\(report.connections) connections"
    return "\(connections), \(shape), \(Self.seconds(report.seconds))"
  }

  private var counts: [[String]] {
    var rows = [
      ["requests", "\(report.requests)", "\(Self.rate(report.requestsPerSecond))/s"],
      ["received", Self.bytes(Double(report.bytes)), "\(Self.bytes(report.bytesPerSecond))/s"],
    ]
    for (name, count) in report.statusClasses.sorted(by: { $0.key < $1.key }) {
      rows.append(["status \(name)", "\(count)", share(count)])
    }
    let cache = report.cache
    if let ratio = cache.hitRatio {
      rows.append(["hit ratio", Self.percent(ratio), "\(cache.hits) hits"])
    }
    if let ratio = cache.byteHitRatio {
      rows.append(["hit ratio by bytes", Self.percent(ratio), ""])
    }
    if let infinite = report.infiniteCache {
      rows.append([
        "an infinite cache", Self.percent(infinite.hitRatio), "\(infinite.forwards) forwarded",
      ])
    }
    for (reason, count) in cache.forwarded.sorted(by: { $0.value > $1.value }) {
      rows.append(["forwarded, \(reason)", "\(count)", share(count)])
    }
    if cache.unstated > 0 { rows.append(["unstated", "\(cache.unstated)", share(cache.unstated)]) }
    if cache.noCacheStatus > 0 {
      rows.append(["no Cache-Status", "\(cache.noCacheStatus)", share(cache.noCacheStatus)])
    }
    if let resting = report.restingConnections {
      rows.append(["resting connections", "\(resting)", "\(report.restingClosed ?? 0) closed"])
    }
    if report.reconnects > 0 { rows.append(["reconnects", "\(report.reconnects)", ""]) }
    return rows
  }

  private static func rows(_ purges: PurgeSummary) -> [[String]] {
    var rows = [["acknowledged", "\(purges.acknowledged)"]]
    if purges.failed > 0 { rows.append(["failed", "\(purges.failed)"]) }
    if let latency = purges.acknowledgementMicroseconds {
      rows.append([
        "time to acknowledgement", "p50 \(microseconds(latency.p50))",
        "p99 \(microseconds(latency.p99))", "max \(microseconds(latency.max))",
      ])
    }
    rows.append(["reads", "\(purges.reads)"])
    rows.append(["stale, begun before acknowledgement", "\(purges.staleBeforeAcknowledgement)"])
    rows.append(["stale, begun after acknowledgement", "\(purges.staleAfterAcknowledgement)"])
    if let latency = purges.lastStaleMicroseconds {
      rows.append([
        "purge to last stale byte", "p50 \(microseconds(latency.p50))",
        "p99 \(microseconds(latency.p99))", "max \(microseconds(latency.max))",
      ])
      let longest = purges.longestAfterAcknowledgementMicroseconds
      rows.append(["acknowledgement to last stale byte", "max \(microseconds(longest))"])
    }
    return rows
  }

  private var latencies: [[String]] {
    var rows = [["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]]
    let forwards = report.cache.forwarded.sorted { $0.value > $1.value }.map(\.key)
    // A single reason is what is forwarded.
    let reasons = forwards.count > 1 ? forwards : []
    for name in ["all", "hit", "forwarded"] + reasons {
      guard let latency = report.latencyMicroseconds[name] else { continue }
      let values = [
        latency.min, latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.max,
      ]
      rows.append([name] + values.map(Self.microseconds))
    }
    return rows.count > 1 ? rows : [["nothing was answered"]]
  }

  private func share(_ count: Int) -> String {
    report.requests > 0 ? Self.percent(Double(count) / Double(report.requests)) : ""
  }

  // MARK: Numbers

  /// A number with a fixed count of decimals.
  static func number(_ value: Double, digits: Int = 0) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    // What is beyond whole numbers has no decimals that mean anything.
    guard abs(value) < 0x1p62 / scale else { return "\(value)" }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return "\(scaled)" }
    let fraction = String(abs(scaled) % Int(scale))
    let padded = String(repeating: "0", count: digits - fraction.count) + fraction
    return "\(value < 0 && scaled != 0 ? "-" : "")\(abs(scaled / Int(scale))).\(padded)"
  }

  /// A ratio as a percentage. What is not nothing is not told as nothing, and what is not all not as all.
  static func percent(_ ratio: Double) -> String {
    if ratio > 0, ratio < 0.0005 { return "<0.1 %" }
    if ratio < 1, ratio >= 0.9995 { return ">99.9 %" }
    return number(ratio * 100, digits: 1) + " %"
  }

  /// How many in a second, with as many digits as mean something.
  static func rate(_ value: Double) -> String {
    switch value {
    case 99.95...: return number(value)
    case 9.995...: return number(value, digits: 1)
    case 0.9995...: return number(value, digits: 2)
    case 0.00005...: return number(value, digits: 4)
    default: return value > 0 ? "<0.0001" : "0"
    }
  }

  /// A rate that somebody asked for, exact to the four decimals of the smallest one.
  static func askedRate(_ value: Double) -> String {
    var text = number(value, digits: 4)
    while text.last == "0" { text.removeLast() }
    if text.last == "." { text.removeLast() }
    return text
  }

  /// A span in the unit that fits it.
  static func microseconds(_ value: Double) -> String {
    // What is rounded up to the next unit is told in that.
    switch value {
    case ..<999.5: number(value) + " us"
    case ..<999_995: number(value / 1000, digits: 2) + " ms"
    default: seconds(value / 1_000_000)
    }
  }

  /// A span of seconds as people say it: `1.50 s`, `2 min 5 s`, `2 h 5 min`, `3 days 4 h`.
  static func seconds(_ value: Double, digits: Int = 2) -> String {
    guard abs(value) >= 119.995 else { return number(value, digits: digits) + " s" }
    let sign = value < 0 ? "-" : ""
    if abs(value) >= 2 * year { return "\(sign)\(number(abs(value) / year, digits: 1)) years" }
    let whole = Int(nearest: abs(value))
    let (size, units): (Int, (String, String)) =
      switch whole {
      case ..<7200: (60, ("min", "s"))
      case ..<172_800: (3600, ("h", "min"))
      default: (86_400, ("days", "h"))
      }
    let small = size == 86_400 ? 3600 : size / 60
    let count = whole / small + (whole % small >= (small + 1) / 2 && small > 1 ? 1 : 0)
    let (large, rest) = (count / (size / small), count % (size / small))
    return sign + "\(large) \(units.0)" + (rest > 0 ? " \(rest) \(units.1)" : "")
  }

  /// Seconds of a year.
  private static let year = 31_557_600.0

  /// A count of bytes in the unit that fits it.
  static func bytes(_ count: Double) -> String {
    switch count {
    case ..<1023.5: number(count) + " B"
    case ..<1_048_524: number(count / 1024, digits: 1) + " KiB"
    case ..<1_073_689_395: number(count / 1_048_576, digits: 1) + " MiB"
    case ..<1_099_506_259_066: number(count / 1_073_741_824, digits: 2) + " GiB"
    default: number(count / 1_099_511_627_776, digits: 2) + " TiB"
    }
  }

  /// Rows as lines: the first column to the left, the others to the right.
  static func aligned(_ rows: [[String]], indent: String = "") -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      var line = indent
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += column == 0 ? cell + padding : "  " + padding + cell
      }
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}

extension LoadReport {
  /// The report as one JSON document.
  func json() throws -> String {
    String(decoding: try JSONForm.page.encoder.encode(self), as: UTF8.self) + "\n"
  }
}
