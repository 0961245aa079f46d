// Purges through a real Redis: ordered once, applied everywhere, and caught up with by who was away.

import Foundation
import Glibc
import Testing

/// A redis-server that keeps what it is told on disk.
struct Redis: Sendable {
  let process: RunningProcess
  let port: Int

  /// Starts one; what an earlier one on the same stage kept is there again.
  static func start(
    on stage: Stage, at place: Socket, _ arguments: [String] = []
  ) async throws -> Redis {
    let process = try stage.start(
      try Programs.system("redis-server"),
      [
        "--port", "\(place.port)", "--bind", "127.0.0.1", "--dir", stage.directory, "--save", "",
        "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
      ] + arguments)
    _ = try await eventually("redis is ready") {
      process.output.value.text.contains("Ready to accept connections") ? true : nil
    }
    return Redis(process: process, port: place.port)
  }

  func command(_ words: String...) async throws -> String {
    try await run(
      try Programs.system("redis-cli"), ["-h", "127.0.0.1", "-p", "\(port)"] + words
    ).output
  }
}

extension EndToEnd {
  @Suite struct PurgeBusTests {
    private static func bus(_ place: Socket, _ more: String = "") -> String {
      #""purgeBus": { "redis": "redis://127.0.0.1:\#(place.port)", "stream": "test" }, \#(more)"#
    }

    @Test("One append reaches every PoP, and who was away reads on from where it was")
    func ordered() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let place = try Socket.bound(listens: false)
        var redis = try await Redis.start(on: stage, at: place)
        var fleet = try await Fleet.start(
          on: stage, origin: origin, disks: true, more: Self.bus(place))
        try await fleet.waitUntilSynced()
        try await fleet.fill()

        try stage.write("site/a.css", "2")
        let url = "http://\(Fleet.host)/a.css"
        let first = try await fleet.purge(["url", url])
        #expect(first.end == .status(0), "\(first.output) \(first.errors)")
        #expect(first.output.contains("Purged at 3 of 3 PoPs"), "\(first.output)")
        #expect(try await redis.command("XLEN", "test") == "1\n")
        for pop in fleet.pops { #expect(try await pop.file("/a.css").text == "2") }

        await fleet.pops[1].process.stop(SIGKILL)
        try stage.write("site/a.css", "3")
        let second = try await fleet.purgeWhatIsUp(["url", url]) {
          $0.output.contains("Purged at 2 of 3 PoPs")
        }
        #expect(second.end == .status(2) && second.output.contains("Not purged: fra1"))
        // Redis goes away, and comes back with what it had.
        await redis.process.stop(SIGKILL)
        let unreachable = try await fleet.purge(["url", url, "--timeout", "1s"])
        #expect(unreachable.end == .status(2) && unreachable.errors.contains("Redis"))
        redis = try await Redis.start(on: stage, at: place)
        try await fleet.restart(1, on: stage)
        for pop in fleet.pops { #expect(try await pop.file("/a.css").text == "3") }
        try await fleet.waitUntilSynced()
        #expect(try await fleet.pops[1].file("/b.css").status.contains("; hit"))
        let name = try #require(second.output.firstMatch(of: /Purge (\d+-\d+)\./)).1
        let status = try await fleet.purge(["status", String(name)])
        #expect(status.end == .status(0), "\(status.output)")

        try stage.write("site/a.css", "4")
        let third = try await fleet.purge(["url", url])
        #expect(third.end == .status(0), "\(third.output) \(third.errors)")
        let fourth = try await fleet.purge(["everything", "--no-wait"])
        #expect(fourth.end == .status(0) && fourth.output.hasPrefix("Ordered as "))
      }
    }

