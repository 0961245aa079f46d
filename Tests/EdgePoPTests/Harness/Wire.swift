import EdgeFleet
import Glibc
import NIOCore
import NIOPosix
import Synchronization

// One end of a TCP connection as a test holds it: exact bytes out, exact bytes in, and every way in
// which a peer can misbehave. It knows nothing of HTTP, and nothing of the code under test.

/// What a test waited for did not come.
struct WireProblem: Error, CustomStringConvertible {
  let description: String
}

/// How the peer's bytes ended.
enum WireEnd: Sendable, Hashable {
  /// An orderly end.
  case finished
  /// A reset, or another error.
  case broken
}

/// What carries the bytes of a wire.
protocol WireTransport: Sendable {
  func send(_ bytes: ByteBuffer)
  func sendAll(_ bytes: ByteBuffer) async -> Bool
  func finish() async
  func close() async
  func reset() async
  func pause() async throws
  func resume() async throws
}

/// A TCP connection.
private struct ChannelTransport: WireTransport {
  let channel: any Channel

  func send(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }
  func sendAll(_ bytes: ByteBuffer) async -> Bool {
    (try? await channel.writeAndFlush(bytes).get()) != nil
  }
  func finish() async { try? await channel.close(mode: .output).get() }
  func close() async { try? await channel.close().get() }
  func reset() async {
    let options = channel as? any SocketOptionProvider
    try? await options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    await close()
  }
  func pause() async throws { try await channel.setOption(.autoRead, value: false).get() }
  func resume() async throws { try await channel.setOption(.autoRead, value: true).get() }
}

/// A connection in a test. All waiting has a deadline.
final class Wire: Sendable {
  private struct State: Sendable {
    var received = ByteBuffer()
    var total = 0
    var end: WireEnd?
    var waiter: CheckedContinuation<Void, Never>?
    var waiterNumber = 0
  }

  /// One thread moves the bytes of all tests.
  static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// Longest wait for anything.
  static let patience: Duration = .seconds(20)

  private let transport: any WireTransport
  private let state = Mutex(State())

  /// A wire over something that carries bytes.
  init(_ transport: any WireTransport) { self.transport = transport }

  // MARK: Making one

  /// Sets a channel up as a wire.
  static func adopt(_ channel: any Channel) throws -> Wire {
    let wire = Wire(ChannelTransport(channel: channel))
    try channel.pipeline.syncOperations.addHandler(Receiver(wire: wire))
    return wire
  }

