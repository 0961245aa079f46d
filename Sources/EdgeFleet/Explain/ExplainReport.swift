// The answer of `GET /explain`: what a PoP has stored for a URL, what it would do with a request
// for it at this moment, and by which rules. It is a report to people and like every reply read
// leniently: a newer PoP may tell more than an older client knows. The question is ExplainQuery.

import FoundationEssentials

/// What a PoP would do with a request, and why.
public struct ExplainReport: Codable, Sendable, Hashable {
  /// The id of the PoP.
  public var pop: String
  /// The URL that was asked about.
  public var url: String
  /// The method that was asked about.
  public var method: String
  /// The cache key that request and site make of them.
  public var key: String
  /// The name of the site, nil if no site has the host.
  public var site: String?
  /// Where the path leads, `origin` or `api`; nil if no site has the host.
  public var route: String?
  /// The prefix of the route that the path belongs to; nil if it belongs to none.
  public var prefix: String?
  /// The limits in force for the request; nil if no site has the host, or the PoP is of a version that does not tell.
  public var limits: [Limit]?
  /// The responses that are stored under the key, each variant for itself.
  public var stored: [Variant]
  /// The number of the newest purge that touches the URL, nil if none does.
  public var purge: UInt64?
  /// The number of the newest purge of all; 0 before the first.
  public var purgeHead: UInt64
  /// Whether the key is known not to be storable, so that its requests do not wait for each other.
  public var hitForMiss: Bool
  /// How many flights for the key are on their way.
  public var inFlight: Int
  /// The Cache-Status that the request would get (RFC 9211), without the name of the cache.
  public var outcome: String
  /// Why, in sentences with the sections of the RFCs.
  public var because: [String]

  /// A report of these parts.
  public init(
    pop: String, url: String, method: String, key: String, site: String? = nil,
    route: String? = nil, stored: [Variant] = [], purge: UInt64? = nil, purgeHead: UInt64,
    hitForMiss: Bool = false, inFlight: Int = 0, outcome: String, because: [String] = []
  ) {
    (self.pop, self.url, self.method, self.key) = (pop, url, method, key)
    (self.site, self.route, self.stored) = (site, route, stored)
    (self.purge, self.purgeHead) = (purge, purgeHead)
    (self.hitForMiss, self.inFlight) = (hitForMiss, inFlight)
    (self.outcome, self.because) = (outcome, because)
  }

  /// The body of a reply.
  public var json: [UInt8] { JSONForm.line.bytes(self) }
}

extension ExplainReport {
  /// A limit that is in force.
  public struct Limit: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The key of the configuration.
    public var setting: String
    /// The value as the configuration would write it, or `none`.
    public var value: String
    /// Who says so: `route /prefix`, `site name`, `fleet` or `default`.
    public var from: String

    /// A limit of these parts.
    public init(setting: String, value: String, from: String) {
      (self.setting, self.value, self.from) = (setting, value, from)
    }

    /// It in a line: `firstByteTimeout 1m (default)`.
    public var description: String { "\(setting) \(value) (\(from))" }
  }

  /// One stored response.
  public struct Variant: Codable, Sendable, Hashable {
    /// Its status.
    public var status: Int
    /// Whether the fields of the request select it (RFC 9111 §4.1).
    public var selected: Bool
    /// The fields that its Vary names, as `accept-encoding: gzip` or `accept-encoding: (absent)`.
    public var vary: [String]
    /// How much content is stored, in bytes.
    public var bytes: Int
    /// Which part of the content is stored, as `0-99/1000`; nil if all of it is.
    public var range: String?
    /// Its freshness lifetime in seconds.
    public var lifetime: Int64
    /// What the lifetime is from, as `max-age of CDN-Cache-Control`.
    public var lifetimeSource: String
    /// Its current age in seconds.
    public var age: Int64
    /// The seconds of freshness that are left, negative when it is stale.
    public var ttl: Int64
    /// Its validators, as `ETag: "a"`.
    public var validators: [String]
    /// The tags it can be purged by.
    public var tags: [String]
    /// The tier that holds it, as `memory`.
    public var tier: String
    /// The number of the newest purge that touches it, nil if none does.
    public var purge: UInt64?
    /// What else decides about it, as `must-revalidate: never served stale (RFC 9111 §5.2.2.2)`.
    public var notes: [String]

    /// A stored response of these parts.
    public init(
      status: Int, selected: Bool, vary: [String] = [], bytes: Int, range: String? = nil,
      lifetime: Int64, lifetimeSource: String, age: Int64, ttl: Int64, validators: [String] = [],
      tags: [String] = [], tier: String = "memory", purge: UInt64? = nil, notes: [String] = []
    ) {
      (self.status, self.selected, self.vary) = (status, selected, vary)
      (self.bytes, self.range) = (bytes, range)
      (self.lifetime, self.lifetimeSource) = (lifetime, lifetimeSource)
      (self.age, self.ttl) = (age, ttl)
      (self.validators, self.tags, self.tier) = (validators, tags, tier)
      (self.purge, self.notes) = (purge, notes)
    }
  }
}
