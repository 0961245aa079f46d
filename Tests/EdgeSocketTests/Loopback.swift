import EdgeSocket
import Glibc
import NIOCore
import Testing

// A reactor of the test's own with a socket that listens, and plain blocking sockets as clients.

/// What a connection under test has seen; only its reactor touches it.
final class Recorder: StreamSocket {
  var bytes: [UInt8] = []
  var events: [String] = []
  /// Bytes after which reading stops; nil to read on.
  var stopsAfter: Int?
  /// Leaves more memory to read into than is asked for.
  var leavesLargeMemory = false
  /// Sends back what comes.
  var echoes = false

  override func received(_ bytes: inout ByteBuffer) {
    self.bytes += bytes.readableBytesView
    if echoes { send(bytes) }
    if leavesLargeMemory { bytes = ByteBufferAllocator().buffer(capacity: 120_000) }
    if let stopsAfter, self.bytes.count >= stopsAfter { setReading(false) }
  }
  override func readCompleted() { flush() }
  override func inputEnded() { events.append("inputEnded") }
  override func becameWritable() { events.append("becameWritable") }
  override func outputEnded() { events.append("outputEnded") }
  override func failed(_ error: (any Error)?) {
    events.append("failed")
    close()
  }
  override func closed() { events.append("closed") }
}

/// The state of a reactor under test.
final class Stage {
  let reactor: Reactor
  var connections: [Recorder] = []
  var problems: [CInt] = []

  init(_ reactor: Reactor) {
    self.reactor = reactor
  }
}

/// A reactor that listens on a port of its own.
struct Loopback: Sendable {
  let stage: Confined<Stage>
  let port: Int

  /// Starts one; `prepare` sets up each connection before its first event.
  static func start(
    _ prepare: @escaping @Sendable (Recorder) -> Void = { _ in }
  ) async throws -> Loopback {
    let address = try #require(
      InternetAddress.resolve(host: "127.0.0.1", port: 0, isPassive: true).first)
    let descriptor = try #require(try Listening.take(address, count: 1).first)
    try Listening.begin(descriptor)
    let port = try #require(Listening.address(of: descriptor)).port
    let stage = try await Reactor.start(name: "test") { reactor in
      let stage = Stage(reactor)
      _ = ListeningSocket(descriptor, reactor: reactor) {
        stage.problems.append($0)
        return .pause
      } accepted: { socket, _ in
        let connection = Recorder(socket, reactor: reactor)
        stage.connections.append(connection)
        prepare(connection)
        connection.start()
        return .goOn
      }
      return stage
    }
    return Loopback(stage: stage, port: port)
  }

  func stop() async {
    await stage.run { $0.reactor.stop() }
  }

  /// A connected socket that blocks.
  func connect() throws -> Peer {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    let address = try #require(InternetAddress.resolve(host: "127.0.0.1", port: port).first)
    let status = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) }
    try #require(status == 0)
    return Peer(descriptor: descriptor)
  }

  /// Waits until something is so of a connection.
  func wait(
    _ index: Int = 0, seconds: Double = 60,
    until isSo: @escaping @Sendable (Recorder) -> Bool
  ) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
      let done = await stage.run { stage in
        index < stage.connections.count && isSo(stage.connections[index])
      }
      if done == true { return }
      try await Task.sleep(for: .milliseconds(2))
    }
    let state = await stage.run { stage in
      stage.connections.map { "\($0.bytes.count) bytes, \($0.events)" }.joined(separator: "; ")
    }
    Issue.record("not so in time: \(state ?? "stopped")")
  }

  /// Does something with a connection on its thread.
  func with<Result: Sendable>(
    _ index: Int = 0, _ body: @escaping @Sendable (Recorder) -> Result
  ) async throws -> Result {
    try #require(await stage.run { body($0.connections[index]) })
  }
}

/// The other end of a connection: a socket that blocks.
struct Peer: Sendable {
  let descriptor: CInt

  func send(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, CInt(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// Reads until so many bytes came, or the end.
  func receive(_ most: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var memory = [UInt8](repeating: 0, count: 65536)
    while bytes.count < most {
      let count = recv(descriptor, &memory, min(memory.count, most - bytes.count), 0)
      guard count > 0 else { break }
      bytes += memory[..<count]
    }
    return bytes
  }

  func endOutput() { shutdown(descriptor, CInt(SHUT_WR)) }
  func close() { Glibc.close(descriptor) }

  /// Closes so that the other side is told of an error.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }
}

/// Bytes that show where they belong.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 31 ^ ($0 >> 8)) }
}
