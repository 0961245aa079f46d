import NIOCore
import Testing

@testable import EdgePoP

// Content in both directions: framings, trailers, interim responses, and memory that stays bounded
// whoever is slow (RFC 9112 §6 and §7, RFC 9110 §6.4, §6.5, §10.1.1 and §15.2).

@Suite("Content", .serialized)
struct ContentTests {
  private static let large = 24 << 20
  /// What the kernel and the PoP may hold of a transfer that nobody takes.
  private static let bound = 14 << 20

  // MARK: Responses

  @Test(
    "Chunked content arrives whole with its trailers (RFC 9112 §7.1, RFC 9110 §6.5)",
    arguments: ["no-store", "max-age=60"])
  func chunkedResponse(policy: String) async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\nTransfer-Encoding: chunked\r\n")
      exchange.send("Trailer: X-Sum\r\n\r\n5;ext=1\r\nHello\r\n")
      exchange.send("7\r\n, world\r\n0\r\nX-Sum: 42\r\nContent-Length: 9\r\n\r\n")
    }) { pop, origin in
      let wire = try await pop.connect()
      let response = try await wire.exchange(TestPoP.request("/", ["TE: trailers"]))
      #expect(response.text == "Hello, world")
      #expect(response["Content-Length"] == nil)
      #expect(response["Trailer"] == "X-Sum")
      let older = try await pop.exchange("GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n")
      #expect(older["Trailer"] == nil && older.trailers == [])
      // Fields that frame a message are dropped from its trailers (RFC 9110 §6.5.1).
      let sum = [Message.Field(name: "X-Sum", value: "42")]
      #expect(response.trailers == sum && origin.requests[0]["TE"] == "trailers")
      try await pop.waitForFills()
      let plain = try await wire.exchange(TestPoP.request("/"))
      #expect(plain.text == "Hello, world")
      #expect(plain.trailers == (policy == "no-store" ? sum : []))
      let again = try await wire.exchange(TestPoP.request("/", ["TE: trailers"]))
      #expect(again.text == "Hello, world" && again.trailers == sum)
      #expect(try await wire.exchange(TestPoP.request("/")).text == "Hello, world")
      #expect(origin.requests.count == (policy == "no-store" ? 5 : 2))
    }
  }

  @Test("A stored chunked response is sent with its length (RFC 9110 §8.6)")
  func storedChunked() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "3\r\nabc\r\n0\r\n\r\n")
    }) { pop, _ in
      #expect(try await pop.get("/")["Transfer-Encoding"] == "chunked")
      try await pop.waitForFills()
      let hit = try await pop.get("/")
      #expect(hit["Transfer-Encoding"] == nil)
      #expect(hit["Content-Length"] == "3")
    }
  }

  @Test("204 and 304 have no content (RFC 9112 §6.3)", arguments: [204, 304])
  func noContent(status: Int) async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 \(status) X\r\nCache-Control: no-store\r\nETag: \"a\"\r\n\r\n")
    }) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 {
        let response = try await wire.exchange(
          TestPoP.request("/", ["If-None-Match: \"a\"", "Cache-Control: no-cache"]))
        #expect(response.status == status)
        #expect(response["Transfer-Encoding"] == nil)
        if status == 204 { #expect(response["Content-Length"] == nil) }
      }
      #expect(origin.wires.count == 1)
    }
  }

  @Test("A stored 204 stays without content")
  func stored204() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n")
    }) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<3 {
        let response = try await wire.exchange(TestPoP.request("/"))
        #expect(response.status == 204)
        #expect(response["Content-Length"] == nil)
      }
      #expect(origin.requests.count == 1)
    }
  }

  @Test("Tens of megabytes arrive byte by byte", arguments: ["no-store", "max-age=60"])
  func largeResponse(policy: String) async throws {
    let size = Self.large
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\nContent-Length: \(size)\r\n\r\n")
      exchange.wire.send(Pattern.bytes(size))
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      #expect(try await wire.readHead().status == 200)
      try await Pattern.expect(size, on: wire)
      let memory = try await pop.statistics().memory
      #expect(memory.storedResponses == 0)
      #expect(memory.reservedBytes == 0)
    }
  }

  @Test(
    "A client that does not read holds its upstream, and gets every byte when it reads",
    arguments: ["no-store", "max-age=60"], ["length", "chunked", "close"])
  func slowReader(policy: String, framing: String) async throws {
    let size = Self.large
    // What memory keeps is less than what may be taken.
    try await withPoP(
      { $0.memory = .mebibytes(16) },
      origin: { exchange in
        let head = "HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\n"
        switch framing {
        case "length":
          exchange.send(head + "Content-Length: \(size)\r\n\r\n")
          await exchange.wire.sendAll(Pattern.bytes(size))
        case "chunked":
          exchange.send(head + "Transfer-Encoding: chunked\r\n\r\n")
          for start in stride(from: 0, to: size, by: 1 << 20) {
            exchange.send("100000\r\n")
            exchange.wire.send(Pattern.bytes(1 << 20, from: start))
            await exchange.wire.sendAll(ByteBuffer(string: "\r\n"))
          }
          exchange.send("0\r\n\r\n")
        default:
          exchange.send(head + "\r\n")
          await exchange.wire.sendAll(Pattern.bytes(size))
          try await exchange.end(.finish)
        }
      }
    ) { pop, _ in
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(TestPoP.request("/"))
      try await eventually("bytes from the upstream") {
        try await pop.statistics().upstream.bytes > 0
      }
      let taken = try await settled("bytes from the upstream") {
        Int(try await pop.statistics().upstream.bytes)
      }
      #expect(taken < Self.bound)
      try await wire.resume()
      var response = try await wire.readHead()
      if framing == "length" {
        try await Pattern.expect(size, on: wire)
      } else {
        try await wire.readContent(&response, isResponse: true)
        #expect(response.content == Pattern.bytes(size))
      }
    }
  }

  // MARK: Requests

  @Test("A length-delimited and a chunked upload arrive whole (RFC 9112 §6)")
  func uploads() async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("\(exchange.request.content.readableBytes)")
    }) { pop, origin in
      let size = 4 << 20
      let wire = try await pop.connect()
      wire.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(size)\r\n\r\n")
      wire.send(Pattern.bytes(size))
      #expect(try await wire.readResponse().text == "\(size)")
      wire.send(
        "PUT / HTTP/1.1\r\nHost: a.example\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
      for start in stride(from: 0, to: size, by: 1 << 19) {
        wire.send("80000\r\n")
        wire.send(Pattern.bytes(1 << 19, from: start))
        wire.send("\r\n")
      }
      wire.send("0\r\nX-Sum: 42\r\nHost: forged\r\n\r\n")
      #expect(try await wire.readResponse().text == "\(size)")
      // It answers first, and then tells the test what it received.
      try await eventually("both contents") {
        origin.requests.count == 2
          && origin.requests.allSatisfy { $0.content.readableBytes == size }
      }
      #expect(origin.requests[0]["Content-Length"] == "\(size)")
      #expect(origin.requests[0].content == Pattern.bytes(size))
      #expect(origin.requests[1]["Content-Length"] == nil)
      #expect(origin.requests[1]["Trailer"] == "X-Sum")
      #expect(origin.requests[1].content == Pattern.bytes(size))
      #expect(origin.requests[1].trailers == [Message.Field(name: "X-Sum", value: "42")])
    }
  }

  @Test("A content of no bytes keeps its framing", arguments: ["Content-Length: 0", "chunked"])
  func emptyUpload(framing: String) async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("ok")
    }) { pop, origin in
      let wire = try await pop.connect()
      let isChunked = framing == "chunked"
      let field = isChunked ? "Transfer-Encoding: chunked" : framing
      for _ in 0..<2 {
        let response = try await wire.exchange(
          "POST / HTTP/1.1\r\nHost: a.example\r\n\(field)\r\n\r\n" + (isChunked ? "0\r\n\r\n" : ""))
        #expect(response.text == "ok")
      }
      #expect(origin.requests[0].head.contains("\(field)\r\n"))
      #expect(origin.wires.count == 1)
    }
  }

  @Test("An upstream that does not read holds the client, and gets every byte when it reads")
  func slowUpload() async throws {
    let paused = Gate()
    let gate = Gate()
    try await withPoP(origin: { exchange in
      try await exchange.wire.pause()
      paused.open()
      await gate.wait()
      try await exchange.wire.resume()
      try await exchange.readContent()
      exchange.answer("ok")
    }) { pop, origin in
      let size = Self.large
      let wire = try await pop.connect()
      wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: \(size)\r\n\r\n")
      await paused.wait()
      wire.send(Pattern.bytes(size))
      let taken = try await settled("bytes from the client") {
        Int(try await pop.statistics().bytesReceived)
      }
      #expect(taken < Self.bound)
      gate.open()
      #expect(try await wire.readResponse().text == "ok")
      try await eventually("the content") { origin.requests[0].content.readableBytes == size }
      #expect(origin.requests[0].content == Pattern.bytes(size))
    }
  }

  @Test("An upload that its client leaves is never taken for whole (RFC 9112 §8)")
  func abandonedUpload() async throws {
    for (framing, start) in [
      ("Content-Length: 10", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n"),
    ] {
      try await withPoP(origin: { exchange in
        try await exchange.readContent()
        exchange.answer("whole")
      }) { pop, origin in
        let wire = try await pop.connect()
        wire.send("POST / HTTP/1.1\r\nHost: a.example\r\n\(framing)\r\n\r\n\(start)")
        try await origin.waitForRequests(1)
        await wire.close()
        #expect(try await origin.wires[0].waitForServerClose())
        #expect(origin.requests[0].text == "")
      }
    }
  }

  @Test("Malformed chunks of a request are refused, and the upstream is not told they end")
  func malformedUpload() async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("whole")
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
      try await origin.waitForRequests(1)
      wire.send("zz\r\n")
      #expect(try await wire.readResponse().status == 400)
      try await wire.waitForEnd()
      #expect(try await origin.wires[0].waitForServerClose())
      #expect(origin.requests[0].text == "")
    }
  }

  @Test("A response before the end of the upload reaches the client (RFC 9112 §9.3)")
  func earlyResponse() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer("no", status: "413 Content Too Large")
      _ = try await exchange.wire.waitForEnd()
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9000000\r\n\r\nabc")
      let response = try await wire.readResponse()
      #expect(response.status == 413)
      // The rest has nowhere to go, so neither connection is used again.
      try await wire.waitForEnd()
      #expect(try await origin.wires[0].waitForServerClose())
    }
  }

  // MARK: Expect and interim responses

  @Test("100 (Continue) comes from the upstream (RFC 9110 §10.1.1)")
  func expectContinue() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
      try await exchange.readContent()
      exchange.answer(exchange.request.text)
    }) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 {
        wire.send(
          "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(try await wire.readHead().startLine == "HTTP/1.1 100 Continue")
        wire.send("abc")
        #expect(try await wire.readResponse().text == "abc")
      }
      #expect(origin.requests[0]["Expect"] == "100-continue")
    }
  }

  @Test("A final status instead of 100 spares the content (RFC 9110 §10.1.1)")
  func expectRefused() async throws {
    try await withPoP(origin: { exchange in
      exchange.answer("no", status: "403 Forbidden")
      _ = try await exchange.wire.waitForEnd()
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(
        "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
      let response = try await wire.readResponse()
      #expect(response.status == 403)
      #expect(response.text == "no")
      try await wire.waitForEnd()
    }
  }

  @Test("Interim responses are relayed at once and not stored (RFC 9110 §15.2, RFC 8297)")
  func interim() async throws {
    let gate = Gate()
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 102 Processing\r\n\r\n")
      exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
      await gate.wait()
      exchange.answer("final", "Cache-Control: max-age=60")
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/"))
      #expect(try await wire.readHead().status == 102)
      let hints = try await wire.readHead()
      #expect(hints.startLine == "HTTP/1.1 103 Early Hints")
      #expect(hints["Link"] == "</a.css>; rel=preload")
      gate.open()
      #expect(try await wire.readResponse().text == "final")
      wire.send(TestPoP.request("/"))
      #expect(try await wire.readHead().status == 200)
    }
  }

  @Test("An HTTP/1.0 client gets no interim response (RFC 9110 §15.2)")
  func interimForHTTP10() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
      exchange.answer("final")
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
      #expect(try await wire.readHead().status == 200)
    }
  }
}
