/// An answer of this cache's own, to a request that neither store nor upstream is asked about, or that
/// neither could answer.
public struct OwnAnswer: Sendable, Hashable {
  /// The status code.
  public var status: Int
  /// Why, as the text of its content.
  public var reason: String
  /// What `Cache-Status` says of it, where that says something.
  public var detail: CacheStatusDetail?
  /// True if it says which methods there are (RFC 9110 §10.2.1).
  public var allows = false
  /// True if it asks for a token (RFC 9110 §11.6.1).
  public var challenges = false
  /// Seconds after which the request may be repeated (RFC 9110 §10.2.3).
  public var retryAfter: Int?

  /// An answer from its parts.
  public init(
    _ status: Int, _ reason: String, detail: CacheStatusDetail? = nil, allows: Bool = false,
    challenges: Bool = false, retryAfter: Int? = nil
  ) {
    (self.status, self.reason, self.detail) = (status, reason, detail)
    (self.allows, self.challenges, self.retryAfter) = (allows, challenges, retryAfter)
  }

  /// TRACE would echo what other proxies added, credentials among it (RFC 9110 §9.3.8, §17.10).
  public static let traceRefused = OwnAnswer(405, "TRACE is not supported", allows: true)
  /// OPTIONS that goes no further (RFC 9110 §7.6.2).
  public static let lastRecipient = OwnAnswer(
    200, "this cache is the last recipient", allows: true)
  /// The request has been here before (RFC 5842 §7.2, RFC 8586).
  public static let loop = OwnAnswer(
    508, "the request has passed through this cache before", detail: .loop)
  /// A method that is a purge elsewhere (RFC 9110 §15.6.2).
  public static let purgeMethodUnknown = OwnAnswer(
    501, "of methods that purge there is PURGE and PURGEKEYS; nothing was purged")
  /// No site has the host of the request (RFC 9110 §15.5.20).
  public static let unknownHost = OwnAnswer(421, "no site has this host", detail: .unknownHost)
  /// The request did not come in time (RFC 9110 §15.5.9).
  public static func requestTimeout(_ limit: Interruption) -> OwnAnswer {
    OwnAnswer(408, "the request did not come in time", detail: .interrupted(limit))
  }

  /// The content of the request is larger than the site takes (RFC 9110 §15.5.14).
  public static let contentTooLarge = OwnAnswer(
    413, "the content is larger than this site takes", detail: .interrupted(.largestRequest))
  /// The PoP ends before there was a response (RFC 9110 §15.6.4).
  public static let draining = OwnAnswer(
    503, "this server is about to end", detail: .interrupted(.draining), retryAfter: 1)

  /// The request cannot be read in one way only.
  public static func malformed(_ problem: MalformedMessage) -> OwnAnswer {
    OwnAnswer(problem.status, "\(problem.reason)")
  }

  /// Neither store nor upstream has an answer, for the reason that the status tells.
  public static func failure(_ code: Int, _ status: CacheStatus) -> OwnAnswer {
    OwnAnswer(
      code, status.detail?.token ?? "error", detail: status.detail,
      retryAfter: code == 503 ? 1 : nil)
  }
}
