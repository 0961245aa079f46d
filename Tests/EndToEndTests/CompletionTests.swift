// What shells complete: every option of every program says of what kind its values are.

import EdgeFleet
import Foundation
import Testing

extension EndToEnd {
  @Suite struct CompletionTests {
    /// A command as a program describes it.
    private struct Command: Decodable {
      var commandName: String
      var arguments: [Argument]?
      var subcommands: [Command]?
    }

    private struct Argument: Decodable {
      struct Name: Decodable { var name: String }
      struct Kind: Decodable {
        struct Values: Decodable { var values: [String] }
        struct File: Decodable { var extensions: [String] }
        struct Empty: Decodable {}
        var list: Values?
        var file: File?
        var directory: Empty?
        var custom: Empty?
      }
      var kind: String
      var preferredName: Name?
      var valueName: String?
      var completionKind: Kind?

      var name: String { preferredName?.name ?? valueName ?? "?" }
    }

    private struct Help: Decodable { var command: Command }

    /// Values that nobody can know: numbers, sizes, times, addresses, names of others. What is not here has a completion.
    private static let free: [String: Set<String>] = [
      "edge-pop": [
        "upstream", "listen", "admin", "memory", "largest-response", "disk-size", "threads",
        "client-connections", "connections-per-address", "drain-timeout", "drain-delay",
        "access-log-sample", "purge-from", "trusted-proxy", "resolver", "host", "prefix", "tag",
        "larger", "smaller", "limit",
      ],
      "purge-cli": [
        "admin", "timeout", "url", "purge", "header", "host", "tag",
      ],
      "edge-load": [
        "target", "purge-rate", "purge-urls", "admin", "origin", "connections", "duration",
        "requests", "warmup", "idle", "rate", "path", "seed", "zipf", "core", "dynamic", "one-hit",
        "median-size", "largest-size", "deploy-every", "most-left-out", "longest-gap",
        "conditional",
        "range", "body-size", "host", "header", "timeout", "threads", "listen", "latency", "name",
        "memory", "overhead", "largest",
      ],
    ]

    /// What options of a fixed set of values offer, by program.
    private static let lists: [(program: String, option: String, values: [String])] = [
      ("edge-pop", "eviction", FleetConfiguration.Eviction.allCases.map(\.rawValue)),
      ("edge-pop", "disk-admission", FleetConfiguration.DiskAdmission.allCases.map(\.rawValue)),
      ("edge-pop", "log-format", FleetConfiguration.LogFormat.allCases.map(\.rawValue)),
      (
        "edge-pop", "access-log-format", FleetConfiguration.AccessLogFormat.allCases.map(\.rawValue)
      ),
      ("edge-pop", "log-level", ["debug", "info", "warning"]),
      ("edge-pop", "sort", ["newest", "url", "size"]),
      ("edge-load", "format", ["common", "nginx", "edge-pop-json", "json", "csv"]),
      ("edge-load", "workload", ["assets", "web", "images", "api"]),
      ("edge-load", "eviction", ["lru", "slru", "size-lru"]),
      ("edge-load", "changed-size", ["keep", "resize", "replace"]),
      ("edge-load", "speed", ["max"]), ("edge-load", "method", ["GET", "POST"]),
      ("purge-cli", "method", ["GET", "HEAD"]),
    ]

    private static let programs = [
      ("edge-pop", Programs.edgePoP), ("purge-cli", Programs.purgeCLI),
      ("edge-load", Programs.edgeLoad),
    ]

    private static func arguments(_ command: Command) -> [Argument] {
      (command.arguments ?? [])
        + (command.subcommands ?? []).filter { $0.commandName != "help" }.flatMap(arguments)
    }

    private func described(_ path: String) async throws -> [Argument] {
      let result = try await run(path, ["--experimental-dump-help"])
      return Self.arguments(try JSONDecoder().decode(Help.self, from: Data(result.bytes)).command)
    }

