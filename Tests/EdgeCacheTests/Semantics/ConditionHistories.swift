// Conditional requests, ranges and HEAD answered from what is stored (RFC 9111 §4.3.2, RFC 9110
// §13 and §14).

extension Histories {
  /// A stored response with these fields, and a conditional request for it.
  private static func condition(
    _ name: String, _ section: String, _ stored: String, _ request: String, _ expected: String
  ) -> History {
    History(
      name, section, ask("GET /", "200↵Cache-Control: max-age=60↵\(stored)", is: "stored"),
      ask("GET /↵\(request)", is: "hit asked=0 \(expected)"))
  }

  private static func match(
    _ name: String, _ etag: String, _ list: String, _ expected: String
  ) -> History {
    condition(name, "9110 §13.1.2", "ETag: \(etag)", "If-None-Match: \(list)", expected)
  }

  private static func since(
    _ name: String, _ stored: String, _ date: String, _ expected: String
  ) -> History {
    condition(name, "9110 §13.1.3", stored, "If-Modified-Since: \(date)", expected)
  }

  static let conditions: [History] = [
    match("the same tag", "\"a\"", "\"a\"", "status=304 content= etag:\"a\""),
    match("another tag", "\"a\"", "\"b\"", "status=200 content=content"),
    match("a weak tag for a strong one", "\"a\"", "W/\"a\"", "status=304"),
    match("a strong tag for a weak one", "W/\"a\"", "\"a\"", "status=304"),
    match("both weak", "W/\"a\"", "W/\"a\"", "status=304"),
    match("w/ in lower case is no mark", "\"a\"", "w/\"a\"", "status=200"),
    match("tags with regard to case", "\"a\"", "\"A\"", "status=200"),
    match("the last of a list", "\"a\"", "\"x\", W/\"y\" ,\"a\"", "status=304"),
    match("none of a list", "\"a\"", "\"x\", \"y\"", "status=200"),
    match("on a second line", "\"a\"", "\"x\"↵If-None-Match: \"a\"", "status=304"),
    match("any", "\"a\"", "*", "status=304"),
    match("a comma in a tag", "\"a,b\"", "\"x\", \"a,b\"", "status=304"),
    match("half of a tag", "\"a,b\"", "\"a\", \"b\"", "status=200"),
    match("a tag without quotes", "a", "a", "status=304"),
    match("a tag that lost its quotes", "\"a\"", "a", "status=200"),
    match("the empty tag", "\"\"", "\"\"", "status=304"),
    match("an empty list", "\"a\"", "", "status=200"),
    condition("no tag is stored", "9110 §13.1.2", "X: y", "If-None-Match: \"a\"", "status=200"),
    condition(
      "any, and no tag is stored", "9110 §13.1.2", "X: y", "If-None-Match: *", "status=304"),
    condition(
      "If-None-Match hides If-Modified-Since", "9110 §13.1.3", "ETag: \"a\"↵Last-Modified: {-9}",
      "If-None-Match: \"b\"↵If-Modified-Since: {0}", "status=200"),
    condition(
      "a match in spite of If-Modified-Since", "9110 §13.1.3", "ETag: \"a\"↵Last-Modified: {-9}",
      "If-None-Match: \"a\"↵If-Modified-Since: {-99}", "status=304"),
    since("unchanged since", "Last-Modified: {-9}", "{-9}", "status=304 content="),
    since("unchanged for longer", "Last-Modified: {-9}", "{-8}", "status=304"),
    since("changed since", "Last-Modified: {-9}", "{-10}", "status=200"),
    since("Date in the place of Last-Modified", "Date: {-9}", "{-9}", "status=304"),
    since("Date in the place of Last-Modified, later", "Date: {-9}", "{-10}", "status=200"),
    since("the time of arrival in its place", "X: y", "{0}", "status=304"),
    since("a bad date", "Last-Modified: {-9}", "today", "status=200"),
    since("two dates", "Last-Modified: {-9}", "{0}↵If-Modified-Since: {0}", "status=200"),
    since(
      "a date as RFC 850", "Last-Modified: {-9}", "Sunday, 06-Nov-94 08:49:37 GMT", "status=304"),
    since("a date as asctime", "Last-Modified: {-9}", "Sun Nov  6 08:49:37 1994", "status=304"),
    condition(
      "fields of 304", "9110 §15.4.5",
      "ETag: \"a\"↵Expires: {60}↵Vary: X↵Content-Location: /b↵Date: {0}↵Content-Type: text/css",
      "If-None-Match: \"a\"",
      "etag:\"a\" expires:{60} vary:X content-location:/b date:{0} cache-control:max-age=60 age:0 "
        + "!content-type !content-length"),
    condition(
      "fields that 304 leaves out", "9110 §15.4.5",
      "ETag: \"a\"↵Last-Modified: {-9}↵Content-Encoding: br↵Content-Language: de",
      "If-None-Match: \"a\"", "status=304 !last-modified !content-encoding !content-language"),
    condition(
      "304 without a tag keeps Last-Modified", "9110 §15.4.5", "Last-Modified: {-9}",
      "If-Modified-Since: {0}", "status=304 last-modified:{-9}"),
    History(
      "a condition about an error", "9110 §13.2.1",
      ask("GET /", "404↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /↵If-None-Match: \"a\"", is: "hit status=404")),
    History(
      "a condition while nothing is stored", "9111 §4.3.2",
      ask(
        "GET /↵If-None-Match: \"a\"", "200↵ETag: \"a\"↵Cache-Control: max-age=60",
        is: "status=304 content= stored >if-none-match"),
      ask("GET /", is: "hit status=200 content=content")),
    History(
      "a date while nothing is stored", "9111 §4.3.2",
      ask(
        "GET /↵If-Modified-Since: {0}", "200↵Last-Modified: {-9}↵Cache-Control: max-age=60",
        is: "status=304 stored >if-modified-since"),
      ask("GET /", is: "hit status=200")),
    History(
      "a condition that does not hold while nothing is stored", "9111 §4.3.2",
      ask(
        "GET /↵If-None-Match: \"b\"", "200↵ETag: \"a\"↵Cache-Control: max-age=60",
        is: "status=200 content=content stored")),
    History(
      "the client's condition and ours", "9111 §4.3.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(9, "GET /↵If-None-Match: \"b\"", "304", is: ">if-none-match:\"a\" status=200 asked=1")),
    History(
      "a condition that passes by", "9111 §4.3.2",
      ask(
        "GET /↵If-None-Match: \"b\"↵Cache-Control: no-cache", "304↵ETag: \"b\"",
        is: ">if-none-match:\"b\" status=304 etag:\"b\"")),
    History(
      "If-Match is for the origin", "9111 §4.3.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /↵If-Match: \"b\"", "412", is: ">if-match:\"b\" status=412 fwd=bypass"),
      ask("GET /", is: "hit")),
  ]

  /// A stored response of ten bytes, and a range of it.
  private static func range(
    _ name: String, _ range: String, stored: String = "ETag: \"a\"", _ expected: String
  ) -> History {
    History(
      name, "9110 §14.2",
      ask("GET /", "200↵Cache-Control: max-age=60↵\(stored)↵↵0123456789", is: "stored"),
      ask("GET /↵Range: \(range)", is: "hit asked=0 \(expected)"))
  }

  private static let whole = "status=200 content=0123456789 !content-range content-length:10"

  /// Ranges of content in a coding, which has such fields.
  private static func coded(
    _ name: String, _ fields: String, _ expected: String, beyond: String = whole
  ) -> [History] {
    [("0-3", "", expected), ("99-", ", after the end", beyond)].map { range, place, expected in
      History(
        "a range of a coding with \(name)\(place)", "9110 §14.2",
        ask(
          "GET /", "200↵Content-Encoding: gzip↵Cache-Control: max-age=60\(fields)↵↵0123456789",
          is: "stored"),
        ask("GET /↵Range: bytes=\(range)", is: "hit \(expected)"))
    }
  }

  static let rangesOfCodings: [History] =
    coded("no validator", "", whole)
    + coded("a weak tag", "↵ETag: W/\"a\"", whole)
    + coded("a date", "↵Last-Modified: {-90}", whole)
    + coded("a strong tag", "↵ETag: \"a\"", "status=206 content=0123", beyond: "status=416")
    + coded("Accept-Ranges", "↵Accept-Ranges: bytes", "status=206", beyond: "status=416")
    + coded(
      "Accept-Ranges and a weak tag", "↵ETag: W/\"a\"↵Accept-Ranges: bytes", "status=206",
      beyond: "status=416")

  static let ranges: [History] = [
    range(
      "the first bytes", "bytes=0-3",
      "status=206 content=0123 content-range:bytes_0-3/10 content-length:4 etag:\"a\" age:0"),
    range("bytes within", "bytes=3-5", "content=345 content-range:bytes_3-5/10"),
    range("one byte", "bytes=9-9", "status=206 content=9 content-length:1"),
    range("all bytes", "bytes=0-9", "status=206 content=0123456789 content-range:bytes_0-9/10"),
    range("to the end", "bytes=7-", "content=789 content-range:bytes_7-9/10"),
    range("from the start", "bytes=0-", "status=206 content-range:bytes_0-9/10"),
    range("beyond the end", "bytes=8-99", "content=89 content-range:bytes_8-9/10"),
    range("a suffix", "bytes=-3", "content=789 content-range:bytes_7-9/10"),
    range("a suffix longer than all", "bytes=-99", "status=206 content-range:bytes_0-9/10"),
    range("BYTES", "BYTES=0-3", "status=206 content=0123"),
    range("whitespace before", "bytes= 0-3", "status=206 content=0123"),
    range("first after the end", "bytes=10-", "status=416 content= content-range:bytes_*/10"),
    range("first far after the end", "bytes=99-100", "status=416 content-range:bytes_*/10"),
    range("a suffix of nothing", "bytes=-0", "status=416 content-length:0"),
    range("last before first", "bytes=5-3", whole),
    range("two ranges", "bytes=0-1,4-5", "status=206 content=012345 content-range:bytes_0-5/10"),
    range("a stray comma", "bytes=0-1,", "status=206 content=01 content-range:bytes_0-1/10"),
    range("two lines", "bytes=0-1↵Range: bytes=2-3", whole),
    range("another unit", "lines=0-1", whole),
    range("no unit", "0-1", whole),
    range("no dash", "bytes=5", whole),
    range("only a dash", "bytes=-", whole),
    range("negative", "bytes=--3", whole),
    range("words", "bytes=a-b", whole),
    range("more digits than fit", "bytes=0-99999999999999999999", whole),
    range("If-Range with its tag", "bytes=0-3↵If-Range: \"a\"", "status=206 content=0123"),
    range("If-Range with another tag", "bytes=0-3↵If-Range: \"b\"", whole),
    range("If-Range with a weak tag", "bytes=0-3↵If-Range: W/\"a\"", whole),
    range(
      "If-Range and a weak tag", "bytes=0-3↵If-Range: W/\"a\"", stored: "ETag: W/\"a\"", whole),
    range("If-Range and no tag", "bytes=0-3↵If-Range: \"a\"", stored: "X: y", whole),
    range("If-Range twice", "bytes=0-3↵If-Range: \"a\"↵If-Range: \"a\"", whole),
    range("If-Range beyond the end", "bytes=10-↵If-Range: \"b\"", whole),
    range(
      "If-Range with its date", "bytes=0-3↵If-Range: {-9}", stored: "Last-Modified: {-9}",
      "status=206 content=0123"),
    range(
      "If-Range with a later date", "bytes=0-3↵If-Range: {0}", stored: "Last-Modified: {-9}",
      whole),
    range(
      "If-Range with a date that is weak", "bytes=0-3↵If-Range: {0}",
      stored: "Date: {0}↵Last-Modified: {0}", whole),
    range(
      "If-Range with a bad date", "bytes=0-3↵If-Range: now", stored: "Last-Modified: {-9}", whole),
    range("304 before a range", "bytes=0-3↵If-None-Match: \"a\"", "status=304 content="),
    range("a range and another tag", "bytes=0-3↵If-None-Match: \"b\"", "status=206 content=0123"),
    History(
      "a suffix of no content", "9110 §14.1.2",
      ask("GET /", "200↵Cache-Control: max-age=60↵Content-Length: 0↵↵", is: "stored"),
      ask("GET /↵Range: bytes=-5", is: "hit status=200 content=")),
    History(
      "a range of an error", "9110 §14.2",
      ask("GET /", "404↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /↵Range: bytes=0-1", is: "hit status=404 content=content")),
    History(
      "a range of nothing stored", "9111 §3.3",
      ask(
        "GET /↵Range: bytes=0-1↵If-Range: \"a\"", "206↵Content-Range: bytes 0-1/9↵↵co",
        is: ">range:bytes=0-1 >if-range:\"a\" status=206 detail=partial content=co"),
      ask("GET /", is: "fwd=uri-miss")),
    History(
      "a range of what is stale", "9111 §4.3.1",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(
        9, "GET /↵Range: bytes=0-1", "304",
        is: "!>range >if-none-match:\"a\" status=206 content=co stored")),
    History(
      "a range of what has changed", "9110 §14.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(
        9, "GET /↵Range: bytes=0-1", "200↵Cache-Control: max-age=9↵↵new",
        is: "status=206 content=ne content-range:bytes_0-1/3 stored")),
  ]

  static let heads: [History] = [
    History(
      "HEAD from a stored GET", "9110 §9.3.2",
      ask("GET /", "200↵Cache-Control: max-age=60↵X: y", is: "stored"),
      ask(5, "HEAD /", is: "hit status=200 content= content-length:7 x:y age:5 asked=0")),
    History(
      "HEAD ignores a range", "9110 §14.2",
      ask("GET /", "200↵Cache-Control: max-age=60", is: "stored"),
      ask("HEAD /↵Range: bytes=0-1", is: "hit status=200 content-length:7")),
    History(
      "HEAD with a condition", "9110 §13.1.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=60", is: "stored"),
      ask("HEAD /↵If-None-Match: \"a\"", is: "hit status=304")),
    History(
      "HEAD of nothing stored", "9111 §4",
      ask(
        "HEAD /", "200↵Content-Length: 99↵Cache-Control: max-age=60",
        is: "fwd=uri-miss detail=head content-length:99 content= >HEAD_/_HTTP/1.1"),
      ask("GET /", is: "fwd=uri-miss")),
    History(
      "HEAD of what is stale", "9111 §4",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9", is: "stored"),
      ask(9, "HEAD /", is: "fwd=stale detail=head !>if-none-match")),
    History(
      "HEAD and only-if-cached", "9111 §5.2.1.7",
      ask("HEAD /↵Cache-Control: only-if-cached", is: "status=504 asked=0")),
    History(
      "HEAD of an error", "9111 §4", ask("GET /", "404↵Cache-Control: max-age=60", is: "stored"),
      ask("HEAD /", is: "hit status=404 content= content-length:7")),
  ]
}
