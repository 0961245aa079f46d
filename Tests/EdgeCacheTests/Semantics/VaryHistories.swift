// Selecting among stored responses (RFC 9111 §4.1).

extension Histories {
  /// A response to the first request with this `Vary`, and what becomes of the second request.
  private static func selects(
    _ name: String, vary: String, _ first: String, _ second: String, _ expected: String
  ) -> History {
    History(
      name, "9111 §4.1",
      ask("GET /\(first)", "200↵Vary: \(vary)↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /\(second)", is: expected))
  }

  static let vary: [History] = [
    selects("the same value", vary: "Foo", "↵Foo: a", "↵Foo: a", "hit"),
    selects("another value", vary: "Foo", "↵Foo: a", "↵Foo: b", "fwd=vary-miss"),
    selects("absent, then there", vary: "Foo", "", "↵Foo: a", "fwd=vary-miss"),
    selects("there, then absent", vary: "Foo", "↵Foo: a", "", "fwd=vary-miss"),
    selects("absent both times", vary: "Foo", "", "", "hit"),
    selects("empty is not absent", vary: "Foo", "↵Foo:", "", "fwd=vary-miss"),
    selects("absent is not empty", vary: "Foo", "", "↵Foo:", "fwd=vary-miss"),
    selects("empty both times", vary: "Foo", "↵Foo:", "↵Foo: ", "hit"),
    selects("another field", vary: "Foo", "↵Foo: a↵Bar: a", "↵Foo: a↵Bar: b", "hit"),
    selects("name in upper case", vary: "FOO", "↵foo: a", "↵Foo: a", "hit"),
    selects("value with regard to case", vary: "Foo", "↵Foo: a", "↵Foo: A", "fwd=vary-miss"),
    selects("whitespace around commas", vary: "Foo", "↵Foo: a,b", "↵Foo: a , b", "hit"),
    selects("whitespace within", vary: "Foo", "↵Foo: a b", "↵Foo: ab", "fwd=vary-miss"),
    selects("lines are joined", vary: "Foo", "↵Foo: a, b", "↵Foo: a↵Foo: b", "hit"),
    selects("lines with others between", vary: "Foo", "↵Foo: a↵X: y↵Foo: b", "↵Foo: a,b", "hit"),
    selects("order counts", vary: "Foo", "↵Foo: a, b", "↵Foo: b, a", "fwd=vary-miss"),
    selects("fewer values", vary: "Foo", "↵Foo: a, b", "↵Foo: a", "fwd=vary-miss"),
    selects("two fields", vary: "Foo, Bar", "↵Foo: a↵Bar: b", "↵Bar: b↵Foo: a", "hit"),
    selects(
      "two fields, one differs", vary: "Foo, Bar", "↵Foo: a↵Bar: b", "↵Foo: a", "fwd=vary-miss"),
    selects("two lines of Vary", vary: "Foo↵Vary: Bar", "↵Bar: b", "↵Bar: c", "fwd=vary-miss"),
    selects("stray commas", vary: ", Foo ,,", "↵Foo: a", "↵Foo: b", "fwd=vary-miss"),
    selects("the same name twice", vary: "Foo, foo", "↵Foo: a", "↵Foo: a", "hit"),
    selects("empty Vary", vary: "", "↵Foo: a", "↵Foo: b", "hit"),
    selects(
      "values do not run together", vary: "A, B", "↵A: x↵B: yz", "↵A: xy↵B: z", "fwd=vary-miss"),
    selects(
      "codings without regard to case", vary: "Accept-Encoding", "↵Accept-Encoding: gzip, br",
      "↵Accept-Encoding: GZIP,BR", "hit"),
    selects(
      "no coding and gzip", vary: "Accept-Encoding", "", "↵Accept-Encoding: gzip", "fwd=vary-miss"),
    selects(
      "quoted commas", vary: "Foo", "↵Foo: \"a , b\"", "↵Foo: \"a,b\"", "fwd=vary-miss"),
    selects("Cookie", vary: "Cookie", "↵Cookie: a=b", "↵Cookie: a=c", "fwd=vary-miss"),
    selects(
      "Authorization", vary: "Authorization", "", "↵Authorization: Basic x", "fwd=vary-miss"),
    // What Connection names does not reach the origin, which therefore answered without it.
    selects(
      "a field that stays behind is absent", vary: "Foo", "↵Foo: a↵Connection: foo", "",
      "hit"),
    selects(
      "a field that stays behind selects nothing", vary: "Foo", "↵Foo: a↵Connection: Foo",
      "↵Foo: a", "fwd=vary-miss"),
    selects(
      "another field that stays behind", vary: "Foo", "↵Foo: a↵Connection: bar", "↵Foo: a", "hit"),
    History(
      "Vary: * among names", "9111 §4.1",
      ask("GET /", "200↵Vary: Foo, *↵Cache-Control: max-age=60", is: "!stored detail=vary-star")),
    History(
      "Vary: * on a second line", "9111 §4.1",
      ask("GET /", "200↵Vary: Foo↵Vary: *↵Cache-Control: max-age=60", is: "detail=vary-star")),
    History(
      "a name that begins with *", "9111 §4.1",
      ask("GET /", "200↵Vary: *a↵Cache-Control: max-age=60", is: "stored")),
    History(
      "several variants", "9111 §4.1",
      ask("GET /↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=60↵↵one", is: "fwd=uri-miss"),
      ask(
        "GET /↵Foo: b", "200↵Vary: Foo↵Cache-Control: max-age=60↵↵two", is: "fwd=vary-miss stored"),
      ask("GET /↵Foo: a", is: "hit content=one"), ask("GET /↵Foo: b", is: "hit content=two"),
      ask("GET /", is: "fwd=vary-miss")),
    History(
      "one with Vary before one without", "9111 §4.1",
      ask("GET /↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=60↵↵old", is: "stored"),
      ask("GET /↵Foo: b", "200↵Cache-Control: max-age=60↵↵new", is: "stored"),
      ask("GET /↵Foo: a", is: "hit content=old")),
    History(
      "a variant is validated by itself", "9111 §4.3.1",
      ask("GET /↵Foo: a", "200↵Vary: Foo↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask("GET /↵Foo: b", "200↵Vary: Foo↵ETag: \"b\"↵Cache-Control: max-age=9", is: "stored"),
      ask(9, "GET /↵Foo: a", "304", is: ">if-none-match:\"a\" status=200")),
    History(
      "a variant is replaced", "9111 §4.3.3",
      ask("GET /↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=9↵↵one", is: "stored"),
      ask("GET /↵Foo: b", "200↵Vary: Foo↵Cache-Control: max-age=60↵↵two", is: "stored"),
      ask(9, "GET /↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=60↵↵three", is: "stored"),
      ask(9, "GET /↵Foo: a", is: "hit content=three"), ask(9, "GET /↵Foo: b", is: "hit content=two")
    ),
    History(
      "eight variants", "9111 §4.1",
      (0..<8).map {
        ask("GET /↵Foo: \($0)", "200↵Vary: Foo↵Cache-Control: max-age=60", is: "stored")
      }
        + (0..<8).map { ask("GET /↵Foo: \($0)", is: "hit") }),
    History(
      "a ninth variant finds no room", "9111 §4.1",
      (0..<9).map { ask("GET /↵Foo: \($0)", "200↵Vary: Foo↵Cache-Control: max-age=60", is: "") }
        + (0..<8).map { ask("GET /↵Foo: \($0)", is: "hit") }
        + [ask("GET /↵Foo: 8", is: "fwd=vary-miss")]),
    History(
      "a ninth variant takes a stale one's place", "9111 §4.1",
      (0..<8).map {
        ask("GET /↵Foo: \($0)", "200↵Vary: Foo↵Cache-Control: max-age=\($0 == 0 ? 5 : 60)", is: "")
      }
        + [
          ask(9, "GET /↵Foo: 8", "200↵Vary: Foo↵Cache-Control: max-age=60", is: ""),
          ask(9, "GET /↵Foo: 8", is: "hit"), ask(9, "GET /↵Foo: 0", is: "fwd=vary-miss"),
        ]),
    History(
      "Vary that a 304 brings", "9111 §4.3.4",
      ask("GET /↵Foo: a", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(9, "GET /↵Foo: a", "304↵Vary: Foo↵Cache-Control: max-age=60", is: "status=200 vary:Foo"),
      ask(9, "GET /↵Foo: a", is: "hit"), ask(9, "GET /↵Foo: b", is: "fwd=vary-miss")),
  ]
}
