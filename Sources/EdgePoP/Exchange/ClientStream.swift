import EdgeCache
import NIOCore

/// A request of a client and the way back to it.
///
/// What one owes: ``ServedRequest/begin(_:)`` and ``RequestHandler`` for each request, and ``ResponseReceiver/flush()``
/// after it; ``ServedRequest/began(_:_:)`` when a final head is sent; ``LoopContext/finished(_:)`` when the response is
/// complete; no other request before ``RequestHandler`` has returned; ``LoopContext/clientGone(_:)`` when the client is;
/// and ``answerInstead(_:)`` where an answer of its own takes the place of what is under way.
protocol ClientStream: ResponseReceiver {
  /// The request, and what has become of it. Made anew for each.
  var served: ServedRequest { get set }
  /// Who asks.
  var identity: ClientIdentity { get }
  /// The upstream connections that belong to the client's connection, if any do. Whoever has them ends them with it:
  /// ``BoundConnections/end()``.
  var bound: BoundConnections? { get set }

  /// Sends an answer of our own. Nothing follows.
  func answer(_ answer: OwnAnswer)
  /// Ends a request within its content, whatever of it is under way, with an answer of our own if none has begun.
  func refuseContent(_ answer: OwnAnswer)
  /// Sends the head of a stored response whose content follows.
  func sendStoredHead(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey)
  /// Sends content that lies in a file, at the pace of the client, and then calls `whenSent`, once.
  func sendFile(_ range: Range<Int>, of file: ContentFile, whenSent: @escaping () -> Void)
  /// True if the client has ended its side of the connection; it may still read.
  var inputHasEnded: Bool { get }
  /// Ends it without an answer: its client is most likely gone.
  func leave()
  /// The limits of what was asked for, where its route or any site has its own.
  func adopt(_ limits: ClientLimits)
  /// More of the request's content can be taken.
  func resumeContent()

  /// Sends the head of 101, or what takes its place; bytes go both ways from then on.
  func beginTunnel(_ head: ResponseHead, _ status: CacheStatus)
  func sendTunnel(_ bytes: ByteBuffer)
  /// The upstream closed the tunnel.
  func endTunnel()
}

extension ClientStream {
  /// Sends an answer of our own in the place of what is under way for the request, of which nothing was sent. Counters
  /// and log tell what is known of it.
  func answerInstead(_ answer: OwnAnswer) {
    served.wait.take()?.cancel()
    let exchange = served.exchange
    if let exchange { served.status = exchange.status }
    served.status.detail = answer.detail
    self.answer(answer)
    exchange?.clientGone()
  }

  func sendError(_ code: Int, _ status: CacheStatus) {
    served.status = status
    answer(.failure(code, status))
    flush()
  }
}
