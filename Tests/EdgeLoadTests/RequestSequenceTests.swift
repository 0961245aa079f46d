import FoundationEssentials
import Testing

@testable import edge_load

private func plan(_ targets: [String] = ["http://a/"], _ paths: [String] = []) throws -> LoadPlan {
  LoadPlan(targets: try targets.map { try LoadTarget(argument: $0) }, paths: paths)
}

/// The heads of the first requests of a plan.
private func heads(_ plan: LoadPlan, _ count: Int, loop: Int = 0) throws -> [String] {
  var sequence = RequestSequence(plan, requests: RequestTable(plan), loop: loop)
  return (0..<count).compactMap { _ in
    sequence.next(target: 0, intended: 0).map { String(decoding: $0.head, as: UTF8.self) }
  }
}

@Suite("Sequence of requests")
struct RequestSequenceTests {
  @Test(
    "Every URL is distinct",
    arguments: [
      ("/a", "/a?n=0"), ("/a?b", "/a?b&n=0"), ("/u/{n}.js", "/u/0.js"), ("/{n}?x={n}", "/0?x={n}"),
    ])
  func unique(path: String, first: String) throws {
    var plan = try plan([], [path])
    plan.targets = [try LoadTarget(url: "http://a")]
    (plan.isUnique, plan.threads, plan.connections) = (true, 2, 2)
    let all = try heads(plan, 50) + heads(plan, 50, loop: 1)
    #expect(Set(all).count == 100)
    #expect(all[0].hasPrefix("GET \(first) HTTP/1.1\r\n"))
    plan.seed = 2
    #expect(try Set(heads(plan, 50)).isDisjoint(with: all))
  }

  @Test("Conditional requests carry the entity tag that a response told")
  func conditional() throws {
    var plan = try plan([], ["/a"])
    plan.targets = [try LoadTarget(url: "http://a")]
    plan.conditional = 1
    var sequence = RequestSequence(plan, requests: RequestTable(plan), loop: 0)
    let next = sequence.next(target: 0, intended: 0)
    let first = try #require(next)
    #expect(!String(decoding: first.head, as: UTF8.self).contains("If-None-Match"))
    let response = ResponseSummary(status: 200, entityTag: Array("\"x\"".utf8))
    sequence.learn(first.mark, response, now: 0)
    let following = sequence.next(target: 0, intended: 0)
    let second = try #require(following)
    #expect(String(decoding: second.head, as: UTF8.self).hasSuffix("If-None-Match: \"x\"\r\n\r\n"))
  }

  @Test("Requests for ranges lie within the content")
  func ranges() throws {
    var plan = try plan()
    (plan.workload, plan.range) = (NamedWorkload.assets.model, 1)
    for head in try heads(plan, 200) where !head.contains("/api/") {
      let match = try #require(head.firstMatch(of: /\/w\/(\d+)\/[^ ]* (?s:.*)bytes=(\d+)-(\d+)/))
      let (size, start, end) = (Int(match.1), Int(match.2), Int(match.3))
      #expect(try #require(start) <= #require(end) && #require(end) < #require(size))
    }
  }

  @Test("Connections and requests are dealt by weight")
  func weights() throws {
    var plan = try plan(["http://a@3", "http://b@1"])
    #expect(plan.dealtTargets(40).count { $0 == 0 } == 30)
    var draw = WeightedDraw([3, 1], seed: 1)
    let drawn = (0..<10_000).count { _ in draw.next() == 0 }
    #expect(abs(drawn - 7500) < 200)
    // Everyone gets one, however small its share.
    plan.targets = [try LoadTarget(argument: "http://a@1000"), try LoadTarget(url: "http://b")]
    #expect(plan.dealtTargets(4) == [0, 1, 0, 0])
  }

  @Test("Equal weights deal in turn")
  func turns() throws {
    let plan = try plan(["http://a", "http://b", "http://c"])
    #expect(plan.dealtTargets(7) == [0, 1, 2, 0, 1, 2, 0])
  }

