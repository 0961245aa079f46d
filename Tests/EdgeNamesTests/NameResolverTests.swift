import EdgeSocket
import Foundation
import Glibc
import NameServer
import Testing

@testable import EdgeNames

// A resolver on its own thread, real sockets, and a name server that does as it is told.

@Suite("Looking names up")
struct NameResolverTests {
  /// A name server, and a resolver that asks it.
  private struct Scene {
    let server: NameServer
    let resolver: NameResolver

    /// What is known of a name, waited for if it has to be.
    func resolve(_ name: String) async -> String {
      await withCheckedContinuation { continuation in
        let known = resolver.resolve(name) { continuation.resume(returning: Self.told($0)) }
        if let known { continuation.resume(returning: Self.told(known)) }
      }
    }

    static func told(_ outcome: NameResolver.Outcome) -> String {
      switch outcome {
      case .success(let addresses): addresses.map(\.host).joined(separator: " ")
      case .failure(let problem): problem.described("it")
      }
    }

    /// How often a name was asked about, by family.
    func count(_ name: String, isIPv6: Bool = false) -> Int {
      server.questions.count { $0.name == name && $0.isIPv6 == isIPv6 }
    }
  }

  private func withResolver(
    _ records: [String: NameServer.Record] = [:], search: String? = nil,
    limits: NameLimits = NameLimits(), timeout: CInt = 700, _ body: (Scene) async throws -> Void
  ) async throws {
    let server = try NameServer()
    for (name, record) in records { server.set(name, record) }
    let file = FileManager.default.temporaryDirectory.appending(
      path: "resolv-\(UUID().uuidString).conf")
    try "nameserver 127.0.0.1\n\(search ?? "")\n".write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let resolver = try await NameResolver.start(
      DNSSettings(servers: server.address, resolvConf: file.path, timeout: timeout),
      limits: limits)
    do {
      try await body(Scene(server: server, resolver: resolver))
    } catch {
      await resolver.stop()
      server.stop()
      throw error
    }
    await resolver.stop()
    server.stop()
  }

  /// Waits until something is so.
  private func eventually(_ what: String, _ isSo: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      if try await isSo() { return }
      try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("not so in time: \(what)")
  }

