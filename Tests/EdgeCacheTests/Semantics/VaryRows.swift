import Testing

@testable import EdgeCache

// Selecting a stored response (RFC 9111 §4.1).

private let m = "Cache-Control: max-age=60"

/// Two requests with these fields share one response.
private func same(
  _ name: String, _ section: String, _ vary: String, _ first: String, _ second: String
) -> CachingRow {
  CachingRow(
    name, section, ask("GET /↵\(first)", "200↵Vary: \(vary)↵\(m)", "fwd=uri-miss stored"),
    hit("GET /↵\(second)", "hit"), hit("GET /↵\(first)", "hit"))
}

/// Two requests with these fields get a response each, and both are kept.
private func two(
  _ name: String, _ section: String, _ vary: String, _ first: String, _ second: String
) -> CachingRow {
  CachingRow(
    name, section,
    ask("GET /↵\(first)", "200↵Vary: \(vary)↵\(m)↵↵one", "fwd=uri-miss stored"),
    ask("GET /↵\(second)", "200↵Vary: \(vary)↵\(m)↵↵two", "fwd=vary-miss stored =two"),
    hit("GET /↵\(first)", "hit =one"), hit("GET /↵\(second)", "hit =two"))
}

let varyRows: [CachingRow] = [
  same("no difference", "§4.1", "Accept", "Accept: a", "Accept: a"),
  same("difference in another field", "§4.1", "Accept", "Accept: a↵X: 1", "Accept: a↵X: 2"),
  same("both absent", "§4.1", "Accept", "X: 1", "X: 2"),
  same("both empty", "§4.1", "Accept", "Accept:", "Accept: "),
  same("empty Vary", "9110 §12.5.5", "", "Accept: a", "Accept: b"),
  same("field name in any case", "9110 §5.1", "aCCEPT", "accept: a", "ACCEPT: a"),
  same("name given twice", "9110 §12.5.5", "Accept, accept", "Accept: a", "Accept: a"),
  same("whitespace around commas", "§4.1", "Accept", "Accept: a,b", "Accept: a ,\t b"),
  same("one line or two", "§4.1", "Accept", "Accept: a, b", "Accept: a↵Accept: b"),
  same("lines apart", "§4.1", "Accept", "Accept: a, b", "Accept: a↵X: 1↵Accept: b"),
  same("empty elements", "9110 §5.6.1", "Accept", "Accept: a,,b", "Accept: a, b"),
  same(
    "Accept-Encoding in any case", "9110 §8.4.1", "Accept-Encoding", "Accept-Encoding: GZIP",
    "Accept-Encoding: gzip"),
  same("a field that is not known", "§4.1", "X-Y", "X-Y: a", "x-y: a"),
  same("a name that is none", "9110 §12.5.5", "?!", "X: 1", "X: 2"),
  two("values", "§4.1", "Accept", "Accept: a", "Accept: b"),
  two("value and absence", "§4.1", "Accept", "Accept: a", "X: 1"),
  two("absence and value", "§4.1", "Accept", "X: 1", "Accept: a"),
  two("absent and empty", "§4.1", "Accept", "X: 1", "Accept:"),
  two("order of values", "§4.1", "X", "X: a, b", "X: b, a"),
  two("letter case of values", "§4.1", "X", "X: a", "X: A"),
  two("prefix", "§4.1", "Accept", "Accept: a", "Accept: ab"),
  two("part of a list", "§4.1", "Accept", "Accept: a", "Accept: a, b"),
  two("quoted comma is no separator", "§4.1", "X", "X: \"a,b\"", "X: \"a, b\""),
  two("a space within a value", "§4.1", "X", "X: a b", "X: ab"),
  two("weights", "§4.1", "Accept", "Accept: a;q=1", "Accept: a"),
  two("second of two names", "§4.1", "Accept, X", "Accept: a↵X: 1", "Accept: a↵X: 2"),
  two("values do not run into each other", "§4.1", "X, Y", "X: ab↵Y: c", "X: a↵Y: bc"),
  two("values are not exchanged", "§4.1", "X, Y", "X: a↵Y: b", "X: b↵Y: a"),
  two("two lines of Vary", "§4.1", "Accept↵Vary: X", "Accept: a↵X: 1", "Accept: a↵X: 2"),
  two("Cookie", "§4.1", "Cookie", "Cookie: a=1", "Cookie: a=2"),
  two(
    "Authorization", "§4.1", "Authorization↵Cache-Control: public", "Authorization: a",
    "Authorization: b"),
  two("Host does not come twice", "§4.1", "Host, Accept", "Accept: a", "Accept: b"),
  CachingRow(
    "star", "§4.1", ask("", "200↵Vary: *↵\(m)", "!stored detail=vary-star"),
    ask("", "200↵Vary: *↵\(m)", "detail=vary-star")),
  CachingRow(
    "star among others", "§4.1", ask("", "200↵Vary: Accept, *↵\(m)", "detail=vary-star"),
    ask("", "200↵Vary: *, Accept↵\(m)", "detail=vary-star"),
    ask("", "200↵Vary: Accept↵Vary: *↵\(m)", "detail=vary-star")),
  CachingRow(
    "star as part of a name is none", "9110 §12.5.5", ask("", "200↵Vary: **↵\(m)", "stored"),
    hit("", "hit")),
  CachingRow(
    "a quote in Vary hides nothing", "9110 §12.5.5",
    ask("", "200↵Vary: \", *↵\(m)", "detail=vary-star")),
  CachingRow(
    "one with Vary before one without", "§4.1",
    ask("GET /↵A: 1", "200↵Vary: A↵\(m)↵↵one", "stored"),
    ask("GET /↵A: 2", "200↵\(m)↵↵two", "fwd=vary-miss stored"), hit("GET /↵A: 1", "hit =one"),
    hit("", "hit =two")),
  CachingRow(
    "a response for everybody replaces its like", "§4.1",
    ask("", "200↵\(m)↵↵one", "stored"), ask("+60", "200↵\(m)↵↵two", "fwd=stale stored"),
    hit("", "=two")),
  CachingRow(
    "a variant is replaced by itself alone", "§4.1",
    ask("GET /↵A: 1", "200↵Vary: A↵\(m)↵↵one", "stored"),
    ask("+30 GET /↵A: 2", "200↵Vary: A↵\(m)↵↵two", "stored"),
    ask("+30 GET /↵A: 1", "200↵Vary: A↵\(m)↵↵three", "fwd=stale stored"),
    hit("GET /↵A: 2", "=two"), hit("GET /↵A: 1", "=three")),
  CachingRow(
    "validation is of the selected variant", "§4.3.1",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("GET /↵A: 2", "200↵Vary: A↵ETag: \"two\"↵\(m)↵↵two", "stored"),
    ask("+60 GET /↵A: 1", "304↵ETag: \"one\"↵Vary: A↵\(m)", "up:if-none-match:\"one\" =one"),
    hit("GET /↵A: 1", "hit =one"),
    ask("GET /↵A: 2", "304↵ETag: \"two\"↵Vary: A↵\(m)", "up:if-none-match:\"two\" =two")),
  CachingRow(
    "a 304 may narrow Vary", "§4.3.4",
    ask("GET /↵A: 1", "200↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 2", "304↵Vary: A↵\(m)", "=one vary:A"), hit("GET /↵A: 2", "hit =one"),
    ask("GET /↵A: 3", "200↵Vary: A↵\(m)↵↵three", "fwd=vary-miss =three")),
  CachingRow(
    "a 304 that leaves a name out of Vary makes nothing fit more requests", "§4.3.4",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 1", "304↵Vary: B↵\(m)", "=one vary:A vary:b"), hit("GET /↵A: 1", "hit =one"),
    ask("GET /↵A: 2", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss =two"),
    ask("GET /↵A: 1↵B: 2", "200↵Vary: A, B↵\(m)↵↵three", "fwd=vary-miss =three")),
  CachingRow(
    "the same again and again adds nothing", "§4.3.4",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 1", "304↵Vary: B↵\(m)", "=one vary:A vary:b"),
    ask("+60 GET /↵A: 1", "304↵Vary: b↵\(m)", "=one vary:A vary:b"),
    ask("+60 GET /↵A: 1", "304↵Vary: B, C↵\(m)", "=one vary:A vary:b vary:c"),
    ask("+60 GET /↵A: 1", "304↵Vary: C, B, a↵\(m)", "=one !vary:A !vary:b vary:C,_B,_a"),
    hit("GET /↵A: 1", "hit =one"), ask("GET /↵A: 2", "200↵Vary: A↵\(m)", "fwd=vary-miss")),
  CachingRow(
    "a 304 with less in Vary", "§4.3.4",
    ask("GET /↵A: 1↵B: 2", "200↵Vary: A, B↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 1↵B: 2", "304↵Vary: A↵\(m)", "=one vary:A,_B"),
    ask("GET /↵A: 1", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss =two")),
  CachingRow(
    "a 304 with an empty Vary", "§4.3.4",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 1", "304↵Vary:↵\(m)", "=one vary:A"),
    ask("GET /↵A: 2", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss =two")),
  CachingRow(
    "a 304 without Vary", "§4.3.4",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 GET /↵A: 1", "304↵\(m)", "=one vary:A"),
    ask("GET /↵A: 2", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss =two")),
  CachingRow(
    "a 304 for another variant with less in Vary", "§4.3.4",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("GET /↵A: 2", "304↵ETag: \"one\"↵Vary: B↵\(m)", "fwd=vary-miss =one"),
    hit("GET /↵A: 2", "hit =one"), hit("GET /↵A: 1", "hit =one"),
    ask("GET /↵A: 3", "200↵Vary: A↵\(m)↵↵three", "fwd=vary-miss =three")),
  CachingRow(
    "HEAD with another Vary", "§4.3.5",
    ask("GET /↵A: 1", "200↵Vary: A↵ETag: \"one\"↵\(m)↵↵one", "stored"),
    ask("+60 HEAD /↵A: 1", "200↵Vary: B↵ETag: \"one\"↵\(m)↵Content-Length: 3↵-length", "fwd=stale"),
    hit("GET /↵A: 1", "hit =one"), ask("GET /↵A: 2", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss"),
    ask("GET /↵A: 1↵B: 1", "200↵Vary: A↵\(m)↵↵two", "fwd=vary-miss")),
]

@Suite struct VaryTests {
  @Test(arguments: varyRows) func row(_ row: CachingRow) { row.run() }

  private func ask(_ world: CoreWorld, _ variant: String, _ seconds: Int = 60) -> CoreExchange {
    let exchange = world.begin("GET / HTTP/1.1↵Host: a.example↵A: \(variant)")
    if exchange.awaitsUpstream {
      exchange.answer(
        "HTTP/1.1 200 OK↵Vary: A↵Cache-Control: max-age=\(seconds)↵Content-Length: 1", "x")
    }
    return exchange
  }

  /// Eight variants fit; the ninth is passed on as long as all are fresh.
  @Test func limit() {
    let world = CoreWorld()
    for variant in 1...8 { #expect(ask(world, "\(variant)").status.isStored) }
    #expect(!ask(world, "9").status.isHit)
    #expect(!ask(world, "9").status.isHit)
    #expect(world.store.statistics.responses == 8)
    for variant in 1...8 { #expect(ask(world, "\(variant)").status.isHit) }
  }

  /// Stale variants give way.
  @Test func staleVariantsGiveWay() {
    let world = CoreWorld()
    for variant in 1...7 { _ = ask(world, "\(variant)", 60) }
    _ = ask(world, "8", 10)
    world.now = world.now.adding(seconds: 10)
    _ = ask(world, "9")
    #expect(ask(world, "9").status.isHit)
    #expect(world.store.statistics.responses == 8)
  }

  /// A variant that is there already may be replaced however many there are.
  @Test func replacementNeedsNoRoom() {
    let world = CoreWorld()
    for variant in 1...8 { _ = ask(world, "\(variant)", 60 + variant) }
    world.now = world.now.adding(seconds: 61)
    _ = ask(world, "1")
    #expect(ask(world, "1").status.isHit)
    #expect(world.store.statistics.responses == 8)
  }
}
