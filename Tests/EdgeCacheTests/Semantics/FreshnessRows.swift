import Testing

@testable import EdgeCache

// Freshness lifetime and age (RFC 9111 §4.2).

/// A response that may be used for exactly `seconds` after it arrived.
private func fresh(
  _ name: String, _ section: String, _ reply: String, for seconds: Int64, at path: String = "/"
) -> CachingRow {
  guard seconds > 0 else {
    return CachingRow(
      name, section, ask("GET \(path)", reply, "fwd=uri-miss stored"),
      ask("GET \(path)", "304", "fwd=stale"))
  }
  return CachingRow(
    name, section, ask("GET \(path)", reply, "fwd=uri-miss stored ttl=\(seconds)"),
    hit("+\(seconds - 1) GET \(path)", "hit ttl=1 =content"),
    ask("+1 GET \(path)", "200↵Cache-Control: no-store", "fwd=stale detail=no-store"))
}

/// A response that is not stored.
private func refused(
  _ name: String, _ section: String, _ reply: String, _ why: String
) -> CachingRow {
  CachingRow(
    name, section, ask("", reply, "fwd=uri-miss !stored detail=\(why)"),
    ask("", reply, "fwd=uri-miss !stored detail=\(why)"))
}

private let e = "ETag: \"a\"↵"
private let script = "Content-Type: text/javascript"

let lifetimeRows: [CachingRow] = [
  fresh("max-age", "§4.2.1", "200↵Cache-Control: max-age=60", for: 60),
  fresh("s-maxage", "§4.2.1", "200↵Cache-Control: s-maxage=60", for: 60),
  fresh("s-maxage before max-age", "§4.2.1", "200↵Cache-Control: max-age=5, s-maxage=60", for: 60),
  fresh("short s-maxage", "§5.2.2.10", "200↵Cache-Control: s-maxage=5, max-age=60", for: 5),
  fresh("max-age before Expires", "§5.3", "200↵Cache-Control: max-age=9↵Expires: {60}", for: 9),
  fresh("s-maxage before Expires", "§5.3", "200↵Cache-Control: s-maxage=9↵Expires: {60}", for: 9),
  fresh("past Expires and max-age", "§5.3", "200↵Cache-Control: max-age=9↵Expires: {-60}", for: 9),
  fresh("invalid Expires and max-age", "§5.3", "200↵Cache-Control: max-age=9↵Expires: 0", for: 9),
  fresh("Expires", "§5.3", "200↵Expires: {60}", for: 60),
  fresh("Expires against Date", "§4.2.1", "200↵Date: {-10}↵Expires: {50}", for: 50),
  fresh("Expires without Date", "§4.2.1", "200↵-date↵Expires: {60}", for: 60),
  fresh("first Expires of two", "§4.2.1", "200↵Expires: {9}↵Expires: {60}", for: 9),
  fresh("Expires 0 with a validator", "§5.3", "200↵\(e)Expires: 0", for: 0),
  fresh("Expires -1 with a validator", "§5.3", "200↵\(e)Expires: -1", for: 0),
  fresh("Expires in words", "§5.3", "200↵\(e)Expires: never", for: 0),
  fresh("Expires in the past", "§5.3", "200↵\(e)Expires: {-1}", for: 0),
  fresh("Expires now", "§4.2", "200↵\(e)Expires: {0}", for: 0),
  fresh(
    "Expires before Last-Modified", "§4.2.2",
    "200↵Expires: {9}↵Last-Modified: {-1000}", for: 9),
  fresh("heuristic", "§4.2.2", "200↵Last-Modified: {-1000}", for: 100),
  fresh("heuristic is a day at most", "§4.2.2", "200↵Last-Modified: {-100000000}", for: 86400),
  fresh("heuristic against Date", "§4.2.2", "200↵Date: {-10}↵Last-Modified: {-1010}", for: 90),
  fresh("heuristic for 301", "9110 §15.1", "301↵Last-Modified: {-1000}", for: 100),
  fresh("heuristic for 203", "9110 §15.1", "203↵Last-Modified: {-1000}", for: 100),
  fresh(
    "heuristic for public 302", "§5.2.2.9",
    "302↵Cache-Control: public↵Last-Modified: {-1000}", for: 100),
  fresh("Last-Modified just now", "§4.2.2", "200↵Last-Modified: {-9}", for: 0),
  fresh("hashed URL", "§4.2.1", "200↵\(script)", for: 31_536_000, at: "/app-3f2a9c1b.js"),
  fresh(
    "max-age and a hashed URL", "§4.2.1", "200↵Cache-Control: max-age=9", for: 9,
    at: "/app-3f2a9c1b.js"),
  fresh("Expires and a hashed URL", "§4.2.1", "200↵Expires: {9}", for: 9, at: "/app-3f2a9c1b.js"),
  fresh(
    "hashed URL before heuristic", "§4.2.1", "200↵\(script)↵Last-Modified: {-1000}",
    for: 31_536_000, at: "/app-3f2a9c1b.js"),
  fresh(
    "max-age=0 and a hashed URL", "§4.2.1", "200↵\(e)Cache-Control: max-age=0", for: 0,
    at: "/app-3f2a9c1b.js"),
  fresh(
    "no-cache and a hashed URL", "§5.2.2.4", "200↵\(e)Cache-Control: no-cache", for: 0,
    at: "/app-3f2a9c1b.js"),
  fresh("explicit lifetime of 404", "§3", "404↵Cache-Control: max-age=9", for: 9),
  fresh("explicit lifetime of 500", "§3", "500↵Cache-Control: max-age=9", for: 9),
  fresh("explicit lifetime of an unknown status", "§3", "299↵Cache-Control: max-age=9", for: 9),
  fresh("explicit lifetime of 204", "§3", "204↵Cache-Control: max-age=1", for: 1)
    .withoutContent,
  refused("no information", "§4.2.2", "200", "no-freshness"),
  refused("only an entity tag", "§4.2.2", "200↵\(e)", "no-freshness"),
  refused("only public", "§4.2.2", "200↵Cache-Control: public", "no-freshness"),
  refused("Last-Modified in the future", "§4.2.2", "200↵Last-Modified: {60}", "no-freshness"),
  refused("Last-Modified in words", "§4.2.2", "200↵Last-Modified: yesterday", "no-freshness"),
  refused("heuristic not for 302", "9110 §15.1", "302↵Last-Modified: {-1000}", "no-freshness"),
  refused("heuristic not for 500", "9110 §15.1", "500↵Last-Modified: {-1000}", "no-freshness"),
  refused("max-age=0 without validator", "§4.2.4", "200↵Cache-Control: max-age=0", "not-reusable"),
  refused("Expires 0 without validator", "§5.3", "200↵Expires: 0", "not-reusable"),
  refused("no-cache without validator", "§5.2.2.4", "200↵Cache-Control: no-cache", "no-freshness"),
]