  @Test("A name is asked for once for all who want it, and known from then on")
  func once() async throws {
    try await withResolver(["a.example": .init(.addresses(["192.0.2.1", "192.0.2.2"]))]) { scene in
      let all = await withTaskGroup(of: String.self) { group in
        for _ in 0..<50 { group.addTask { await scene.resolve("a.example") } }
        return await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(all == ["192.0.2.1 192.0.2.2"])
      let known = scene.resolver.resolve("a.example") { _ in Issue.record("had to wait") }
      #expect(known.map(Scene.told) == "192.0.2.1 192.0.2.2")
      #expect(scene.count("a.example") == 1)
      #expect(scene.count("a.example", isIPv6: true) == 1)
      #expect(scene.resolver.statistics.lookups == 1)
    }
  }

  private static let silent = "no name server has answered in time for it"
  private static let failing =
    "the name servers fail for it: each is out of reach, fails or refuses"

  @Test(
    "What name servers say",
    arguments: [
      (NameServer.Record(.addresses(["192.0.2.1"]), .code(2)), "192.0.2.1"),
      (.init(.addresses(["192.0.2.1"]), .code(3)), "192.0.2.1"),
      (.init(.addresses(["192.0.2.1"]), .nonsense), "192.0.2.1"),
      (.init(.none, .addresses(["2001:db8::1"])), "2001:db8::1"),
      (.init(.code(2), .addresses(["2001:db8::1"])), "2001:db8::1"),
      (.init(.addresses(["192.0.2.1"]), isLong: true), "192.0.2.1"),
      (.init(.addresses(["192.0.2.1"]), alias: ("b.example", 60)), "192.0.2.1"),
      (.init(.none, .none), "it has no address"),
      (.init(.code(3), .code(3)), "it has no address"),
      (.init(.code(2), .code(2)), Self.failing),
      // c-ares itself would take the last answer for that of both families.
      (.init(.code(2), .none), Self.failing), (.init(.none, .code(2)), Self.failing),
      (.init(.code(5), .code(5)), Self.failing),
      (.init(.nonsense, .nonsense), Self.silent),
    ])
  func replies(record: NameServer.Record, expected: String) async throws {
    try await withResolver(["a.example": record], timeout: 300) { scene in
      #expect(await scene.resolve("a.example") == expected)
      #expect(record.isLong == scene.server.questions.contains { $0.isTCP })
    }
  }

  @Test("Many addresses, over TCP, are kept up to the limit")
  func many() async throws {
    let many = (1...15).map { "192.0.2.\($0)" } + (1...15).map { "198.51.100.\($0)" }
    try await withResolver(["a.example": .init(.addresses(many), isLong: true)]) { scene in
      let kept = await scene.resolve("a.example").split(separator: " ")
      #expect(kept.count == 16)
      #expect(kept.allSatisfy { many.contains(String($0)) })
    }
  }

  @Test("A family about which nothing is said keeps nobody waiting")
  func silentFamily() async throws {
    // Were it waited for, this would take 15 minutes.
    var limits = NameLimits()
    limits.lookup = seconds(900)
    try await withResolver(
      ["a.example": .init(.addresses(["192.0.2.1"]), .silence)], limits: limits, timeout: 900_000
    ) { scene in
      #expect(await scene.resolve("a.example") == "192.0.2.1")
    }
  }

  @Test("A silent name server ends in time, and only for the names that it is silent about")
  func silence() async throws {
    var limits = NameLimits()
    limits.lookup = seconds(1)
    try await withResolver(
      ["a.example": .init(.silence, .silence), "b.example": .init(.addresses(["192.0.2.2"]))],
      limits: limits
    ) { scene in
      async let silent = scene.resolve("a.example")
      #expect(await scene.resolve("b.example") == "192.0.2.2")
      #expect(await silent == Self.silent)
      #expect(scene.resolver.statistics.failures == 1)
      #expect(scene.resolver.statistics.failing == 1)
    }
  }

  @Test("A name server that is not there is a failure")
  func nobody() async throws {
    let closed = try NameServer()
    let (address, port) = (closed.address, closed.port)
    closed.stop()
    try await eventually("a closed port") {
      let probe = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
      defer { close(probe) }
      let place = InternetAddress(bytes: [127, 0, 0, 1], port: port)
      return place?.withSocketAddress { bind(probe, $0, $1) } == 0
    }
    let resolver = try await NameResolver.start(DNSSettings(servers: address, timeout: 100))
    let scene = Scene(server: closed, resolver: resolver)
    // What the kernel says about one question may be heard by the other, which leaves the first one to its time.
    #expect([Self.failing, Self.silent].contains(await scene.resolve("a.example")))
    await resolver.stop()
  }

  @Test("Names of /etc/hosts need no name server", arguments: ["localhost", "LocalHost"])
  func hosts(name: String) async throws {
    try await withResolver { scene in
      scene.server.setDown(true)
      let found = await scene.resolve(name)
      #expect(found.split(separator: " ").contains("127.0.0.1"))
      #expect(scene.server.questions.isEmpty)
    }
  }

  @Test("Domains are put behind short names")
  func search() async throws {
    try await withResolver(
      ["api.two.example": .init(.addresses(["192.0.2.2"]))],
      search: "search one.example two.example"
    ) { scene in
      #expect(await scene.resolve("api") == "192.0.2.2")
      #expect(scene.count("api.one.example") == 1)
      #expect(scene.count("api.two.example") == 1)
      #expect(scene.count("api") == 0)
      #expect(await scene.resolve("no.such") == "it has no address")
      let asked = scene.server.questions.filter { !$0.isIPv6 }.map(\.name).suffix(3)
      #expect(asked == ["no.such", "no.such.one.example", "no.such.two.example"])
    }
  }

  @Test("Addresses that change are noticed when their lifetime ends")
  func change() async throws {
    var limits = NameLimits()
    limits.lifetime = seconds(0.2)...seconds(0.2)
    try await withResolver(["a.example": .init(.addresses(["192.0.2.1"]))], limits: limits) {
      scene in
      #expect(await scene.resolve("a.example") == "192.0.2.1")
      scene.server.set("a.example", .init(.addresses(["192.0.2.9"])))
      try await eventually("the new address") {
        await scene.resolve("a.example") == "192.0.2.9"
      }
      scene.server.set("a.example", nil)
      try await eventually("the end of the name") {
        await scene.resolve("a.example") == "it has no address"
      }
    }
  }

  @Test("What was known is used while name servers are silent, and they are asked again")
  func stale() async throws {
    var limits = NameLimits()
    limits.lifetime = seconds(0.1)...seconds(0.1)
    limits.lookup = seconds(0.3)
    limits.patience = seconds(0.05)
    limits.retry = seconds(0.1)...seconds(0.2)
    try await withResolver(["a.example": .init(.addresses(["192.0.2.1"]))], limits: limits) {
      scene in
      #expect(await scene.resolve("a.example") == "192.0.2.1")
      scene.server.setDown(true)
      try await eventually("uses past the lifetime") {
        #expect(await scene.resolve("a.example") == "192.0.2.1")
        return scene.resolver.statistics.staleUses > 3 && scene.resolver.statistics.failures > 1
      }
      scene.server.set("a.example", .init(.addresses(["192.0.2.9"])))
      scene.server.setDown(false)
      try await eventually("the new address") {
        await scene.resolve("a.example") == "192.0.2.9"
      }
    }
  }

  @Test("A name whose addresses are in doubt is looked up at once")
  func doubt() async throws {
    var limits = NameLimits()
    limits.retry = 1...seconds(30)
    try await withResolver(
      ["a.example": .init(.addresses(["192.0.2.1"], ttl: 3600))], limits: limits
    ) { scene in
      #expect(await scene.resolve("a.example") == "192.0.2.1")
      scene.server.set("a.example", .init(.addresses(["192.0.2.9"])))
      #expect(await scene.resolve("a.example") == "192.0.2.1")
      try await eventually("the new address") {
        scene.resolver.doubt("a.example")
        return await scene.resolve("a.example") == "192.0.2.9"
      }
    }
  }

  @Test("A resolv.conf that was changed is read")
  func newServers() async throws {
    // Its servers are those of the settings here, but its domains count.
    let server = try NameServer()
    server.set("api.two.example", .init(.addresses(["192.0.2.2"])))
    let file = FileManager.default.temporaryDirectory.appending(
      path: "resolv-\(UUID().uuidString).conf")
    defer { try? FileManager.default.removeItem(at: file) }
    try "search one.example\n".write(to: file, atomically: true, encoding: .utf8)
    var limits = NameLimits()
    limits.retry = seconds(0.1)...seconds(0.1)
    let resolver = try await NameResolver.start(
      DNSSettings(servers: server.address, resolvConf: file.path), limits: limits)
    let scene = Scene(server: server, resolver: resolver)
    #expect(await scene.resolve("api") == "it has no address")
    try "search one.example two.example\n".write(to: file, atomically: true, encoding: .utf8)
    try await eventually("the other domain") { await scene.resolve("api") == "192.0.2.2" }
    await resolver.stop()
    server.stop()
  }

  @Test("Whoever waits when the resolver ends is told so, and so is who comes later")
  func stop() async throws {
    let server = try NameServer()
    server.set("a.example", .init(.silence, .silence))
    let resolver = try await NameResolver.start(DNSSettings(servers: server.address))
    let scene = Scene(server: server, resolver: resolver)
    async let waiting = scene.resolve("a.example")
    try await eventually("the question") { !server.questions.isEmpty }
    await resolver.stop()
    let stopped = "the name servers fail for it: the resolver has stopped"
    #expect(await waiting == stopped)
    try await eventually("the end") { await scene.resolve("b.example") == stopped }
    server.stop()
  }

  @Test("dnsmasq: addresses of both families, an alias, no such name")
  func realServer() async throws {
    let places = ["/usr/sbin/dnsmasq", "/usr/bin/dnsmasq"]
    let found = places.first { access($0, X_OK) == 0 }
    let program = try #require(found, "no dnsmasq here; run scripts/setup --test")
    // A port that was free a moment ago.
    let placeholder = try NameServer()
    let port = placeholder.port
    placeholder.stop()
    let arguments = [
      "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
      "--pid-file=", "--port=\(port)", "--listen-address=127.0.0.1", "--bind-interfaces",
      "--user=\(NSUserName())",
      "--local=/example/", "--local-ttl=300",
      "--host-record=a.example,192.0.2.1,2001:db8::1", "--cname=b.example,a.example",
      "--host-record=four.example,192.0.2.4",
    ]
    // Not by Foundation: dnsmasq closes what it inherits, Foundation takes that for its end, and waits for that so that
    // no other process of this one is heard of.
    let child = try ChildProcess(program, arguments)
    defer { child.kill() }
    var limits = NameLimits()
    limits.lifetime = seconds(0.2)...seconds(0.2)
    limits.retry = seconds(0.2)...seconds(0.2)
    let resolver = try await NameResolver.start(
      DNSSettings(servers: "127.0.0.1:\(port)"), limits: limits)
    let scene = Scene(server: placeholder, resolver: resolver)
    // What is asked before it listens is lost, and comes when it is asked again.
    let both: Set<Substring> = ["192.0.2.1", "2001:db8::1"]
    for name in ["a.example", "b.example"] {
      try await eventually("the addresses of \(name)") {
        Set(await scene.resolve(name).split(separator: " ")) == both
      }
    }
    #expect(await scene.resolve("four.example") == "192.0.2.4")
    #expect(await scene.resolve("c.example") == "it has no address")
    await resolver.stop()
  }
}

/// A program that runs until it is killed.
private struct ChildProcess {
  private let identifier: pid_t

  init(_ program: String, _ arguments: [String]) throws {
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var identifier = pid_t()
    let code = posix_spawn(&identifier, program, nil, nil, &words, environ)
    guard code == 0 else { throw Failure(code: code) }
    self.identifier = identifier
  }

  struct Failure: Error {
    let code: CInt
  }

  /// Ends it, whatever signals it blocks.
  func kill() {
    _ = Glibc.kill(identifier, SIGKILL)
    var status: CInt = 0
    waitpid(identifier, &status, 0)
  }
}