    @Test("A stream that was trimmed past a PoP makes it purge everything softly")
    func trimmed() async throws {
      try await Stage.run { stage in
        for name in ["a", "b"] { try stage.write("site/\(name).css", "1") }
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let place = try Socket.bound(listens: false)
        let redis = try await Redis.start(on: stage, at: place)
        var fleet = try await Fleet.start(
          on: stage, origin: origin, disks: true, more: Self.bus(place))
        try await fleet.waitUntilSynced()
        try await fleet.fill()
        await fleet.pops[1].process.stop(SIGKILL)
        try stage.write("site/a.css", "2")
        _ = try await fleet.purge(["url", "http://\(Fleet.host)/a.css", "--no-wait"])
        #expect(try await redis.command("XTRIM", "test", "MAXLEN", "0") == "1\n")
        try await fleet.restart(1, on: stage)
        try await fleet.waitUntilSynced()
        #expect(try await fleet.pops[1].file("/a.css").text == "2")
        #expect(try await fleet.pops[1].file("/b.css").status.contains("fwd=stale"))
      }
    }

    @Test("A purge that a plug-in sends to one PoP reaches all")
    func clients() async throws {
      try await Stage.run { stage in
        try stage.write("site/a.css", "1")
        let origin = try await SampleOrigin.start(on: stage, root: stage.path("site"))
        let place = try Socket.bound(listens: false)
        _ = try await Redis.start(on: stage, at: place)
        let fleet = try await Fleet.start(
          on: stage, origin: origin, more: Self.bus(place, #""purgeFrom": ["127.0.0.1"],"#))
        try await fleet.waitUntilSynced()
        for pop in fleet.pops { #expect(try await pop.file("/a.css").text == "1") }
        try stage.write("site/a.css", "2")
        let answer = try await fleet.pops[0].request("PURGE", "/a.css", host: Fleet.host)
        #expect(answer.status == 200, "\(answer.text)")
        for pop in fleet.pops {
          _ = try await eventually("the new one") {
            try await pop.file("/a.css").text == "2" ? true : nil
          }
        }
      }
    }

    @Test("A password and TLS are used, and a wrong one is said")
    func secured() async throws {
      try await Stage.run { stage in
        let made = try await run(
          try Programs.system("openssl"),
          [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", stage.path("key.pem"),
            "-out", stage.path("cert.pem"), "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
          ])
        #expect(made.end == .status(0), "\(made.errors)")
        let origin = try await SampleOrigin.start(on: stage)
        let (plain, secure) = (
          try Socket.bound(listens: false), try Socket.bound(listens: false)
        )
        _ = try await Redis.start(
          on: stage, at: plain,
          [
            "--tls-port", "\(secure.port)", "--tls-cert-file", stage.path("cert.pem"),
            "--tls-key-file", stage.path("key.pem"), "--tls-auth-clients", "no",
            "--requirepass", "open sesame",
          ])
        func bus(_ password: String, ca: Bool) -> String {
          let ca = ca ? #", "ca": "\#(stage.path("cert.pem"))""# : ""
          return
            #""purgeBus": { "redis": "rediss://:\#(password)@localhost:\#(secure.port)"\#(ca) },"#
        }
        let fleet = try await Fleet.start(
          on: stage, origin: origin, more: bus("open%20sesame", ca: true))
        try await fleet.waitUntilSynced()
        let purge = try await fleet.purge(["everything"])
        #expect(purge.end == .status(0), "\(purge.output) \(purge.errors)")
        for (password, ca, says) in [
          ("wrong", true, "WRONGPASS"), ("open%20sesame", false, "Redis cannot be reached"),
        ] {
          try stage.write(
            "wrong.json",
            Fleet.configuration(
              origin: origin.url, ports: [1, 2, 3, 4, 5, 6], more: bus(password, ca: ca)))
          let refused = try await run(
            Programs.purgeCLI, ["everything", "--config", stage.path("wrong.json")])
          #expect(refused.end == .status(2) && refused.errors.contains(says), "\(refused.errors)")
          #expect(!refused.errors.contains("sesame"))
        }
      }
    }
  }
}
