import Testing

@testable import EdgeCache

// Validation upstream (RFC 9111 §4.3), stale responses (§4.2.4), RFC 5861 and RFC 8246.

private let m = "Cache-Control: max-age=60"
private let e = "ETag: \"a\"↵"

/// Stores `first`, lets it become stale, and validates it with `second`.
private func validated(
  _ name: String, _ section: String, _ first: String, _ second: String, _ expectation: String,
  _ later: CachingStep...
) -> CachingRow {
  var row = CachingRow(
    name, section, ask("", "200↵\(first)↵↵one", "stored"), ask("+60", second, expectation))
  row.steps += later
  return row
}

let validationRows: [CachingRow] = [
  // §4.3.1: what is sent.
  validated(
    "by entity tag", "§4.3.1", "\(e)\(m)", "304↵\(m)",
    "fwd=stale fwd-status=304 stored ttl=60 200 =one up:if-none-match:\"a\" !up:if-modified-since",
    hit("+59", "hit ttl=1 =one")),
  validated(
    "by date", "§4.3.1", "Last-Modified: Tue, 14 Nov 2023 00:00:00 GMT↵\(m)", "304↵\(m)",
    "up:if-modified-since:Tue,_14_Nov_2023_00:00:00_GMT !up:if-none-match stored =one"),
  validated(
    "by both", "§4.3.1",
    "\(e)Last-Modified: Tue, 14 Nov 2023 00:00:00 GMT↵\(m)", "304↵\(m)",
    "up:if-none-match:\"a\" up:if-modified-since"),
  validated(
    "by a weak tag", "§4.3.1", "ETag: W/\"a\"↵\(m)", "304↵\(m)",
    "up:if-none-match:W/\"a\" stored"),
  validated(
    "without a validator there is nothing to ask", "§4.3.1", m, "200↵\(m)↵↵two",
    "fwd=stale plain !up:if-none-match !up:if-modified-since =two", hit("", "=two")),
  CachingRow(
    "the client's own validators are not sent", "§4.3.1", ask("", "200↵\(e)\(m)↵↵one", "stored"),
    ask("+60 ↵If-None-Match: \"x\"", "304↵\(m)", "up:if-none-match:\"a\" 200 =one !304")),
  CachingRow(
    "they are sent where nothing is stored", "§4.3.2",
    ask("↵If-None-Match: \"x\"", "200↵\(e)\(m)", "up:if-none-match:\"x\" stored 200")),
  CachingRow(
    "nor is a range, where a response is validated", "§4.3.1",
    ask("", "200↵\(e)\(m)↵↵0123", "stored"),
    ask("+60 ↵Range: bytes=0-1↵If-Range: \"a\"", "304↵\(m)", "!up:range !up:if-range 206 =01")),
  // §4.3.3 and §4.3.4: 304.
  validated(
    "304 brings new fields", "§4.3.4", "\(e)X: 1↵Y: 1↵\(m)", "304↵X: 2↵Z: 3↵\(m)",
    "x:2 !x:1 y:1 z:3", hit("", "x:2 y:1 z:3")),
  validated(
    "304 replaces all lines of a field", "§4.3.4", "\(e)X: 1↵X: 2↵\(m)", "304↵X: 3↵\(m)",
    "x:3 !x:1 !x:2"),
  validated(
    "304 brings several lines of a field", "§4.3.4", "\(e)X: 1↵\(m)", "304↵X: 2↵X: 3↵\(m)",
    "x:2 x:3 !x:1"),
  validated(
    "304 in another letter case", "§4.3.4", "\(e)X-Abc: 1↵\(m)", "304↵x-aBC: 2↵\(m)",
    "x-abc:2 !x-abc:1"),
  validated(
    "304 without fields", "§4.3.4", "\(e)\(m)", "304", "stored ttl=60 cache-control:max-age=60",
    hit("+59", "hit ttl=1")),
  validated(
    "304 without Date", "9110 §6.6.1", "\(e)\(m)", "304↵-date↵\(m)", "stored ttl=60 age:0",
    hit("+59", "hit age:59")),
  validated(
    "304 with Age", "§4.2.3", "\(e)\(m)", "304↵Age: 20↵\(m)", "ttl=40 age:20",
    hit("+39", "hit ttl=1 age:59")),
  validated("Age of what was stored is over", "§4.2.3", "\(e)Age: 50↵\(m)", "304↵\(m)", "ttl=60"),
  validated(
    "304 with a shorter lifetime", "§4.3.4", "\(e)\(m)", "304↵Cache-Control: max-age=5",
    "ttl=5"),
  validated(
    "304 with no-cache", "§4.3.4", "\(e)\(m)", "304↵Cache-Control: no-cache", "stored =one",
    ask("", "304↵\(m)", "fwd=stale validates stored"), hit("", "hit")),
  validated(
    "304 does not change the content's type and coding", "§3.2",
    "\(e)Content-Type: a/b↵Content-Encoding: gzip↵\(m)",
    "304↵Content-Type: c/d↵Content-Encoding: br↵\(m)",
    "content-type:a/b content-encoding:gzip !content-type:c/d !content-encoding:br"),
  validated(
    "304 does not change the coding of content that may be another", "§3.2",
    "ETag: W/\"a\"↵Content-Encoding: gzip↵\(m)",
    "304↵ETag: W/\"a\"↵Content-Encoding: br↵\(m)", "content-encoding:gzip"),
  validated(
    "304 does not change the length", "§3.2", "\(e)\(m)", "304↵Content-Length: 99↵\(m)",
    "content-length:3 =one"),
  validated(
    "304's fields of one connection", "§3.2", "\(e)X-A: 1↵\(m)",
    "304↵Connection: x-a↵X-A: 2↵\(m)", "x-a:1 !x-a:2 !connection"),
  validated(
    "304 of a proxy", "§3.1", "\(e)\(m)", "304↵Proxy-Authenticate: x↵\(m)",
    "!proxy-authenticate"),
  validated("304 with the stored tag", "§4.3.4", "\(e)\(m)", "304↵\(e)\(m)", "stored etag:\"a\""),
  validated(
    "304 with the tag made weak", "§4.3.4", "\(e)\(m)", "304↵ETag: W/\"a\"↵\(m)",
    "stored =one etag:\"a\" !etag:W/\"a\""),
  validated(
    "304 with the weak tag made strong", "§4.3.4", "ETag: W/\"a\"↵\(m)", "304↵\(e)\(m)",
    "stored =one etag:W/\"a\" !etag:\"a\"", hit("↵Range: bytes=0-0↵If-Range: \"a\"", "200 =one")),
  validated(
    "304 with another tag", "§4.3.4", "\(e)\(m)", "304↵ETag: \"b\"↵\(m)‖200↵\(m)↵↵two",
    "200 =two plain !up:if-none-match stored", hit("", "=two")),
  validated(
    "304 with a tag for what had none", "§4.3.4", "Last-Modified: {-600}↵\(m)",
    "304↵\(e)\(m)‖200↵\(m)↵↵two", "=two"),
  validated(
    "304 of an older file", "§4.3.4", "Last-Modified: {-600}↵\(m)",
    "304↵Last-Modified: {-9999}↵\(m)‖200↵\(m)↵↵two", "=two plain"),
  validated(
    "304 with the stored date", "§4.3.4",
    "Last-Modified: Tue, 14 Nov 2023 00:00:00 GMT↵\(m)",
    "304↵Last-Modified: Tuesday, 14-Nov-23 00:00:00 GMT↵\(m)", "=one stored"),
  validated(
    "304 with the stored tag and another date", "§4.3.4",
    "\(e)Last-Modified: {-600}↵\(m)", "304↵\(e)Last-Modified: {-500}↵\(m)", "=one stored"),
  validated(
    "another 304 to the second question", "§4.3.3", "\(e)\(m)",
    "304↵ETag: \"b\"↵\(m)‖304↵\(m)", "304 detail=status"),
  // 304 that forbids storing: good for the request that asked, with what it says.
  validated(
    "304 with no-store", "§4.3.3", "\(e)\(m)", "304↵Cache-Control: no-store",
    "200 =one cache-control:no-store !cache-control:max-age=60 !stored detail=no-store age:0",
    ask("", "200↵\(m)↵↵two", "fwd=uri-miss =two")),
  validated(
    "304 with private", "§4.3.3", "\(e)\(m)", "304↵Cache-Control: private",
    "200 =one cache-control:private !stored detail=private", ask("", "200", "fwd=uri-miss")),
  validated(
    "304 with Vary: *", "§4.3.3", "\(e)\(m)", "304↵Vary: *↵\(m)",
    "200 =one vary:* !stored detail=vary-star", ask("", "200", "fwd=uri-miss")),
  CachingRow(
    "304 to a request with Authorization", "§3.5",
    ask("", "200↵\(e)\(m)↵↵one", "stored"),
    ask("+60 ↵Authorization: x", "304↵\(m)", "200 =one !stored detail=authorization"),
    ask("", "304↵\(m)", "fwd=stale stored =one")),
  // §4.3.3: other answers.
  validated(
    "200 replaces", "§4.3.3", "\(e)\(m)", "200↵ETag: \"b\"↵\(m)↵↵two",
    "fwd=stale stored =two !fwd-status=200", hit("", "hit =two etag:\"b\"")),
  validated(
    "200 with another Vary replaces", "§4.3.3", "\(e)\(m)",
    "200↵Vary: A↵\(m)↵↵two", "=two stored",
    ask("GET /↵A: 1", "200↵\(m)↵↵three", "fwd=vary-miss =three")),
  validated(
    "200 that may not be stored removes", "§4.3.3", "\(e)\(m)",
    "200↵Cache-Control: no-store↵↵two", "=two detail=no-store",
    ask("", "200↵\(m)", "fwd=uri-miss")),
  validated(
    "404 removes", "§4.3.3", "\(e)\(m)", "404↵↵gone", "404 =gone",
    ask("", "200↵\(m)", "fwd=uri-miss")),
  validated(
    "404 with a lifetime replaces", "§4.3.3", "\(e)\(m)", "404↵\(m)↵↵gone", "404 stored",
    hit("", "hit 404 =gone")),
  validated(
    "412 that was not asked for", "§4.3.3", "\(e)\(m)", "412", "412",
    ask("", "200↵\(m)", "fwd=uri-miss")),
  CachingRow(
    "a reload replaces what was fresh, for all", "§4.3.3",
    ask("", "200↵\(e)\(m)↵↵one", "stored"),
    ask("↵Cache-Control: max-age=0", "200↵Vary: A↵\(m)↵↵two", "fwd=request =two stored"),
    ask("GET /↵A: 1", "200↵\(m)↵↵three", "fwd=vary-miss =three")),
]

