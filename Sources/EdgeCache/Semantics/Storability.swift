// May this response be kept? (RFC 9111 §3)

/// Why a response was not stored; one case for each rule. The raw value is the `detail` of
/// `Cache-Status`.
public enum StorageRefusal: String, Error, Sendable, Hashable, CaseIterable {
  /// The method is neither GET nor HEAD (§3).
  case method = "method"
  /// The response is to HEAD and has no content to keep.
  case head = "head"
  /// The request said `no-store` (§5.2.1.5).
  case requestNoStore = "request-no-store"
  /// The request went past the store on purpose: `no-cache` or content in a GET.
  case passThrough = "pass-through"
  /// The path belongs to the regional API.
  case route = "route"
  /// A server that decodes more than others would take the path for one of the regional API.
  case ambiguousPath = "ambiguous-path"
  /// The response said `no-store` (§5.2.2.5).
  case noStore = "no-store"
  /// The response said `private` (§5.2.2.7).
  case isPrivate = "private"
  /// The request had `Authorization` and the response does not allow sharing (§3.5).
  case authorization = "authorization"
  /// It is about who is known by a connection (RFC 9110 §3.3), on which nobody else's request may go.
  case connectionBound = "connection-bound"
  /// Only part of the content was asked for or sent (§3.3).
  case partial = "partial"
  /// The status is interim, or 304 to a request that had not asked.
  case status = "status"
  /// `must-understand` with a status that this cache does not know (§5.2.2.3).
  case mustUnderstand = "must-understand"
  /// `Vary: *` (§4.1).
  case varyStar = "vary-star"
  /// No lifetime: neither given nor to be guessed (§4.2.2).
  case noFreshness = "no-freshness"
  /// No lifetime is left and there is no validator, so it could never be used.
  case notReusable = "not-reusable"
  /// `Set-Cookie` without an explicit lifetime (§7.3), or at a site that stores no response with one.
  case setCookie = "set-cookie"
  /// The content is coded with a dictionary that the request had not (RFC 9842 §6).
  case dictionary = "dictionary"
  /// Longer than the largest stored response.
  case tooLarge = "too-large"
  /// The memory tier has no room, even after evicting.
  case full = "full"
  /// A purge of this URL came while it was on its way.
  case purged = "purged"
  /// An unsafe request for this URL came while it was on its way (§4.4).
  case invalidated = "invalidated"
  /// The content broke off (§3.3).
  case incomplete = "incomplete"
  /// Its content comes at less than a fixed rate.
  case tooSlow = "too-slow"
  /// It has trailer fields and is only a part, with which they cannot be kept (RFC 9110 §6.5).
  case trailers = "trailers"
  /// There are as many variants of this URL as may be kept, all of them fresh.
  case variantLimit = "variant-limit"
  /// It has more tags than can be kept, and without them could not be purged by each of them.
  case tooManyTags = "too-many-tags"
}

/// Decides whether a response may be stored.
public enum Storability {
  /// What a response is stored with, if it may be.
  public struct Accepted: Sendable {
    public var freshness: Freshness
    public var selector: VariantSelector
    /// Names in lower case of fields that are not kept: by order of the origin (RFC 9111 §5.2.2.4, §5.2.2.7), and
    /// because they are for one client.
    public var withheld: [[UInt8]] = []
    /// The part of the content that a 206 brings (§3.3).
    public var part: ContentPart?
  }

  /// Whether the response to a GET may be stored, and with what. O(bytes of the fields).
  ///
  /// `asksForPart` says that one range was asked for, so that a 206 may be an incomplete response.
  public static func decide(
    request: RequestHead,
    requestDirectives: CacheControl,
    response: ResponseHead,
    policy: SitePolicy,
    asksForPart: Bool = false,
    requestTime: Instant,
    responseTime: Instant,
    hashedURL: @autoclosure () -> HashedURL
  ) -> Result<Accepted, StorageRefusal> {
    // HEAD can freshen what GET stored (§4.3.5).
    guard request.method == .get || request.method == .head else { return .failure(.method) }
    if requestDirectives.noStore { return .failure(.requestNoStore) }
    let status = response.status
    var part: ContentPart?
    // `Content-Range` means nothing with any other status (RFC 9110 §14.4).
    if status == 206 {
      guard asksForPart, let sent = ContentPart(response) else { return .failure(.partial) }
      part = sent
    }
    // What 226 holds is told by fields that this cache does not know (RFC 3229 §10.4.1).
    if status < 200 || status == 304 || status == 226 { return .failure(.status) }
    if response.asksForConnectionCredentials { return .failure(.connectionBound) }
    // It is about the range of this request, and the key does not tell ranges apart.
    if status == 416, request.fields.contains(.range) { return .failure(.partial) }

    let directives = ResponseDirectives(response.fields, policy: policy)
    let control = directives.control
    if control.mustUnderstand {
      // §5.2.2.3: with it, no-store is for caches that do not know the status.
      if !isUnderstood(status) { return .failure(.mustUnderstand) }
    } else if control.noStore {
      return .failure(.noStore)
    }
    if control.isPrivate { return .failure(.isPrivate) }
    if request.fields.contains(.authorization),
      !control.isPublic, !control.mustRevalidate, control.sMaxAge == nil
    {
      return .failure(.authorization)
    }
    guard let selector = VariantSelector(response: response.fields, request: request.fields) else {
      return .failure(.varyStar)
    }
    if CacheTag.areTooMany(response.fields, in: policy.tagFields) { return .failure(.tooManyTags) }
    if response.fields.isDictionaryCoded {
      if !selector.hasDictionary { return .failure(.dictionary) }
      // No part of such a content is of use to anybody.
      if part != nil { return .failure(.partial) }
    }

    let freshness = Freshness(
      response, directives: directives, policy: policy, requestTime: requestTime,
      responseTime: responseTime, hashedURL: hashedURL())
    // Whoever sets a cookie and says nothing of a lifetime may well have made the content for that one client too.
    if !freshness.source.isExplicit || policy.cookies == .refuse,
      ClientFields.setsCookie(response.fields, withheld: directives.withheld)
    {
      return .failure(.setCookie)
    }
    let hasValidator =
      response.fields.contains(.etag) || response.fields.contains(.lastModified)
    if freshness.source == .none, !(control.noCache && hasValidator) {
      return .failure(.noFreshness)
    }
    if !freshness.isFresh(responseTime), !hasValidator, freshness.staleIfError == nil,
      freshness.staleWhileRevalidate == 0
    {
      return .failure(.notReusable)
    }
    return .success(
      Accepted(
        freshness: freshness, selector: selector,
        withheld: directives.withheld + ClientFields.names(response.fields, policy.cookies),
        part: part))
  }

  /// The statuses whose caching rules this cache knows and follows (RFC 9110 §15).
  static func isUnderstood(_ status: Int) -> Bool {
    switch status {
    case 200, 201, 202, 203, 204, 206, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406,
      409,
      410, 411, 413, 414, 415, 416, 417, 421, 422, 426, 451, 500, 501, 502, 503, 504, 505:
      true
    default: false
    }
  }
}
