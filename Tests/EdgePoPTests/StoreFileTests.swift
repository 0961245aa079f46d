import Foundation
import Testing

@testable import EdgeCache
@testable import EdgePoP

// What has the name of a file of a store and is none, or none that can be: nothing hangs, and nothing ends the process.

@Suite("Files of a store")
struct StoreFileTests {
  private static let now = Instant(seconds: 1_700_000_000)

  private static func open(_ path: String) throws -> DiskStatistics {
    let options = DiskOptions(size: 8 << 16, segmentSize: 1 << 16, admission: .all)
    var words = SystemRandomNumberGenerator()
    return try DiskStore.open(
      try FileVolume(path), options, purges: PurgeLog(), now: now, random: { words.next() },
      clock: { 0 }
    ).statistics
  }

  /// Opens what is wrong, for looking and for use; `says` is in the notices.
  private static func check(
    _ says: String?, _ damage: (_ path: String) throws -> Void
  ) throws {
    let path = NSTemporaryDirectory() + "edge-files-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try open(path).notices == [])
    try damage(path)
    do {
      let volume = try FileVolume(path, readOnly: true)
      if let inspection = try? DiskInspection(volume) { inspection.check { _ in } }
    }
    let notices = try open(path).notices.map { "\($0)" }
    #expect(notices.count == (says == nil ? 0 : 1), "\(notices)")
    if let says { #expect(notices.first?.contains(says) == true, "\(notices)") }
    #expect(try open(path).notices == [], "the next start finds nothing")
  }

  enum Kind: CaseIterable { case pipe, directory, link }

  private static let names: [(name: String, says: String)] = [
    ("purge.log", "purge.log cannot be read"), ("STORE", "STORE cannot be read"),
    ("segments/000003", "1 segment"),
  ]

  @Test("A pipe, a directory or a link to nothing", arguments: Kind.allCases, names.indices)
  func kinds(_ kind: Kind, _ index: Int) throws {
    let (name, says) = Self.names[index]
    // A link to nothing is as good as nothing.
    let isMissing = kind == .link
    try Self.check(
      !isMissing ? says : name == "purge.log" ? "is missing" : name == "STORE" ? "missing" : nil
    ) {
      let file = "\($0)/\(name)"
      try FileManager.default.removeItem(atPath: file)
      switch kind {
      case .pipe: #expect(mkfifo(file, 0o600) == 0)
      case .directory:
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
      case .link:
        try FileManager.default.createSymbolicLink(
          atPath: file, withDestinationPath: "nowhere")
      }
    }
  }

  @Test("A file of more bytes than there is memory for", arguments: ["purge.log", "purge.mark"])
  func large(_ name: String) throws {
    try Self.check(name == "purge.log" ? "more than any" : "purge.mark") {
      #expect(truncate("\($0)/\(name)", 5 << 30) == 0)
    }
  }

  @Test("A directory with something in it is left alone, and said to be in the way")
  func full() throws {
    let path = NSTemporaryDirectory() + "edge-files-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try Self.open(path).notices == [])
    let segment = "\(path)/segments/000003"
    try FileManager.default.removeItem(atPath: segment)
    try FileManager.default.createDirectory(
      atPath: "\(segment)/x", withIntermediateDirectories: true)
    do {
      _ = try Self.open(path)
      Issue.record("it was opened")
    } catch {
      #expect("\(error)".contains("segments/000003"), "\(error)")
      #expect("\(error)".contains("take it out of the store"), "\(error)")
    }
  }
}
