// Upstreams that are given by a name: what one name server, or one name, does is nobody else's trouble.

import Foundation
import Glibc
import NameServer
import Testing

extension EndToEnd {
  @Suite struct NamesTests {
    /// What `/stats` says that these tests look at.
    private struct Statistics: Decodable {
      struct Names: Decodable {
        var lookups, failures, staleUses: Int
        var kept, failing: Int
      }
      var names: Names
      var upstreamFailures: [String: Int]
    }

    /// A PoP with a site for each host, with its origin, that asks this name server.
    private func pop(
      on stage: Stage, _ server: NameServer, _ origins: [String: String]
    ) async throws -> PoP {
      let sites = origins.sorted { $0.key < $1.key }.map { host, origin in
        #"{ "name": "\#(host.replacing(".", with: "-"))", "hosts": ["\#(host)"], "origin": ["\#(origin)"] }"#
      }
      let admin = try Socket.bound(listens: false)
      try stage.write(
        "pops.json",
        """
        { "fleet": "test", "regions": { "r": { "api": ["http://127.0.0.1:9"] } },
          "resolvers": ["\(server.address)"], "sites": [\(sites.joined(separator: ",\n"))],
          "pops": [{ "id": "p", "city": "X", "latitude": 1, "longitude": 2, "region": "r",
            "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:\(admin.port)", "threads": 1 }] }
        """)
      return try await PoP.start(
        on: stage, arguments: ["--config", stage.path("pops.json"), "--pop", "p"])
    }

    /// An nginx whose connections are good for one response each.
    private func origin(on stage: Stage) async throws -> Nginx {
      try stage.write("root/file", "hello\n")
      return try await Nginx.start(
        on: stage, root: stage.path("root"),
        server: "keepalive_timeout 0; add_header Cache-Control no-store;")
    }

    @Test("A name server that is silent about one site leaves the others as they are")
    func silence() async throws {
      try await Stage.run { stage in
        let server = try NameServer()
        defer { server.stop() }
        server.set("silent.example", .init(.silence, .silence))
        server.set("named.example", .init(.addresses(["127.0.0.1"])))
        let origin = try await origin(on: stage)
        let pop = try await pop(
          on: stage, server,
          [
            "silent.test": "http://silent.example", "hosts.test": "http://localhost:\(origin.port)",
            "number.test": origin.url, "named.test": "http://named.example:\(origin.port)",
            "none.test": "http://none.example",
          ])
        // More than there may be connections: their places are free again when the limit of connecting is over,
        // not when the name server has answered at last. Else those behind them would be told 503.
        let port = pop.port
        let waiting = try (0..<300).map { number in
          let connection = try HTTPConnection(port: port)
          try connection.send("POST", "/\(number)", host: "silent.test", content: [1])
          return connection
        }
        for host in ["hosts.test", "number.test", "named.test"] {
          for _ in 0..<5 {
            let response = try await pop.request("GET", "/file", host: host)
            #expect(response.status == 200, "\(host): \(response["cache-status"] ?? "")")
          }
        }
        let none = try await pop.request("GET", "/", host: "none.test")
        #expect(none.status == 502)
        #expect(none["cache-status"]?.contains("detail=dns-error") == true)
        let answers = try await onThread { [box = Unshared(waiting)] in
          try box.value.map { try $0.response(to: "POST") }
        }
        for answer in answers {
          #expect(answer.status == 504, "\(answer["cache-status"] ?? "")")
          let details = ["detail=dns-timeout", "detail=connect-timeout"]
          #expect(details.contains { answer["cache-status"]?.contains($0) == true })
        }
        let statistics: Statistics = try await pop.document("/stats")
        #expect(statistics.upstreamFailures["dns-timeout", default: 0] > 0)
        #expect(statistics.upstreamFailures["dns-error"] == 1)
        #expect(statistics.names.kept == 4)
        _ = try await pop.process.line(containing: "upstream=http://silent.example")
        _ = try await pop.process.line(containing: "none.example has no address")
      }
    }

