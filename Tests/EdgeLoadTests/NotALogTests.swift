import Foundation
import Testing

@testable import edge_load

/// Files that are no request logs: each is told for what it is, and none is replayed.
@Suite struct NotALogTests {
  /// Bytes in an order that nobody has chosen.
  private static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  private static let png =
    [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array("[a:b:c] \"x\"\n".utf8)
  /// The head of a tar archive, with a file in it.
  private static func tar(_ content: [UInt8]) -> [UInt8] {
    var head = [UInt8](repeating: 0, count: 512)
    head.replaceSubrange(0..<10, with: Array("access.log".utf8))
    head.replaceSubrange(257..<262, with: Array("ustar".utf8))
    return head + content
  }

  private static func bytes(_ text: String, _ encoding: String.Encoding) -> [UInt8] {
    Array(text.data(using: encoding) ?? Data())
  }

  private static let line =
    "192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"x\"\n"

  static let files: [(name: String, content: [UInt8], says: String)] = [
    ("PNG", png + noise(4000, seed: 1), "is not a log: it is a PNG image"),
    (
      "ELF", [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + noise(9000, seed: 2),
      "is not a log: it is an ELF program"
    ),
    ("JPEG", [0xFF, 0xD8, 0xFF, 0xE0] + noise(900, seed: 3), "is not a log: it is a JPEG image"),
    ("GIF", Array("GIF89a".utf8) + noise(900, seed: 3), "is not a log: it is a GIF image"),
    ("PDF", Array("%PDF-1.7\n".utf8) + noise(900, seed: 3), "is not a log: it is a PDF document"),
    (
      "SQLite", Array("SQLite format 3\0".utf8) + noise(900, seed: 3),
      "is not a log: it is an SQLite database"
    ),
    ("tar", tar(Array(line.utf8)), "is not a log: it is a tar archive"),
    ("gzip in tar", tar([0x1F, 0x8B, 8] + noise(900, seed: 4)), "it is a tar archive"),
    ("noise", noise(70_000, seed: 5), "is not a log: its first lines hold bytes that no text has"),
    ("little noise", [0, 1, 2, 10, 3, 4], "is not a log: its first lines hold bytes"),
    ("zeros", [UInt8](repeating: 0, count: 4096), "is not a log: its first lines hold bytes"),
    (
      "noise with a line", noise(3000, seed: 6) + [10] + Array(line.utf8) + noise(3000, seed: 7),
      "is not a log: its first lines hold bytes"
    ),
    ("UTF-16", bytes(line, .utf16), "is text in UTF-16"),
    ("UTF-16 without a mark", bytes(line, .utf16LittleEndian), "is text in UTF-16"),
    ("UTF-16, the other end first", bytes(line, .utf16BigEndian), "is text in UTF-16"),
    (
      "HTML", Array("<!DOCTYPE html>\n<a id=\"[1:2:3] x\">\nlet a = [\"b\"]\n".utf8),
      "is not a log: it is an HTML page"
    ),
    (
      "HTML with a heading", Array("\n <html lang=\"en\"><body>[x] \"y\"</html>\n".utf8),
      "is not a log: it is an HTML page"
    ),
    ("XML", Array("<?xml version=\"1.0\"?>\n<a/>\n".utf8), "is not a log: it is XML"),
    (
      "program", Array("let a = [\"b\"];\nlet c = d[1] + \"e\";\n".utf8),
      "is in no format that is known"
    ),
    (
      "CSV without a request", Array("name,age,city\nBob,3,Rome\nAnn,4,Oslo\n".utf8),
      "its heading (name, age, city) names no key"
    ),
    (
      "CSV of numbers without a request", Array("id,age,weight\n1,34,50\n2,35,51\n".utf8),
      "its heading (id, age, weight) names no size"
    ),
    ("prose", Array("It was a dark night.\nIt rained.\n".utf8), "is in no format that is known"),
    ("empty", [], "is empty"),
    ("line ends", [10, 10, 10], "is empty"),
    ("comments", Array("# nothing\n".utf8), "is empty"),
  ]

  @Test(arguments: files.indices, [false, true])
  func told(_ index: Int, compressed: Bool) throws {
    let (name, content, says) = Self.files[index]
    let file = try TraceFile("")
    let url = URL(fileURLWithPath: file.path)
    try Data(content).write(to: url)
    var path = file.path
    if compressed {
      let gzip = Process()
      gzip.executableURL = URL(fileURLWithPath: "/bin/gzip")
      gzip.arguments = [path]
      try gzip.run()
      gzip.waitUntilExit()
      path += ".gz"
    }
    #expect {
      _ = try ReplayLog(ReplayPlan(path: path, speed: nil))
    } throws: { error in
      let told = "\(error)".contains(says)
      if !told { Issue.record("\(name): \(error)") }
      return told
    }
    #expect(throws: TraceProblem.self) {
      _ = try EvictionTrace(path: path, skippingDamagedLines: true)
    }
    // Whoever names a format has none of it read, either.
    #expect(throws: TraceProblem.self) {
      _ = try ReplayLog(ReplayPlan(path: path, speed: nil, format: "w3c"))
    }
  }

  /// What gzip has compressed twice is told, too.
  @Test func twiceCompressed() throws {
    let file = try TraceFile(Self.line, compressed: true)
    let path = file.path + "2"
    let twice = Process()
    twice.executableURL = URL(fileURLWithPath: "/bin/sh")
    twice.arguments = ["-c", "gzip -c \"$0\" > \"$1\"", file.path, path]
    try twice.run()
    twice.waitUntilExit()
    #expect { _ = try ReplayLog(ReplayPlan(path: path, speed: nil)) } throws: {
      "\($0)".contains("compressed with gzip twice")
    }
  }

  /// Bytes that are no text within a log are the trouble of their lines.
  @Test func damagedLog() throws {
    let torn = String(repeating: "\0", count: 300)
    let file = try TraceFile(
      String(repeating: Self.line, count: 200) + torn + "\n" + Self.line)
    let (requests, problems) = try file.read()
    #expect(requests.count == 201 && problems.count == 1)
    // A format that is named is believed; the rest of the log is read.
    let begins = try TraceFile(torn + "\n" + Self.line)
    let log = try ReplayLog(ReplayPlan(path: begins.path, speed: nil, format: "common"))
    #expect(log.next()?.path == Array("/a".utf8))
    // Latin 1 is text, and so are colours.
    let colours = try TraceFile("\u{1B}[0m\n" + Self.line)
    #expect(try colours.read().requests.count == 1)
  }
}
