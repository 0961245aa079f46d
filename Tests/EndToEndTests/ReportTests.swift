// What programs write: reports that say what happened, files that are not replaced by mistake, and statuses that do not
// say that all is well when it is not.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct ReportTests {
    // MARK: Output that is lost

    private static let printing: [(program: String, arguments: [String])] = [
      (Programs.purgeCLI, ["--help"]), (Programs.purgeCLI, ["--version"]),
      (Programs.purgeCLI, ["retry", "--spool", "none"]),
      (Programs.purgeCLI, ["status", "--admin", "http://127.0.0.1:9", "--timeout", "1s"]),
      (Programs.edgeLoad, ["--help"]),
      (Programs.edgeLoad, ["trace", "--workload", "web", "-n", "9"]),
      (Programs.edgeLoad, ["simulate-eviction", "log.csv", "--memory", "1MiB"]),
      (Programs.edgeLoad, ["run", "--target", "http://127.0.0.1:9", "-n", "1", "-q"]),
      (Programs.edgePoP, ["--help"]), (Programs.edgePoP, ["--version"]),
      (Programs.edgePoP, ["--config", "good.json", "--check-config"]),
      (Programs.edgePoP, ["store", "--help"]),
      (Programs.edgePoP, ["store", "check", "none", "--json"]),
    ]

    /// Ways to have no standard output, as a shell writes them. A pipe without a reader is one from the start: `| true`
    /// may still read.
    private static let outputs = [
      "exec \"$@\" >/dev/full", "mkfifo f; exec 3<>f 4>f 3>&-; exec \"$@\" >&4",
      "exec \"$@\" >&-",
    ]

    @Test("Standard output that is lost is said, and the status tells", arguments: printing.indices)
    func lostOutput(index: Int) async throws {
      for output in Self.outputs {
        try await Stage.run { stage in
          try stage.write("log.csv", "1,/a,5\n")
          try stage.write(
            "good.json",
            Fleet.configuration(
              origin: "http://127.0.0.1:9", ports: [4011, 4001, 4012, 4002, 4013, 4003]))
          let (program, arguments) = Self.printing[index]
          let result = try await run(
            "/bin/sh", ["-c", output, "sh", program] + arguments, directory: stage.directory)
          guard case .status(let status) = result.end else {
            Issue.record("\(result.end) of \(arguments), \(output)")
            return
          }
          let isStore = arguments.first == "store"
          #expect(
            isStore ? [2, 74].contains(status) : [1, 2].contains(status), "\(arguments), \(output)")
          #expect(result.errors.contains("cannot "), "\(arguments), \(output): \(result.errors)")
          #expect(
            result.errors.contains("written:") || result.errors.contains("write -:"),
            "\(result.errors)")
        }
      }
    }

    @Test("Reports go to devices without replacing them, and what is lost there is said")
    func devices() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        for (name, device) in [("null", "/dev/null"), ("full", "/dev/full")] {
          try FileManager.default.createSymbolicLink(
            atPath: stage.path(name), withDestinationPath: device)
        }
        let arguments = ["run", "--target", "\(origin.url)/api/time", "-n", "5", "-q"]
        let fine = try await run(
          Programs.edgeLoad, arguments + ["--report", stage.path("null"), "--html", "/dev/null"])
        #expect(fine.end == .status(0), "\(fine.errors)")
        for option in ["--report", "--html"] {
          let lost = try await run(Programs.edgeLoad, arguments + [option, stage.path("full")])
          #expect(lost.end == .status(2))
          #expect(lost.errors.contains("\(option): cannot write"), "\(lost.errors)")
          #expect(lost.output.contains("requests"))
        }
        var status = stat()
        #expect(lstat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        #expect(lstat(stage.path("null"), &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        // Standard output is not begun anew, though it is a plain file here.
        let both = try await run(
          "/bin/sh",
          ["-c", "exec \"$@\" >all", "sh", Programs.edgeLoad] + arguments + [
            "--report", "/dev/stdout",
          ],
          directory: stage.directory)
        #expect(both.end == .status(0), "\(both.errors)")
        let all = try String(contentsOfFile: stage.path("all"), encoding: .utf8)
        #expect(all.hasPrefix("target ") && all.contains("\"requests\" : 5"))
      }
    }

    @Test("The log of the sample origin that is lost is said, and its status tells")
    func originLog() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage, ["--log", "/dev/full"])
        for _ in 0..<3 { _ = try await origin.request("GET", "/bytes/5") }
        _ = try await origin.process.line(containing: "lines of the log /dev/full were lost")
        origin.process.send(SIGTERM)
        #expect(try await origin.process.ended() == .status(2))
      }
    }

    @Test("A list of purges may begin with a byte order mark, and have the line ends of Windows")
    func windowsList() async throws {
      try await Stage.run { stage in
        try stage.write(
          "list",
          "\u{FEFF}url http://www.example/a\r\n\r\nhttp://www.example/b\r\nhost www.example\r\n")
        let arguments = ["purge", "list", "--admin", "http://127.0.0.1:9", "--timeout", "200ms"]
        let result = try await run(
          Programs.purgeCLI, arguments + ["--spool", "spool"], directory: stage.directory)
        #expect(result.end == .status(2), "\(result.errors)")
        // Receipts of two purges in one file would be those of the second.
        for (more, says) in [
          (["--receipt", "r"], "orders 2"), (["--receipt", "r", "--dry-run"], "of a dry run"),
        ] {
          let refused = try await run(
            Programs.purgeCLI, arguments + more, directory: stage.directory)
          #expect(refused.end == .status(1))
          #expect(refused.errors.contains(says), "\(refused.errors)")
        }
      }
    }

    // Root has a place of the system's, which tests leave alone.
    @Test("Without a home there is a question", .enabled(if: geteuid() != 0))
    func noHome() async throws {
      try await Stage.run { stage in
        for home in [nil, "", "/", "here"] {
          let result = try await run(
            Programs.purgeCLI, ["retry"],
            variables: ["HOME": home, "XDG_STATE_HOME": nil, "EDGE_PURGE_SPOOL": nil],
            directory: stage.directory)
          #expect(result.end == .status(1))
          #expect(result.errors.contains("--spool DIRECTORY or EDGE_PURGE_SPOOL"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: stage.directory) == [])
      }
    }

    // MARK: Logs

    private static func line(_ request: String) -> String {
      "192.0.2.1 - - [20/Jun/2026:12:00:00 +0000] \"\(request)\" 200 5\n"
    }

    private static let logs:
      [(name: String, log: String, arguments: [String], status: Int32, says: String)] = [
        ("all of it", line("GET /bytes/1 HTTP/1.1"), [], 0, ""),
        (
          "three of four lines vanish", line("GET /bytes/1 HTTP/1.1") + "torn\ntorn\ntorn\n", [], 2,
          "75.0 % of the lines"
        ),
        (
          "they may", line("GET /bytes/1 HTTP/1.1") + "torn\ntorn\ntorn\n",
          ["--most-left-out", "0.75"],
          0, ""
        ),
        (
          "other methods", line("GET /bytes/1 HTTP/1.1") + line("POST / HTTP/1.1"), [], 2,
          "50.0 % of the lines"
        ),
        ("no format", "what is this\n", [], 1, "its line 1 is 'what is this'"),
        (
          "the wrong format", line("GET /bytes/1 HTTP/1.1"), ["--format", "squid"], 1,
          "not of this format"
        ),
        ("nothing", "", [], 1, "is empty"),
        (
          "years apart", "1,/bytes/1,1\n1700000000000000000,/bytes/2,1\n3,/bytes/3,1\n",
          ["--speed", "1x", "--longest-gap", "10ms"], 0, "line 2 of"
        ),
      ]

    @Test("A replay says what it left out, and the status tells", arguments: logs.indices)
    func replay(index: Int) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let (name, log, arguments, status, says) = Self.logs[index]
        try stage.write("access.log", log)
        // From a file, compressed, and from standard input, by several threads.
        for way in ["access.log", "packed.gz", "- <access.log", "- <packed.gz"] {
          let command = "gzip -c access.log >packed.gz; exec \"$@\" --replay \(way)"
          let result = try await run(
            "/bin/sh",
            [
              "-c", command, "sh", Programs.edgeLoad, "run", "--target", origin.url, "--json", "-q",
              "--threads", "2",
            ] + (arguments.contains("--speed") ? [] : ["--speed", "max"]) + arguments,
            directory: stage.directory)
          #expect(result.end == .status(status), "\(name), \(way): \(result.errors)")
          #expect(
            says.isEmpty ? result.errors == "" : result.errors.contains(says),
            "\(name): \(result.errors)")
          if status != 1 { #expect(result.output.contains("\"leftOut\""), "\(name)") }
        }
      }
    }

    @Test(
      "A log that was damaged is no log that is short", arguments: ["head -c 60", "sed '$ s/$/x/'"])
    func damaged(how: String) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        try stage.write("log", (0..<5000).map { "\($0),/bytes/\($0 % 7 + 1),1\n" }.joined())
        let command = "gzip -c log | \(how.replacing("60", with: "9000")) >log.gz; exec \"$@\""
        for arguments in [
          ["run", "--target", origin.url, "--speed", "max", "-q", "--replay", "log.gz"],
          ["simulate-eviction", "log.gz", "--skip-damaged-lines"],
        ] {
          let result = try await run(
            "/bin/sh", ["-c", command, "sh", Programs.edgeLoad] + arguments,
            directory: stage.directory)
          #expect(result.end == .status(arguments[0] == "run" ? 2 : 1), "\(result.errors)")
          #expect(result.errors.contains("damaged"), "\(result.errors)")
        }
      }
    }

    @Test("What is not ASCII is asked for percent-encoded, from logs, lists and options")
    func encoded() async throws {
      try await Stage.run { stage in
        try stage.write("site/café.html", "<p>")
        try stage.write("access.log", Self.line("GET /café.html HTTP/1.1"))
        try stage.write("list", "\u{FEFF}/café.html\r\n\r\n# comment\r\n")
        let server = try await Nginx.start(
          on: stage, root: stage.path("site"), server: "location = /x { return 200; }")
        for (target, arguments) in [
          ("", ["--replay", stage.path("access.log")]), ("", ["--paths-file", stage.path("list")]),
          ("", ["--path", "/café.html"]), ("/café.html", []),
        ] {
          let result = try await run(
            Programs.edgeLoad,
            ["run", "--target", server.url + target, "-n", "1", "-q", "--json"] + arguments)
          #expect(result.end == .status(0), "\(result.errors)")
          #expect(result.output.contains("\"2xx\" : 1"), "\(result.output)")
        }
        let seen = Set(try await server.requests())
        #expect(seen == ["GET /caf%C3%A9.html 200"])
      }
    }

    // MARK: The page

    @Test("The page says what was run, shows every line, and fits a narrow window")
    func page() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let page = stage.path("report.html")
        // Everything but the first is a hit: the two lines lie on one another.
        let host = String(repeating: "long-name.", count: 12) + "example"
        let result = try await run(
          Programs.edgeLoad,
          [
            "run", "--target", "\(pop.url)/bytes/100", "--rate", "50", "--duration", "3s", "-q",
            "--connections", "7", "--host", host, "--html", page,
          ])
        #expect(result.end == .status(0), "\(result.output)\(result.errors)")
        let text = try String(contentsOfFile: page, encoding: .utf8)
        for fact in [
          "<td>started<td>20", "<td>duration asked for<td>3.00 s", "<td>connections<td>7, 1 thread",
          "<td>rate<td>open loop, 50 requests per second", "<td>Host<td>long-name.", pop.url,
          "<td>edge-load<td>0.1.0",
        ] {
          #expect(text.contains(fact), "\(fact)")
        }

        let browser = try await Browser.start(on: stage, profile: "profile")
        try await browser.resize(width: 400, height: 800)
        try await browser.open("file://\(page)")
        let width = try await browser.evaluate(
          "`${innerWidth} ${document.documentElement.scrollWidth <= document.documentElement.clientWidth}`"
        )
        #expect(width == "400 true")
        // The height of the smallest letters on the screen, in pixels.
        let letters = try await browser.evaluate(
          """
          String(Math.min(...[...document.querySelectorAll('svg text')].map(
            text => text.getBoundingClientRect().height)) > 9)
          """)
        #expect(letters == "true")
        // No line is drawn as another one is; those that are drawn later are thinner. Each has its name.
        let lines = try await browser.evaluate(
          """
          JSON.stringify([...document.querySelectorAll('svg[role=img]')].filter(
            plot => plot.querySelector('.curve')).map(plot => {
              const lines = [...plot.querySelectorAll('.curve')]
              const widths = lines.map(line => parseFloat(line.getAttribute('stroke-width')))
              const styles = lines.map(line => ['stroke', 'stroke-dasharray'].map(
                name => line.getAttribute(name)).join())
              return new Set(styles).size == lines.length
                && widths.every((width, i) => i == 0 || width < widths[i - 1])
                && plot.nextElementSibling.children.length == lines.length
            }))
          """)
        #expect(lines == "[true,true,true]")
      }
    }
  }
}
