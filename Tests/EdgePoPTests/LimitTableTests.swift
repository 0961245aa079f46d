import EdgeCache
import EdgeFleet
import FoundationEssentials
import NIOCore
import Testing

@testable import EdgePoP

// docs/limits.md against the code: each limit that there is has a row, with the default, the setting and the counter
// that it really has. So no wait and no bound can come without an operator being told.

/// A row of the tables whose columns are limit, setting, default, then, counter.
private struct LimitRow {
  let name: String
  let text: [String]
  var setting: String { text[1] }
  var standard: String { text[2] }
  var counter: String { text[4] }
}

@Suite("The table of limits")
struct LimitTableTests {
  private let rows: [LimitRow]

  init() throws {
    // Beside this file in the sources.
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let data = try Data(contentsOf: URL(filePath: "/\(root)/docs/limits.md"))
    var rows: [LimitRow] = []
    var isWanted = false
    for line in String(decoding: data, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    {
      guard line.hasPrefix("|") else {
        isWanted = false
        continue
      }
      let cells = line.dropFirst().split(separator: "|", omittingEmptySubsequences: false)
        .dropLast().map { String($0).trimmed }
      if cells == ["limit", "setting", "default", "then", "counter"] {
        isWanted = true
      } else if isWanted, cells.count == 5, let name = cells[0].quotedWords.first {
        rows.append(LimitRow(name: name, text: cells))
      } else if isWanted, !cells.allSatisfy({ $0.hasPrefix("-") }) {
        #expect(cells.count == 5, "\(line)")
      }
    }
    self.rows = rows
  }

  /// The limits that there are, with their defaults as the table writes them.
  private var limits: [(name: String, standard: String)] {
    let shell = Mirror(reflecting: ShellLimits()).children.map { child in
      (child.label ?? "", Self.text(child.label ?? "", child.value))
    }
    let store = Mirror(reflecting: StoreLimits(memory: 256 << 20)).children.map { child in
      (child.label ?? "", Self.text(child.label ?? "", child.value))
    }
    let handOver = Mirror(reflecting: HandOverLimits.standard).children.map { child in
      (child.label ?? "", Self.text(child.label ?? "", child.value))
    }
    return shell + store + handOver
  }

  private static func text(_ name: String, _ value: Any) -> String {
    let bytes = [
      "pipelined", "memory", "largestResponse", "relayWindow", "relayBuffer", "questionLength",
    ]
    switch value {
    case let time as TimeAmount:
      let seconds = time.nanoseconds / 1_000_000_000
      return seconds % 3600 == 0 ? "\(seconds / 3600) h" : "\(seconds) s"
    case let time as Duration: return "\(time.milliseconds / 1000) s"
    case let seconds as Int64: return "\(seconds) s"
    case let range as ClosedRange<Int64>: return "\(range.lowerBound) s"
    case let policy as EvictionPolicy: return policy.rawValue
    case let isSo as Bool: return isSo ? "yes" : "no"
    case let count as Int where count == .max: return "none"
    case let count as Int where name.hasPrefix("slow"): return "\(count) B/s"
    case let count as Int where bytes.contains(name):
      return count >= 1 << 20 ? "\(count >> 20) MiB" : "\(count >> 10) KiB"
    case let count as Int: return count < 10_000 ? "\(count)" : "\(count / 1000) 000"
    default: return "\(value)"
    }
  }

  @Test("Each limit has one row, with its default")
  func defaults() {
    for (name, standard) in limits {
      let own = rows.filter { $0.name == name && !$0.standard.isEmpty }
      #expect(own.count == 1, "\(name) has \(own.count) rows in docs/limits.md")
      #expect(own.first?.standard == standard, "\(name)")
    }
  }

  @Test(
    "Each setting is one that the configuration or the command line has, and each of those has a row"
  )
  func settings() throws {
    let keys = Set(FleetConfiguration.Limits.keys)
    let others: Set = [
      "drainTimeout", "drainDelay", "clientConnections", "connectionsPerAddress", "memory",
      "--memory",
      "eviction", "--eviction", "largestResponse", "--largest-response",
    ]
    var seen: Set<String> = []
    for row in rows {
      for setting in row.setting.quotedWords {
        seen.insert(setting)
        #expect(keys.contains(setting) || others.contains(setting), "\(row.name): \(setting)")
      }
      if row.setting.contains("*") {
        #expect(
          FleetConfiguration.Limits.routeKeys.contains(row.setting.quotedWords[0]), "\(row.name)")
      }
    }
    #expect(keys.subtracting(seen) == [])
  }

  @Test("Each counter is one that /stats has, and each limit that is counted has a row")
  func counters() throws {
    let names = Set(ReachedLimit.allCases.map(\.rawValue))
    let failures = Set(UpstreamFailure.allCases.map(\.rawValue))
    let refusals = Set(StorageRefusal.allCases.map { "storageRefusals.\($0.rawValue)" })
    let others: Set = [
      "statuses.4xx", "purges.refused", "memory.evictions", "clients.closedIdle",
      "clients.closedInHead", "clients.pauses", "clients.refused", "droppedLogLines.access",
    ]
    var seen: Set<String> = []
    for row in rows {
      for counter in row.counter.quotedWords {
        seen.insert(counter)
        let isKnown = [names, failures, refusals, others].contains { $0.contains(counter) }
        #expect(isKnown, "\(row.name): \(counter)")
      }
    }
    #expect(names.subtracting(seen) == [])
  }
}

extension String {
  fileprivate var trimmed: String {
    var text = Substring(self)
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }

  /// What stands between backticks.
  fileprivate var quotedWords: [String] {
    split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }.map { String($0.element) }
  }
}
