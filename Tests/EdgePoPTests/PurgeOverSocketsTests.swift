import EdgeFleet
import NIOCore
import Testing

@testable import EdgePoP

// Purges of every scope and mode over real sockets: by the admin API, and by PURGE of clients.

@Suite("Purges over sockets", .serialized)
struct PurgeOverSocketsTests {
  /// Answers with the number of the request, to be stored, with names by the path.
  private static let named: Origin.Script = { exchange in
    exchange.answer(
      "\(exchange.number)", "Cache-Control: max-age=600", "ETag: \"\(exchange.number)\"",
      "Cache-Tag: all, \(exchange.request.target.dropFirst())", "Surrogate-Key: k1 k2")
  }

  private static let paths = ["/img/a", "/img/b", "/js/a"]

  private func fill(_ pop: TestPoP) async throws {
    for path in Self.paths { _ = try await pop.get(path) }
    try await pop.waitForFills()
  }

  private func misses(_ pop: TestPoP) async throws -> [String] {
    var missed: [String] = []
    for path in Self.paths where !(try await pop.get(path).cacheStatus.contains("; hit")) {
      missed.append(path)
    }
    return missed
  }

  @Test(
    "Each scope takes what it says and nothing else",
    arguments: [
      (#"{"scope":"url","urls":["http://a.example/img/a"]}"#, ["/img/a"]),
      (#"{"scope":"prefix","prefixes":["http://a.example/img/"]}"#, ["/img/a", "/img/b"]),
      (#"{"scope":"prefix","prefixes":["http://a.example/j","http://b.example/"]}"#, ["/js/a"]),
      (#"{"scope":"host","hosts":["A.example"]}"#, paths), (#"{"scope":"host","hosts":["b"]}"#, []),
      (#"{"scope":"tag","tags":["img/b"]}"#, ["/img/b"]),
      (#"{"scope":"tag","tags":["all"]}"#, paths),
      (#"{"scope":"tag","tags":["k2","none"]}"#, paths), (#"{"scope":"tag","tags":["K2"]}"#, []),
      (#"{"scope":"everything"}"#, paths),
    ])
  func scopes(_ order: String, _ expected: [String]) async throws {
    try await withPoP(origin: Self.named) { pop, _ in
      try await fill(pop)
      let tried = try await pop.purge(String(order.dropLast()) + #","dryRun":true}"#)
      #expect(tried.text.contains("\"matched\":\(expected.count)"), "\(tried.text)")
      #expect(try await misses(pop) == [])
      let answer = try await pop.purge(order)
      #expect(answer.status == 200 && answer.text.contains("\"matched\":\(expected.count)"))
      #expect(try await misses(pop) == expected)
    }
  }

  @Test("A soft purge is validated, and stands in for an origin that is down")
  func soft() async throws {
    try await withPoP(origin: Self.named) { pop, origin in
      try await fill(pop)
      _ = try await pop.purge(#"{"scope":"tag","tags":["all"],"mode":"soft"}"#)
      let next = try await pop.get("/img/a")
      #expect(next.cacheStatus.contains("fwd=stale"))
      await origin.stop()
      let failed = try await pop.get("/img/b")
      #expect(failed.status == 200 && failed.text == "2")
    }
  }

  @Test("A purge that was sent before is acknowledged again, and not applied again")
  func repeated() async throws {
    try await withPoP(origin: Self.named) { pop, _ in
      try await fill(pop)
      let order = #"{"scope":"everything","id":"1764000000000-7"}"#
      #expect(try await pop.purge(order).text.contains("\"matched\":3"))
      try await fill(pop)
      let again = try await pop.purge(order)
      #expect(again.text.contains("\"repeated\":true") && again.text.contains("\"sequence\":1"))
      #expect(try await misses(pop) == [])
      let record = try await pop.admin(
        "GET /purges/1764000000000-7 HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(record.status == 200 && record.text.contains("\"matched\":3"))
      let journal = try await pop.admin("GET /purges HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(journal.text.contains(#""id":"1764000000000-7""#))
      #expect(journal.text.contains(#""order":"{\"scope\":\"everything\"}""#))
    }
  }

  // MARK: PURGE

  private func purge(_ path: String, _ fields: String = "") -> String {
    "PURGE \(path) HTTP/1.1\r\nHost: a.example\r\n\(fields)\r\n"
  }

  @Test(
    "PURGE takes the URL, or what fields name",
    arguments: [
      ("/img/a", "", ["/img/a"]), ("/", "Surrogate-Key: img/b js/a\r\n", ["/img/b", "/js/a"]),
      ("/", "xkey-purge: all\r\n", paths), ("/", "Cache-Tag: js/a, none\r\n", ["/js/a"]),
      ("/.*", "X-Purge-Method: regex\r\n", paths),
      ("/img/.*", "X-Purge-Method: regex\r\n", ["/img/a", "/img/b"]),
      ("/none", "X-Purge-Method: default\r\n", []),
      ("/img/*", "", ["/img/a", "/img/b"]), ("/.*", "", paths),
      ("/", "xkey: img/a\r\n", ["/img/a"]),
      ("/", "Surrogate-Key: img/b, js/a\r\n", ["/img/b", "/js/a"]),
      ("/js/a", "xkey: img/a\r\n", ["/img/a", "/js/a"]),
      ("/js/*", "Cache-Tags: img/a\r\n", ["/img/a", "/js/a"]),
      ("/", "X-Magento-Tags-Pattern: ((^|,)img/a(,|$))|((^|,)js/a(,|$))\r\n", ["/img/a", "/js/a"]),
      ("/", "X-Magento-Tags-Pattern: .*\r\n", paths), ("/", "X-LiteSpeed-Purge: *\r\n", paths),
      ("/", "X-LiteSpeed-Purge: /js/a, tag=img/b\r\n", ["/img/b", "/js/a"]),
      ("/js/a", "X-Purge-Method: EXACT\r\n", ["/js/a"]),
      ("/js/a", "X-Purge-Method: Default\r\n", ["/js/a"]),
    ])
  func clients(_ path: String, _ fields: String, _ expected: [String]) async throws {
    let here = try AddressRange(parsing: "127.0.0.0/8")
    try await withPoP({ $0.purgeFrom = [here] }, origin: Self.named) { pop, origin in
      try await fill(pop)
      let answer = try await pop.exchange(purge(path, fields))
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.text.contains("purged \(expected.count) stored responses"))
      #expect(try await misses(pop) == expected)
      #expect(
        try await pop.exchange(purge("/a(b)", "X-Purge-Method: regex\r\n")).status == 400)
    }
  }

  @Test(
    "The admin API understands the same fields, in PURGE and beside or instead of content",
    arguments: [
      ("PURGE /img/a", "", ["/img/a"]), ("PURGE http://a.example/js/*", "", ["/js/a"]),
      ("PURGE /", "xkey: js/a\r\n", ["/js/a"]),
      ("PURGEKEYS /", "xkey-purge: js/a\r\n", ["/js/a"]),
      ("PURGEKEYS /img/a", "xkey-softpurge: js/a, img/b\r\n", ["/img/b", "/js/a"]),
      ("PURGE /img/.*", "X-Purge-Method: regex\r\n", ["/img/a", "/img/b"]),
      ("POST /purge", "Surrogate-Key: img/a\r\n", ["/img/a"]),
      ("POST /purge", "X-Magento-Tags-Pattern: .*\r\n", paths),
      (
        #"POST /purge {"scope":"tag","tags":["img/a"]}"#, "Cache-Tag: js/a\r\n",
        ["/img/a", "/js/a"]
      ),
      (
        #"POST /purge {"tags":["img/a"],"urls":["http://a.example/js/a"]}"#, "",
        ["/img/a", "/js/a"]
      ),
      (#"POST /purge {"urls":["http://a.example/img/*"]}"#, "", ["/img/a", "/img/b"]),
    ])
  func adminFields(_ line: String, _ fields: String, _ expected: [String]) async throws {
    try await withPoP(origin: Self.named) { pop, _ in
      try await fill(pop)
      let parts = line.split(separator: " ", maxSplits: 2)
      let body = parts.count == 3 ? String(parts[2]) : ""
      func send(_ fields: String) async throws -> Message {
        try await pop.admin(
          "\(parts[0]) \(parts[1]) HTTP/1.1\r\nHost: a.example\r\n\(fields)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      #expect(try await send(fields + "X-Cache-Tags: a\r\n").status == 400)
      #expect(try await send(fields + "X-Purge-Method: glob\r\n").status == 400)
      #expect(try await misses(pop) == [])
      let answer = try await send(fields)
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.text.contains("\"matched\":\(expected.count)"), "\(answer.text)")
      #expect(try await misses(pop) == expected)
    }
  }

  @Test("What is not understood is refused, and nothing purged; what is widened is told")
  func notUnderstood() async throws {
    let here = try AddressRange(parsing: "127.0.0.0/8")
    try await withPoP({ $0.purgeFrom = [here] }, origin: Self.named) { pop, origin in
      try await fill(pop)
      func status(_ line: String, _ fields: String = "") async throws -> Int {
        try await pop.exchange("\(line) HTTP/1.1\r\nHost: a.example\r\n\(fields)\r\n").status
      }
      for method in ["BAN", "REFRESH", "purge", "PURGETAGS", "URIBAN"] {
        #expect(try await status("\(method) /img/a") == 501)
      }
      for field in [
        "X-Purge-Method: glob", "X-Cache-Tags: all", "xkey:", "X-Host: a.example", "X-Pool: blue",
        "X-Magento-Tags-Pattern: al.", "Fastly-Soft-Purge: maybe", "ApiPlatform-Ban-Regex: all",
      ] {
        #expect(try await status("PURGE /img/a", field + "\r\n") == 400, "\(field)")
      }
      #expect(try await status("PURGEKEYS /img/a") == 400)
      let content = try await pop.exchange(
        "PURGE /img/a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n{}")
      #expect(content.status == 400)
      #expect(try await misses(pop) == [])
      #expect(origin.requests.count == Self.paths.count)
      let keys = try await pop.exchange(
        "PURGEKEYS / HTTP/1.1\r\nHost: a.example\r\nxkey-purge: js/a\r\n\r\n")
      #expect(keys.status == 200 && !keys.text.contains("begins with"))
      #expect(try await misses(pop) == ["/js/a"])
      let wider = try await pop.exchange(purge("/img/*b"))
      #expect(
        wider.status == 200 && wider.text.contains(#"all that begins with "http://a.example/img/""#)
      )
    }
  }

  @Test("Requests to the admin API that are malformed, in pieces, chunked and one after another")
  func adminRequests() async throws {
    try await withPoP(origin: Self.named) { pop, _ in
      try await fill(pop)
      for bytes in [
        "GET /health\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n",
        "PURGE\0KEYS / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /purge HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "POST /purge HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      ] {
        #expect(try await pop.admin(bytes).status == 400, "\(bytes)")
      }
      let wire = try await Wire.connect(pop.server.adminAddress)
      wire.send("GET /health HT")
      wire.send("TP/1.1\r\nHost: a\r\n\r\nHEAD /health HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try await wire.readResponse().text.contains(#""status""#))
      #expect(try await wire.readResponse(to: "HEAD").status == 200)
      wire.send(
        "POST http://a/purge HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "c\r\n{\"tags\":[\"js\r\n5\r\n/a\"]}\r\n0\r\n\r\nGET /nothing?x HTTP/1.1\r\nHost: a\r\n\r\n"
      )
      #expect(try await wire.readResponse().text.contains(#""matched":1"#))
      #expect(try await wire.readResponse().status == 404)
      await wire.close()
      #expect(try await misses(pop) == ["/js/a"])
    }
  }

  @Test("A purge of 4096 tags, in content and in as many fields as a head may have")
  func manyTags() async throws {
    let here = try AddressRange(parsing: "127.0.0.0/8")
    try await withPoP({ $0.purgeFrom = [here] }, origin: Self.named) { pop, _ in
      try await fill(pop)
      let tags = (0..<4095).map { "t\($0)" } + ["js/a"]
      let list = tags.map { "\"\($0)\"" }.joined(separator: ",")
      #expect(try await pop.purge(#"{"scope":"tag","tags":[\#(list)]}"#).status == 200)
      #expect(try await misses(pop) == ["/js/a"])
      try await pop.waitForFills()
      let lines = stride(from: 0, to: 4096, by: 1024).map {
        "Surrogate-Key: \(tags[$0..<($0 + 1024)].joined(separator: " "))\r\n"
      }
      #expect(try await pop.exchange(purge("/", lines.joined())).status == 200)
      #expect(try await misses(pop) == ["/js/a"])
      let more = try await pop.purge(#"{"scope":"tag","tags":[\#(list),"x"]}"#)
      #expect(more.status == 400)
    }
  }

  @Test("Fastly-Soft-Purge is soft")
  func softClients() async throws {
    let here = try AddressRange(parsing: "127.0.0.1")
    try await withPoP({ $0.purgeFrom = [here] }, origin: Self.named) { pop, _ in
      try await fill(pop)
      _ = try await pop.exchange(purge("/", "Surrogate-Key: all\r\nFastly-Soft-Purge: 1\r\n"))
      #expect(try await pop.get("/img/a").cacheStatus.contains("fwd=stale"))
    }
  }

  @Test("PURGE needs a token or an address on the list; without either it goes to the origin")
  func leave() async throws {
    let token = try AdminToken("s3cret")
    try await withPoP({ $0.token = token }, origin: Self.named) { pop, _ in
      for path in Self.paths {
        try await eventually("a hit") { try await pop.get(path).cacheStatus.contains("; hit") }
      }
      let refused = try await pop.exchange(purge("/img/a"))
      #expect(refused.status == 401 && refused["WWW-Authenticate"] == "Bearer")
      #expect(
        try await pop.exchange(purge("/img/a", "Authorization: Bearer x\r\n")).status == 401)
      #expect(try await misses(pop) == [])
      let allowed = try await pop.exchange(purge("/img/a", "Authorization: Bearer s3cret\r\n"))
      #expect(allowed.status == 200)
      #expect(try await misses(pop) == ["/img/a"])
    }
    try await withPoP(origin: Self.named) { pop, origin in
      let passed = try await pop.exchange(purge("/img/a"))
      #expect(passed.status == 200 && passed.text == "1")
    }
  }

  @Test("A token is good for what it is for; others are counted, and too many are told so")
  func rights() async throws {
    let access = try AdminAccess.parse("deploy purge aaa\nwatch read bbb\n")
    try await withPoP(
      {
        $0.access = access
        $0.limits.purgesPerSecond = 5
      }, origin: Self.named
    ) { pop, _ in
      func status(_ line: String, _ token: String) async throws -> Int {
        let body = line.hasPrefix("POST") ? #"{"scope":"everything"}"# : ""
        return try await pop.admin(
          "\(line) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        ).status
      }
      #expect(try await status("POST /purge", "aaa") == 200)
      #expect(try await status("GET /stats", "aaa") == 403)
      #expect(try await status("POST /purge", "bbb") == 403)
      #expect(try await status("GET /health", "bbb") == 200)
      #expect(try await status("GET /health", "ccc") == 401)
      // All at once: one after the other they might not be too many for a second.
      let wire = try await Wire.connect(pop.server.adminAddress)
      let body = #"{"scope":"everything"}"#
      let purge =
        "POST /purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer aaa\r\n"
        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
      let count = 100
      wire.send(String(repeating: purge, count: count))
      var statuses: [Int] = []
      for _ in 0..<count { statuses.append(try await wire.readResponse().status) }
      #expect(statuses.contains(429))
      #expect(Set(statuses).isSubset(of: [200, 429]))
      await wire.close()
      let stats = try await pop.admin(
        "GET /stats HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bbb\r\n\r\n")
      #expect(stats.text.contains("\"unauthorized\" : 3"))
    }
  }
}
