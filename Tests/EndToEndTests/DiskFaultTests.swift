// Disks that are full, read-only, somebody else's, or missing: a clear word at the start, or service without
// what cannot be.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct DiskFaultTests {
    private struct Statistics: Decodable {
      struct Disk: Decodable {
        var storedResponses: Int
        var recoveredResponses: Int
        var written: UInt64
        var hits: UInt64
        var segments: Int
        var isReduced: Bool
        var bypassedWrites: UInt64
        var writes: Bool
        var disks: [Disk]?
      }
      var disk: Disk
    }

    private static func statistics(_ pop: PoP) async throws -> Statistics.Disk {
      let response = try await onThread {
        try HTTPConnection(port: pop.admin).request("GET", "/stats", ["Connection: close"])
      }
      return try JSONDecoder().decode(Statistics.self, from: Data(response.content)).disk
    }

    /// True where a process may have mounts of its own.
    private static let canMount: Bool = {
      guard getuid() == 0, let unshare = try? Programs.system("unshare") else { return false }
      return succeeds(unshare, ["-m", "true"])
    }()

    /// True where another user can run edge-pop.
    private static let canBeNobody: Bool = {
      guard getuid() == 0, let setpriv = try? Programs.system("setpriv") else { return false }
      return succeeds(setpriv, nobody + [Programs.edgePoP, "--version"])
    }()

    private static let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]

    private static func succeeds(_ program: String, _ arguments: [String]) -> Bool {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = arguments
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }

    /// The arguments of a PoP with these disks.
    private static func arguments(
      _ origin: any Server, _ disks: [String], _ size: String, at port: Int = 0
    ) -> [String] {
      [
        "--upstream", origin.url, "--listen", "127.0.0.1:\(port)", "--admin", "127.0.0.1:0",
        "--disk-size", size, "--disk-admission", "all",
      ] + disks.flatMap { ["--disk", $0] }
    }

    /// A command that runs edge-pop with something mounted.
    private static func mounted(_ mount: String, _ arguments: [String]) throws -> (String, [String])
    {
      let words = ([Programs.edgePoP] + arguments).map { "'\($0)'" }.joined(separator: " ")
      return (try Programs.system("unshare"), ["-m", "sh", "-c", "\(mount) && exec \(words)"])
    }

    private static func refusal(
      _ program: String, _ arguments: [String]
    ) async throws -> (end: ProcessEnd, line: String) {
      let result = try await run(program, arguments)
      let lines = result.errors.split(separator: "\n").map(String.init)
      return (result.end, lines.last ?? "")
    }

    @Test(
      "A read-only disk is refused, in a line that says what to do",
      .enabled(if: canMount, "mounting needs root"))
    func readOnly() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = stage.path("ro")
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        let (program, arguments) = try Self.mounted(
          "mount -t tmpfs -o ro none \(place)",
          Self.arguments(origin, ["\(place)/store"], "16MiB"))
        let (end, line) = try await Self.refusal(program, arguments)
        #expect(end == .status(1), "\(line)")
        #expect(line.contains("--disk \(place)/store: cannot make"), "\(line)")
        #expect(line.contains("the file system is mounted read-only"), "\(line)")
      }
    }

    @Test(
      "A directory of somebody else is refused, in a line that says what to do",
      .enabled(if: canBeNobody, "another user must be able to run the program"))
    func wrongOwner() async throws {
      try await Stage.run { stage in
        let setpriv = try Programs.system("setpriv")
        let origin = try await SampleOrigin.start(on: stage)
        let place = stage.path("store")
        try FileManager.default.createDirectory(
          atPath: place, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        // Where others may look, so that only the directory itself is in the way.
        chmod(stage.directory, 0o755)
        let (end, line) = try await Self.refusal(
          setpriv,
          Self.nobody + [Programs.edgePoP] + Self.arguments(origin, [place], "16MiB"))
        #expect(end == .status(1), "\(line)")
        #expect(line.contains("--disk \(place): cannot"), "\(line)")
        #expect(line.contains("it must belong to the user that runs this"), "\(line)")
      }
    }

    @Test(
      "With less room than it was given a store is smaller, and says so",
      .enabled(if: canMount, "mounting needs root"))
    func full() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = stage.path("small")
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        let (program, arguments) = try Self.mounted(
          "mount -t tmpfs -o size=30m none \(place)",
          Self.arguments(origin, ["\(place)/store"], "64MiB"))
        let process = try stage.start(program, arguments)
        let line = try await process.line(containing: "listening on ")
        #expect(process.errors.value.text.contains("there is less room on disk"))
        let pop = PoP(
          process: process, port: try Self.port("listening on ", line),
          admin: try Self.port("admin on ", line))
        // More than there is room for: what comes later takes the place of what came first.
        for number in 0..<400 {
          let response = try await pop.request("GET", "/bytes/100000?cache=max-age=600&n=\(number)")
          #expect(response.status == 200)
        }
        let disk = try await Self.statistics(pop)
        #expect(disk.isReduced && disk.segments >= 4 && disk.segments < 16)
        #expect(disk.writes && disk.written > 100)

        let (refused, more) = try Self.mounted(
          "mount -t tmpfs -o size=6m none \(place)",
          Self.arguments(origin, ["\(place)/store"], "64MiB"))
        let (end, why) = try await Self.refusal(refused, more)
        #expect(end == .status(1))
        #expect(
          why.contains("--disk \(place)/store") && why.contains("free some room"), "\(why)")
      }
    }

    private static func port(_ text: String, _ line: String) throws -> Int {
      let after = line.components(separatedBy: text).dropFirst().first ?? ""
      let digits = after.components(separatedBy: "127.0.0.1:").dropFirst().first ?? ""
      return try #require(Int(digits.prefix { $0.isNumber }), "\(line)")
    }

    @Test(
      "A disk that is stuck makes nobody wait, and goes on when it can",
      .enabled(if: canFreeze, "make crash does this: a file system is mounted and frozen"))
    func stuck() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let (place, image) = (stage.path("disk"), stage.path("image"))
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        #expect(truncate(try stage.write("image", ""), 200 << 20) == 0)
        // Whatever happens here, it is thawed: a process that waits for a frozen disk cannot be killed.
        let (program, arguments) = try Self.mounted(
          "mkfs.ext4 -q -F \(image) && mount -o loop \(image) \(place) && "
            + "{ (for i in $(seq 120); do sleep 1; kill -0 $$ || exit; done; fsfreeze -u \(place)) "
            + ">/dev/null 2>&1 & }",
          Self.arguments(origin, ["\(place)/store"], "128MiB") + ["--memory", "128MiB"])
        let process = try stage.start(program, arguments)
        let line = try await process.line(containing: "listening on ")
        let pop = PoP(
          process: process, port: try Self.port("listening on ", line),
          admin: try Self.port("admin on ", line))
        func freeze(_ how: String) async throws {
          let result = try await run(
            try Programs.system("nsenter"),
            ["-t", "\(process.pid)", "-m", try Programs.system("fsfreeze"), how, place])
          #expect(result.end == .status(0), "\(result.errors)")
        }
        _ = try await pop.request("GET", "/bytes/1000?cache=max-age=600")
        _ = try await eventually("a record on disk") {
          try await Self.statistics(pop).written == 1 ? true : nil
        }
        try await freeze("-f")
        do {
          try await Self.serveWhileStuck(pop)
        } catch {
          try await freeze("-u")
          throw error
        }
        try await freeze("-u")
        _ = try await eventually("what waited on disk") {
          try await Self.statistics(pop).written > 500 ? true : nil
        }
        await process.stop()
      }
    }

    /// More than may wait is asked for: the rest is not written, and all are answered.
    private static func serveWhileStuck(_ pop: PoP) async throws {
      let port = pop.port
      try await onThread {
        let connection = try HTTPConnection(port: port)
        let host = "127.0.0.1:\(port)"
        for number in 0..<900 {
          let response = try connection.request(
            "GET", "/bytes/100000?cache=max-age=600&n=\(number)")
          #expect(response.status == 200 && response.content.count == 100_000)
          if number % 50 == 0 {
            let hit = try connection.request("GET", "/bytes/1000?cache=max-age=600", host: host)
            #expect(hit["cache-status"]?.contains("; hit") == true)
            let passed = try HTTPConnection(port: port).request(
              "POST", "/api/echo", content: [1, 2, 3])
            #expect(passed.content == [1, 2, 3])
          }
        }
      }
      let disk = try await statistics(pop)
      #expect(disk.bypassedWrites > 100 && disk.written < 200)
    }

    /// True where a file system in a file can be mounted, and frozen from outside. Only with `make crash`: if
    /// the test itself dies, what is frozen stays so for two minutes.
    private static let canFreeze: Bool = {
      guard ProcessInfo.processInfo.environment["CRASH_ROUNDS"] != nil else { return false }
      let needed = ["nsenter", "fsfreeze", "mkfs.ext4", "losetup"]
      guard canMount, needed.allSatisfy({ (try? Programs.system($0)) != nil }) else { return false }
      return succeeds("/bin/sh", ["-c", "test -n \"$(losetup -f)\""])
    }()

    @Test("Several disks share what is stored; one that was away comes back empty")
    func several() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        let (a, b) = (stage.path("a"), stage.path("b"))
        let paths = (1...60).map { "/bytes/\($0 * 31)?cache=max-age=600" }
        func start(_ disks: [String]) async throws -> PoP {
          try await PoP.start(
            on: stage, arguments: Self.arguments(origin, disks, "16MiB", at: place.port))
        }
        func hits(_ pop: PoP) async throws -> [String] {
          var hits: [String] = []
          for path in paths {
            let response = try await pop.request("GET", path)
            if response["cache-status"]?.contains("; hit") == true { hits.append(path) }
          }
          return hits
        }
        var pop = try await start([a, b])
        #expect(try await hits(pop) == [])
        let written = try await eventually("60 records on both disks") {
          let disk = try await Self.statistics(pop)
          return disk.written == 60 ? disk : nil
        }
        let shares = try #require(written.disks).map(\.storedResponses)
        #expect(shares.reduce(0, +) == 60 && (shares.min() ?? 0) > 10, "\(shares)")
        await pop.process.stop(SIGKILL)

        // The other way round, and nothing is lost.
        pop = try await start([b, a])
        #expect(try await hits(pop).count == 60)
        await pop.process.stop(SIGKILL)

        // One is away while something is purged.
        pop = try await start([a])
        #expect(try await hits(pop).count == shares[0])
        let body = #"{"scope":"url","urls":["http://127.0.0.1\#(paths[0])"]}"#
        let admin = pop.admin
        let purge = try await onThread {
          try HTTPConnection(port: admin).request(
            "POST", "/purge", ["Connection: close"], content: Array(body.utf8))
        }
        #expect(purge.status == 200)
        await pop.process.stop(SIGKILL)
        pop = try await start([a, b])
        let disks = try #require(try await Self.statistics(pop).disks)
        #expect(disks[1].recoveredResponses == 0)
        #expect(try await !hits(pop).contains(paths[0]))
        await pop.process.stop(SIGKILL)

        // Of two that were used apart one must be emptied.
        let other = stage.path("c")
        let alone = try await start([other])
        await alone.process.stop(SIGKILL)
        let (end, line) = try await Self.refusal(
          Programs.edgePoP, Self.arguments(origin, [a, other], "16MiB"))
        #expect(end == .status(1))
        #expect(line.contains("--disk \(other)") && line.contains("empty the directory"), "\(line)")
      }
    }
  }
}
