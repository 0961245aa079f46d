// How an edge-pop process ends, what it logs, and how many connections it can hold.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct EdgePoPLifeTests {
    @Test(
      "SIGTERM and SIGINT finish a response that is running and end with status 0",
      arguments: [
        SIGTERM, SIGINT,
      ])
    func drains(signal: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let running = Task {
          try await pop.request("GET", "/slow-bytes/100000?ms=1500&cache=no-store")
        }
        _ = try await eventually("the request at the origin") {
          try await origin.requests()["/slow-bytes/100000"]
        }
        // One that the PoP knows: it has answered a request.
        let port = pop.port
        let idle = try await onThread {
          let socket = try Socket.connect(to: port)
          let response = try HTTPConnection(socket).request("GET", "/bytes/1")
          return (socket: socket, status: response.status)
        }
        #expect(idle.status == 200)
        pop.process.send(signal)
        let response = try await running.value
        #expect(response.status == 200)
        #expect(response.content.count == 100_000)
        let socket = idle.socket
        let received = try await onThread {
          var byte: UInt8 = 0
          return try withUnsafeMutableBytes(of: &byte) { try socket.read(into: $0) }
        }
        #expect(received == 0)
        #expect(try await pop.process.ended() == .status(0))
        #expect(throws: SocketProblem.self) { try Socket.connect(to: pop.port) }
        #expect(!pop.process.errors.value.text.contains("Fatal"))
      }
    }

    @Test(
      "Signals on which other servers change their program or read their configuration are ignored",
      arguments: [SIGUSR2, SIGHUP, SIGUSR1])
    func ignored(signal: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        pop.process.send(signal)
        _ = try await pop.process.line(containing: "signal ignored")
        #expect(try await pop.request("GET", "/bytes/1").status == 200)
        pop.process.send(SIGTERM)
        #expect(try await pop.process.ended() == .status(0))
      }
    }

    @Test("A second signal while it drains does no harm")
    func secondSignal() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let running = Task { try await pop.request("GET", "/slow-bytes/1000?ms=1000") }
        _ = try await eventually("the request at the origin") {
          try await origin.requests()["/slow-bytes/1000"]
        }
        pop.process.send(SIGTERM)
        pop.process.send(SIGINT)
        #expect(try await running.value.content.count == 1000)
        #expect(try await pop.process.ended() == .status(0))
      }
    }

    @Test("The access log has a line for each response", arguments: [true, false])
    func accessLog(toFile: Bool) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let file = stage.path("access.log")
        let pop = try await PoP.start(
          on: stage, upstream: origin, ["--access-log", toFile ? file : "-", "--threads", "1"])
        for _ in 1...2 {
          _ = try await pop.request(
            "GET", "/bytes/10", ["User-Agent: test \"x\\", "Referer: http://example/"])
        }
        _ = try await pop.request("POST", "/api/echo?a=b", content: [65])
        await pop.process.stop()
        #expect(try await pop.process.ended() == .status(0))
        let text =
          toFile ? try String(contentsOfFile: file, encoding: .utf8) : pop.process.output.value.text
        let lines = text.split(separator: "\n").map(String.init)
        try #require(lines.count == 3, "\(text)")
        let start = /127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\]/
        #expect(lines.allSatisfy { $0.prefixMatch(of: start) != nil }, "\(text)")
        #expect(lines[0].contains("\"GET /bytes/10 HTTP/1.1\" 200 10 \"http://example/\""))
        #expect(lines[0].contains("\"test \\x22x\\x5C\""), "\(lines[0])")
        #expect(lines[0].contains("fwd=uri-miss"))
        #expect(lines[1].contains("hit"))
        #expect(lines[2].contains("\"POST /api/echo?a=b HTTP/1.1\" 200 1 \"-\" \"-\""))
        #expect(lines[2].contains("fwd=method"))
        #expect(toFile == pop.process.output.value.text.isEmpty)
      }
    }

    @Test("An access log is appended to")
    func accessLogIsAppended() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let file = try stage.write("access.log", "before\n")
        let pop = try await PoP.start(on: stage, upstream: origin, ["--access-log", file])
        _ = try await pop.request("GET", "/bytes/1")
        let lines = try await eventually("a line while it runs") { () -> [Substring]? in
          let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
          return lines.count == 2 ? lines : nil
        }
        #expect(lines[0] == "before")
      }
    }

    @Test("It holds more connections than the shell's soft limit on descriptors allows")
    func descriptors() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let arguments = [
          Programs.edgePoP, "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin",
          "127.0.0.1:0",
        ]
        let process = try stage.start(
          "/bin/sh", ["-c", "ulimit -S -n 128; exec \"$@\"", "sh"] + arguments)
        let line = try await process.line(containing: "listening on ")
        let match = try #require(line.firstMatch(of: /listening on http:\/\/127\.0\.0\.1:(\d+)/))
        let port = try #require(Int(match.1))
        let statuses = try await onThread {
          let connections = try (1...300).map { _ in try HTTPConnection(port: port) }
          // All at once: a PoP does not wait for ever for the first byte of a connection.
          for connection in connections { try connection.send("GET", "/bytes/1") }
          return try connections.map { try $0.response().status }
        }
        #expect(statuses.allSatisfy { $0 == 200 })
      }
    }
  }
}
