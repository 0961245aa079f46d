import EdgeCache
import EdgeFleet
import EdgeSocket
import Glibc
import NIOCore
import NIOPosix
import Synchronization

@testable import EdgePoP

// A PoP without threads, listeners or clients that connect: one event loop that turns whenever a test does
// something to it. Between it and its origins are pairs of sockets, for it speaks to them as it always does;
// the origins' ends are read and written in the same turn.

/// A PoP in memory. Unchecked, for all that it has is only touched under its lock.
final class MemoryPoP: @unchecked Sendable {
  private let lock = Mutex<Void>(())
  private let loop: LoopContext
  private let shared: PoPShared
  private let network: MemoryNetwork?
  private let options: PoPOptions
  private var admin: (listener: AdminListener, group: MultiThreadedEventLoopGroup)?

  /// A PoP that gets connections to upstreams from `connector`, or from origins in memory.
  init(_ options: PoPOptions, connector: (any UpstreamConnector)? = nil) throws {
    let storage = try PoPStorage(options)
    let routing = Routing(options.configuration, pop: options.pop, limits: options.limits)
    let purges = PurgePlane(
      options, storage: storage, routing: routing, tls: nil, group: Wire.group)
    let reactor = try Reactor.manual()
    let network = connector == nil ? MemoryNetwork(routing) : nil
    let shared = PoPShared(
      options, storage: storage, purges: purges, routing: routing, accessLog: nil,
      connector: connector ?? network ?? MemoryNetwork(routing), loopCount: 1)
    self.options = options
    self.network = network
    self.shared = shared
    loop = reactor.turn { LoopContext(reactor: reactor, shared: shared) }
    network?.pop = self
  }

  /// Does something to the loop, and then all that follows from it.
  @discardableResult
  func turn<Value>(_ body: (LoopContext) -> Value) -> Value {
    var value: Value?
    lock.withLock { _ in
      value = loop.reactor.turn { body(loop) }
      while network?.moveBytes() == true { loop.reactor.turn {} }
    }
    guard let value else { preconditionFailure("a turn that was not taken") }
    return value
  }

  /// A client.
  func connect() -> Wire {
    let link = MemoryLink(to: self)
    let wire = Wire(link)
    turn { loop in
      link.stream = MemoryStream(
        on: loop,
        deliver: { bytes in
          var bytes = bytes
          wire.came(&bytes)
        }, end: { wire.ended(.broken) })
    }
    return wire
  }

  /// All counters.
  func statistics() -> Statistics {
    let counters = turn { $0.counted }
    return Statistics(
      pop: options.pop.id, uptimeSeconds: 0, purgeSequence: shared.store.purges.head,
      counters: counters, store: shared.store.statistics, droppedLogLines: .init(),
      purges: shared.purges.statistics(shared.gate),
      upstreams: UpstreamStatistics.all(counters, shared))
  }

  /// The admin API, which is served over sockets as ever; begun when it is first asked.
  func adminAddress() async throws -> SocketEndpoint {
    if let admin = lock.withLock({ _ in admin }) { return admin.listener.address }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let life = Life()
    life.beginServing()
    let service = AdminService(
      options, shared, started: shared.clock.now, life: life,
      counters: { [self] in turn { $0.counted } })
    let listener = AdminListener(
      try Listeners.take(SocketEndpoint(host: "127.0.0.1", port: 0), count: 1, flag: "--admin"),
      group: group, tls: nil, service: service)
    try await listener.start()
    lock.withLock { _ in admin = (listener, group) }
    return listener.address
  }

  /// Ends the PoP and its connections.
  func stop() async {
    lock.withLock { _ in
      loop.reactor.end()
      network?.close()
    }
    let admin = lock.withLock { _ in self.admin }
    await admin?.listener.stop()
    try? await admin?.group.shutdownGracefully()
  }
}

/// The client's end of what is no connection.
private final class MemoryLink: WireTransport, @unchecked Sendable {
  private let pop: MemoryPoP
  /// Touched in turns of the PoP alone.
  var stream: MemoryStream?

  init(to pop: MemoryPoP) { self.pop = pop }

