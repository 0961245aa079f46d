import EdgeSocket
import Glibc
import NIOCore
import Testing

@Suite("Stream sockets")
struct StreamSocketTests {
  @Test(
    "take everything, however much comes at once",
    arguments: [1, 65_535, 65_536, 65_537, 4 * 65_536, 4 * 65_536 + 1, 9_000_000])
  func takesEverything(_ count: Int) async throws {
    let loopback = try await Loopback.start()
    let peer = try loopback.connect()
    let sent = pattern(count)
    Thread.detached { peer.send(sent) }
    try await loopback.wait { $0.bytes.count == count }
    let isSame = try await loopback.with { $0.bytes } == sent
    #expect(isSame)
    peer.close()
    try await loopback.wait { $0.events == ["inputEnded"] }
    await loopback.stop()
  }

  @Test("take everything, whatever memory there is to read into")
  func takesEverythingIntoLargeMemory() async throws {
    let loopback = try await Loopback.start { $0.leavesLargeMemory = true }
    let peer = try loopback.connect()
    let sent = pattern(5_000_000)
    Thread.detached { peer.send(sent) }
    try await loopback.wait { $0.bytes.count == sent.count }
    let isSame = try await loopback.with { $0.bytes } == sent
    #expect(isSame)
    peer.close()
    await loopback.stop()
  }

  @Test("that stop reading lose nothing, and go on where they stopped")
  func stopsAndGoesOn() async throws {
    let loopback = try await Loopback.start { $0.stopsAfter = 100_000 }
    let peer = try loopback.connect()
    let sent = pattern(3_000_000)
    Thread.detached {
      peer.send(sent)
      peer.endOutput()
    }
    try await loopback.wait { $0.bytes.count >= 100_000 }
    let before = try await loopback.with { $0.bytes.count }
    // What comes on another connection passes by, time and again, what waits on this one.
    let other = try loopback.connect()
    for count in 1...10 {
      other.send([0])
      try await loopback.wait(1) { $0.bytes.count == count }
    }
    other.close()
    #expect(try await loopback.with { $0.bytes.count } == before)
    try await loopback.with {
      $0.stopsAfter = nil
      $0.setReading(true)
    }
    try await loopback.wait { $0.events == ["inputEnded"] }
    let isSame = try await loopback.with { $0.bytes } == sent
    #expect(isSame)
    peer.close()
    await loopback.stop()
  }

  @Test("hear the end that came together with the last bytes")
  func endWithBytes() async throws {
    let loopback = try await Loopback.start()
    for index in 0..<200 {
      let peer = try loopback.connect()
      peer.send([1, 2, 3])
      peer.endOutput()
      try await loopback.wait(index) { $0.bytes == [1, 2, 3] && $0.events == ["inputEnded"] }
      peer.close()
    }
    await loopback.stop()
  }

  @Test("hear of a connection that broke while they were not reading")
  func brokenWhilePaused() async throws {
    let loopback = try await Loopback.start { $0.stopsAfter = 1 }
    let peer = try loopback.connect()
    peer.send([1])
    try await loopback.wait { $0.bytes.count == 1 }
    peer.reset()
    try await loopback.wait { $0.events == ["failed", "closed"] }
    await loopback.stop()
  }

  @Test("keep what the peer does not take, say when there is room, and end in order")
  func backlog() async throws {
    let loopback = try await Loopback.start()
    let peer = try loopback.connect()
    peer.send([0])
    try await loopback.wait { $0.bytes.count == 1 }
    let large = pattern(20_000_000, seed: 7)
    try await loopback.with { connection in
      connection.compose { _ = $0.writeString("head ") }
      connection.send(ByteBuffer(bytes: large))
      connection.compose { _ = $0.writeString(" tail") }
      connection.endOutput()
      #expect(connection.unsent > 0)
      #expect(!connection.isWritable)
    }
    let received = peer.receive(.max)
    let isSame = received == Array("head ".utf8) + large + Array(" tail".utf8)
    #expect(isSame)
    try await loopback.wait { $0.events == ["becameWritable", "outputEnded"] }
    #expect(try await loopback.with { $0.isWritable && $0.unsent == 0 })
    peer.close()
    await loopback.stop()
  }

  @Test("never send what another one wrote")
  func noMixing() async throws {
    let loopback = try await Loopback.start()
    let peers = try (0..<4).map { index in
      let peer = try loopback.connect()
      peer.send([UInt8(index)])
      return peer
    }
    for index in 0..<4 { try await loopback.wait(index) { $0.bytes.count == 1 } }
    let rounds = 500
    await loopback.stage.run { stage in
      for round in 0..<rounds {
        // All write into the same memory, in turn and without sending by themselves.
        for connection in stage.connections {
          let mark = connection.bytes[0]
          if round % 3 == 0 {
            connection.compose { _ = $0.writeRepeatingByte(mark, count: 100 + round) }
          } else {
            connection.send(ByteBuffer(repeating: mark, count: round % 7 * 1000 + 1))
          }
        }
      }
      for connection in stage.connections { connection.endOutput() }
    }
    for (index, peer) in peers.enumerated() {
      let received = peer.receive(.max)
      let mark = try await loopback.with(index) { $0.bytes[0] }
      #expect(received.count > 100_000)
      #expect(received.allSatisfy { $0 == mark })
      peer.close()
    }
    await loopback.stop()
  }

  @Test("that are closed take no bytes, and their places are taken by others unharmed")
  func closedTakesNothing() async throws {
    let loopback = try await Loopback.start { $0.echoes = true }
    let first = try loopback.connect()
    first.send([1])
    #expect(first.receive(1) == [1])
    try await loopback.with { connection in
      connection.compose { _ = $0.writeString("never sent") }
      connection.close()
      connection.send(ByteBuffer(string: "nor this"))
      connection.flush()
    }
    #expect(first.receive(1) == [])
    let second = try loopback.connect()
    second.send([2])
    #expect(second.receive(1) == [2])
    try await loopback.with { connection in
      connection.compose { _ = $0.writeString("lost") }
      connection.flush()
      #expect(connection.events == ["closed"])
    }
    second.send([3])
    #expect(second.receive(1) == [3])
    second.close()
    first.close()
    await loopback.stop()
  }

  @Test("are closed when their reactor stops, which then takes no tasks")
  func stops() async throws {
    let loopback = try await Loopback.start()
    let peer = try loopback.connect()
    peer.send([1])
    try await loopback.wait { $0.bytes.count == 1 }
    await loopback.stop()
    #expect(peer.receive(1) == [])
    let deadline = ContinuousClock.now + .seconds(60)
    while loopback.stage.mailbox.execute({}), ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(await loopback.stage.run { _ in true } == nil)
    peer.close()
  }
}

/// Work that blocks, on a thread of its own: the threads of tasks are few, and others need them.
enum Thread {
  static func detached(_ body: @escaping @Sendable () -> Void) {
    let work = Unmanaged.passRetained(Work(body)).toOpaque()
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { work in
        guard let work else { return nil }
        Unmanaged<Work>.fromOpaque(work).takeRetainedValue().body()
        return nil
      }, work)
    precondition(status == 0, "no thread")
    pthread_detach(thread)
  }

  private final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
      self.body = body
    }
  }
}
