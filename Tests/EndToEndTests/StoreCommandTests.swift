// edge-pop store: what an operator sees of the disk store of a PoP.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct StoreCommandTests {
    private struct Line: Decodable {
      let url: String
      let status: Int
      let size: Int
      let ttl: Int
      let fresh: Bool
      let state: String
      let purge: Int?
    }

    private struct Report: Decodable {
      struct Responses: Decodable {
        let alive: Int
        let purged: Int
      }
      struct Finding: Decodable {
        let kind: String
        let file: String
        let offset: Int
        let url: String?
      }
      let path: String
      let result: String
      let reason: String?
      let responses: Responses?
      let findings: [Finding]
    }

    private static func store(_ arguments: String...) async throws -> FinishedProcess {
      try await run(Programs.edgePoP, ["store"] + arguments)
    }

    private static func lines(_ result: FinishedProcess) throws -> [Line] {
      try result.output.split(separator: "\n").map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8))
      }
    }

    private static func reports(_ result: FinishedProcess) throws -> [Report] {
      try JSONDecoder().decode([Report].self, from: Data(result.output.utf8))
    }

    /// A PoP with a store on the stage, in which these paths are.
    private static func pop(
      on stage: Stage, before origin: SampleOrigin, with paths: [String]
    ) async throws -> PoP {
      let pop = try await PoP.start(
        on: stage,
        arguments: [
          "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--disk",
          stage.path("store"), "--disk-size", "16MiB",
        ])
      for path in paths { _ = try await pop.request("GET", path) }
      _ = try await eventually("\(paths.count) records") {
        let result = try await run(
          try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(pop.adminURL)/stats"])
        return result.output.contains(try Regex("\"written\" ?: ?\(paths.count)\\b")) ? true : nil
      }
      return pop
    }

    /// Flips bits of a byte of a file of the store.
    private static func flip(_ file: String, _ offset: Int, on stage: Stage) throws {
      let path = stage.path("store/\(file)")
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[offset] ^= 0x40
      let handle = try #require(FileHandle(forUpdatingAtPath: path))
      try handle.write(contentsOf: bytes)
      try handle.close()
    }

    @Test("A store that is well lists what is in it; damage and what is not a store are told apart")
    func life() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let paths = (1...20).map { "/bytes/\($0 * 1000)?cache=max-age=\($0 * 100)" }
        let pop = try await Self.pop(on: stage, before: origin, with: paths)
        let path = stage.path("store")

        for command in ["check", "ls"] {
          let result = try await Self.store(command, path)
          #expect(result.end == .status(2))
          #expect(result.output == "" && result.errorLines.count == 1, "\(result.errors)")
          #expect(result.errors.contains("a process uses it; stop that first"), "\(result.errors)")
        }
        let purge = try await run(
          try Programs.system("curl"),
          [
            "-sS", "--noproxy", "*", "--fail", "-d",
            #"{"scope":"url","urls":["http://127.0.0.1\#(paths[0])"]}"#, "\(pop.adminURL)/purge",
          ])
        #expect(purge.end == .status(0))
        await pop.process.stop()

        let right = try await Self.store("check", path)
        #expect(right.end == .status(0), "\(right.errors)")
        #expect(right.output.hasPrefix("\(path): all right\n"), "\(right.output)")
        #expect(right.output.contains("19 responses") && right.output.contains("1 purged"))
        #expect(right.errors == "")
        let document = try Self.reports(try await Self.store("check", "--json", path))
        #expect(document.map(\.result) == ["all right"])
        #expect(document.first?.responses?.alive == 19 && document.first?.responses?.purged == 1)

        try await Self.lists(path, paths, pop)
        try await Self.damaged(on: stage)
      }
    }

    private static func lists(_ path: String, _ paths: [String], _ pop: PoP) async throws {
      let listed = try await store("ls", "--json", path)
      #expect(listed.end == .status(0))
      let alive = try lines(listed)
      #expect(alive.map(\.url) == paths.dropFirst().reversed().map { "\(pop.url)\($0)" })
      #expect(alive.allSatisfy { $0.status == 200 && $0.fresh && $0.state == "alive" })
      #expect(alive.map(\.size) == (2...20).reversed().map { $0 * 1000 })
      #expect(listed.errors.hasPrefix("19 responses, "), "\(listed.errors)")
      #expect(listed.errors.contains("1 not served any more"), "\(listed.errors)")

      let all = try lines(try await store("ls", "--json", "--all", path))
      #expect(all.count == 20 && all.last?.state == "purged" && all.last?.purge == 2)

      let some = try lines(
        try await store(
          "ls", "--json", "--sort", "ttl", "--larger", "4KiB", "--smaller", "9000", "--limit", "2",
          "--host", "127.0.0.1", "--prefix", "/bytes/", "--fresh", path))
      #expect(some.map(\.size) == [5000, 6000])
      #expect(try lines(try await store("ls", "--json", "--stale", path)).isEmpty)
      #expect(try lines(try await store("ls", "--json", "--tag", "x", path)).isEmpty)

      let table = try await store("ls", "--sort", "url", path)
      let rows = table.output.split(separator: "\n")
      #expect(rows.count == 20 && rows.first?.hasPrefix("URL ") == true, "\(table.output)")
      #expect(!table.output.contains("\u{1B}"))
      for noColor in [nil, "1"] {
        // script(1) gives it a terminal.
        let seen = try await run(
          try Programs.system("script"),
          ["-qec", "\(Programs.edgePoP) store check \(path)", "/dev/null"],
          variables: ["NO_COLOR": noColor, "TERM": "xterm"])
        #expect(seen.end == .status(0))
        #expect(seen.output.contains("\u{1B}[32mall right") == (noColor == nil), "\(seen.output)")
        #expect(seen.output.contains(" % of "), "\(seen.output)")
      }
    }

    private static func damaged(on stage: Stage) async throws {
      let path = stage.path("store")
      try flip("segments/000000", 30_000, on: stage)
      let damaged = try await store("check", "--progress", path)
      #expect(damaged.end == .status(1), "\(damaged.output)")
      #expect(damaged.output.contains("/segments/000000: offset "), "\(damaged.output)")
      #expect(damaged.output.contains("the content is damaged"), "\(damaged.output)")
      #expect(damaged.errors.contains("100 %"), "\(damaged.errors)")
      let both = try await store("check", "--json", path, stage.path("none"))
      #expect(both.end == .status(2))
      let reports = try reports(both)
      #expect(reports.map(\.result) == ["damaged", "not opened"])
      #expect(reports.first?.findings.map(\.file) == ["segments/000000"])
      #expect(reports.first?.findings.first?.url?.contains("/bytes/") == true)

      try flip("STORE", 20, on: stage)
      let header = try await store("check", path)
      #expect(header.end == .status(1))
      #expect(header.output.contains("/STORE: offset 0: damage: "), "\(header.output)")
      try flip("STORE", 8, on: stage)
      for command in ["check", "ls"] {
        let version = try await store(command, path)
        #expect(version.end == .status(2))
        #expect(version.errorLines.count == 1, "\(version.errors)")
        #expect(version.errors.contains("it has format version "), "\(version.errors)")
      }
    }

    @Test("What cannot be opened is one line and status 2; wrong use is one and status 64")
    func refused() async throws {
      try await Stage.run { stage in
        try stage.write("empty/x", "")
        try stage.write("other/LOCK", "")
        try stage.write("other/STORE", "something else")
        let cases: [(arguments: [String], status: Int32, says: String)] = [
          (["ls", stage.path("none")], 2, "there is no store"),
          (["check", stage.path("empty")], 2, "there is no store"),
          (["check", stage.path("other")], 2, "not the header of a store"),
          (["ls", stage.path("other")], 2, "not the header of a store"),
          (["ls"], 64, "Missing expected argument"),
          (["check"], 64, "Missing expected argument"),
          (["nope"], 64, "'nope'"),
          (["ls", "--sort", "nope", "x"], 64, "'nope'"),
          (["ls", "--fresh", "--stale", "x"], 64, "exclude each other"),
          (["ls", "--larger", "5MB", "x"], 64, "--larger: \"5MB\" is not a size"),
          (["ls", "--prefix", "a", "x"], 64, "--prefix a"),
          (["ls", "--limit", "0", "x"], 64, "--limit 0"),
        ]
        for (arguments, status, says) in cases {
          let result = try await run(Programs.edgePoP, ["store"] + arguments)
          #expect(result.end == .status(status), "\(arguments)")
          #expect(result.output == "", "\(arguments)")
          #expect(result.errorLines.count == 1, "\(result.errors)")
          #expect(
            result.errors.hasPrefix("edge-pop: ") && result.errors.contains(says),
            "\(result.errors)")
        }
        let mixed = try await run(
          Programs.edgePoP, ["--threads", "2", "store", "ls", stage.path("none")])
        #expect(mixed.end == .status(1) && mixed.errors.contains("mean nothing"), "\(mixed.errors)")
        let help = try await run(Programs.edgePoP, ["--help"])
        #expect(help.output.contains("store") && help.output.contains("--upstream"))
        for command in ["check", "ls"] {
          let help = try await run(Programs.edgePoP, ["store", command, "--help"])
          #expect(help.end == .status(0) && help.output.contains("Exit status: 0"))
        }
      }
    }
  }
}
