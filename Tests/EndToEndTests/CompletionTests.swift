// What shells complete after the options of each program. The programs themselves say which options they have, so that
// none can be added without saying here what its values are.

import Foundation
import Testing

/// What the values of an option are.
private enum Values: Equatable, CustomStringConvertible {
  case files([String] = [])
  case directories
  case words([String])
  /// The program is asked.
  case asked
  /// Anything: a number, a URL, a name.
  case free

  var description: String {
    switch self {
    case .files(let extensions): extensions.isEmpty ? "files" : "files \(extensions)"
    case .directories: "directories"
    case .words(let words): "one of \(words)"
    case .asked: "asked"
    case .free: "free"
    }
  }
}

/// The part of `--experimental-dump-help` that matters.
private struct Help: Decodable {
  struct Command: Decodable {
    let commandName: String
    let arguments: [Argument]?
    let subcommands: [Command]?
  }

  struct Argument: Decodable {
    struct Name: Decodable { let name: String }
    struct Files: Decodable { let extensions: [String] }
    struct List: Decodable { let values: [String] }
    struct Nothing: Decodable {}
    struct Completion: Decodable {
      let file: Files?
      let list: List?
      let directory: Nothing?
      let custom: Nothing?
    }

    let kind: String
    let preferredName: Name?
    let valueName: String?
    let allValues: [String]?
    let completionKind: Completion?

    /// As it is written on a command line, or what a value without a name is called.
    var name: String { preferredName.map { "--\($0.name)" } ?? valueName ?? "" }

    var values: Values {
      if let files = completionKind?.file { return .files(files.extensions) }
      if let list = completionKind?.list { return .words(list.values) }
      if completionKind?.directory != nil { return .directories }
      return completionKind?.custom == nil ? .free : .asked
    }
  }

  let command: Command
}

extension EndToEnd {
  @Suite struct CompletionTests {
    private static let programs = [Programs.edgePoP, Programs.purgeCLI, Programs.edgeLoad]
    private static let json = Values.files(["json"])
    private static let eviction = Values.words(["lru", "slru", "size-lru"])
    private static let methods = Values.words([
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
    ])
    private static let logs = Values.words([
      "alb", "apache", "aws", "caddy", "cloudflare", "cloudfront", "combined", "common", "csv",
      "edge-pop", "edge-pop-json", "fastly", "haproxy", "json", "nginx", "nginx-json", "rows",
      "squid", "traefik", "vhost-combined", "w3c",
    ])

    /// What is completed after each option that has no free values, by command and by the name of the option.
    private static let completed: [String: [String: Values]] = [
      "edge-pop": [
        "--config": json, "--pop": .asked, "--eviction": eviction, "--disk": .directories,
        "--disk-admission": .words(["auto", "all", "second-hit"]), "--access-log": .files(),
        "--access-log-format": .words(["combined", "vhost-combined", "json"]),
        "--log-level": .words([
          "trace", "debug", "info", "notice", "warning", "error", "critical",
        ]),
        "--log-format": .words(["text", "json"]), "--admin-token-file": .files(),
        "--upstream-ca": .files(),
      ],
      "edge-pop store ls": [
        "path": .directories, "--sort": .words(["newest", "url", "size", "age", "ttl"]),
      ],
      "edge-pop store check": ["path": .directories],
      "edge-load origin": ["--root": .directories, "--log": .files()],
      "edge-load run": [
        "--pops": json, "--pop": .asked, "--token-file": .files(), "--paths-file": .files(),
        "--workload": .words(["assets", "web", "images", "api"]), "--replay": .files(),
        "--format": logs, "--speed": .words(["1x", "2x", "10x", "max"]),
        "--method": methods, "--report": .files(), "--html": .files(),
      ],
      "edge-load trace": [
        "--workload": .words(["assets", "web", "images", "api"]), "--output": .files(),
      ],
      "edge-load simulate-eviction": [
        "trace": .files(), "--eviction": eviction, "--format": logs,
        "--changed-size": .words(["keep", "resize", "replace"]),
        "--shards": .words(["1", "2", "4", "8", "16"]),
      ],
      "purge-cli": [
        "--config": json, "--pop": .asked, "--admin-token-file": .files(), "--ca": .files(),
        "--certificate": .files(), "--key": .files(), "--receipt": .files(),
        "--spool": .directories,
      ],
      "purge-cli purge": ["file": .files()], "purge-cli verify": ["file": .files()],
      "purge-cli explain": ["--method": methods],
    ]

