// How a PoP begins, and how one follows another on the same addresses, under clients that connect all the time.

import Foundation
import Glibc
import Synchronization
import Testing

/// Clients that connect and ask as fast as they can, until they are told to stop. Who is not let in at all tries
/// again; who was let in must be answered.
private final class Crowd: Sendable {
  private let isOver = Atomic(false)
  private let answered = Atomic(0)
  private let running = Atomic(0)
  private let failures = Mutex<[String]>([])

  init(port: Int, clients: Int = 3, requestsPerConnection: Int = 1) {
    for _ in 0..<clients {
      running.add(1, ordering: .relaxed)
      Thread.detachNewThread { [self] in
        while !isOver.load(ordering: .relaxed) { visit(port, requestsPerConnection) }
        running.subtract(1, ordering: .relaxed)
      }
    }
  }

  private func visit(_ port: Int, _ requests: Int) {
    guard let connection = try? HTTPConnection(port: port) else { return }
    for number in 1...requests {
      do {
        let response = try connection.request(
          "GET", "/bytes/10", number == requests ? ["Connection: close"] : [])
        guard response.status == 200, response.content.count == 10 else {
          throw BrokenResponse(description: "status \(response.status)")
        }
        answered.add(1, ordering: .relaxed)
        if response["connection"] == "close" { return }
      } catch {
        failures.withLock { $0.append("request \(number): \(error)") }
        return
      }
    }
  }

  /// Waits until so many more requests were answered.
  func waitForAnswers(_ count: Int) async throws {
    let wanted = answered.load(ordering: .relaxed) + count
    _ = try await eventually("\(count) more answers") { [self] in
      answered.load(ordering: .relaxed) >= wanted ? true : nil
    }
  }

  /// Ends it, and returns what went wrong.
  func stop() async throws -> [String] {
    isOver.store(true, ordering: .relaxed)
    _ = try await eventually("the end of all clients") { [self] in
      running.load(ordering: .relaxed) == 0 ? true : nil
    }
    return failures.withLock { $0 }
  }
}

/// Ports of this machine that nobody has.
private func freePorts() throws -> (clients: Int, admin: Int) {
  let sockets = (try Socket.bound(listens: false), try Socket.bound(listens: false))
  return (sockets.0.port, sockets.1.port)
}

extension EndToEnd {
  @Suite struct HandOverTests {
    private static func arguments(
      _ origin: SampleOrigin, _ ports: (clients: Int, admin: Int), _ more: [String] = []
    ) -> [String] {
      [
        "--upstream", origin.url, "--listen", "127.0.0.1:\(ports.clients)", "--admin",
        "127.0.0.1:\(ports.admin)", "--threads", "2",
      ] + more
    }

