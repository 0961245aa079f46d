// What a request's own directives ask for (RFC 9111 §5.2.1 and §5.4), and `immutable` (RFC 8246).

extension Histories {
  /// A response that is fresh for a minute, and a request for it at some later second.
  private static func later(
    _ name: String, _ section: String, at: Int64, _ fields: String,
    response: String = "Cache-Control: max-age=60", _ expected: String
  ) -> History {
    History(
      name, section, ask("GET /", "200↵ETag: \"a\"↵\(response)", is: "stored"),
      ask(at, "GET /\(fields.isEmpty ? "" : "↵" + fields)", "304", is: expected))
  }

  private static func directive(
    _ name: String, _ section: String, at: Int64, _ value: String,
    response: String = "Cache-Control: max-age=60", _ expected: String
  ) -> History {
    later(name, section, at: at, "Cache-Control: \(value)", response: response, expected)
  }

  static let requestDirectives: [History] = [
    directive("max-age that is not reached", "9111 §5.2.1.1", at: 10, "max-age=20", "hit"),
    directive("max-age that is reached", "9111 §5.2.1.1", at: 20, "max-age=20", "hit"),
    directive(
      "max-age that is passed", "9111 §5.2.1.1", at: 21, "max-age=20", "fwd=request >validates"),
    directive(
      "max-age counts Age", "9111 §5.2.1.1", at: 1, "max-age=20",
      response: "Age: 20↵Cache-Control: max-age=60", "fwd=request"),
    directive(
      "max-age longer than the lifetime", "9111 §5.2.1.1", at: 60, "max-age=99", "fwd=stale"),
    directive("max-age=0", "9111 §5.2.1.1", at: 0, "max-age=0", "fwd=request fwd-status=304"),
    directive("max-age a word", "9111 §5.2.1.1", at: 1, "max-age=x", "fwd=request"),
    directive("max-age quoted", "9111 §5.2.1.1", at: 21, "max-age=\"20\"", "fwd=request"),
    directive("MAX-AGE", "9111 §5.2.1.1", at: 21, "MAX-AGE=20", "fwd=request"),
    directive("s-maxage means nothing", "9111 §5.2.1", at: 21, "s-maxage=20", "hit"),
    directive("must-revalidate means nothing", "9111 §5.2.1", at: 21, "must-revalidate", "hit"),
    directive("private means nothing", "9111 §5.2.1", at: 21, "private", "hit"),
    directive("min-fresh that is there", "9111 §5.2.1.3", at: 10, "min-fresh=50", "hit"),
    directive("min-fresh that is not", "9111 §5.2.1.3", at: 11, "min-fresh=50", "fwd=request"),
    directive(
      "min-fresh beyond the lifetime", "9111 §5.2.1.3", at: 0, "min-fresh=61", "fwd=request"),
    directive("min-fresh a word", "9111 §5.2.1.3", at: 11, "min-fresh=x", "hit"),
    directive(
      "min-fresh and max-age", "9111 §5.2.1", at: 11, "min-fresh=9, max-age=10", "fwd=request"),
    directive("max-stale without limit", "9111 §5.2.1.2", at: 9999, "max-stale", "hit ttl=-9939"),
    directive("max-stale that is reached", "9111 §5.2.1.2", at: 70, "max-stale=10", "hit ttl=-10"),
    directive("max-stale that is passed", "9111 §5.2.1.2", at: 71, "max-stale=10", "fwd=stale"),
    directive("max-stale a word", "9111 §5.2.1.2", at: 61, "max-stale=x", "fwd=stale"),
    directive("max-stale=0", "9111 §5.2.1.2", at: 61, "max-stale=0", "fwd=stale"),
    directive("max-stale with max-age", "9111 §5.2.1.2", at: 61, "max-stale=10, max-age=61", "hit"),
    directive(
      "max-stale, too old", "9111 §5.2.1.1", at: 62, "max-stale=10, max-age=61", "fwd=stale"),
    directive("max-stale while fresh", "9111 §5.2.1.2", at: 9, "max-stale=10", "hit ttl=51"),
    directive(
      "max-stale with min-fresh", "9111 §5.2.1.3", at: 61, "max-stale, min-fresh=1",
      "fwd=stale"),
    directive(
      "max-stale and must-revalidate", "9111 §5.2.2.2", at: 61, "max-stale",
      response: "Cache-Control: max-age=60, must-revalidate", "fwd=stale"),
    directive(
      "max-stale and proxy-revalidate", "9111 §5.2.2.8", at: 61, "max-stale",
      response: "Cache-Control: max-age=60, proxy-revalidate", "fwd=stale"),
    directive(
      "max-stale and s-maxage", "9111 §5.2.2.10", at: 61, "max-stale",
      response: "Cache-Control: s-maxage=60", "fwd=stale"),
    directive(
      "max-stale and no-cache", "9111 §5.2.2.4", at: 1, "max-stale",
      response: "Cache-Control: max-age=60, no-cache", "fwd=stale"),
    directive("no-cache", "9111 §5.2.1.4", at: 1, "no-cache", "fwd=request"),
    directive("No-Cache among others", "9111 §5.2.1.4", at: 1, "foo, No-Cache", "fwd=request"),
    directive(
      "no-cache carries validators", "9111 §5.2.1.4", at: 1, "no-cache", ">validates"),
    directive(
      "no-store", "9111 §5.2.1.5", at: 1, "no-store", "fwd=request detail=request-no-store"),
    directive("no-transform", "9111 §5.2.1.6", at: 1, "no-transform", "hit"),
    directive("only-if-cached and fresh", "9111 §5.2.1.7", at: 1, "only-if-cached", "hit asked=0"),
    directive(
      "only-if-cached and stale", "9111 §5.2.1.7", at: 60, "only-if-cached",
      "status=504 asked=0 detail=only-if-cached !hit"),
    directive(
      "only-if-cached and max-stale", "9111 §5.2.1.7", at: 61, "only-if-cached, max-stale",
      "hit asked=0"),
    directive(
      "only-if-cached and too old", "9111 §5.2.1.7", at: 9, "only-if-cached, max-age=8",
      "status=504 asked=0"),
    directive(
      "only-if-cached and no-cache", "9111 §5.2.1.7", at: 1, "only-if-cached, no-cache",
      "status=504 asked=0"),
    directive(
      "only-if-cached on a second line", "9111 §5.2.1.7", at: 60,
      "foo↵Cache-Control: only-if-cached", "status=504"),
    later("Pragma: no-cache", "9111 §5.4", at: 1, "Pragma: no-cache", "fwd=request"),
    later("Pragma: No-Cache in a list", "9111 §5.4", at: 1, "Pragma: x, No-Cache", "fwd=request"),
    later("another Pragma", "9111 §5.4", at: 1, "Pragma: x", "hit"),
    later(
      "Pragma yields to Cache-Control", "9111 §5.4", at: 1,
      "Pragma: no-cache↵Cache-Control: max-age=9", "hit"),
    History(
      "only-if-cached and nothing stored", "9111 §5.2.1.7",
      ask("GET /↵Cache-Control: only-if-cached", is: "status=504 asked=0 cache-control:no-store")),
    History(
      "only-if-cached and another variant", "9111 §5.2.1.7",
      ask("GET /", "200↵Vary: Foo↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /↵Foo: a↵Cache-Control: only-if-cached", is: "status=504 asked=0")),
    History(
      "no-cache replaces what is stored", "9111 §5.2.1.4",
      ask("GET /", "200↵Cache-Control: max-age=60↵↵old", is: "stored"),
      ask("GET /↵Cache-Control: no-cache", "200↵Cache-Control: max-age=60↵↵new", is: "content=new"),
      ask("GET /", is: "hit content=new")),
    History(
      "max-age=0 freshens for the next", "9111 §4.3.4",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask(50, "GET /↵Cache-Control: max-age=0", "304", is: "status=200 fwd-status=304 stored"),
      ask(100, "GET /", is: "hit ttl=10")),
    History(
      "max-age=0 fetches anew", "9111 §5.2.1.1",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60↵↵old", is: "stored"),
      ask(
        "GET /↵Cache-Control: max-age=0", "200↵Cache-Control: max-age=60↵↵new", is: "content=new"),
      ask("GET /", is: "hit content=new")),
    History(
      "max-age=0 without a validator", "9111 §5.2.1.1",
      ask("GET /", "200↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /↵Cache-Control: max-age=0", is: "fwd=request !>validates >for-store")),
    History(
      "directives go upstream", "9111 §5.2.1",
      ask("GET /↵Cache-Control: max-age=9, foo=bar", is: ">cache-control:max-age=9,_foo=bar")),
    History(
      "Pragma goes upstream", "9111 §5.4", ask("GET /↵Pragma: no-cache", is: ">pragma:no-cache")),
  ]

