import Testing

@testable import EdgeCache

// Conditional requests (RFC 9111 §4.3.2, RFC 9110 §13) and ranges (RFC 9110 §14) from the store.

private let day = "Tue, 14 Nov 2023 00:00:00 GMT"
private let stored =
  "200↵ETag: \"a\"↵Last-Modified: \(day)↵Content-Type: t/t↵Vary: X↵Cache-Control: max-age=99↵↵0123456789"

/// What a request with these fields gets of the stored response.
private func gets(
  _ name: String, _ section: String, _ fields: String, _ expectation: String,
  of reply: String = stored
) -> CachingRow {
  CachingRow(name, section, ask("", reply, "stored"), hit("↵\(fields)", "hit \(expectation)"))
}

private let whole = "200 =0123456789 content-length:10"

let conditionalRows: [CachingRow] = [
  gets("the tag", "9110 §13.1.2", "If-None-Match: \"a\"", "304 = etag:\"a\" vary:X age:0 date"),
  gets(
    "304 has no description of content", "9110 §15.4.5", "If-None-Match: \"a\"",
    "304 !content-type !content-length !last-modified cache-control:max-age=99"),
  gets("another tag", "9110 §13.1.2", "If-None-Match: \"b\"", whole),
  gets("one of several", "9110 §13.1.2", "If-None-Match: \"b\", \"a\", \"c\"", "304"),
  gets("one in several lines", "9110 §13.1.2", "If-None-Match: \"b\"↵If-None-Match: \"a\"", "304"),
  gets("none of several", "9110 §13.1.2", "If-None-Match: \"b\", \"c\"", whole),
  gets("weak against strong", "9110 §8.8.3.2", "If-None-Match: W/\"a\"", "304"),
  gets("lower-case w is no mark", "9110 §8.8.3", "If-None-Match: w/\"a\"", whole),
  gets("star", "9110 §13.1.2", "If-None-Match: *", "304"),
  gets("without quotes", "9110 §8.8.3", "If-None-Match: a", whole),
  gets("letter case", "9110 §8.8.3", "If-None-Match: \"A\"", whole),
  gets("a comma within a tag", "9110 §8.8.3", "If-None-Match: \"x,\"a\"", whole),
  gets("empty list", "9110 §13.1.2", "If-None-Match:", whole),
  gets("prefix", "9110 §8.8.3.2", "If-None-Match: \"ab\"", whole),
  gets("the date", "9110 §13.1.3", "If-Modified-Since: \(day)", "304"),
  gets("a later date", "9110 §13.1.3", "If-Modified-Since: Tue, 14 Nov 2023 00:00:01 GMT", "304"),
  gets(
    "an earlier date", "9110 §13.1.3", "If-Modified-Since: Mon, 13 Nov 2023 23:59:59 GMT", whole),
  gets(
    "the date in the form of RFC 850", "9110 §5.6.7",
    "If-Modified-Since: Tuesday, 14-Nov-23 00:00:00 GMT", "304"),
  gets("a date that is none", "9110 §13.1.3", "If-Modified-Since: yesterday", whole),
  gets("two dates", "9110 §13.1.3", "If-Modified-Since: \(day)↵If-Modified-Since: \(day)", whole),
  gets(
    "the tag hides the date", "9110 §13.1.3", "If-None-Match: \"b\"↵If-Modified-Since: \(day)",
    whole),
  gets(
    "and the other way round", "9110 §13.1.3",
    "If-None-Match: \"a\"↵If-Modified-Since: Mon, 13 Nov 2023 00:00:00 GMT", "304"),
  gets(
    "preconditions before ranges", "9110 §13.2.2", "If-None-Match: \"a\"↵Range: bytes=0-0", "304"),
  gets("no match and a range", "9110 §13.2.2", "If-None-Match: \"b\"↵Range: bytes=0-0", "206 =0"),
  gets(
    "weak tag stored", "9110 §8.8.3.2", "If-None-Match: \"a\"", "304",
    of: "200↵ETag: W/\"a\"↵Cache-Control: max-age=9"),
  gets(
    "no tag stored", "9110 §13.1.2", "If-None-Match: \"a\"", "200",
    of: "200↵Cache-Control: max-age=9"),
  gets(
    "no tag stored, star", "9110 §13.1.2", "If-None-Match: *", "304",
    of: "200↵Cache-Control: max-age=9"),
  gets(
    "no Last-Modified: Date counts", "§4.3.2", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT",
    "304", of: "200↵Cache-Control: max-age=9"),
  gets(
    "no Last-Modified and an earlier date", "§4.3.2",
    "If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT", "200", of: "200↵Cache-Control: max-age=9"),
  gets(
    "404 is never 304", "9110 §13.2.1", "If-None-Match: \"a\"", "404",
    of: "404↵ETag: \"a\"↵Cache-Control: max-age=9"),
  CachingRow(
    "HEAD", "9110 §13.1.2", ask("", stored, "stored"),
    hit("HEAD /↵If-None-Match: \"a\"", "hit 304 =")),
  CachingRow(
    "from a fill", "§4.3.2",
    ask("↵If-None-Match: \"a\"", stored, "304 = stored up:if-none-match:\"a\""),
    hit("", "hit \(whole)")),
  CachingRow(
    "from a freshened response", "§4.3.3", ask("", stored, "stored"),
    ask("+99 ↵If-None-Match: \"a\"", "304", "304 = stored")),
  CachingRow(
    "If-Match is for the origin", "§4.3.2", ask("", stored, "stored"),
    ask("↵If-Match: \"x\"", "412", "fwd=bypass 412 up:if-match:\"x\"")),
  CachingRow(
    "If-Unmodified-Since is for the origin", "§4.3.2", ask("", stored, "stored"),
    ask("↵If-Unmodified-Since: \(day)", "200", "fwd=bypass up:if-unmodified-since")),
]

