import Glibc
import NIOCore
import Synchronization
import Testing

@testable import EdgeSocket

@Suite("Connecting")
struct ConnectRaceTests {
  private func address(_ host: String, _ port: Int) throws -> InternetAddress {
    try #require(InternetAddress.resolve(host: host, port: port, numericOnly: true).first)
  }

  /// How a race ended: the address that was connected to, or the problem.
  private func run(
    _ addresses: [InternetAddress], on loopback: Loopback, seconds: Double = 60
  ) async -> String {
    await withCheckedContinuation { continuation in
      loopback.stage.mailbox.execute {
        ConnectRace.run(
          addresses, reactor: loopback.stage.value.reactor, timeout: Int64(seconds * 1e9)
        ) { result in
          switch result {
          case .success(let descriptor):
            let peer = InternetAddress { getpeername(descriptor, $0, $1) == 0 }
            close(descriptor)
            continuation.resume(returning: peer.map { "\($0.host):\($0.port)" } ?? "gone")
          case .failure(let problem): continuation.resume(returning: "\(problem)")
          }
        }
      }
    }
  }

  @Test("alternates families, beginning with the preferred one")
  func alternating() throws {
    let four = try ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map { try address($0, 1) }
    let six = try ["2001:db8::1", "2001:db8::2"].map { try address($0, 1) }
    let order = ConnectRace.alternating(six + four).map(\.host)
    #expect(order == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"])
    #expect(ConnectRace.alternating([]).isEmpty)
  }

  @Test("takes the next address at once where one refuses")
  func refused() async throws {
    let loopback = try await Loopback.start()
    // Bound and not listened on: refuses.
    let closed = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    #expect(try address("127.0.0.1", 0).withSocketAddress { bind(closed, $0, $1) } == 0)
    let port = try #require(Listening.address(of: closed)).port
    let refusing = try address("127.0.0.1", port)
    let sound = try address("127.0.0.1", loopback.port)
    #expect(await run([refusing, sound], on: loopback) == "127.0.0.1:\(loopback.port)")
    #expect(await run([refusing, refusing], on: loopback) == "Connection refused")
    #expect(await run([], on: loopback) == "the host has no address")
    close(closed)
    await loopback.stop()
  }

  @Test("tries the next address beside one that does not answer, and gives up in time")
  func silent() async throws {
    let loopback = try await Loopback.start()
    // A full backlog: the kernel drops what comes after.
    let full = try #require(try Listening.take(try address("127.0.0.1", 0), count: 1).first)
    #expect(listen(full, 0) == 0)
    let silent = try #require(Listening.address(of: full))
    var fillers: [CInt] = []
    for _ in 0..<8 {
      let filler = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      _ = silent.withSocketAddress { connect(filler, $0, $1) }
      fillers.append(filler)
    }
    let sound = try address("127.0.0.1", loopback.port)
    #expect(await run([silent, sound], on: loopback) == "127.0.0.1:\(loopback.port)")
    #expect(await run([silent], on: loopback, seconds: 0.3) == "no connection in time")
    for filler in fillers { close(filler) }
    close(full)
    await loopback.stop()
  }
}

@Suite("Internet addresses")
struct InternetAddressTests {
  @Test(
    "are told as text",
    arguments: [
      ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("2001:DB8:0:0::1", "2001:db8::1"),
      ("::ffff:192.0.2.7", "192.0.2.7"), ("0.0.0.0", "0.0.0.0"), ("::", "::"),
    ])
  func text(_ host: String, _ expected: String) throws {
    let address = try #require(
      InternetAddress.resolve(host: host, port: 8080, numericOnly: true).first)
    #expect(address.host == expected)
    #expect(address.port == 8080)
  }

  @Test("that are names are not numeric")
  func names() {
    #expect(InternetAddress.resolve(host: "localhost", port: 1, numericOnly: true).isEmpty)
    // Too long a label: no name server has to be asked about it.
    let noName = String(repeating: "x", count: 64) + ".invalid"
    #expect(InternetAddress.resolve(host: noName, port: 1).isEmpty)
  }

  @Test("are made of their bytes, and are the same if their bytes and ports are")
  func bytes() throws {
    let four = try #require(InternetAddress(bytes: [192, 0, 2, 7], port: 443))
    #expect("\(four)" == "192.0.2.7:443")
    #expect(four.bytes == [192, 0, 2, 7])
    #expect(four.with(port: 80).port == 80)
    #expect(four.with(port: 80) != four)
    #expect(
      InternetAddress.resolve(host: "192.0.2.7", port: 443, numericOnly: true).first == four)
    let bytes: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + Array(repeating: 0, count: 11) + [1]
    let six = try #require(InternetAddress(bytes: bytes, port: 65535))
    #expect("\(six)" == "[2001:db8::1]:65535")
    #expect(six.bytes == bytes)
    #expect(InternetAddress(bytes: [1, 2, 3]) == nil)
  }

  @Test("tell from where they would be connected to")
  func source() throws {
    let here = try #require(InternetAddress(bytes: [127, 0, 0, 1]))
    #expect(here.source?.host == "127.0.0.1")
    let nowhere = try #require(InternetAddress(bytes: [255, 255, 255, 255], port: 1))
    #expect(nowhere.source == nil)
  }
}
