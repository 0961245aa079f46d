import Testing

@testable import EdgeCache

// Request directives (RFC 9111 §5.2.1), Pragma, invalidation (§4.4) and Cache-Status (RFC 9211).

private let m = "Cache-Control: max-age=60"
private let e = "ETag: \"a\"↵"

/// A request with these directives, some seconds after `e` and `m` were stored.
private func used(_ name: String, _ section: String, _ seconds: Int, _ fields: String) -> CachingRow
{
  CachingRow(
    name, section, ask("", "200↵\(e)\(m)", "stored"),
    hit("+\(seconds) ↵\(fields)", "hit ttl=\(60 - seconds)"))
}

/// The same, when the stored response must be validated first.
private func validated(
  _ name: String, _ section: String, _ seconds: Int, _ fields: String, _ reason: String = "request"
) -> CachingRow {
  CachingRow(
    name, section, ask("", "200↵\(e)\(m)", "stored"),
    ask("+\(seconds) ↵\(fields)", "304↵\(m)", "fwd=\(reason) validates stored 200"),
    hit("", "hit ttl=60"))
}

let requestDirectiveRows: [CachingRow] = [
  used("max-age not reached", "§5.2.1.1", 10, "Cache-Control: max-age=11"),
  used("max-age just reached", "§5.2.1.1", 10, "Cache-Control: max-age=10"),
  validated("max-age exceeded", "§5.2.1.1", 11, "Cache-Control: max-age=10"),
  validated("max-age=0", "§5.2.1.1", 0, "Cache-Control: max-age=0"),
  validated("max-age that is no number", "§5.2.1.1", 0, "Cache-Control: max-age=x"),
  validated(
    "max-age in another line", "§5.2.1.1", 11, "Cache-Control: x↵Cache-Control: max-age=10"),
  used("long max-age", "§5.2.1.1", 59, "Cache-Control: max-age=9999"),
  validated("long max-age keeps nothing fresh", "§4.2", 60, "Cache-Control: max-age=9999", "stale"),
  used("min-fresh", "§5.2.1.3", 10, "Cache-Control: min-fresh=50"),
  validated("min-fresh too long", "§5.2.1.3", 10, "Cache-Control: min-fresh=51"),
  used("min-fresh=0", "§5.2.1.3", 59, "Cache-Control: min-fresh=0"),
  used("max-stale", "§5.2.1.2", 70, "Cache-Control: max-stale=10"),
  validated("max-stale exceeded", "§5.2.1.2", 71, "Cache-Control: max-stale=10", "stale"),
  used("max-stale without number", "§5.2.1.2", 99999, "Cache-Control: max-stale"),
  used("max-stale=0 at the end", "§5.2.1.2", 60, "Cache-Control: max-stale=0"),
  validated("max-stale that is no number", "§5.2.1.2", 60, "Cache-Control: max-stale=x", "stale"),
  used("max-stale within max-age", "§5.2.1.1", 70, "Cache-Control: max-stale=10, max-age=70"),
  validated(
    "max-stale beyond max-age", "§5.2.1.1", 70, "Cache-Control: max-stale=10, max-age=69",
    "stale"),
  used("only-if-cached, fresh", "§5.2.1.7", 9, "Cache-Control: only-if-cached"),
  used(
    "only-if-cached, stale accepted", "§5.2.1.7", 70,
    "Cache-Control: only-if-cached, max-stale=10"),
  used("directives that are not known", "§5.2.3", 9, "Cache-Control: x, y=z, no-transform"),
  used("directives of responses", "§5.2.1", 9, "Cache-Control: private, s-maxage=0, immutable"),
  used("Pragma beside Cache-Control", "§5.4", 9, "Pragma: no-cache↵Cache-Control: max-age=9"),
  CachingRow(
    "max-stale yields to must-revalidate", "§5.2.2.2",
    ask("", "200↵\(e)\(m), must-revalidate", "stored"),
    ask("+61 ↵Cache-Control: max-stale", "304", "fwd=stale validates")),
  CachingRow(
    "max-stale yields to proxy-revalidate", "§5.2.2.8",
    ask("", "200↵\(e)\(m), proxy-revalidate", "stored"),
    ask("+61 ↵Cache-Control: max-stale", "304", "fwd=stale validates")),
  CachingRow(
    "max-stale yields to s-maxage", "§5.2.2.10",
    ask("", "200↵\(e)Cache-Control: s-maxage=60", "stored"),
    ask("+61 ↵Cache-Control: max-stale", "304", "fwd=stale validates")),
  CachingRow(
    "max-stale yields to no-cache", "§5.2.2.4",
    ask("", "200↵\(e)Cache-Control: no-cache, max-age=60", "stored"),
    ask("↵Cache-Control: max-stale", "304", "fwd=stale validates")),
  CachingRow(
    "no-cache validates and replaces", "§5.2.1.4", ask("", "200↵\(e)\(m)↵↵one", "stored"),
    ask(
      "↵Cache-Control: no-cache", "200↵\(m)↵↵two",
      "fwd=request stored =two up:if-none-match:\"a\""),
    hit("", "hit =two")),
  CachingRow(
    "no-cache is not answered with something stale", "§5.2.1.4",
    ask("", "200↵\(e)\(m)↵↵one", "stored"),
    ask("↵Cache-Control: no-cache", "fail:connect-failed", "502"),
    hit("", "hit =one")),
  CachingRow(
    "no-cache with conditions of its own", "§5.2.1.4", ask("", "200↵\(e)\(m)", "stored"),
    ask(
      "↵Cache-Control: no-cache↵If-None-Match: \"x\"", "304", "200 up:if-none-match:\"a\"")),
  CachingRow(
    "Pragma: no-cache", "§5.4", ask("", "200↵\(m)", "stored"),
    ask("↵Pragma: no-cache", "200↵\(m)", "fwd=request stored")),
  CachingRow(
    "no-store goes past the store", "§5.2.1.5", ask("", "200↵\(m)↵↵one", "stored"),
    ask("↵Cache-Control: no-store", "200↵\(m)↵↵two", "fwd=request detail=request-no-store =two"),
    hit("", "hit =one")),
  CachingRow(
    "no-store fills nothing", "§5.2.1.5",
    ask("↵Cache-Control: no-store", "200↵\(m)", "!stored detail=request-no-store"),
    ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "only-if-cached, nothing stored", "§5.2.1.7",
    hit("↵Cache-Control: only-if-cached", "504 detail=only-if-cached !fwd=uri-miss !hit")),
  CachingRow(
    "only-if-cached, stale", "§5.2.1.7", ask("", "200↵\(e)\(m)", "stored"),
    hit("+60 ↵Cache-Control: only-if-cached", "504 detail=only-if-cached")),
  CachingRow(
    "only-if-cached, another variant", "§5.2.1.7", ask("GET /↵A: 1", "200↵Vary: A↵\(m)", "stored"),
    hit("GET /↵A: 2↵Cache-Control: only-if-cached", "504"),
    hit("GET /↵A: 1↵Cache-Control: only-if-cached", "hit")),
  CachingRow(
    "only-if-cached and no-cache", "§5.2.1.7", ask("", "200↵\(m)", "stored"),
    hit("↵Cache-Control: only-if-cached, no-cache", "504")),
  CachingRow(
    "only-if-cached and HEAD", "§5.2.1.7", ask("", "200↵\(m)", "stored"),
    hit("HEAD /↵Cache-Control: only-if-cached", "hit 200 =")),
  CachingRow(
    "max-age=0 without a validator asks for all of it", "§5.2.1.1",
    ask("", "200↵\(m)↵↵one", "stored"),
    ask("↵Cache-Control: max-age=0", "200↵\(m)↵↵two", "fwd=request plain =two stored"),
    hit("", "hit =two")),
  CachingRow(
    "max-age=0 and no upstream", "§4.2.4", ask("", "200↵\(m)↵↵one", "stored"),
    ask("+9 ↵Cache-Control: max-age=0", "fail:connect-failed", "200 =one ttl=51")),
]

