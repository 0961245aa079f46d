// A stand-in for a PoP's admin API that says exactly the bytes a test wants, right or wrong.

import EdgeFleet
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Listens on 127.0.0.1 and answers whole requests with raw bytes.
final class AdminServer: Sendable {
  /// What to answer to the request with this number, from 1; nil leaves it unanswered.
  typealias Answer = @Sendable (_ number: Int, _ request: String) -> String?

  private let channel: any Channel
  private let received: Received

  /// The address it listens on.
  var endpoint: SocketEndpoint {
    SocketEndpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
  }

  /// The requests so far, head and content.
  var requests: [String] { received.requests.withLock { $0 } }

  private init(channel: any Channel, received: Received) {
    (self.channel, self.received) = (channel, received)
  }

  /// Runs `body` with a server; `port` 0 takes a free one.
  static func run<Result>(
    host: String = "127.0.0.1", port: Int = 0, answer: @escaping Answer,
    _ body: (AdminServer) async throws -> Result
  ) async throws -> Result {
    let received = Received()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            AnsweringHandler(received: received, answer: answer))
        }
      }
      .bind(host: host, port: port).get()
    do {
      let result = try await body(AdminServer(channel: channel, received: received))
      try await channel.close()
      return result
    } catch {
      try await channel.close()
      throw error
    }
  }

  /// A reply with `content` and a length.
  static func reply(_ status: String, _ content: String) -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(content.utf8.count)\r\n\r\n\(content)"
  }

  /// A reply with the acknowledgement of a PoP.
  static func acknowledgement(pop: String, sequence: UInt64 = 1, matched: Int = 0) -> String {
    let message = PurgeAcknowledgement(
      pop: pop, sequence: sequence, matched: matched, freedBytes: matched * 1000)
    return reply("200 OK", String(decoding: message.json, as: UTF8.self))
  }

  fileprivate final class Received: Sendable {
    let requests = Mutex<[String]>([])
  }
}

/// An address at which connections are refused, and which nobody else gets meanwhile: a socket that
/// is bound and does not listen. A server that is to come up there can, by its name.
final class ClosedPort: Sendable {
  let endpoint: SocketEndpoint
  private let descriptor: CInt

  init() throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var reuse: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) | getsockname(descriptor, $0, &length)
      }
    }
    guard status == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
    endpoint = SocketEndpoint(host: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)))
  }

  deinit { close(descriptor) }
}

/// Gathers one request per connection and answers it.
private final class AnsweringHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let received: AdminServer.Received
  private let answer: AdminServer.Answer
  private var text = ""

  init(received: AdminServer.Received, answer: @escaping AdminServer.Answer) {
    (self.received, self.answer) = (received, answer)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    text += String(buffer: unwrapInboundIn(data))
    guard isWhole else { return }
    let number = received.requests.withLock { requests in
      requests.append(text)
      return requests.count
    }
    guard let reply = answer(number, text) else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
    context.close(promise: nil)
  }

  private var isWhole: Bool {
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    let field = parts[0].split(separator: "\r\n").first {
      $0.lowercased().hasPrefix("content-length: ")
    }
    return parts[1].utf8.count >= field.flatMap { Int($0.dropFirst(16)) } ?? 0
  }
}
