// The messages of the admin API: what is accepted as a purge, what is not, and that what one side
// writes the other side reads.

import EdgeCache
import EdgeFleet
import Foundation
import Testing

@Suite struct PurgeURLTests {
  @Test(arguments: [
    ("http://www.edge.example/a.js", "www.edge.example", "/a.js"),
    ("HTTPS://WWW.Edge.example:8443/A%2fb?x=1&y", "www.edge.example", "/A%2fb?x=1&y"),
    ("http://www.edge.example", "www.edge.example", "/"),
    ("http://www.edge.example?x=/y", "www.edge.example", "/?x=/y"),
    ("http://[0::1]:80/a/../b//c", "[::1]", "/a/../b//c"),
    ("http://127.0.0.1:/", "127.0.0.1", "/"),
  ])
  func accepted(text: String, host: String, target: String) throws {
    let url = try PurgeURL(parsing: text)
    #expect(url.host == host)
    #expect(url.target == target)
    #expect(url.description == text)
  }

  @Test(arguments: [
    ("", "is not an absolute http or https URL; write it like http://www.example/a.js"),
    ("/a.js", "is not an absolute http or https URL; write it like http://www.example/a.js"),
    ("www.a.example/", "is not an absolute http or https URL; write it like http://www.example/a"),
    ("//www.a.example", "is not an absolute http or https URL; write it like http://www.example/"),
    ("ftp://a.example/", "is not an absolute http or https URL; write it like http://www.example"),
    ("http:///a.js", "has no valid host; write it like http://www.example/a.js"),
    ("http://a..b/", "has no valid host; write it like http://www.example/a.js"),
    ("http://*/", "has no valid host; write it like http://www.example/a.js"),
    ("http://a.example:x/", "has a port which is not a number from 0 to 65535"),
    ("http://u:p@a.example/", "names a user, which no stored response has; leave it out"),
    ("http://a.example/#top", "has a fragment, which no stored response has; leave it out"),
    ("http://a.example/a b", "has a space or another character which must be percent-encoded"),
    ("http://a.example/é", "has a space or another character which must be percent-encoded"),
    ("http://a.example/\r\nX: y", "has a space or another character which must be percent-encode"),
  ])
  func refused(text: String, reason: String) {
    #expect {
      try PurgeURL(parsing: text)
    } throws: {
      ($0 as? ValueProblem)?.reason.hasPrefix(reason) == true
    }
  }

  @Test func tooLong() {
    let text = "http://a.example/" + String(repeating: "a", count: PurgeURL.longest)
    #expect(throws: ValueProblem(text, "is longer than 8192 bytes")) {
      try PurgeURL(parsing: text)
    }
  }
}

@Suite struct PurgeRequestTests {
  private func urls(_ texts: String...) throws -> PurgeRequest {
    try PurgeRequest.urls(texts.map { try PurgeURL(parsing: $0) })
  }

  @Test func written() throws {
    let one = try urls("http://www.edge.example/a.js?x=1")
    #expect(
      String(decoding: one.json, as: UTF8.self)
        == #"{"scope":"url","urls":["http://www.edge.example/a.js?x=1"]}"#)
    #expect(
      String(decoding: PurgeRequest.everything.json, as: UTF8.self) == #"{"scope":"everything"}"#)
  }

  @Test func readBack() throws {
    let two = try urls("http://www.edge.example/a.js", "https://www.edge.example/b?c=%20")
    #expect(try PurgeRequest(json: two.json) == two)
    #expect(try PurgeRequest(json: PurgeRequest.everything.json) == .everything)
  }

  @Test func hardIsTheModeThatNeedsNoSaying() throws {
    let text = #"{"scope":"everything","mode":"hard"}"#
    #expect(try PurgeRequest(json: Array(text.utf8)) == .everything)
  }

