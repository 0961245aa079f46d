import EdgeCache
import EdgeFleet
import NIOCore
import Synchronization
import Testing

@testable import EdgePoP

/// An origin that knows who has logged in by the connection alone, as NTLM has it.
private final class Logins: Sendable {
  private struct State {
    var begun: [Int: String] = [:]
    var known: [Int: String] = [:]
  }
  private let state = Mutex(State())
  /// What is closed after its answer.
  let closes: @Sendable (Message) -> Bool

  init(closes: @escaping @Sendable (Message) -> Bool = { _ in false }) { self.closes = closes }

  @Sendable func answer(_ exchange: inout Origin.Exchange) async throws {
    try await exchange.readContent()
    let connection = exchange.connection
    let words = (exchange.request["Authorization"] ?? "").split(separator: " ").map(String.init)
    let user = state.withLock { state -> String? in
      if words.count == 3, words[1] == "one" { state.begun[connection] = words[2] }
      if words.count == 3, words[1] == "three", state.begun[connection] == words[2] {
        state.known[connection] = words[2]
      }
      return state.known[connection]
    }
    let closing = closes(exchange.request) ? ["Connection: close"] : []
    let lines = (closing + ["Cache-Control: public, max-age=60"]).map { $0 + "\r\n" }.joined()
    if let user {
      exchange.send("HTTP/1.1 200 OK\r\n\(lines)Content-Length: \(user.utf8.count)\r\n\r\n\(user)")
    } else {
      let word = words.count == 3 ? " challenge" : ""
      exchange.send(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\(word)\r\n\(lines)Content-Length: 0\r\n\r\n"
      )
    }
    if !closing.isEmpty { await exchange.wire.close() }
  }
}

// RFC 9110 §3.3: authentication of a connection is for whoever has the connection, and for nobody else.
@Suite("Authentication of connections", .eachCarrier)
struct ConnectionAuthenticationTests {
  private func leg(_ number: String, _ user: String, _ method: String = "GET") -> String {
    "\(method) / HTTP/1.1\r\nHost: a.example\r\nAuthorization: NTLM \(number) \(user)\r\n\r\n"
  }

  private func logIn(_ user: String, on wire: Wire) async throws {
    #expect(try await wire.exchange(leg("one", user)).status == 401)
    let response = try await wire.exchange(leg("three", user))
    #expect(response.status == 200 && response.text == user)
    #expect(response.cacheStatus.contains("detail=connection-bound"))
  }

  @Test("Who has logged in stays so, and nobody else is taken for them")
  func nobodyElse() async throws {
    try await withPoP(origin: Logins().answer) { pop, origin in
      let (ada, bob) = (try await pop.connect(), try await pop.connect())
      try await logIn("ada", on: ada)
      // Neither a fresh client nor one with a connection of its own.
      #expect(try await pop.get("/").status == 401)
      #expect(try await bob.exchange(TestPoP.request("/")).status == 401)
      try await logIn("bob", on: bob)
      for _ in 0..<3 {
        for (wire, user) in [(ada, "ada"), (bob, "bob")] {
          let response = try await wire.exchange(TestPoP.request("/"))
          #expect(response.status == 200 && response.text == user)
          let other = try await wire.exchange(TestPoP.request("/other"))
          #expect(other.text == user)
        }
        #expect(try await pop.get("/").status == 401)
        #expect(try await pop.get("/other").status == 401)
      }
      #expect(try await pop.statistics().memory.storedResponses == 0)
    }
  }

  @Test("Two that log in at once have a connection each")
  func atOnce() async throws {
    try await withPoP(origin: Logins().answer) { pop, origin in
      let wires = [try await pop.connect(), try await pop.connect()]
      for (wire, user) in zip(wires, ["ada", "bob"]) {
        #expect(try await wire.exchange(leg("one", user)).status == 401)
      }
      for (wire, user) in zip(wires, ["ada", "bob"]) {
        #expect(try await wire.exchange(leg("three", user)).text == user)
      }
      #expect(origin.received.map(\.connection) == [1, 2, 1, 2])
    }
  }

  @Test("Any method binds, and what is pipelined goes the same way", arguments: ["POST", "PUT"])
  func methods(method: String) async throws {
    try await withPoP(origin: Logins().answer) { pop, origin in
      let wire = try await pop.connect()
      wire.send(leg("one", "ada", method) + leg("three", "ada", method))
      wire.send(TestPoP.request("/a") + TestPoP.request("/b"))
      let statuses = [
        try await wire.readResponse().status, try await wire.readResponse().status,
        try await wire.readResponse().status, try await wire.readResponse().status,
      ]
      #expect(statuses == [401, 200, 200, 200])
      #expect(Set(origin.received.map(\.connection)) == [1])
      #expect(try await pop.get("/a").status == 401)
    }
  }

  @Test("Negotiate in one step belongs to its connection too")
  func negotiate() async throws {
    try await withPoP(origin: { $0.answer("yours", "Cache-Control: public, max-age=60") }) {
      pop, origin in
      let wire = try await pop.connect()
      for _ in 0..<2 {
        let response = try await wire.exchange(
          TestPoP.request("/", ["Authorization: Negotiate YII="]))
        #expect(response.cacheStatus.contains("detail=connection-bound"))
      }
      #expect(try await pop.get("/").text == "yours")
      #expect(origin.received.map(\.connection) == [1, 1, 2])
    }
  }

