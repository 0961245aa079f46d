// Cache-Control in responses: how it is written must not matter, what it means must.

extension Histories {
  /// A row whose second request comes 30 seconds after the first.
  private static func control(_ name: String, _ lines: String, _ expected: String) -> History {
    History(
      name, "9111 §5.2", ask("GET /", "200↵\(lines)", is: "asked=1 status=200"),
      ask(30, "GET /", is: expected))
  }

  /// A row that differs from a plain lifetime of a minute in form only.
  private static func minute(_ name: String, _ lines: String) -> History {
    control(name, lines, "hit ttl=30 age:30 asked=0")
  }

  static let cacheControl: [History] = [
    minute("max-age", "Cache-Control: max-age=60"),
    minute("upper case", "CACHE-CONTROL: MAX-AGE=60"),
    minute("mixed case", "cache-control: Max-Age=60"),
    minute("quoted seconds", "Cache-Control: max-age=\"60\""),
    minute("leading zeros", "Cache-Control: max-age=0060"),
    minute("commas before and after", "Cache-Control: ,, max-age=60, ,"),
    minute("no whitespace", "Cache-Control: public,max-age=60,foo"),
    minute("tabs", "Cache-Control:\tpublic\t,\tmax-age=60\t"),
    minute("whitespace around =", "Cache-Control: max-age = 60"),
    minute("unknown directive", "Cache-Control: foo, max-age=60, bar=baz"),
    minute("unknown directive with quoted comma", "Cache-Control: foo=\"a, b\", max-age=60"),
    minute("no-store in quotes of another", "Cache-Control: foo=\"a, no-store\", max-age=60"),
    minute("private in quotes after \\\"", "Cache-Control: foo=\"a\\\", private\", max-age=60"),
    minute("several lines", "Cache-Control: public↵X: y↵Cache-Control: max-age=60"),
    minute("an empty line first", "Cache-Control:↵Cache-Control: max-age=60"),
    minute("the first of two", "Cache-Control: max-age=60, max-age=6000"),
    minute("the first of two lines", "Cache-Control: max-age=60↵Cache-Control: max-age=0"),
    minute("s-maxage before max-age", "Cache-Control: s-maxage=60, max-age=10"),
    minute("s-maxage after max-age", "Cache-Control: max-age=10, s-maxage=60"),
    minute("s-maxage in upper case", "Cache-Control: max-age=10, S-MAXAGE=60"),
    minute("request directives mean nothing", "Cache-Control: max-age=60, only-if-cached"),
    minute("max-stale means nothing", "Cache-Control: max-age=60, max-stale, min-fresh=50"),
    minute("no-transform", "Cache-Control: no-transform, max-age=60"),
    minute("public with a value", "Cache-Control: public=x, max-age=60"),
    minute("a name that begins like it", "Cache-Control: max-age=60, max-ages=1, no-stored"),
    minute("Pragma means nothing in responses", "Pragma: no-cache↵Cache-Control: max-age=60"),
    minute(
      "Surrogate-Control is not ours", "Surrogate-Control: no-store↵Cache-Control: max-age=60"),
    control("most seconds", "Cache-Control: max-age=2147483648", "hit ttl=2147483618"),
    control("2^31 - 1", "Cache-Control: max-age=2147483647", "hit ttl=2147483617"),
    control("2^32 and more", "Cache-Control: max-age=4294967297", "hit ttl=2147483618"),
    control("2^64 and more", "Cache-Control: max-age=18446744073709551616", "hit ttl=2147483618"),
    control(
      "a hundred digits", "Cache-Control: max-age=1\(String(repeating: "0", count: 100))",
      "hit ttl=2147483618"),
    control("zero and a validator", "ETag: \"a\"↵Cache-Control: max-age=0", "fwd=stale >validates"),
    control("zero and nothing else", "Cache-Control: max-age=0", "fwd=uri-miss"),
    control("negative", "ETag: \"a\"↵Cache-Control: max-age=-60", "fwd=stale"),
    control("a plus", "ETag: \"a\"↵Cache-Control: max-age=+60", "fwd=stale"),
    control("a fraction", "ETag: \"a\"↵Cache-Control: max-age=60.5", "fwd=stale"),
    control("an exponent", "ETag: \"a\"↵Cache-Control: max-age=6e3", "fwd=stale"),
    control("hexadecimal", "ETag: \"a\"↵Cache-Control: max-age=0x60", "fwd=stale"),
    control("single quotes", "ETag: \"a\"↵Cache-Control: max-age='60'", "fwd=stale"),
    control("a word", "ETag: \"a\"↵Cache-Control: max-age=hour", "fwd=stale"),
    control("a letter after", "ETag: \"a\"↵Cache-Control: max-age=60s", "fwd=stale"),
    control("no value", "ETag: \"a\"↵Cache-Control: max-age", "fwd=stale"),
    control("empty value", "ETag: \"a\"↵Cache-Control: max-age=", "fwd=stale"),
    control("empty quotes", "ETag: \"a\"↵Cache-Control: max-age=\"\"", "fwd=stale"),
    control("one quote", "ETag: \"a\"↵Cache-Control: max-age=\"", "fwd=stale"),
    control("two numbers", "ETag: \"a\"↵Cache-Control: max-age=60 70", "fwd=stale"),
    control("a semicolon", "ETag: \"a\"↵Cache-Control: max-age=60; public", "fwd=stale"),
    control("a colon", "ETag: \"a\"↵Cache-Control: max-age: 60", "fwd=uri-miss"),
    control(
      "invalid max-age hides Expires", "ETag: \"a\"↵Expires: {600}↵Cache-Control: max-age=x",
      "fwd=stale"),
    control(
      "invalid s-maxage hides max-age", "ETag: \"a\"↵Cache-Control: s-maxage=x, max-age=60",
      "fwd=stale"),
    control(
      "an invalid first one counts", "ETag: \"a\"↵Cache-Control: max-age=x, max-age=60",
      "fwd=stale"),
    control("no-store", "Cache-Control: no-store, max-age=60", "fwd=uri-miss"),
    control(
      "no-store on a later line", "Cache-Control: max-age=60↵Cache-Control: no-store",
      "fwd=uri-miss"),
    control("no-store with a value", "Cache-Control: max-age=60, no-store=\"x\"", "fwd=uri-miss"),
    control("No-Store", "Cache-Control: max-age=60, No-Store", "fwd=uri-miss"),
    control("private", "Cache-Control: max-age=60, private", "fwd=uri-miss"),
    control("private fields", "Cache-Control: private=\"set-cookie\", max-age=60", "hit"),
    control("private with public", "Cache-Control: public, private, max-age=60", "fwd=uri-miss"),
    control("no-cache", "Cache-Control: no-cache, max-age=60↵ETag: \"a\"", "fwd=stale >validates"),
    control(
      "no-cache fields", "Cache-Control: max-age=60, no-cache=\"x-a, x-b\"↵ETag: \"a\"",
      "hit"),
    control("no-cache without a lifetime", "Cache-Control: no-cache↵ETag: \"a\"", "fwd=stale"),
    control("no-cache without a validator", "Cache-Control: no-cache", "fwd=uri-miss"),
    // RFC 9110 §5.6.4: a quote that is never closed begins no quoted string.
    control(
      "no-store behind an open quote", "Cache-Control: max-age=60, foo=\"bar, no-store",
      "fwd=uri-miss"),
    control(
      "private behind an open quote", "Cache-Control: \"max-age=60, private↵Expires: {60}",
      "fwd=uri-miss"),
    control(
      "no-cache behind an open quote",
      "ETag: \"a\"↵Cache-Control: max-age=60, foo=\"a\\\", no-cache", "fwd=stale"),
    control(
      "an open quote ends with its line",
      "Cache-Control: max-age=60, foo=\"bar↵Cache-Control: no-store", "fwd=uri-miss"),
    minute("an open quote hides no lifetime", "Cache-Control: foo=\"bar, max-age=60"),
  ]
}
