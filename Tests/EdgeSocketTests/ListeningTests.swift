import Glibc
import NIOCore
import Testing

@testable import EdgeSocket

// Taking an address without letting anybody in, noticing who else has it, and ending without a connection lost.

@Suite("Listening")
struct ListeningTests {
  private func address(_ port: Int) throws -> InternetAddress {
    try #require(InternetAddress.resolve(host: "127.0.0.1", port: port, isPassive: true).first)
  }

  /// A socket that somebody else listens on.
  private func foreign(isShared: Bool) throws -> (descriptor: CInt, port: Int) {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var on: CInt = 1
    let size = socklen_t(MemoryLayout<CInt>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
    if isShared { setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, size) }
    let bound = try address(0).withSocketAddress { bind(descriptor, $0, $1) }
    #expect(bound == 0 && listen(descriptor, 8) == 0)
    return (descriptor, try #require(Listening.address(of: descriptor)).port)
  }

  @Test(
    "Who else listens is noticed, also if only because he shares the address",
    arguments: [false, true])
  func noticed(isShared: Bool) throws {
    let other = try foreign(isShared: isShared)
    defer { close(other.descriptor) }
    let wanted = try address(other.port)
    do throws(IOError) {
      _ = try Listening.take(wanted, count: 2)
      Issue.record("the address was had")
    } catch {
      #expect(error.errnoCode == EADDRINUSE)
    }
  }

  @Test("An address that is taken lets nobody in before it begins")
  func begins() throws {
    let sockets = try Listening.take(try address(0), count: 3)
    defer { for descriptor in sockets { close(descriptor) } }
    let port = try #require(Listening.address(of: sockets[0])).port
    for descriptor in sockets { #expect(Listening.address(of: descriptor)?.port == port) }
    func connects() throws -> Bool {
      let client = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
      defer { close(client) }
      return try address(port).withSocketAddress { connect(client, $0, $1) } == 0
    }
    #expect(try !connects())
    for descriptor in sockets { try Listening.begin(descriptor) }
    #expect(try connects())
    // One more that joins has its part.
    let fourth = try Listening.join(try address(port))
    try Listening.begin(fourth)
    close(fourth)
  }

  @Test("A socket that retires accepts all who have connected")
  func retires() async throws {
    let loopback = try await Loopback.start()
    var peers: [Peer] = []
    for _ in 0..<20 { peers.append(try loopback.connect()) }
    await loopback.stage.run { stage in
      stage.reactor.forEachSocket { ($0 as? ListeningSocket)?.retire() }
    }
    var accepted = 0
    while accepted < 20 {
      accepted = await loopback.stage.run { $0.connections.count } ?? 20
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(accepted == 20)
    var isOpen = true
    while isOpen {
      isOpen =
        await loopback.stage.run { stage in
          var isOpen = false
          stage.reactor.forEachSocket { if $0 is ListeningSocket { isOpen = true } }
          return isOpen
        } ?? false
      try await Task.sleep(for: .milliseconds(5))
    }
    let late = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    #expect(try address(loopback.port).withSocketAddress { connect(late, $0, $1) } != 0)
    close(late)
    await loopback.stop()
  }

  @Test("Descriptors go from one process to another, many at a time")
  func descriptors() async throws {
    let name = "edgecache-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    let desk = try #require(LocalSocket.listen(name))
    #expect(LocalSocket.listen(name) == nil)
    let asker = try #require(LocalSocket.connect(name))
    let other = try #require(desk.accept())
    #expect(other.isTrusted)
    #expect(other.peer?.process == getpid())
    let sent = (0..<150).map { _ in dup(desk.descriptor) }
    #expect(asker.write(line: "hello"))
    #expect(other.readLine(within: 60_000) == .line("hello"))
    // All of a line comes within the time, and it is no longer than it may be.
    #expect(other.readLine(within: 1) == .late)
    #expect(asker.write(line: "12345678"))
    #expect(other.readLine(within: 60_000, atMost: 8) == .line("12345678"))
    #expect(asker.write(line: "123456789"))
    #expect(other.readLine(within: 60_000, atMost: 8) == .ended)
    #expect(other.readLine(within: 60_000) == .line(""))
    #expect(other.send(descriptors: sent))
    #expect(other.write(line: "bye"))
    let received = try #require(asker.receiveDescriptors(150))
    #expect(received.count == 150)
    #expect(received.allSatisfy { fcntl($0, F_GETFD) == FD_CLOEXEC })
    #expect(asker.readLine(within: 60_000) == .line("bye"))
    other.end()
    #expect(asker.readLine(within: 60_000) == .ended)
    #expect(asker.receiveDescriptors(1) == nil)
    for descriptor in sent + received { close(descriptor) }
    desk.end()
    #expect(LocalSocket.connect(name) == nil)
    let again = try #require(LocalSocket.listen(name))
    again.close()
  }
}
