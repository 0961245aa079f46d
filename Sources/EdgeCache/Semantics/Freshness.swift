// How long a response may be used, and how old it is (RFC 9111 §4.2, RFC 8246).
//
// All that can be decided when a response arrives is decided then. A hit adds two numbers and
// compares them.

/// Where a freshness lifetime came from.
public enum LifetimeSource: UInt8, Sendable, Hashable {
  case sMaxAge, maxAge, expires, hashedURL, heuristic, negative, none

  /// True if the origin said it, by a directive or `Expires`.
  public var isExplicit: Bool {
    switch self {
    case .sMaxAge, .maxAge, .expires: true
    case .hashedURL, .heuristic, .negative, .none: false
    }
  }
}

/// Why something is not used without asking, besides what its own fields say.
public enum StaleCause: UInt8, Sendable, Hashable {
  /// Nothing else.
  case none
  /// A soft purge covers it.
  case purged
  /// It may have been purged while this PoP was away.
  case unchecked
  /// The answer to HEAD was about another version of it (RFC 9111 §4.3.5).
  case outdated
  /// The disk that it is on has lost purges, or the clock was set back since it was stored.
  case distrusted
}

/// Age and lifetime of a response, worked out when it arrived.
public struct Freshness: Sendable, Hashable {
  /// When the response was received, on the time line alone: what the wall clock showed then has no say in
  /// what it is worth later.
  @usableFromInline var received: Int64
  /// corrected_initial_age (§4.2.3), in seconds.
  public var initialAge: Int64
  /// freshness_lifetime (§4.2.1), in seconds.
  public var lifetime: Int64
  /// Where the lifetime came from.
  public var source: LifetimeSource
  /// The field whose directives apply.
  public var field: ControlField
  /// `no-cache`: never used without validation, however fresh (§5.2.2.4).
  public var alwaysValidate: Bool
  /// `must-revalidate`, `proxy-revalidate`, `s-maxage` or `no-cache`: never served stale (§4.2.4).
  public var neverStale: Bool
  /// Its content does not change while it is fresh (RFC 8246, or the URL has its hash).
  public var immutable: Bool
  /// Why ``alwaysValidate`` is true where the response did not say it.
  public var staleCause = StaleCause.none
  /// `stale-if-error`, in seconds (RFC 5861 §4).
  public var staleIfError: Int64?
  /// `stale-while-revalidate`, in seconds (RFC 5861 §3); 0 where staleness is forbidden.
  public var staleWhileRevalidate: Int64

  /// Age and lifetime from their parts.
  public init(
    responseTime: Instant, initialAge: Int64, lifetime: Int64, source: LifetimeSource,
    field: ControlField, alwaysValidate: Bool, neverStale: Bool, immutable: Bool,
    staleCause: StaleCause = .none, staleIfError: Int64?, staleWhileRevalidate: Int64
  ) {
    self.staleCause = staleCause
    received = responseTime.milliseconds
    self.initialAge = initialAge
    self.lifetime = lifetime
    self.source = source
    self.field = field
    self.alwaysValidate = alwaysValidate
    self.neverStale = neverStale
    self.immutable = immutable
    self.staleIfError = staleIfError
    self.staleWhileRevalidate = staleWhileRevalidate
  }

  /// When the response was received.
  @inlinable
  public var responseTime: Instant {
    get { Instant(milliseconds: received) }
    set { received = newValue.milliseconds }
  }

  /// current_age at `now` (§4.2.3), in seconds. O(1).
  @inlinable
  public func age(_ now: Instant) -> Int64 {
    initialAge &+ now.milliseconds(since: responseTime) / 1000
  }

  /// Seconds of freshness left at `now` (RFC 9211 §2.4), negative when stale. O(1).
  @inlinable
  public func ttl(_ now: Instant) -> Int64 {
    lifetime &- age(now)
  }

  /// True if the response may be used without asking (§4.2): its lifetime exceeds its age. O(1).
  @inlinable
  public func isFresh(_ now: Instant) -> Bool {
    !alwaysValidate && lifetime > age(now)
  }

  /// True if no request may be answered with this response without asking.
  public var isNeverReusable: Bool {
    alwaysValidate || lifetime <= initialAge
  }

  /// Longest staleness that is served when the upstream fails and nothing else is said: 24 h.
  public static let staleOnErrorLimit: Int64 = 24 * 3600

  /// True if the response may stand in for an upstream that failed (§4.2.4, RFC 5861 §4), as one
  /// that is fresh may: it was only asked about because a request wanted it younger.
  public func mayServeStaleOnError(_ now: Instant) -> Bool {
    if isFresh(now) { return true }
    if neverStale { return false }
    return -ttl(now) <= (staleIfError ?? Self.staleOnErrorLimit)
  }
}

extension Freshness {
  /// The lifetime of what a hashed URL names, when the origin says nothing: a year.
  static let hashedURLLifetime: Int64 = 365 * 24 * 3600
  /// For how long it is believed without being told that a hashed URL names nothing: a second.
  static let missingHashedURLLimit: Int64 = 1
  /// The longest heuristic lifetime: a day.
  static let heuristicLimit: Int64 = 24 * 3600