  @Test("Clients that a trusted proxy tells of on one connection have one each")
  func trustedProxy() async throws {
    let proxies = [try AddressRange(parsing: "127.0.0.1")]
    try await withPoP({ $0.trustedProxies = proxies }, origin: Logins().answer) { pop, origin in
      let wire = try await pop.connect()
      func ask(_ client: Int, _ credentials: String...) async throws -> Message {
        try await wire.exchange(
          TestPoP.request("/", ["X-Forwarded-For: 192.0.2.\(client)"] + credentials))
      }
      #expect(try await ask(1, "Authorization: NTLM one ada").status == 401)
      #expect(try await ask(1, "Authorization: NTLM three ada").text == "ada")
      #expect(try await ask(2).status == 401)
      #expect(try await ask(1).text == "ada")
      #expect(try await ask(2, "Authorization: NTLM one bob").status == 401)
      #expect(try await ask(2, "Authorization: NTLM three bob").text == "bob")
      #expect(try await ask(1).text == "ada")
      #expect(try await ask(2).text == "bob")
    }
  }

  @Test(
    "Clients of a trusted proxy that does not name them clearly share no connection",
    arguments: [
      ["X-Forwarded-For: unknown", "X-Forwarded-For: _bob"], ["X-Real-IP: 1.2.3.4", "X: y"],
      ["X: y", "X: y"], ["Forwarded: for=_a", "Forwarded: for=_b"],
      ["X-Forwarded-For: 9.9.9.9, unknown", "X-Forwarded-For: 9.9.9.9, unknown"],
    ])
  func unclear(_ told: [String]) async throws {
    let proxies = [try AddressRange(parsing: "127.0.0.1")]
    try await withPoP({ $0.trustedProxies = proxies }, origin: Logins().answer) { pop, _ in
      let wire = try await pop.connect()
      func ask(_ client: Int, _ path: String, _ credentials: String...) async throws -> Message {
        try await wire.exchange(TestPoP.request(path, [told[client]] + credentials))
      }
      _ = try await ask(0, "/1", "Authorization: NTLM one ada")
      _ = try await ask(0, "/2", "Authorization: NTLM three ada")
      let other = try await ask(1, "/3")
      #expect(other.status == 401, "\(other.text)")
      let third = try await ask(1, "/4", "Authorization: NTLM three bob")
      #expect(third.text != "ada")
    }
  }

  @Test("Clients that a proxy nobody believes tells of are told apart all the same")
  func unbelieved() async throws {
    try await withPoP(origin: Logins().answer) { pop, _ in
      let wire = try await pop.connect()
      func ask(_ client: Int, _ credentials: String...) async throws -> Message {
        try await wire.exchange(
          TestPoP.request("/", ["X-Forwarded-For: 192.0.2.\(client)"] + credentials))
      }
      #expect(try await ask(1, "Authorization: NTLM one ada").status == 401)
      #expect(try await ask(1, "Authorization: NTLM three ada").text == "ada")
      #expect(try await ask(2).status == 401)
      #expect(try await ask(1).text == "ada")
    }
  }

  @Test("The connection ends with its client's")
  func endsWithClient() async throws {
    try await withPoP(origin: Logins().answer) { pop, origin in
      let wire = try await pop.connect()
      try await logIn("ada", on: wire)
      await wire.close()
      #expect(try await origin.wires[0].waitForServerClose())
      #expect(try await pop.get("/").status == 401)
    }
  }

  @Test("When the upstream ends it, its client begins anew")
  func endsWithUpstream() async throws {
    let logins = Logins(closes: { $0.target == "/last" })
    try await withPoP(origin: logins.answer) { pop, origin in
      let wire = try await pop.connect()
      try await logIn("ada", on: wire)
      let last = try await wire.exchange(TestPoP.request("/last"))
      #expect(last.status == 200 && last.text == "ada")
      #expect(try await wire.exchange(TestPoP.request("/")).status == 401)
      try await logIn("ada", on: wire)
      #expect(origin.received.map(\.connection) == [1, 1, 1, 2, 2, 2])
      await origin.wires[1].close()
      // What is on its way when the end comes fails.
      try await eventually("it begins anew") {
        try await wire.exchange(TestPoP.request("/")).status == 401
      }
    }
  }

  @Test("A request that fails on it is not sent on another one")
  func noRetry() async throws {
    let logins = Logins()
    try await withPoP(
      origin: { exchange in
        if exchange.request.target == "/gone" { return await exchange.wire.close() }
        try await logins.answer(&exchange)
      }
    ) { pop, origin in
      let wire = try await pop.connect()
      try await logIn("ada", on: wire)
      #expect(try await wire.exchange(TestPoP.request("/gone")).status == 502)
      #expect(origin.requests.filter { $0.target == "/gone" }.count == 1)
      #expect(try await wire.exchange(TestPoP.request("/")).status == 401)
    }
  }
}