  @Test(
    "What is a weight, and what is part of a path",
    arguments: [
      ("http://a@3", 3, "/"), ("http://a/@3", 3, "/"), ("http://a:81@2.5/x", 2.5, "/x"),
      ("http://[::1]:81@2", 2, "/"), ("http://a/npm/vue@3", 1, "/npm/vue@3"),
      ("http://a/@5/x", 1, "/@5/x"),
      ("http://a/@5000", 1, "/@5000"), ("http://a/@x", 1, "/@x"), ("http://a/?q=@5", 1, "/?q=@5"),
      ("http://a@2/@5", 2, "/@5"), ("http://a?@5", 1, "/?@5"), ("http://a/é", 1, "/%C3%A9"),
    ])
  func weightGrammar(text: String, weight: Double, path: String) throws {
    let target = try LoadTarget(argument: text)
    #expect(target.weight == weight && target.path == path)
  }

  @Test(
    "Bad weights",
    arguments: [
      "http://a@0", "http://a@-1", "http://a@5000", "http://a@nan", "http://a@inf", "http://a@0x2",
      "http://a@1e2", "http://a@", "http://u@a/", "http://a@0/x",
    ])
  func badWeights(text: String) {
    #expect(throws: LoadPlanError.self) { try LoadTarget(argument: text) }
  }

  @Test("Content and method are in the head")
  func content() throws {
    var plan = try plan()
    (plan.method, plan.contentSize) = ("POST", 3)
    #expect(RequestTable(plan).content.count == 3)
    let head = try heads(plan, 1)[0]
    #expect(head.hasPrefix("POST / HTTP/1.1\r\n"))
    #expect(head.contains("\r\nContent-Length: 3\r\n"))
    plan.newConnections = true
    #expect(try heads(plan, 1)[0].hasSuffix("Connection: close\r\n\r\n"))
  }
}

@Suite("Replay of a log")
struct ReplayTests {
  private func withLog<Value>(_ text: String, _ body: (String) throws -> Value) throws -> Value {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("edge-load-replay-\(UInt64.random(in: 0 ... .max)).csv").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }

  /// All requests of a log, and what became of its lines.
  private func replay(
    _ text: String, _ change: (inout ReplayPlan) -> Void = { _ in }
  ) throws -> (requests: [(Int64, String)], account: LogAccount) {
    try withLog(text) { path in
      var plan = ReplayPlan(path: path, speed: 1)
      change(&plan)
      let log = try ReplayLog(plan)
      var found: [(Int64, String)] = []
      while let request = log.next() {
        found.append((request.due, String(decoding: request.path, as: UTF8.self)))
      }
      return (found, log.account)
    }
  }

  @Test("Paths and times come from the log; numbers become paths of that size")
  func rows() throws {
    let text = "time,key,size\n10,/a,1\n10.5,77,200\n12,http://x.example/b?c,3\n"
    let found = try replay(text) { $0.speed = 2 }.requests
    #expect(found.map(\.0) == [0, 250_000_000, 1_000_000_000])
    #expect(found.map(\.1) == ["/a", "/w/200/77", "/b?c"])
  }

  static let paths: [(key: String, path: String)] = [
    ("/a?b=c", "/a?b=c"), ("/café.html", "/caf%C3%A9.html"), ("/caf%C3%A9.html", "/caf%C3%A9.html"),
    ("/a b", "/a%20b"), ("/a\tb\u{7F}", "/a%09b%7F"), ("/\"<>\\", "/\"<>\\"),
    ("http://www.example/a b", "/a%20b"), ("HTTPS://www.example:443/é?x", "/%C3%A9?x"),
    ("https://www.example", "/"), ("http://www.example?x", "/?x"), ("http://www.example/a#b", "/a"),
    ("http://", "/w/5/http%3A%2F%2F"), ("obj 7/é", "/w/5/obj%207%2F%C3%A9"),
  ]

  @Test("What is asked for can stand in a request line", arguments: paths)
  func path(row: (key: String, path: String)) {
    let request = TraceRequest(line: 1, time: 0, key: Array(row.key.utf8), size: 5)
    #expect(String(decoding: ReplayLog.path(of: request), as: UTF8.self) == row.path)
  }