/// A response that is `age` seconds old when it arrives, stored for a lifetime of 100.
private func aged(_ name: String, _ section: String, _ reply: String, _ age: Int64) -> CachingRow {
  CachingRow(
    name, section,
    ask("", reply + "↵Cache-Control: max-age=100", "stored ttl=\(100 - age) age:\(age)"),
    hit("+7", "hit ttl=\(93 - age) age:\(age + 7)"))
}

let ageRows: [CachingRow] = [
  aged("new", "§4.2.3", "200", 0),
  aged("Age", "§5.1", "200↵Age: 30", 30),
  aged("apparent age", "§4.2.3", "200↵Date: {-30}", 30),
  aged("the greater of the two: Age", "§4.2.3", "200↵Date: {-30}↵Age: 40", 40),
  aged("the greater of the two: Date", "§4.2.3", "200↵Date: {-50}↵Age: 40", 50),
  aged("Date in the future", "§4.2.3", "200↵Date: {50}", 0),
  aged("Date in the future and Age", "§4.2.3", "200↵Date: {50}↵Age: 4", 4),
  aged("Date that is none", "§4.2.3", "200↵Date: today", 0),
  aged("no Date", "9110 §6.6.1", "200↵-date", 0),
  aged("response delay", "§4.2.3", "~5 200↵Age: 30", 35),
  aged("response delay without Age", "§4.2.3", "~5 200", 5),
  aged("response delay is not added to Date", "§4.2.3", "~5 200↵Date: {-30}", 30),
  aged("first Age of a list", "§5.1", "200↵Age: 30, 50", 30),
  aged("first Age of two lines", "§5.1", "200↵Age: 30↵Age: 50", 30),
  aged("negative Age", "§5.1", "200↵Age: -30", 0),
  aged("Age with a fraction", "§5.1", "200↵Age: 30.5", 0),
  aged("Age in words", "§5.1", "200↵Age: old", 0),
  aged("Age in quotes", "§5.1", "200↵Age: \"30\"", 0),
  aged("empty Age", "§5.1", "200↵Age: ", 0),
  aged("empty first Age", "§5.1", "200↵Age: , 30", 0),
  aged("Age with zeros before", "§5.1", "200↵Age: 0030", 30),
  CachingRow(
    "Age past the lifetime", "§4.2", ask("", "200↵\(e)Age: 60↵Cache-Control: max-age=60", "stored"),
    ask("", "304↵Cache-Control: max-age=60", "fwd=stale up:if-none-match:\"a\"")),
  CachingRow(
    "Age beyond all numbers", "§1.2.2",
    ask("", "200↵\(e)Age: 99999999999999999999↵Cache-Control: max-age=60", "stored"),
    ask("", "304↵Cache-Control: max-age=60", "fwd=stale ttl=60 age:0")),
  CachingRow(
    "lifetime beyond all numbers", "§1.2.2",
    ask("", "200↵Cache-Control: max-age=99999999999999999999", "stored ttl=2147483648"),
    hit("+2147483647", "hit ttl=1"), ask("+1", "200↵Cache-Control: no-store", "fwd=stale")),
  CachingRow(
    "Age of the upstream is replaced, not added", "§5.1",
    ask("", "200↵Age: 9↵Cache-Control: max-age=60", "age:9"), hit("+1", "age:10 !age:9")),
  CachingRow(
    "an upstream's Age passes through", "§5.1",
    ask("", "200↵Age: 9↵Cache-Control: no-store", "age:9 !stored")),
]

extension CachingRow {
  /// The same row for a response without content.
  fileprivate var withoutContent: CachingRow {
    var row = self
    row.steps = steps.map { step in
      var step = step
      step.expectation.replace("=content", with: "204")
      return step
    }
    return row
  }
}

@Suite struct FreshnessTests {
  @Test(arguments: lifetimeRows) func lifetime(_ row: CachingRow) { row.run() }
  @Test(arguments: ageRows) func age(_ row: CachingRow) { row.run() }

  /// A clock that was set back makes nothing younger than it was (§4.2.3).
  @Test func clockSetBack() {
    let world = CoreWorld()
    world.begin("GET / HTTP/1.1↵Host: a").answer("HTTP/1.1 200 OK↵Age: 9↵Cache-Control: max-age=60")
    world.now = world.now.adding(seconds: -1000)
    let second = world.begin("GET / HTTP/1.1↵Host: a")
    #expect(second.received.parsed?.fields.text(.age) == "9")
    #expect(second.status.ttl == 51)
  }
}
