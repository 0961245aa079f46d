// The disk tier of real processes: what is stored outlives them, and what was purged does not.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct DiskTests {
    private struct Statistics: Decodable {
      struct Disk: Decodable {
        var storedResponses: Int
        var recoveredResponses: Int
        var written: UInt64
        var hits: UInt64
        var damaged: UInt64
        var serves: Bool
      }
      struct Memory: Decodable {
        var storedResponses: Int
      }
      var disk: Disk
      var memory: Memory
    }

    private static func statistics(_ pop: PoP) async throws -> Statistics {
      let result = try await run(
        try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(pop.adminURL)/stats"])
      return try JSONDecoder().decode(Statistics.self, from: Data(result.output.utf8))
    }

    /// A PoP with a store on the stage. Another one on the same `place` has the same URLs.
    private static func pop(
      on stage: Stage, before origin: any Server, at place: Socket? = nil,
      _ arguments: [String] = []
    ) async throws -> PoP {
      try await PoP.start(
        on: stage,
        arguments: [
          "--upstream", origin.url, "--listen", "127.0.0.1:\(place?.port ?? 0)", "--admin",
          "127.0.0.1:0", "--disk", stage.path("store"), "--disk-size", "16MiB",
        ] + arguments)
    }

    private static func written(_ pop: PoP, _ count: UInt64) async throws {
      _ = try await eventually("\(count) records") {
        try await statistics(pop).disk.written >= count ? true : nil
      }
    }

    @Test("What is stored outlives a SIGKILL, with head, age and content")
    func outlives() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        let first = try await Self.pop(on: stage, before: origin, at: place)
        let paths = (1...50).map { "/bytes/\($0 * 997)?cache=max-age=600" }
        var contents: [[UInt8]] = []
        for path in paths { contents.append(try await first.request("GET", path).content) }
        try await Self.written(first, 50)
        await first.process.stop(SIGKILL)
        let before = try await origin.requests()

        let second = try await Self.pop(on: stage, before: origin, at: place)
        #expect(try await Self.statistics(second).disk.recoveredResponses == 50)
        for (path, content) in zip(paths, contents) {
          let response = try await second.request("GET", path)
          #expect(response.status == 200)
          let isSame = response.content == content
          #expect(isSame, "\(path)")
          let status = response.fields.first { $0.name.lowercased() == "cache-status" }?.value
          #expect(status?.contains("; hit; ttl=") == true, "\(status ?? "none")")
        }
        #expect(try await origin.requests() == before)
        let statistics = try await Self.statistics(second)
        #expect(statistics.disk.hits == 50 && statistics.disk.damaged == 0)
        // What is asked for a second time goes to memory.
        #expect(statistics.memory.storedResponses == 0)
        for path in paths { _ = try await second.request("GET", path) }
        #expect(try await Self.statistics(second).memory.storedResponses == 50)
      }
    }

    @Test("Trailer fields outlive the process, also behind content that is sent from its file")
    func trailers() async throws {
      try await Stage.run { stage in
        let origin = try TrailerOrigin(count: 100_000)
        let place = try Socket.bound(listens: false)
        let first = try await Self.pop(on: stage, before: origin, at: place)
        #expect(try await first.request("GET", "/").content.count == origin.content.count)
        try await Self.written(first, 1)
        await first.process.stop(SIGKILL)

        let pop = try await Self.pop(on: stage, before: origin, at: place)
        let port = pop.port
        // From its file, once more, and from memory, to where a validation brings it.
        for fields in [[], [], ["Cache-Control: no-cache"], []] as [[String]] {
          let (head, content, trailers) = try await onThread {
            let connection = try HTTPConnection(port: port)
            try connection.send("GET", "/", host: "127.0.0.1:\(port)", ["TE: trailers"] + fields)
            let head = try connection.head()
            let count = Int(try connection.line(), radix: 16) ?? 0
            let content = try connection.bytes(count)
            var trailers: [String] = []
            for _ in 0..<4 { trailers.append(try connection.line()) }
            // The connection is good for the next request.
            _ = try connection.request("GET", "/", host: "127.0.0.1:\(port)")
            return (head, content, trailers)
          }
          #expect(head["transfer-encoding"] == "chunked" && head["trailer"] == "X-Sum")
          #expect(head["content-length"] == nil && head["x-sum"] == nil)
          let isSame = content == origin.content
          #expect(isSame)
          #expect(trailers == ["", "0", "X-Sum: 42", ""])
        }
        let plain = try await pop.request("GET", "/")
        #expect(plain["content-length"] == "100000" && plain["trailer"] == nil)
        #expect(try await Self.statistics(pop).disk.damaged == 0)
      }
    }

    @Test("What a reload validates is updated, also where it was sent from its file")
    func reload() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        let path = "/bytes/100000?cache=max-age=600"
        let first = try await Self.pop(on: stage, before: origin, at: place)
        let content = try await first.request("GET", path).content
        try await Self.written(first, 1)
        await first.process.stop(SIGKILL)

        let pop = try await Self.pop(on: stage, before: origin, at: place)
        _ = try await pop.request("GET", path)
        #expect(try await Self.statistics(pop).memory.storedResponses == 0)
        let reloaded = try await pop.request("GET", path, ["Cache-Control: no-cache"])
        #expect(reloaded.content == content)
        #expect(reloaded["cache-status"]?.contains("fwd=request; fwd-status=304") == true)
        // RFC 9111 §4.3.4: its head is the one that came with the 304.
        #expect(try await Self.statistics(pop).memory.storedResponses == 1)
      }
    }

    @Test("What was purged is gone, also after a SIGKILL right after the acknowledgement")
    func purged() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        var pop = try await Self.pop(on: stage, before: origin, at: place)
        let paths = (1...10).map { "/bytes/\($0 * 100)?cache=max-age=600" }
        for path in paths { _ = try await pop.request("GET", path) }
        try await Self.written(pop, 10)
        for path in paths[..<5] {
          let purge = try await run(
            try Programs.system("curl"),
            [
              "-sS", "--noproxy", "*", "--fail", "-d",
              #"{"scope":"url","urls":["http://127.0.0.1\#(path)"]}"#,
              "\(pop.adminURL)/purge",
            ])
          #expect(purge.end == .status(0), "\(purge.output)\(purge.errors)")
        }
        await pop.process.stop(SIGKILL)

        pop = try await Self.pop(on: stage, before: origin, at: place)
        #expect(try await Self.statistics(pop).disk.recoveredResponses == 5)
        for (index, path) in paths.enumerated() {
          let response = try await pop.request("GET", path)
          let status = response.fields.first { $0.name.lowercased() == "cache-status" }?.value
          #expect(status?.contains("; hit") == (index >= 5), "\(path): \(status ?? "none")")
        }
        let everything = try await run(
          try Programs.system("curl"),
          [
            "-sS", "--noproxy", "*", "--fail", "-d", #"{"scope":"everything"}"#,
            "\(pop.adminURL)/purge",
          ])
        #expect(everything.end == .status(0), "\(everything.output)\(everything.errors)")
        await pop.process.stop(SIGKILL)

        pop = try await Self.pop(on: stage, before: origin, at: place)
        #expect(try await Self.statistics(pop).disk.recoveredResponses == 0)
        let response = try await pop.request("GET", paths[9])
        let status = response.fields.first { $0.name.lowercased() == "cache-status" }?.value
        #expect(status?.contains("fwd=uri-miss") == true, "\(status ?? "none")")
      }
    }

    @Test("What memory has no room for comes from disk")
    func largerThanMemory() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await Self.pop(on: stage, before: origin, at: nil, ["--memory", "1MiB"])
        let paths = (0..<200).map { "/bytes/20000?cache=max-age=600&n=\($0)" }
        for path in paths { _ = try await pop.request("GET", path) }
        try await Self.written(pop, 200)
        let before = try await origin.requests()
        for path in paths {
          let response = try await pop.request("GET", path)
          #expect(response.content.count == 20000)
        }
        #expect(try await origin.requests() == before)
        let statistics = try await Self.statistics(pop)
        #expect(statistics.disk.hits > 100)
        #expect(statistics.memory.storedResponses < 100)
      }
    }

    @Test("A damaged record is fetched again")
    func damaged() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let place = try Socket.bound(listens: false)
        var pop = try await Self.pop(on: stage, before: origin, at: place)
        let path = "/bytes/50000?cache=max-age=600"
        let content = try await pop.request("GET", path).content
        try await Self.written(pop, 1)
        await pop.process.stop(SIGKILL)
        let file = FileHandle(forUpdatingAtPath: stage.path("store/segments/000000"))
        try file?.seek(toOffset: 30_000)
        try file?.write(contentsOf: Data(repeating: 0x55, count: 100))
        try file?.close()
        pop = try await Self.pop(on: stage, before: origin, at: place)
        let isSame = try await pop.request("GET", path).content == content
        #expect(isSame)
        #expect(try await Self.statistics(pop).disk.damaged == 1)
      }
    }

    @Test("A second process, another version and what is no store are refused")
    func refused() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let arguments = [
          "--upstream", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--disk",
          stage.path("store"), "--disk-size", "16MiB",
        ]
        let pop = try await Self.pop(on: stage, before: origin)
        let second = try await run(Programs.edgePoP, arguments)
        #expect(second.end == .status(1))
        #expect(second.errors.contains("another process uses it"), "\(second.errors)")
        await pop.process.stop()

        let header = stage.path("store/STORE")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: header))
        bytes[8] = 77
        try bytes.write(to: URL(fileURLWithPath: header))
        let version = try await run(Programs.edgePoP, arguments)
        #expect(version.end == .status(1))
        #expect(version.errors.contains("format version 77"), "\(version.errors)")

        // What is no store is not touched.
        try stage.write("other/STORE", "something else")
        let other = try await run(
          Programs.edgePoP, arguments.map { $0 == stage.path("store") ? stage.path("other") : $0 })
        #expect(other.end == .status(1))
        #expect(other.errors.contains("neither empty nor a disk store"), "\(other.errors)")
        #expect(
          try FileManager.default.contentsOfDirectory(atPath: stage.path("other")) == ["STORE"])
      }
    }
  }
}

/// An origin that answers everything with chunks and a trailer field behind them, and says 304 to a condition.
private final class TrailerOrigin: Server {
  let content: [UInt8]
  let port: Int
  private let listener: Socket

  init(count: Int) throws {
    let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    self.content = content
    listener = try Socket.bound(listens: true)
    port = listener.port
    let listener = listener
    Thread.detachNewThread {
      while let socket = listener.accept() {
        Thread.detachNewThread { try? Self.serve(socket, content) }
      }
    }
  }

  deinit { listener.shutDown() }

  private static func serve(_ socket: Socket, _ content: [UInt8]) throws {
    let connection = HTTPConnection(socket)
    while true {
      _ = try connection.line()
      let isConditional = try connection.fields().contains { $0.name == "if-none-match" }
      let fields = "Cache-Control: max-age=600\r\nETag: \"a\"\r\n"
      if isConditional {
        try socket.write("HTTP/1.1 304 Not Modified\r\n\(fields)\r\n")
        continue
      }
      try socket.write("HTTP/1.1 200 OK\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n")
      try socket.write("\(String(content.count, radix: 16))\r\n")
      try content.withUnsafeBytes(socket.write)
      try socket.write("\r\n0\r\nX-Sum: 42\r\n\r\n")
    }
  }
}
