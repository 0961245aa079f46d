// `make run`: the first thing that anybody does with this repository.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct DemoTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("scripts/demo").path

    @Test("The demo fleet takes load and a purge, and leaves nothing behind")
    func fleet() async throws {
      try await Stage.run { stage in
        let places = try (1...8).map { _ in try Socket.bound(listens: false) }
        let origin = "127.0.0.1:\(places[0].port)"
        let api = "127.0.0.1:\(places[1].port)"
        let file = try stage.write(
          "pops.json",
          Fleet.configuration(origin: "http://\(origin)", ports: places[2...].map(\.port)))
        let demo = try await run(
          "/bin/bash", [Self.script],
          variables: [
            "BIN": Programs.all, "CONFIG": file, "ORIGIN": origin, "APIS": "us:\(api)",
            "DEMO_ONCE": "1", "DEMO_SECONDS": "1", "TMPDIR": stage.directory, "ROOT": nil,
            "UPSTREAM": nil,
          ], within: patience * 3)
        #expect(demo.end == .status(0), "\(demo.output)\(demo.errors)")
        #expect(demo.errors == "")
        #expect(demo.output.contains("hit ratio"), "\(demo.output)")
        #expect(demo.output.contains("Purged at 3 of 3 PoPs"), "\(demo.output)")
        for id in Fleet.ids {
          #expect(demo.output.contains("EdgeCache-\(id); fwd=uri-miss"), "\(demo.output)")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: stage.directory)
        #expect(left == ["pops.json"])
      }
    }

    @Test("One PoP before an upstream stays until Ctrl-C")
    func onePoP() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let demo = try stage.start(
          "/bin/bash", [Self.script],
          variables: [
            "BIN": Programs.all, "UPSTREAM": origin.url, "LISTEN": "127.0.0.1:0",
            "ADMIN": "127.0.0.1:0", "TMPDIR": stage.directory,
          ])
        let port = try await demo.output.wait(for: "URL of the PoP", within: patience) {
          $0.text.contains("Ctrl-C")
            ? $0.text.firstMatch(of: /open +http:\/\/127\.0\.0\.1:(\d+)/).flatMap { Int($0.1) }
            : nil
        }
        let content = try await onThread {
          try HTTPConnection(port: port).request("GET", "/bytes/10").content
        }
        #expect(content.count == 10)
        demo.send(SIGINT)
        #expect(try await demo.ended() == .status(0))
        #expect(throws: SocketProblem.self) { try Socket.connect(to: port) }
      }
    }

    @Test("An address in use is named before anything starts")
    func occupied() async throws {
      try await Stage.run { stage in
        let taken = try Socket.bound(listens: true)
        let demo = try await run(
          "/bin/bash", [Self.script],
          variables: [
            "BIN": Programs.all, "UPSTREAM": "http://127.0.0.1:9", "ADMIN": "127.0.0.1:0",
            "LISTEN": "127.0.0.1:\(taken.port)", "TMPDIR": stage.directory,
          ])
        #expect(demo.end == .status(1))
        #expect(demo.errorLines.count == 1, "\(demo.errors)")
        #expect(demo.errors.contains("127.0.0.1:\(taken.port) is in use"), "\(demo.errors)")
      }
    }
  }
}
