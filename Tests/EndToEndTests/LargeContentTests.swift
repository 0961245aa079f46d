// Content that is larger than what memory keeps, before Debian's nginx: filled once from whatever ranges are
// asked for, kept over a restart, gone after a purge.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct LargeContentTests {
    private static let size = 8 << 20

    private static func content(_ version: Int) -> [UInt8] {
      var state = UInt64(version) &+ 0x9E37_79B9_7F4A_7C15
      return (0..<size / 8).flatMap { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return withUnsafeBytes(of: state) { Array($0) }
      }
    }

    private static func pop(
      on stage: Stage, before origin: Nginx, at place: Socket
    ) async throws -> PoP {
      try await PoP.start(
        on: stage,
        arguments: [
          "--upstream", origin.url, "--listen", "127.0.0.1:\(place.port)", "--admin",
          "127.0.0.1:0", "--memory", "16MiB", "--disk", stage.path("store"), "--disk-size",
          "128MiB",
        ])
    }

    /// Takes files out of the page cache.
    private static func forget(_ directory: String) throws {
      for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
        let file = open("\(directory)/\(name)", O_RDONLY)
        defer { close(file) }
        #expect(fsync(file) == 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0)
      }
    }

    /// Fetches with curl into a file, and says if it has these bytes.
    private static func fetches(
      _ url: String, _ expected: ArraySlice<UInt8>, _ arguments: [String] = [], on stage: Stage,
      as name: String
    ) async throws -> Bool {
      let file = stage.path(name)
      let result = try await run(
        try Programs.system("curl"),
        ["-sS", "--noproxy", "*", "--fail", "-o", file] + arguments + [url])
      #expect(result.end == .status(0), "\(result.errors)")
      let found = try Data(contentsOf: URL(fileURLWithPath: file))
      return found.elementsEqual(expected)
    }

    @Test("Any range fills what it asks for, once, for all, and over a restart")
    func pieces() async throws {
      try await Stage.run { stage in
        let content = Self.content(1)
        try stage.write("site/film.bin", content)
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"),
          server: "    add_header Cache-Control max-age=600;")
        let place = try Socket.bound(listens: false)
        let pop = try await Self.pop(on: stage, before: nginx, at: place)
        let url = "\(pop.url)/film.bin"
        #expect(
          try await Self.fetches(
            url, content[5_000_000...5_000_999], ["-r", "5000000-5000999"], on: stage, as: "a"))
        #expect(
          try await Self.fetches(
            url, content[4_500_000...8_000_000], ["-r", "4500000-8000000"], on: stage, as: "b"))
        // Four at once share every piece.
        try await withThrowingTaskGroup(of: Bool.self) { group in
          for client in 0..<4 {
            group.addTask {
              try await Self.fetches(url, content[...], on: stage, as: "whole-\(client)")
            }
          }
          for try await isRight in group { #expect(isRight) }
        }
        let requests = try await nginx.requests()
        // The first one, which told how large it is, and each of the 8 pieces.
        #expect(requests.count == 9, "\(requests)")
        #expect(requests.allSatisfy { $0 == "GET /film.bin 206" })

        _ = try await eventually("all pieces on disk") {
          let stats = try await run(
            try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(pop.adminURL)/stats"])
          return stats.output.contains("\"written\" : 9") ? true : nil
        }
        await pop.process.stop(SIGKILL)
        let again = try await Self.pop(on: stage, before: nginx, at: place)
        #expect(try await Self.fetches(url, content[...], on: stage, as: "restarted"))
        #expect(
          try await Self.fetches(
            url, content[(Self.size - 10)...], ["-r", "-10"], on: stage, as: "end"))
        #expect(try await nginx.requests().count == 9)

        // Out of the page cache it is read by those who may wait. What was seen there is believed to stay
        // for a second.
        try Self.forget(stage.path("store/segments"))
        try await Task.sleep(for: .milliseconds(1100))
        #expect(try await Self.fetches(url, content[...], on: stage, as: "cold"))

        // Another content under the same URL, and a purge.
        let changed = Self.content(2)
        try stage.write("site/film.bin", changed)
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSinceNow: -5)],
          ofItemAtPath: stage.path("site/film.bin"))
        let purge = try await run(
          try Programs.system("curl"),
          [
            "-sS", "--noproxy", "*", "--fail", "-d",
            #"{"scope":"url","urls":["\#(url)"]}"#, "\(again.adminURL)/purge",
          ])
        #expect(purge.end == .status(0), "\(purge.errors)")
        #expect(try await Self.fetches(url, changed[...], on: stage, as: "changed"))
      }
    }

    @Test("Content that changes while it is fetched is broken off, never mixed")
    func changes() async throws {
      try await Stage.run { stage in
        let (old, new) = (Self.content(1), Self.content(2))
        try stage.write("site/film.bin", old)
        let nginx = try await Nginx.start(
          on: stage, root: stage.path("site"), server: "    add_header Cache-Control max-age=600;")
        let place = try Socket.bound(listens: false)
        let pop = try await Self.pop(on: stage, before: nginx, at: place)
        let url = "\(pop.url)/film.bin"
        #expect(try await Self.fetches(url, old[0...9], ["-r", "0-9"], on: stage, as: "a"))
        try stage.write("site/film.bin", new)
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSinceNow: 60)],
          ofItemAtPath: stage.path("site/film.bin"))
        let file = stage.path("b")
        let result = try await run(
          try Programs.system("curl"), ["-sS", "--noproxy", "*", "-o", file, url])
        #expect(result.end != .status(0))
        let part = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect(part.count < Self.size && old.starts(with: part))
        // The next one gets the new content.
        #expect(try await Self.fetches(url, new[...], on: stage, as: "c"))
      }
    }
  }
}
