// What unsafe requests make unusable (RFC 9111 §4.4).

extension Histories {
  /// `/x` is stored; a request goes by; then `/x` is there or not.
  private static func after(
    _ name: String, _ request: String, _ reply: String, isKept: Bool
  ) -> History {
    History(
      name, "9111 §4.4", ask("GET /x", "200↵Cache-Control: max-age=60", is: "stored"),
      ask(request, reply, is: "fwd=method !stored asked=1"),
      ask("GET /x", is: isKept ? "hit" : "fwd=uri-miss"))
  }

  private static func removes(_ name: String, _ request: String, _ reply: String = "200") -> History
  {
    after(name, request, reply, isKept: false)
  }

  private static func keeps(_ name: String, _ request: String, _ reply: String = "200") -> History {
    after(name, request, reply, isKept: true)
  }

  /// `/c/x` is stored; a request goes by; then it is there or not.
  private static func below(
    _ name: String, _ request: String, _ reply: String, isKept: Bool
  ) -> History {
    History(
      name, "4918 §9", ask("GET /c/x?y", "200↵Cache-Control: max-age=60", is: "stored"),
      ask(request, reply, is: "fwd=method !stored asked=1"),
      ask("GET /c/x?y", is: isKept ? "hit" : "fwd=uri-miss"))
  }

  private static let post = "POST /y↵Content-Length: 0"

