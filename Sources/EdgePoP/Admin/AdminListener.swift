import EdgeFleet
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Where the admin API listens.
struct AdminListener: Sendable {
  private let channel: any Channel
  /// The address, with the port that was really bound.
  let address: SocketEndpoint

  /// Listens. Throws ``StartProblem`` if the address cannot be had.
  static func start(
    _ endpoint: SocketEndpoint, group: MultiThreadedEventLoopGroup, tls: NIOSSLContext?,
    service: AdminService
  ) async throws -> AdminListener {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
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
    let channel = try await Listeners.bind(bootstrap, endpoint, flag: "--admin")
    return AdminListener(channel: channel, address: Listeners.bound(endpoint, channel))
  }

  /// Listens no more.
  func stop() async { try? await channel.close() }

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