  /// Works out age and lifetime of a response that arrived at `responseTime` on a request sent at
  /// `requestTime`. What the URL says of the content is asked for only if the origin says nothing.
  /// O(bytes of the fields that matter).
  public init(
    _ response: ResponseHead,
    directives responseDirectives: ResponseDirectives,
    policy: SitePolicy,
    requestTime: Instant,
    responseTime: Instant,
    hashedURL: @autoclosure () -> HashedURL
  ) {
    let fields = response.fields
    let directives = responseDirectives.control
    let dates = ResponseDates(fields, now: responseTime)
    // Others' dates are compared with the wall clock, what passed here with the time line.
    let date = dates.date ?? responseTime.wall.seconds

    // §4.2.3: apparent_age, corrected_age_value and their maximum.
    let apparent = max(0, responseTime.wall.seconds - date)
    let delay = responseTime.milliseconds(since: requestTime) / 1000
    let initialAge = max(apparent, Self.ageValue(fields) + delay)

    let (lifetime, source) = Self.lifetime(
      status: response.status, directives: responseDirectives, policy: policy, dates: dates,
      date: date, hashedURL: hashedURL())
    let neverStale =
      directives.mustRevalidate || directives.proxyRevalidate || directives.sMaxAge != nil
      || directives.noCache
    self.init(
      responseTime: responseTime, initialAge: initialAge, lifetime: lifetime, source: source,
      field: responseDirectives.field, alwaysValidate: directives.noCache, neverStale: neverStale,
      immutable: directives.immutable || source == .hashedURL,
      staleIfError: directives.staleIfError,
      staleWhileRevalidate: neverStale ? 0 : directives.staleWhileRevalidate ?? 0)
  }

  /// freshness_lifetime (§4.2.1), the first that applies.
  private static func lifetime(
    status: Int, directives: ResponseDirectives, policy: SitePolicy, dates: ResponseDates,
    date: Int64, hashedURL: @autoclosure () -> HashedURL
  ) -> (Int64, LifetimeSource) {
    let control = directives.control
    if let seconds = control.sMaxAge { return (seconds, .sMaxAge) }
    if let seconds = control.maxAge { return (seconds, .maxAge) }
    if directives.usesExpires {
      switch dates.expires {
      case .at(let expires): return (max(0, expires - date), .expires)
      case .invalid: return (0, .expires)
      case .absent: break
      }
    }
    let hashedURL = hashedURL()
    // A file that a deployment is about to bring must not be missing for longer than it takes.
    let isMissingHashedURL = hashedURL != .none && (status == 404 || status == 410)
    if let seconds = policy.negative[status] {
      return (isMissingHashedURL ? min(seconds, missingHashedURLLimit) : seconds, .negative)
    }
    switch hashedURL {
    case .none: break
    case .fits:
      if status == 200, !control.noCache { return (hashedURLLifetime, .hashedURL) }
    case .differs:
      // A page in the place of a file, until a deployment brings that: nothing is guessed of it.
      if status / 100 == 2 { return (0, .none) }
    }
    if policy.guessesFreshness, isHeuristicallyCacheable(status) || control.isPublic,
      let modified = dates.lastModified, modified <= date
    {
      let limit = isMissingHashedURL ? missingHashedURLLimit : heuristicLimit
      return (min((date - modified) / 10, limit), .heuristic)
    }
    return (0, .none)
  }

  /// age_value (§5.1): the first member of the first line; what is not a number is ignored.
  private static func ageValue(_ fields: FieldSection) -> Int64 {
    guard let range = fields.first(.age) else { return 0 }
    let bytes = fields.bytes.readableBytesUInt8Span
    let end = bytes.firstIndex(of: ASCII.comma, in: range.range) ?? range.range.upperBound
    let member = bytes.trimmingWhitespace(range.range.lowerBound..<end)
    return CacheControl.deltaSeconds(bytes, member) ?? 0
  }

  /// Statuses that may get a heuristic lifetime (RFC 9110 §15.1).
  public static func isHeuristicallyCacheable(_ status: Int) -> Bool {
    switch status {
    case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501: true
    default: false
    }
  }
}

/// The dates of a response, in seconds since 1970.
public struct ResponseDates: Sendable {
  /// What `Expires` says (§5.3): an invalid one is a time in the past.
  public enum Expires: Sendable, Hashable {
    case absent, invalid
    case at(Int64)
  }

  public var date: Int64?
  public var lastModified: Int64?
  public var expires: Expires

  /// Reads the dates of `fields`; the first of several `Expires` counts (§4.2.1).
  public init(_ fields: FieldSection, now: Instant) {
    func read(_ name: FieldName) -> Int64? {
      guard let range = fields.first(name) else { return nil }
      return HTTPDate.parse(
        fields.bytes.readableBytesUInt8Span.extracting(range.range), now: now)
    }
    date = read(.date)
    lastModified = read(.lastModified)
    expires = fields.contains(.expires) ? read(.expires).map { .at($0) } ?? .invalid : .absent
  }
}
