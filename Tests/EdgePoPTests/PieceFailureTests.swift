import EdgeFleet
import FoundationEssentials
import Glibc
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

// Large content whose pieces cannot be had.

@Suite("Pieces that cannot be had", .serialized)
struct PieceFailureTests {
  @Test(
    "What stands in for an error, and cannot be had, is passed on while the error still arrives")
  func standInWithoutPieces() async throws {
    let directory = FileManager.default.temporaryDirectory.path + "/edgecache-pieces-\(getpid())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let passed = Mutex(0)
    let isOver = Gate()
    let origin = try await Origin.start { exchange in
      let request = exchange.request
      if request["Range"] != nil {
        exchange.answer("broken", status: "500 Internal Server Error")
      } else if request["If-None-Match"] != nil {
        exchange.send("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\n0123456789")
        await isOver.wait()
      } else {
        let number = passed.withLock { passed in
          passed += 1
          return passed
        }
        if number > 1 { return exchange.answer("passed \(number)") }
        // Stale as it arrives, and larger than what memory keeps.
        exchange.send(
          "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\n"
            + "Cache-Control: max-age=0, stale-if-error=600\r\nContent-Length: \(12 << 20)\r\n\r\n")
      }
    }
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: origin.url, listen: [any], admin: any, memory: .mebibytes(16), threads: 1)
    configuration.pops[0].disks = [
      .init(path: directory, size: .mebibytes(1 << 10), admission: .all)
    ]
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    // The head is stored, no piece can be, and the request is passed on.
    #expect(try await pop.get("/big").text == "passed 2")
    // What is stored is validated, which fails; it stands in, has no pieces, and the request is passed on
    // although the error has not come to its end.
    let response = try await pop.get("/big")
    #expect(response.text == "passed 3")
    #expect(origin.requests.contains { $0["If-None-Match"] == "\"a\"" })
    isOver.open()
    await origin.stop()
    try await pop.stop()
  }
}
