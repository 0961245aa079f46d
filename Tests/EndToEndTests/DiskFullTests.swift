// Disks that become full while a PoP runs, and have room again: what is said of it, and that nothing that was
// purged or invalidated comes back. DiskTroubleTests has the same without a real file system.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct DiskFullTests {
    private struct Health: Decodable {
      var status: String
      var problems: [String]?
    }

    private static func health(_ pop: PoP) async throws -> Health {
      let admin = pop.admin
      let response = try await onThread {
        try HTTPConnection(port: admin).request("GET", "/health", ["Connection: close"])
      }
      return try JSONDecoder().decode(Health.self, from: Data(response.content))
    }

    private static func purge(_ pop: PoP, _ path: String) async throws -> Response {
      let body = #"{"scope":"url","urls":["http://127.0.0.1\#(path)"]}"#
      let admin = pop.admin
      return try await onThread {
        try HTTPConnection(port: admin).request(
          "POST", "/purge", ["Connection: close"], content: Array(body.utf8))
      }
    }

    private static func start(
      on stage: Stage, _ disk: SmallDisk, before origin: any Server, at place: Socket,
      size: String = "16MiB"
    ) async throws -> PoP {
      try await PoP.start(
        on: stage,
        arguments: [
          "--upstream", origin.url, "--listen", "127.0.0.1:\(place.port)", "--admin", "127.0.0.1:0",
          "--disk", "\(disk.place)/store", "--disk-size", size, "--disk-admission", "all",
          "--memory", "4MiB",
        ], disk: disk)
    }

    private static func isHit(_ pop: PoP, _ path: String) async throws -> Bool {
      let response = try await pop.request("GET", path)
      #expect(response.status == 200)
      return response["cache-status"]?.contains("; hit") == true
    }

    @Test(
      "A full file system is named once, purges and invalidations hold, and it goes on by itself",
      .enabled(if: SmallDisk.isPossible, "a file system is mounted; DiskTroubleTests has the same"))
    func full() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let disk = try await SmallDisk.make(on: stage, at: "disk", kibibytes: 24 << 10)
        let place = try Socket.bound(listens: false)
        var pop = try await Self.start(on: stage, disk, before: origin, at: place)
        let paths = (1...9).map { "/bytes/\($0 * 1000)?cache=max-age=600" }
        for path in paths { #expect(try await !Self.isHit(pop, path)) }
        #expect(try await Self.health(pop).status == "ok")

        try disk.fill()
        let health = try await eventually("a degraded PoP") {
          let health = try await Self.health(pop)
          return health.status == "degraded" ? health : nil
        }
        #expect(health.problems?.first?.contains("No space left on device") == true, "\(health)")
        // RFC 9111 §4.4: whatever the origin says to it, but for an error.
        let posted = try await pop.request("POST", paths[0], content: [1])
        for path in paths[1...] { #expect(try await Self.isHit(pop, path), "\(path)") }
        let purged = try await Self.purge(pop, paths[1])
        #expect(
          purged.status == 200 || purged.text.contains("No space left on device"), "\(purged.text)")
        #expect(try await !Self.isHit(pop, paths[1]))
        #expect(try await Self.health(pop).status == "degraded")

        disk.free()
        _ = try await eventually("a PoP that is well") {
          try await Self.health(pop).status == "ok" ? true : nil
        }
        #expect(try await Self.purge(pop, paths[2]).status == 200)
        let errors = pop.process.errors.value.text
        #expect(errors.components(separatedBy: "takes not all that it is given").count == 2)
        #expect(errors.contains("takes again what it is given"))

        // What was invalidated or purged meanwhile does not come back, and the rest is there.
        try disk.fill()
        await pop.process.stop(SIGKILL)
        pop = try await Self.start(on: stage, disk, before: origin, at: place)
        if posted.status < 400 { #expect(try await !Self.isHit(pop, paths[0])) }
        #expect(try await !Self.isHit(pop, paths[2]))
        #expect(try await Self.isHit(pop, paths[3]))
      }
    }

    @Test(
      "On any file system that a store opens on, purges last",
      .enabled(if: SmallDisk.isPossible, "a file system is mounted; DiskTroubleTests has the same"),
      arguments: [
        (16 << 10 + 4, "16MiB"), (20 << 10, "16MiB"), (20 << 10, "20MiB"), (20 << 10, "1GiB"),
      ])
    func small(_ kibibytes: Int, _ size: String) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let disk = try await SmallDisk.make(on: stage, at: "disk", kibibytes: kibibytes)
        let place = try Socket.bound(listens: false)
        let path = "/bytes/3000?cache=max-age=600"
        for _ in 0..<2 {
          let pop = try await Self.start(on: stage, disk, before: origin, at: place, size: size)
          #expect(try await !Self.isHit(pop, path))
          #expect(try await Self.isHit(pop, path))
          for _ in 0..<20 { #expect(try await Self.purge(pop, path).status == 200) }
          #expect(try await Self.health(pop).status == "ok")
          await pop.process.stop(SIGKILL)
        }
      }
    }
  }
}
