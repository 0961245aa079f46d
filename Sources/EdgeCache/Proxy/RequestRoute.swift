// What the configuration says about a request, in the form in which the core asks for it.

/// Where requests of one kind go; an index into the PoP's list of upstream groups.
public typealias UpstreamGroupID = Int

/// What the configuration says about a request.
public struct RequestRoute: Sendable, Hashable {
  /// The upstreams of responses that may be stored; nil if the path belongs to the regional API.
  public var cached: UpstreamGroupID?
  /// The upstreams of everything that goes past the store.
  public var passThrough: UpstreamGroupID

  /// A route from its parts.
  public init(cached: UpstreamGroupID?, passThrough: UpstreamGroupID) {
    self.cached = cached
    self.passThrough = passThrough
  }
}
