// What the operator of a site may choose where the standards leave a choice. The defaults are what
// the standards say without anybody's choice, so that a site which writes none of these keys is
// cached as RFC 9111 and its kin describe. CachingOptions+Reading.swift reads and checks them.

extension FleetConfiguration {
  /// How the responses of a site are cached, where the standard leaves a choice.
  public struct CachingOptions: Sendable, Hashable {
    /// What of the query is part of the cache key.
    public var query: QueryRules
    /// Seconds for which a status is fresh whose response has no explicit freshness; only 404 and
    /// 410.
    public var negative: [Int: Int64]
    /// Whether a lifetime is worked out where the origin gives none (RFC 9111 §4.2.2).
    public var heuristicFreshness: Bool
    /// What becomes of the directives in requests.
    public var requestDirectives: RequestDirectives
    /// Whether Surrogate-Control replaces Cache-Control, and is taken out of responses.
    public var surrogateControl: Bool
    /// The fields of responses that carry tags, in lower case; nil for those that are known to.
    public var tagFields: [String]?
    /// Whether fields with tags go on to clients.
    public var forwardTagFields: Bool
    /// What becomes of the cookies of responses that may be stored.
    public var setCookie: SetCookie

    /// Options; those that are not given are as the standard has them.
    public init(
      query: QueryRules = QueryRules(), negative: [Int: Int64] = [:],
      heuristicFreshness: Bool = true, requestDirectives: RequestDirectives = .honor,
      surrogateControl: Bool = false, setCookie: SetCookie = .strip, tagFields: [String]? = nil,
      forwardTagFields: Bool = true
    ) {
      (self.query, self.negative) = (query, negative)
      (self.heuristicFreshness, self.requestDirectives) = (heuristicFreshness, requestDirectives)
      (self.surrogateControl, self.setCookie) = (surrogateControl, setCookie)
      (self.tagFields, self.forwardTagFields) = (tagFields, forwardTagFields)
    }

    /// Which parameters of a query are part of the cache key, and whether their order is.
    public struct QueryRules: Sendable, Hashable {
      /// Whether parameters are sorted by name in the cache key.
      public var sort: Bool
      /// The names of the only parameters that are part of the cache key, nil if all are. A `*` at
      /// the end of a name stands for any rest.
      public var include: [String]?
      /// The names of parameters that are not part of the cache key, even if they are included. A
      /// `*` at the end of a name stands for any rest.
      public var exclude: [String]

      /// Rules; those that are not given leave the query alone.
      public init(sort: Bool = false, include: [String]? = nil, exclude: [String] = []) {
        (self.sort, self.include, self.exclude) = (sort, include, exclude)
      }
    }

    /// What becomes of Set-Cookie in responses that may be stored.
    public enum SetCookie: String, Sendable, Hashable, CaseIterable {
      /// It goes to the client whose request brought the response, and is not stored.
      case strip
      /// Responses with it are not stored.
      case refuse
      /// It is stored, and goes to everybody (RFC 9111 §7.3).
      case keep
    }

    /// What becomes of Cache-Control and Pragma in requests.
    public enum RequestDirectives: String, Sendable, Hashable, CaseIterable {
      /// They are obeyed (RFC 9111 §5.2.1).
      case honor
      /// They are read as if they were not there.
      case ignore
    }
  }
}
