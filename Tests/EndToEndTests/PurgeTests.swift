// A purge across three PoPs under load. The origin's content is a version number that goes up
// before each purge, so every response says by itself whether it is older than it may be.

import EdgeFleet
import Foundation
import Glibc
import Synchronization
import Testing

extension EndToEnd {
  @Suite struct PurgeTests {
    private static let url = "http://\(Fleet.host)/version.css"

    /// What readers saw.
    private struct Readings: Sendable {
      var count = 0
      var stale: [String] = []
      /// Responses that a PoP gave without asking the origin.
      var hits = 0
    }

    /// What the one who purges tells the readers.
    private final class Purges: Sendable {
      /// The newest version whose purge was acknowledged by all PoPs.
      let acknowledged = Atomic(0)
      let isOver = Atomic(false)
    }

    /// Reads the version as fast as it can until told to stop. A request that is sent after a purge
    /// was acknowledged must not see an older version than that purge was for.
    private static func read(
      _ pop: PoP, _ purges: Purges
    ) throws -> Readings {
      var connection = try HTTPConnection(port: pop.port)
      var readings = Readings()
      while !purges.isOver.load(ordering: .acquiring) {
        let least = purges.acknowledged.load(ordering: .acquiring)
        let response = try connection.request("GET", "/version.css", host: Fleet.host)
        guard response.status == 200, let version = Int(response.text) else {
          readings.stale.append("status \(response.status), '\(response.text)'")
          continue
        }
        readings.count += 1
        // A connection has an end too, after some thousands of requests.
        if response["connection"] == "close" { connection = try HTTPConnection(port: pop.port) }
        if response["cache-status"]?.contains("hit") == true { readings.hits += 1 }
        if version < least { readings.stale.append("\(version) after the purge for \(least)") }
      }
      return readings
    }

    @Test("After purge-cli has returned no PoP gives an older version, tens of times under load")
    func neverStale() async throws {
      try await Stage.run { stage in
        try stage.write("site/version.css", "0")
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let fleet = try await Fleet.start(on: stage, origin: origin)
        let purges = Purges()

        try await withThrowingTaskGroup(of: Readings.self) { readers in
          for pop in fleet.pops {
            for _ in 1...2 {
              readers.addTask {
                try await onThread {
                  try Self.read(pop, purges)
                }
              }
            }
          }
          defer { purges.isOver.store(true, ordering: .releasing) }
          for version in 1...40 {
            try stage.write("site/version.css", "\(version)")
            let result = try await fleet.purge(["url", Self.url])
            #expect(result.end == .status(0), "\(result.errors)")
            purges.acknowledged.store(version, ordering: .releasing)
            for pop in fleet.pops {
              let response = try await pop.request("GET", "/version.css", host: Fleet.host)
              #expect(response.text == "\(version)")
            }
          }
          purges.isOver.store(true, ordering: .releasing)
          var all = Readings()
          for try await readings in readers {
            all.count += readings.count
            all.hits += readings.hits
            all.stale += readings.stale
          }
          #expect(all.stale.isEmpty, "\(all.stale.prefix(5))")
          #expect(all.count > 200)
          #expect(all.hits > all.count / 4, "\(all.hits) hits of \(all.count)")
        }
      }
    }

    @Test("After a purge the next request at each PoP goes to the origin, for nothing but that URL")
    func nextRequest() async throws {
      try await Stage.run { stage in
        try stage.write("site/a.css", "a")
        try stage.write("site/b.css", "b")
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let fleet = try await Fleet.start(on: stage, origin: origin)
        func visitAll() async throws {
          for pop in fleet.pops {
            for path in ["/a.css", "/a.css?v=2", "/b.css"] {
              #expect(try await pop.request("GET", path, host: Fleet.host).status == 200)
            }
          }
        }
        try await visitAll()
        try await visitAll()
        #expect(try await origin.requests() == ["/a.css": 6, "/b.css": 3])

        let one = try await fleet.purge(["url", "http://\(Fleet.host)/a.css"])
        #expect(one.end == .status(0))
        #expect(one.errors == "")
        #expect(one.output.contains("Purged at 3 of 3 PoPs"), "\(one.output)")
        #expect(one.output.contains("3 stored responses"), "\(one.output)")
        try await visitAll()
        #expect(try await origin.requests() == ["/a.css": 9, "/b.css": 3])

        let everything = try await fleet.purge(["everything", "--json"])
        #expect(everything.end == .status(0))
        let report = try JSONDecoder().decode(Report.self, from: Data(everything.bytes))
        #expect(report.complete)
        #expect(report.matched == 9)
        #expect(report.pops.map(\.pop) == Fleet.ids)
        #expect(report.pops.allSatisfy { $0.result == "purged" && $0.matched == 3 })
        try await visitAll()
        #expect(try await origin.requests() == ["/a.css": 15, "/b.css": 6])

        let single = try await fleet.purge(["everything", "--pop", "fra1"])
        #expect(single.end == .status(0))
        #expect(single.output.contains("fra1") && !single.output.contains("sin1"))
        try await visitAll()
        #expect(try await origin.requests() == ["/a.css": 17, "/b.css": 7])
      }
    }

    private struct Report: Decodable {
      struct PoP: Decodable {
        var pop: String?
        var result: String
        var reason: String?
        var matched: Int?
      }
      var complete: Bool
      var matched: Int
      var pops: [PoP]
    }

