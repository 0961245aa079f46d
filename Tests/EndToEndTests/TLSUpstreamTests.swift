// A PoP before an nginx that speaks TLS, with certificates made for the occasion.

import Foundation
import Testing

extension EndToEnd {
  @Suite struct TLSUpstreamTests {
    /// An nginx that also listens in TLS, as `localhost`.
    private struct Secured {
      let port: Int
      let authority: String

      static func start(on stage: Stage) async throws -> Secured {
        let made = try await run(
          try Programs.system("openssl"),
          [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", "key.pem", "-out", "cert.pem",
          ], directory: stage.directory)
        try #require(made.end == .status(0), "\(made.errors)")
        let place = try Socket.bound(listens: false)
        try stage.write("root/small", "hello over TLS\n")
        try stage.write("root/large", String(repeating: "0123456789abcdef", count: 1 << 16))
        _ = try await Nginx.start(
          on: stage, root: stage.path("root"),
          server: """
                listen 127.0.0.1:\(place.port) ssl;
                ssl_certificate \(stage.path("cert.pem"));
                ssl_certificate_key \(stage.path("key.pem"));
                add_header Cache-Control no-store;
            """)
        return Secured(port: place.port, authority: stage.path("cert.pem"))
      }

      /// A PoP before it.
      func pop(on stage: Stage, _ arguments: [String] = []) async throws -> PoP {
        try await PoP.start(
          on: stage,
          arguments: [
            "--upstream", "https://localhost:\(port)", "--listen", "127.0.0.1:0", "--admin",
            "127.0.0.1:0",
          ] + arguments)
      }
    }

    @Test("Everything goes through TLS unharmed, over connections that are kept")
    func throughTLS() async throws {
      try await Stage.run { stage in
        let nginx = try await Secured.start(on: stage)
        let pop = try await nginx.pop(
          on: stage, ["--threads", "1", "--upstream-ca", nginx.authority])
        for _ in 0..<20 {
          let small = try await pop.request("GET", "/small")
          #expect(small.status == 200 && small.content == Array("hello over TLS\n".utf8))
        }
        let large = try await pop.request("GET", "/large")
        let expected = Array(String(repeating: "0123456789abcdef", count: 1 << 16).utf8)
        // As a whole: nobody wants to see how a megabyte differs.
        let isSame = large.content == expected
        #expect(isSame)
        let head = try await pop.request("HEAD", "/large")
        #expect(head.status == 200 && head.content.isEmpty)
        let statistics = try await run(
          try Programs.system("curl"), ["-sS", "--noproxy", "*", "\(pop.adminURL)/stats"])
        let made = statistics.output.firstMatch(of: /"upstream" : {[^}]*"connections" : (\d+)/)
        #expect(made.flatMap { Int($0.1) } == 1, "\(statistics.output)")
      }
    }

    @Test("An authority that nobody knows is 502, and said in the log")
    func unknownAuthority() async throws {
      try await Stage.run { stage in
        let nginx = try await Secured.start(on: stage)
        let pop = try await nginx.pop(on: stage)
        let refused = try await pop.request("GET", "/small")
        #expect(refused.status == 502)
        _ = try await pop.process.line(containing: "TLS with upstream")
      }
    }

    @Test("An upstream that does not speak TLS is 502")
    func notTLS() async throws {
      try await Stage.run { stage in
        let nginx = try await Nginx.start(on: stage, root: stage.directory)
        let pop = try await PoP.start(
          on: stage,
          arguments: [
            "--upstream", "https://127.0.0.1:\(nginx.port)", "--listen", "127.0.0.1:0", "--admin",
            "127.0.0.1:0",
          ])
        let refused = try await pop.request("GET", "/")
        #expect(refused.status == 502)
      }
    }

    @Test("A file without certificates is refused before anything listens")
    func badFile() async throws {
      try await Stage.run { stage in
        let file = try stage.write("empty.pem", "nothing\n")
        let refused = try await run(
          Programs.edgePoP,
          ["--upstream", "https://localhost:1", "--upstream-ca", file, "--listen", "127.0.0.1:0"])
        #expect(refused.end == .status(1))
        #expect(refused.errors.contains("--upstream-ca \(file)"), "\(refused.errors)")
      }
    }
  }
}