  /// Connects. With `receiveBuffer` the kernel holds about that much for a wire that does not read.
  static func connect(_ address: SocketEndpoint, receiveBuffer: Int? = nil) async throws -> Wire {
    var bootstrap = ClientBootstrap(group: group)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    if let receiveBuffer {
      bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
    }
    let made = Mutex<Wire?>(nil)
    _ = try await bootstrap.channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        let wire = try adopt(channel)
        made.withLock { $0 = wire }
      }
    }.connect(host: address.host, port: address.port).get()
    guard let wire = made.withLock({ $0 }) else { throw WireProblem(description: "no channel") }
    return wire
  }

  // MARK: Sending

  /// Sends bytes; they are on their way when this returns, not necessarily sent.
  func send(_ bytes: ByteBuffer) {
    transport.send(bytes)
  }

  /// Sends text, one byte for each scalar.
  func send(_ text: String) {
    send(ByteBuffer(bytes: text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }))
  }

  /// Sends bytes and waits until the kernel has taken them all; false if it never did.
  @discardableResult
  func sendAll(_ bytes: ByteBuffer) async -> Bool {
    await transport.sendAll(bytes)
  }

  /// Ends what is sent, once it is sent; what the peer sends is still read.
  func finish() async {
    await transport.finish()
  }

  /// Closes in both directions.
  func close() async {
    await transport.close()
  }

  /// Closes with a reset.
  func reset() async {
    await transport.reset()
  }

  // MARK: Receiving

  /// Stops reading from the socket.
  func pause() async throws {
    try await transport.pause()
  }

  /// Goes on reading from the socket.
  func resume() async throws {
    try await transport.resume()
  }

  /// How many bytes came so far.
  var total: Int { state.withLock { $0.total } }

  /// How the peer's bytes ended, if they did.
  var end: WireEnd? { state.withLock { $0.end } }

  /// Takes what `parse` makes of the bytes that came, as soon as it makes anything of them.
  func take<Value: Sendable>(
    _ what: String, _ parse: (inout ByteBuffer, WireEnd?) throws -> Value?
  ) async throws -> Value {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      let (value, seen, end) = try state.withLock { state in
        (try parse(&state.received, state.end), state.total, state.end)
      }
      if let value { return value }
      if end != nil || ContinuousClock.now >= deadline {
        let rest = state.withLock { String(buffer: $0.received).prefix(600) }
        let why = end.map { "the peer \($0)" } ?? "nothing came in \(Self.patience)"
        throw WireProblem(description: "waited for \(what), but \(why); unread: \(rest)")
      }
      await waitForNews(after: seen, until: deadline)
    }
  }

  /// Takes exactly that many bytes.
  func take(_ count: Int) async throws -> ByteBuffer {
    try await take("\(count) bytes") { bytes, _ in bytes.readSlice(length: count) }
  }

  /// Takes everything up to and with `mark`.
  func take(through mark: String) async throws -> String {
    try await take("\"\(mark)\"") { bytes, _ in
      let end = bytes.withUnsafeReadableBytes { Self.end(of: Array(mark.utf8), in: $0) }
      return end.flatMap { bytes.readString(length: $0) }
    }
  }

  /// The count of bytes up to and with the first `mark`. By memchr: generic searches crawl in debug.
  private static func end(of mark: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
    guard let start = bytes.baseAddress else { return nil }
    var offset = 0
    while bytes.count - offset >= mark.count,
      let found = memchr(start + offset, CInt(mark[0]), bytes.count - offset - mark.count + 1)
    {
      offset = start.distance(to: UnsafeRawPointer(found))
      if memcmp(start + offset, mark, mark.count) == 0 { return offset + mark.count }
      offset += 1
    }
    return nil
  }

  /// Takes whatever comes next, at least a byte; nil at the end.
  func takeSome() async throws -> ByteBuffer? {
    try await take("some bytes") { bytes, end -> ByteBuffer?? in
      guard bytes.readableBytes > 0 else { return end == nil ? nil : .some(nil) }
      let some = bytes
      bytes = ByteBuffer()
      return some
    }
  }

  /// Takes everything up to the end.
  func takeRest() async throws -> String {
    try await take("the end") { bytes, end in
      end == nil ? nil : bytes.readString(length: bytes.readableBytes)
    }
  }

  /// Waits for the end and drops what came before it.
  @discardableResult
  func waitForEnd() async throws -> WireEnd {
    try await take("the end") { bytes, end in
      bytes.clear()
      return end
    }
  }

  private func waitForNews(after seen: Int, until deadline: ContinuousClock.Instant) async {
    let number = state.withLock { state in
      state.waiterNumber += 1
      return state.waiterNumber
    }
    let left = ContinuousClock.now.duration(to: deadline)
    let timeout = Self.group.next().scheduleTask(
      in: .nanoseconds(Int64(left / .nanoseconds(1)))
    ) { self.wake(ifWaiting: number) }
    await withCheckedContinuation { continuation in
      let hasNews = state.withLock { state in
        if state.total != seen || state.end != nil { return true }
        precondition(state.waiter == nil, "two tasks wait for one wire")
        state.waiter = continuation
        return false
      }
      if hasNews { continuation.resume() }
    }
    timeout.cancel()
  }

  private func wake(ifWaiting number: Int) {
    let waiter = state.withLock { state in
      state.waiterNumber == number ? state.waiter.take() : nil
    }
    waiter?.resume()
  }

  func came(_ bytes: inout ByteBuffer) {
    let waiter = state.withLock { state in
      state.total += bytes.readableBytes
      if state.received.readableBytes == 0 {
        state.received = bytes
      } else {
        state.received.writeBuffer(&bytes)
      }
      return state.waiter.take()
    }
    waiter?.resume()
  }

  func ended(_ end: WireEnd) {
    let waiter = state.withLock { state in
      state.end = state.end ?? end
      return state.waiter.take()
    }
    waiter?.resume()
  }
}

/// Hands what a channel receives to its wire.
private final class Receiver: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let wire: Wire

  init(wire: Wire) {
    self.wire = wire
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    wire.came(&bytes)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { wire.ended(.finished) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    wire.ended(.broken)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    wire.ended(.finished)
  }
}

/// Waits until `condition` holds.
func eventually(
  _ what: String, within limit: Duration = Wire.patience,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    if ContinuousClock.now >= deadline {
      throw WireProblem(description: "waited \(limit) for: \(what)")
    }
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// Waits until a count that may still grow has stayed the same for `quiet`.
func settled(
  _ what: String, quiet: Duration = .milliseconds(300), _ count: () async throws -> Int
) async throws -> Int {
  let deadline = ContinuousClock.now + Wire.patience
  var last = try await count()
  var since = ContinuousClock.now
  while ContinuousClock.now < deadline {
    try await Task.sleep(for: .milliseconds(20))
    let next = try await count()
    if next != last {
      last = next
      since = .now
    } else if ContinuousClock.now - since > quiet {
      return last
    }
  }
  throw WireProblem(description: "\(what) never settled")
}
