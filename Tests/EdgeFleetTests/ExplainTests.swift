// The question and the answer of `GET /explain`: what one side writes the other side reads, what is
// not a question, and what becomes of it at several PoPs.

import EdgeFleet
import Foundation
import Testing

@Suite struct ExplainQueryTests {
  @Test(arguments: [
    ("http://www.a.example/", "GET", []),
    ("HTTPS://A.example:8443/x%2Fy?b=1&a=%20+~", "HEAD", ["Accept-Encoding: gzip, br"]),
    ("http://[::1]/?q=/?", "PURGE-IT", ["Cookie: a=b&c=d; e=%41+f", "Cookie: #", "X:"]),
    ("http://a.example", "get", ["x:  spaces  ", "Snow: é☃", "y: a:b", "!#$%&'*+-.^_`|~9: 1"]),
  ])
  func roundTrip(url: String, method: String, headers: [String]) throws {
    let query = try ExplainQuery(url: url, method: method, headers: headers)
    #expect(try ExplainQuery(target: query.target) == query)
    // What goes into a request line has to be encoded there.
    #expect(query.target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
  }

  @Test func written() throws {
    let query = try ExplainQuery(
      url: "http://a.example/x?y=1&z=+%20", headers: ["Accept-Encoding: gzip", "X: 1"])
    #expect(
      query.target == "/explain?url=http://a.example/x?y%3D1%26z%3D%2B%2520&method=GET"
        + "&header=Accept-Encoding:%20gzip&header=X:%201")
  }

  @Test(arguments: [
    ("/explain?url=http://a.example/", "http://a.example/", "GET", []),
    ("/explain?url=http%3a%2F%2Fa.example%2f", "http://a.example/", "GET", []),
    ("/explain?method=HEAD&url=http://a.example/", "http://a.example/", "HEAD", []),
    ("/explain?url=http://a.example/?a=b?c=d", "http://a.example/?a=b?c=d", "GET", []),
    ("/explain?url=http://a.example/a+b", "http://a.example/a+b", "GET", []),
    ("/explain?header=A:+b&url=http://a/", "http://a/", "GET", ["A:+b"]),
    ("/explain?header=A:%20b&url=http://a/&header=A:%20c", "http://a/", "GET", ["A: b", "A: c"]),
  ])
  func read(target: String, url: String, method: String, headers: [String]) throws {
    let query = try ExplainQuery(target: target)
    #expect(query.url == url)
    #expect(query.method == method)
    #expect(query.headers == headers)
  }

  @Test(arguments: [
    ("", #""" is not /explain?url=URL"#),
    ("/explained?url=http://a/", #""/explained?url=http://a/" is not /explain?url=URL"#),
    ("/explain", "url: is required"), ("/explain?", "url: is required"),
    ("/explain?method=GET", "url: is required"),
    ("/explain?url", "url: has no value"),
    ("/explain?url=", #"url: "" is not an absolute http or https URL"#),
    ("/explain?url=/a.js", #"url: "/a.js" is not an absolute http or https URL"#),
    ("/explain?url=http://a/%23top", #"url: "http://a/#top" has a fragment"#),
    ("/explain?url=http://a/%20b", #"url: "http://a/ b" has a space or another character"#),
    ("/explain?url=http://u@a/", #"url: "http://u@a/" names a user"#),
    ("/explain?url=http://a/&url=http://a/", "url: is there twice"),
    ("/explain?url=http://a/&method=GET&method=GET", "method: is there twice"),
    ("/explain?url=http://a/&method=", #"method: "" is not a method"#),
    ("/explain?url=http://a/&method=G%20T", #"method: "G T" is not a method"#),
    ("/explain?url=http://a/&method=GET%0D%0A", #"method: "GET"#),
    ("/explain?uri=http://a/", #""uri" is not a parameter; there is url, method and header"#),
    ("/explain?URL=http://a/", #""URL" is not a parameter; there is url, method and header"#),
    ("/explain?url=http://a/&headers=A:b", #""headers" is not a parameter; there is url, metho"#),
    ("/explain?url=http://a/&", #""" is not a parameter; there is url, method and header"#),
    ("/explain?&url=http://a/", #""" is not a parameter; there is url, method and header"#),
    ("/explain?url=http://a/?x=1&y=2", #""y" is not a parameter; there is url, method and head"#),
    ("/explain?url=http://a/&header=Accept", #"header: "Accept" has no colon; write it like Ac"#),
    ("/explain?url=http://a/&header=", #"header: "" has no colon; write it like Accept-Encoding"#),
    ("/explain?url=http://a/&header=:b", #"header: ":b" has a name that is not a token"#),
    ("/explain?url=http://a/&header=A%20:b", #"header: "A :b" has a name that is not a token"#),
    ("/explain?url=http://a/&header=%C3%A9:b", #"header: "é:b" has a name that is not a token"#),
    ("/explain?url=http://a/&header=A:b%0D%0AX:y", #"header: "A:b"#),
    ("/explain?url=http://a/&header=A:b%00", #"header: "A:b\u{0}" has a control character"#),
    ("/explain?url=http://a/&header=A:%09b", #"header: "A:\tb" has a control character"#),
    ("/explain?url=http://a/&header=A:b%7F", #"header: "A:b\u{7f}" has a control character"#),
    ("/explain?url=http://a/&header=hOST:b", #"header: "hOST:b" is not asked about; the host is"#),
    ("/explain?url=http://a/&header=A:%FF", "header: is not UTF-8"),
    ("/explain?url=http://a/%", "url: has a % without two hexadecimal digits"),
    ("/explain?url=http://a/%4", "url: has a % without two hexadecimal digits"),
    ("/explain?url=http://a/%4g", "url: has a % without two hexadecimal digits"),
    ("/explain?url=http://a/&header=A: b", "header: has a space or another character which must"),
    ("/explain?url=http://a/&header=A:é", "header: has a space or another character which must b"),
    ("/explain?url=http://a/#top", "url: has a space or another character which must be percent-"),
  ])
  func refused(target: String, problem: String) {
    #expect {
      try ExplainQuery(target: target)
    } throws: {
      ($0 as? ExplainQuery.Problem)?.description.hasPrefix(problem) == true
    }
  }

  @Test func aLongURL() {
    let url = "http://a.example/" + String(repeating: "a", count: PurgeURL.longest)
    #expect {
      try ExplainQuery(target: "/explain?url=\(url)")
    } throws: {
      "\($0)".hasSuffix("is longer than 8192 bytes")
    }
  }

  @Test(arguments: [
    ("A: b", "A", "b"), ("A:b", "A", "b"), ("A:  b c  ", "A", "b c"), ("A:", "A", ""),
    ("A:   ", "A", ""), ("A: b:c", "A", "b:c"), ("a-B: é", "a-B", "é"),
  ])
  func fields(header: String, name: String, value: String) throws {
    let fields = try ExplainQuery(url: "http://a/", headers: [header]).fields
    #expect(fields.map(\.name) == [name])
    #expect(fields.map(\.value) == [value])
  }
}

@Suite struct ExplainReportTests {
  static let report = ExplainReport(
    pop: "sin1", url: "http://a.example/x", method: "GET", key: "a.example/x", site: "demo",
    route: "origin",
    stored: [
      .init(
        status: 200, selected: true, vary: ["accept-encoding: gzip"], bytes: 100,
        range: "0-99/1000", lifetime: 300, lifetimeSource: "max-age of CDN-Cache-Control", age: 12,
        ttl: 288, validators: ["ETag: \"a\""], tags: ["t"], purge: 3,
        notes: ["must-revalidate: never served stale (RFC 9111 §5.2.2.2)"])
    ],
    purge: 3, purgeHead: 7, hitForMiss: true, inFlight: 1, outcome: "hit; ttl=288",
    because: ["It is fresh (RFC 9111 §4.2)."])

  @Test func roundTrip() throws {
    let report = Self.report
    #expect(try JSONDecoder().decode(ExplainReport.self, from: Data(report.json)) == report)
  }

  @Test func whatIsNotKnownIsLeftOut() {
    let report = ExplainReport(
      pop: "a", url: "http://a/", method: "GET", key: "k", purgeHead: 0, outcome: "fwd=uri-miss")
    #expect(
      String(decoding: report.json, as: UTF8.self)
        == #"{"because":[],"hitForMiss":false,"inFlight":0,"key":"k","method":"GET","#
        + #""outcome":"fwd=uri-miss","pop":"a","purgeHead":0,"stored":[],"url":"http://a/"}"#)
  }

  @Test func aNewerPoPMayTellMore() throws {
    let text = String(decoding: Self.report.json, as: UTF8.self)
      .replacing("\"pop\":", with: "\"news\":{\"a\":1},\"pop\":")
      .replacing("\"selected\":", with: "\"weather\":\"fair\",\"selected\":")
    #expect(try JSONDecoder().decode(ExplainReport.self, from: Data(text.utf8)) == Self.report)
  }
}

@Suite(.timeLimit(.minutes(5))) struct ExplainFanOutTests {
  private static let patience = Duration.seconds(120)

  private func reply(pop: String) -> String {
    var report = ExplainReportTests.report
    report.pop = pop
    return AdminServer.reply("200 OK", String(decoding: report.json, as: UTF8.self))
  }

  private func target(_ id: String, _ endpoint: SocketEndpoint) -> PurgeFanOut.Target {
    .init(
      .init(
        id: id, city: "City of \(id)", latitude: 0, longitude: 0, region: "r", listen: [],
        admin: endpoint))
  }

  @Test func theRequestOnTheWire() async throws {
    let query = try ExplainQuery(url: "http://a.example/x", headers: ["Accept: */*"])
    try await AdminServer.run(
      answer: { _, _ in self.reply(pop: "a") },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: try AdminToken("s3cret"))
        let report = try await client.explain(query, timeout: Self.patience)
        #expect(report.pop == "a")
        let lines = server.requests[0].split(separator: "\r\n")
        #expect(lines.first == "GET \(query.target) HTTP/1.1")
        #expect(lines.contains("Authorization: Bearer s3cret"))
        #expect(!server.requests[0].contains("Content-Length"))
      })
  }

  @Test func everyPoPIsAskedOnceAndAnswersInItsPlace() async throws {
    let refusal = AdminServer.reply("500 Oh", #"{"error":"not now"}"#)
    try await AdminServer.run(
      answer: { number, _ in number == 1 ? refusal : self.reply(pop: "b") },
      { first in
        try await AdminServer.run(
          answer: { _, _ in self.reply(pop: "b") },
          { second in
            let nobody = try ClosedPort()
            let targets = [
              target("a", first.endpoint), target("x", nobody.endpoint),
              target("b", second.endpoint),
              target("c", second.endpoint), .init(admin: second.endpoint),
            ]
            let fanOut = ExplainFanOut(targets: targets, token: nil, timeout: Self.patience)
            let results = await fanOut.ask(try ExplainQuery(url: "http://a.example/x"))
            #expect(results.map(\.target) == targets)
            #expect(results[0].outcome == .failure(.status(500, message: "not now")))
            #expect(
              results[1].outcome == .failure(.cannotConnect(reason: "connection refused")))
            #expect(try results[2].outcome.get().pop == "b")
            #expect(
              results[3].outcome
                == .failure(.badReply(reason: "PoP \"b\" answered in its place")))
            #expect(try results[4].outcome.get().pop == "b")
            #expect(first.requests.count == 1)
            #expect(second.requests.count == 3)
          })
      })
  }
}