    @Test("Forty starts and ends, and nobody who was let in is sent away")
    func starts() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let crowd = Crowd(port: ports.clients)
        for _ in 1...40 {
          let pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports))
          try await crowd.waitForAnswers(5)
          pop.process.send(SIGTERM)
          #expect(try await pop.process.ended() == .status(0))
        }
        let failures = try await crowd.stop()
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
      }
    }

    @Test("Another process is noticed that shares an address by SO_REUSEPORT")
    func shared() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let script = """
          import socket, sys, time
          s = socket.socket()
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
          s.bind(("127.0.0.1", \(ports.clients)))
          s.listen(8)
          print("listening", file=sys.stderr, flush=True)
          time.sleep(600)
          """
        let other = try stage.start(try Programs.system("python3"), ["-c", script])
        _ = try await other.line(containing: "listening")
        let result = try await run(Programs.edgePoP, Self.arguments(origin, ports))
        #expect(result.end == .status(1))
        #expect(result.errors.contains("another process has it"), "\(result.errors)")
      }
    }

    @Test("A PoP whose address another edge-pop serves on says which, and how to take over")
    func refused() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports))
        let result = try await run(Programs.edgePoP, Self.arguments(origin, ports))
        #expect(result.end == .status(1))
        #expect(result.errors.contains("edge-pop, process \(pop.process.pid), serves there"))
        #expect(result.errors.contains("--take-over"))
        // Nothing has happened to the one that serves.
        #expect(try await pop.request("GET", "/bytes/1").status == 200)
      }
    }

    @Test("Two that start at the same moment: one serves, one says why not")
    func sameMoment() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        for _ in 1...5 {
          let ports = try freePorts()
          let both = try (0..<2).map { _ in
            try stage.start(Programs.edgePoP, Self.arguments(origin, ports))
          }
          let loser = try await eventually("one that ends") {
            both.first { $0.end.value != nil }
          }
          #expect(try await loser.ended() == .status(1))
          #expect(loser.errors.value.text.contains("cannot listen on 127.0.0.1"))
          let winner = try #require(both.first { $0 !== loser })
          _ = try await winner.line(containing: "listening on ")
          winner.send(SIGTERM)
          #expect(try await winner.ended() == .status(0))
        }
      }
    }

    @Test("While one drains its successor serves on the same addresses, and what runs is completed")
    func successor() async throws {
      try await Stage.run { stage in
        let gate = try await GatedOrigin.start()
        defer { gate.stop() }
        let ports = try freePorts()
        let arguments = [
          "--upstream", gate.url, "--listen", "127.0.0.1:\(ports.clients)", "--admin",
          "127.0.0.1:\(ports.admin)",
        ]
        let old = try await PoP.start(on: stage, arguments: arguments)
        let slow = Task { try await old.request("GET", "/slow") }
        try await gate.waitForRequest()
        old.process.send(SIGTERM)
        // It says so as long as nobody follows.
        let readiness = try await eventually("that it is not ready") { () -> Response? in
          let response = try? await Admin(port: ports.admin).request("GET", "/ready")
          return response?.status == 503 ? response : nil
        }
        #expect(readiness.text.contains("\"draining\""))
        let new = try await PoP.start(on: stage, arguments: arguments)
        #expect(old.process.end.value == nil)
        #expect(try await Admin(port: ports.admin).request("GET", "/ready").status == 200)
        #expect(try await new.request("GET", "/quick").text == "quick")
        gate.open()
        let response = try await slow.value
        #expect(response.text == "slow")
        #expect(try await old.process.ended() == .status(0))
        #expect(try await new.request("GET", "/quick").text == "quick")
      }
    }

    @Test("A PoP takes over from one that serves, and no request fails", arguments: [1, 4])
    func takeOver(requestsPerConnection: Int) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        var pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports))
        let crowd = Crowd(port: ports.clients, requestsPerConnection: requestsPerConnection)
        for threads in ["1", "2", "3", "2"] {
          try await crowd.waitForAnswers(50)
          let next = try await PoP.start(
            on: stage,
            arguments: Self.arguments(origin, ports, ["--take-over"]).dropping("--threads") + [
              "--threads", threads,
            ])
          #expect(try await pop.process.ended() == .status(0))
          pop = next
        }
        try await crowd.waitForAnswers(50)
        let failures = try await crowd.stop()
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
      }
    }

    @Test("Who was to take over and cannot begin leaves everything as it was")
    func failedTakeOver() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports))
        let crowd = Crowd(port: ports.clients)
        try await crowd.waitForAnswers(20)
        for number in 1...3 {
          let other = try Self.stalled(on: stage, ports)
          _ = try await other.line(containing: "has 3")
          other.send(SIGKILL)
          _ = try await eventually("that the PoP goes on") {
            let lines = pop.process.errors.value.lines
            return lines.count { $0.contains("that was to take over does not") } == number
              ? true : nil
          }
          try await crowd.waitForAnswers(20)
        }
        #expect(try await Admin(port: ports.admin).request("GET", "/ready").status == 200)
        let failures = try await crowd.stop()
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
      }
    }

    /// A successor that takes the sockets and then does nothing: as one whose disk is stuck.
    private static func stalled(
      on stage: Stage, _ ports: (clients: Int, admin: Int)
    ) throws -> RunningProcess {
      let script = """
        import socket, sys, time
        s = socket.socket(socket.AF_UNIX)
        s.connect(b"\\0edgecache/edge-pop/127.0.0.1:\(ports.clients)")
        s.sendall(b"edge-pop 2 take-over 127.0.0.1:\(ports.clients) 127.0.0.1:\(ports.admin)\\n")
        def line():
            text = b""
            while not text.endswith(b"\\n"):
                byte = s.recv(1)
                if not byte: return "nothing"
                text += byte
            return text.decode().strip()
        line()
        count = sum(int(word.rsplit("=", 1)[1]) for word in line().split()[1:])
        taken = []
        while len(taken) < count: taken += socket.recv_fds(s, 1, 64)[1]
        print("has", len(taken), file=sys.stderr, flush=True)
        print("heard", line(), file=sys.stderr, flush=True)
        s.sendall(b"serving\\n")
        time.sleep(600)
        """
      return try stage.start(try Programs.system("python3"), ["-c", script])
    }

    @Test(
      "While a successor does not begin the old one serves all clients; after a time it goes on for good"
    )
    func stalledSuccessor() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let pop = try await PoP.start(
          on: stage, arguments: Self.arguments(origin, ports, ["--drain-timeout", "8s"]))
        let crowd = Crowd(port: ports.clients)
        let other = try Self.stalled(on: stage, ports)
        _ = try await other.line(containing: "has 3")
        try await crowd.waitForAnswers(50)
        // Of a purge the other one would not learn.
        let purge = Array(#"{"scope":"everything"}"#.utf8)
        let refused = try await Admin(port: ports.admin).request("POST", "/purge", content: purge)
        #expect(refused.status == 503, "\(refused.text)")
        #expect(!pop.process.errors.value.text.contains("purge applied"))
        // Others that ask meanwhile are told what is going on.
        let third = try await run(Programs.edgePoP, Self.arguments(origin, ports, ["--take-over"]))
        #expect(third.end == .status(1))
        #expect(
          third.errors.contains("edge-pop, process \(other.pid), is just starting there"),
          "\(third.errors)")
        _ = try await pop.process.line(containing: "does not serve yet")
        _ = try await pop.process.line(containing: "that was to take over does not")
        _ = try await other.line(containing: "heard mine")
        try await crowd.waitForAnswers(50)
        let purged = try await Admin(port: ports.admin).request("POST", "/purge", content: purge)
        #expect(purged.status == 200)
        // Another one can take over.
        let next = try await PoP.start(
          on: stage, arguments: Self.arguments(origin, ports, ["--take-over"]))
        #expect(try await pop.process.ended() == .status(0))
        try await crowd.waitForAnswers(50)
        let failures = try await crowd.stop()
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
        _ = next
      }
    }

    @Test(
      "After a hand-over a purge that comes to the old one is refused, with and without disks",
      arguments: [false, true])
    func latePurge(hasDisk: Bool) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let more =
          ["--purge-from", "127.0.0.1"]
          + (hasDisk ? ["--disk", stage.path("disk"), "--disk-size", "64MiB"] : [])
        let old = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports, more))
        let kept = try HTTPConnection(port: ports.clients)
        #expect(try kept.request("GET", "/bytes/10").status == 200)
        // In the middle of a request, so that it is not closed as an idle one.
        try kept.socket.write("PURGE /bytes/10 HTTP/1.1\r\nHost: 127.0.0.1:\(ports.clients)\r\n")
        _ = try await PoP.start(
          on: stage, arguments: Self.arguments(origin, ports, more + ["--take-over"]))
        try kept.socket.write("\r\n")
        let head = try kept.head()
        #expect(head.status == 503)
        #expect(!old.process.errors.value.text.contains("purge applied"))
        _ = try await old.process.line(containing: "purge refused")
        #expect(try await old.process.ended() == .status(0))
      }
    }

    @Test(
      "What can fail without the addresses fails before they are asked for",
      arguments: [
        ["--upstream-ca", "/nonexistent.pem"], ["--admin-token-file", "/nonexistent"],
        ["--disk", "/dev/null/disk"],
      ])
    func wrongOption(options: [String]) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let disk = ["--disk", stage.path("disk"), "--disk-size", "64MiB"]
        let pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports, disk))
        let result = try await run(
          Programs.edgePoP,
          Self.arguments(origin, ports, disk + options + ["--take-over"]))
        #expect(result.end == .status(1))
        #expect(!pop.process.errors.value.text.contains("takes over"))
        let health = try await Admin(port: ports.admin).request("GET", "/health")
        #expect(!health.text.contains("given to another"), "\(health.text)")
      }
    }

    @Test("Who takes over has an address of clients of the old one; what it has not is told")
    func otherAddresses() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let (ports, other) = (try freePorts(), try freePorts())
        let pop = try await PoP.start(
          on: stage,
          arguments: Self.arguments(origin, ports, ["--listen", "127.0.0.1:\(other.clients)"]))
        let elsewhere = try await run(
          Programs.edgePoP,
          Self.arguments(origin, (other.admin, ports.admin), ["--take-over"]))
        #expect(elsewhere.end == .status(1))
        #expect(
          elsewhere.errors.contains(
            "serves clients at 127.0.0.1:\(ports.clients), 127.0.0.1:\(other.clients)"),
          "\(elsewhere.errors)")
        #expect(try await pop.request("GET", "/bytes/1").status == 200)
        let next = try await PoP.start(
          on: stage, arguments: Self.arguments(origin, ports, ["--take-over"]))
        #expect(try await pop.process.ended() == .status(0))
        for process in [pop.process, next.process] {
          #expect(
            process.errors.value.text.contains("addresses=127.0.0.1:\(other.clients)"),
            "\(process.errors.value)")
        }
      }
    }

    @Test("Who asks slowly keeps others waiting for a few seconds at most")
    func slowAsker() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let pop = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports))
        let script = """
          import socket, sys, time
          def desk():
              s = socket.socket(socket.AF_UNIX)
              s.connect(b"\\0edgecache/edge-pop/127.0.0.1:\(ports.clients)")
              return s
          slow, other = desk(), desk()
          slow.sendall(b"edge-pop 2 take")
          other.sendall(b"edge-pop 2 give 127.0.0.1:\(ports.clients)\\n")
          other.settimeout(0.5)
          while True:
              try: slow.sendall(b"x")
              except OSError: pass
              try:
                  print("heard", other.recv(100).decode().strip(), file=sys.stderr, flush=True)
                  break
              except TimeoutError: pass
          """
        let asker = try stage.start(try Programs.system("python3"), ["-c", script])
        _ = try await asker.line(containing: "heard serving \(pop.process.pid)")
      }
    }

    /// Waits until so much content is on disk.
    private static func waitForDisk(_ admin: Int, bytes: Int) async throws {
      _ = try await eventually("what is stored on disk") {
        let text = try await Admin(port: admin).request("GET", "/stats").text
        let written = text.firstMatch(of: /"contentBytesWritten" ?: ?(\d+)/).flatMap { Int($0.1) }
        return written.map { $0 >= bytes } == true ? true : nil
      }
    }

    @Test("A successor waits for who still gets something from a disk")
    func slowReader() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let more = [
          "--disk", stage.path("disk"), "--disk-size", "256MiB", "--disk-admission", "all",
        ]
        let arguments = Self.arguments(origin, ports, more)
        let size = 12_000_000
        let first = try await PoP.start(on: stage, arguments: arguments)
        #expect(try await first.request("GET", "/bytes/\(size)").content.count == size)
        try await Self.waitForDisk(ports.admin, bytes: size)
        first.process.send(SIGTERM)
        #expect(try await first.process.ended() == .status(0))
        // Memory is empty now.
        let old = try await PoP.start(on: stage, arguments: arguments)
        let (mayRead, hasHead) = (Observed(false), Observed(false))
        let reader = Task {
          try await onThread {
            let connection = try HTTPConnection(port: ports.clients, receiveBuffer: 32 << 10)
            try connection.send("GET", "/bytes/\(size)", host: "127.0.0.1:\(ports.clients)")
            let head = try connection.head()
            hasHead.change { $0 = true }
            while !mayRead.value { usleep(5000) }
            var count = 0
            try connection.readContent(of: head) { count += $0.count }
            return (count, head["cache-status"] ?? "")
          }
        }
        _ = try await hasHead.wait(for: "the head", within: patience) { $0 ? true : nil }
        old.process.send(SIGTERM)
        let new = try stage.start(Programs.edgePoP, arguments)
        _ = try await new.line(containing: "waiting for the edge-pop that still uses a disk")
        #expect(old.process.end.value == nil)
        mayRead.change { $0 = true }
        let (count, status) = try await reader.value
        #expect(count == size)
        #expect(status.contains("hit"), "\(status)")
        _ = try await new.line(containing: "listening on ")
        #expect(try await old.process.ended() == .status(0))
      }
    }

    @Test(
      "Disks go from one to the other with the addresses, and what is stored stays",
      arguments: [false, true])
    func disks(takesOver: Bool) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let ports = try freePorts()
        let more = [
          "--disk", stage.path("disk"), "--disk-size", "64MiB", "--disk-admission", "all",
        ]
        let old = try await PoP.start(on: stage, arguments: Self.arguments(origin, ports, more))
        _ = try await old.request("GET", "/bytes/200000")
        try await Self.waitForDisk(ports.admin, bytes: 200_000)
        let crowd = Crowd(port: ports.clients)
        try await crowd.waitForAnswers(20)
        if !takesOver { old.process.send(SIGTERM) }
        let new = try await PoP.start(
          on: stage,
          arguments: Self.arguments(origin, ports, more + (takesOver ? ["--take-over"] : [])))
        let response = try await new.request("GET", "/bytes/200000")
        #expect(response["cache-status"]?.contains("hit") == true, "\(response.fields)")
        #expect(try await old.process.ended() == .status(0))
        try await crowd.waitForAnswers(20)
        let failures = try await crowd.stop()
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
        let purged = try await Admin(port: ports.admin).request(
          "POST", "/purge", content: Array(#"{"scope":"everything"}"#.utf8))
        #expect(purged.status == 200)
      }
    }
  }
}

