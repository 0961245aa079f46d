import EdgeCache
import NIOCore

/// The content of a request on its way to an upstream: what was gathered before there was a connection, and what was
/// sent, as long as that is little enough to be sent again where the request may be repeated.
struct RequestContent {
  private var waiting: [ByteBuffer] = []
  /// Bytes that wait for a connection.
  private(set) var gathered = 0
  /// What was sent, as long as it can be sent again.
  private var sent: [ByteBuffer] = []
  private var mayRepeat: Bool
  private var sentCount = 0
  /// Bytes that came.
  private(set) var total = 0
  /// True once the client was told to send it, where it asked (RFC 9110 §10.1.1).
  var isAskedFor = false
  private var wasSent = false
  /// True when no more comes.
  private(set) var isComplete: Bool
  /// What came behind it.
  private(set) var trailers: FieldSection?

  /// Most bytes that are kept to be sent again: enough for what a QUERY or PROPFIND asks.
  static let mostKept = 64 << 10

  /// Most bytes that are gathered before there is a connection; after that the client waits.
  static let mostGathered = 64 << 10

  /// True if as much has come as is gathered.
  var isGathered: Bool { isComplete || gathered >= Self.mostGathered }

  /// The content of a request that may have none, and that may be repeated if it is idempotent (RFC 9110 §9.2.2).
  init(isComplete: Bool, mayRepeat: Bool) {
    self.isComplete = isComplete
    self.mayRepeat = mayRepeat
  }

  /// True if all that was sent can be sent again.
  var canBeSentAgain: Bool { !wasSent || mayRepeat }

  /// Some comes.
  mutating func came(_ content: ByteBuffer) { total += content.readableBytes }

  /// Keeps some until there is a connection.
  mutating func keep(_ content: ByteBuffer) {
    gathered += content.readableBytes
    // Pieces of a few bytes would cost many times what they hold.
    if let last = waiting.indices.last, waiting[last].readableBytes < 1024 {
      waiting[last].writeImmutableBuffer(content)
    } else {
      waiting.append(content.compacted())
    }
  }

  /// Some is sent.
  mutating func send(_ content: ByteBuffer) {
    wasSent = true
    sentCount += content.readableBytes
    if sentCount > Self.mostKept { (mayRepeat, sent) = (false, []) }
    if mayRepeat { sent.append(content.compacted()) }
  }

  /// No more comes.
  mutating func end(_ trailers: FieldSection?) {
    isComplete = true
    self.trailers = trailers
  }

  /// True if there is something to be sent.
  var hasKept: Bool { !waiting.isEmpty }

  /// Takes what was kept, to be sent.
  mutating func takeKept() -> [ByteBuffer] {
    let kept = waiting
    waiting = []
    gathered = 0
    for content in kept { send(content) }
    return kept
  }

  /// What was sent is to be sent again, on another connection.
  mutating func rewind() {
    guard wasSent, mayRepeat else { return }
    gathered += sentCount
    waiting = sent + waiting
    sent = []
    sentCount = 0
    wasSent = false
  }
}
