// Files of a store that were lost, changed or are somebody else's between one start and the next: nothing that was
// purged comes back, and it is said what is wrong.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct DiskLossTests {
    private static func arguments(
      _ origin: any Server, at port: Int, _ store: String
    ) -> [String] {
      [
        "--upstream", origin.url, "--listen", "127.0.0.1:\(port)", "--admin", "127.0.0.1:0",
        "--disk", store, "--disk-size", "16MiB", "--disk-admission", "all",
      ]
    }

    private static func admin(
      _ pop: PoP, _ method: String, _ path: String, _ body: String = ""
    ) async throws -> Response {
      let admin = pop.admin
      return try await onThread {
        try HTTPConnection(port: admin).request(
          method, path, ["Connection: close"], content: body.isEmpty ? nil : Array(body.utf8))
      }
    }

    private static func isHit(_ pop: PoP, _ path: String) async throws -> Bool {
      let response = try await pop.request("GET", path)
      #expect(response.status == 200)
      return response["cache-status"]?.contains("; hit") == true
    }

    /// What becomes of a file.
    enum Change: String, CaseIterable, CustomTestStringConvertible {
      case gone, empty, oneByte, half, older, bit

      var testDescription: String { rawValue }

      func apply(_ path: String, older: Data) throws {
        let url = URL(fileURLWithPath: path)
        var bytes = try Data(contentsOf: url)
        switch self {
        case .gone: return try FileManager.default.removeItem(atPath: path)
        case .empty: bytes = Data()
        case .oneByte: bytes = bytes.prefix(1)
        case .half: bytes = bytes.prefix(bytes.count / 2)
        case .older: bytes = older
        case .bit: bytes[bytes.count / 2] ^= 0x10
        }
        try bytes.write(to: url)
      }
    }

    @Test(
      "A log of purges that is not what it was: nothing is believed", arguments: Change.allCases)
    func log(_ change: Change) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        let store = stage.path("store")
        let arguments = Self.arguments(origin, at: place.port, store)
        var pop = try await PoP.start(on: stage, arguments: arguments)
        let paths = (1...4).map { "/bytes/\($0 * 1000)?cache=max-age=600" }
        for path in paths { #expect(try await !Self.isHit(pop, path)) }
        let log = URL(fileURLWithPath: "\(store)/purge.log")
        var older = Data()
        for path in paths[..<2] {
          older = try Data(contentsOf: log)
          let purge = try await Self.admin(
            pop, "POST", "/purge", #"{"scope":"url","urls":["http://127.0.0.1\#(path)"]}"#)
          #expect(purge.status == 200)
        }
        await pop.process.stop(SIGKILL)
        try change.apply(log.path, older: older)

        let check = try await run(Programs.edgePoP, ["store", "check", store])
        #expect(check.end == .status(1) && check.output.contains("purge.log"), "\(check.output)")
        pop = try await PoP.start(on: stage, arguments: arguments)
        #expect(pop.process.errors.value.text.contains("purges may be missing"))
        let health = try await Self.admin(pop, "GET", "/health").text
        #expect(health.contains("degraded") && health.contains("purge.log"), "\(health)")
        for path in paths {
          #expect(try await !Self.isHit(pop, path), "\(path)")
          #expect(try await Self.isHit(pop, path), "\(path)")
        }
        // What the origin sent, or confirmed, is written again, in front of the fence.
        _ = try await eventually("what was asked for, on disk") {
          let text = try await Self.admin(pop, "GET", "/stats").text
          return text.contains(/"written"\s*:\s*4\b/) ? true : nil
        }
        await pop.process.stop(SIGKILL)
        // It has been said, and the fence is there still; what came later is believed.
        pop = try await PoP.start(on: stage, arguments: arguments)
        #expect(!pop.process.errors.value.text.contains("purges may be missing"))
        #expect(try await Self.admin(pop, "GET", "/health").text.contains(#""status":"ok""#))
        for path in paths { #expect(try await Self.isHit(pop, path), "\(path)") }
      }
    }

    @Test(
      "A header that is damaged is put aside, and the store begins anew", arguments: Change.allCases
    )
    func header(_ change: Change) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        let store = stage.path("store")
        let arguments = Self.arguments(origin, at: place.port, store)
        var pop = try await PoP.start(on: stage, arguments: arguments)
        let path = "/bytes/1000?cache=max-age=600"
        #expect(try await !Self.isHit(pop, path))
        await pop.process.stop(SIGKILL)
        let older = Data("something else, and longer than a header of a store is at any time".utf8)
        try change.apply("\(store)/STORE", older: older)
        pop = try await PoP.start(on: stage, arguments: arguments)
        #expect(try await !Self.isHit(pop, path))
        #expect(try await Self.isHit(pop, path))
        #expect(pop.process.errors.value.text.contains("begins anew, empty"))
        let health = try await Self.admin(pop, "GET", "/health").text
        #expect(health.contains("degraded") && health.contains("STORE"), "\(health)")
        let isKept = FileManager.default.fileExists(atPath: "\(store)/STORE.damaged")
        #expect(isKept == (change != .gone))
        await pop.process.stop(SIGKILL)
        pop = try await PoP.start(on: stage, arguments: arguments)
        #expect(!pop.process.errors.value.text.contains("begins anew"))
        #expect(try await Self.admin(pop, "GET", "/health").text.contains(#""status":"ok""#))
      }
    }

    @Test(
      "What is neither empty nor a store is refused, and left as it is",
      arguments: [
        ["notes.txt"], ["index.html", "lost+found/", "style.css"], ["segments/000001.ts"],
        ["segments/000000"], ["STORE"], ["purge.log"], [".hidden"], ["STORE.damaged", "a"],
      ])
    func others(_ files: [String]) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        for file in files {
          if file.hasSuffix("/") {
            try FileManager.default.createDirectory(
              atPath: stage.path("other/\(file)"), withIntermediateDirectories: true)
          } else {
            try stage.write("other/\(file)", "not ours")
          }
        }
        let before = try FileManager.default.subpathsOfDirectory(atPath: stage.path("other"))
        let result = try await run(
          Programs.edgePoP, Self.arguments(origin, at: 0, stage.path("other")))
        #expect(result.end == .status(1))
        #expect(
          result.errors.contains(
            "--disk \(stage.path("other")): it is neither empty nor a disk store"),
          "\(result.errors)")
        let after = try FileManager.default.subpathsOfDirectory(atPath: stage.path("other"))
        #expect(Set(before) == Set(after))
        for file in files where !file.hasSuffix("/") {
          #expect(
            try String(contentsOfFile: stage.path("other/\(file)"), encoding: .utf8) == "not ours")
        }
      }
    }

    @Test(
      "What is empty, or what a start that was interrupted left, is used",
      arguments: [
        [], ["lost+found/"], ["LOCK", "segments/"], ["LOCK", "segments/000000", "segments/000001"],
        ["LOCK", "segments/", "STORE.new", "SPARE"], ["STORE.damaged", "purge.log.damaged"],
      ])
    func empty(_ files: [String]) async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        try FileManager.default.createDirectory(
          atPath: stage.path("other"), withIntermediateDirectories: true)
        for file in files {
          if file.hasSuffix("/") {
            try FileManager.default.createDirectory(
              atPath: stage.path("other/\(file)"), withIntermediateDirectories: true)
          } else {
            try stage.write("other/\(file)", [UInt8](repeating: 0, count: 4096))
          }
        }
        let pop = try await PoP.start(
          on: stage, arguments: Self.arguments(origin, at: 0, stage.path("other")))
        #expect(try await Self.admin(pop, "GET", "/health").text.contains(#""status":"ok""#))
      }
    }
  }
}
