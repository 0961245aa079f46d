import EdgeSocket
import NIOCore
import NIOEmbedded
import NIOSSL

/// TLS of one connection as a client (RFC 8446): bytes in, bytes out. NIOSSL's handler in a channel
/// without a socket.
final class TLSFilter: StreamFilter {
  /// How long after the end of the stream the channel stops waiting for the peer's last words; its time
  /// is not that of any clock.
  private static let longAfter = TimeAmount.minutes(1)

  private let channel = EmbeddedChannel()
  private var isClosed = false
  /// Why there is no TLS with the peer at all, to be told when something arrives.
  private var problem: (any Error)?

  /// Begins a connection; `serverName` is the one of SNI, and must be in the peer's certificate.
  init(_ context: NIOSSLContext, serverName: String?) {
    do {
      try channel.pipeline.syncOperations.addHandler(
        NIOSSLClientHandler(context: context, serverHostname: serverName))
      // Nobody is connected to; it makes the handler begin the handshake.
      channel.connect(to: try SocketAddress(unixDomainSocketPath: "tls"), promise: nil)
    } catch {
      problem = error
    }
  }

  deinit {
    close()
  }

  var hasEnded: Bool { !channel.isActive }

  func send(_ plain: ByteBuffer) {
    channel.writeAndFlush(plain, promise: nil)
  }

  func receive(_ wire: ByteBuffer) throws {
    if let problem { throw problem }
    channel.pipeline.fireChannelRead(wire)
    channel.pipeline.fireChannelReadComplete()
    try channel.throwIfErrorCaught()
  }

  func end() throws {
    if let problem { throw problem }
    channel.pipeline.fireChannelInactive()
    try channel.throwIfErrorCaught()
  }

  func nextReceived() -> ByteBuffer? {
    try? channel.readInbound(as: ByteBuffer.self)
  }

  func nextToSend() -> ByteBuffer? {
    try? channel.readOutbound(as: ByteBuffer.self)
  }

  func close() {
    if isClosed { return }
    isClosed = true
    channel.close(promise: nil)
    channel.embeddedEventLoop.advanceTime(by: Self.longAfter)
  }
}
