import Foundation
import Testing

@testable import EdgeCache

// docs/conformance.md: every row of the tables with its section and its outcome, so that a reader
// sees what is held to which rule. Made by `make conformance`; `make test` fails when the file in the
// tree is not what the tables make.

@Suite struct ConformanceTests {
  private struct Line {
    var section: String
    var name: String
    var holds: Bool
  }

  private static let path: URL = {
    var path = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { path.deleteLastPathComponent() }
    return path.appendingPathComponent("docs/conformance.md")
  }()

  @Test func document() throws {
    let text = try Self.text()
    if ProcessInfo.processInfo.environment["EDGECACHE_WRITE_CONFORMANCE"] != nil {
      try text.write(to: Self.path, atomically: true, encoding: .utf8)
    }
    let present = (try? String(contentsOf: Self.path, encoding: .utf8)) ?? ""
    #expect(present == text, "docs/conformance.md is out of date: run make conformance")
  }

  private static func text() throws -> String {
    var lines: [Line] = []
    for history in Histories.all {
      lines.append(
        Line(
          section: title(history.section), name: history.name,
          holds: try Player.failures(history).isEmpty))
    }
    let sections = Set(lines.map(\.section)).sorted {
      $0.compare($1, options: .numeric) == .orderedAscending
    }
    let failed = lines.count { !$0.holds }
    var text = """
      # Conformance

      What the cache does, rule by rule: each row is a history of requests, answers of the origin and
      what must come of them, played against the core. The exchanges themselves are in
      `Tests/EdgeCacheTests/Semantics/*Histories.swift` under the same names. This file is made from
      them by `make conformance`; `make test` fails when it is out of date.

      \(lines.count) rows, \(failed) of them fail. Further rules are held by the tables of
      `*Rows.swift` beside them, and by the byte tables of `Tests/EdgeCacheTests/HTTP`.

      """
    for section in sections {
      text += "\n## \(section)\n\n| behaviour | outcome |\n|---|---|\n"
      for line in lines where line.section == section {
        let name = line.name.replacingOccurrences(of: "|", with: "\\|")
        text += "| \(name) | \(line.holds ? "holds" : "**fails**") |\n"
      }
    }
    return text
  }

  private static func title(_ section: String) -> String {
    section.first?.isNumber == true ? "RFC \(section)" : section
  }
}
