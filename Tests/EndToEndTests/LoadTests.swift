// edge-load as a measuring instrument: what it says about PoPs must be what happened.

import Foundation
import Testing

extension EndToEnd {
  @Suite struct LoadTests {
    private struct Report: Decodable {
      struct Infinite: Decodable {
        var forwards: Int
      }
      struct Purges: Decodable {
        var acknowledged: Int
        var failed: Int
        var reads: Int
        var staleAfterAcknowledgement: Int
      }
      var requests: Int
      var infiniteCache: Infinite?
      var purges: Purges?
    }

    @Test("Purges while it reads: nothing stale is served after an acknowledgement")
    func purges() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let fleet = try await Fleet.start(on: stage, origin: origin)
        var arguments = [
          "run", "--host", Fleet.host, "--purge-rate", "50", "--origin", origin.url,
          "--connections", "9", "--timeout", "60s", "--json", "--quiet",
        ]
        for pop in fleet.pops { arguments += ["--target", pop.url, "--admin", pop.adminURL] }
        // As long as it takes until there were enough purges to say something.
        for duration in ["1s", "10s", "60s"] {
          let result = try await run(Programs.edgeLoad, arguments + ["--duration", duration])
          #expect(result.end == .status(0), "\(result.output)\(result.errors)")
          let report = try JSONDecoder().decode(Report.self, from: Data(result.bytes))
          let purges = try #require(report.purges)
          #expect(purges.failed == 0)
          #expect(purges.reads == report.requests)
          #expect(purges.staleAfterAcknowledgement == 0)
          if purges.acknowledged > 5 { return }
        }
        Issue.record("hardly anything was purged")
      }
    }

    @Test("A PoP before a workload that fits into it forwards what an infinite cache would")
    func infinite() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let page = stage.path("report.html")
        let result = try await run(
          Programs.edgeLoad,
          [
            "run", "--target", pop.url, "--workload", "assets", "--core", "100", "--seed", "5",
            "--requests", "3000", "--connections", "8", "--json", "--quiet", "--html", page,
          ])
        #expect(result.end == .status(0), "\(result.output)\(result.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(result.bytes))
        let seen = try await origin.requests().values.reduce(0, +)
        #expect(report.requests == 3000)
        #expect(report.infiniteCache?.forwards == seen)
        #expect(try String(contentsOfFile: page, encoding: .utf8).contains("<svg"))
      }
    }

    @Test("A workload written to a file is the same each time, and can be replayed")
    func trace() async throws {
      try await Stage.run { stage in
        let arguments = ["trace", "--workload", "web", "--seed", "3", "--requests", "200"]
        let first = try await run(Programs.edgeLoad, arguments)
        #expect(first.end == .status(0))
        #expect(first.output.hasPrefix("time,key,size\n"))
        #expect(first.output.split(separator: "\n").count == 201)
        #expect(try await run(Programs.edgeLoad, arguments).output == first.output)

        let origin = try await SampleOrigin.start(on: stage)
        let file = try stage.write("trace.csv", first.output)
        let replay = try await run(
          Programs.edgeLoad,
          ["run", "--target", origin.url, "--replay", file, "--speed", "max", "--json", "-q"])
        #expect(replay.end == .status(0), "\(replay.output)\(replay.errors)")
        let report = try JSONDecoder().decode(Report.self, from: Data(replay.bytes))
        #expect(report.requests == 200)
      }
    }
  }
}
