import EdgeCache
import Foundation
import Testing

@testable import EdgeFleet

/// Who may do what, from where, and what proves that it was done.
@Suite struct AdminAccessTests {
  @Test("A file with one word is a token for everything")
  func single() throws {
    let access = try AdminAccess.parse("  s3cret \n")
    let holder = access.holder(presenting: "Bearer s3cret".utf8)
    #expect(holder?.rights == [.purge, .read] && holder?.name == "admin")
    #expect(access.holder(presenting: "Bearer other".utf8) == nil)
    #expect(access.holder(presenting: "s3cret".utf8) == nil)
  }

  @Test("A byte order mark and the line ends of Windows belong to no token")
  func windows() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("\u{FEFF}sesame\r\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try AdminToken.read(path: path).authorization == "Bearer sesame")
    let access = try AdminAccess.read(path: path)
    #expect(access.holder(presenting: "Bearer sesame".utf8) != nil)
  }

  @Test("Lines give tokens names and rights")
  func several() throws {
    let access = try AdminAccess.parse(
      "# who may what\ndeploy purge aaa # the pipeline\n\nwatch\tread\tbbb\nboth read,purge ccc\n")
    #expect(access.holder(presenting: "Bearer aaa".utf8)?.rights == [.purge])
    #expect(access.holder(presenting: "bearer bbb".utf8)?.rights == [.read])
    #expect(access.holder(presenting: "Bearer ccc".utf8)?.name == "both")
    #expect(access.own == (try AdminToken("bbb")))
  }

  @Test(arguments: [
    ("", "the admin token is empty"), ("a b", "line 1: write NAME RIGHTS TOKEN"),
    ("a purge x\nb", "line 2: write NAME"), ("a write x", "line 1: there are the rights"),
    ("a purge x\na read y", "line 2: the name a is taken"),
    ("a purge, x\n", "line 1: there are the rights"),
  ])
  func wrong(_ text: String, _ problem: String) {
    #expect {
      try AdminAccess.parse(text)
    } throws: {
      "\($0)".hasPrefix(problem)
        || ($0 as? AdminToken.Problem)?.description.hasPrefix(problem) == true
    }
  }

  @Test(arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
    ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false),
    ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.200", true),
    ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false), ("::1", "::1", true),
    ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
    ("::/0", "2001:db8::1", true), ("10.0.0.0/8", "nonsense", false),
  ])
  func ranges(_ range: String, _ address: String, _ isIn: Bool) throws {
    #expect(try AddressRange(parsing: range).contains(address) == isIn)
  }

  @Test(arguments: ["", "a", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::1/129", "1.2.3.4/+1", "/8"])
  func wrongRanges(_ text: String) {
    #expect(throws: ValueProblem.self) { try AddressRange(parsing: text) }
  }

  /// HMAC-SHA-256 as any other program computes it.
  @Test("A receipt proves who said what, and when")
  func receipts() throws {
    let key = PurgeReceiptKey(token: try AdminToken("s3cret"), pop: "sin1")
    let order = Array(#"{"scope":"everything"}"#.utf8)
    var said = PurgeAcknowledgement(
      pop: "sin1", id: "1764000000000-7", sequence: 12, appliedAt: 1_764_000_000_123, matched: 3,
      freedBytes: 4096)
    said.receipt = key.receipt(for: said, order: order)
    #expect(
      said.receipt == "688d12fba4d599a71ccbeb337aa08ac14053cd9b6e667c5d0c16f75957291b8b")
    #expect(key.verifies(said, order: order))
    for change in [
      { $0.pop = "fra1" }, { $0.sequence = 13 }, { $0.appliedAt = 1 },
      { $0.id = "1764000000000-8" },
      { $0.receipt = nil }, { $0.receipt?.removeLast() },
    ] as [(inout PurgeAcknowledgement) -> Void] {
      var other = said
      change(&other)
      #expect(!key.verifies(other, order: order))
    }
    #expect(!key.verifies(said, order: Array("{}".utf8)))
    let stranger = PurgeReceiptKey(token: try AdminToken("other"), pop: "sin1")
    #expect(!stranger.verifies(said, order: order))
  }
}
