import EdgeFleet
import Seeds
import Testing

@testable import EdgeCache
@testable import EdgePoP

// A host has one name: whatever a response is stored under can be purged by it, in any spelling.

@Suite("Hosts and purges", .serialized)
struct HostTests {
  private static let storable: Origin.Script = { exchange in
    exchange.answer(
      "\(exchange.number) \(exchange.request["Host"] ?? "")", "Cache-Control: max-age=600")
  }

  private static func get(_ host: String, _ target: String = "/a/b") -> String {
    "GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n"
  }

  private static func order(_ scope: String, _ host: String) -> String {
    switch scope {
    case "url": #"{"scope":"url","urls":["https://\#(host)/a/b"]}"#
    case "prefix": #"{"scope":"prefix","prefixes":["http://\#(host)/a/"]}"#
    default: #"{"scope":"host","hosts":["\#(host)"]}"#
    }
  }

  /// Hosts that clients send, and what their origin is told.
  private static let spellings = [
    ("www.example.org", "www.example.org"), ("WWW.EXAMPLE.org", "www.example.org"),
    ("www.example.org.", "www.example.org"), ("www.example.org:80", "www.example.org"),
    ("www.example.org.:", "www.example.org"), ("%77ww.example.org", "www.example.org"),
    ("WWW.example.org.:8080", "www.example.org:8080"), ("a_b.example", "a_b.example"),
    ("-a.example", "-a.example"), ("127.0.0.1.", "127.0.0.1"), ("[0:0::1]:443", "[::1]:443"),
    ("[::FFFF:1.2.3.4]", "[::ffff:1.2.3.4]"), ("[::ffff:102:304]:80", "[::ffff:1.2.3.4]"),
  ]

  @Test(
    "Each spelling is told upstream as the same, and purged by each scope", arguments: spellings)
  func spelling(_ spelled: String, _ told: String) async throws {
    try await withPoP(origin: Self.storable) { pop, _ in
      var number = 1
      let name = told.hasSuffix("]") ? told : String(told.prefix { $0 != ":" })
      let host = told.hasPrefix("[") ? String(told.prefix { $0 != "]" }) + "]" : name
      for scope in ["url", "prefix", "host"] {
        for purged in [host, host.uppercased()] {
          #expect(try await pop.exchange(Self.get(spelled)).text == "\(number) \(told)")
          try await pop.waitForFills()
          #expect(try await pop.exchange(Self.get(told)).cacheStatus.contains("; hit"))
          let answer = try await pop.purge(Self.order(scope, purged))
          #expect(answer.text.contains("\"matched\":1"), "\(scope) \(purged): \(answer.text)")
          number += 1
        }
      }
    }
  }

  @Test("What a request can be stored under a purge can name, and the other way round")
  func oneGrammar() async throws {
    try await withPoP(origin: Self.storable) { pop, _ in
      let visible = (UInt8(0x21)...0x7E).map { String(UnicodeScalar($0)) }
      let escaped = (UInt8.min...255).map { "%" + String($0, radix: 16, uppercase: true) }
        .map { $0.count == 2 ? "%0\($0.dropFirst())" : $0 }
      let others = [
        "a..b", ".a", "a..", ".", "1", "127.1", "1.2.3.400", "a.1", "[1:2]", "[::1",
        "[fe80::1%25a]",
        String(repeating: "a", count: 63), String(repeating: "a", count: 64),
        String(repeating: "abc.", count: 63) + "a", String(repeating: "abc.", count: 63) + "ab",
      ]
      let wire = try await pop.connect()
      for host in (visible + escaped).map({ "a\($0)b.example" }) + others {
        // These end the authority of a URL.
        if "/?#\\\"".contains(where: host.contains) { continue }
        let isStored = try await pop.exchange(Self.get(host)).status == 200
        for scope in ["url", "host"] {
          let text = host.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
          let isPurged = try await pop.purge(Self.order(scope, text)).status == 200
          // A purge of a host names no port.
          if scope == "host", host.contains(":"), !host.hasPrefix("[") { continue }
          #expect(isStored == isPurged, "\(scope) \(host)")
        }
      }
      await wire.close()
    }
  }