let staleRows: [CachingRow] = [
  validated(
    "500 and stale", "§4.3.3", "\(e)\(m)", "500",
    "200 =one fwd=stale fwd-status=500 ttl=0 detail=upstream-error age:60",
    ask("", "304↵\(m)", "fwd=stale stored")),
  validated("503 and stale", "§4.3.3", "\(e)\(m)", "503", "200 =one fwd-status=503"),
  validated("503 and stale without validator", "§4.2.4", m, "503", "200 =one fwd-status=503"),
  validated(
    "connection refused", "§4.2.4", "\(e)\(m)", "fail:connect-failed",
    "200 =one ttl=0 detail=connect-failed !fwd-status=500"),
  validated("no answer", "§4.2.4", m, "fail:first-byte-timeout", "200 =one ttl=0"),
  validated("closed before the answer", "§4.2.4", m, "fail:upstream-closed", "200 =one"),
  validated("queue is full", "§4.2.4", m, "fail:queue-full", "200 =one detail=queue-full"),
  validated(
    "must-revalidate", "§5.2.2.2", "\(e)\(m), must-revalidate", "fail:connect-failed",
    "502 detail=connect-failed !=one"),
  validated(
    "must-revalidate and no answer", "§5.2.2.2", "\(e)\(m), must-revalidate",
    "fail:first-byte-timeout", "504"),
  validated(
    "must-revalidate and 500", "§5.2.2.2", "\(e)\(m), must-revalidate", "500↵↵bad",
    "500 =bad", ask("", "304↵\(m)", "fwd=stale stored =one")),
  validated(
    "proxy-revalidate", "§5.2.2.8", "\(e)\(m), proxy-revalidate", "fail:connect-failed",
    "502"),
  validated(
    "s-maxage", "§5.2.2.10", "\(e)Cache-Control: s-maxage=60", "fail:connect-failed", "502"),
  validated("no-cache", "§5.2.2.4", "\(e)Cache-Control: no-cache", "fail:connect-failed", "502"),
  validated("no-cache and 503", "§5.2.2.4", "\(e)Cache-Control: no-cache", "503", "503"),
  CachingRow(
    "stale for a day and no longer", "§4.2.4", ask("", "200↵\(m)↵↵one", "stored"),
    ask("+86460", "fail:connect-failed", "200 =one ttl=-86400"),
    ask("+1", "fail:connect-failed", "502")),
  CachingRow(
    "stale-if-error is the limit where it is given", "5861 §4",
    ask("", "200↵\(m), stale-if-error=10↵↵one", "stored"), ask("+70", "503", "200 ttl=-10"),
    ask("+1", "503", "503"), ask("", "fail:connect-failed", "502")),
  CachingRow(
    "stale-if-error beyond a day", "5861 §4",
    ask("", "200↵\(m), stale-if-error=200000↵↵one", "stored"), ask("+200060", "503", "200 =one"),
    ask("+1", "503", "503")),
  CachingRow(
    "stale-if-error=0", "5861 §4", ask("", "200↵\(m), stale-if-error=0", "stored"),
    ask("+60", "503", "200"), ask("+1", "503", "503")),
  CachingRow(
    "stale-if-error yields to must-revalidate", "5861 §4",
    ask("", "200↵\(m), stale-if-error=10, must-revalidate", "stored"), ask("+60", "503", "503")),
  CachingRow(
    "stale-if-error makes what is stale at once worth storing", "5861 §4",
    ask("", "200↵Cache-Control: max-age=0, stale-if-error=10↵↵one", "stored"),
    ask("+10", "503", "200 =one")),
  CachingRow(
    "nothing stored and no upstream", "9110 §15.6", ask("", "fail:connect-failed", "502"),
    ask("", "fail:connect-timeout", "504"), ask("", "fail:first-byte-timeout", "504"),
    ask("", "fail:queue-timeout", "503"), ask("", "fail:upstream-malformed", "502"),
    ask("", "503↵↵bad", "503 =bad")),
  CachingRow(
    "a failure is not remembered", "§4", ask("", "503", "503 detail=no-freshness"),
    ask("", "200↵\(m)", "stored"), hit("", "hit")),
  // RFC 8246.
  CachingRow(
    "immutable is not validated while it is fresh", "8246 §2",
    ask("", "200↵\(e)\(m), immutable", "stored"),
    hit("+30 ↵Cache-Control: max-age=0", "hit ttl=30"),
    hit("↵Cache-Control: max-age=9", "hit"),
    ask("+30 ↵Cache-Control: max-age=0", "304↵\(m)", "fwd=stale validates")),
  CachingRow(
    "immutable says nothing about what comes after", "8246 §2",
    ask("", "200↵\(e)\(m), immutable", "stored"), hit("↵Cache-Control: min-fresh=60", "hit"),
    ask("+1 ↵Cache-Control: min-fresh=60", "304↵\(m)", "fwd=request")),
  CachingRow(
    "a hashed URL is immutable", "8246 §2",
    ask("GET /app-3f2a9c1b.js", "200↵\(e)Content-Type: text/javascript", "stored"),
    hit("+30 GET /app-3f2a9c1b.js↵Cache-Control: max-age=0", "hit")),
  CachingRow(
    "a hashed URL with a lifetime of its own is not", "8246 §2",
    ask("GET /app-3f2a9c1b.js", "200↵\(e)\(m)", "stored"),
    ask("GET /app-3f2a9c1b.js↵Cache-Control: max-age=0", "304", "fwd=request")),
]

@Suite struct ValidationTests {
  @Test(arguments: validationRows) func validation(_ row: CachingRow) { row.run() }
  @Test(arguments: staleRows) func stale(_ row: CachingRow) { row.run() }
}
