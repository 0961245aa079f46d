import EdgeFleet
import Glibc
import NIOCore
import NIOPosix
import Synchronization

// An origin whose every byte is the test's. It keeps what it received, and for each request runs
// the test's script, which may answer, stall, trickle, close or reset.

/// A scripted origin on a port of its own.
final class Origin: Sendable {
  /// One request as the origin received it.
  struct Received: Sendable {
    /// The request; content is there if the script read it.
    var message: Message
    /// Number of the connection, from 1.
    var connection: Int
  }

  /// One request that a script is to answer.
  struct Exchange: Sendable {
    var request: Message
    let wire: Wire
    /// Number of the connection, from 1.
    let connection: Int
    /// Number of the request of this origin, from 1.
    let number: Int

    /// Reads the request's content.
    mutating func readContent() async throws {
      try await wire.readContent(&request, isResponse: false)
    }

    /// Sends exact bytes.
    func send(_ text: String) { wire.send(text) }

    /// Answers 200 with text and these field lines.
    func answer(_ text: String, _ fields: String..., status: String = "200 OK") {
      let lines = fields.map { $0 + "\r\n" }.joined()
      send("HTTP/1.1 \(status)\r\n\(lines)Content-Length: \(text.utf8.count)\r\n\r\n\(text)")
    }
  }

  typealias Script = @Sendable (inout Exchange) async throws -> Void

  let url: UpstreamURL
  private let listener: (any Channel)?
  private let seen: Seen
  private let script: Script

  private init(listener: (any Channel)?, port: Int, seen: Seen, script: @escaping Script) {
    self.listener = listener
    self.seen = seen
    self.script = script
    url = UpstreamURL(scheme: .http, host: "127.0.0.1", port: port)
  }

  /// Origins in memory, by their ports, which are nobody's.
  private static let inMemory = Mutex<(last: Int, origins: [Int: Origin])>((0, [:]))

  /// The origin in memory that listens there.
  static func listening(at url: UpstreamURL) -> Origin? {
    inMemory.withLock { $0.origins[url.port] }
  }

  /// Serves a connection in memory.
  func accept(_ wire: Wire) {
    let number = seen.add(wire)
    Task { await Self.serve(wire, number, seen, script) }
  }

  private static func inMemory(_ script: @escaping Script) -> Origin {
    inMemory.withLock { all in
      all.last += 1
      let origin = Origin(listener: nil, port: all.last, seen: Seen(), script: script)
      all.origins[all.last] = origin
      return origin
    }
  }

  /// Starts an origin that runs `script` for each request, one after another on a connection. The
  /// connection is closed when the script throws.
  static func start(_ script: @escaping Script) async throws -> Origin {
    if Carrier.current == .memory { return inMemory(script) }
    let seen = Seen()
    let listener = try await ServerBootstrap(group: Wire.group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let wire = try Wire.adopt(channel)
          let number = seen.add(wire)
          Task { await serve(wire, number, seen, script) }
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return Origin(
      listener: listener, port: listener.localAddress?.port ?? 0, seen: seen, script: script)
  }

  private static func serve(
    _ wire: Wire, _ connection: Int, _ seen: Seen, _ script: Script
  ) async {
    do {
      while true {
        let request = try await wire.readHead()
        let number = seen.add(Received(message: request, connection: connection))
        var exchange = Exchange(
          request: request, wire: wire, connection: connection, number: number)
        try await script(&exchange)
        seen.replace(number, Received(message: exchange.request, connection: connection))
      }
    } catch {
      await wire.close()
    }
  }

  /// All requests so far, in the order in which they came.
  var received: [Received] { seen.received }

  /// The messages of all requests so far.
  var requests: [Message] { received.map(\.message) }

  /// The connections so far.
  var wires: [Wire] { seen.wires }

  /// All bytes of all connections so far.
  var bytesReceived: Int { wires.reduce(0) { $0 + $1.total } }

  /// Waits for a number of requests.
  func waitForRequests(_ count: Int) async throws {
    try await eventually("\(count) requests at the origin") { received.count >= count }
  }

  /// Stops listening and closes every connection.
  func stop() async {
    try? await listener?.close().get()
    Self.inMemory.withLock { $0.origins[listener == nil ? url.port : 0] = nil }
    for wire in wires { await wire.close() }
  }
}

/// What an origin has seen, shared with its connections.
private final class Seen: Sendable {
  private struct State: Sendable {
    var received: [Origin.Received] = []
    var wires: [Wire] = []
  }

  private let state = Mutex(State())

  var received: [Origin.Received] { state.withLock { $0.received } }
  var wires: [Wire] { state.withLock { $0.wires } }

  func add(_ received: Origin.Received) -> Int {
    state.withLock { state in
      state.received.append(received)
      return state.received.count
    }
  }

  func replace(_ number: Int, _ received: Origin.Received) {
    state.withLock { $0.received[number - 1] = received }
  }

  func add(_ wire: Wire) -> Int {
    state.withLock { state in
      state.wires.append(wire)
      return state.wires.count
    }
  }
}

/// An address at which connections are refused, and which nobody else gets meanwhile: a socket that
/// is bound and does not listen.
final class ClosedPort: Sendable {
  let url: UpstreamURL
  private let descriptor: CInt

  /// With `port` that one, which must be free.
  init(_ port: Int = 0) throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    address.sin_port = in_port_t(port).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var reuse: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
      }
    }
    guard status == 0 else { throw WireProblem(description: "cannot bind: \(errno)") }
    url = UpstreamURL(
      scheme: .http, host: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)))
  }

  deinit {
    Glibc.close(descriptor)
  }
}

/// Lets scripts wait until the test says so.
final class Gate: Sendable {
  private struct State: Sendable {
    var isOpen = false
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// True once it was opened.
  var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Waits until the gate is open. A test that ends opens it.
  func wait() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  /// Opens the gate, for good.
  func open() {
    let waiters = state.withLock { state in
      state.isOpen = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
