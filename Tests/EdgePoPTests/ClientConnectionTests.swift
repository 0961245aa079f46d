import NIOCore
import Testing

@testable import EdgePoP

// What a client may do with one connection: keep it, pipeline on it, half-close it, speak
// HTTP/1.0, and send a head in any pieces (RFC 9112 §9, RFC 9110 §7 and §9).

/// Answers every target: `/hit…` may be stored, anything else may not.
private let plainOrigin: Origin.Script = { exchange in
  try await exchange.readContent()
  let target = exchange.request.target
  let policy = target.contains("hit") ? "max-age=60" : "no-store"
  if exchange.request.method == "HEAD" {
    exchange.send("HTTP/1.1 200 OK\r\nCache-Control: \(policy)\r\nContent-Length: 7\r\n\r\n")
  } else {
    exchange.answer("<\(exchange.request.method) \(target)>", "Cache-Control: \(policy)")
  }
}

@Suite("Client connection", .serialized)
struct ClientConnectionTests {
  @Test("A connection is kept for hits, misses and errors alike (RFC 9112 §9.3)")
  func keepAlive() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<3 {
        for target in ["/hit", "/miss"] {
          let response = try await wire.exchange(TestPoP.request(target))
          #expect(response.status == 200)
          #expect(response.text == "<GET \(target)>")
          #expect(response["Connection"] == nil)
        }
        let refused = try await wire.exchange(
          TestPoP.request("/unknown", ["Cache-Control: only-if-cached"]))
        #expect(refused.status == 504)
      }
      #expect(origin.requests.count == 4)
      #expect(try await pop.statistics().connections == 1)
    }
  }

  @Test("Connection: close is honoured and announced (RFC 9112 §9.6)", arguments: ["hit", "miss"])
  func close(target: String) async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      for _ in 0..<2 {
        let wire = try await pop.connect()
        let response = try await wire.exchange(
          TestPoP.request("/\(target)", ["Connection: close"]))
        #expect(response["Connection"] == "close")
        #expect(try await wire.waitForEnd() == .finished)
      }
    }
  }

  @Test("Pipelined hits, misses and errors are answered in order (RFC 9112 §9.3.2)")
  func pipelining() async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      _ = try await pop.get("/hit")
      let wire = try await pop.connect()
      var requests = ""
      for number in 0..<30 {
        requests += TestPoP.request("/hit")
        requests += TestPoP.request("/miss\(number)")
        requests += TestPoP.request("/none\(number)", ["Cache-Control: only-if-cached"])
        requests +=
          "POST /post\(number) HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc"
      }
      wire.send(requests)
      for number in 0..<30 {
        #expect(try await wire.readResponse().text == "<GET /hit>")
        #expect(try await wire.readResponse().text == "<GET /miss\(number)>")
        #expect(try await wire.readResponse().status == 504)
        #expect(try await wire.readResponse().text == "<POST /post\(number)>")
      }
    }
  }

  @Test("Nine thousand pipelined hits neither overflow the stack nor get lost")
  func manyPipelinedHits() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      _ = try await pop.get("/hit")
      let wire = try await pop.connect()
      wire.send(String(repeating: TestPoP.request("/hit"), count: 9000))
      for _ in 0..<9000 {
        let head = try await wire.take(through: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(try await wire.take(10) == ByteBuffer(string: "<GET /hit>"))
      }
      #expect(origin.requests.count == 1)
    }
  }

  @Test("Pipelined hits that the client does not read are not answered without bound")
  func pipelinedWithoutReading() async throws {
    try await withPoP(origin: { exchange in
      exchange.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4096\r\n\r\n")
      exchange.wire.send(Pattern.bytes(4096))
    }) { pop, _ in
      _ = try await pop.get("/hit")
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(String(repeating: TestPoP.request("/hit"), count: 9000))
      let answered = try await settled("answers") { Int(try await pop.statistics().requests) }
      // 9000 answers are 38 MB; the kernel's buffers on the way hold less than 8.
      #expect(answered < 3000)
      try await wire.resume()
      for _ in 0..<9000 {
        let head = try await wire.take(through: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        try await Pattern.expect(4096, on: wire)
      }
    }
  }

  @Test("A connection ends after its number of requests, and says so")
  func requestsPerConnection() async throws {
    try await withPoP({ $0.limits.requestsPerConnection = 3 }, origin: plainOrigin) { pop, _ in
      let wire = try await pop.connect()
      for number in 1...3 {
        let response = try await wire.exchange(TestPoP.request("/hit"))
        #expect(response["Connection"] == (number == 3 ? "close" : nil))
      }
      #expect(try await wire.waitForEnd() == .finished)
    }
  }

  // MARK: Half-closed

  @Test("A half-closed client gets its response (RFC 9112 §9.6)", arguments: ["hit", "miss"])
  func halfClosed(target: String) async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      for round in 0..<2 {
        let wire = try await pop.connect()
        // Of a miss that was asked for before it is known that it is not to be shared.
        let path = target == "hit" ? "/hit" : "/miss\(round)"
        wire.send(TestPoP.request(path))
        await wire.finish()
        #expect(try await wire.readResponse().text == "<GET \(path)>")
        #expect(try await wire.waitForEnd() == .finished)
      }
    }
  }

  @Test("A half-closed client gets all of a large hit, however slowly it reads")
  func halfClosedLarge() async throws {
    let size = 1 << 20
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: \(size)\r\n\r\n")
      exchange.wire.send(Pattern.bytes(size))
    }) { pop, _ in
      _ = try await pop.get("/hit")
      try await pop.waitForFills()
      // More than the kernel holds between the two, so that something waits in the PoP.
      let count = 12
      let wire = try await pop.connect(receiveBuffer: 32 << 10)
      try await wire.pause()
      wire.send(String(repeating: TestPoP.request("/hit"), count: count))
      await wire.finish()
      _ = try await settled("answers") { Int(try await pop.statistics().requests) }
      try await wire.resume()
      for _ in 0..<count {
        #expect(try await wire.readHead().status == 200)
        try await Pattern.expect(size, on: wire)
      }
      #expect(try await wire.waitForEnd() == .finished)
    }
  }

  @Test("All pipelined requests before a half-close are answered")
  func halfClosedPipelined() async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      let wire = try await pop.connect()
      wire.send((1...5).map { TestPoP.request("/miss\($0)") }.joined())
      await wire.finish()
      for number in 1...5 {
        #expect(try await wire.readResponse().text == "<GET /miss\(number)>")
      }
      #expect(try await wire.waitForEnd() == .finished)
    }
  }

  @Test("A head cut off by a half-close is answered by closing")
  func halfClosedHead() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/miss") + "GET /cut HTTP/1.1\r\nHost: a.exa")
      await wire.finish()
      #expect(try await wire.readResponse().status == 200)
      #expect(try await wire.takeRest() == "")
      #expect(origin.requests.count == 1)
    }
  }

  // MARK: HTTP/1.0

  @Test("HTTP/1.0 without keep-alive is closed (RFC 9112 §9.3)", arguments: ["hit", "miss"])
  func http10(target: String) async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      for _ in 0..<2 {
        let wire = try await pop.connect()
        wire.send("GET /\(target) HTTP/1.0\r\nHost: a.example\r\n\r\n")
        let response = try await wire.readResponse()
        #expect(response.text == "<GET /\(target)>")
        #expect(response["Connection"] == "close")
        #expect(try await wire.waitForEnd() == .finished)
      }
    }
  }

  @Test("HTTP/1.0 with keep-alive is kept and told so (RFC 9112 §9.3)")
  func http10KeepAlive() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      for target in ["/hit", "/hit", "/miss"] {
        let response = try await wire.exchange(
          "GET \(target) HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
        #expect(response.text == "<GET \(target)>")
        #expect(response["Connection"] == "keep-alive")
      }
      // What goes upstream is always HTTP/1.1 (RFC 9110 §2.5).
      #expect(origin.requests.allSatisfy { $0.startLine.hasSuffix("HTTP/1.1") })
    }
  }

  @Test("An HTTP/1.0 client gets no chunks but content until close (RFC 9112 §6.1)")
  func http10Chunked() async throws {
    try await withPoP(origin: { exchange in
      exchange.send(
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    }) { pop, _ in
      let wire = try await pop.connect()
      wire.send("GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n")
      let response = try await wire.readResponse()
      #expect(response["Transfer-Encoding"] == nil)
      #expect(response["Content-Length"] == nil)
      #expect(response["Connection"] == "close")
      #expect(response.text == "abcdefg")
    }
  }

  @Test("An HTTP/1.0 request without Host gets the upstream's (RFC 9112 §3.2)")
  func http10WithoutHost() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let response = try await pop.exchange("GET /miss HTTP/1.0\r\n\r\n")
      #expect(response.status == 200)
      #expect(origin.requests[0]["Host"] == origin.url.authority)
    }
  }

  // MARK: Methods and targets

  @Test("HEAD gets the head of GET and no content (RFC 9110 §9.3.2)")
  func head() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      let head = "HEAD /hit HTTP/1.1\r\nHost: a.example\r\n\r\n"
      let miss = try await wire.exchange(head)
      #expect(miss["Content-Length"] == "7")
      #expect(origin.requests[0].method == "HEAD")
      _ = try await wire.exchange(TestPoP.request("/hit"))
      let hit = try await wire.exchange(head)
      #expect(hit["Content-Length"] == "10")
      #expect(hit.cacheStatus.contains("; hit"))
      // Nothing of a content is left on the connection.
      #expect(try await wire.exchange(TestPoP.request("/hit")).text == "<GET /hit>")
      let error = try await wire.exchange(
        "HEAD /none HTTP/1.1\r\nHost: a.example\r\nCache-Control: only-if-cached\r\n\r\n")
      #expect(error.status == 504)
      #expect(try await wire.exchange(TestPoP.request("/hit")).text == "<GET /hit>")
    }
  }

  @Test("An absolute-form target is forwarded in origin form with its host (RFC 9112 §3.2.2)")
  func absoluteForm() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let first = try await pop.exchange(
        "GET http://b.example/hit?q HTTP/1.1\r\nHost: other.example\r\n\r\n")
      #expect(first.text == "<GET /hit?q>")
      #expect(origin.requests[0]["Host"] == "b.example")
      let same = try await pop.exchange("GET /hit?q HTTP/1.1\r\nHost: b.example\r\n\r\n")
      #expect(same.cacheStatus.contains("; hit"))
      let bare = try await pop.exchange("GET http://b.example HTTP/1.1\r\nHost: b.example\r\n\r\n")
      #expect(bare.text == "<GET />")
    }
  }

  @Test("OPTIONS * is forwarded as it is, or answered at the last hop (RFC 9110 §7.6.2)")
  func asteriskForm() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let options = "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n"
      #expect(try await pop.exchange(options + "\r\n").text == "<OPTIONS *>")
      _ = try await pop.exchange(options + "Max-Forwards: 3\r\n\r\n")
      #expect(origin.requests[1]["Max-Forwards"] == "2")
      let last = try await pop.exchange(options + "Max-Forwards: 0\r\n\r\n")
      #expect(last.status == 200)
      #expect(last["Allow"]?.contains("GET") == true)
      #expect(origin.requests.count == 2)
    }
  }

  @Test(
    "Methods that are not known are passed through (RFC 9110 §9.1)",
    arguments: ["DELETE", "PATCH", "PROPFIND", "get", "M-SEARCH", "!#$%&'*+-.^_`|~0aZ"])
  func otherMethods(method: String) async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 {
        let response = try await wire.exchange("\(method) /hit HTTP/1.1\r\nHost: a.example\r\n\r\n")
        #expect(response.text == "<\(method) /hit>")
        #expect(response.cacheStatus.contains("fwd=method"))
      }
      #expect(origin.requests.count == 2)
    }
  }

  @Test("TRACE is refused, whose answer would show what others added (RFC 9110 §9.3.8)")
  func trace() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let wire = try await pop.connect()
      let response = try await wire.exchange("TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n")
      #expect(response.status == 405)
      #expect(response["Allow"]?.contains("GET") == true)
      #expect(try await wire.exchange(TestPoP.request("/hit")).status == 200)
      #expect(origin.requests.count == 1)
    }
  }

  @Test("A request may be split at any byte (RFC 9112 §2.2)")
  func splitAnywhere() async throws {
    try await withPoP(origin: plainOrigin) { pop, origin in
      let request = Array(
        ("\r\nPOST /split HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nX-Y: z\r\n\r\n"
          + "3\r\nabc\r\n0\r\nT: u\r\n\r\n").utf8)
      let wire = try await pop.connect()
      for split in 1..<request.count {
        let before = try await pop.statistics().bytesReceived
        await wire.sendAll(ByteBuffer(bytes: request[..<split]))
        try await eventually("the first part") {
          try await pop.statistics().bytesReceived >= before + UInt64(split)
        }
        await wire.sendAll(ByteBuffer(bytes: request[split...]))
        #expect(try await wire.readResponse().text == "<POST /split>")
      }
      #expect(origin.requests.allSatisfy { $0.text == "abc" && $0["X-Y"] == "z" })
    }
  }

  @Test("A request may come one byte at a time")
  func byteByByte() async throws {
    try await withPoP(origin: plainOrigin) { pop, _ in
      let wire = try await pop.connect()
      for byte in TestPoP.request("/hit").utf8 { await wire.sendAll(ByteBuffer(bytes: [byte])) }
      #expect(try await wire.readResponse().text == "<GET /hit>")
    }
  }
}
