import EdgeFleet
import NIOCore
import NIOPosix
import NIOSSL

/// Makes connections to upstreams, in TLS where the URL says so.
enum UpstreamConnector {
  /// Connects on the loop of `loop`. The name is resolved for each connection, and both address
  /// families are tried (RFC 8305, 250 ms apart), each attempt with a connection of its own.
  static func connect(_ index: Int, loop: LoopContext) -> EventLoopFuture<
    NIOLoopBound<UpstreamConnection>
  > {
    let upstream = loop.shared.routing.upstreams[index]
    let bound = NIOLoopBound(loop, eventLoop: loop.eventLoop)
    let tlsContext = upstream.url.scheme == .https ? loop.shared.tlsContext : nil
    let host = upstream.url.host
    return ClientBootstrap(group: loop.eventLoop)
      .connectTimeout(loop.limits.connect)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.recvAllocator, value: ReceiveBuffers.upstream)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tlsContext {
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: tlsContext, serverHostname: serverName(host)))
          }
          try channel.pipeline.syncOperations.addHandler(
            UpstreamConnection(loop: bound.value, upstream: index))
        }
      }
      .connect(host: host, port: upstream.url.port)
      .flatMapThrowing { channel in
        NIOLoopBound(
          try channel.pipeline.syncOperations.handler(type: UpstreamConnection.self),
          eventLoop: channel.eventLoop)
      }
  }

  /// The name for SNI and the certificate; addresses have none (RFC 6066 §3).
  private static func serverName(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
  }
}