/// `method` makes what is stored for `/d/a?q` unusable, or does not.
private func unsafe(
  _ name: String, _ section: String, _ request: String, _ reply: String, _ then: CachingStep
) -> CachingRow {
  CachingRow(
    name, section, ask("GET /d/a?q", "200↵\(e)\(m)↵↵one", "stored"),
    ask(request, reply, "fwd=method"), then)
}

private let gone = ask("GET /d/a?q", "200↵\(m)", "fwd=uri-miss plain")
private let there = hit("GET /d/a?q", "hit =one")

let invalidationRows: [CachingRow] = [
  unsafe("POST", "§4.4", "POST /d/a?q", "200", gone),
  unsafe("PUT", "§4.4", "PUT /d/a?q", "204", gone),
  unsafe("DELETE", "§4.4", "DELETE /d/a?q", "204", gone),
  unsafe("PATCH", "§4.4", "PATCH /d/a?q", "200", gone),
  unsafe("an unknown method", "§4.4", "FROB /d/a?q", "200", gone),
  unsafe("lower-case post is unknown", "9110 §9.1", "post /d/a?q", "200", gone),
  unsafe("201", "§4.4", "POST /d/a?q", "201", gone),
  unsafe("303", "§4.4", "POST /d/a?q", "303↵Location: /x", gone),
  unsafe("OPTIONS", "9110 §9.2.1", "OPTIONS /d/a?q", "200", there),
  unsafe("TRACE", "9110 §9.2.1", "TRACE /d/a?q", "200", there),
  unsafe("400", "§4.4", "POST /d/a?q", "400", there),
  unsafe("404", "§4.4", "DELETE /d/a?q", "404", there),
  unsafe("500", "§4.4", "POST /d/a?q", "500", there),
  unsafe("another query", "§4.4", "POST /d/a?r", "200", there),
  unsafe("another path", "§4.4", "POST /d/a", "200", there),
  unsafe("another host", "§4.4", "POST /d/a?q↵Host: b.example", "200", there),
  unsafe("another port", "§4.4", "POST /d/a?q↵Host: a.example:81", "200", there),
  unsafe("connection refused", "§4.4", "POST /d/a?q", "fail:connect-failed", there),
  unsafe("no answer", "§4.4", "POST /d/a?q", "fail:first-byte-timeout", gone),
  unsafe("Location", "§4.4", "POST /x", "201↵Location: /d/a?q", gone),
  unsafe("Content-Location", "§4.4", "POST /x", "200↵Content-Location: /d/a?q", gone),
  unsafe("absolute Location", "§4.4", "POST /x", "201↵Location: http://a.example/d/a?q", gone),
  unsafe(
    "Location with the scheme's port", "§4.4", "POST /x",
    "201↵Location: http://A.example:80/d/a?q", gone),
  unsafe("Location with a fragment", "§4.4", "POST /x", "201↵Location: /d/a?q#f", gone),
  unsafe("relative Location", "3986 §5.2", "POST /d/x?y/z", "201↵Location: a?q", gone),
  unsafe("relative Location up and down", "3986 §5.2", "POST /x", "201↵Location: d/a?q", gone),
  unsafe("Location of a query", "3986 §5.2", "POST /d/a?r", "201↵Location: ?q", gone),
  unsafe(
    "Location of another host", "§4.4", "POST /x↵Host: b.example",
    "201↵Location: http://a.example/d/a?q", there),
  unsafe(
    "Location of another scheme", "§4.4", "POST /x", "201↵Location: https://a.example/d/a?q",
    there),
  unsafe(
    "Location of another port", "§4.4", "POST /x", "201↵Location: http://a.example:81/d/a?q",
    there),
  unsafe("Location of an error", "§4.4", "POST /x", "400↵Location: /d/a?q", there),
  unsafe("Location after a safe method", "§4.4", "OPTIONS /x", "200↵Location: /d/a?q", there),
  unsafe("two Locations", "§4.4", "POST /x", "201↵Location: /d/a?q↵Location: /y", there),
  unsafe("Location that is no URI", "§4.4", "POST /x", "201↵Location: :::", there),
  unsafe(
    "Location of a host that only begins alike", "§4.4", "POST /x",
    "201↵Location: http://a.example.b/d/a?q", there),
  CachingRow(
    "Location after GET", "§4.4", ask("GET /a", "200↵\(m)↵↵one", "stored"),
    ask("GET /b", "302↵Location: /a", ""), hit("GET /a", "hit")),
  CachingRow(
    "all variants", "§4.4", ask("GET /↵A: 1", "200↵Vary: A↵\(m)", "stored"),
    ask("GET /↵A: 2", "200↵Vary: A↵\(m)", "stored"), ask("POST /↵A: 3", "200", ""),
    ask("GET /↵A: 1", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "nothing is served in its place", "§4.4", ask("", "200↵\(e)\(m)", "stored"),
    ask("POST /", "200", ""), ask("", "fail:connect-failed", "502")),
]

let cacheStatusRows: [CachingRow] = [
  CachingRow(
    "hit", "9211 §2.1", ask("", "200↵\(m)", ""),
    hit("+1", "cache-status:edge;_hit;_ttl=59")),
  CachingRow(
    "miss", "9211 §2.2", ask("", "200↵\(m)", "cache-status:edge;_fwd=uri-miss;_ttl=60;_stored")),
  CachingRow(
    "vary-miss", "9211 §2.2", ask("GET /↵A: 1", "200↵Vary: A↵\(m)", ""),
    ask("GET /↵A: 2", "200↵Vary: A↵\(m)", "cache-status:edge;_fwd=vary-miss;_ttl=60;_stored")),
  CachingRow(
    "refused", "9211 §2.8",
    ask("", "200↵Cache-Control: private", "cache-status:edge;_fwd=uri-miss;_detail=private")),
  CachingRow(
    "freshened", "9211 §2.3", ask("", "200↵\(e)\(m)", ""),
    ask("+60", "304↵\(m)", "cache-status:edge;_fwd=stale;_fwd-status=304;_ttl=60;_stored")),
  CachingRow(
    "stale", "9211 §2.4", ask("", "200↵\(m)", ""),
    ask("+65", "503", "cache-status:edge;_fwd=stale;_fwd-status=503;_ttl=-5;_detail=upstream-error")
  ),
  CachingRow(
    "stale by request", "9211 §2.4", ask("", "200↵\(m)", ""),
    hit("+65 ↵Cache-Control: max-stale", "cache-status:edge;_hit;_ttl=-5")),
  CachingRow(
    "method", "9211 §2.2", ask("POST /", "200", "cache-status:edge;_fwd=method;_detail=method")),
  CachingRow(
    "request", "9211 §2.2",
    ask(
      "↵Cache-Control: no-store", "200", "cache-status:edge;_fwd=request;_detail=request-no-store")),
  CachingRow(
    "bypass", "9211 §2.2",
    ask("↵If-Match: \"a\"", "200", "cache-status:edge;_fwd=bypass;_detail=pass-through")),
  CachingRow(
    "failure", "9211 §2.8",
    ask("", "fail:connect-failed", "cache-status:edge;_fwd=uri-miss;_detail=connect-failed")),
  CachingRow(
    "only-if-cached", "9211 §2.8",
    hit("↵Cache-Control: only-if-cached", "cache-status:edge;_detail=only-if-cached")),
]

@Suite struct RequestDirectiveTests {
  @Test(arguments: requestDirectiveRows) func directives(_ row: CachingRow) { row.run() }
  @Test(arguments: invalidationRows) func invalidation(_ row: CachingRow) { row.run() }
  @Test(arguments: cacheStatusRows) func cacheStatus(_ row: CachingRow) { row.run() }

  /// `fwd` has exactly the tokens of RFC 9211 §2.2, and details are tokens (§2.8).
  @Test func tokens() {
    #expect(
      Set(ForwardReason.allCases.map(\.rawValue)) == [
        "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial",
      ])
    let details =
      StorageRefusal.allCases.map { CacheStatusDetail.refused($0) }
      + UpstreamFailure.allCases.map { .failed($0) } + [.onlyIfCached, .unknownHost, .distrusted]
    for detail in details {
      #expect(detail.token.utf8.allSatisfy { $0.isToken } && !detail.token.isEmpty)
    }
  }
}
