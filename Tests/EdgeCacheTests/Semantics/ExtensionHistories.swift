@testable import EdgeCache

// Choosing among what is stored, and fields that only some caches know: Cache-Groups, No-Vary-Search,
// CDN-Loop.

extension Histories {
  private static let m = "Cache-Control: max-age=60"

  static let selecting: [History] = [
    History(
      "another variant is asked about", "9111 §4.3.1",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵one", is: "stored"),
      ask(
        "GET /↵A: 2", "304↵\(m)↵Vary: A↵ETag: \"a\"",
        is: "fwd=vary-miss >if-none-match:\"a\" status=200 content=one stored"),
      ask("GET /↵A: 2", is: "hit content=one"), ask("GET /↵A: 1", is: "hit content=one")),
    History(
      "all other variants are asked about", "9111 §4.3.1",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵one", is: "stored"),
      ask("GET /↵A: 2", "200↵\(m)↵Vary: A↵ETag: \"b\"↵↵two", is: "stored"),
      ask("GET /↵A: 3", "304↵\(m)↵Vary: A↵ETag: \"a\"", is: "content=one"),
      ask("GET /↵A: 4", "304↵\(m)↵Vary: A↵ETag: \"b\"", is: "content=two")),
    History(
      "a variant in another coding is not asked about", "9111 §4.3.1",
      ask(
        "GET /↵Accept-Encoding: gzip", "200↵\(m)↵Vary: Accept-Encoding↵ETag: W/\"a\"↵↵gz",
        is: "stored"),
      ask(
        "GET /", "200↵\(m)↵Vary: Accept-Encoding↵ETag: \"a\"↵↵plain",
        is: "fwd=vary-miss !>if-none-match content=plain"),
      ask("GET /↵Accept-Encoding: gzip", is: "hit content=gz"),
      ask("GET /", is: "hit content=plain")),
    History(
      "a strong tag does not name a variant with the weak one", "9111 §4.3.4",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: W/\"a\"↵↵one", is: "stored"),
      ask(
        "GET /↵A: 2", "304↵ETag: \"a\"", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵two",
        is: "asked=2 content=two")),
    History(
      "none of them it is", "9111 §4.3.4",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵one", is: "stored"),
      ask(
        "GET /↵A: 2", "304↵ETag: \"x\"", "200↵\(m)↵Vary: A↵ETag: \"x\"↵↵two",
        is: "asked=2 content=two"),
      ask("GET /↵A: 1", is: "hit content=one")),
    History(
      "which of them it is is not said", "9111 §4.3.4",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵one", is: "stored"),
      ask("GET /↵A: 2", "200↵\(m)↵Vary: A↵ETag: \"b\"↵↵two", is: "stored"),
      ask("GET /↵A: 3", "304", "200↵\(m)↵Vary: A↵↵three", is: "asked=2 content=three")),
    History(
      "conditions of the client's own go along instead", "9111 §4.3.2",
      ask("GET /↵A: 1", "200↵\(m)↵Vary: A↵ETag: \"a\"↵↵one", is: "stored"),
      ask(
        "GET /↵A: 2↵If-None-Match: \"z\"", "304↵ETag: \"z\"", is: ">if-none-match:\"z\" status=304")
    ),
    History(
      "304 to a condition of the client's own is not kept", "9111 §4.3.2",
      ask("GET /↵If-None-Match: \"z\"", "304↵ETag: \"z\"↵\(m)", is: "status=304 !stored"),
      ask("GET /", is: "fwd=uri-miss")),
    History(
      "order of languages", "9111 §4.1",
      ask("GET /↵Accept-Language: en, de", "200↵\(m)↵Vary: Accept-Language", is: "stored"),
      ask("GET /↵Accept-Language: DE,EN", is: "hit"),
      ask("GET /↵Accept-Language: de", is: "fwd=vary-miss")),
    History(
      "whitespace of weights", "9111 §4.1",
      ask("GET /↵Accept: a/b; q=0.5 , c/d", "200↵\(m)↵Vary: Accept", is: "stored"),
      ask("GET /↵Accept: C/D, A/B;q=0.5", is: "hit"),
      ask("GET /↵Accept: c/d, a/b;q=0.6", is: "!hit")),
    History(
      "languages over several lines", "9111 §4.1",
      ask(
        "GET /↵Accept-Language: en↵Accept-Language: de", "200↵\(m)↵Vary: Accept-Language",
        is: "stored"),
      ask("GET /↵Accept-Language: de, en", is: "hit")),
  ]

  static let headFreshening: [History] = [
    History(
      "HEAD freshens", "9111 §4.3.5",
      ask("GET /", "200↵\(m)↵ETag: \"a\"↵X: 1", is: "stored"),
      ask(70, "HEAD /", "200↵\(m)↵ETag: \"a\"↵Content-Length: 7↵X: 2", is: "fwd=stale asked=1"),
      ask(71, "GET /", is: "hit x:2 ttl=59")),
    History(
      "HEAD tells of another", "9111 §4.3.5",
      ask("GET /", "200↵\(m)↵ETag: \"a\"", is: "stored"),
      ask("HEAD /↵Cache-Control: no-cache", "200↵\(m)↵ETag: \"b\"", is: "asked=1"),
      ask("GET /", "304↵ETag: \"a\"", is: "fwd=stale >validates")),
    History(
      "HEAD tells of another length", "9111 §4.3.5",
      ask("GET /", "200↵\(m)↵ETag: \"a\"", is: "stored"),
      ask(
        "HEAD /↵Cache-Control: no-cache", "200↵\(m)↵ETag: \"a\"↵Content-Length: 8", is: "asked=1"),
      ask("GET /", is: "fwd=stale >validates")),
    History(
      "HEAD tells that it is gone", "9111 §4.3.5",
      ask("GET /", "200↵\(m)↵ETag: \"a\"", is: "stored"),
      ask("HEAD /↵Cache-Control: no-cache", "410", is: "asked=1"),
      ask("GET /", is: "fwd=stale >validates")),
    History(
      "HEAD fails", "9111 §4.3.5",
      ask("GET /", "200↵\(m)↵ETag: \"a\"", is: "stored"),
      ask("HEAD /↵Cache-Control: no-cache", "503", is: "asked=1"), ask("GET /", is: "hit")),
    History(
      "HEAD fills nothing", "9111 §4.3.5",
      ask("HEAD /", "200↵\(m)", is: "fwd=uri-miss"), ask("GET /", is: "fwd=uri-miss")),
  ]

  static let groups: [History] = [
    History(
      "a group is invalidated", "9875 §3",
      ask("GET /a", "200↵\(m)↵Cache-Groups: \"x\", \"y\"", is: "stored"),
      ask("GET /b", "200↵\(m)↵Cache-Groups: \"y\"", is: "stored"),
      ask("GET /c", "200↵\(m)↵Cache-Groups: \"z\"", is: "stored"),
      ask("POST /p", "200↵Cache-Group-Invalidation: \"y\"", is: "asked=1"),
      ask("GET /a", "200", is: "fwd=uri-miss"), ask("GET /b", "200", is: "fwd=uri-miss"),
      ask("GET /c", is: "hit")),
    History(
      "a group of another origin is another", "9875 §2.1",
      ask("GET /a↵Host: a", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"),
      ask("GET /a↵Host: b", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"),
      ask("POST /p↵Host: b", "200↵Cache-Group-Invalidation: \"x\"", is: "asked=1"),
      ask("GET /a↵Host: a", is: "hit"), ask("GET /a↵Host: b", "200", is: "fwd=uri-miss")),
    History(
      "safe requests invalidate no group", "9875 §3",
      ask("GET /a", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"),
      ask("GET /p", "200↵Cache-Group-Invalidation: \"x\"", is: "asked=1"), ask("GET /a", is: "hit")),
    History(
      "names of groups have their case", "9875 §2",
      ask("GET /a", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"),
      ask("POST /p", "200↵Cache-Group-Invalidation: \"X\"", is: "asked=1"), ask("GET /a", is: "hit")
    ),
    History(
      "a field that is no list of strings", "9875 §2",
      ask("GET /a", "200↵\(m)↵Cache-Groups: x", is: "stored"),
      ask("POST /p", "200↵Cache-Group-Invalidation: x, \"x\"", is: "asked=1"),
      ask("GET /a", is: "hit")),
    History(
      "what is invalidated takes its groups along", "9875 §2.2.1",
      ask("GET /a", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"),
      ask("GET /b", "200↵\(m)↵Cache-Groups: \"x\", \"y\"", is: "stored"),
      ask("GET /c", "200↵\(m)↵Cache-Groups: \"y\"", is: "stored"),
      ask("POST /a", "204", is: "asked=1"), ask("GET /b", "200", is: "fwd=uri-miss"),
      ask("GET /c", is: "hit")),
    History(
      "stored after the invalidation", "9875 §3",
      ask("POST /p", "200↵Cache-Group-Invalidation: \"x\"", is: "asked=1"),
      ask("GET /a", "200↵\(m)↵Cache-Groups: \"x\"", is: "stored"), ask("GET /a", is: "hit")),
  ]

  static let queries: [History] = [
    History(
      "a parameter that does not matter", "No-Vary-Search",
      ask("GET /a?id=1&utm=x", "200↵\(m)↵No-Vary-Search: params=(\"utm\")", is: "stored"),
      ask("GET /a?id=1&utm=y", is: "hit"), ask("GET /a?id=1", is: "hit"),
      ask("GET /a?id=2", is: "fwd=uri-miss")),
    History(
      "order that does not matter", "No-Vary-Search",
      ask("GET /a?b=2&a=1", "200↵\(m)↵No-Vary-Search: key-order", is: "stored"),
      ask("GET /a?a=1&b=2", is: "hit"), ask("GET /a?a=1&b=3", is: "!hit")),
    History(
      "another path", "No-Vary-Search",
      ask("GET /a?x=1", "200↵\(m)↵No-Vary-Search: params", is: "stored"),
      ask("GET /a?x=2", is: "hit"), ask("GET /b?x=2", is: "!hit")),
    History(
      "what an earlier variance said", "No-Vary-Search",
      ask("GET /a?a=1&q=x", "200↵\(m)↵No-Vary-Search: params=(\"q\")", is: "stored"),
      ask(
        60, "GET /a?a=1&q=x", "200↵\(m)↵No-Vary-Search: params=(\"utm\")", is: "fwd=stale stored"),
      ask(60, "GET /a?a=1", is: "fwd=uri-miss")),
    History(
      "stale is not used for another URL", "No-Vary-Search",
      ask("GET /a?x=1", "200↵\(m)↵No-Vary-Search: params", is: "stored"),
      ask(60, "GET /a?x=2", "200↵\(m)↵↵two", is: "fwd=uri-miss content=two")),
    History(
      "an unsafe request for a URL that is as good", "9111 §4.4",
      ask("GET /a?x=1", "200↵\(m)↵No-Vary-Search: params", is: "stored"),
      ask("POST /a?x=2", "200", is: "asked=1"), ask("GET /a?x=1", is: "fwd=uri-miss")),
    History(
      "without the field queries are compared as they are", "9111 §4",
      ask("GET /a?x=1", "200↵\(m)", is: "stored"), ask("GET /a?x=2", is: "fwd=uri-miss")),
  ]

  static let loops: [History] = [
    History(
      "every forward says where it was", "8586 §2",
      ask("GET /↵CDN-Loop: other; a=b", is: ">cdn-loop:other;_a=b >cdn-loop:edge")),
    History(
      "Connection cannot take it away", "8586 §2",
      ask("GET /↵CDN-Loop: other↵Connection: CDN-Loop", is: ">cdn-loop:other")),
  ]
}
