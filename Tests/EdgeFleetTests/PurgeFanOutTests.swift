// The client and the fan-out against real sockets on the loopback. Nothing here waits for luck: what
// must happen first is observed, and the timeouts only bound how long a failure takes. Where a timeout
// is what is tried, a machine that is slow makes it come later and changes nothing else.

import EdgeFleet
import NIOPosix
import Testing

/// Far longer than anything here takes.
private let patience = Duration.seconds(120)

private func target(_ id: String, _ endpoint: SocketEndpoint) -> PurgeFanOut.Target {
  .init(
    .init(
      id: id, city: "City of \(id)", latitude: 0, longitude: 0, region: "r", listen: [],
      admin: endpoint))
}

private func results(
  _ targets: [PurgeFanOut.Target], token: AdminToken? = nil, timeout: Duration = patience
) async -> [PurgeFanOut.Result] {
  var results: [PurgeFanOut.Result] = []
  let fanOut = PurgeFanOut(targets: targets, token: token, timeout: timeout)
  for await case .finished(let result) in fanOut.send(.everything) { results.append(result) }
  return results
}

@Suite(.timeLimit(.minutes(5))) struct AdminClientTests {
  @Test func theRequestOnTheWire() async throws {
    try await AdminServer.run(
      answer: { _, _ in AdminServer.acknowledgement(pop: "a", sequence: 7, matched: 2) },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: try AdminToken("s3cret"))
        let request = try PurgeRequest.urls([PurgeURL(parsing: "http://www.a.example/x")])
        let acknowledgement = try await client.purge(request, timeout: patience)
        #expect(
          acknowledgement == .init(pop: "a", sequence: 7, matched: 2, freedBytes: 2000))
        let lines = server.requests[0].split(separator: "\r\n")
        #expect(lines.first == "POST /purge HTTP/1.1")
        #expect(lines.last == #"{"scope":"url","urls":["http://www.a.example/x"]}"#)
        #expect(lines.contains("Host: \(server.endpoint)"))
        #expect(lines.contains("Authorization: Bearer s3cret"))
        #expect(lines.contains("Content-Type: application/json"))
        #expect(lines.contains("Content-Length: 49"))
      })
  }

  @Test func healthAndStatistics() async throws {
    let health = HealthReport(pop: "a", uptimeSeconds: 1, sequence: 2)
    let json = String(decoding: health.json, as: UTF8.self)
    try await AdminServer.run(
      answer: { _, request in
        request.hasPrefix("GET /health ")
          ? AdminServer.reply("200 OK", json) : AdminServer.reply("200 OK", "{\"any\":1}")
      },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: nil)
        let report = try await client.health(timeout: patience)
        let statistics = try await client.stats(timeout: patience)
        #expect(report == health)
        #expect(statistics == Array("{\"any\":1}".utf8))
        #expect(server.requests[1].hasPrefix("GET /stats "))
        #expect(!server.requests[1].contains("Authorization"))
      })
  }

  /// A PoP ends its event loops before it lets go of all that used them.
  @Test func outlivesItsEventLoop() async throws {
    try await AdminServer.run(
      answer: { _, _ in AdminServer.reply("200 OK", "{}") },
      { server in
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = AdminClient(endpoint: server.endpoint, token: nil, group: group)
        _ = try await client.stats(timeout: patience)
        try await group.shutdownGracefully()
        withExtendedLifetime(client) {}
      })
  }

  /// A reply and the error it makes.
  @Test(arguments: [
    (
      AdminServer.reply("401 Unauthorized", #"{"error":"the token is wrong"}"#),
      AdminClientError.status(401, message: "the token is wrong")
    ),
    (
      AdminServer.reply("500 Error", #"{"applied":true,"error":"it does not last yet"}"#),
      .applied(message: "it does not last yet")
    ),
    (AdminServer.reply("500 Error", #"{"error":"x"}"#), .status(500, message: "x")),
    (AdminServer.reply("404 Not Found", "<html>"), .status(404, message: "")),
    (AdminServer.reply("301 Moved", ""), .status(301, message: "")),
    (
      AdminServer.reply("200 OK", "hello"),
      .badReply(reason: "unexpected content \"hello\"")
    ),
    ("SSH-2.0-OpenSSH_9.2\r\n", .badReply(reason: "it is not HTTP")),
    ("", .connectionLost(reason: "closed before the reply was complete")),
    (
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
      .connectionLost(reason: "closed before the reply was complete")
    ),
  ])
  func failures(reply: String, expected: AdminClientError) async throws {
    try await AdminServer.run(
      answer: { _, _ in reply },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: nil)
        await #expect(throws: expected) {
          try await client.purge(.everything, timeout: patience)
        }
      })
  }

  @Test func silence() async throws {
    try await AdminServer.run(
      answer: { _, _ in nil },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: nil)
        let timeout = Duration.milliseconds(100)
        await #expect(throws: AdminClientError.timeout(timeout)) {
          try await client.purge(.everything, timeout: timeout)
        }
      })
  }

  @Test func nobodyThere() async throws {
    let nobody = try ClosedPort()
    await #expect(throws: AdminClientError.cannotConnect(reason: "connection refused")) {
      try await AdminClient(endpoint: nobody.endpoint, token: nil).health(timeout: patience)
    }
  }

  @Test func cancellation() async throws {
    try await AdminServer.run(
      answer: { _, _ in nil },
      { server in
        let client = AdminClient(endpoint: server.endpoint, token: nil)
        let task = Task { try await client.health(timeout: patience) }
        task.cancel()
        await #expect(throws: AdminClientError.cancelled) { try await task.value }
      })
  }
}

