import EdgeCache
import EdgeFleet
import Foundation
import Glibc
import NIOCore
import Testing

@testable import EdgePoP

// Files that are written anew while something of them is on its way to a client: a socket has their pages, and no copy.

@Suite("Files of a disk store")
struct FileVolumeTests {
  private static func withDirectory(
    below parent: String = FileManager.default.temporaryDirectory.path(),
    _ body: (String) async throws -> Void
  ) async throws {
    let directory = "\(parent)/edgecache-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await body(directory)
  }

  /// What a socket gives that was sent to before.
  private static func received(_ count: Int, from socket: CInt) -> [UInt8] {
    var all: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while all.count < count {
      let moved = recv(socket, &bytes, min(bytes.count, count - all.count), 0)
      if moved <= 0 { break }
      all += bytes[..<moved]
    }
    return all
  }

  /// The room of a file, as `du` has it.
  private static func room(_ path: String) throws -> Int {
    var status = stat()
    try #require(stat(path, &status) == 0)
    return Int(status.st_blocks) * 512
  }

  @Test(
    "What was sent from a file that is renewed arrives as it was, on file systems of any kind",
    arguments: [FileManager.default.temporaryDirectory.path(), "/dev/shm"])
  func renewed(_ parent: String) async throws {
    guard access(parent, W_OK) == 0 else { return }
    for (isSynced, isMapped) in [(false, false), (true, false), (false, true), (true, true)] {
      try await Self.withDirectory(below: parent) { directory in
        let volume = try FileVolume(directory)
        let (size, file) = (4 << 20, DiskFile.segment(0))
        // There is none yet.
        try volume.renew(file, size: size)
        #expect(try volume.size(file) == size)
        try volume.write(file, at: 0, ByteBuffer(repeating: 0x41, count: size))
        if isSynced { try volume.sync(file) }
        let region = try #require(
          volume.region(file, at: 8192, count: size - 8192) as? EdgePoP.FileRegion)
        if isMapped { #expect(region.isResident(0..<region.count)) }

        var sockets: [CInt] = [-1, -1]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &sockets) == 0)
        defer { for socket in sockets { close(socket) } }
        var sent = 0
        while true {
          let moved = region.send(sent..<region.count, to: sockets[0])
          if moved <= 0 { break }
          sent += moved
        }
        try #require(sent > 10_000)

        try volume.renew(file, size: size)
        let zeros = try volume.read(file, at: 0, count: size, waits: true)
        let areZeros = zeros == ByteBuffer(repeating: 0, count: size)
        let room = try Self.room("\(directory)/\(file)")
        #expect(areZeros && room >= size)
        try volume.write(file, at: 0, ByteBuffer(repeating: 0x42, count: size))
        let isAsItWas =
          Self.received(sent, from: sockets[1]) == [UInt8](repeating: 0x41, count: sent)
        #expect(isAsItWas, "\(parent), synced \(isSynced), mapped \(isMapped)")
        // Another size is another file.
        try volume.renew(file, size: 2 * size)
        #expect(try volume.size(file) == 2 * size)
      }
    }
  }

  @Test("A client that reads late gets what it asked for, whatever was stored meanwhile")
  func slowClient() async throws {
    try await Self.withDirectory { directory in
      let size = 300_000
      // Each URL has content of its own.
      @Sendable func content(_ target: String) -> String {
        let name = target.padding(toLength: 16, withPad: " ", startingAt: 0)
        return String(repeating: name, count: size / 16)
      }
      let origin = try await Origin.start {
        $0.answer(content("\($0.request.target)"), "Cache-Control: max-age=600")
      }
      let any = SocketEndpoint(host: "127.0.0.1", port: 0)
      var changed = FleetConfiguration.single(
        upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(64), threads: 1)
      changed.pops[0].disks = [.init(path: directory, size: .mebibytes(16), admission: .all)]
      let configuration = changed
      func served(_ body: (TestPoP) async throws -> Void) async throws {
        let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
        try await body(pop)
        try await pop.stop()
      }
      try await served { pop in
        _ = try await pop.get("/victim")
        try await eventually("written") {
          (try await pop.statistics().disk?.written ?? 0) >= 1
        }
      }
      // Over sockets of the kernel, and from disk alone.
      try await served { pop in
        let late = try await pop.connect()
        try await late.pause()
        late.send(TestPoP.request("/victim"))
        try await eventually("sent from its file") {
          (try await pop.statistics().disk?.hits ?? 0) >= 1
        }
        for number in 0..<120 { _ = try await pop.get("/other/\(number)") }
        try await eventually("written anew") {
          (try await pop.statistics().disk?.recycledSegments ?? 0) > 8
        }
        try await late.resume()
        let head = try await late.readHead()
        let bytes = try await late.take(size)
        let isRight = String(buffer: bytes) == content("/victim")
        #expect(head.status == 200 && isRight)
        await late.close()
      }
      await origin.stop()
    }
  }
}