/// The admin API at a port.
struct Admin: Server {
  let port: Int
}

extension [String] {
  /// Without an option and its value.
  fileprivate func dropping(_ option: String) -> [String] {
    guard let index = firstIndex(of: option) else { return self }
    return Array(self[..<index] + self[(index + 2)...])
  }
}

/// An origin that answers `/quick` at once and `/slow` when it is told to.
private final class GatedOrigin: Sendable {
  private let listener: Socket
  private let isOpen = Observed(false)
  private let requests = Observed(0)

  var url: String { "http://127.0.0.1:\(listener.port)" }

  private init(_ listener: Socket) { self.listener = listener }

  static func start() async throws -> GatedOrigin {
    let origin = GatedOrigin(try Socket.bound(listens: true))
    Thread.detachNewThread {
      while let socket = origin.listener.accept() {
        Thread.detachNewThread { origin.serve(socket) }
      }
    }
    return origin
  }

  private func serve(_ socket: Socket) {
    let connection = HTTPConnection(socket)
    while let line = try? connection.line(), let _ = try? connection.fields() {
      let isSlow = line.contains("/slow")
      if isSlow {
        requests.change { $0 += 1 }
        while !isOpen.value { usleep(5000) }
      }
      let text = isSlow ? "slow" : "quick"
      let head =
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
      guard (try? socket.write(head + text)) != nil else { return }
    }
  }

  func waitForRequest() async throws {
    _ = try await requests.wait(for: "a request", within: patience) { $0 > 0 ? true : nil }
  }

  func open() { isOpen.change { $0 = true } }

  func stop() {
    open()
    listener.shutDown()
  }
}
