import EdgeFleet
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Where the admin API listens.
final class AdminListener: Sendable {
  private let taken: TakenAddress
  private let group: MultiThreadedEventLoopGroup
  private let tls: NIOSSLContext?
  private let service: AdminService
  private let channel = Mutex<(any Channel)?>(nil)
  /// The address, with the port that was really bound.
  var address: SocketEndpoint { taken.endpoint }

  /// A listener that does not listen yet.
  init(
    _ taken: TakenAddress, group: MultiThreadedEventLoopGroup, tls: NIOSSLContext?,
    service: AdminService
  ) {
    (self.taken, self.group, self.tls, self.service) = (taken, group, tls, service)
  }

  private var bootstrap: ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [tls, service] channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
          }
          try channel.pipeline.syncOperations.addHandlers([
            HTTPResponseEncoder(), ByteToMessageHandler(AdminDecoder()),
            HTTPServerPipelineHandler(), NIOHTTPResponseHeadersValidator(),
            HTTPServerProtocolErrorHandler(),
          ])
          try channel.pipeline.syncOperations.addHandler(
            IdleStateHandler(allTimeout: .seconds(60)))
          try channel.pipeline.syncOperations.addHandler(AdminConnection(service: service))
        }
      }
  }

  /// Lets clients connect, and accepts them. Throws if the system does not let it.
  func start() async throws {
    try taken.begin()
    try await resume()
  }

  /// Accepts again, or for the first time.
  func resume() async throws {
    // It may never have stopped.
    if channel.withLock({ $0 != nil }) { return }
    let sockets = taken.take()
    guard let socket = sockets.first else { return }
    // The channel has one of its own, which is closed with it; this one keeps the address.
    taken.put(sockets)
    let own = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    guard own >= 0 else { throw IOError(errnoCode: errno, reason: "dup") }
    let opened = try await bootstrap.withBoundSocket(own).get()
    channel.withLock { $0 = opened }
  }

  /// Accepts nobody, and leaves the socket, which goes on listening, with its address.
  func pause() async {
    let closing = channel.withLock { $0.take() }
    try? await closing?.close()
  }

  /// Listens no more.
  func stop() async {
    taken.close()
    await pause()
  }

  /// What the admin API is served with, and what this PoP asks others with.
  static func tls(
    _ configuration: FleetConfiguration
  ) throws -> (server: NIOSSLContext?, client: NIOSSLContext?) {
    guard let tls = configuration.adminTLS else { return (nil, nil) }
    do throws(ValueProblem) {
      return (
        try tls.serverContext(),
        try tls.clientContext(certificate: tls.certificate, key: tls.key)
      )
    } catch {
      throw StartProblem("adminTLS: \(error)")
    }
  }
}
