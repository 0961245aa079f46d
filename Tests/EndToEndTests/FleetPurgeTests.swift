// Purges of a fleet whose PoPs go away and come back, and what proves that they were applied.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct FleetPurgeTests {
    @Test("A PoP that was killed hears what it missed before it serves from disk")
    func catchesUp() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        var fleet = try await Fleet.start(on: stage, origin: origin, disks: true)
        try await fleet.fill()
        await fleet.pops[1].process.stop(SIGKILL)

        try stage.write("site/a.css", "2")
        let purge = try await fleet.purgeWhatIsUp(["prefix", "http://\(Fleet.host)/a"]) {
          $0.output.contains("Purged at 2 of 3 PoPs")
        }
        #expect(purge.end == .status(2))
        #expect(purge.output.contains("Purged at 2 of 3 PoPs"), "\(purge.output)")
        let name = try #require(purge.output.firstMatch(of: /Purge (\d+-\d+)\./)).1
        #expect(FileManager.default.fileExists(atPath: "\(fleet.spool)/\(name).json"))

        try await fleet.restart(1, on: stage)
        for pop in fleet.pops { #expect(try await pop.file("/a.css").text == "2") }
        let synced = try await eventually("synced") {
          let health = try await fleet.pops[1].purges()
          return health.state == "synced" ? health : nil
        }
        #expect(synced.newest == String(name))
        // What was not purged is still good.
        let other = try await fleet.pops[1].file("/b.css")
        #expect(other.text == "1" && other.status.contains("; hit"), "\(other.status)")

        let status = try await fleet.purge(["status", String(name)])
        #expect(status.end == .status(0), "\(status.output)")
        #expect(status.output.split(separator: "\n").count == 3)
        let retry = try await fleet.purge(["retry"])
        #expect(retry.end == .status(0), "\(retry.output) \(retry.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(fleet.spool)/\(name).json"))
        let nothing = try await fleet.purge(["retry"])
        #expect(nothing.end == .status(0) && nothing.output == "Nothing is pending.\n")
        _ = try await eventually("all are synced") {
          try await fleet.purge(["status"]).end == .status(0) ? true : nil
        }
        #expect(try await fleet.purge(["status", "1-1"]).end == .status(2))
      }
    }

    @Test("Each PoP has one audit line of a purge, however often it hears of it")
    func audit() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let fleet = try await Fleet.start(on: stage, origin: origin)
        try await fleet.waitUntilSynced()
        var names: [String] = []
        for scope in [["url", "http://\(Fleet.host)/a.css"], ["tag", "x", "y"], ["everything"]] {
          let purge = try await fleet.purge(scope)
          #expect(purge.end == .status(0), "\(purge.errors)")
          names.append(
            String(try #require(purge.output.firstMatch(of: /Purge (\d+-\d+)\./)).1))
        }
        // Each of the three by purge-cli and from two others.
        for pop in fleet.pops {
          _ = try await eventually("all was heard") { try await pop.repeated() >= 6 ? true : nil }
        }
        for name in names {
          for pop in fleet.pops {
            let lines = pop.process.errors.value.lines.filter {
              $0.contains("purge applied") && $0.contains("id=\(name)")
            }
            #expect(lines.count == 1, "\(lines)")
          }
        }
      }
    }

    @Test("Until the others have answered, what is on disk is validated, and says so")
    func fence() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        var fleet = try await Fleet.start(
          on: stage, origin: origin, disks: true, more: #""maxUnsynced": "60s","#)
        try await fleet.fill()
        for index in [0, 2] { fleet.pops[index].process.send(SIGSTOP) }
        await fleet.pops[1].process.stop(SIGKILL)
        try await fleet.restart(1, on: stage)
        #expect(try await fleet.pops[1].purges().state == "catching-up")
        let checked = try await fleet.pops[1].file("/a.css")
        #expect(checked.text == "1")
        #expect(
          checked.status.contains("fwd=stale") && checked.status.contains("detail=unsynced"),
          "\(checked.status)")
        for index in [0, 2] { fleet.pops[index].process.send(SIGCONT) }
        _ = try await eventually("synced") {
          try await fleet.pops[1].purges().state == "synced" ? true : nil
        }
        let hit = try await fleet.pops[1].file("/b.css")
        #expect(hit.status.contains("; hit"), "\(hit.status)")
      }
    }

    @Test("Nobody answers for maxUnsynced: everything is purged softly, and served again")
    func alone() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        var fleet = try await Fleet.start(
          on: stage, origin: origin, disks: true, more: #""maxUnsynced": "500ms","#)
        try await fleet.fill()
        for pop in fleet.pops { await pop.process.stop(SIGKILL) }
        try await fleet.restart(1, on: stage)
        _ = try await eventually("it gives up") {
          try await fleet.pops[1].purges().state == "unsynced" ? true : nil
        }
        let first = try await fleet.pops[1].file("/a.css")
        #expect(first.status.contains("fwd=stale") && !first.status.contains("unsynced"))
        #expect(try await fleet.pops[1].file("/a.css").status.contains("; hit"))
        let status = try await fleet.purge(["status", "--pop", "fra1"])
        #expect(status.end == .status(2) && status.output.contains("unsynced"), "\(status.output)")
      }
    }

    @Test(
      "What was purged at the edge does not come back from the parent", arguments: [false, true])
    func tiers(_ isReachable: Bool) async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let fleet = try await Fleet.start(
          on: stage, origin: origin, parents: ["iad1": "fra1"])
        let (edge, parent) = (fleet.pops[0], fleet.pops[1])
        #expect(try await edge.file("/a.css").text == "1")
        #expect(try await origin.requests() == ["/a.css": 1])
        #expect(try await parent.file("/a.css").status.contains("; hit"))
        try stage.write("site/a.css", "2")
        if !isReachable { parent.process.send(SIGSTOP) }
        let purge = try await run(
          Programs.purgeCLI, ["url", "http://\(Fleet.host)/a.css", "--admin", edge.adminURL])
        #expect(purge.end == .status(0), "\(purge.errors)")
        if !isReachable {
          // The origin stands in for a parent that does not answer.
          await parent.process.stop(SIGKILL)
        }
        #expect(try await edge.file("/a.css").text == "2")
        #expect(try await edge.file("/a.css").status.contains("; hit"))
        if isReachable { #expect(try await parent.file("/a.css").text == "2") }
      }
    }

    @Test("Receipts prove what was done, to who has the token")
    func receipts() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let fleet = try await Fleet.start(
          on: stage, origin: origin, variables: ["EDGE_ADMIN_TOKEN": "sesame"])
        let file = stage.path("receipts.json")
        let purge = try await fleet.purge(
          ["tag", "news", "--soft", "--receipt", file], variables: ["EDGE_ADMIN_TOKEN": "sesame"])
        #expect(purge.end == .status(0), "\(purge.errors)")
        #expect(purge.output.contains("Made stale at 3 of 3 PoPs"), "\(purge.output)")
        func verify(_ token: String?) async throws -> FinishedProcess {
          try await run(
            Programs.purgeCLI, ["verify", file], variables: ["EDGE_ADMIN_TOKEN": token])
        }
        let right = try await verify("sesame")
        #expect(right.end == .status(0), "\(right.output)")
        #expect(right.output.split(separator: "\n").allSatisfy { $0.hasPrefix("right") })
        #expect(try await verify("other").end == .status(2))
        #expect(try await verify(nil).end == .status(1))
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try stage.write("receipts.json", text.replacingOccurrences(of: "news", with: "old"))
        let altered = try await verify("sesame")
        #expect(altered.end == .status(2) && altered.output.contains("WRONG"))
      }
    }

    @Test("A list is purged from standard input, tried first, and verified afterwards")
    func lists() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let fleet = try await Fleet.start(on: stage, origin: origin)
        for pop in fleet.pops {
          for path in ["/a.css", "/b.css"] { _ = try await pop.file(path) }
        }
        let list = try stage.write(
          "list", "# deployed\nhttp://\(Fleet.host)/a.css\nurl http://\(Fleet.host)/b.css\n")
        let tried = try await fleet.purge(["purge", list, "--dry-run"])
        #expect(tried.end == .status(0) && tried.output.contains("6 stored responses"))
        for name in ["a", "b"] { try stage.write("site/\(name).css", "2") }
        let purge = try await fleet.purge(["purge", list])
        #expect(purge.end == .status(0) && purge.output.contains("6 stored responses"))
        for pop in fleet.pops { #expect(try await pop.file("/a.css").text == "2") }
        let wrong = try stage.write("wrong", "tag a\nurl /relative\n")
        let refused = try await fleet.purge(["purge", wrong])
        #expect(refused.end == .status(1) && refused.errors.contains("line 2"), "\(refused.errors)")
        let verified = try await fleet.purge(
          ["url", "http://\(Fleet.host)/a.css", "http://\(Fleet.host)/none", "--verify"])
        #expect(verified.end == .status(0), "\(verified.errors)")
        #expect(verified.output.contains("Verified: 2 URLs"), "\(verified.output)")
        #expect(try await fleet.purge(["tag", "x", "--verify"]).end == .status(1))
      }
    }
  }
}

