import NIOCore

// The Cache-Status response field (RFC 9211): one member for each response says what this cache
// did, and why.

/// Why a request went toward the origin: exactly the `fwd` tokens of RFC 9211 §2.2.
public enum ForwardReason: String, Sendable, Hashable, CaseIterable {
  case bypass
  case method
  case uriMiss = "uri-miss"
  case varyMiss = "vary-miss"
  case miss
  case request
  case stale
  case partial
}

/// Why this cache ended a request itself, before it was answered or within its response: which limit was reached, by the
/// name of its setting where it has one, or what else.
public enum Interruption: String, Sendable, Hashable, CaseIterable {
  /// The PoP ends, or hands over to another one.
  case draining
  case requestHeadTimeout = "request-head-timeout"
  case requestContentTimeout = "request-content-timeout"
  case slowestContent = "slowest-content"
  case largestRequest = "largest-request"
  case clientTimeout = "client-timeout"
  case slowestReader = "slowest-reader"
  case relayPatience = "relay-patience"
  /// What is stored on disk could not be read to its end.
  case diskFailed = "disk-failed"
}

/// The reasoned `detail` of a cache status: always a token.
public enum CacheStatusDetail: Sendable, Hashable {
  /// Why the response was not stored.
  case refused(StorageRefusal)
  /// What went wrong on the way to the upstream.
  case failed(UpstreamFailure)
  /// The client may only have what is stored, and nothing is (RFC 9111 §5.2.1.7).
  case onlyIfCached
  /// No site has this host.
  case unknownHost
  /// The request has passed through this cache before (RFC 8586).
  case loop
  /// Served stale while it is being validated (RFC 5861 §3).
  case staleWhileRevalidate
  /// It was validated because it is not known yet what was purged while this PoP was down.
  case unsynced
  /// It was validated because the disk that it is on has lost purges, or the clock was set back since it was stored.
  case distrusted
  /// This cache ended it itself.
  case interrupted(Interruption)

  /// The token that is written.
  public var token: String {
    switch self {
    case .refused(let refusal): refusal.rawValue
    case .failed(let failure): failure.rawValue
    case .onlyIfCached: "only-if-cached"
    case .unknownHost: "unknown-host"
    case .loop: "loop"
    case .staleWhileRevalidate: "stale-while-revalidate"
    case .unsynced: "unsynced"
    case .distrusted: "distrusted"
    case .interrupted(let interruption): interruption.rawValue
    }
  }
}

/// What this cache did with one request.
public struct CacheStatus: Sendable, Hashable {
  /// True if the response came from the store without asking (§2.1).
  public var isHit = false
  /// Why the request was forwarded (§2.2).
  public var forward: ForwardReason?
  /// The status of the forwarded request's response, where it differs from what is sent (§2.3).
  public var forwardStatus: Int?
  /// Seconds of freshness left (§2.4).
  public var ttl: Int64?
  /// True if the response was stored (§2.5).
  public var isStored = false
  /// True if the request was collapsed with another (§2.6).
  public var isCollapsed = false
  /// More about it (§2.8).
  public var detail: CacheStatusDetail?

  /// A status that says nothing yet.
  public init() {}

  /// A hit with that much freshness left.
  public static func hit(ttl: Int64) -> CacheStatus {
    var status = CacheStatus()
    status.isHit = true
    status.ttl = ttl
    return status
  }

  /// A request that went toward the origin.
  public static func forwarded(_ reason: ForwardReason) -> CacheStatus {
    var status = CacheStatus()
    status.forward = reason
    return status
  }

  /// The same of a request that this cache ended itself.
  public func interrupted(_ interruption: Interruption) -> CacheStatus {
    var status = self
    status.detail = .interrupted(interruption)
    return status
  }

  /// True for a hit of which no more is said than how fresh it is.
  public var isPlainHit: Bool {
    isHit && forward == nil && detail == nil && forwardStatus == nil && !isStored && !isCollapsed
  }

  /// Writes what follows the name. O(1).
  func writeParameters(to buffer: inout HeadBuffer) {
    if isHit { buffer.writeStaticString("; hit") }
    if let forward {
      buffer.writeStaticString("; fwd=")
      buffer.writeString(forward.rawValue)
    }
    if let forwardStatus {
      buffer.writeStaticString("; fwd-status=")
      buffer.writeDecimal(forwardStatus)
    }
    if let ttl {
      buffer.writeStaticString("; ttl=")
      buffer.writeDecimal(Int(ttl))
    }
    if isStored { buffer.writeStaticString("; stored") }
    if isCollapsed { buffer.writeStaticString("; collapsed") }
    if let detail {
      buffer.writeStaticString("; detail=")
      buffer.writeString(detail.token)
    }
  }

  /// The member as text, for logs.
  public func text(name: [UInt8]) -> String {
    var buffer = ByteBuffer()
    buffer.writeHead { head in
      head.writeBytes(name)
      writeParameters(to: &head)
    }
    return String(buffer: buffer)
  }
}
