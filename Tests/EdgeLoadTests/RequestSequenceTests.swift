import FoundationEssentials
import Testing

@testable import edge_load

private func plan(_ targets: [String] = ["http://a/"], _ paths: [String] = []) throws -> LoadPlan {
  LoadPlan(targets: try targets.map { try LoadTarget(argument: $0) }, paths: paths)
}

/// The heads of the first requests of a plan.
private func heads(_ plan: LoadPlan, _ count: Int, loop: Int = 0) throws -> [String] {
  var sequence = try RequestSequence(plan, requests: RequestTable(plan), loop: loop)
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
    var sequence = try RequestSequence(plan, requests: RequestTable(plan), loop: 0)
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

  @Test("Bad weights", arguments: ["http://a@0", "http://a@-1", "http://a@5000"])
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

  @Test("Paths and times come from the log; numbers become paths of that size")
  func rows() throws {
    let text = "time,key,size\n10,/a,1\n10.5,77,200\n12,http://x.example/b?c,3\n"
    try withLog(text) { path in
      let replay = try Replay(ReplayPlan(path: path, speed: 2), loop: 0, threads: 1)
      var found: [(Int64?, String)] = []
      while let time = replay.nextTime, let next = replay.next() {
        found.append((time, String(decoding: next, as: UTF8.self)))
      }
      #expect(found.map(\.0) == [0, 250_000_000, 1_000_000_000])
      #expect(found.map(\.1) == ["/a", "/w/200/77", "/b?c"])
    }
  }

  @Test("Threads share the log, and other methods and torn lines are left out")
  func threads() throws {
    let line = "1.2.3.4 - - [01/Jan/2026:00:00:00 +0000] "
    let text =
      line + "\"GET /a HTTP/1.1\" 200 5\n" + line + "\"POST /b HTTP/1.1\" 200 5\ntorn\n"
      + line + "\"GET /c HTTP/1.1\" 200 5\n"
    try withLog(text) { path in
      func paths(_ loop: Int) throws -> [String] {
        let replay = try Replay(ReplayPlan(path: path, speed: nil), loop: loop, threads: 2)
        return sequence(first: replay.next()) { _ in replay.next() }.prefix { $0 != nil }
          .compactMap { $0.map { String(decoding: $0, as: UTF8.self) } }
      }
      let (first, second) = (try paths(0), try paths(1))
      #expect(first == ["/a"])
      #expect(second == ["/c"])
    }
  }
}
