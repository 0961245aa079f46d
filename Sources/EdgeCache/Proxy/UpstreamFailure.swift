/// What can go wrong between this cache and an upstream. The raw value is the `detail` of
/// `Cache-Status`, a label in the counters, and a word in the log.
public enum UpstreamFailure: String, Error, Sendable, Hashable, CaseIterable {
  /// The connection was refused.
  case connect = "connect-failed"
  /// The connection was not made in time.
  case connectTimeout = "connect-timeout"
  /// No name server has answered in time where the upstream is.
  case dnsTimeout = "dns-timeout"
  /// The upstream's name has no address, or name servers fail.
  case dnsError = "dns-error"
  /// This machine has as many files and sockets open as it may.
  case outOfDescriptors = "out-of-descriptors"
  /// This machine has no port left to connect from.
  case outOfPorts = "out-of-ports"
  /// This machine has no memory left for another socket.
  case outOfMemory = "out-of-memory"
  /// All connections to the upstream are in use, and so is the queue.
  case queueFull = "queue-full"
  /// Waited in the queue for a connection for too long.
  case queueTimeout = "queue-timeout"
  /// The upstream closed the connection before it answered.
  case closed = "upstream-closed"
  /// The upstream closed the connection within its response.
  case truncated = "upstream-truncated"
  /// The upstream did not answer in time.
  case firstByteTimeout = "first-byte-timeout"
  /// The response took longer than a whole response may.
  case responseTimeout = "response-timeout"
  /// The upstream stopped within its response.
  case stalled = "upstream-stalled"
  /// What the upstream sent is not an HTTP response.
  case malformed = "upstream-malformed"
  /// The upstream answered a validation with a server error.
  case serverError = "upstream-error"
  /// What the upstream has is not the content of which a piece was asked for.
  case contentChanged = "content-changed"

  /// The status that tells the client (RFC 9110 §15.6.3 to §15.6.5).
  public var status: Int {
    switch self {
    case .connect, .dnsError, .closed, .truncated, .malformed, .serverError, .contentChanged: 502
    case .queueFull, .queueTimeout, .outOfDescriptors, .outOfPorts, .outOfMemory: 503
    case .connectTimeout, .dnsTimeout, .firstByteTimeout, .responseTimeout, .stalled: 504
    }
  }
}
