@testable import EdgeCache

// Which field decides (RFC 9213), what of a response is kept, what operators may choose, and for how
// long something stale is good (RFC 5861).

extension Histories {
  /// What Cache-Control says nothing good about, and a targeted field says something else.
  private static func targets(
    _ name: String, _ fields: String, _ expected: String
  ) -> History {
    twice(name, "9213 §2", fields, expected)
  }

  static let targeted: [History] = [
    targets(
      "CDN-Cache-Control wins", "CDN-Cache-Control: max-age=60↵Cache-Control: no-store",
      "hit ttl=60"),
    targets(
      "it wins when it forbids", "CDN-Cache-Control: no-store↵Cache-Control: max-age=60", "!hit"),
    targets("it wins over Expires", "CDN-Cache-Control: max-age=60↵Expires: 0", "hit ttl=60"),
    targets("Expires does not count beside it", "CDN-Cache-Control: none↵Expires: {60}", "!hit"),
    targets(
      "a directive that nobody knows is enough",
      "CDN-Cache-Control: none↵Cache-Control: no-store↵Last-Modified: {-1000}", "hit ttl=100"),
    targets(
      "the fleet's own field wins", "Edge-Cache-Control: max-age=9↵CDN-Cache-Control: max-age=60",
      "hit ttl=9"),
    targets(
      "the fleet's own field in error",
      "Edge-Cache-Control: max-age=x y↵CDN-Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "it stays in the response", "CDN-Cache-Control: max-age=60",
      "hit cdn-cache-control:max-age=60"),
    targets(
      "an empty one is ignored", "CDN-Cache-Control:↵Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "an error of form ignores all of it",
      "CDN-Cache-Control: max-age=600, &&&↵Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "an error of form does not forbid",
      "CDN-Cache-Control: no-store, &&&↵Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "a stray comma is an error", "CDN-Cache-Control: max-age=600,↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets(
      "capital letters are an error", "CDN-Cache-Control: MAX-AGE=600↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets(
      "a string for a number", "CDN-Cache-Control: max-age=\"600\"↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets(
      "a decimal for a number", "CDN-Cache-Control: max-age=600.0↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets(
      "a token for a number", "CDN-Cache-Control: max-age=a↵Cache-Control: max-age=60", "hit ttl=60"
    ),
    targets(
      "a flag for a number", "CDN-Cache-Control: max-age↵Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "a negative number", "CDN-Cache-Control: max-age=-1↵Cache-Control: max-age=60", "hit ttl=60"),
    targets(
      "sixteen digits", "CDN-Cache-Control: max-age=1000000000000000↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets("fifteen digits", "CDN-Cache-Control: max-age=100000000000000", "hit ttl=2147483648"),
    targets(
      "a number for a flag", "CDN-Cache-Control: no-store=1↵Cache-Control: max-age=60", "hit ttl=60"
    ),
    targets("a false flag", "CDN-Cache-Control: max-age=60, no-store=?0", "hit ttl=60"),
    targets(
      "an inner list for a flag", "CDN-Cache-Control: no-store=(a)↵Cache-Control: max-age=60",
      "hit ttl=60"),
    targets(
      "an unknown directive of any type", "CDN-Cache-Control: max-age=60, x=(a b), y=\"z\"",
      "hit ttl=60"),
    targets("parameters are ignored", "CDN-Cache-Control: max-age=60;x=1", "hit ttl=60"),
    targets("the last of several counts", "CDN-Cache-Control: max-age=9, max-age=60", "hit ttl=60"),
    targets(
      "several lines are one", "CDN-Cache-Control: max-age=60↵CDN-Cache-Control: must-revalidate",
      "hit ttl=60"),
    targets("s-maxage within it", "CDN-Cache-Control: max-age=9, s-maxage=60", "hit ttl=60"),
    targets("private within it", "CDN-Cache-Control: private, max-age=60", "!hit"),
    targets(
      "no-cache within it", "CDN-Cache-Control: no-cache, max-age=60↵ETag: \"a\"",
      "fwd=stale >validates"),
    targets(
      "private fields within it", "CDN-Cache-Control: private=\"x\", max-age=60↵X: 1", "hit !x"),
    History(
      "Age counts against it", "9213 §2.2",
      ask("GET /", "200↵Age: 50↵CDN-Cache-Control: max-age=60", is: "stored ttl=10"),
      ask(11, "GET /", "304", is: "fwd=stale")),
    History(
      "must-revalidate within it", "9213 §2.2",
      ask("GET /", "200↵CDN-Cache-Control: max-age=9, must-revalidate", is: "stored"),
      ask(20, "GET /", "fail connect-failed", is: "status=502")),
    History(
      "its authority covers Authorization", "9213 §2.2",
      ask("GET /↵Authorization: x", "200↵CDN-Cache-Control: public, max-age=60", is: "stored"),
      ask("GET /", is: "hit")),
    History(
      "a 304 may bring it", "9213 §2.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(20, "GET /", "304↵ETag: \"a\"↵CDN-Cache-Control: max-age=60", is: "ttl=60"),
      ask(79, "GET /", is: "hit ttl=1")),
  ]

  static let qualified: [History] = [
    History(
      "private fields are kept from others", "9111 §5.2.2.7",
      ask(
        "GET /", "200↵Cache-Control: max-age=60, private=\"set-cookie\"↵Set-Cookie: a=b↵X: 1",
        is: "stored set-cookie:a=b x:1"),
      ask("GET /", is: "hit !set-cookie x:1")),
    History(
      "no-cache fields are not used again", "9111 §5.2.2.4",
      ask(
        "GET /", "200↵Cache-Control: max-age=60, no-cache=\"x-a, X-B\"↵X-A: 1↵X-B: 2↵X-C: 3",
        is: "stored x-a:1 x-b:2 x-c:3"),
      ask("GET /", is: "hit !x-a !x-b x-c:3")),
    History(
      "a cookie that is kept back needs no explicit lifetime", "9111 §5.2.2.4",
      ask(
        "GET /",
        "200↵Cache-Control: no-cache=\"set-cookie\"↵Last-Modified: {-1000}↵Set-Cookie: a=b",
        is: "stored"),
      ask("GET /", is: "hit !set-cookie")),
    History(
      "a 304 brings them to its client alone", "9111 §5.2.2.4",
      ask(
        "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, no-cache=\"x\"↵X: 1", is: "stored x:1"),
      ask(20, "GET /", "304↵ETag: \"a\"↵X: 2", is: "x:2 !x:1"),
      ask(20, "GET /", is: "hit !x")),
    twice(
      "private with and without fields", "9111 §5.2.2.7",
      "Cache-Control: max-age=60, private=\"x\", private", "!hit"),
    twice(
      "a list that is none", "9111 §5.2.2.4",
      "ETag: \"a\"↵Cache-Control: max-age=60, no-cache=\"a b\"", "fwd=stale"),
    twice(
      "an empty list", "9111 §5.2.2.4", "ETag: \"a\"↵Cache-Control: max-age=60, no-cache=\"\"",
      "fwd=stale"),
  ]

  static let siteChoices: [History] = [
    twice("no guessing", "9111 §4.2.2", "Last-Modified: {-1000}", "fwd=uri-miss")
      .with { $0.guessesFreshness = false },
    History(
      "a 404 is kept for as long as is configured", "9111 §4.2.2",
      ask("GET /", "404", is: "stored ttl=10"), ask(9, "GET /", is: "hit status=404"),
      ask(10, "GET /", "404", is: "fwd=stale")
    ).with { $0.negative = [404: 10] },
    History(
      "what the origin says about a 404 wins", "9111 §4.2.1",
      ask("GET /", "404↵Cache-Control: max-age=2", is: "stored ttl=2")
    ).with { $0.negative = [404: 10] },
    History(
      "a hashed URL is not missing for long", "9111 §4.2.2",
      ask("GET /app.3f9c1b7a.js", "404", is: "stored ttl=1")
    ).with { $0.negative = [404: 10] },
    History(
      "a hashed URL is not guessed missing for long", "9111 §4.2.2",
      ask("GET /app.3f9c1b7a.js", "404↵Last-Modified: {-90000}", is: "stored ttl=1")),
    twice("a 404 without anything", "9111 §4.2.2", "X: y", "fwd=uri-miss"),
    twice(
      "Surrogate-Control is not looked at", "Edge-Arch", "Surrogate-Control: max-age=60",
      "!hit"),
    History(
      "Surrogate-Control wins and is taken out", "Edge-Arch",
      ask(
        "GET /", "200↵Surrogate-Control: max-age=60+30↵Cache-Control: no-store",
        is: "stored ttl=60 !surrogate-control"),
      ask(59, "GET /", is: "hit !surrogate-control"),
      ask(80, "GET /", is: "hit ttl=-20 background=1")
    ).with { $0.usesSurrogateControl = true },
    History(
      "Surrogate-Control forbids", "Edge-Arch",
      ask(
        "GET /", "200↵Surrogate-Control: no-store↵Cache-Control: max-age=60",
        is: "detail=no-store !surrogate-control"),
      ask("GET /", is: "!hit")
    ).with { $0.usesSurrogateControl = true },
    History(
      "the query in another order", "9111 §2",
      ask("GET /?b=2&a=1", "200↵Cache-Control: max-age=60", is: "stored >GET_/?b=2&a=1_HTTP/1.1"),
      ask("GET /?a=1&b=2", is: "hit"), ask("GET /?a=2&b=1", is: "!hit")
    ).with { $0.query = QueryRules(sorts: true) },
    History(
      "parameters that do not count", "9111 §2",
      ask("GET /?utm_source=x&a=1", "200↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /?a=1&utm_medium=y", is: "hit"), ask("GET /?a=2", is: "!hit"),
      ask("POST /?a=1&utm_x=1", "200", is: "asked=1"), ask("GET /?a=1", is: "fwd=uri-miss")
    ).with { $0.query = QueryRules(exclude: [Array("utm_*".utf8)]) },
  ]

  static let staleness: [History] =
    [
      History(
        "stale while it is validated", "5861 §3",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30",
          is: "stored"),
        ask(
          20, "GET /", "304↵ETag: \"a\"",
          is: "hit ttl=-11 detail=stale-while-revalidate asked=0 background=1"),
        ask(21, "GET /", is: "hit ttl=8 background=0")),
      History(
        "a replacement arrives meanwhile", "5861 §3",
        ask("GET /", "200↵Cache-Control: max-age=9, stale-while-revalidate=30↵↵old", is: "stored"),
        ask(20, "GET /", "200↵Cache-Control: max-age=9↵↵new", is: "hit content=old background=1"),
        ask(21, "GET /", is: "hit content=new")),
      History(
        "only within its window", "5861 §3",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30",
          is: "stored"),
        ask(40, "GET /", "304", is: "fwd=stale >validates")),
      History(
        "to the end of its window", "5861 §3",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30",
          is: "stored"),
        ask(39, "GET /", "fail connect-failed", is: "hit ttl=-30"),
        ask(39, "GET /", "fail connect-failed", is: "hit ttl=-30 background=1")),
      History(
        "a failure in the background keeps it", "5861 §3",
        ask("GET /", "200↵Cache-Control: max-age=9, stale-while-revalidate=30", is: "stored"),
        ask(20, "GET /", "503", is: "hit background=1"),
        ask(21, "GET /", "503", is: "hit background=1")),
      History(
        "not with a wish for something younger", "9111 §5.2.1.1",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30",
          is: "stored"),
        ask(20, "GET /↵Cache-Control: max-age=5", "304", is: "fwd=stale asked=1")),
      History(
        "not with min-fresh", "9111 §5.2.1.3",
        ask(
          "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30",
          is: "stored"),
        ask(20, "GET /↵Cache-Control: min-fresh=1", "304", is: "fwd=stale asked=1")),
    ]
    + ["must-revalidate", "proxy-revalidate", "s-maxage=9", "no-cache"].flatMap { word in
      [
        History(
          "\(word) forbids stale-while-revalidate", "9111 §4.2.4",
          ask(
            "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-while-revalidate=30, \(word)",
            is: "stored"),
          ask(20, "GET /", "304", is: "fwd=stale asked=1 background=0")),
        History(
          "\(word) forbids stale-if-error", "9111 §4.2.4",
          ask(
            "GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9, stale-if-error=60, \(word)",
            is: "stored"),
          ask(20, "GET /", "503", is: "status=503"),
          ask(
            21, "GET /",
            "fail firstByteTimeout".replacing("firstByteTimeout", with: "first-byte-timeout"),
            is: "status=504")),
      ]
    }
}
