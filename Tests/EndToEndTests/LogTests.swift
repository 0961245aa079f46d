// Logs of real processes: nobody reads them, there is no room for them, their files are moved away. Requests are
// answered as before, and the program ends when it is told to.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct LogTests {
    private struct Statistics: Decodable {
      struct Dropped: Decodable {
        var access: Int
        var operational: Int
      }
      var droppedLogLines: Dropped
    }

    private static func dropped(_ pop: PoP) async throws -> Statistics.Dropped {
      let admin = pop.admin
      let response = try await onThread {
        try HTTPConnection(port: admin).request("GET", "/stats", ["Connection: close"])
      }
      return try JSONDecoder().decode(Statistics.self, from: Data(response.content)).droppedLogLines
    }

    /// A PoP of which one stream is a pipe that somebody holds and nobody reads.
    private static func unread(
      _ stream: String, on stage: Stage, before origin: SampleOrigin, _ arguments: [String]
    ) async throws -> PoP {
      let (place, admin) = try (Socket.bound(listens: false), Socket.bound(listens: false))
      let all =
        [
          Programs.edgePoP, "--upstream", origin.url, "--listen", "127.0.0.1:\(place.port)",
          "--admin", "127.0.0.1:\(admin.port)", "--threads", "1",
        ] + arguments
      let script = "mkfifo pipe && exec 9<>pipe && exec \"$@\" \(stream)>pipe"
      let process = try stage.start("/bin/sh", ["-c", script, "sh"] + all)
      let pop = PoP(process: process, port: place.port, admin: admin.port)
      let ports = (place.port, admin.port)
      _ =
        try await eventually("a PoP that accepts connections") {
          if let end = process.end.value {
            throw ProcessProblem(description: "it ended: \(end) \(process.errors.value)")
          }
          _ = try? Socket.connect(to: ports.1)
          return try? Socket.connect(to: ports.0)
        } as Socket
      return pop
    }

    /// Asks for something that is stored, so many times on one connection.
    private static func hits(_ pop: PoP, _ count: Int, agent: String = "test") async throws {
      let port = pop.port
      let hits = try await onThread {
        let connection = try HTTPConnection(port: port)
        return try (0..<count).count { _ in
          let response = try connection.request(
            "GET", "/bytes/10?cache=max-age=600", host: "127.0.0.1:\(port)",
            ["User-Agent: \(agent)"])
          return response.status == 200 && response["cache-status"]?.contains("; hit") == true
        }
      }
      #expect(hits == count)
    }

    private static func expectEnd(_ pop: PoP, status: Int32 = 0) async throws {
      pop.process.send(SIGTERM)
      #expect(try await pop.process.ended() == .status(status))
    }

    @Test("Lines that are lost at the end are told, and /health says before why")
    func lost() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin, ["--access-log", "/dev/full"])
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        try await Self.hits(pop, 99)
        _ = try await pop.process.line(containing: "the access log cannot be written")
        let admin = pop.admin
        let health = try await onThread {
          try HTTPConnection(port: admin).request("GET", "/health", ["Connection: close"])
        }
        let text = String(decoding: health.content, as: UTF8.self)
        #expect(health.status == 200 && text.contains(#""status":"degraded""#), "\(text)")
        #expect(text.contains("the access log cannot be written: No space left on device"))
        try await Self.expectEnd(pop, status: 1)
        let line = pop.process.errors.value.lines.last { $0.contains("lines are lost") }
        #expect(line?.contains("lines=100") == true, "\(line ?? "nothing")")
      }
    }

    @Test(
      "Standard error that nobody reads, with everything that is said, stops nothing and holds up no end"
    )
    func unreadErrors() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await Self.unread("2", on: stage, before: origin, ["--log-level", "debug"])
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        // Each with a line of its own, until no more of them are kept.
        let port = pop.port
        _ = try await eventually("lines that are dropped") { () -> Bool? in
          try await onThread {
            for _ in 0..<500 {
              let socket = try Socket.connect(to: port)
              try socket.write("nonsense\r\n\r\n")
              _ = try HTTPConnection(socket).response()
            }
          }
          try await Self.hits(pop, 10)
          return try await Self.dropped(pop).operational > 0 ? true : nil
        }
        try await Self.hits(pop, 1000)
        try await Self.expectEnd(pop)
      }
    }

    @Test("An access log that nobody reads stops nothing, is counted and told, and holds up no end")
    func unreadAccessLog() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await Self.unread("1", on: stage, before: origin, ["--access-log", "-"])
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        let agent = String(repeating: "x", count: 7000)
        _ = try await eventually("lines that are dropped") { () -> Bool? in
          try await Self.hits(pop, 500, agent: agent)
          return try await Self.dropped(pop).access > 0 ? true : nil
        }
        _ = try await pop.process.line(containing: "the access log is not written fast enough")
        try await Self.hits(pop, 1000)
        try await Self.expectEnd(pop, status: 1)
        #expect(pop.process.errors.value.lines.contains { $0.contains("lines are lost") })
      }
    }

    @Test(
      "On a file system that is full nothing stops, and when there is room again its lines are whole",
      .enabled(if: SmallDisk.isPossible, "a file system is mounted; LogDrainTests has the same"))
    func full() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let disk = try await SmallDisk.make(on: stage, at: "disk", kibibytes: 1024)
        let pop = try await PoP.start(
          on: stage,
          arguments: [
            "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
            "--access-log", "\(disk.place)/access.log", "--threads", "1",
          ], disk: disk)
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        let path = "\(disk.outside)/access.log"
        _ = try await eventually("a line") {
          try String(contentsOfFile: path, encoding: .utf8).isEmpty ? nil : true
        }
        // There is room for the rest of a page of it, which takes a part of what is written next.
        try disk.fill()
        try await Self.hits(pop, 1000)
        _ = try await pop.process.line(containing: "the access log cannot be written")
        try await Self.hits(pop, 100)
        // Half a line does not stay.
        _ = try await eventually("whole lines") {
          try String(contentsOfFile: path, encoding: .utf8).hasSuffix("\n") ? true : nil
        }
        disk.free()
        _ = try await pop.process.line(containing: "the access log is written again")
        let pattern =
          /127\.0\.0\.1 - - \[[^\]]*\] "GET \/bytes\/10\?cache=max-age=600 HTTP\/1\.1" 200 10 "-" "[a-z-]*" \d+ms "EdgeCache; [^"]*"/
        try await Self.expectEnd(pop)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.last == "")
        #expect(lines.dropLast().allSatisfy { $0.wholeMatch(of: pattern) != nil })
        #expect(lines.count - 1 == 1101)
      }
    }

    @Test("A log that is moved away under load loses no line", arguments: [SIGUSR1, SIGHUP])
    func rotation(signal: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let path = stage.path("access.log")
        let pop = try await PoP.start(
          on: stage, upstream: origin, ["--access-log", path, "--access-log-format", "json"])
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        let load = Task {
          for _ in 0..<20 { try await Self.hits(pop, 500) }
        }
        for number in 1...5 {
          _ = try await eventually("a file with lines") {
            try String(contentsOfFile: path, encoding: .utf8).isEmpty ? nil : true
          }
          #expect(rename(path, "\(path).\(number)") == 0)
          pop.process.send(signal)
          _ = try await eventually("a new file") { access(path, F_OK) == 0 ? true : nil }
          // With the last of it, lines come even when all was asked.
          _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        }
        try await load.value
        try await Self.expectEnd(pop)
        var lines = 0
        for name in (1...5).map({ "\(path).\($0)" }) + [path] {
          let text = try String(contentsOfFile: name, encoding: .utf8)
          #expect(text.isEmpty || text.hasSuffix("}\n"))
          lines += text.split(separator: "\n").count
        }
        #expect(lines == 1 + 20 * 500 + 5)
      }
    }

    @Test("A log is opened anew while the PoP drains, too", arguments: [SIGUSR1, SIGHUP])
    func rotationInDrain(signal: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let path = stage.path("access.log")
        let pop = try await PoP.start(on: stage, upstream: origin, ["--access-log", path])
        // As long as it uploads nothing, it is waited for.
        let client = try Socket.connect(to: pop.port)
        try client.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        _ = try await eventually("the request") {
          let text = try await Admin(port: pop.admin).request("GET", "/stats").text
          return text.contains(/"openConnections" ?: ?[1-9]/) ? true : nil
        }
        pop.process.send(SIGTERM)
        _ = try await pop.process.line(containing: "draining")
        #expect(rename(path, path + ".1") == 0)
        pop.process.send(signal)
        _ = try await pop.process.line(containing: "the access log was opened anew")
        #expect(access(path, F_OK) == 0)
        client.shutDown()
        #expect(try await pop.process.ended() == .status(0))
      }
    }

    @Test("A log that nobody reads costs no more than what a drain leaves for it")
    func unreadInDrain() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await Self.unread(
          "1", on: stage, before: origin, ["--access-log", "-", "--drain-timeout", "6s"])
        _ = try await pop.request("GET", "/bytes/10?cache=max-age=600")
        try await Self.hits(pop, 200, agent: String(repeating: "x", count: 7000))
        // Until the end of the drain.
        let client = try Socket.connect(to: pop.port)
        try client.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
        // In order, and in time: the status tells only of the lines that are lost.
        try await Self.expectEnd(pop, status: 1)
        client.shutDown()
        let said = pop.process.errors.value.lines
        #expect(said.contains { $0.contains("lines are lost") }, "\(said)")
        #expect(!said.contains { $0.contains("is broken off") }, "\(said)")
      }
    }

    @Test("If the file cannot be opened anew, the old one stays and it is said")
    func notReopened() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let path = stage.path("access.log")
        let pop = try await PoP.start(on: stage, upstream: origin, ["--access-log", path])
        #expect(rename(path, path + ".1") == 0 && mkdir(path, 0o700) == 0)
        pop.process.send(SIGUSR1)
        let line = try await pop.process.line(containing: "cannot be opened anew")
        #expect(line.contains("error") && line.contains("Is a directory"), "\(line)")
        _ = try await pop.request("GET", "/bytes/1")
        try await Self.expectEnd(pop)
        #expect(try String(contentsOfFile: path + ".1", encoding: .utf8).contains("GET /bytes/1 "))
      }
    }

    @Test("Logs as JSON")
    func json() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(
          on: stage, upstream: origin, ["--log-format", "json", "--log-level", "debug"])
        // At once: a program that says that it is ready ends in order.
        try await Self.expectEnd(pop)
        let lines = pop.process.errors.value.lines
        #expect(lines.first?.hasPrefix("listening on ") == true)
        #expect(lines.count > 1)
        for line in lines.dropFirst() {
          let members = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
          #expect(members["time"] != nil && members["level"] != nil && members["pop"] == "local")
        }
      }
    }
  }
}
