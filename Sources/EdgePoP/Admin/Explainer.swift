import EdgeCache
import EdgeFleet
import NIOCore

// GET /explain of the admin API: makes the request that is asked about as bytes, reads them as the
// data plane would, and reports what the core says to it.

/// Answers what would happen to a request, without asking an upstream.
struct Explainer: Sendable {
  let popID: String
  let store: Store
  let routing: Routing
  let cacheName: [UInt8]
  let disk: DiskTier?
  let configuration: FleetConfiguration
  let defaults: ShellLimits
  /// True if clients may purge here.
  let takesPurges: Bool

  /// The report on a request; a sentence where it is not one that a client could send.
  /// Looks on disk, too.
  func report(
    _ query: ExplainQuery, now: Instant
  ) async -> Result<ExplainReport, ExplainFailure> {
    let url: (isSecure: Bool, authority: Substring, target: Substring)
    guard let parts = Self.split(query.url) else {
      return .failure(ExplainFailure("the URL is not an http or https URL"))
    }
    url = parts
    var bytes = ByteBuffer()
    bytes.writeString("\(query.method) \(url.target) HTTP/1.1\r\nHost: \(url.authority)\r\n")
    for field in query.fields { bytes.writeString("\(field.name): \(field.value)\r\n") }
    bytes.writeString("\r\n")
    let head: RequestHead
    do throws(MalformedMessage) {
      var parser = RequestParser()
      guard case .head(let parsed, _) = try parser.parse(bytes) else {
        return .failure(ExplainFailure("the request is not complete"))
      }
      head = parsed
    } catch {
      return .failure(
        ExplainFailure("such a request is answered \(error.status): \(error.reason)"))
    }
    var key = CacheKey(head, isSecure: url.isSecure, secret: store.secret)
    if let why = ownAnswer(head) { return .success(refused(query, key, why)) }
    guard let route = routing.route(&key, secret: store.secret) else {
      return .success(refused(query, key, "No site has this host: 421 (RFC 9110 §15.5.20)."))
    }
    if LoopDetection.hasPassed(head.fields, cacheName: cacheName) {
      return .success(
        refused(query, key, "The request has passed through this cache before: 508 (RFC 8586)."))
    }
    let explanation = Explanation(
      request: head, key: key, directives: route.directives(head.fields), route: route,
      store: store, below: await disk?.variants(of: key) ?? [], now: now)
    return .success(report(query, key, route, explanation, now))
  }

  /// What is said of a request whose method alone decides; nil if others do, too.
  private func ownAnswer(_ head: RequestHead) -> String? {
    if head.method == .trace {
      return "TRACE would tell what proxies added: 405 (RFC 9110 §9.3.8, §17.10)."
    }
    guard takesPurges else { return nil }
    return switch ClientPurge.method(head) {
    case nil: nil
    case .unknown:
      "The method is a purge elsewhere, and not understood here: 501. Nothing is purged."
    case .purge, .purgeKeys:
      "The method is a purge: it is carried out if the client may order it, and not forwarded."
    }
  }

  private func report(
    _ query: ExplainQuery, _ key: CacheKey, _ route: RequestRoute, _ explanation: Explanation,
    _ now: Instant
  ) -> ExplainReport {
    var because = explanation.because
    if route.cached == nil, route.refusal == .ambiguousPath, let other = routing.apiReading(key) {
      because.append("It may be taken for \(other), which belongs to the regional API.")
    }
    var result = ExplainReport(
      pop: popID, url: query.url, method: query.method, key: key.url,
      site: routing.siteName(route),
      route: route.cached == nil && route.refusal == .route ? "api" : "origin",
      stored: explanation.stored.map { Self.variant($0, now) },
      purge: explanation.purge == 0 ? nil : explanation.purge, purgeHead: store.purges.head,
      hitForMiss: explanation.isHitForMiss, inFlight: explanation.flights,
      outcome: Self.text(explanation.status), because: because)
    let site = configuration.sites[route.site]
    result.prefix = configuration.routePrefix(site, path: key.normalPath)
    result.limits = configuration.limitsInForce(
      site, prefix: result.prefix, defaults: defaults)
    return result
  }

  private func refused(_ query: ExplainQuery, _ key: CacheKey, _ why: String) -> ExplainReport {
    ExplainReport(
      pop: popID, url: query.url, method: query.method, key: key.url, site: nil, route: nil,
      stored: [], purge: nil, purgeHead: store.purges.head, hitForMiss: false, inFlight: 0,
      outcome: "", because: [why])
  }

  /// The parameters of the status, without the name of the cache.
  private static func text(_ status: CacheStatus) -> String {
    String(status.text(name: []).drop { $0 == ";" || $0 == " " })
  }

  private static func variant(_ item: Explanation.Item, _ now: Instant) -> ExplainReport.Variant {
    let response = item.response
    let fields = response.head.fields
    var validators: [String] = []
    if let etag = fields.text(.etag) { validators.append("ETag: \(etag)") }
    if let modified = fields.text(.lastModified) { validators.append("Last-Modified: \(modified)") }
    return ExplainReport.Variant(
      status: response.head.status, selected: item.isSelected, vary: response.selector.texts,
      bytes: response.sentCount, range: response.parts?.text,
      lifetime: response.freshness.lifetime,
      lifetimeSource: response.freshness.sourceText, age: response.freshness.age(now),
      ttl: response.freshness.ttl(now), validators: validators,
      tags: CacheTag.names(response.head).map {
        String(decoding: $0, as: UTF8.self)
      },
      tier: item.isBelow ? "disk" : "memory",
      purge: item.purge == 0 ? nil : item.purge, notes: response.freshness.notes)
  }

  private static func split(
    _ url: String
  ) -> (isSecure: Bool, authority: Substring, target: Substring)? {
    let isSecure = url.lowercased().hasPrefix("https://")
    guard isSecure || url.lowercased().hasPrefix("http://") else { return nil }
    let rest = url.dropFirst(isSecure ? 8 : 7)
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    let target = rest[end...]
    return (isSecure, rest[..<end], target.hasPrefix("/") ? target : "/\(target)")
  }
}

/// Why a request cannot be explained, as a sentence.
struct ExplainFailure: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