    @Test("A name that moves takes new connections with it")
    func move() async throws {
      try await Stage.run { stage in
        let server = try NameServer()
        defer { server.stop() }
        server.set("origin.example", .init(.addresses(["127.0.0.1"], ttl: 1)))
        try stage.write("one/file", "one\n")
        let first = try await SampleOrigin.start(on: stage, root: stage.path("one"))
        try stage.write("two/file", "two\n")
        let second = try stage.start(
          Programs.edgeLoad,
          [
            "origin", "--root", stage.path("two"), "--listen", "127.0.0.2:\(first.port)",
          ])
        _ = try await second.line(containing: "origin listening on ")
        let pop = try await pop(
          on: stage, server, ["a.test": "http://origin.example:\(first.port)"])
        #expect(try await pop.request("GET", "/file", host: "a.test").text == "one\n")
        server.set("origin.example", .init(.addresses(["127.0.0.2"], ttl: 1)))
        await first.process.stop()
        _ = try await eventually("the other origin") {
          let response = try await pop.request(
            "GET", "/file", host: "a.test", ["Cache-Control: no-cache"])
          return response.text == "two\n" ? true : nil
        }
      }
    }

    @Test("What was known is used past its lifetime while name servers are silent")
    func stale() async throws {
      try await Stage.run { stage in
        let server = try NameServer()
        defer { server.stop() }
        server.set("origin.example", .init(.addresses(["127.0.0.1"], ttl: 1)))
        let origin = try await origin(on: stage)
        let pop = try await pop(
          on: stage, server, ["a.test": "http://origin.example:\(origin.port)"])
        #expect(try await pop.request("GET", "/file", host: "a.test").status == 200)
        server.setDown(true)
        _ = try await eventually("uses past the lifetime") {
          let response = try await pop.request("GET", "/file", host: "a.test")
          #expect(response.status == 200, "\(response["cache-status"] ?? "")")
          let statistics: Statistics = try await pop.document("/stats")
          return statistics.names.staleUses > 2 && statistics.names.failing == 1 ? true : nil
        }
      }
    }

    @Test(
      "What this machine lacks is no fault of an upstream, and is named",
      arguments: ["127.0.0.1", "origin.example"])
    func descriptors(host: String) async throws {
      try await Stage.run { stage in
        let origin = try await origin(on: stage)
        let server = try NameServer()
        defer { server.stop() }
        server.set("origin.example", .init(.addresses(["127.0.0.1"])))
        let process = try stage.start(
          Programs.edgePoP,
          [
            "--upstream", "http://\(host):\(origin.port)", "--resolver", server.address, "--listen",
            "127.0.0.1:0", "--admin", "127.0.0.1:0", "--threads", "1",
          ])
        let line = try await process.line(containing: "listening on ")
        let match = try #require(line.firstMatch(of: /listening on http:\/\/127.0.0.1:(\d+)/))
        let port = try #require(Int(match.1))
        let client = Unshared(try HTTPConnection(port: port))
        @Sendable func ask() async throws -> Response {
          try await onThread { try client.value.request("GET", "/file") }
        }
        // A connection of the client's, and none to the upstream yet.
        let first = try await onThread {
          try client.value.request("GET", "/file", ["Cache-Control: only-if-cached"])
        }
        #expect(first.status == 504)
        // From here on no further descriptor is to be had.
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd")
          .compactMap(Int.init)
        let free = try #require((0...).first { !open.contains($0) })
        let lowered = try await run(
          "/usr/bin/prlimit", ["--pid", "\(process.pid)", "--nofile=\(free):"])
        #expect(lowered.end == .status(0))
        let refused = try await ask()
        #expect(refused.status == 503)
        #expect(refused["retry-after"] == "1")
        #expect(refused["cache-status"]?.contains("detail=out-of-descriptors") == true)
        _ = try await process.line(containing: "a limit of this machine is reached")
        let raised = try await run(
          "/usr/bin/prlimit", ["--pid", "\(process.pid)", "--nofile=1000:"])
        #expect(raised.end == .status(0))
        // The upstream was not left out for that: it is asked as soon as there is a descriptor.
        _ = try await eventually("a descriptor") {
          let response = try await ask()
          if response.status == 200 { return true }
          #expect(response["cache-status"]?.contains("detail=out-of-descriptors") == true)
          return nil
        }
        #expect(!process.errors.value.text.contains("cannot connect to upstream"))
      }
    }
  }
}

/// A value that one thread at a time uses, by the test's own order.
private struct Unshared<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
