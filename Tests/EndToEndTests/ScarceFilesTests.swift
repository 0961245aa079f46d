// Few files that may be open, and many clients.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct ScarceFilesTests {
    /// A command that runs with so many files.
    private static func limited(
      _ files: Int, _ program: String, _ arguments: [String]
    ) -> (program: String, arguments: [String]) {
      ("/bin/sh", ["-c", "ulimit -n \(files); exec \"$@\"", "sh", program] + arguments)
    }

    private static let programs: [(program: String, arguments: [String])] = [
      (
        Programs.edgePoP,
        [
          "--upstream", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
        ]
      ),
      (Programs.edgeLoad, ["origin", "--root", ".", "--listen", "127.0.0.1:0"]),
      (Programs.edgeLoad, ["run", "http://127.0.0.1:9/", "--requests", "1"]),
      (Programs.purgeCLI, ["everything", "--admin", "127.0.0.1:9"]),
    ]

    @Test(
      "Too few files is a sentence, and no trap", arguments: [8, 12, 16, 20], programs.indices)
    func tooFew(files: Int, index: Int) async throws {
      let (program, arguments) = Self.programs[index]
      let command = Self.limited(files, program, arguments)
      let result = try await run(command.program, command.arguments)
      #expect(result.end == .status(1), "\(result)")
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(result.errors.contains("only \(files) files may be open, and at least "))
      #expect(result.errors.contains("ulimit -n"))
    }

    @Test("However few files there are, it is the same number that is said to be needed")
    func oneNumber() async throws {
      let (program, arguments) = Self.programs[0]
      for files in [12, 20, 33, 40] {
        let command = Self.limited(files, program, arguments + ["--threads", "1"])
        let result = try await run(command.program, command.arguments)
        #expect(result.end == .status(1), "\(result)")
        #expect(result.errors.contains("at least 46 are needed"), "\(result.errors)")
      }
    }

    @Test("64 files are enough for two event loops")
    func few() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let command = Self.limited(
          64, Programs.edgePoP,
          [
            "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
            "--threads", "2",
          ])
        let process = try stage.start(command.program, command.arguments)
        let line = try await process.line(containing: "listening on ")
        let port = try #require(line.firstMatch(of: /127\.0\.0\.1:(\d+)/).flatMap { Int($0.1) })
        let statuses = try await onThread {
          // More than there are places, all of them kept open.
          let connections = try (0..<60).map { _ in try HTTPConnection(port: port) }
          return try connections.enumerated().map { number, connection in
            try connection.request("GET", "/bytes/\(number)").status
          }
        }
        #expect(statuses.allSatisfy { $0 == 200 })
        process.send(SIGTERM)
        #expect(try await process.ended() == .status(0))
      }
    }

    @Test("Descriptors that are gone all the same: idle clients are closed, and nothing spins")
    func gone() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin, ["--threads", "1"])
        #expect(try await pop.request("GET", "/bytes/1", host: "127.0.0.1").status == 200)
        // From now on it may have fewer than it has shared out.
        let open = try FileManager.default.contentsOfDirectory(
          atPath: "/proc/\(pop.process.pid)/fd")
        let lowered = try await run(
          try Programs.system("prlimit"),
          ["--pid", "\(pop.process.pid)", "--nofile=\(open.count + 4)"])
        #expect(lowered.end == .status(0), "\(lowered.errors)")
        let port = pop.port
        // Nobody may be closed while all are in their first head: who comes then waits.
        let statuses = try await onThread {
          let silent = try (0..<12).map { _ in try Socket.connect(to: port) }
          let connections = try (0..<20).map { _ in
            let connection = try HTTPConnection(port: port)
            return (connection, try connection.request("GET", "/bytes/1").status)
          }
          return withExtendedLifetime(silent) { connections.map(\.1) }
        }
        #expect(statuses.allSatisfy { $0 == 200 })
        let complaints = pop.process.errors.value.lines.filter {
          $0.contains("cannot accept clients")
        }
        #expect(complaints.count == 1, "\(complaints)")
        let text = try await Admin(port: pop.admin).request("GET", "/stats").text
        let pauses = text.firstMatch(of: /"pauses" ?: ?(\d+)/).flatMap { Int($0.1) }
        #expect(pauses.map { $0 < 1000 } == true, "\(text)")
      }
    }

    @Test("3000 idle clients where 1024 files may be open: misses and the admin API are served")
    func idle() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let command = Self.limited(
          1024, Programs.edgePoP,
          [
            "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
            "--threads", "2",
          ])
        let process = try stage.start(command.program, command.arguments)
        let line = try await process.line(containing: "listening on ")
        let ports = line.matches(of: /127\.0\.0\.1:(\d+)/).compactMap { Int($0.1) }
        try #require(ports.count == 2)
        let (answered, misses) = try await onThread {
          var connections: [HTTPConnection] = []
          var answered = 0
          for number in 0..<3000 {
            let connection = try HTTPConnection(port: ports[0])
            // The others only connect, and are the first to lose their places to who asks for something.
            if number % 3 > 0, try connection.request("GET", "/bytes/1").status == 200 {
              answered += 1
            }
            connections.append(connection)
          }
          var misses = 0
          for number in 0..<50 {
            let connection = try HTTPConnection(port: ports[0])
            if try connection.request("GET", "/bytes/\(100 + number)").status == 200 { misses += 1 }
          }
          return withExtendedLifetime(connections) { (answered, misses) }
        }
        #expect(answered == 2000)
        #expect(misses == 50)
        let statistics = try await onThread {
          try HTTPConnection(port: ports[1]).request("GET", "/stats").text
        }
        let limit = try #require(
          statistics.firstMatch(of: /"limit" ?: ?(\d+)/).flatMap { Int($0.1) })
        #expect(limit < 1024 && limit > 500)
        #expect(!statistics.contains(/"closedIdle" ?: ?0,/), "\(statistics)")
        let complaints = process.errors.value.lines.filter {
          $0.contains("all places for connections of clients are taken")
        }
        #expect(!complaints.isEmpty && complaints.count < 10)
        #expect(complaints[0].contains("ulimit -n"))
      }
    }
  }
}
