import Foundation
import Testing

// purge-cli explain against a PoP that has really stored something.

extension EndToEnd {
  @Suite struct ExplainTests {
    @Test("purge-cli explain says what is stored and what would happen")
    func explain() async throws {
      try await Stage.run { stage in
        _ = try stage.write("a.css", "body {}")
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let url = "\(pop.url)/a.css"
        let arguments = ["explain", url, "--admin", pop.adminURL]

        let before = try await run(Programs.purgeCLI, arguments)
        #expect(before.end == .status(0), "\(before.errors)")
        #expect(before.output.contains("fwd=uri-miss"), "\(before.output)")
        #expect(before.output.contains("RFC 9111"), "\(before.output)")

        #expect(try await pop.request("GET", "/a.css").status == 200)
        let after = try await eventually("a hit") {
          let after = try await run(Programs.purgeCLI, arguments)
          return after.output.contains("hit; ttl=") ? after : nil
        }
        #expect(after.output.contains(url))

        let json = try await run(
          Programs.purgeCLI, arguments + ["--header", "Cache-Control: no-cache", "--json"])
        #expect(json.end == .status(0))
        let list = try #require(
          JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        let report = try #require(list.first?["report"] as? [String: Any])
        #expect(report["outcome"] as? String == "fwd=request")
        #expect(report["tier"] == nil && (report["stored"] as? [Any])?.count == 1)

        // Nobody was asked but for the one request.
        #expect(try await origin.requests()["/a.css"] == 1)
        let nobody = try Socket.bound(listens: false)
        let gone = try await run(
          Programs.purgeCLI, ["explain", url, "--admin", "http://127.0.0.1:\(nobody.port)"])
        #expect(gone.end == .status(2))
      }
    }
  }
}