extension EndToEnd {
  @Suite struct AdminTLSTests {
    private static func openssl(_ stage: Stage, _ arguments: String...) async throws {
      let made = try await run(
        try Programs.system("openssl"), arguments, directory: stage.directory)
      try #require(made.end == .status(0), "\(made.errors)")
    }

    /// A certificate of an authority.
    private static func certificate(_ stage: Stage, _ name: String, by ca: String) async throws {
      try stage.write("\(name).ext", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
      try await openssl(
        stage, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out", "\(name).csr")
      try await openssl(
        stage, "x509", "-req", "-in", "\(name).csr", "-CA", "\(ca).pem", "-CAkey", "\(ca).key",
        "-CAcreateserial", "-days", "2", "-extfile", "\(name).ext", "-out", "\(name).pem")
    }

    @Test("Only who has a certificate may purge, and PoPs ask each other with theirs")
    func mutual() async throws {
      try await Stage.run { stage in
        for name in ["ca", "other"] {
          try await Self.openssl(
            stage, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout", "\(name).key", "-out",
            "\(name).pem")
        }
        for (name, ca) in [("pop", "ca"), ("operator", "ca"), ("stranger", "other")] {
          try await Self.certificate(stage, name, by: ca)
        }
        let origin = try await SampleOrigin.start(on: stage)
        let fleet = try await Fleet.start(
          on: stage, origin: origin,
          more: """
            "adminTLS": { "ca": "\(stage.path("ca.pem"))",
              "certificate": "\(stage.path("pop.pem"))", "key": "\(stage.path("pop.key"))" },
            """)
        func purge(_ name: String?, _ more: [String] = []) async throws -> FinishedProcess {
          let own = name.map {
            ["--certificate", stage.path("\($0).pem"), "--key", stage.path("\($0).key")]
          }
          return try await fleet.purge(["everything"] + more + (own ?? []))
        }
        _ = try await eventually("the PoPs have heard from each other") {
          try await fleet.purge(["status"]).end == .status(0) ? true : nil
        }
        #expect(try await purge(nil).end == .status(0))
        let known = try await purge("operator")
        #expect(known.end == .status(0), "\(known.output) \(known.errors)")
        let stranger = try await purge("stranger", ["--timeout", "2s"])
        #expect(stranger.end == .status(2), "\(stranger.output)")
        let plain = try await run(
          Programs.purgeCLI,
          ["everything", "--admin", "http://127.0.0.1:\(fleet.adminPort(0))", "--timeout", "500ms"])
        #expect(plain.end == .status(2), "\(plain.output)")
        let nobody = try await run(
          Programs.purgeCLI,
          [
            "everything", "--admin", "https://127.0.0.1:\(fleet.adminPort(0))", "--ca",
            stage.path("ca.pem"), "--timeout", "500ms",
          ])
        #expect(nobody.end == .status(2), "\(nobody.output)")
      }
    }
  }
}