    @Test("A PoP that is down is named, and the status is 2")
    func onePoPDown() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let fleet = try await Fleet.start(on: stage, origin: origin)
        await fleet.pops[1].process.stop()
        let table = try await fleet.purgeWhatIsUp(["everything"]) {
          $0.output.contains("Purged at 2 of 3 PoPs")
        }
        #expect(table.end == .status(2))
        #expect(table.output.contains("Purged at 2 of 3 PoPs"), "\(table.output)")
        #expect(table.output.contains("Not purged: fra1."), "\(table.output)")
        #expect(table.errorLines.count == 2, "\(table.errors)")
        #expect(table.errorLines.last?.contains("purge-cli retry") == true, "\(table.errors)")
        #expect(table.errors.hasPrefix("purge-cli: fra1 at 127.0.0.1:"), "\(table.errors)")
        #expect(!table.output.contains("\u{1B}"))

        let results = ["purged", "pending", "purged"]
        let json = try await fleet.purgeWhatIsUp(["everything", "--json"]) { finished in
          let report = try? JSONDecoder().decode(Report.self, from: Data(finished.bytes))
          return report?.pops.map(\.result) == results
            && report?.pops[1].reason?.contains("refused") == true
        }
        #expect(json.end == .status(2))
        let report = try JSONDecoder().decode(Report.self, from: Data(json.bytes))
        #expect(!report.complete)
        #expect(report.pops.map(\.result) == results)
        #expect(report.pops[1].reason?.contains("refused") == true)

        // Stopped rather than gone: it accepts the connection and never answers. It goes on only when
        // purge-cli has given up.
        fleet.pops[2].process.send(SIGSTOP)
        let stopped = try await fleet.purge(
          ["everything", "--timeout", "500ms", "--pop", "sin1"])
        fleet.pops[2].process.send(SIGCONT)
        #expect(stopped.end == .status(2))
      }
    }

    @Test("What was ordered at an address is sent there again, and no configuration is asked for")
    func retryWithoutConfiguration() async throws {
      try await Stage.run { stage in
        let nobody = try Socket.bound(listens: false)
        let address = "127.0.0.1:\(nobody.port)"
        for arguments in [["everything", "--admin", "http://\(address)"], ["retry"]] {
          let result = try await run(
            Programs.purgeCLI,
            arguments + ["--spool", stage.path("spool"), "--timeout", "300ms"],
            variables: ["EDGE_CONFIG": nil], directory: stage.directory)
          #expect(result.end == .status(2), "\(result.errors)")
          #expect(result.errors.contains("\(address): cannot connect"), "\(result.errors)")
          #expect(result.errors.contains("purge-cli retry"), "\(result.errors)")
        }
      }
    }

    @Test("A purge that was applied and does not last yet is called so, and kept")
    func appliedOnly() async throws {
      try await Stage.run { stage in
        let listener = try Socket.bound(listens: true)
        Thread.detachNewThread {
          let content = #"{"applied":true,"error":"applied at this PoP, but a disk fails"}"#
          while let socket = listener.accept() {
            let connection = HTTPConnection(socket)
            guard (try? connection.requestHead()) != nil else { continue }
            try? socket.write(
              "HTTP/1.1 500 Error\r\nConnection: close\r\nContent-Length: \(content.utf8.count)\r\n\r\n"
                + content)
          }
        }
        let arguments = [
          "everything", "--admin", "http://127.0.0.1:\(listener.port)", "--timeout", "300ms",
          "--spool", stage.path("spool"),
        ]
        let table = try await run(Programs.purgeCLI, arguments)
        #expect(table.end == .status(2))
        #expect(table.output.contains(" APPLIED "), "\(table.output)")
        #expect(table.output.contains("Applied, but not certain to last: 127.0.0.1:"))
        #expect(!table.output.contains("Not purged"), "\(table.output)")
        #expect(table.errors.contains("a disk fails"), "\(table.errors)")
        let json = try await run(Programs.purgeCLI, arguments + ["--json"])
        #expect(json.output.contains(#""result" : "applied""#), "\(json.output)")
        let names = try FileManager.default.contentsOfDirectory(atPath: stage.path("spool"))
        #expect(names.count == 2)
      }
    }

    @Test("The admin token is asked for, whichever way it is given")
    func token() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let fleet = try await Fleet.start(
          on: stage, origin: origin, variables: ["EDGE_ADMIN_TOKEN": "sesame"])
        let file = try stage.write("token", "sesame\n")
        let cases: [(token: String?, arguments: [String], status: Int32)] = [
          ("sesame", [], 0), (nil, ["--admin-token-file", file], 0), ("wrong", [], 2),
          (nil, [], 2), (nil, ["--admin-token-file", "/no/such"], 1),
        ]
        for (token, arguments, status) in cases {
          let result = try await fleet.purge(
            ["everything"] + arguments, variables: ["EDGE_ADMIN_TOKEN": token])
          #expect(result.end == .status(status), "\(arguments): \(result.errors)")
          if status == 2 {
            #expect(result.output.contains("refused"), "\(result.output)")
            #expect(result.errorLines.count == 3, "\(result.errors)")
          }
        }
      }
    }
  }
}
