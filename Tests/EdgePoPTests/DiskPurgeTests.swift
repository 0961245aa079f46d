import EdgeFleet
import Foundation
import NIOCore
import Testing

@testable import EdgePoP

// What lies on disk alone: counted for a purge, or said to be more than is counted, and explained.

@Suite("Purges of what lies on disk")
struct DiskPurgeTests {
  @Test("What lies on disk alone is counted or said to be at least so much, explained, and purged")
  func onlyBelow() async throws {
    let directory = FileManager.default.temporaryDirectory
      .appending(path: "edgecache-\(UUID().uuidString)").path()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let origin = try await Origin.start {
      $0.answer(
        "\($0.request.target)", "Cache-Control: max-age=600", "Surrogate-Key: t", "X-My-Tags: own")
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
    configuration.pops[0].disks = [.init(path: directory, size: .mebibytes(64), admission: .all)]
    configuration.sites[0].caching.tagFields = ["surrogate-key", "x-my-tags"]
    configuration.sites[0].caching.forwardTagFields = false
    try await fill(configuration)

    // What the fields were is known of what is stored, whatever they are now.
    configuration.sites[0].caching.tagFields = []
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    func explain(_ path: String) async throws -> ExplainReport {
      let query = try ExplainQuery(url: "http://a.example\(path)")
      let answer = try await pop.admin("GET \(query.target) HTTP/1.1\r\nHost: admin\r\n\r\n")
      return try JSONDecoder().decode(
        ExplainReport.self, from: Data(answer.content.readableBytesView))
    }
    let stored = try await explain("/a")
    #expect(stored.stored.map(\.tier) == ["disk"] && stored.stored[0].selected)
    #expect(stored.stored[0].tags == ["t", "own"] && stored.outcome.hasPrefix("hit; ttl="))
    #expect(stored.because.joined().contains("is fresh"))
    #expect(try await explain("/none").stored.isEmpty)

    let url = try await pop.purge(#"{"urls":["http://a.example/a"],"dryRun":true}"#)
    #expect(url.text.contains("\"matched\":1") && !url.text.contains("atLeast"), "\(url.text)")
    let tried = try await pop.purge(#"{"tags":["own"],"dryRun":true}"#)
    #expect(tried.text.contains("\"atLeast\":true"), "\(tried.text)")
    let everything = try await pop.purge(#"{"scope":"everything","dryRun":true}"#)
    #expect(everything.text.contains("\"matched\":3"), "\(everything.text)")

    let soft = try await pop.purge(#"{"tags":["own"],"mode":"soft"}"#)
    #expect(soft.text.contains("\"atLeast\":true"))
    let stale = try await explain("/b")
    #expect(stale.outcome == "fwd=stale" && stale.because[0].contains("soft purge"))
    let hard = try await pop.purge(#"{"urls":["http://a.example/a"],"tags":["own"]}"#)
    #expect(hard.text.contains("\"atLeast\":true") && hard.text.contains("\"matched\":1"))
    #expect(try await explain("/b").stored.isEmpty)
    for path in ["/a", "/b", "/c"] {
      #expect(try await pop.get(path).cacheStatus.contains("fwd=uri-miss"))
    }
    try await pop.stop()
    await origin.stop()
  }

  @Test(
    "What is validated because the disk has lost purges says so, and explain since when and why")
  func distrusted() async throws {
    let directory = FileManager.default.temporaryDirectory
      .appending(path: "edgecache-\(UUID().uuidString)").path()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let origin = try await Origin.start {
      $0.answer("\($0.request.target)", "Cache-Control: max-age=600")
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
    configuration.pops[0].disks = [.init(path: directory, size: .mebibytes(64), admission: .all)]
    try await fill(configuration)
    try FileManager.default.removeItem(atPath: "\(directory)/purge.log")
    // Also after one more start, when it is no news any more.
    for path in ["/a", "/b"] {
      let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
      let query = try ExplainQuery(url: "http://a.example\(path)")
      let answer = try await pop.admin("GET \(query.target) HTTP/1.1\r\nHost: admin\r\n\r\n")
      let report = try JSONDecoder().decode(
        ExplainReport.self, from: Data(answer.content.readableBytesView))
      #expect(report.outcome.hasPrefix("fwd=stale"))
      let because = report.because.joined(separator: " ")
      #expect(
        because.contains("has lost purges") && because.contains("Found out on "), "\(because)")
      #expect(because.contains("GMT: purge.log is missing"), "\(because)")
      let status = try await pop.get(path).cacheStatus
      #expect(status.contains("fwd=stale") && status.contains("detail=distrusted"), "\(status)")
      #expect(try await pop.get(path).cacheStatus.contains("hit"))
      try await pop.stop()
    }
    await origin.stop()
  }

  /// Has a PoP write three responses to its disk. The lock of the directory goes with the PoP.
  private func fill(_ configuration: FleetConfiguration) async throws {
    let first = try await TestPoP.start(configuration, pop: configuration.pops[0])
    for path in ["/a", "/b", "/c"] { _ = try await first.get(path) }
    try await eventually("written") { try await first.statistics().disk?.written == 3 }
    // In both tiers each counts once.
    let both = try await first.purge(#"{"urls":["http://a.example/a"],"dryRun":true}"#)
    #expect(both.text.contains("\"matched\":1") && !both.text.contains("atLeast"), "\(both.text)")
    try await first.stop()
  }
}
