import EdgeCache
import NIOCore

// A client connection after 101: bytes of another protocol go both ways, whatever they are. What is still to come of the
// request that asked for it goes to the upstream first.

extension ClientConnection {
  /// Sends 101 and carries bytes from then on; the line in the log comes when that ends.
  func beginTunnel(_ head: ResponseHead, _ status: CacheStatus) {
    sendSwitch(head, status)
    phase = .tunnel
    timing.moved()
    loop.counters.tunnels += 1
    process()
  }

  /// Sends bytes of the upstream.
  func sendTunnel(_ bytes: ByteBuffer) {
    timing.moved()
    served.contentBytes += bytes.readableBytes
    send(bytes)
    flush()
  }

  /// Bytes of the client came.
  func tunnelReceived(_ bytes: ByteBuffer) {
    timing.moved()
    served.requestBytes += bytes.readableBytes
    served.exchange?.tunnelFromClient(bytes)
  }

  /// Passes on what came of the client before the request was at its end.
  func passOnInbound() {
    guard inbound.readableBytes > 0 else { return }
    served.requestBytes += inbound.readableBytes
    served.exchange?.tunnelFromClient(takeInbound())
  }

  /// The upstream closed the tunnel.
  func endTunnel() {
    account()
    served.exchange = nil
    flush()
    linger()
  }
}
