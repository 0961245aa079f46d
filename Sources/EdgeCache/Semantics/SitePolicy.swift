// What the operator of a site chose where the standards leave a choice. Read when a response arrives
// or a key is made, never on a hit.

/// How the responses of one site are cached.
public struct SitePolicy: Sendable, Hashable {
  /// A policy that many refer to: handing it on costs one count of references, not one for each of its tables.
  public final class Shared: Sendable {
    public let value: SitePolicy
    /// One that follows the standards.
    public static let standard = Shared(SitePolicy())

    public init(_ value: SitePolicy) { self.value = value }
  }

  /// Names of targeted fields in lower case, the one that wins first (RFC 9213 §2.2).
  public var targetedFields: [[UInt8]]
  /// True if `Surrogate-Control` replaces `Cache-Control` and is taken out of responses.
  public var usesSurrogateControl = false
  /// True if a lifetime is guessed where the origin gives none (RFC 9111 §4.2.2).
  public var guessesFreshness = true
  /// Seconds for which a status is kept when the origin gives no lifetime.
  public var negative: [Int: Int64] = [:]
  /// What becomes of cookies that a response sets.
  public var cookies = CookieHandling.strip
  /// What of the query is part of the cache key.
  public var query = QueryRules()
  /// The fields that carry tags.
  public var tagFields = TagFields.standard

  /// A policy that follows the standards, with these targeted fields besides `CDN-Cache-Control`.
  public init(ownFields: [[UInt8]] = []) {
    targetedFields = ownFields + [Array("cdn-cache-control".utf8)]
  }
}
