import EdgeCache
import NIOCore

// Whom a response goes to. Serving knows nothing of versions of HTTP: a connection of HTTP/1.1, which
// serves one request after the other, and a stream of a later version, are a ``ClientStream`` each, with
// their own framing, flow control and limits.

/// Whom a response goes to: a client, or what puts the pieces of large content together for one.
protocol ResponseReceiver: AnyObject {
  /// True if nothing speaks against sending more.
  var isWritable: Bool { get }
  /// Bytes of content that the client has taken, whatever is on the way to it. For comparison within a response.
  var taken: Int { get }
  func sendInterim(_ head: ResponseHead)
  /// Sends a stored response, whole or in part, as it is `now`; with `key` if it was forwarded before. Nothing
  /// follows.
  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey?,
    now: Instant)
  /// Sends the head of a response that is still arriving. Content follows, unless it is not `whole`.
  func sendFlightHead(_ head: FlightHead, _ status: CacheStatus, whole: Bool, key: CacheKey)
  /// Sends the head of a response that is passed through. Content follows.
  func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus, key: CacheKey)
  func sendContent(_ content: ByteBuffer)
  func sendEnd(_ trailers: FieldSection?)
  /// Sends an answer of our own. Nothing follows.
  func sendError(_ code: Int, _ status: CacheStatus)
  /// Breaks off a response so that its end cannot be taken for one; `status` says why.
  func abort(_ status: CacheStatus)
  /// Nothing more is sent at this moment.
  func flush()
}