  static let invalidation: [History] = [
    removes("POST", "POST /x↵Content-Length: 3"),
    removes("PUT", "PUT /x↵Content-Length: 3", "204"),
    removes("PATCH", "PATCH /x↵Content-Length: 3"),
    removes("DELETE", "DELETE /x", "204"),
    removes("a method nobody knows", "FOO /x"),
    removes("get in lower case is such a method", "get /x"),
    removes("chunked content", "POST /x↵Transfer-Encoding: chunked"),
    removes("201", "PUT /x↵Content-Length: 0", "201"),
    removes("a redirect", "POST /x↵Content-Length: 0", "303↵Location: /y"),
    removes("304", "POST /x↵Content-Length: 0", "304"),
    removes("an absolute target", "POST http://A:80/x↵Content-Length: 0"),
    removes("no answer", "POST /x↵Content-Length: 0", "fail upstream-closed"),
    removes("a timeout", "DELETE /x", "fail first-byte-timeout"),
    removes("a page as the answer", "DELETE /x", "200↵Content-Type: text/html"),
    keeps("no connection", "POST /x↵Content-Length: 0", "fail connect-failed"),
    keeps("no connection in time", "DELETE /x", "fail connect-timeout"),
    keeps("no place in the queue", "PUT /x↵Content-Length: 0", "fail queue-full"),
    keeps("no turn in the queue", "MOVE /x↵Destination: /y", "fail queue-timeout"),
    keeps("400", "POST /x↵Content-Length: 0", "400"),
    keeps("404", "DELETE /x", "404"),
    keeps("412", "PUT /x↵Content-Length: 0", "412"),
    keeps("500", "POST /x↵Content-Length: 0", "500"),
    keeps("OPTIONS", "OPTIONS /x"),
    keeps("QUERY", "QUERY /x↵Content-Length: 3"),
    keeps("PROPFIND", "PROPFIND /x↵Depth: 1", "207"),
    keeps("REPORT", "REPORT /x↵Content-Length: 3", "207"),
    keeps("SEARCH", "SEARCH /x↵Content-Length: 3", "207"),
    keeps("a safe method that is not answered", "PROPFIND /x", "fail upstream-closed"),
    keeps("a safe method with Location", "QUERY /y↵Content-Length: 3", "200↵Location: /x"),
    removes("query in lower case", "query /x↵Content-Length: 3"),
    removes("PROPPATCH", "PROPPATCH /x↵Content-Length: 3", "207"),
    removes("MKCOL", "MKCOL /x", "201"),
    removes("LOCK", "LOCK /x↵Content-Length: 3"),
    removes("UNLOCK", "UNLOCK /x", "204"),
    removes("ACL", "ACL /x↵Content-Length: 3"),
    removes("VERSION-CONTROL", "VERSION-CONTROL /x"),
    keeps("TRACE", "TRACE /x"),
    keeps("another path", "POST /y↵Content-Length: 0"),
    keeps("another query", "POST /x?y↵Content-Length: 0"),
    keeps("another host", "POST /x↵Content-Length: 0↵Host: b"),
    keeps("another port", "POST /x↵Content-Length: 0↵Host: a:81"),
    removes("Location with a path", post, "201↵Location: /x"),
    removes("Location with a URL", post, "201↵Location: http://a/x"),
    removes("Location with a URL and port 80", post, "201↵Location: http://a:80/x"),
    removes("Location with a host in upper case", post, "201↵Location: HTTP://A/x"),
    removes("Location with a fragment", post, "201↵Location: /x#z"),
    removes("Location relative to the target", post, "201↵Location: x"),
    removes("Location relative to a folder", "POST /y?a/b↵Content-Length: 0", "201↵Location: x"),
    removes("Content-Location", post, "200↵Content-Location: /x"),
    removes("Content-Location with a URL", post, "200↵Content-Location: http://a/x"),
    removes("both", post, "201↵Location: /z↵Content-Location: /x"),
    removes("Location of a redirect", post, "303↵Location: /x"),
    keeps("Location after an error", post, "400↵Location: /x"),
    keeps("Content-Location after an error", post, "500↵Content-Location: /x"),
    keeps(
      "Location of another host", "POST /y↵Content-Length: 0↵Host: b", "201↵Location: http://a/x"),
    keeps(
      "Content-Location of another host", "POST /y↵Content-Length: 0↵Host: b",
      "200↵Content-Location: http://a/x"),
    keeps("Location of another scheme", post, "201↵Location: https://a/x"),
    keeps("Location of another port", post, "201↵Location: http://a:81/x"),
    keeps("Location with a longer host", post, "201↵Location: http://a.b/x"),
    keeps("Location with user information", post, "201↵Location: http://b@a/x"),
    keeps("Location of another kind", post, "201↵Location: mailto:x"),
    keeps("Location with another path", post, "201↵Location: /x/"),
    keeps("two Locations", post, "201↵Location: /x↵Location: /x"),
    keeps("Location in a safe answer", "OPTIONS /y", "200↵Location: /x↵Content-Location: /x"),
    removes("what is moved", "MOVE /x↵Destination: /y", "201"),
    removes("the target of a copy", "COPY /x↵Destination: /y", "201"),
    removes("Destination of COPY", "COPY /y↵Destination: /x", "201"),
    removes("Destination of COPY, written over", "COPY /y↵Destination: /x", "204"),
    removes("Destination of MOVE", "MOVE /y↵Destination: http://a/x", "201"),
    removes("Destination, 207", "MOVE /y↵Destination: http://a/x", "207"),
    removes("Destination with port 80", "MOVE /y↵Destination: http://A:80/x", "204"),
    removes("Destination of the scheme that the client sees", "MOVE /y↵Destination: https://a/x"),
    removes("Destination with a fragment", "COPY /y↵Destination: /x#z"),
    removes("Destination with dots", "COPY /y↵Destination: /z/../x"),
    removes("Destination that is not answered", "MOVE /y↵Destination: /x", "fail upstream-closed"),
    keeps("Destination after an error", "MOVE /y↵Destination: /x", "412"),
    keeps("Destination after 502", "COPY /y↵Destination: /x", "502"),
    keeps("Destination of another host", "MOVE /y↵Host: b↵Destination: http://a/x", "201"),
    keeps("Destination at another host", "MOVE /y↵Destination: http://b/x", "201"),
    keeps("Destination at another port", "MOVE /y↵Destination: http://a:81/x", "201"),
    keeps("two Destinations", "MOVE /y↵Destination: /x↵Destination: /x", "201"),
    keeps("Destination of POST", "POST /y↵Content-Length: 0↵Destination: /x"),
    keeps("Destination of PROPFIND", "PROPFIND /y↵Destination: /x", "207"),
    below("DELETE of a collection", "DELETE /c/", "204", isKept: false),
    below("DELETE of a collection without its slash", "DELETE /c", "204", isKept: false),
    below("DELETE of part of a collection", "DELETE /c/", "207", isKept: false),
    below("DELETE of all", "DELETE /", "204", isKept: false),
    below("DELETE that is not answered", "DELETE /c/", "fail upstream-closed", isKept: true),
    below("DELETE that nobody got", "DELETE /c/", "fail connect-failed", isKept: true),
    below(
      "MOVE that is not answered", "MOVE /c/↵Destination: /d/", "fail first-byte-timeout",
      isKept: true),
    below(
      "DELETE that is answered with a page", "DELETE /",
      "200↵Content-Type: text/html; charset=utf-8", isKept: true),
    below(
      "MERGE that is answered with a page", "MERGE /c/", "200↵Content-Type: Text/HTML", isKept: true
    ),
    below(
      "DELETE with a result", "DELETE /c/", "200↵Content-Type: application/json", isKept: false),
    below("MOVE of a collection", "MOVE /c/↵Destination: /d/", "201", isKept: false),
    below("MOVE onto a collection", "MOVE /d/↵Destination: /c/", "204", isKept: false),
    below("COPY onto a collection", "COPY /d↵Destination: /c", "204", isKept: false),
    below(
      "COPY of no depth onto a collection", "COPY /d/↵Depth: 0↵Destination: http://a/c/", "204",
      isKept: false),
    below("UNBIND", "UNBIND /c↵Content-Length: 3", "200", isKept: false),
    below("MERGE", "MERGE /c↵Content-Length: 3", "200", isKept: false),
    below("COPY of a collection", "COPY /c/↵Destination: /d/", "201", isKept: true),
    below("DELETE of a collection that fails", "DELETE /c/", "403", isKept: true),
    below(
      "DELETE of a collection that is elsewhere", "DELETE /c", "301↵Location: /c/", isKept: true),
    below("DELETE of another collection", "DELETE /d/", "204", isKept: true),
    below("DELETE of what begins as a collection", "DELETE /c/d", "204", isKept: true),
    below("DELETE at another host", "DELETE /c/↵Host: b", "204", isKept: true),
    below("PUT of a collection", "PUT /c/↵Content-Length: 0", "204", isKept: true),
    below("PROPPATCH of a collection", "PROPPATCH /c/↵Content-Length: 3", "207", isKept: true),
    below("POST to a collection", "POST /c/↵Content-Length: 0", "201", isKept: true),
    below("a listing", "PROPFIND /c/↵Depth: infinity", "207", isKept: true),
    History(
      "GET with Content-Location", "9111 §4.4",
      ask("GET /x", "200↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /y", "200↵Content-Location: /x↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /x", is: "hit")),
    History(
      "all variants", "9111 §4.4",
      ask("GET /x↵Foo: a", "200↵Vary: Foo↵Cache-Control: max-age=60", is: "stored"),
      ask("GET /x↵Foo: b", "200↵Vary: Foo↵Cache-Control: max-age=60", is: "stored"),
      ask("POST /x↵Content-Length: 0", is: ""), ask("GET /x↵Foo: a", is: "fwd=uri-miss")),
    History(
      "the answer to POST is not stored", "9110 §9.3.3",
      ask(
        "POST /x↵Content-Length: 0", "200↵Cache-Control: max-age=60↵Content-Location: /x",
        is: "!stored"),
      ask("GET /x", is: "fwd=uri-miss")),
  ]
}