/// No range of empty content is anything else than all of it.
private func empty(_ name: String, _ range: String) -> CachingRow {
  gets(
    "\(name) of empty content", "9110 §14.2", "Range: bytes=\(range)",
    "200 = content-length:0 !content-range", of: "200↵Cache-Control: max-age=9↵↵")
}

let rangeRows: [CachingRow] = [
  gets(
    "first bytes", "9110 §14.1.2", "Range: bytes=0-3",
    "206 =0123 content-range:bytes_0-3/10 content-length:4 content-type:t/t etag:\"a\""),
  gets("one byte", "9110 §14.1.2", "Range: bytes=0-0", "206 =0 content-range:bytes_0-0/10"),
  gets("in the middle", "9110 §14.1.2", "Range: bytes=4-6", "206 =456"),
  gets("last byte", "9110 §14.1.2", "Range: bytes=9-9", "206 =9 content-range:bytes_9-9/10"),
  gets("to the end", "9110 §14.1.2", "Range: bytes=7-", "206 =789 content-range:bytes_7-9/10"),
  gets(
    "beyond the end", "9110 §14.1.2", "Range: bytes=7-99", "206 =789 content-range:bytes_7-9/10"),
  gets("suffix", "9110 §14.1.2", "Range: bytes=-3", "206 =789 content-range:bytes_7-9/10"),
  gets("suffix longer than all", "9110 §14.1.2", "Range: bytes=-99", "206 =0123456789"),
  gets(
    "all of it", "9110 §14.1.2", "Range: bytes=0-", "206 =0123456789 content-range:bytes_0-9/10"),
  gets("unit in any case", "9110 §14.1", "Range: Bytes=0-0", "206 =0"),
  gets("whitespace around", "9110 §14.1.2", "Range: bytes= 0-0 ", "206 =0"),
  gets("leading zeros", "9110 §14.1.2", "Range: bytes=007-008", "206 =78"),
  gets(
    "after the end", "9110 §14.1.2", "Range: bytes=10-",
    "416 = content-range:bytes_*/10 content-length:0 !etag"),
  gets("far after the end", "9110 §14.1.2", "Range: bytes=999-1000", "416"),
  gets("suffix of nothing", "9110 §14.1.2", "Range: bytes=-0", "416"),
  empty("all of it", "0-"), empty("a byte", "0-0"), empty("bytes after the end", "5-9"),
  empty("a suffix", "-1"), empty("a suffix of nothing", "-0"), empty("ranges", "0-,5-6"),
  empty("something malformed", "5-4"),
  gets("the wrong way round", "9110 §14.1.2", "Range: bytes=5-4", whole),
  gets("several that nearly touch", "9110 §14.2", "Range: bytes=0-1,3-4", "206 =01234"),
  gets("another unit", "9110 §14.2", "Range: lines=0-1", whole),
  gets("no unit", "9110 §14.2", "Range: 0-1", whole),
  gets("nothing", "9110 §14.2", "Range: bytes=", whole),
  gets("only a dash", "9110 §14.2", "Range: bytes=-", whole),
  gets("no dash", "9110 §14.2", "Range: bytes=5", whole),
  gets("words", "9110 §14.2", "Range: bytes=a-b", whole),
  gets("negative", "9110 §14.2", "Range: bytes=--5", whole),
  gets("hexadecimal", "9110 §14.2", "Range: bytes=0x1-", whole),
  gets("two fields", "9110 §14.2", "Range: bytes=0-1↵Range: bytes=2-3", whole),
  gets("space within", "9110 §14.2", "Range: bytes=0 - 1", whole),
  gets("a number beyond all", "9110 §14.2", "Range: bytes=0-99999999999999999999999", whole),
  gets(
    "404 has no parts", "9110 §14.2", "Range: bytes=0-0", "404 =content",
    of: "404↵Cache-Control: max-age=9"),
  gets("If-Range with the tag", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: \"a\"", "206 =0"),
  gets("If-Range with another tag", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: \"b\"", whole),
  gets("If-Range with a weak tag", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: W/\"a\"", whole),
  gets(
    "If-Range against a weak tag", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: W/\"a\"", "200",
    of: "200↵ETag: W/\"a\"↵Cache-Control: max-age=9"),
  gets(
    "If-Range against no tag", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: \"a\"", "200",
    of: "200↵Cache-Control: max-age=9"),
  gets("If-Range with the date", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: \(day)", "206 =0"),
  gets(
    "If-Range with a later date", "9110 §13.1.5",
    "Range: bytes=0-0↵If-Range: Tue, 14 Nov 2023 00:00:01 GMT", whole),
  gets(
    "If-Range with a weak date", "9110 §8.8.2.2",
    "Range: bytes=0-0↵If-Range: Tue, 14 Nov 2023 22:13:20 GMT", "200",
    of: "200↵Last-Modified: {0}↵Cache-Control: max-age=9"),
  gets(
    "If-Range with Date", "9110 §13.1.5",
    "Range: bytes=0-0↵If-Range: Tue, 14 Nov 2023 22:13:20 GMT", whole),
  gets("If-Range of nonsense", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: x", whole),
  gets("two If-Range", "9110 §13.1.5", "Range: bytes=0-0↵If-Range: \"a\"↵If-Range: \"a\"", whole),
  gets(
    "unsatisfiable, and If-Range fails", "9110 §14.2", "Range: bytes=99-↵If-Range: \"b\"", whole),
  gets("If-Range without a range", "9110 §13.1.5", "If-Range: \"b\"", whole),
  CachingRow(
    "HEAD has no parts", "9110 §14.2", ask("", stored, "stored"),
    hit("HEAD /↵Range: bytes=0-0", "hit 200 = content-length:10 !content-range")),
  CachingRow(
    "a range that is answered after validation", "9110 §14.2", ask("", stored, "stored"),
    ask("+99 ↵Range: bytes=2-3", "304", "206 =23 content-range:bytes_2-3/10 !up:range stored")),
  CachingRow(
    "a range of what has changed is cut out of what replaces it", "9110 §14.2",
    ask("", stored, "stored"),
    ask("+99 ↵Range: bytes=2-3", "200↵Cache-Control: max-age=9↵↵abcdef", "206 =cd stored")),
  CachingRow(
    "a range from a stale response", "§4.2.4", ask("", stored, "stored"),
    ask("+99 ↵Range: bytes=2-3", "503", "206 =23")),
]

@Suite struct ConditionalTests {
  @Test(arguments: conditionalRows) func conditional(_ row: CachingRow) { row.run() }
  @Test(arguments: rangeRows) func range(_ row: CachingRow) { row.run() }
}
