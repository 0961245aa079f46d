@testable import EdgeCache

// Parts of a content: kept, used, put together (RFC 9111 §3.3, §3.4) and sent (RFC 9110 §14).

extension Histories {
  private static let lifetime = "Cache-Control: max-age=60"
  private static let m = "ETag: \"a\"↵Cache-Control: max-age=60"

  private static func first(_ range: String, _ sent: String, _ content: String) -> Ask {
    ask(
      "GET /↵Range: bytes=\(range)", "206↵\(m)↵Content-Range: bytes \(sent)↵↵\(content)",
      is: "fwd=uri-miss stored status=206 content=\(content) >range:bytes=\(range)")
  }

  static let parts: [History] = [
    History(
      "a range within what is stored", "9111 §3.3", first("2-7", "2-7/10", "234567"),
      ask(
        "GET /↵Range: bytes=3-5",
        is: "hit status=206 content=345 content-range:bytes_3-5/10 content-length:3 etag:\"a\""),
      ask("GET /↵Range: bytes=2-7", is: "hit content=234567")),
    History(
      "a suffix within what is stored", "9111 §3.3", first("-5", "5-9/10", "56789"),
      ask("GET /↵Range: bytes=-3", is: "hit content=789 content-range:bytes_7-9/10"),
      ask("GET /↵Range: bytes=6-", is: "hit content=6789")),
    History(
      "several ranges within what is stored", "9111 §3.3", first("0-7", "0-7/10", "01234567"),
      ask("GET /↵Range: bytes=0-1,3-4", is: "hit content=01234")),
    History(
      "a range beyond what there is", "9110 §14.1.2", first("0-4", "0-4/10", "01234"),
      ask("GET /↵Range: bytes=10-", is: "hit status=416 content-range:bytes_*/10")),
    History(
      "part of a range is stored", "9111 §3.3", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /↵Range: bytes=3-7", "206↵\(m)↵Content-Range: bytes 3-7/10↵↵34567",
        is: "fwd=partial >range:bytes=3-7 content=34567"),
      ask("GET /↵Range: bytes=0-7", is: "hit content=01234567")),
    History(
      "parts that touch make one", "9111 §3.4", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /↵Range: bytes=5-9", "206↵\(m)↵Content-Range: bytes 5-9/10↵↵56789", is: "fwd=partial"),
      ask("GET /", is: "hit status=200 content=0123456789 !content-range")),
    History(
      "what is put together has the fields of a 200", "9110 §14.3",
      ask(
        "GET /↵Range: bytes=0-4",
        "206↵\(m)↵Content-Range: bytes 0-4/10↵Content-Digest: sha-256=:one:↵Repr-Digest: sha-256=:all:↵↵01234",
        is: "stored"),
      ask(
        "GET /↵Range: bytes=5-9",
        "206↵\(m)↵Content-Range: bytes 5-9/10↵Content-Digest: sha-256=:two:↵Repr-Digest: sha-256=:all:↵↵56789",
        is: "fwd=partial"),
      ask(
        "HEAD /",
        is:
          "hit status=200 accept-ranges:bytes content-length:10 !content-range !content-digest repr-digest:sha-256=:all:"
      ),
      ask(
        "GET /↵Range: bytes=4-5",
        is: "hit content=45 accept-ranges:bytes content-range:bytes_4-5/10")),
    History(
      "and so has what one part completes", "9110 §14.3", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /",
        "206↵\(m)↵Content-Range: bytes 5-9/10↵Content-Digest: sha-256=:two:↵↵56789",
        is: "status=200 accept-ranges:bytes !content-digest !content-range content=0123456789"),
      ask("GET /", is: "hit accept-ranges:bytes !content-digest")),
    History(
      "and what came as one part", "9110 §14.3", first("0-", "0-9/10", "0123456789"),
      ask("HEAD /", is: "hit status=200 accept-ranges:bytes content-length:10")),
    History(
      "what the origin says of ranges stays", "9110 §14.3",
      ask(
        "GET /↵Range: bytes=0-4",
        "206↵\(m)↵accept-ranges: bytes, x↵Content-Range: bytes 0-4/10↵↵01234",
        is: "stored"),
      ask("GET /↵Range: bytes=0-4", is: "hit accept-ranges:bytes,_x")),
    History(
      "a part of what is stored has no digest of all of it", "9530 §2",
      ask(
        "GET /", "200↵\(m)↵Content-MD5: all↵content-digest: sha-256=:all:↵X: y↵↵0123456789",
        is: "stored content-md5:all"),
      ask("GET /", is: "hit content-digest:sha-256=:all: x:y"),
      ask(
        "GET /↵Range: bytes=0-1", is: "hit status=206 !content-digest !content-md5 x:y content=01"),
      ask(
        "GET /↵If-None-Match: \"a\"", is: "hit status=304 !content-digest !content-md5 x:y")),
    History(
      "parts that do not touch", "9111 §3.4", first("0-1", "0-1/10", "01"),
      ask(
        "GET /↵Range: bytes=5-9", "206↵\(m)↵Content-Range: bytes 5-9/10↵↵56789", is: "fwd=partial"),
      ask("GET /↵Range: bytes=5-9", is: "hit content=56789 content-range:bytes_5-9/10"),
      ask("GET /↵Range: bytes=0-1", is: "hit content=01 content-range:bytes_0-1/10"),
      ask("GET /↵Range: bytes=-2", is: "hit content=89"),
      ask(
        "GET /↵Range: bytes=1-5", "206↵\(m)↵Content-Range: bytes 1-5/10↵↵12345",
        is: "fwd=partial >range:bytes=1-5 content=12345"),
      ask("GET /", is: "hit status=200 content=0123456789 content-length:10 !content-range")),
    History(
      "a head and a tail", "9111 §3.4", first("0-2", "0-2/10", "012"),
      ask(
        "GET /↵Range: bytes=-3", "206↵\(m)↵Content-Range: bytes 7-9/10↵↵789",
        is: "fwd=partial >range:bytes=-3 content=789"),
      ask("GET /↵Range: bytes=0-2", is: "hit content=012"),
      ask("GET /↵Range: bytes=-3", is: "hit content=789"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 3-6/10↵↵3456",
        is:
          "fwd=partial >range:bytes=3-6 >if-range:\"a\" stored status=200 content=0123456789 content-length:10 !content-range"
      ),
      ask("GET /", is: "hit content=0123456789 accept-ranges:bytes")),
    History(
      "what is between a head and a tail has changed", "9111 §3.4", first("0-2", "0-2/10", "012"),
      ask("GET /↵Range: bytes=-3", "206↵\(m)↵Content-Range: bytes 7-9/10↵↵789", is: "fwd=partial"),
      ask(
        "GET /", "206↵ETag: \"b\"↵Cache-Control: max-age=60↵Content-Range: bytes 3-6/10↵↵wxyz",
        "200↵\(m)↵↵all", is: "asked=2 !2>range content=all"),
      ask("GET /", is: "hit content=all")),
    History(
      "what is between breaks off", "9111 §3.4", first("0-2", "0-2/10", "012"),
      ask("GET /↵Range: bytes=-3", "206↵\(m)↵Content-Range: bytes 7-9/10↵↵789", is: "fwd=partial"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 3-6/10↵Transfer-Encoding: chunked↵↵34",
        is: "broken content=01234"),
      ask("GET /↵Range: bytes=7-", is: "hit content=789")),
    History(
      "two gaps are of no use for all", "9111 §3.4", first("2-3", "2-3/10", "23"),
      ask("GET /↵Range: bytes=6-7", "206↵\(m)↵Content-Range: bytes 6-7/10↵↵67", is: "fwd=partial"),
      ask("GET /", "200↵\(m)↵↵0123456789", is: "fwd=partial !>range content=0123456789 stored")),
    History(
      "a part over several others", "9111 §3.4", first("0-1", "0-1/10", "01"),
      ask("GET /↵Range: bytes=3-4", "206↵\(m)↵Content-Range: bytes 3-4/10↵↵34", is: "fwd=partial"),
      ask("GET /↵Range: bytes=8-9", "206↵\(m)↵Content-Range: bytes 8-9/10↵↵89", is: "fwd=partial"),
      ask(
        "GET /↵Range: bytes=1-8", "206↵\(m)↵Content-Range: bytes 1-8/10↵↵12345678",
        is: "fwd=partial content=12345678"),
      ask("GET /", is: "hit content=0123456789")),
    History(
      "a weak validator keeps nothing beside another", "9111 §3.4",
      ask(
        "GET /↵Range: bytes=0-1",
        "206↵ETag: W/\"a\"↵Cache-Control: max-age=60↵Content-Range: bytes 0-1/10↵↵01", is: "stored"),
      ask(
        "GET /↵Range: bytes=5-6",
        "206↵ETag: W/\"a\"↵Cache-Control: max-age=60↵Content-Range: bytes 5-6/10↵↵56",
        is: "fwd=partial stored"),
      ask("GET /↵Range: bytes=5-6", is: "hit content=56"),
      ask("GET /↵Range: bytes=0-1", "206↵\(m)↵Content-Range: bytes 0-1/10↵↵01", is: "fwd=partial")),
    History(
      "parts of another length are of another content", "9111 §3.4", first("0-1", "0-1/10", "01"),
      ask("GET /↵Range: bytes=5-6", "206↵\(m)↵Content-Range: bytes 5-6/11↵↵56", is: "fwd=partial"),
      ask("GET /↵Range: bytes=0-1", "206↵\(m)↵Content-Range: bytes 0-1/11↵↵01", is: "fwd=partial"),
      ask("GET /↵Range: bytes=5-6", is: "hit content-range:bytes_5-6/11")),
    History(
      "stale parts are validated as one", "9111 §4.3.1", first("0-1", "0-1/10", "01"),
      ask("GET /↵Range: bytes=5-6", "206↵\(m)↵Content-Range: bytes 5-6/10↵↵56", is: "fwd=partial"),
      ask(
        70, "GET /↵Range: bytes=0-1", "304↵\(m)",
        is: "fwd=stale >if-none-match:\"a\" status=206 content=01"),
      ask(71, "GET /↵Range: bytes=5-6", is: "hit content=56")),
    History(
      "an unsafe request takes all parts", "9111 §4.4", first("0-1", "0-1/10", "01"),
      ask("GET /↵Range: bytes=5-6", "206↵\(m)↵Content-Range: bytes 5-6/10↵↵56", is: "fwd=partial"),
      ask("POST /", "200", is: "fwd=method"),
      ask(
        "GET /↵Range: bytes=0-1", "206↵\(m)↵Content-Range: bytes 0-1/10↵↵01", is: "fwd=uri-miss")),
    History(
      "several ranges of which one is not stored", "9110 §14.6", first("0-1", "0-1/400", "01"),
      ask(
        "GET /↵Range: bytes=0-1,200-201",
        "206↵ETag: \"a\"↵Cache-Control: max-age=60↵X-Parts: two↵↵both",
        is:
          "fwd=partial detail=partial !stored status=206 >range:bytes=0-1,200-201 content=both x-parts:two"
      ),
      ask("GET /↵Range: bytes=0-1", is: "hit content=01"),
      ask(
        "GET /↵Range: bytes=200-201", "206↵\(m)↵Content-Range: bytes 200-201/400↵↵xy",
        is: "fwd=partial"),
      ask(
        "GET /↵Range: bytes=0-1,200-201", is: "hit status=206 parts=2 part=0-1:01 part=200-201:xy")),
    History(
      "several ranges where the origin sends all of it", "9110 §14.2", first("0-1", "0-1/4", "01"),
      ask(
        "GET /↵Range: bytes=0-0,3-3", "200↵\(m)↵↵0123", is: "fwd=partial status=200 content=0123"),
      ask("GET /↵Range: bytes=0-1", is: "hit content=01")),
    History(
      "several ranges of stale parts", "9110 §14.6", first("0-1", "0-1/400", "01"),
      ask(
        70, "GET /↵Range: bytes=0-0,1-1,300-301",
        "206↵\(m)↵X-Parts: two↵↵both",
        is: "status=206 >range:bytes=0-0,1-1,300-301 content=both")),
    History(
      "parts of different contents", "9111 §3.4", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /↵Range: bytes=5-9",
        "206↵ETag: \"b\"↵Cache-Control: max-age=60↵Content-Range: bytes 5-9/10↵↵vwxyz",
        is: "fwd=partial content=vwxyz"),
      ask("GET /↵Range: bytes=5-9", is: "hit content=vwxyz"),
      ask(
        "GET /↵Range: bytes=0-4",
        "206↵ETag: \"b\"↵Cache-Control: max-age=60↵Content-Range: bytes 0-4/10↵↵qrstu",
        is: "fwd=partial"),
      ask("GET /", is: "hit content=qrstuvwxyz")),
    History(
      "the end is fetched", "9111 §3.4", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 5-9/10↵X: new↵↵56789",
        is:
          "fwd=partial >range:bytes=5- >if-range:\"a\" stored status=200 content=0123456789 content-length:10 x:new !content-range"
      ),
      ask("GET /", is: "hit status=200 content=0123456789 x:new")),
    History(
      "the beginning is fetched", "9111 §3.4", first("-5", "5-9/10", "56789"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 0-4/10↵↵01234",
        is: "fwd=partial >range:bytes=0-4 status=200 content=0123456789"),
      ask("GET /", is: "hit content=0123456789")),
    History(
      "the middle is of no use for all", "9111 §3.4", first("2-7", "2-7/10", "234567"),
      ask("GET /", "200↵\(m)↵↵0123456789", is: "fwd=partial !>range content=0123456789 stored"),
      ask("GET /", is: "hit")),
    History(
      "it has changed", "9110 §13.1.5", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /", "200↵ETag: \"b\"↵Cache-Control: max-age=60↵↵new",
        is: "fwd=partial >range:bytes=5- status=200 content=new"),
      ask("GET /", is: "hit content=new")),
    History(
      "an answer that does not fit", "9111 §3.4", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /", "206↵ETag: \"b\"↵Cache-Control: max-age=60↵Content-Range: bytes 5-9/10↵↵vwxyz",
        "200↵\(m)↵↵all", is: "asked=2 !2>range content=all"),
      ask("GET /", is: "hit content=all")),
    History(
      "a weak validator puts nothing together", "9111 §3.4",
      ask(
        "GET /↵Range: bytes=0-4",
        "206↵ETag: W/\"a\"↵Cache-Control: max-age=60↵Content-Range: bytes 0-4/10↵↵01234",
        is: "stored"),
      ask("GET /", "200↵\(m)↵↵all", is: "fwd=partial !>range content=all")),
    History(
      "the rest breaks off", "9111 §3.3", first("0-4", "0-4/10", "01234"),
      ask("GET /", "fail upstream-closed", is: "status=502"),
      ask("GET /↵Range: bytes=0-1", is: "hit content=01")),
    History(
      "all of it as a part", "9111 §3.3", first("0-", "0-9/10", "0123456789"),
      ask("GET /", is: "hit status=200 content=0123456789 !content-range")),
    History(
      "a stale part is validated", "9111 §4.3.1", first("0-4", "0-4/10", "01234"),
      ask(
        70, "GET /↵Range: bytes=1-2", "304↵\(m)",
        is: "fwd=stale >if-none-match:\"a\" status=206 content=12"),
      ask(71, "GET /↵Range: bytes=1-2", is: "hit")),
    History(
      "a stale part is not named where it would not do", "9111 §4.3.1",
      first("0-4", "0-4/10", "01234"),
      ask(
        70, "GET /↵Range: bytes=5-6", "206↵\(m)↵Content-Range: bytes 5-6/10↵↵56",
        is: "!>if-none-match")),
    History(
      "a stale part stands in", "9111 §4.2.4", first("0-4", "0-4/10", "01234"),
      ask(70, "GET /↵Range: bytes=1-2", "503", is: "status=206 content=12")),
    History(
      "a part does not stand in for all", "9111 §3.3", first("0-4", "0-4/10", "01234"),
      ask("GET /", "503", is: "status=503")),
    History(
      "HEAD is not answered from a part", "9111 §3.3", first("0-4", "0-4/10", "01234"),
      ask("HEAD /", "200↵\(m)↵Content-Length: 10", is: "fwd=partial asked=1")),
    History(
      "only if cached, and it is not all there", "9111 §5.2.1.7", first("0-4", "0-4/10", "01234"),
      ask("GET /↵Cache-Control: only-if-cached", is: "status=504"),
      ask("GET /↵Cache-Control: only-if-cached↵Range: bytes=0-1", is: "hit")),
    History(
      "If-Range for another content", "9110 §13.1.5", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /↵Range: bytes=0-1↵If-Range: \"b\"", "200↵\(m)↵↵0123456789",
        is: "fwd=partial status=200 content=0123456789")),
    History(
      "the origin ignores the range", "9110 §14.2",
      ask(
        "GET /↵Range: bytes=0-4", "200↵\(m)↵↵0123456789", is: "status=200 stored content=0123456789"
      ),
      ask("GET /↵Range: bytes=0-4", is: "hit status=206 content=01234")),
    History(
      "a part nobody asked for", "9111 §3.3",
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 0-4/10↵↵01234",
        is: "!stored detail=partial status=206")),
    History(
      "a part of unknown length", "9111 §3.3",
      ask(
        "GET /↵Range: bytes=0-4", "206↵\(m)↵Content-Range: bytes 0-4/*↵↵01234",
        is: "!stored detail=partial")),
    History(
      "a part that contradicts itself", "9111 §3.3",
      ask(
        "GET /↵Range: bytes=0-4", "206↵\(m)↵Content-Range: bytes 0-5/10↵↵01234",
        is: "!stored detail=partial")),
    History(
      "a part without a lifetime", "9111 §3",
      ask(
        "GET /↵Range: bytes=0-4", "206↵ETag: \"a\"↵Content-Range: bytes 0-4/10↵↵01234",
        is: "!stored status=206 content-range:bytes_0-4/10")),
    History(
      "a part that turns out shorter than it says", "9111 §3.3",
      ask(
        "GET /↵Range: bytes=0-4",
        "206↵\(m)↵Content-Range: bytes 0-4/5↵Transfer-Encoding: chunked↵↵012", is: "broken"),
      ask("GET /", "200↵\(m)↵↵01234", is: "fwd=uri-miss content=01234")),
    History(
      "a beginning that turns out shorter than it says", "9111 §3.4",
      first("-5", "5-9/10", "56789"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 0-4/10↵Transfer-Encoding: chunked↵↵012",
        is: "broken content=012")),
    History(
      "a rest without Content-Length", "9111 §3.4", first("0-4", "0-4/10", "01234"),
      ask(
        "GET /", "206↵\(m)↵Content-Range: bytes 5-9/10↵Transfer-Encoding: chunked↵↵56789",
        is: "status=200 content=0123456789"),
      ask("GET /", is: "hit content=0123456789 content-length:10")),
    History(
      "a length beyond all bounds", "9110 §14.4",
      ask(
        "GET /↵Range: bytes=0-0",
        "206↵\(m)↵Content-Range: bytes 0-0/9223372036854775807↵↵0", is: "!stored status=206")),
    History(
      "ranges at the end of numbers", "9110 §14.1.2", first("0-4", "0-4/9007199254740992", "01234"),
      ask(
        "GET /↵Range: bytes=9007199254740991-,9007199254740991-",
        "206↵\(m)↵Content-Range: bytes 9007199254740991-9007199254740991/9007199254740992↵↵x",
        is: "fwd=partial")),
    History(
      "a part to If-Range may lack fields and is not kept", "9110 §15.3.7",
      ask(
        "GET /↵Range: bytes=0-4↵If-Range: \"a\"", "206↵\(m)↵Content-Range: bytes 0-4/10↵↵01234",
        is: "status=206 !stored content=01234"),
      ask("GET /↵Range: bytes=0-4", is: "fwd=uri-miss")),
    History(
      "416 with a lifetime is about that range alone", "9110 §15.5.17",
      ask(
        "GET /↵Range: bytes=90-", "416↵Cache-Control: max-age=60",
        is: "!stored status=416"),
      ask("GET /", "200↵\(m)", is: "fwd=uri-miss stored status=200")),
    History(
      "416 from the origin", "9110 §15.5.17",
      ask("GET /↵Range: bytes=90-", "416↵Content-Range: bytes */10", is: "!stored status=416")),
  ]

  /// A range of something that is stored, must be validated, and has changed.
  private static func changed(
    _ name: String, _ fields: String, _ expected: String,
    reply: String = "200↵ETag: \"b\"↵\(lifetime)",
    then last: String = "hit content=abcdefghij etag:\"b\""
  ) -> History {
    History(
      "what has changed: \(name)", "9110 §14.2",
      ask("GET /", "200↵ETag: \"a\"↵Cache-Control: max-age=9↵↵0123456789", is: "stored"),
      ask(
        20, "GET /↵\(fields)", "\(reply)↵↵abcdefghij",
        is: "fwd=stale asked=1 !>range !>if-range >if-none-match:\"a\" \(expected)"),
      ask(21, "GET /", "200↵\(lifetime)↵↵asked", is: last))
  }

  static let changedRanges: [History] = [
    changed(
      "the first bytes", "Range: bytes=0-3",
      "status=206 stored content=abcd content-range:bytes_0-3/10 content-length:4 etag:\"b\""),
    changed(
      "bytes within", "Range: bytes=3-5", "status=206 content=def content-range:bytes_3-5/10"),
    changed("to the end", "Range: bytes=7-", "status=206 content=hij content-range:bytes_7-9/10"),
    changed("a suffix", "Range: bytes=-2", "status=206 content=ij content-range:bytes_8-9/10"),
    changed(
      "all of it", "Range: bytes=0-", "status=206 content=abcdefghij content-range:bytes_0-9/10"),
    changed("beyond the end", "Range: bytes=8-99", "status=206 content=ij"),
    changed(
      "after the end", "Range: bytes=10-",
      "status=416 content= content-range:bytes_*/10 content-length:0"),
    changed("the new validator", "Range: bytes=0-3↵If-Range: \"b\"", "status=206 content=abcd"),
    changed(
      "the old validator", "Range: bytes=0-3↵If-Range: \"a\"",
      "status=200 content=abcdefghij !content-range"),
    changed(
      "a weak validator", "Range: bytes=0-3↵If-Range: W/\"b\"", "status=200 content=abcdefghij"),
    changed("the client has it", "Range: bytes=0-3↵If-None-Match: \"b\"", "status=304 content="),
    changed(
      "several ranges that are one", "Range: bytes=0-1,8-9",
      "status=206 content=abcdefghij content-range:bytes_0-9/10"),
    changed("no range", "Range: lines=0-1", "status=200 content=abcdefghij"),
    changed(
      "of unknown length", "Range: bytes=0-3", "status=200 content=abcdefghij !content-range",
      reply: "200↵ETag: \"b\"↵\(lifetime)↵Transfer-Encoding: chunked"),
    changed(
      "not a 200", "Range: bytes=0-3", "status=404 content=abcdefghij !content-range",
      reply: "404↵\(lifetime)", then: "hit status=404"),
    changed(
      "coded as it was sent", "Range: bytes=0-3", "status=200 content=abcdefghij",
      reply: "200↵\(lifetime)↵Content-Encoding: gzip", then: "hit content=abcdefghij"),
  ]

  private static let hundreds = String(repeating: "0123456789", count: 40)

  private static func several(
    _ name: String, _ section: String, _ range: String, _ expected: String
  ) -> History {
    History(
      name, section, ask("GET /", "200↵\(m)↵Content-Type: a/b↵↵\(hundreds)", is: "stored"),
      ask("GET /↵Range: bytes=\(range)", is: expected))
  }

  /// So many ranges of one byte.
  private static func ranges(_ count: Int) -> String {
    (0..<count).map { "\($0)-\($0)" }.joined(separator: ",")
  }

  static let multipart: [History] = [
    several(
      "two ranges apart", "9110 §14.6", "0-1,200-201",
      "hit status=206 !content-range parts=2 part=0-1:01 part=200-201:01"),
    several(
      "in the order asked for", "9110 §14.6", "200-201,0-1",
      "hit status=206 parts=2 part=200-201:01 part=0-1:01"),
    several("the type goes into the parts", "9110 §14.6", "0-1,200-201", "hit !content-type:a/b"),
    several(
      "those that overlap are one", "9110 §14.2", "0-5,3-9",
      "hit status=206 content=0123456789 content-range:bytes_0-9/400"),
    several(
      "those that nearly touch are one", "9110 §14.2", "0-1,4-5", "hit status=206 content=012345"),
    several(
      "a range and a suffix", "9110 §14.1.2", "0-1,-2", "hit status=206 parts=2 part=398-399:89"),
    several(
      "one of two has nothing", "9110 §14.1.2", "0-1,900-",
      "hit status=206 content=01 content-range:bytes_0-1/400"),
    several(
      "none has anything", "9110 §14.1.2", "900-,901-", "hit status=416 content-range:bytes_*/400"),
    several("one of two is malformed", "9110 §14.2", "0-1,x", "hit status=200"),
    several("one of two goes backwards", "9110 §14.2", "0-1,5-3", "hit status=200"),
    several("some overlap is answered", "9110 §14.2", "0-9,5-9,7-9", "hit status=206"),
    several(
      "much overlap is ignored", "9110 §14.2", "0-,0-,0-,0-,0-",
      "hit status=200 content-length:400 content-type:a/b !content-range"),
    several(
      "much overlap of what is not there", "9110 §15.5.17", "900-,900-,900-,900-",
      "hit status=416"),
    several("256 are answered", "9110 §14.2", ranges(256), "hit content-range:bytes_0-255/400"),
    several(
      "257 are ignored", "9110 §17.15", ranges(257), "hit status=200 content-length:400"),
    several(
      "so many that one of them is malformed does not matter", "9110 §17.15", ranges(300) + ",x",
      "hit status=200"),
    several(
      "all of it in two", "9110 §14.2", "0-199,200-399",
      "hit status=206 content-range:bytes_0-399/400"),
  ]
}