  static let immutable: [History] = [
    directive(
      "a reload of what does not change", "8246 §2", at: 9, "max-age=0",
      response: "Cache-Control: max-age=60, immutable", "hit"),
    directive("a reload without immutable", "8246 §2", at: 9, "max-age=0", "fwd=request"),
    directive(
      "a reload of what is stale", "8246 §2", at: 60, "max-age=0",
      response: "Cache-Control: max-age=60, immutable", "fwd=stale"),
    directive(
      "no-cache of what does not change", "8246 §2", at: 9, "no-cache",
      response: "Cache-Control: max-age=60, immutable", "fwd=request"),
    directive(
      "IMMUTABLE", "8246 §2", at: 9, "max-age=0",
      response: "Cache-Control: max-age=60, IMMUTABLE", "hit"),
    directive(
      "immutable without a lifetime", "8246 §2", at: 0, "max-age=0",
      response: "Cache-Control: immutable, max-age=0", "fwd=stale"),
    directive(
      "immutable with no-cache", "8246 §2", at: 0, "max-age=0",
      response: "Cache-Control: immutable, max-age=60, no-cache", "fwd=stale"),
    directive(
      "min-fresh of what does not change", "9111 §5.2.1.3", at: 30, "min-fresh=40",
      response: "Cache-Control: max-age=60, immutable", "fwd=request"),
    later(
      "a conditional reload of what does not change", "8246 §2", at: 9,
      "Cache-Control: max-age=0↵If-None-Match: \"a\"",
      response: "Cache-Control: max-age=60, immutable", "hit status=304 asked=0"),
    History(
      "a reload of a hashed URL", "8246 §2",
      ask("GET /app-3f2a9c1b.js", "200↵Content-Type: text/javascript", is: "stored"),
      ask(9, "GET /app-3f2a9c1b.js↵Cache-Control: max-age=0", is: "hit")),
    History(
      "a reload of a hashed URL with its own lifetime", "8246 §2",
      ask("GET /app-3f2a9c1b.js", "200↵Cache-Control: max-age=60", is: "stored"),
      ask(9, "GET /app-3f2a9c1b.js↵Cache-Control: max-age=0", is: "fwd=request")),
  ]
}
