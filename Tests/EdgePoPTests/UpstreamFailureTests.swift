import EdgeFleet
import NIOCore
import NIOPosix
import Testing

@testable import EdgePoP

// An upstream that refuses, breaks off, stalls or talks nonsense: the client learns of it in time
// and never takes half a response for a whole one, and nothing of it is stored (RFC 9112 §8,
// RFC 9111 §3.3, RFC 9110 §9.2.2 and §15.6).

/// How an upstream can end its side of a connection.
enum UpstreamEnd: String, CaseIterable, Sendable {
  case finish, reset
}

extension Origin.Exchange {
  /// Ends the connection, once what was sent has arrived.
  func end(_ end: UpstreamEnd) async throws -> Never {
    switch end {
    case .finish: await wire.close()
    case .reset: await wire.reset()
    }
    throw WireProblem(description: "ended by the script")
  }
}

/// The start of a response that breaks off, in each framing.
private enum Broken: String, CaseIterable, Sendable {
  case length = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc"
  case noContent = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n"
  case chunk =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"
  case lastChunk =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
  case trailers =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"
}

@Suite("Upstream failures", .serialized)
struct UpstreamFailureTests {
  @Test("A refused connection is 502 with its reason (RFC 9110 §15.6.3, RFC 9211 §2.8)")
  func refused() async throws {
    let closed = try ClosedPort()
    let pop = try await TestPoP.start(upstream: closed.url)
    let wire = try await pop.connect()
    for method in ["GET", "POST", "HEAD"] {
      let response = try await wire.exchange("\(method) / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      #expect(response.status == 502)
      #expect(response.cacheStatus.contains("; detail=connect-failed"))
    }
    #expect(try await pop.statistics().upstreamFailures["connect-failed"] == 3)
    try await pop.stop()
    withExtendedLifetime(closed) {}
  }

  @Test("A connection closed before any answer is 502", arguments: UpstreamEnd.allCases)
  func closedAtOnce(end: UpstreamEnd) async throws {
    try await withPoP(origin: { try await $0.end(end) }) { pop, origin in
      let wire = try await pop.connect()
      let response = try await wire.exchange(TestPoP.request("/"))
      #expect(response.status == 502)
      #expect(response.cacheStatus.contains("; detail=upstream-closed"))
      // The client's connection has nothing to do with it.
      #expect(try await wire.exchange(TestPoP.request("/")).status == 502)
      // A new connection is not retried on: the request may have been acted upon.
      #expect(origin.requests.count == 2)
    }
  }

  @Test("What is stale answers when nobody listens at the upstream any more (RFC 5861 §4)")
  func staleWhenRefused() async throws {
    try await withPoP(origin: {
      $0.answer("old", "Cache-Control: max-age=0, stale-if-error=60", "Connection: close")
    }) { pop, origin in
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).text == "old")
      try await pop.waitForFills()
      await origin.stop()
      // On the same connection and on a new one: the answer must not wait for the next event.
      let response = try await wire.exchange(TestPoP.request("/"))
      #expect(response.text == "old")
      #expect(response.cacheStatus.contains("detail=connect-failed"))
      #expect(try await pop.get("/").text == "old")
    }
  }

  @Test("A response that nobody waits for any more does not keep its connection for ever")
  func abandonedResponse() async throws {
    let gate = Gate()
    let isOver = Gate()
    try await withPoP(
      { $0.limits.betweenBytes = .seconds(1) },
      origin: { exchange in
        if exchange.number == 1 {
          return exchange.answer(
            "old", "Cache-Control: max-age=0, stale-if-error=60", "ETag: \"a\"")
        }
        exchange.send("HTTP/1.1 500 Error\r\nContent-Length: 100000\r\n\r\nsome of it")
        await gate.wait()
        exchange.send("and more")
        _ = try await exchange.wire.waitForEnd()
        isOver.open()
      }
    ) { pop, _ in
      #expect(try await pop.get("/").text == "old")
      try await pop.waitForFills()
      // Answered with what is stale, and then the client leaves.
      #expect(try await pop.get("/").text == "old")
      try await eventually("the client is gone") {
        try await pop.statistics().openConnections == 0
      }
      gate.open()
      await isOver.wait()
    }
  }

  @Test("A head that breaks off is 502", arguments: UpstreamEnd.allCases)
  func brokenHead(end: UpstreamEnd) async throws {
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(ByteBuffer(string: "HTTP/1.1 200 OK\r\nCache-Con"))
      try await exchange.end(end)
    }) { pop, _ in
      let response = try await pop.get("/")
      #expect(response.status == 502)
    }
  }

  @Test(
    "Content that breaks off is never taken for whole, nor stored (RFC 9112 §8)",
    arguments: Broken.allCases, UpstreamEnd.allCases)
  fileprivate func brokenContent(broken: Broken, end: UpstreamEnd) async throws {
    let gates = [Gate(), Gate()]
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(ByteBuffer(string: broken.rawValue))
      await gates[min(exchange.number, 2) - 1].wait()
      try await exchange.end(end)
    }) { pop, origin in
      for number in 1...2 {
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/"))
        // The start has to be on its way to the client before the end comes.
        try await eventually("the start at the PoP") {
          try await pop.statistics().upstream.bytes >= number * broken.rawValue.utf8.count
        }
        gates[number - 1].open()
        let head = try await wire.take("a head or the end") { bytes, end in
          bytes.readableBytes > 0 || end != nil ? bytes.readableBytes : nil
        }
        if head > 0 {
          var response = try await wire.readHead()
          if response.status == 200 {
            await #expect(throws: WireProblem.self) {
              try await wire.readContent(&response, isResponse: true)
            }
          } else {
            #expect(response.status == 502)
          }
        }
        try await wire.waitForEnd()
        #expect(origin.requests.count == number)
      }
      try await pop.waitForFills()
      #expect(try await pop.statistics().memory.storedResponses == 0)
      #expect(try await pop.statistics().memory.reservedBytes == 0)
    }
  }

  @Test("An HTTP/1.0 client is told of a break by a reset, having no other sign (RFC 9112 §8)")
  func brokenForHTTP10() async throws {
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(ByteBuffer(string: Broken.lastChunk.rawValue))
      try await exchange.end(.finish)
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
      #expect(try await wire.waitForEnd() == .broken)
    }
  }

  @Test(
    "Coded content that stops before its end is broken off by a reset, and not stored (RFC 9110 §8.4.1)",
    arguments: ["max-age=60", "no-store"], ["1.0", "1.1"])
  func codedContent(policy: String, version: String) async throws {
    // "hello", and its last four bytes missing.
    let gzip: [UInt8] = [
      0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 7, 0, 0x86, 0xA6, 0x10,
      0x36,
      5, 0, 0, 0,
    ]
    try await withPoP(origin: { exchange in
      let content = exchange.request["X-Whole"] == nil ? gzip.dropLast(4) : gzip[...]
      let isChunked = exchange.request["X-Chunked"] != nil
      var answer = ByteBuffer(
        string: "HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\nContent-Encoding: gzip\r\n"
          + (isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n"))
      if isChunked { answer.writeString("\(String(content.count, radix: 16))\r\n") }
      answer.writeBytes(content)
      if isChunked { answer.writeString("\r\n0\r\n\r\n") }
      await exchange.wire.sendAll(answer)
      if !isChunked { try await exchange.end(.finish) }
    }) { pop, _ in
      for fields in ["", "X-Chunked: 1\r\n"] {
        let wire = try await pop.connect()
        wire.send("GET / HTTP/\(version)\r\nHost: a.example\r\n\(fields)\r\n")
        #expect(try await wire.waitForEnd() == .broken)
      }
      try await pop.waitForFills()
      #expect(try await pop.statistics().memory.storedResponses == 0)
      let whole = try await pop.get("/", "X-Whole: 1")
      #expect(whole.content == ByteBuffer(bytes: gzip))
    }
  }

  @Test(
    "A response that breaks off ends in a reset, whatever its framing (RFC 9112 §8)",
    arguments: [Broken.length, .chunk, .lastChunk])
  fileprivate func brokenByReset(broken: Broken) async throws {
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(ByteBuffer(string: broken.rawValue))
      try await exchange.end(.finish)
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      #expect(try await wire.waitForEnd() == .broken)
    }
  }

  @Test("Content until close is whole at an orderly end (RFC 9112 §6.3)")
  func untilClose() async throws {
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(
        ByteBuffer(string: "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nabc"))
      try await exchange.end(.finish)
    }) { pop, origin in
      #expect(try await pop.get("/").text == "abc")
      try await pop.waitForFills()
      let hit = try await pop.get("/")
      #expect(hit.text == "abc")
      #expect(hit["Content-Length"] == "3")
      #expect(origin.requests.count == 1)
    }
  }

  @Test(
    "Content until close is broken by a reset, and not stored (RFC 9112 §8)",
    arguments: ["max-age=60", "no-store"])
  func untilCloseReset(policy: String) async throws {
    let start = "HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\n\r\nabc"
    let gates = [Gate(), Gate()]
    try await withPoP(origin: { exchange in
      await exchange.wire.sendAll(ByteBuffer(string: start))
      await gates[min(exchange.number, 2) - 1].wait()
      try await exchange.end(.reset)
    }) { pop, origin in
      for number in 1...2 {
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/"))
        try await eventually("the start at the PoP") {
          try await pop.statistics().upstream.bytes >= number * start.utf8.count
        }
        gates[number - 1].open()
        let text = try await wire.takeRest()
        #expect(!text.hasSuffix("0\r\n\r\n"))
        #expect(origin.requests.count == number)
      }
    }
  }

  @Test(
    "Malformed responses are 502 (RFC 9112 §4, §6.3)",
    arguments: [
      "nonsense\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 Low\r\n\r\n",
      "HTTP/1.1200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 33 << 10) + "\r\n\r\n",
      "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 257) + "\r\n",
    ])
  func malformed(response: String) async throws {
    try await withPoP(origin: { $0.send(response) }) { pop, origin in
      let wire = try await pop.connect()
      let answer = try await wire.exchange(TestPoP.request("/"))
      #expect(answer.status == 502)
      #expect(answer.cacheStatus.contains("; detail=upstream-malformed"))
      // What such an upstream says next is not listened to.
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }

  @Test(
    "Malformed chunks break the response off (RFC 9112 §7.1)",
    arguments: ["xyz\r\n", "3\r\nabcd\r\n", "3\r\nabcX\n", "-1\r\n", "3;\u{0}\r\nabc\r\n"])
  func malformedChunk(chunk: String) async throws {
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "2\r\nok\r\n" + chunk)
    }) { pop, origin in
      for number in 1...2 {
        let wire = try await pop.connect()
        wire.send(TestPoP.request("/"))
        #expect(!(try await wire.takeRest()).hasSuffix("0\r\n\r\n"))
        #expect(origin.requests.count == number)
      }
    }
  }

  @Test("Bytes behind a response end the connection and answer nobody (RFC 9112 §9.2)")
  func extraBytes() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1\r\n\r\na"
          + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    }) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 { #expect(try await wire.exchange(TestPoP.request("/")).text == "a") }
      #expect(origin.wires.count == 2)
    }
  }

  // MARK: Retries

  @Test("A reused connection that turns out closed is retried once (RFC 9110 §9.2.2)")
  func retry() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer("ok", "Cache-Control: no-store")
      if exchange.connection == 1 {
        // Takes the next request off the connection, and closes instead of answering it.
        _ = try await exchange.wire.readHead()
        try await exchange.end(.finish)
      }
    }) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 {
        let response = try await wire.exchange(TestPoP.request("/"))
        #expect(response.status == 200)
      }
      #expect(origin.wires.count == 2)
      #expect(try await pop.statistics().upstream.retries == 1)
    }
  }

  @Test(
    "A request that is not idempotent is not repeated (RFC 9110 §9.2.2)",
    arguments: ["POST", "PATCH", "LOCK", "UNKNOWN", "query"])
  func noRetry(method: String) async throws {
    try await withPoP(origin: { exchange in
      exchange.answer("ok", "Cache-Control: no-store")
      _ = try await exchange.wire.readHead()
      try await exchange.end(.finish)
    }) { pop, origin in
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      let response = try await wire.exchange("\(method) / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      #expect(response.status == 502)
      #expect(origin.wires.count == 1)
    }
  }

  @Test(
    "A safe method is repeated with its content (RFC 9110 §9.2.2, RFC 10008 §2)",
    arguments: [
      ("QUERY", 3), ("PROPFIND", 3), ("REPORT", 65_536), ("SEARCH", 0), ("PUT", 3), ("MKCOL", 0),
    ])
  func retryWithContent(method: String, count: Int) async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("ok", "Cache-Control: no-store")
      if exchange.connection == 1 {
        var next = try await exchange.wire.readHead()
        try await exchange.wire.readContent(&next, isResponse: false)
        try await exchange.end(.finish)
      }
    }) { pop, origin in
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      let text = String(repeating: "q", count: count)
      let response = try await wire.exchange(
        "\(method) / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(count)\r\n\r\n\(text)")
      #expect(response.status == 200)
      try await eventually("the content at the origin") {
        origin.requests.last?.text == text && origin.wires.count == 2
      }
      #expect(try await pop.statistics().upstream.retries == 1)
    }
  }

  @Test("Content that is too long to be kept is not sent again (RFC 9110 §9.2.2)")
  func noRetryWithMuchContent() async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("ok", "Cache-Control: no-store")
      var next = try await exchange.wire.readHead()
      try await exchange.wire.readContent(&next, isResponse: false)
      try await exchange.end(.finish)
    }) { pop, origin in
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      let text = String(repeating: "q", count: 65_537)
      let response = try await wire.exchange(
        "QUERY / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 65537\r\n\r\n\(text)")
      #expect(response.status == 502)
      #expect(origin.wires.count == 1)
    }
  }

  @Test("A retry that fails is not retried again")
  func oneRetry() async throws {
    try await withPoP(origin: { exchange in
      if exchange.number == 1 { return exchange.answer("ok", "Cache-Control: no-store") }
      try await exchange.end(.finish)
    }) { pop, origin in
      let wire = try await pop.connect()
      #expect(try await wire.exchange(TestPoP.request("/")).status == 200)
      #expect(try await wire.exchange(TestPoP.request("/")).status == 502)
      #expect(origin.requests.count == 3)
    }
  }
}

extension Wire {
  /// Waits until the other side has closed, on a wire that somebody else reads.
  func waitForServerClose() async throws -> Bool {
    try await eventually("the PoP to close the connection") { end != nil }
    return true
  }
}