@Suite(.timeLimit(.minutes(5))) struct PurgeFanOutTests {
  @Test func everyPoPAcknowledges() async throws {
    try await AdminServer.run(
      answer: { _, _ in AdminServer.acknowledgement(pop: "a", sequence: 1, matched: 3) },
      { a in
        try await AdminServer.run(
          answer: { _, _ in AdminServer.acknowledgement(pop: "b", sequence: 9) },
          { b in
            let results = await results([target("a", a.endpoint), .init(admin: b.endpoint)])
            let acknowledgements = Dictionary(
              uniqueKeysWithValues: results.map { ($0.target.admin, $0.acknowledgement) })
            #expect(acknowledgements.count == 2)
            #expect(
              acknowledgements[a.endpoint]
                == .init(pop: "a", sequence: 1, matched: 3, freedBytes: 3000))
            #expect(
              acknowledgements[b.endpoint]
                == .init(pop: "b", sequence: 9, matched: 0, freedBytes: 0))
            #expect(results.allSatisfy { $0.attempts == 1 && $0.failure == nil })
          })
      })
  }

  private static let refused = AdminClientError.cannotConnect(reason: "connection refused")

  /// The one that is down has hours to come back, so whoever waits for it would do so for ever.
  @Test func onePoPThatIsDownDelaysNobody() async throws {
    let nobody = try ClosedPort()
    let dead = target("dead", nobody.endpoint)
    try await AdminServer.run(
      answer: { _, _ in AdminServer.acknowledgement(pop: "a") },
      { a in
        let targets = [dead, target("a", a.endpoint)]
        let fanOut = PurgeFanOut(targets: targets, token: nil, timeout: .seconds(24 * 3600))
        var ended: [PurgeFanOut.Result] = []
        var retries = 0
        for await event in fanOut.send(.everything) {
          switch event {
          case .finished(let result): ended.append(result)
          case .retrying(let target, let reason):
            #expect(target == dead && reason == Self.refused)
            retries += 1
          }
          if !ended.isEmpty, retries > 1 { break }
        }
        #expect(ended.map(\.target.pop) == ["a"])
        #expect(ended.first?.acknowledgement?.pop == "a")
        #expect(ended.first?.attempts == 1)
      })
  }

  /// A machine that is too slow to ask once and hear of the refusal in the time that there is cannot ask
  /// a second time: then there is more of it.
  @Test func aPoPThatStaysDownIsPending() async throws {
    let nobody = try ClosedPort()
    let dead = target("dead", nobody.endpoint)
    for milliseconds in [400, 4000, 40_000] {
      let fanOut = PurgeFanOut(targets: [dead], token: nil, timeout: .milliseconds(milliseconds))
      var retries = 0
      var ended: [PurgeFanOut.Result] = []
      for await event in fanOut.send(.everything) {
        switch event {
        case .finished(let result): ended.append(result)
        case .retrying: retries += 1
        }
      }
      #expect(ended.map(\.target) == [dead])
      guard retries > 0 else { continue }
      #expect(ended.first?.outcome == .pending(Self.refused))
      #expect(ended.first?.attempts == retries + 1)
      return
    }
    Issue.record("it was never tried again")
  }

  @Test func aPoPThatComesUpIsPurged() async throws {
    let place = try ClosedPort()
    let target = target("a", place.endpoint)
    let fanOut = PurgeFanOut(targets: [target], token: nil, timeout: patience)
    var events = fanOut.send(.everything).makeAsyncIterator()
    // The server starts only after the first request has been seen to fail.
    let first = await events.next()
    #expect(first == .retrying(target, Self.refused))
    try await AdminServer.run(
      host: place.endpoint.host, port: place.endpoint.port,
      answer: { _, _ in AdminServer.acknowledgement(pop: "a") },
      { _ in
        while let event = await events.next() {
          guard case .finished(let result) = event else { continue }
          #expect(result.acknowledgement?.pop == "a")
          #expect(result.attempts > 1)
        }
      })
  }

  @Test func aServerErrorIsTriedAgain() async throws {
    try await AdminServer.run(
      answer: { number, _ in
        number < 3
          ? AdminServer.reply("503 Service Unavailable", #"{"error":"starting"}"#)
          : AdminServer.acknowledgement(pop: "a")
      },
      { a in
        let results = await results([target("a", a.endpoint)])
        #expect(results.map(\.attempts) == [3])
        #expect(results.first?.acknowledgement?.pop == "a")
      })
  }

  @Test func aWrongTokenIsNotTriedAgain() async throws {
    let reply = AdminServer.reply("401 Unauthorized", #"{"error":"the token is wrong"}"#)
    try await AdminServer.run(
      answer: { _, _ in reply },
      { a in
        let results = await results([target("a", a.endpoint)])
        let reason = AdminClientError.status(401, message: "the token is wrong")
        #expect(results.map(\.outcome) == [.refused(reason)])
        #expect(a.requests.count == 1)
      })
  }

  @Test func garbageIsNotTriedAgain() async throws {
    try await AdminServer.run(
      answer: { _, _ in "220 mail.example ESMTP\r\n" },
      { a in
        let results = await results([target("a", a.endpoint)])
        #expect(results.map(\.outcome) == [.refused(.badReply(reason: "it is not HTTP"))])
      })
  }

  @Test func silenceIsPending() async throws {
    try await AdminServer.run(
      answer: { _, _ in nil },
      { a in
        let timeout = Duration.milliseconds(150)
        let results = await results([target("a", a.endpoint)], timeout: timeout)
        #expect(results.map(\.outcome) == [.pending(.timeout(timeout))])
      })
  }

  @Test func anotherPoPInItsPlaceIsNoSuccess() async throws {
    try await AdminServer.run(
      answer: { _, _ in AdminServer.acknowledgement(pop: "b") },
      { a in
        let results = await results([target("a", a.endpoint)])
        let reason = "PoP \"b\" answered in its place"
        #expect(results.map(\.outcome) == [.refused(.badReply(reason: reason))])
      })
  }
}
