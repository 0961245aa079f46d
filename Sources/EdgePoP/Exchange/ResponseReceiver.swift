import EdgeCache
import NIOCore

/// Whom a response goes to: a client, or what puts the pieces of large content together for one.
protocol ResponseReceiver: AnyObject {
  func sendInterim(_ head: ResponseHead)
  func sendStored(
    _ stored: StoredResponse, _ status: CacheStatus, request: borrowing RequestHead, key: CacheKey?)
  func sendFlightHead(_ head: FlightHead, _ status: CacheStatus, whole: Bool, key: CacheKey)
  func sendUpstreamHead(_ head: ResponseHead, _ status: CacheStatus, key: CacheKey)
  func sendContent(_ content: ByteBuffer)
  func sendEnd(_ trailers: FieldSection?)
  func sendError(_ code: Int, _ status: CacheStatus)
  func abort(_ status: CacheStatus)
  func flush()
  /// True if nothing speaks against sending more.
  var isWritable: Bool { get }
}
