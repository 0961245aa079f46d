import EdgeFleet
import Foundation
import Logging
import Testing

@testable import EdgePoP

@Suite struct OperationalLineTests {
  /// 2026-11-24 09:15:02.007 UTC.
  private static let time: Int64 = 1_795_511_702_007

  private static let rows: [(message: String, fields: [(String, String)], text: String)] = [
    ("draining", [("pop", "sin1")], "draining pop=sin1"),
    ("draining", [], "draining"),
    ("a b", [("reason", "no room left"), ("n", "3")], "a b reason=\"no room left\" n=3"),
    ("a", [("empty", ""), ("url", "/a=b")], "a empty=\"\" url=\"/a=b\""),
    ("a", [("q", "say \"x\\y\"")], "a q=\"say \\\"x\\\\y\\\"\""),
    ("a\nb", [("q", "x\r\n2026 info forged")], "a\\u{a}b q=\"x\\u{d}\\u{a}2026 info forged\""),
    ("a", [("q", "\u{1B}[31m"), ("c1", "\u{9B}31m")], "a q=\"\\u{1b}[31m\" c1=\"\\u{9b}31m\""),
    ("a", [("q", "\u{2028}\u{202E}\u{7F}")], "a q=\"\\u{2028}\\u{202e}\\u{7f}\""),
    ("a", [("city", "Zürich"), ("e", "😀")], "a city=Zürich e=😀"),
  ]

  @Test("Text: message, then fields", arguments: rows.indices)
  func text(index: Int) {
    let row = Self.rows[index]
    let line = OperationalLine(level: .info, message: row.message, fields: row.fields)
    #expect(line.text(.text, at: Self.time) == "2026-11-24T09:15:02.007Z info \(row.text)")
  }

  @Test("JSON: an object that has what was meant", arguments: rows.indices)
  func json(index: Int) throws {
    let row = Self.rows[index]
    let line = OperationalLine(level: .error, message: row.message, fields: row.fields)
    let text = line.text(.json, at: Self.time)
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
    var expected = ["time": "2026-11-24T09:15:02.007Z", "level": "error", "message": row.message]
    for (name, value) in row.fields { expected[name] = value }
    #expect(try JSONDecoder().decode([String: String].self, from: Data(text.utf8)) == expected)
  }

  @Test("How often it came stands behind the message")
  func repetition() throws {
    var line = OperationalLine(level: .warning, message: "no", fields: [("a", "1")])
    line.repetition = "repeated 512 times in 10 s"
    #expect(
      line.text(.text, at: Self.time)
        == "2026-11-24T09:15:02.007Z warning no: repeated 512 times in 10 s a=1")
    let json = try JSONDecoder().decode(
      [String: String].self, from: Data(line.text(.json, at: Self.time).utf8))
    #expect(json["message"] == "no" && json["repetition"] == "repeated 512 times in 10 s")
  }
}
