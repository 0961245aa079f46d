// How long a response is used, and how old it is (RFC 9111 §4.2).

extension Histories {
  private static let script = "Content-Type: text/javascript"

  static let lifetimes: [History] = [
    twice("max-age", "9111 §4.2.1", "Cache-Control: max-age=60", "hit ttl=60"),
    twice(
      "s-maxage is greater", "9111 §4.2.1", "Cache-Control: max-age=1, s-maxage=60", "hit ttl=60"),
    twice("s-maxage is less", "9111 §4.2.1", "Cache-Control: s-maxage=6, max-age=60", "hit ttl=6"),
    twice("s-maxage of zero", "9111 §5.2.2.10", "Cache-Control: s-maxage=0, max-age=60", "!hit"),
    twice(
      "max-age before Expires", "9111 §5.3", "Expires: {600}↵Cache-Control: max-age=60", "ttl=60"),
    twice(
      "max-age before a past Expires", "9111 §5.3", "Expires: {-600}↵Cache-Control: max-age=60",
      "hit ttl=60"),
    twice(
      "max-age before a bad Expires", "9111 §5.3", "Expires: 0↵Cache-Control: max-age=60",
      "hit ttl=60"),
    twice(
      "s-maxage before Expires", "9111 §5.3", "Expires: {600}↵Cache-Control: s-maxage=60", "ttl=60"),
    twice("Expires", "9111 §5.3", "Date: {0}↵Expires: {60}", "hit ttl=60"),
    twice("Expires without Date", "9111 §5.3", "Expires: {60}", "hit ttl=60"),
    twice("Expires from an earlier Date", "9111 §4.2.1", "Date: {-10}↵Expires: {60}", "hit ttl=60"),
    twice("Expires from a later Date", "9111 §4.2.1", "Date: {10}↵Expires: {60}", "hit ttl=50"),
    twice(
      "Expires as RFC 850", "9110 §5.6.7", "Expires: Sunday, 06-Nov-94 08:50:37 GMT", "hit ttl=60"),
    twice("Expires as asctime", "9110 §5.6.7", "Expires: Sun Nov  6 08:50:37 1994", "hit ttl=60"),
    twice("Expires 0", "9111 §5.3", "ETag: \"a\"↵Expires: 0", "fwd=stale"),
    twice("Expires -1", "9111 §5.3", "ETag: \"a\"↵Expires: -1", "fwd=stale"),
    twice("Expires a word", "9111 §5.3", "ETag: \"a\"↵Expires: never", "fwd=stale"),
    twice("Expires empty", "9111 §5.3", "ETag: \"a\"↵Expires:", "fwd=stale"),
    twice("Expires a number", "9111 §5.3", "ETag: \"a\"↵Expires: 3600", "fwd=stale"),
    twice(
      "Expires in another zone", "9110 §5.6.7",
      "ETag: \"a\"↵Expires: Sun, 06 Nov 1994 09:49:37 CET",
      "fwd=stale"),
    twice("Expires is Date", "9111 §4.2", "ETag: \"a\"↵Date: {0}↵Expires: {0}", "fwd=stale"),
    twice("Expires in the past", "9111 §5.3", "ETag: \"a\"↵Expires: {-60}", "fwd=stale"),
    twice("Expires with a bad Date", "9110 §6.6.1", "Date: x↵Expires: {60}", "hit ttl=60"),
    twice("the first Expires", "9111 §4.2.1", "Expires: {60}↵Expires: {600}", "hit ttl=60"),
    twice(
      "a bad first Expires", "9111 §4.2.1", "ETag: \"a\"↵Expires: 0↵Expires: {600}", "fwd=stale"),
    twice(
      "a bad Expires hides Last-Modified", "9111 §5.3", "Expires: 0↵Last-Modified: {-9000}", "!hit"),
    twice("a tenth of the time unchanged", "9111 §4.2.2", "Last-Modified: {-1000}", "hit ttl=100"),
    twice("a day at most", "9111 §4.2.2", "Last-Modified: {-90000000}", "hit ttl=86400"),
    twice(
      "a tenth from Date on", "9111 §4.2.2", "Date: {-100}↵Last-Modified: {-10100}", "hit ttl=900"),
    twice("changed just now", "9111 §4.2.2", "Last-Modified: {0}", "fwd=stale >validates"),
    twice("changed in the future", "9111 §4.2.2", "Last-Modified: {60}", "fwd=uri-miss"),
    twice("no date of change", "9111 §4.2.2", "ETag: \"a\"", "fwd=uri-miss"),
    twice("a bad date of change", "9111 §4.2.2", "Last-Modified: yesterday", "fwd=uri-miss"),
    twice("nothing at all", "9111 §3", "X: y", "fwd=uri-miss"),
    twice(
      "public alone gives no lifetime", "9111 §5.2.2.9", "Cache-Control: public", "fwd=uri-miss"),
    twice(
      "must-revalidate alone gives none", "9111 §5.2.2.2", "Cache-Control: must-revalidate",
      "fwd=uri-miss"),
    twice(
      "must-revalidate with a heuristic", "9111 §4.2.2",
      "Cache-Control: must-revalidate↵Last-Modified: {-1000}", "hit ttl=100"),
    History(
      "a hashed URL without a word", "9111 §4.2.2",
      ask("GET /app-3f2a9c1b.js", "200↵\(script)", is: "stored"),
      ask(86_400, "GET /app-3f2a9c1b.js", is: "hit ttl=31449600")),
    History(
      "a hashed URL and Last-Modified", "9111 §4.2.2",
      ask("GET /app-3f2a9c1b.js", "200↵\(script)↵Last-Modified: {-1000}", is: "stored"),
      ask("GET /app-3f2a9c1b.js", is: "hit ttl=31536000")),
    History(
      "a hashed URL and max-age", "9111 §4.2.1",
      ask("GET /app-3f2a9c1b.js", "200↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /app-3f2a9c1b.js", is: "hit ttl=60")),
    History(
      "a hashed URL and Expires", "9111 §4.2.1",
      ask("GET /app-3f2a9c1b.js", "200↵ETag: \"a\"↵Expires: 0", is: "stored"),
      ask("GET /app-3f2a9c1b.js", is: "fwd=stale")),
    History(
      "a hashed URL and no-cache", "9111 §5.2.2.4",
      ask("GET /app-3f2a9c1b.js", "200↵ETag: \"a\"↵Cache-Control: no-cache", is: "stored"),
      ask("GET /app-3f2a9c1b.js", is: "fwd=stale >validates")),
    History(
      "a hashed URL that is not found", "9111 §4.2.2",
      ask("GET /app-3f2a9c1b.js", "404", is: "!stored"),
      ask("GET /app-3f2a9c1b.js", is: "fwd=uri-miss")),
    History(
      "a hashed URL with a query", "9111 §4.2.2",
      ask("GET /app-3f2a9c1b.js?x", "200↵\(script)", is: "stored"),
      ask("GET /app-3f2a9c1b.js?y", is: "fwd=uri-miss")),
    History(
      "fresh until its age is its lifetime", "9111 §4.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask(59, "GET /", is: "hit ttl=1 age:59"), ask(60, "GET /", is: "fwd=stale >validates")),
  ]

  /// A row for a status with fields, and whether the response is used again.
  private static func status(_ status: Int, _ fields: String, _ expected: String) -> History {
    History(
      "\(status) with \(fields.isEmpty ? "nothing" : fields)", "9110 §15.1",
      ask("GET /", "\(status)↵\(fields.isEmpty ? "X: y" : fields)", is: "status=\(status)"),
      ask("GET /", is: expected))
  }

  static let statuses: [History] =
    [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501].flatMap {
      [
        status($0, "Last-Modified: {-1000}", "hit ttl=100 status=\($0)"),
        status($0, "Cache-Control: max-age=60", "hit ttl=60 status=\($0)"),
        status($0, "", "fwd=uri-miss"),
      ]
    }
    + [201, 202, 205, 302, 303, 307, 400, 403, 409, 418, 429, 451, 500, 502, 503, 504, 599].flatMap
  {
    [
      status($0, "Last-Modified: {-1000}", "fwd=uri-miss"),
      status($0, "Cache-Control: max-age=60", "hit ttl=60 status=\($0)"),
      status($0, "Cache-Control: public↵Last-Modified: {-1000}", "hit ttl=100"),
    ]
  }
    + [206, 304].map { status($0, "Cache-Control: max-age=60", "fwd=uri-miss") }

  private static func age(
    _ name: String, _ section: String, _ reply: String, at: Int64 = 0, _ expected: String
  ) -> History {
    History(name, section, ask("GET /", reply, is: ""), ask(at, "GET /", is: expected))
  }

  static let ages: [History] = [
    age("resident time", "9111 §4.2.3", "200↵Cache-Control: max-age=60", at: 7, "age:7 ttl=53"),
    age("Age", "9111 §5.1", "200↵Age: 10↵Cache-Control: max-age=60", "age:10 ttl=50"),
    age(
      "Age and resident time", "9111 §4.2.3", "200↵Age: 10↵Cache-Control: max-age=60", at: 7,
      "age:17"),
    age("Age as old as the lifetime", "9111 §4.2", "200↵Age: 60↵Cache-Control: max-age=60", "!hit"),
    age("negative Age", "9111 §5.1", "200↵Age: -10↵Cache-Control: max-age=60", "age:0 ttl=60"),
    age("Age a word", "9111 §5.1", "200↵Age: old↵Cache-Control: max-age=60", "age:0 ttl=60"),
    age("Age a fraction", "9111 §5.1", "200↵Age: 10.5↵Cache-Control: max-age=60", "age:0"),
    age("Age a list", "9111 §5.1", "200↵Age: 10, 20↵Cache-Control: max-age=60", "age:10"),
    age("Age a list with a word", "9111 §5.1", "200↵Age: x, 20↵Cache-Control: max-age=60", "age:0"),
    age("Age twice", "9111 §5.1", "200↵Age: 10↵Age: 20↵Cache-Control: max-age=60", "age:10"),
    age("Age beyond 2^31", "9111 §1.2.2", "200↵Age: 99999999999↵Cache-Control: max-age=60", "!hit"),
    age(
      "Age beyond all", "9111 §1.2.2",
      "200↵Age: \(String(repeating: "9", count: 99))↵Cache-Control: max-age=4294967296", "!hit"),
    age(
      "apparent age", "9111 §4.2.3", "200↵Date: {-10}↵Cache-Control: max-age=60", "age:10 ttl=50"),
    age("Date in the future", "9111 §4.2.3", "200↵Date: {99}↵Cache-Control: max-age=60", "age:0"),
    age("no Date", "9110 §6.6.1", "200↵Cache-Control: max-age=60", at: 5, "age:5 date:{0}"),
    age("a bad Date", "9110 §6.6.1", "200↵Date: x↵Cache-Control: max-age=60", at: 5, "age:5"),
    age(
      "the greater of the two", "9111 §4.2.3", "200↵Date: {-10}↵Age: 20↵Cache-Control: max-age=60",
      "age:20"),
    age(
      "the greater of the two, apparent", "9111 §4.2.3",
      "200↵Date: {-30}↵Age: 20↵Cache-Control: max-age=60", "age:30"),
    age("response delay", "9111 §4.2.3", "+5 200↵Cache-Control: max-age=60", at: 5, "age:5 ttl=55"),
    age(
      "response delay and Age", "9111 §4.2.3", "+5 200↵Age: 10↵Cache-Control: max-age=60", at: 5,
      "age:15"),
    age(
      "response delay and apparent age", "9111 §4.2.3",
      "+5 200↵Date: {0}↵Cache-Control: max-age=60", at: 5, "age:5"),
    age(
      "a delay as long as the lifetime", "9111 §4.2.3", "+60 200↵Cache-Control: max-age=60", at: 60,
      "fwd=uri-miss"),
    age("clock set back", "9111 §4.2.3", "200↵Cache-Control: max-age=60", at: -9999, "hit age:0"),
    age(
      "clock set back, with an age", "9111 §4.2.3", "200↵Age: 50↵Cache-Control: max-age=60",
      at: -99,
      "hit age:50 ttl=10"),
    age("one Age", "9111 §5.1", "200↵Age: 3↵Cache-Control: max-age=60", at: 1, "age:4 !age:3"),
    History(
      "Age of a response that is passed on", "9111 §5.1",
      ask("GET /", "200↵Age: 7↵Cache-Control: private", is: "age:7 detail=private")),
    History(
      "Age of a response that is being stored", "9111 §4.2.3",
      ask("GET /", "+2 200↵Age: 7↵Cache-Control: max-age=60", is: "age:9 stored ttl=51")),
  ]
}
