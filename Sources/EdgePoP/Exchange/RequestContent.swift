import EdgeCache
import NIOCore

/// The content of a request on its way to an upstream: what came before there was a connection, and
/// whether any of it was sent, after which the request cannot be repeated.
struct RequestContent {
  private var waiting: [ByteBuffer] = []
  /// True once any was sent.
  private(set) var wasSent = false
  /// True when no more comes.
  private(set) var isComplete: Bool
  /// What came behind it.
  private(set) var trailers: FieldSection?

  /// The content of a request that may have none.
  init(isComplete: Bool) { self.isComplete = isComplete }

  /// Keeps some until there is a connection.
  mutating func keep(_ content: ByteBuffer) { waiting.append(content.compacted()) }

  /// Some is sent.
  mutating func send() { wasSent = true }

  /// No more comes.
  mutating func end(_ trailers: FieldSection?) {
    isComplete = true
    self.trailers = trailers
  }

  /// Takes what was kept, to be sent.
  mutating func takeKept() -> [ByteBuffer] {
    if waiting.isEmpty { return [] }
    wasSent = true
    let kept = waiting
    waiting = []
    return kept
  }
}
