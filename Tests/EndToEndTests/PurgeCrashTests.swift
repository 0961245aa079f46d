// PoPs, and the Redis between them, are killed at any moment while purges go on. Whatever was acknowledged holds,
// nothing that was purged comes back, and everybody catches up without being told to.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct PurgeCrashTests {
    /// `make crash` has hundreds.
    private static let rounds =
      ProcessInfo.processInfo.environment["CRASH_ROUNDS"].flatMap { Int($0) } ?? 8

    private struct Report: Decodable {
      struct PoP: Decodable {
        var pop: String?
        var result: String
      }
      var pops: [PoP]
    }

    /// What is going on, and what may be served.
    private struct World {
      let stage: Stage
      var fleet: Fleet
      var redis: Redis?
      let place: Socket
      var random = SystemRandomNumberGenerator()
      var versions = [Int](repeating: 0, count: 6)
      /// For each PoP, the oldest version of each file that it may serve.
      var floors = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 3)
      /// What some PoP acknowledged.
      var anywhere = [Int](repeating: 0, count: 6)
      var isDown = [Bool](repeating: false, count: 3)
      var kills = 0
      var reads = 0
      var acknowledged = 0

      static func path(_ file: Int) -> String { "/\(file % 2)/\(file).css" }

      func write(_ file: Int) throws {
        try stage.write("site\(Self.path(file))", "\(versions[file])")
      }

      /// Changes files, purges them, and perhaps kills somebody meanwhile.
      mutating func round() async throws {
        let file = Int.random(in: versions.indices, using: &random)
        let url = "http://\(Fleet.host)\(Self.path(file))"
        let (arguments, covered): ([String], [Int]) =
          switch Int.random(in: 0..<8, using: &random) {
          case 0: (["everything"], Array(versions.indices))
          case 1: (["host", Fleet.host], Array(versions.indices))
          case 2, 3:
            (
              ["prefix", "http://\(Fleet.host)/\(file % 2)/"],
              versions.indices.filter { $0 % 2 == file % 2 }
            )
          default: (["url", url], [file])
          }
        for file in covered {
          versions[file] += 1
          try write(file)
        }
        let ordered = versions
        async let purge = fleet.purge(arguments + ["--json", "--timeout", "400ms"])
        try await Task.sleep(for: .microseconds(Int.random(in: 0..<60_000, using: &random)))
        try await killSomebody()
        let result = try await purge
        guard let report = try? JSONDecoder().decode(Report.self, from: Data(result.bytes)) else {
          // The Redis was not to be reached: nothing was ordered, or nobody knows.
          #expect(redis != nil && result.end == .status(2), "\(result.output) \(result.errors)")
          return
        }
        for (index, pop) in report.pops.enumerated() where pop.result == "purged" {
          acknowledged += 1
          for file in covered {
            floors[index][file] = max(floors[index][file], ordered[file])
            anywhere[file] = max(anywhere[file], ordered[file])
          }
        }
      }

      private mutating func killSomebody() async throws {
        let victim = Int.random(in: 0..<(redis == nil ? 4 : 5), using: &random)
        if victim < 3, !isDown[victim] {
          await fleet.pops[victim].process.stop(SIGKILL)
          isDown[victim] = true
          kills += 1
        } else if victim == 4, let redis {
          await redis.process.stop(SIGKILL)
          self.redis = try await Redis.start(on: stage, at: place)
          kills += 1
        }
      }

      /// Some of those that are down come back; what anybody acknowledged before holds for them from the first
      /// byte on.
      mutating func comeBack(all: Bool = false) async throws {
        for index in isDown.indices where isDown[index] {
          guard all || Bool.random(using: &random) else { continue }
          for file in versions.indices {
            floors[index][file] = max(floors[index][file], anywhere[file])
          }
          try await fleet.restart(index, on: stage)
          isDown[index] = false
        }
      }

      mutating func read() async throws {
        for (index, pop) in fleet.pops.enumerated() where !isDown[index] {
          for file in versions.indices {
            let response = try await pop.request("GET", Self.path(file), host: Fleet.host)
            reads += 1
            guard response.status == 200, let version = Int(response.text) else {
              Issue.record("status \(response.status), '\(response.text)'")
              continue
            }
            #expect(
              version >= floors[index][file],
              "\(Fleet.ids[index]) sent \(version) of \(file): \(response["cache-status"] ?? "")")
          }
        }
      }

      /// Everybody is back and knows everything.
      mutating func settle() async throws {
        try await comeBack(all: true)
        let fleet = fleet
        _ = try await eventually("all are synced") {
          try await fleet.purge(["status"]).end == .status(0) ? true : nil
        }
        for index in floors.indices { floors[index] = anywhere }
        try await read()
      }
    }

    @Test("200 kills and more lose no purge, and bring nothing back", arguments: [false, true])
    func kills(_ hasBus: Bool) async throws {
      try await Stage.run { stage in
        for file in 0..<6 { try stage.write("site\(World.path(file))", "0") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let place = try Socket.bound(listens: false)
        let redis = hasBus ? try await Redis.start(on: stage, at: place) : nil
        let bus = #""purgeBus": { "redis": "redis://127.0.0.1:\#(place.port)" },"#
        let fleet = try await Fleet.start(
          on: stage, origin: origin, disks: true, more: hasBus ? bus : "")
        var world = World(stage: stage, fleet: fleet, redis: redis, place: place)
        for round in 0..<Self.rounds {
          try await world.read()
          try await world.round()
          try await world.read()
          try await world.comeBack()
          if round % 20 == 19 { try await world.settle() }
        }
        try await world.settle()
        print(
          "\(Self.rounds) rounds, \(world.kills) kills, \(world.acknowledged) acknowledgements, "
            + "\(world.reads) responses read")
        #expect(world.reads > Self.rounds * 12)
      }
    }
  }
}
