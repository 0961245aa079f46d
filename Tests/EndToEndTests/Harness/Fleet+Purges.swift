// What tests of purges ask of a PoP.

import Foundation
import Testing

extension PoP {
  /// What a PoP says of itself.
  struct Health: Decodable {
    struct Purges: Decodable {
      /// How far it knows what was purged.
      var state: String
      var newest: String?
    }
    var purges: Purges
  }

  /// A document of the admin API.
  func document<Document: Decodable>(_ path: String) async throws -> Document {
    let result = try await run(
      try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(adminURL)\(path)"])
    return try JSONDecoder().decode(Document.self, from: Data(result.output.utf8))
  }

  /// What it says of purges.
  func purges() async throws -> Health.Purges {
    let health: Health = try await document("/health")
    return health.purges
  }

  /// Number of purges that came once more, after they had been applied.
  func repeated() async throws -> Int {
    struct Statistics: Decodable {
      struct Purges: Decodable { var repeated: Int }
      var purges: Purges
    }
    let statistics: Statistics = try await document("/stats")
    return statistics.purges.repeated
  }

  /// Number of stored responses that it has written to disk.
  func written() async throws -> Int {
    struct Statistics: Decodable {
      struct Disk: Decodable { var written: Int }
      var disk: Disk
    }
    let statistics: Statistics = try await document("/stats")
    return statistics.disk.written
  }

  /// A file of the fleet's site, as text, with Cache-Status.
  func file(_ path: String) async throws -> (text: String, status: String) {
    let response = try await request("GET", path, host: Fleet.host)
    return (response.text, response["cache-status"] ?? "")
  }
}

extension Fleet {
  /// Waits until a PoP says how far it is.
  func wait(until state: String, _ index: Int) async throws {
    let pop = pops[index]
    _ = try await eventually(state) { try await pop.purges().state == state ? true : nil }
  }

  /// Waits until all know what was purged.
  func waitUntilSynced() async throws {
    for index in pops.indices { try await wait(until: "synced", index) }
  }

  /// Has `a.css` and `b.css` on every disk, as version 1, where all have heard from each other.
  func fill() async throws {
    try await waitUntilSynced()
    for pop in pops {
      for path in ["/a.css", "/b.css"] { #expect(try await pop.file(path).text == "1") }
      _ = try await eventually("both are on disk") { try await pop.written() >= 2 ? true : nil }
    }
  }
}
