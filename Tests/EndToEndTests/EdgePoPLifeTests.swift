// How an edge-pop process ends, what it logs, and how many connections it can hold.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct EdgePoPLifeTests {
    @Test(
      "SIGTERM, SIGINT and SIGQUIT finish a response that is running and end with status 0",
      arguments: [
        SIGTERM, SIGINT, SIGQUIT,
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

    @Test(
      "A second signal ends it at once, with 128 and its number",
      arguments: [SIGTERM, SIGINT, SIGQUIT])
    func secondSignal(second: Int32) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let running = Task { try await pop.request("GET", "/slow-bytes/1000?ms=60000") }
        _ = try await eventually("the request at the origin") {
          try await origin.requests()["/slow-bytes/1000"]
        }
        pop.process.send(SIGTERM)
        _ = try await pop.process.line(containing: "draining")
        pop.process.send(second)
        #expect(try await pop.process.ended() == .status(128 + second))
        _ = try? await running.value
      }
    }

    @Test("It ends within its time, whatever is not complete by then")
    func drainTimeout() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin, ["--drain-timeout", "5s"])
        let running = Task { try await pop.request("GET", "/slow-bytes/1000?ms=600000") }
        _ = try await eventually("the request at the origin") {
          try await origin.requests()["/slow-bytes/1000"]
        }
        // Half a request, to the admin API and to where clients connect.
        let halves = try [pop.admin, pop.port].map { port in
          let socket = try Socket.connect(to: port)
          try socket.write("GET /stats HT")
          return socket
        }
        pop.process.send(SIGTERM)
        let end = try await pop.process.ended()
        withExtendedLifetime(halves) {}
        // 1 says that on a busy machine something was broken off.
        #expect(end == .status(0) || end == .status(1))
        let response = try await running.value
        #expect(response.status == 503)
        #expect(response["cache-status"]?.contains("detail=draining") == true)
        // The one who waited, and half a request; the other half was for the admin API.
        let line = pop.process.errors.value.lines.last { $0.contains(" drained ") }
        #expect(line?.contains("cut=1 finished=1") == true, "\(line ?? "nothing")")
      }
    }

    @Test(
      "It ends within its time, though nobody reads what it logs",
      arguments: ["standard error", "access log"])
    func stuckLog(what: String) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try (Socket.bound(listens: false), Socket.bound(listens: false))
        // A pipe that is full already, with an end that is kept open and that nobody reads.
        let script = """
          import fcntl, os, sys
          kept, end = os.pipe()
          flags = fcntl.fcntl(end, fcntl.F_GETFL)
          fcntl.fcntl(end, fcntl.F_SETFL, flags | os.O_NONBLOCK)
          try:
              while True: os.write(end, b"x" * 512)
          except BlockingIOError:
              pass
          fcntl.fcntl(end, fcntl.F_SETFL, flags)
          os.dup2(end, \(what == "access log" ? 1 : 2))
          os.set_inheritable(kept, True)
          os.execv(sys.argv[1], sys.argv[1:])
          """
        let arguments = [
          "--upstream", origin.url, "--listen", "127.0.0.1:\(ports.0.port)", "--admin",
          "127.0.0.1:\(ports.1.port)", "--drain-timeout", "3s", "--log-level", "debug",
        ]
        let process = try stage.start(
          try Programs.system("python3"),
          ["-c", script, Programs.edgePoP] + arguments
            + (what == "access log" ? ["--access-log", "-"] : []))
        if what == "access log" {
          _ = try await process.line(containing: "listening on ")
          let port = ports.0.port
          let status = try await onThread {
            try HTTPConnection(port: port).request("GET", "/bytes/1").status
          }
          #expect(status == 200)
        } else {
          // Its line is not to be read, and before it is ready a signal ends it at once.
          let admin = ports.1.port
          _ = try await eventually("a PoP that is ready") { () -> Bool? in
            let status = try? await onThread {
              try HTTPConnection(port: admin).request("GET", "/ready").status
            }
            return status == 200 ? true : nil
          }
        }
        process.send(SIGTERM)
        let end = try await process.ended()
        // 1 says that something was broken off.
        #expect(end == .status(0) || end == .status(1))
      }
    }

    @Test("A service manager is told when it is ready, and when it ends")
    func serviceManager() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let path = stage.path("notify")
        let listener = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isBound = withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        try #require(isBound == 0)
        var time = timeval(tv_sec: 90, tv_usec: 0)
        setsockopt(
          listener, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let pop = try await PoP.start(
          on: stage,
          arguments: [
            "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
          ], variables: ["NOTIFY_SOCKET": path])
        func told() async throws -> String {
          try await onThread {
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = recv(listener, &bytes, bytes.count, 0)
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
          }
        }
        #expect(try await told() == "READY=1")
        pop.process.send(SIGTERM)
        #expect(try await told() == "STOPPING=1")
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
