import Testing

@testable import edge_load

/// Feeds bytes in pieces; returns the summary, or nil if the response is not complete.
private func read(
  _ text: String, piece: Int, toHead: Bool = false, closes: Bool = false
) throws -> ResponseSummary? {
  var reader = ResponseReader()
  reader.begin(toHead: toHead, wantsTag: true)
  let bytes = Array(text.utf8)
  var index = 0
  while index < bytes.count, !reader.isComplete {
    let end = min(bytes.count, index + piece)
    let taken = try reader.read(bytes.span.extracting(index..<end))
    if !reader.isComplete { #expect(taken == end - index) }
    index += taken
  }
  if closes { _ = reader.connectionClosed() }
  guard reader.isComplete else { return nil }
  #expect(index == bytes.count, "bytes were left over")
  return reader.summary
}

@Suite("Responses as a load generator reads them")
struct ResponseReaderTests {
  private static let complete: [(text: String, expected: ResponseSummary)] = [
    (
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Status: x; hit\r\nETag: \"a\"\r\n\r\nhi",
      ResponseSummary(
        status: 200, outcome: .hit, contentBytes: 2, entityTag: Array("\"a\"".utf8))
    ),
    (
      "HTTP/1.1 404 Not Found\r\ncontent-length:  0 \r\nconnection: Close\r\n\r\n",
      ResponseSummary(status: 404, keepsAlive: false)
    ),
    (
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1a;x=y\r\n"
        + "abcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n",
      ResponseSummary(status: 200, contentBytes: 29)
    ),
    (
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204\r\nContent-Length: 5\r\n\r\n",
      ResponseSummary(status: 204)
    ),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ResponseSummary(status: 304)),
    (
      "HTTP/1.1 200 OK\r\nCache-Status: a; hit, b; fwd=stale\r\nContent-Length: 0\r\n\r\n",
      ResponseSummary(status: 200, outcome: .stale)
    ),
    (
      "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
      ResponseSummary(status: 200, contentBytes: 1)
    ),
  ]

  @Test("However the bytes are cut, the response is the same", arguments: [1, 2, 3, 7, 64, 4096])
  func pieces(piece: Int) throws {
    for (text, expected) in Self.complete {
      #expect(try read(text, piece: piece) == expected, "\(text)")
    }
  }

  @Test("Content that ends with the connection")
  func untilClose() throws {
    let text = "HTTP/1.1 200 OK\r\n\r\nhello"
    #expect(try read(text, piece: 4) == nil)
    let summary = try read(text, piece: 4, closes: true)
    #expect(summary == ResponseSummary(status: 200, keepsAlive: false, contentBytes: 5))
    #expect(
      try read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", piece: 9, closes: true) == nil)
  }

  @Test("The response to HEAD has no content")
  func head() throws {
    let summary = try read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", piece: 8, toHead: true)
    #expect(summary == ResponseSummary(status: 200))
  }

  @Test("Content may be dropped unseen")
  func discarded() throws {
    var reader = ResponseReader()
    reader.begin(toHead: false, wantsTag: false)
    let head = Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".utf8)
    #expect(try reader.read(head.span) == head.count)
    #expect(reader.discardable == 7)
    reader.discarded(7)
    #expect(reader.isComplete)
    #expect(reader.summary.contentBytes == 10)
  }

  @Test(
    "What cannot be read, or could be read in two ways",
    arguments: [
      "SMTP ready\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ])
  func unreadable(text: String) {
    for piece in [1, 5, 4096] {
      #expect(throws: UnreadableResponse.self) { try read(text, piece: piece) }
    }
  }

  @Test("A head without end is given up")
  func endless() {
    let text = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 100_000)
    #expect(throws: UnreadableResponse.self) { try read(text, piece: 4096) }
  }
}
