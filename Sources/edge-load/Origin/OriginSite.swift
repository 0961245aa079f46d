// What all connections of the sample origin share, and the socket that they come from.

import NIOCore
import NIOHTTP1
import NIOPosix

/// What all connections of an origin share.
struct OriginSite: Sendable {
  /// The files.
  let files: SiteFiles
  /// The dynamic API.
  let api: OriginAPI
  /// Requests seen so far.
  let counts: RequestCounts
  /// Held back before every response head.
  let latency: TimeSpan
  /// The request log.
  let log: OriginLog
  /// Threads for blocking file calls.
  let threads: NIOThreadPool

  /// Listens on an address; each connection gets NIO's HTTP/1.1 pipeline and an OriginConnection.
  /// Blocks the calling thread until the socket listens.
  func listen(
    on address: ListenAddress, group: any EventLoopGroup
  ) throws(CommandFailure) -> any Channel {
    let delays = DelayLine.lines(group)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(BackPressureHandler())
          try pipeline.configureHTTPServerPipeline()
          let delay = delays[ObjectIdentifier(channel.eventLoop)]?.value ?? DelayLine()
          try pipeline.addHandler(OriginConnection(site: self, delays: delay))
        }
      }
    do {
      return try bootstrap.bind(host: address.host, port: address.port).wait()
    } catch {
      let reason = (error as? IOError).map { describeErrno($0.errnoCode) } ?? "\(error)"
      throw .cannotStart(
        "cannot listen on \(address): \(reason); stop what uses it or give another --listen")
    }
  }
}
