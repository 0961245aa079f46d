import NIOCore
import Testing

@testable import EdgePoP

// Requests that could be read in two ways, or in none, are refused; the connection ends, and the
// upstream never hears of them nor of anything behind them (RFC 9112 §2.2, §5, §6.3 and §11.2).

@Suite("Malformed requests", .serialized)
struct MalformedRequestTests {
  /// A head that is good up to here.
  private static let post = "POST / HTTP/1.1\r\nHost: a.example\r\n"
  private static let get = "GET / HTTP/1.1\r\nHost: a.example\r\n"
  private static let chunked = post + "Transfer-Encoding: chunked\r\n"

  /// Status that is expected, and bytes.
  static let cases: [(Int, String)] = [
    // Request line (RFC 9112 §3)
    (400, "\r\n\r\n\r\n\r\n\r\n\r\n"),
    (400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, "GET / http/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
    (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    (400, "GET /\r\n\r\n"),
    (400, "GET\r\n\r\n"),
    (400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "\u{0}GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}"),
    (400, "GET / HTTP/1.1\nHost: a\n\n"),
    (400, "GET / HTTP/1.1\rHost: a\r\r"),
    (400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /a\u{0}b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /a\u{7F}b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /\u{E4} HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET /#fragment HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (421, "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (501, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    (414, "GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n"),
    (414, String(repeating: "A", count: 9000)),

    // Host (RFC 9112 §3.2)
    (400, "GET / HTTP/1.1\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    (400, "GET http://a/ HTTP/1.1\r\n\r\n"),
    (400, "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),

    // Field lines (RFC 9112 §5)
    (400, get + "No colon\r\n\r\n"),
    (400, get + ": value\r\n\r\n"),
    (400, get + "Na me: value\r\n\r\n"),
    (400, get + "Name : value\r\n\r\n"),
    (400, get + "Name\t: value\r\n\r\n"),
    (400, get + "N\u{E4}me: value\r\n\r\n"),
    (400, get + "Name: a\u{0}b\r\n\r\n"),
    (400, get + "Name: a\u{7F}b\r\n\r\n"),
    (400, get + "Name: a\rb\r\n\r\n"),
    (400, get + "Name: a\nX: b\r\n\r\n"),
    (400, get + "Name: a\r\n folded\r\n\r\n"),
    (400, get + "Name: a\r\n\tfolded\r\n\r\n"),
    (400, get + "Name: a\r\n\n"),
    (431, get + "Name: " + String(repeating: "a", count: 9000) + "\r\n\r\n"),
    (431, get + String(repeating: "Name: a\r\n", count: 101) + "\r\n"),
    (
      431,
      get + String(repeating: "Name: \(String(repeating: "a", count: 4000))\r\n", count: 9) + "\r\n"
    ),
    (417, post + "Expect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc"),

    // Framing (RFC 9112 §6.3)
    (400, post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    (400, post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    (400, post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"),
    (400, post + "Content-Length: 3, 3\r\n\r\nabc"),
    (400, post + "Content-Length: +3\r\n\r\nabc"),
    (400, post + "Content-Length: -3\r\n\r\nabc"),
    (400, post + "Content-Length: 0x3\r\n\r\nabc"),
    (400, post + "Content-Length: 3 \u{B}\r\n\r\nabc"),
    (400, post + "Content-Length: 1 2\r\n\r\nabc"),
    (400, post + "Content-Length:\r\n\r\n"),
    (400, post + "Content-Length: 99999999999999999999\r\n\r\n"),
    (400, post + "Content-Length : 3\r\n\r\nabc"),
    (400, post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: identity\r\n\r\n"),
    (400, post + "Transfer-Encoding:\r\n\r\n"),
    (400, post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    (501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: \u{B}chunked\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    (400, post + "Transfer-Encoding:\n chunked\r\n\r\n0\r\n\r\n"),
    (400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ]

  /// Chunks that are wrong from the start (RFC 9112 §7.1).
  static let chunks = [
    "\r\n", "g\r\n", "0x3\r\nabc\r\n", "-3\r\nabc\r\n", "+3\r\nabc\r\n", " 3\r\nabc\r\n",
    "3 x\r\nabc\r\n", "3\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n",
    "3\r\nabc0\r\n\r\n", "10000000000000000\r\n", "3;a\u{0}\r\nabc\r\n", "3;a\nb\r\nabc\r\n",
    "3;" + String(repeating: "a", count: 300) + "\r\nabc\r\n", "0\r\nbad trailer\r\n\r\n",
    "0\r\n folded\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\n\n",
  ]

  @Test("A malformed head is refused, and nothing goes on", arguments: cases)
  func head(status: Int, bytes: String) async throws {
    try await withPoP(origin: { $0.answer("smuggled") }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(bytes + TestPoP.request("/smuggled"))
      let response = try await wire.readResponse()
      #expect(response.status == status)
      #expect(response["Connection"] == "close")
      #expect(try await wire.takeRest() == "")
      #expect(origin.requests.isEmpty)
      #expect(try await pop.statistics().malformed == 1)
      // The PoP need not wait for what else may come.
      await wire.close()
    }
  }

  @Test("A malformed head behind a good request changes nothing about that one")
  func behindAnother() async throws {
    try await withPoP(origin: { $0.answer("good") }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(TestPoP.request("/") + "GET / HTTP/1.1\r\nHost : a\r\n\r\n" + TestPoP.request("/x"))
      #expect(try await wire.readResponse().text == "good")
      #expect(try await wire.readResponse().status == 400)
      #expect(try await wire.takeRest() == "")
      #expect(origin.requests.map(\.target) == ["/"])
      await wire.close()
    }
  }

  @Test("Malformed chunks end the connection before anything behind them", arguments: chunks)
  func chunk(bytes: String) async throws {
    try await withPoP(origin: { exchange in
      try await exchange.readContent()
      exchange.answer("whole")
    }) { pop, origin in
      let wire = try await pop.connect()
      wire.send(Self.chunked + "\r\n" + bytes + TestPoP.request("/smuggled"))
      let response = try await wire.readResponse()
      #expect(response.status == 400)
      #expect(try await wire.takeRest() == "")
      #expect(!origin.requests.contains { $0.target == "/smuggled" || $0.text != "" })
      await wire.close()
    }
  }
}