  func send(_ bytes: ByteBuffer) { pop.turn { _ in stream?.receive(bytes) } }
  func sendAll(_ bytes: ByteBuffer) async -> Bool {
    send(bytes)
    return true
  }
  func finish() async { pop.turn { _ in stream?.endInput() } }
  func close() async { pop.turn { _ in stream?.close() } }
  func reset() async { await close() }
  func pause() async throws { pop.turn { _ in stream?.isWritable = false } }
  func resume() async throws {
    pop.turn { _ in
      stream?.isWritable = true
      stream?.becameWritable()
    }
  }
}

/// Origins by their address, and the connections to them. Touched in turns of its PoP alone.
private final class MemoryNetwork: UpstreamConnector, @unchecked Sendable {
  private let upstreams: [Upstream]
  private var ends: [OriginEnd] = []
  weak var pop: MemoryPoP?

  init(_ routing: Routing) { upstreams = routing.upstreams }

  func connect(
    _ index: Int, within limit: TimeAmount, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    guard let pop, let origin = Origin.listening(at: upstreams[index].url) else {
      return completion(.failure(.refused(IOError(errnoCode: ECONNREFUSED, reason: "connect"))))
    }
    var pair: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    precondition(socketpair(AF_UNIX, kind, 0, &pair) == 0, "no pair of sockets: \(errno)")
    let end = OriginEnd(pair[1], of: pop)
    end.wire = Wire(end)
    ends.append(end)
    completion(
      .success(UpstreamConnection(pair[0], loop: loop, upstream: index, filter: nil)))
    if let wire = end.wire { origin.accept(wire) }
  }

  /// Moves bytes between the ends of origins and their wires; true if there were any.
  func moveBytes() -> Bool {
    var moved = false
    for end in ends where end.move() { moved = true }
    ends.removeAll { $0.isOver }
    return moved
  }

  func close() {
    for end in ends { end.over(.finished) }
  }
}

/// The origin's end of a pair of sockets. Touched in turns of its PoP alone.
private final class OriginEnd: WireTransport, @unchecked Sendable {
  private let pop: MemoryPoP
  private var descriptor: CInt
  private var waiting = ByteBuffer()
  private var closesWhenSent = false
  var wire: Wire?

  init(_ descriptor: CInt, of pop: MemoryPoP) {
    self.descriptor = descriptor
    self.pop = pop
  }

  var isOver: Bool { descriptor < 0 }

  /// Sends what waits and takes what came; true if that was anything.
  func move() -> Bool {
    guard descriptor >= 0 else { return false }
    var moved = false
    while waiting.readableBytes > 0 {
      let count = waiting.withUnsafeReadableBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      guard count > 0 else { break }
      waiting.moveReaderIndex(forwardBy: count)
      moved = true
    }
    if waiting.readableBytes == 0 {
      waiting.clear()
      if closesWhenSent {
        over(.finished)
        return true
      }
    }
    while descriptor >= 0 {
      var bytes = ByteBuffer()
      var hasEnded = false
      let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 << 10) {
        let count = recv(descriptor, $0.baseAddress, $0.count, 0)
        // An end is no error, and leaves the last one in errno.
        hasEnded = count == 0 || count < 0 && errno != EAGAIN
        return max(0, count)
      }
      guard count > 0 else {
        if hasEnded {
          over(.finished)
          moved = true
        }
        break
      }
      wire?.came(&bytes)
      moved = true
    }
    return moved
  }

  func over(_ end: WireEnd) {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
    wire?.ended(end)
    wire = nil
  }

  func send(_ bytes: ByteBuffer) { pop.turn { _ in waiting.writeImmutableBuffer(bytes) } }
  func sendAll(_ bytes: ByteBuffer) async -> Bool {
    send(bytes)
    return true
  }
  func finish() async {
    pop.turn { _ in if descriptor >= 0 { shutdown(descriptor, CInt(SHUT_WR)) } }
  }
  func close() async { pop.turn { _ in closesWhenSent = true } }
  /// What the other end of a pair sees is an end, and not a reset.
  func reset() async { pop.turn { _ in over(.broken) } }
  func pause() async throws {}
  func resume() async throws {}
}