    /// Options and values that may be anything: nothing can be offered for them.
    private static let free: [String: Set<String>] = [
      "edge-pop": [
        "--upstream", "--listen", "--admin", "--memory", "--largest-response", "--disk-size",
        "--threads", "--client-connections", "--connections-per-address", "--drain-timeout",
        "--drain-delay", "--access-log-sample", "--purge-from", "--trusted-proxy", "--resolver",
        "--host", "--prefix", "--tag", "--larger", "--smaller", "--limit",
      ],
      "edge-load": [
        "--listen", "--latency", "--name", "--target", "--purge-rate", "--purge-urls", "--admin",
        "--origin", "--connections", "--duration", "--requests", "--warmup", "--idle", "--rate",
        "--path", "--seed", "--zipf", "--core", "--dynamic", "--one-hit", "--median-size",
        "--largest-size", "--deploy-every", "--most-left-out", "--longest-gap", "--conditional",
        "--range", "--body-size", "--host", "--header", "--timeout", "--threads", "--memory",
        "--overhead", "--largest",
      ],
      "purge-cli": ["url", "host", "tag", "purge", "--admin", "--timeout", "--header"],
    ]

    private func commands(_ command: Help.Command, _ outer: String = "") -> [(
      path: String, arguments: [Help.Argument]
    )] {
      let path = outer + command.commandName
      return [(path, command.arguments ?? [])]
        + (command.subcommands ?? []).flatMap { commands($0, path + " ") }
    }

    @Test("Each option completes what its values are", arguments: programs)
    func options(program: String) async throws {
      let dump = try await run(program, ["--experimental-dump-help"])
      try #require(dump.end == .status(0), "\(dump.errors)")
      let help = try JSONDecoder().decode(Help.self, from: Data(dump.output.utf8))
      let name = help.command.commandName
      var unseen = Self.completed.filter { $0.key.split(separator: " ").first ?? "" == name }
      var unused = try #require(Self.free[name])
      let anything = unused
      for (path, arguments) in commands(help.command) where path != "\(name) help" {
        for argument in arguments where argument.kind != "flag" {
          let place = "\(path) \(argument.name)"
          let owner = [path, name].first { Self.completed[$0]?[argument.name] != nil }
          guard let owner, let expected = Self.completed[owner]?[argument.name] else {
            #expect(
              anything.contains(argument.name),
              "\(place): say in this test what its values are, and in the program what completes")
            #expect(argument.values == .free, "\(place)")
            unused.remove(argument.name)
            continue
          }
          unseen[owner]?[argument.name] = nil
          if argument.name == "--format", case .words(let all) = argument.values,
            case .words(let some) = expected
          {
            #expect(Set(some).isSubset(of: all), "\(place): \(all)")
          } else {
            #expect(argument.values == expected, "\(place)")
          }
        }
      }
      #expect(unseen.allSatisfy { $0.value.isEmpty }, "no such options: \(unseen)")
      #expect(unused.isEmpty, "no such options: \(unused)")
    }

    /// Command lines with the cursor at their end, and what bash offers.
    private static let lines: [(words: [String], offers: [String], not: [String])] = [
      (["edge-pop", "--ev"], ["--eviction"], ["--pop"]),
      (["edge-pop", "--eviction", ""], ["lru", "slru", "size-lru"], ["logs"]),
      (["edge-pop", "--disk-admission", "s"], ["second-hit"], ["all", "some.json"]),
      (["edge-pop", "--config", "so"], ["some.json"], ["some.log", "store"]),
      (["edge-pop", "--disk", ""], ["logs"], ["some.json", "some.log"]),
      (["edge-pop", "--config", "some.json", "--pop", ""], ["iad1", "fra1"], []),
      (["edge-pop", "--config", "some.json", "--pop", "f"], ["fra1"], ["iad1"]),
      (["edge-pop", "--config", "~/some.json", "--pop", ""], ["iad1", "fra1"], []),
      (["edge-pop", "--config", "none.json", "--pop", ""], [], ["iad1"]),
      (["edge-pop", "--config", "some.log", "--pop", ""], [], ["iad1"]),
      (["edge-pop", "store", "ls", ""], ["logs"], ["some.json"]),
      (["edge-load", ""], ["run", "origin", "trace", "simulate-eviction"], []),
      (["edge-load", "run", "--format", "ng"], ["nginx", "nginx-json"], ["squid"]),
      (["edge-load", "run", "--replay", "some."], ["some.log", "some.json"], []),
      (["edge-load", "run", "--workload", "a"], ["assets", "api"], ["web"]),
      (["edge-load", "run", "--pops", "some.json", "--pop", "i"], ["iad1"], ["fra1"]),
      (["edge-load", "origin", "--root", "l"], ["logs"], []),
      (["edge-load", "simulate-eviction", "some.l"], ["some.log"], ["some.json"]),
      (["purge-cli", "everything", "--config", "some.json", "--pop", ""], ["iad1", "fra1"], []),
      (["purge-cli", "everything", "--pop", ""], ["sin1"], ["iad1"]),
      (["purge-cli", "purge", "some.l"], ["some.log"], []),
      (["purge-cli", "explain", "--method", "P"], ["POST", "PUT", "PATCH"], ["GET"]),
    ]

