// Real processes whose wall clock is set, by a library that is loaded before them.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct ClockTests {
    private static let hour: Int64 = 3600

    /// The wall clock of processes of a stage.
    private struct WallClock {
      private let file: String
      private let library: String

      init(on stage: Stage) async throws {
        file = stage.path("clock")
        library = stage.path("set-clock.so")
        try Data(repeating: 0, count: 8).write(to: URL(fileURLWithPath: file))
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
          .appendingPathComponent("Servers/set-clock.c").path
        let result = try await run(
          try Programs.system("gcc", "cc"), ["-O2", "-shared", "-fPIC", "-o", library, source])
        guard result.end == .status(0) else { throw ProcessProblem(description: result.errors) }
      }

      var variables: [String: String?] {
        ["LD_PRELOAD": library, "EDGE_TEST_CLOCK": file]
      }

      /// Sets it so many seconds from what it really is.
      func set(_ seconds: Int64) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        defer { try? handle.close() }
        try handle.write(contentsOf: withUnsafeBytes(of: seconds) { Data($0) })
      }
    }

    private static func isHit(_ response: Response) -> Bool {
      response["cache-status"]?.contains("; hit") == true
    }

    private static func requests(_ origin: SampleOrigin, _ path: String) async throws -> Int {
      let path = path.split(separator: "?")[0]
      return try await origin.requests()
        .reduce(0) { $0 + ($1.key.split(separator: "?")[0] == path ? $1.value : 0) }
    }

    @Test(
      "A clock that is set changes neither what is fresh nor what is stale",
      arguments: [-hour, hour])
    func running(step: Int64) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let clock = try await WallClock(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin, variables: clock.variables)
        let (long, short) = ("/bytes/1000?cache=max-age=600", "/bytes/2000?cache=max-age=1")
        for path in [long, short] { _ = try await pop.request("GET", path) }
        try clock.set(step)
        _ = try await pop.process.line(containing: "the wall clock was set")
        let hit = try await pop.request("GET", long)
        #expect(Self.isHit(hit))
        #expect(hit["age"].flatMap { Int($0) }.map { $0 < 600 } == true)
        // What lives for a second is asked for again after a second.
        _ = try await eventually("another request") {
          _ = try await pop.request("GET", short)
          return try await Self.requests(origin, short) > 1 ? true : nil
        }
        #expect(try await Self.requests(origin, long) == 1)
      }
    }

    @Test("After a clock that went back, what is on disk is validated before it is used")
    func away() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let clock = try await WallClock(on: stage)
        let place = try Socket.bound(listens: false)
        func start() async throws -> PoP {
          try await PoP.start(
            on: stage,
            arguments: [
              "--upstream", origin.url, "--listen", "127.0.0.1:\(place.port)", "--admin",
              "127.0.0.1:0", "--disk", stage.path("store"), "--disk-size", "16MiB",
            ], variables: clock.variables)
        }
        let path = "/bytes/1000?cache=max-age=600"
        let first = try await start()
        _ = try await first.request("GET", path)
        _ = try await eventually("a record") {
          let stats = try await run(
            try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(first.adminURL)/stats"])
          return stats.output.contains(/"written"\s*:\s*1\b/) ? true : nil
        }
        await first.process.stop(SIGTERM)

        let same = try await start()
        #expect(Self.isHit(try await same.request("GET", path)))
        await same.process.stop(SIGTERM)
        #expect(try await Self.requests(origin, path) == 1)

        try clock.set(-Self.hour)
        let back = try await start()
        _ = try await back.process.line(containing: "the wall clock is")
        let validated = try await back.request("GET", path)
        #expect(validated["cache-status"]?.contains("fwd=stale") == true)
        #expect(try await Self.requests(origin, path) == 2)
        _ = try await eventually("a hit") {
          Self.isHit(try await back.request("GET", path)) ? true : nil
        }
        #expect(try await Self.requests(origin, path) == 2)
      }
    }
  }
}
