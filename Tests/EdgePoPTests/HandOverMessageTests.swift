import Testing

@testable import EdgePoP

// What a PoP and its successor say to each other.

@Suite("Words of a hand-over")
struct HandOverMessageTests {
  @Test("Questions are read as they are written")
  func requests() {
    for request in [
      HandOverRequest(takesOver: false, addresses: ["127.0.0.1:8080"]),
      HandOverRequest(takesOver: true, addresses: ["127.0.0.1:8080", "[::1]:9080"]),
    ] {
      #expect(HandOverRequest(line: request.line) == request)
    }
  }

  @Test(
    "What is no question",
    arguments: [
      "", "edge-pop", "edge-pop 2 give", "edge-pop 1 give 127.0.0.1:80",
      "edge-pop 2 take 127.0.0.1:80",
      "GET / HTTP/1.1",
    ])
  func noRequests(line: String) { #expect(HandOverRequest(line: line) == nil) }

  @Test(
    "Which addresses end",
    arguments: [
      (["a", "b", "m"], []), (["a", "m"], ["b"]), (["b"], ["a", "m"]), (["a", "b", "x"], ["m"]),
      (["m"], nil), (["x", "m"], nil), ([], nil),
    ] as [([String], [String]?)])
  func ending(asked: [String], expected: [String]?) {
    let request = HandOverRequest(takesOver: true, addresses: asked)
    #expect(request.ending(ofClients: ["a", "b"], admin: "m") == expected)
  }

  @Test("Answers are read as they are written")
  func replies() {
    for reply in [
      HandOverReply.serving(process: 7), .starting(process: 8),
      .wait(process: 9, milliseconds: 30_000),
      .wait(process: 9, milliseconds: 1, ending: ["[::1]:80", "127.0.0.1:9080"]),
      .elsewhere(process: 9, addresses: ["[::1]:80"]), .given, .sockets([]),
      .sockets([.init(address: "[::1]:8080", count: 2), .init(address: "127.0.0.1:9080", count: 1)]
      ),
    ] {
      #expect(HandOverReply(line: reply.line) == reply)
    }
  }

  @Test(
    "What is no answer",
    arguments: [
      "", "serving", "serving x", "wait 1", "wait 1 -1", "wait 1 99999999999", "given 1",
      "elsewhere 1", "elsewhere x a",
      "sockets a",
      "sockets a=0", "sockets a=-1", "sockets a=99999999", "sockets =", "yes",
    ])
  func noReplies(line: String) { #expect(HandOverReply(line: line) == nil) }
}