  /// Random hosts in random spellings: stored, found and purged.
  @Test(arguments: [1, 2, 3])
  func anyHost(_ seed: UInt64) async throws {
    var random = SeededRandom(seed: seed)
    try await withPoP(origin: Self.storable) { pop, _ in
      for round in 0..<40 {
        let host = random.host()
        let scope = ["url", "prefix", "host"][Int.random(in: 0..<3, using: &random)]
        #expect(try await pop.exchange(Self.get(random.spelling(host))).status == 200)
        try await pop.waitForFills()
        let again = try await pop.exchange(Self.get(random.spelling(host)))
        #expect(again.cacheStatus.contains("; hit"), "seed \(seed), round \(round): \(host)")
        let answer = try await pop.purge(Self.order(scope, random.spelling(host)))
        #expect(answer.status == 200, "seed \(seed), round \(round): \(answer.text)")
        let gone = try await pop.exchange(Self.get(random.spelling(host)))
        #expect(
          !gone.cacheStatus.contains("; hit"), "seed \(seed), round \(round): \(scope) \(host)")
        try await pop.waitForFills()
      }
    }
  }

  @Test("A dot at the end belongs to the site of the name without it")
  func site() async throws {
    let origin = try await Origin.start(Self.storable)
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(upstream: origin.url, listen: [any], admin: any)
    configuration.sites[0].hosts = [
      .exact("www.example.org"), .suffix("b.example"), .exact("[::1]"),
    ]
    let pop = try await TestPoP.start(configuration, pop: configuration.pops[0])
    for host in [
      "www.example.org.", "WWW.EXAMPLE.ORG.:80", "%77ww.example.org", "a.B.example.", "[0::1]",
    ] {
      #expect(try await pop.exchange(Self.get(host)).status == 200, "\(host)")
    }
    let absolute = "GET http://Www.Example.Org./a/b HTTP/1.1\r\nHost: other\r\n\r\n"
    #expect(try await pop.exchange(absolute).status == 200)
    for host in ["example.org.", "www.example.org.evil", "b.example."] {
      #expect(try await pop.exchange(Self.get(host)).status == 421, "\(host)")
    }
    #expect(try await pop.exchange(Self.get("www.example.org..")).status == 400)
    await origin.stop()
    try await pop.stop()
  }

  @Test("What has no host cannot be named by a purge, and is not stored")
  func noHost() async throws {
    try await withPoP(origin: Self.storable) { pop, _ in
      for number in 1...2 {
        let response = try await pop.exchange("GET /a HTTP/1.0\r\n\r\n")
        #expect(response.text.hasPrefix("\(number) "))
        #expect(response.cacheStatus.contains("fwd=bypass; detail=pass-through"))
      }
    }
  }
}

/// Random hosts and their spellings.
extension SeededRandom {
  /// A host in canonical form.
  fileprivate mutating func host() -> String {
    switch Int.random(in: 0..<4, using: &self) {
    case 0:
      return (0..<4).map { _ in "\(UInt8.random(in: 0...255, using: &self))" }.joined(
        separator: ".")
    case 1:
      let groups = (0..<8).map { _ in
        Bool.random(using: &self) ? 0 : UInt64.random(in: 0...0xFFFF, using: &self)
      }
      let text = groups.map { String($0, radix: 16) }.joined(separator: ":")
      return HostName.canonical("[\(text)]") ?? "[::1]"
    default:
      let letters = Array("abcxyz0189-_")
      let labels = (0..<Int.random(in: 1...4, using: &self)).map { _ in
        String(
          (0..<Int.random(in: 1...9, using: &self)).map { _ in
            letters.randomElement(using: &self) ?? "a"
          })
      }
      return labels.joined(separator: ".") + ".example"
    }
  }

  /// One of the ways to write a host in canonical form.
  fileprivate mutating func spelling(_ host: String) -> String {
    if host.hasPrefix("[") {
      guard let address = IPAddress(host.dropFirst().dropLast()), Bool.random(using: &self) else {
        return host.uppercased()
      }
      let halves = [address.high, address.low]
      let groups = halves.flatMap { half in
        [48, 32, 16, 0].map { (shift: UInt64) in String(half >> shift & 0xFFFF, radix: 16) }
      }
      return
        "[\(groups.map { String(repeating: "0", count: 4 - $0.count) + $0 }.joined(separator: ":"))]"
    }
    var text = ""
    for byte in host.utf8 {
      let letter = String(UnicodeScalar(byte))
      switch Int.random(in: 0..<6, using: &self) {
      case 0: text += letter.uppercased()
      case 1: text += "%" + String(byte, radix: 16)
      case 2: text += "%" + String(byte, radix: 16, uppercase: true)
      default: text += letter
      }
    }
    return Bool.random(using: &self) ? text + "." : text
  }
}
