import EdgeCache
import EdgeSocket
import NIOCore

extension StreamSocket {
  /// Adds a head, or another small piece of a message, behind all that was sent before.
  @inline(__always)
  @discardableResult
  func composeHead<Result>(
    _ estimate: Int = 512, _ body: (inout HeadBuffer) -> Result
  ) -> Result {
    compose { $0.writeHead(estimate, body) }
  }
}