  @Test(arguments: [
    #"{"scope":"everything"}"#, #"{"mode":"soft","scope":"everything"}"#,
    #"{"prefixes":["http://a/b","https://c/"],"scope":"prefix"}"#,
    #"{"hosts":["a.example","[::1]"],"scope":"host"}"#,
    #"{"by":"me","mode":"soft","scope":"tag","tags":["a","b c"]}"#,
    #"{"id":"1764000000000-7","scope":"url","urls":["http://a/","http://a/"]}"#,
    #"{"dryRun":true,"hosts":["a"],"scope":"host"}"#, #"{"local":true,"scope":"everything"}"#,
    #"{"tags":["a"],"urls":["http://a/"]}"#,
    #"{"mode":"soft","prefixes":["http://a/"],"tags":["é"]}"#,
    #"{"hosts":["a"],"prefixes":["http://b/"],"tags":["t"],"urls":["http://c/"]}"#,
  ])
  func everyScopeIsReadAsItIsWritten(_ text: String) throws {
    let request = try PurgeRequest(json: Array(text.utf8))
    #expect(String(decoding: request.json, as: UTF8.self) == text)
  }

  @Test(
    "A list alone says its scope, and a * in a URL stands for any rest",
    arguments: [
      (#"{"urls":["http://a/"]}"#, #"{"scope":"url","urls":["http://a/"]}"#, false),
      (
        #"{"scope":"url","urls":["http://a/x/*"]}"#,
        #"{"prefixes":["http://a/x/"],"scope":"prefix"}"#, false
      ),
      (
        #"{"scope":"url","urls":["http://a/x.*"]}"#,
        #"{"prefixes":["http://a/x"],"scope":"prefix"}"#, false
      ),
      (
        #"{"scope":"url","urls":["http://a/x","http://a/*"]}"#,
        #"{"prefixes":["http://a/"],"urls":["http://a/x"]}"#, false
      ),
      (
        #"{"scope":"prefix","prefixes":["http://a/x/*"]}"#,
        #"{"prefixes":["http://a/x/"],"scope":"prefix"}"#, false
      ),
      (
        #"{"scope":"url","urls":["http://a/x*y"]}"#,
        #"{"prefixes":["http://a/x"],"scope":"prefix"}"#, true
      ),
      (#"{"scope":"tag","tags":["a b"]}"#, #"{"scope":"tag","tags":["a b"]}"#, true),
    ])
  func normalised(_ text: String, _ expected: String, _ isWidened: Bool) throws {
    let request = try PurgeRequest(json: Array(text.utf8))
    #expect(String(decoding: request.message, as: UTF8.self) == expected)
    #expect(request.widened.isEmpty != isWidened)
  }

  /// What is told to other PoPs is the same whoever passes it on.
  @Test func messages() throws {
    var request = try PurgeRequest(json: Array(#"{"scope":"tag","tags":["a"]}"#.utf8))
    let message = request.message
    request.id = PurgeID(milliseconds: 1, number: 2)
    #expect(request.message == message && request.json != message)
    #expect(try PurgeRequest(json: message).message == message)
  }

  @Test(arguments: [
    ("", "not JSON: line 1, column 1: the file ends where a value is expected"),
    ("[]", "is an array; expected an object"), ("{}", "scope: is required"),
    (#"{"scope":"path"}"#, #"scope: "path" is not "url" or "prefix" or "host" or "tag" or "ever"#),
    (#"{"scope":"host"}"#, #"hosts: is required with scope "host""#),
    (#"{"scope":"host","hosts":["a:80"]}"#, #"hosts[0]: "a:80" is not a host; write it like"#),
    (#"{"scope":"host","hosts":["a"],"tags":[]}"#, #"tags: does not go with scope "host""#),
    (#"{"scope":"tag","tags":["a,b"]}"#, #"tags[0]: "a,b" is not a tag"#),
    (#"{"scope":"tag","tags":[" a"]}"#, #"tags[0]: " a" is not a tag"#),
    (#"{"scope":"prefix","prefixes":["/a"]}"#, #"prefixes[0]: "/a" is not an absolute http"#),
    (#"{"scope":"everything","mode":"lazy"}"#, #"mode: "lazy" is not "hard" or "soft""#),
    (#"{"scope":"everything","id":"7"}"#, #"id: "7" is not the name of a purge"#),
    (#"{"scope":"everything","id":"1-1","local":true}"#, "local: does not go with id"),
    (#"{"scope":"everything","dryRun":"no"}"#, #"dryRun: is the string "no"; expected true or f"#),
    (#"{"scope":"everything","host":"a"}"#, #"host: is not a known key; did you mean "hosts"?"#),
    (#"{"scope":"everything","url":[]}"#, #"url: is not a known key; did you mean "urls"?"#),
    (#"{"scope":"everything","urls":[]}"#, #"urls: does not go with scope "everything""#),
    (#"{"scope":"url","scope":"everything"}"#, "not JSON: line 1, column 16: the key \"scope\" is"),
    (#"{"scope":"url"}"#, #"urls: is required with scope "url""#),
    (#"{"scope":"url","urls":[]}"#, "a purge of no URL"),
    (#"{"scope":"url","urls":"http://a/"}"#, "urls: is the string \"http://a/\"; expected an arra"),
    (#"{"scope":"url","urls":["http://a/","/b"]}"#, "urls[1]: \"/b\" is not an absolute http or "),
  ])
  func refused(text: String, problem: String) {
    #expect {
      try PurgeRequest(json: Array(text.utf8))
    } throws: {
      "\($0)".hasPrefix(problem)
    }
  }

  @Test func tooManyURLs() throws {
    let url = try PurgeURL(parsing: "http://a.example/")
    #expect(throws: Never.self) { try PurgeRequest.urls(Array(repeating: url, count: 4096)) }
    #expect {
      try PurgeRequest.urls(Array(repeating: url, count: 4097))
    } throws: {
      "\($0)" == "4097 URLs; at most 4096 in one purge"
    }
  }
}

@Suite struct AdminMessageTests {
  @Test func acknowledgement() throws {
    let message = PurgeAcknowledgement(pop: "sin1", sequence: 42, matched: 3, freedBytes: 12345)
    #expect(
      String(decoding: message.json, as: UTF8.self)
        == #"{"freedBytes":12345,"matched":3,"pop":"sin1","sequence":42}"#)
    #expect(
      try JSONDecoder().decode(PurgeAcknowledgement.self, from: Data(message.json)) == message)
  }

  @Test func health() throws {
    let message = HealthReport(pop: "sin1", uptimeSeconds: 12, sequence: 42)
    #expect(message.status == "ok")
    #expect(message.version == Release.version)
    #expect(try JSONDecoder().decode(HealthReport.self, from: Data(message.json)) == message)
  }

  @Test func refusal() {
    #expect(String(decoding: AdminRefusal(error: "no").json, as: UTF8.self) == #"{"error":"no"}"#)
  }
}

@Suite struct AdminTokenTests {
  @Test(arguments: [
    ("Bearer s3cret", true), ("bearer s3cret", true), ("BEARER  s3cret", true),
    ("Bearer s3creT", false), ("Bearer s3cre", false), ("Bearer s3crets", false),
    ("Bearer s3crets3cret", false), ("Bearer ", false), ("Bearer", false), ("", false),
    ("s3cret", false), ("Basic s3cret", false), ("Bearers3cret", false),
  ])
  func presented(value: String, isRight: Bool) throws {
    #expect(try AdminToken("s3cret").isPresented(by: Array(value.utf8)) == isRight)
  }

  @Test(arguments: ["", "a b", "a\r\nX: y", "é", String(repeating: "a", count: 1025)])
  func refused(text: String) {
    #expect(throws: AdminToken.Problem.self) { try AdminToken(text) }
  }

  @Test func isNotPrinted() throws {
    let token = try AdminToken("s3cret")
    #expect(!"\(token) \(String(reflecting: token))".contains("s3cret"))
    var dumped = ""
    dump([token], to: &dumped)
    #expect(!dumped.contains("s3cret"))
  }

  @Test func readFromAFile() throws {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("edge-token-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data("  s3cret\r\n".utf8).write(to: file)
    #expect(try AdminToken.read(path: file.path) == AdminToken("s3cret"))
    try Data("two words\n".utf8).write(to: file)
    #expect(throws: AdminToken.Problem.self) { try AdminToken.read(path: file.path) }
    try Data("\n".utf8).write(to: file)
    #expect {
      try AdminToken.read(path: file.path)
    } throws: {
      "\($0)".hasSuffix("the admin token is empty")
    }
  }
}