    private static let configuration = """
      { "fleet": "f", "regions": { "r": { "api": ["http://127.0.0.1:9"] } },
        "sites": [{ "name": "s", "hosts": ["*"], "origin": ["http://127.0.0.1:9"] }],
        "pops": [PoPS] }
      """

    private func configuration(_ ids: [String]) -> String {
      let pops = ids.enumerated().map { number, id in
        """
        { "id": "\(id)", "city": "c", "latitude": 1, "longitude": 1, "region": "r",
          "listen": ["127.0.0.1:\(7001 + number)"], "admin": "127.0.0.1:\(7101 + number)" }
        """
      }
      return Self.configuration.replacing("PoPS", with: pops.joined(separator: ","))
    }

    @Test("bash offers what is right where the cursor is")
    func bash() async throws {
      try await Stage.run { stage in
        try stage.write("some.json", configuration(["iad1", "fra1"]))
        try stage.write("fleet/pops.json", configuration(["sin1"]))
        try stage.write("some.log", "GET /\n")
        try stage.write("logs/a.log", "GET /\n")
        for (number, (words, offers, not)) in Self.lines.enumerated() {
          // The program is called by its path, to be found without PATH.
          let script = """
            program=$1; shift
            source <("$program" --generate-completion-script bash) || exit 3
            COMP_WORDS=("$program" "$@"); COMP_CWORD=$#; COMP_LINE="${COMP_WORDS[*]}"
            COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_KEY=9
            function=$(complete -p "${program##*/}" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
            "$function" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
          let result = try await run(
            try Programs.system("bash"),
            ["--norc", "-c", script, "bash", "\(Programs.all)/\(words[0])"] + words.dropFirst(),
            variables: ["EDGE_CONFIG": "fleet/pops.json", "HOME": stage.directory],
            directory: stage.directory)
          let offered = Set(
            result.output.split(separator: "\n").map { $0.trimmingCharacters(in: ["/", " "]) })
          #expect(
            offered.isSuperset(of: offers) && offered.isDisjoint(with: not),
            "\(number) \(words): \(offered) \(result.errors)")
          #expect(result.errors == "", "\(words)")
        }
      }
    }

    @Test("Each format that is offered is taken")
    func formats() async throws {
      let dump = try await run(Programs.edgeLoad, ["--experimental-dump-help"])
      let help = try JSONDecoder().decode(Help.self, from: Data(dump.output.utf8))
      let option = commands(help.command).flatMap(\.arguments).first { $0.name == "--format" }
      let offered = try #require(option?.completionKind?.list?.values)
      try await Stage.run { stage in
        let log = try stage.write(
          "access.log", "192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 200 5\n")
        for format in offered {
          let result = try await run(
            Programs.edgeLoad, ["simulate-eviction", log, "--format", format])
          #expect(!result.errors.contains("--format"), "\(format): \(result.errors)")
        }
      }
    }

    @Test("There is a script for each shell", arguments: programs)
    func scripts(program: String) async throws {
      for shell in ["bash", "zsh", "fish"] {
        let result = try await run(program, ["--generate-completion-script", shell])
        #expect(result.end == .status(0) && result.errors == "")
        #expect(result.output.contains(program.split(separator: "/").last ?? "?"))
      }
    }
  }
}
