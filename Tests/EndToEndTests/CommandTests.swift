// The command lines of purge-cli and edge-load.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct CommandTests {
    private static let nobody = ["--admin", "http://127.0.0.1:9"]
    private static let loading = ["run", "--target", "http://127.0.0.1:9", "-q"]

    private static let wrong: [(program: String, arguments: [String], says: String)] = [
      (Programs.purgeCLI, [], "say what to purge"),
      (Programs.purgeCLI, ["nope"], "'nope'"),
      (Programs.purgeCLI, ["--nope"], "'--nope'"),
      (Programs.purgeCLI, ["url"], "Missing expected argument"),
      (Programs.purgeCLI, ["url", "/a.js"] + nobody, "\"/a.js\" is not an absolute"),
      (Programs.purgeCLI, ["url", "http://a.example/*x y"] + nobody, "http://a.example/*x y"),
      (Programs.purgeCLI, ["everything"], "there is no Config/pops.json here"),
      (Programs.purgeCLI, ["everything", "--config", "/no/such.json"], "/no/such.json"),
      (Programs.purgeCLI, ["everything", "--timeout", "5"] + nobody, "--timeout: \"5\""),
      (Programs.purgeCLI, ["everything", "--timeout", "0s"] + nobody, "--timeout: \"0s\""),
      (
        Programs.purgeCLI, ["everything", "--pop", "iad1"] + nobody, "leave out --config and --pop"
      ),
      (Programs.purgeCLI, ["everything", "--admin", "nope"], "--admin: \"nope\""),
      (Programs.purgeCLI, ["everything", "--admin", "https://127.0.0.1:9"], "is https"),
      (Programs.edgeLoad, ["nope"], "'nope'"),
      (Programs.edgeLoad, ["origin"], "Missing expected argument '--root <root>'"),
      (Programs.edgeLoad, ["origin", "--root", "/no/such"], "no directory at /no/such"),
      (
        Programs.edgeLoad, ["origin", "--root", "/", "--latency", "5"],
        "give a number with its unit"
      ),
      (Programs.edgeLoad, ["origin", "--root", "/", "--listen", "x"], "'x'"),
      (Programs.edgeLoad, ["run"], "--target must be given"),
      (Programs.edgeLoad, ["run", "--target", "https://x"], "only http:// URLs"),
      (Programs.edgeLoad, ["run", "--target", "http://127.0.0.1:9", "--paths-file", "/no"], "/no"),
      (Programs.edgeLoad, loading + ["--report", "/"], "--report: cannot write /: is a directory"),
      (Programs.edgeLoad, loading + ["--html", "/no/such/x"], "--html: cannot write /no/such/x"),
      (Programs.edgeLoad, loading + ["--report", "x", "--html", "x"], "are the same file"),
      (Programs.edgeLoad, loading + ["--format", "squid"], "--format must be used with --replay"),
      (Programs.edgeLoad, loading + ["--replay", "x", "--format", "y"], "--format must be one of"),
      (Programs.edgeLoad, loading + ["--replay", "x", "--speed", "nanx"], "--speed must be"),
      (Programs.edgeLoad, loading + ["--replay", "/no/such/log"], "/no/such/log cannot be opened"),
      (Programs.edgeLoad, loading + ["--rate", "1e-300"], "--rate must be"),
      (Programs.edgeLoad, loading + ["--rate", "nan"], "--rate must be"),
      (Programs.edgeLoad, loading + ["--rate", "inf"], "--rate must be"),
      (Programs.edgeLoad, loading + ["-d", "99999999999999999999h"], "a span of at most a year"),
      (Programs.edgeLoad, loading + ["-n", "0"], "--requests must be"),
      (Programs.edgeLoad, loading + ["-n", "9223372036854775808"], "9223372036854775808"),
      (Programs.edgeLoad, loading + ["--body-size", "9223372036854775807"], "--body-size must be"),
      (
        Programs.edgeLoad,
        loading + [
          "--purge-rate", "1e-300", "--origin", "http://127.0.0.1:9", "--admin",
          "http://127.0.0.1:9",
        ],
        "--purge-rate must be"
      ),
      (
        Programs.edgeLoad, ["trace", "--workload", "web", "--rate", "1e-300"], "--rate must be"
      ),
      (
        Programs.edgeLoad, ["trace", "--workload", "web", "--median-size", "9223372036854775807"],
        "--median-size must be"
      ),
      (Programs.edgeLoad, ["trace", "--workload", "web", "--zipf", "nan"], "--zipf must be"),
      (Programs.edgeLoad, ["trace", "--workload", "web", "-o", "/"], "--output: cannot write /"),
      (
        Programs.purgeCLI, ["everything", "--timeout", "2562047h"] + nobody,
        "is too long; at most 24h"
      ),
      (
        Programs.purgeCLI, ["everything", "--receipt", "/no/such/r"] + nobody,
        "--receipt: cannot write"
      ),
      (Programs.purgeCLI, ["everything", "--receipt", ""] + nobody, "a file needs a name"),
      (Programs.purgeCLI, ["everything", "--spool", ""] + nobody, "--spool: give it a directory"),
    ]

    @Test("Wrong use is one line and status 1", arguments: wrong.indices)
    func wrongUse(index: Int) async throws {
      try await Stage.run { stage in
        let (program, arguments, says) = Self.wrong[index]
        let result = try await run(
          program, arguments, variables: ["EDGE_CONFIG": nil, "EDGE_ADMIN_TOKEN": nil],
          directory: stage.directory)
        #expect(result.end == .status(1), "\(arguments)")
        #expect(result.output == "")
        #expect(result.errorLines.count == 1, "\(result.errors)")
        #expect(result.errors.contains(says), "\(result.errors)")
      }
    }

    @Test("Version and help answer on standard output with status 0")
    func answers() async throws {
      for program in [Programs.purgeCLI, Programs.edgeLoad] {
        for (argument, says) in [("--version", "0.1.0\n"), ("--help", "USAGE: ")] {
          let result = try await run(program, [argument])
          #expect(result.end == .status(0))
          #expect(result.output.contains(says))
          #expect(result.errors == "")
        }
      }
    }

    @Test("An occupied port is named by the sample origin")
    func occupiedPort() async throws {
      let taken = try Socket.bound(listens: true)
      let result = try await run(
        Programs.edgeLoad, ["origin", "--root", "/", "--listen", "127.0.0.1:\(taken.port)"])
      #expect(result.end == .status(1))
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(result.errors.contains("\(taken.port)"), "\(result.errors)")
    }

    @Test("A signal right behind the line that says it is ready is not lost")
    func signalAtOnce() async throws {
      try await Stage.run { stage in
        for _ in 0..<20 {
          let origin = try await SampleOrigin.start(on: stage)
          origin.process.send(SIGTERM)
          #expect(try await origin.process.ended() == .status(0))
        }
      }
    }

    @Test(
      "The sample origin ends with status 0 on SIGTERM and SIGINT",
      arguments: [
        SIGTERM, SIGINT,
      ])
    func originEnds(signal: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage, ["--log", "-"])
        #expect(try await origin.request("GET", "/bytes/5").content.count == 5)
        origin.process.send(signal)
        #expect(try await origin.process.ended() == .status(0))
        #expect(origin.process.output.value.text.contains("/bytes/5"))
      }
    }

    @Test("A load run reports what it saw, and its status tells of errors")
    func load() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let arguments = ["--connections", "4", "--requests", "200", "--duration", "5m", "--json"]
        let result = try await run(
          Programs.edgeLoad, ["run", "--target", "\(pop.url)/bytes/100"] + arguments)
        #expect(result.end == .status(0), "\(result.errors)")
        let report = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [String: Any]
        #expect(report?["requests"] as? Int == 200, "\(result.output)")
        let cache = report?["cache"] as? [String: Any]
        #expect((cache?["hitRatio"] as? Double ?? 0) > 0.5, "\(result.output)")
        #expect(try await origin.requests() == ["/bytes/100": 1])

        await origin.process.stop()
        let failed = try await run(
          Programs.edgeLoad, ["run", "--target", "\(pop.url)/api/time"] + arguments)
        #expect(failed.end == .status(2))
      }
    }

    @Test("NO_COLOR keeps colours from a terminal", arguments: [nil, "1"])
    func colours(noColor: String?) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        // script(1) gives it a terminal.
        let command = "\(Programs.purgeCLI) everything --admin \(pop.adminURL)"
        let result = try await run(
          try Programs.system("script"), ["-qec", command, "/dev/null"],
          variables: ["NO_COLOR": noColor, "TERM": "xterm"])
        #expect(result.end == .status(0))
        #expect(result.output.contains("\u{1B}[32mpurged\u{1B}[0m") == (noColor == nil))
      }
    }
  }
}
