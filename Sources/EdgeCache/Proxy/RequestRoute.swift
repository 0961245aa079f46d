// What the configuration says about a request, in the form in which the core asks for it.

/// Where requests of one kind go; an index into the PoP's list of upstream groups.
public typealias UpstreamGroupID = Int

/// What the configuration says about a request.
public struct RequestRoute: Sendable, Hashable {
  /// The upstreams of responses that may be stored; nil if no response may be.
  public var cached: UpstreamGroupID?
  /// Why no response may be stored, if none may be: the path belongs to the regional API, or might.
  public var refusal: StorageRefusal
  /// The upstreams of everything that goes past the store.
  public var passThrough: UpstreamGroupID

  /// Index of the site in the PoP's list of sites.
  public var site: Int
  /// True if clients cannot ask for something newer than what is stored.
  public var ignoresRequestDirectives: Bool
  /// True if fields go upstream that stand in for the method of a POST.
  public var passesMethodOverride = false
  /// True if an upstream may know the client by a connection of its own (``FieldSection/hasConnectionCredentials``),
  /// so that its response is nobody else's, whatever the request says.
  public var isBound = false

  /// A route from its parts.
  public init(
    cached: UpstreamGroupID?, passThrough: UpstreamGroupID, site: Int = 0,
    ignoresRequestDirectives: Bool = false, refusal: StorageRefusal = .route
  ) {
    self.cached = cached
    self.refusal = refusal
    self.passThrough = passThrough
    self.site = site
    self.ignoresRequestDirectives = ignoresRequestDirectives
  }

  /// The directives of a request that count here. `no-store` and `only-if-cached` always do: they
  /// make nobody wait for the origin.
  public func directives(_ fields: FieldSection) -> CacheControl {
    var directives = CacheControl.ofRequest(fields)
    if ignoresRequestDirectives {
      directives.noCache = false
      directives.maxAge = nil
      directives.minFresh = nil
      directives.maxStale = nil
    }
    return directives
  }
}
