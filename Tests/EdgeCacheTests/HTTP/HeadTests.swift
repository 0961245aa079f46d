import NIOCore
import Testing

@testable import EdgeCache

/// Heads in one piece, in pieces, and one after another.
@Suite struct HeadTests {
  @Test(arguments: Rows.requests) func request(_ row: Row) {
    check(row, RequestParser.verdict(row.bytes))
  }

  @Test(arguments: Rows.responses) func response(_ row: Row) {
    check(row, ResponseParser.verdict(row.bytes))
  }

  @Test(arguments: Rows.responsesToHead) func responseToHead(_ row: Row) {
    check(row, ResponseParser.verdict(row.bytes, toHead: true))
  }

  /// What follows a head must not change what is made of the head.
  @Test(arguments: Rows.requests) func requestIsCutOffWhereItEnds(_ row: Row) {
    guard case .accepted = row.expectation else { return }
    let expected = RequestParser.verdict(row.bytes)
    for tail in ["G", "\0", "↵↵", "\n\n", " x", "GET / HTTP/1.1↵Host: a↵↵"] {
      #expect(RequestParser.verdict(row.bytes + wire(tail)) == expected, "tail \(tail)")
    }
  }

  @Test(arguments: Rows.responses) func responseIsCutOffWhereItEnds(_ row: Row) {
    guard case .accepted = row.expectation else { return }
    let expected = ResponseParser.verdict(row.bytes)
    for tail in ["H", "\0", "↵↵", "\n\n", " x", "HTTP/1.1 200 OK↵↵"] {
      #expect(ResponseParser.verdict(row.bytes + wire(tail)) == expected, "tail \(tail)")
    }
  }

  /// A fresh parser on each prefix: nothing is accepted before its last byte, and nothing that is
  /// accepted or still open is refused on the way.
  @Test(arguments: Rows.requests) func requestPrefixes(_ row: Row) {
    checkPrefixes(row) { RequestParser.verdict($0) }
  }

  @Test(arguments: Rows.responses) func responsePrefixes(_ row: Row) {
    checkPrefixes(row) { ResponseParser.verdict($0) }
  }

  /// One parser, one more byte each time, from every first read: the verdict is that of one piece.
  @Test(arguments: Rows.requests) func requestTrickle(_ row: Row) {
    for first in 0..<max(1, row.bytes.count) {
      var parser = RequestParser()
      checkTrickle(row, first: first, RequestParser.verdict(row.bytes)) { parser.verdict($0) }
    }
  }

  @Test(arguments: Rows.responses) func responseTrickle(_ row: Row) {
    for first in 0..<max(1, row.bytes.count) {
      var parser = ResponseParser()
      checkTrickle(row, first: first, ResponseParser.verdict(row.bytes)) { parser.verdict($0) }
    }
  }

  /// Requests sent one after another over one connection (RFC 9112 §9.3.2).
  @Test func pipelinedRequests() {
    let accepted = Rows.requests.filter {
      if case .accepted = $0.expectation { return true }
      return false
    }
    let expected = accepted.map { RequestParser.verdict($0.bytes) }
    for step in [1, 7, 4096, Int.max] {
      let all = accepted.flatMap(\.bytes)
      var parser = RequestParser()
      var buffer = ByteBuffer()
      var verdicts: [Verdict] = []
      var fed = 0
      while fed < all.count {
        let end = step > all.count - fed ? all.count : fed + step
        buffer.writeBytes(all[fed..<end])
        fed = end
        while case .head(let facts, let consumed) = parser.verdict(buffer) {
          verdicts.append(.head(facts: facts, consumed: consumed))
          buffer.moveReaderIndex(forwardBy: consumed)
          buffer.discardReadBytes()
        }
      }
      #expect(verdicts == expected, "in steps of \(step)")
      #expect(buffer.readableBytes == 0)
    }
  }

  /// A bad request spoils the connection but nothing that came before it.
  @Test(arguments: Rows.requests) func goodThenBad(_ row: Row) {
    guard case .refused(let reason) = row.expectation else { return }
    let first = wire("GET / HTTP/1.1↵Host: a↵↵")
    var parser = RequestParser()
    var buffer = ByteBuffer(bytes: first + row.bytes)
    guard case .head(_, let consumed) = parser.verdict(buffer) else {
      Issue.record("the first request was not accepted")
      return
    }
    #expect(consumed == first.count)
    buffer.moveReaderIndex(forwardBy: consumed)
    #expect(parser.verdict(buffer) == .refused(reason))
  }

  // MARK: - Checks

  private func check(_ row: Row, _ verdict: Verdict) {
    switch row.expectation {
    case .incomplete: #expect(verdict == .needMore)
    case .refused(let reason): #expect(verdict == .refused(reason))
    case .accepted(let wanted):
      #expect(verdict.missing(wanted) == nil, "\(verdict)")
      if case .head(_, let consumed) = verdict { #expect(consumed == row.bytes.count) }
    }
  }

  private func checkPrefixes(_ row: Row, _ parse: ([UInt8]) -> Verdict) {
    let whole = parse(row.bytes)
    var refused = false
    for count in 0..<row.bytes.count {
      let verdict = parse(Array(row.bytes[..<count]))
      if refused || verdict != .needMore {
        refused = true
        guard case .refused = whole, verdict == whole else {
          Issue.record("\(verdict) after \(count) of \(row.bytes.count) bytes, \(whole) after all")
          return
        }
      }
    }
  }

  private func checkTrickle(
    _ row: Row, first: Int, _ whole: Verdict, _ parse: (ByteBuffer) -> Verdict
  ) {
    var buffer = ByteBuffer(bytes: row.bytes[..<first])
    var verdict = parse(buffer)
    var fed = first
    while verdict == .needMore, fed < row.bytes.count {
      buffer.writeInteger(row.bytes[fed])
      fed += 1
      verdict = parse(buffer)
    }
    if case .refused = whole, verdict == .needMore {
      // The verdict may wait for the end of the head, but no longer.
      buffer.writeBytes(wire("↵↵"))
      verdict = parse(buffer)
    }
    if case .head = whole { #expect(fed == row.bytes.count) }
    #expect(verdict == whole, "fed \(first) bytes first")
  }
}