  @Test("Bytes that are no UTF-8 are asked for as they are")
  func bytes() {
    let request = TraceRequest(line: 1, time: 0, key: [0x2F, 0xE9, 0xFF], size: 5)
    #expect(String(decoding: ReplayLog.path(of: request), as: UTF8.self) == "/%E9%FF")
  }

  static let clocks: [(times: [Double], due: [Double], cuts: Int)] = [
    ([10, 10.5, 12], [0, 0.5, 2], 0),
    // A little out of order: as answers ended.
    ([10, 9.5, 11], [0, 0, 1], 0),
    // Years apart, and back.
    ([0, 1, 1e9, 1e9 + 1], [0, 1, 61, 62], 1),
    ([0, 1, 1e9, 2, 3], [0, 1, 61, 61, 62], 2),
    // What no clock can count.
    ([0, 1e12, -1e12, 1e12], [0, 60, 60, 120], 3),
  ]

  @Test("Silences of years are cut short, whichever way the time goes", arguments: clocks)
  func gaps(row: (times: [Double], due: [Double], cuts: Int)) {
    var clock = ReplayClock(speed: 1, longestGap: .seconds(60))
    let taken = row.times.map { clock.take($0) }
    #expect(taken.map { Double($0.due) / 1e9 } == row.due)
    #expect(taken.count { $0.cut != nil } == row.cuts)
  }

  @Test("Times in nanoseconds are as far apart as they say")
  func nanoseconds() throws {
    let (found, account) = try replay("1781956800000000000,/a,1\n1781956801500000000,/b,1\n")
    #expect(found.map(\.0) == [0, 1_500_000_000])
    #expect(account.shortenedGaps == nil)
  }

  @Test("Every line that is left out is counted, with its reason")
  func leftOut() throws {
    func line(_ request: String, _ size: String) -> String {
      "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"\(request)\" 200 \(size)\n"
    }
    let text =
      line("GET /a HTTP/1.1", "5") + line("POST /b HTTP/1.1", "5") + "torn\n" + line("-", "0")
      + line("GET /c HTTP/1.1", "x") + line("HEAD /d HTTP/1.1", "5") + "\n# comment\n"
    let (found, account) = try replay(text)
    #expect(found.map(\.1) == ["/a", "/d"])
    #expect(account.leftOut == ["method": 1, "time": 1, "request": 1, "size": 1])
    #expect(account.examples["time"] == "line 3 has no time in brackets")
    #expect(account.format == "common" && account.requests == 2)
    #expect(account.complaint?.contains("66.7 % of the lines") == true)
    let words = account.text("requests").joined(separator: "\n")
    #expect(words.contains("left out  1  of another method, the first: line 2 is POST"))
    #expect(try replay(text) { $0.mostLeftOut = 0.7 }.account.complaint == nil)
  }

  @Test("What stands in a log does nothing to a terminal")
  func terminal() throws {
    let account = try replay("1,/a,5\n2,/b,\u{1B}[31mred\n").account
    #expect(account.examples["size"] == "line 2 '\\u{1b}[31mred' is no size in bytes")
  }

  @Test("A log of nothing that can be replayed says why")
  func nothing() throws {
    let line = "192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] \"POST /b HTTP/1.1\" 200 5\n"
    for (text, says) in [
      (line, "has no request that can be replayed; 1 of another method"),
      ("", "is empty"),
      ("key,size\n/a,5\n", "replay it with --speed max"),
    ] {
      #expect { _ = try replay(text) } throws: { "\($0)".contains(says) }
    }
  }

  @Test("Threads share the log: each request is one thread's")
  func threads() throws {
    try withLog((0..<20).map { "\($0),/\($0),1\n" }.joined()) { path in
      let log = try ReplayLog(ReplayPlan(path: path, speed: nil))
      let (one, other) = (Replay(log), Replay(log))
      var found: [String] = []
      while let path = one.next() ?? other.next() {
        found.append(String(decoding: path, as: UTF8.self))
        if let path = other.next() { found.append(String(decoding: path, as: UTF8.self)) }
      }
      #expect(found.sorted() == (0..<20).map { "/\($0)" }.sorted())
      #expect(log.account.requests == 20)
    }
  }
}
