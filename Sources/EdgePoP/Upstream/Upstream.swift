import EdgeFleet

/// An upstream server.
struct Upstream: Sendable {
  let url: UpstreamURL
  /// For `Host` where the client gave none, and for logs.
  let authority: String
  /// True for a PoP of the fleet, which is told what has been purged.
  let isPoP: Bool
}