    @Test("Each option has a completion, or values that nobody can know")
    func complete() async throws {
      for (program, path) in Self.programs {
        let free = try #require(Self.free[program])
        let arguments = try await described(path).filter { $0.kind != "flag" }
        #expect(arguments.count > 10)
        for argument in arguments {
          let kind = argument.completionKind
          let isFree = free.contains(argument.name)
          #expect(
            (kind == nil) == isFree,
            "\(program) \(argument.name): say what completes it, or that nothing can")
          switch argument.valueName {
          case "file": #expect(kind?.file != nil, "\(program) \(argument.name)")
          case "directory": #expect(kind?.directory != nil, "\(program) \(argument.name)")
          case "path" where !isFree:
            #expect(kind?.file != nil || kind?.directory != nil, "\(program) \(argument.name)")
          default: break
          }
        }
        // What was taken away is taken out of the table, too.
        #expect(free.subtracting(arguments.map(\.name)) == [], "\(program)")
      }
    }

    @Test("Fixed values are offered, and those that are offered are taken")
    func values() async throws {
      for (program, path) in Self.programs {
        let arguments = try await described(path)
        for row in Self.lists where row.program == program {
          let found = arguments.filter { $0.name == row.option }
          #expect(!found.isEmpty, "\(program) \(row.option)")
          for argument in found {
            let offered = argument.completionKind?.list?.values ?? []
            #expect(Set(row.values).isSubset(of: offered), "\(program) \(row.option): \(offered)")
          }
        }
      }
      let log = "192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5\n"
      try await Stage.run { stage in
        let file = try stage.write("access.log", log)
        let formats = try await described(Programs.edgeLoad).first { $0.name == "format" }
        for format in formats?.completionKind?.list?.values ?? [] {
          let result = try await run(
            Programs.edgeLoad, ["simulate-eviction", file, "--format", format])
          #expect(!result.errors.contains("--format"), "\(format): \(result.errors)")
        }
      }
    }

    @Test("--pop offers the PoPs of the configuration that the line names")
    func pops() async throws {
      try await Stage.run { stage in
        let file = try stage.write(
          "my pops.json",
          """
          {"fleet": "x", "regions": {"us": {"api": ["http://127.0.0.1:3101"]}},
           "sites": [{"name": "a", "hosts": ["www.example"], "origin": ["http://127.0.0.1:3000"]}],
           "pops": [{"id": "aaa1", "city": "A", "latitude": 1, "longitude": 1, "region": "us",
             "listen": ["127.0.0.1:8081"], "admin": "127.0.0.1:9081"}]}
          """)
        let escaped = file.replacingOccurrences(of: " ", with: "\\ ")
        for words in [
          ["x", "--config", file.replacingOccurrences(of: " ", with: "\\ ")],
          ["x", "--config=" + escaped], ["x", "--config", "=", "'\(file)'"],
          ["x", "--config", "\"\(file)\"", "--pop", ""],
        ] {
          #expect(FleetConfiguration.popNames(words, after: "--config") == ["aaa1"], "\(words)")
        }
        let nowhere = ["x", "--config", "/nowhere"]
        #expect(FleetConfiguration.popNames(nowhere, after: "--config") == [])
        #expect(FleetConfiguration.popNames(["x"], after: "--config", else: file) == ["aaa1"])
      }
    }

    @Test("bash, zsh and fish get a script, and bash completes with it")
    func scripts() async throws {
      for (program, path) in Self.programs {
        for shell in ["bash", "zsh", "fish"] {
          let result = try await run(path, ["--generate-completion-script", shell])
          #expect(result.end == .status(0) && result.output.count > 1000, "\(program) \(shell)")
        }
      }
      let line = """
        source <("$0" --generate-completion-script bash)
        COMP_WORDS=(edge-load simulate-eviction --eviction s) COMP_CWORD=3 COMP_TYPE=9
        COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
        $(complete -p edge-load | sed 's/.*-F \\([^ ]*\\).*/\\1/') edge-load s --eviction
        echo "${COMPREPLY[*]}"
        """
      let result = try await run("/bin/bash", ["-c", line, Programs.edgeLoad])
      #expect(result.output.contains("slru") && result.output.contains("size-lru"), "\(result)")
      #expect(!result.output.contains(" lru"))
    }
  }
}
