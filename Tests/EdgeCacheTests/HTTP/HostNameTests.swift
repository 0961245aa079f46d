import Seeds
import Testing

@testable import EdgeCache

// Hosts in their spellings, and the one that each of them stands for (RFC 3986 §3.2.2, §6.2.2, RFC 5952).

@Suite("Hosts") struct HostNameTests {
  @Test(
    "The canonical form of every spelling",
    arguments: [
      ("www.example.org", "www.example.org"), ("WWW.Example.ORG", "www.example.org"),
      ("www.example.org.", "www.example.org"), ("%77ww.example%2Eorg%2e", "www.example.org"),
      ("%57WW.example.org", "www.example.org"), ("a", "a"), ("A.", "a"), ("a-", "a-"),
      ("-a", "-a"), ("a_b%5Fc", "a_b_c"), ("xn--bcher-kva.example", "xn--bcher-kva.example"),
      ("127.0.0.1", "127.0.0.1"), ("127.0.0.1.", "127.0.0.1"), ("%31.2.3.4", "1.2.3.4"),
      ("1.example", "1.example"), ("1.2.3.4a", "1.2.3.4a"), ("0x7f.0x1", "0x7f.0x1"),
      ("[::1]", "[::1]"), ("[0:0:0:0:0:0:0:1]", "[::1]"), ("[0000::0001]", "[::1]"),
      ("[::]", "[::]"), ("[2001:DB8::A]", "[2001:db8::a]"),
      ("[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"),
      ("[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]"),
      ("[2001:db8::1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]"),
      ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]"), ("[::2:3:4:5:6:7:8]", "[0:2:3:4:5:6:7:8]"),
      ("[2001:0:0:1:0:0:0:1]", "[2001:0:0:1::1]"), ("[::FFFF:192.0.2.1]", "[::ffff:192.0.2.1]"),
      ("[::ffff:c000:0201]", "[::ffff:192.0.2.1]"),
      ("[64:ff9b::192.0.2.33]", "[64:ff9b::c000:221]"),
      ("[::192.0.2.1]", "[::c000:201]"), ("[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:102:304]"),
    ])
  func canonical(_ text: String, _ expected: String) {
    #expect(HostName.canonical(text) == expected)
    #expect(HostName.canonical(expected) == expected)
    let bytes = Array(expected.utf8)
    let isCanonical = HostName.isCanonical(bytes.span, 0..<bytes.count)
    #expect(isCanonical || expected.hasPrefix("["))
  }

  @Test(
    "What is no host",
    arguments: [
      "", ".", "..", "a..", ".a", "a..b", "%2e", "a%2e%2e", "a b", "a%20b", "%", "a%4", "a%zz",
      "%C3%A9",
      "é", "a/b", "a%2Fb", "a%00", "a:1", "a%3A1", "a@b", "a,b", "a~b", "%7E", "*", "a!b", "1",
      "1.2.3",
      "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "a.1", "%31", "[", "]", "[]", "[::1", "::1", "[:]",
      "[:::]",
      "[1:2:3:4:5:6:7:8:]", "[:1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8::]",
      "[1::2::3]",
      "[::12345]", "[::g]", "[::1.2.3]", "[::1.2.3.4.5]", "[::1.2.3.4:5]", "[1.2.3.4::]",
      "[1.2.3.4]",
      "[fe80::1%25eth0]", "[fe80::1%eth0]", "[v1.a]", "[::%31]", "[::1]a",
    ])
  func refused(_ text: String) {
    #expect(HostName.canonical(text) == nil)
    if !text.hasSuffix(":1") { #expect(authority(text) == nil) }
  }

  @Test(
    "Hosts with ports",
    arguments: [
      ("a", "a", nil, true), ("A", "A", nil, false), ("a:", "a", nil, false),
      ("a:80", "a", 80, false),
      ("a.:00080", "a.", 80, false), ("[::1]", "[::1]", nil, false),
      ("[::1]:65535", "[::1]", 65535, false),
    ] as [(String, String, UInt16?, Bool)])
  func authorities(_ text: String, _ host: String, _ port: UInt16?, _ isCanonical: Bool) throws {
    let authority = try #require(self.authority(text))
    #expect(String(decoding: Array(text.utf8)[authority.host], as: UTF8.self) == host)
    #expect(authority.port == port)
    #expect(authority.isCanonical == isCanonical)
  }

  @Test(arguments: ["a:65536", "a:000080", "a:x", "a:1:2", "[::1]80", ":80", "::1"])
  func noAuthority(_ text: String) {
    #expect(authority(text) == nil)
  }

  private func authority(_ text: String) -> Authority? {
    let bytes = Array(text.utf8)
    return Authority(bytes.span, 0..<bytes.count)
  }

  /// Random bytes: what has a canonical form has the same one again, and the parser of requests takes just that.
  @Test func anyBytes() {
    var random = SeededRandom(seed: 0x4057)
    let alphabet = Array("aZ09-_.%4241[]:fF!~".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
      }
      let canonical = HostName.canonical(bytes.span, 0..<bytes.count)
      if let canonical {
        let again = HostName.canonical(canonical.span, 0..<canonical.count)
        #expect(again == canonical)
      }
      let isHost =
        Authority(bytes.span, 0..<bytes.count).map { $0.host.count == bytes.count } ?? false
      #expect(isHost == (canonical != nil), "\(String(decoding: bytes, as: UTF8.self))")
    }
  }
}

@Suite("IP addresses") struct IPAddressTests {
  @Test(
    "The first bits of two addresses",
    arguments: [
      ("10.1.2.3", 8, "10.255.0.0", true), ("10.1.2.3", 16, "10.2.2.3", false),
      ("10.1.2.3", 32, "10.1.2.3", true), ("10.1.2.3", 31, "10.1.2.2", true),
      ("10.1.2.3", 0, "1.1.1.1", true),
      ("10.1.2.3", 0, "::1", false), ("2001:db8::1", 32, "2001:db8:ffff::", true),
      ("2001:db8::1", 64, "2001:db8::ffff", true),
      ("2001:db8::1", 65, "2001:db8::8000:0:0:0", false),
      ("2001:db8::1", 128, "2001:db8::2", false), ("2001:db8::1", 127, "2001:db8::", true),
      ("::", 0, "ffff::", true), ("8000::", 1, "::", false),
    ])
  func prefixes(_ one: String, _ bits: Int, _ other: String, _ expected: Bool) throws {
    let (one, other) = try (#require(IPAddress(one)), #require(IPAddress(other)))
    #expect(one.hasPrefix(bits, of: other) == expected)
    #expect(other.hasPrefix(bits, of: one) == expected)
  }

  @Test func mapped() {
    #expect(IPAddress("::ffff:192.0.2.1")?.unmapped == IPAddress("192.0.2.1"))
    #expect(IPAddress("::192.0.2.1")?.unmapped == IPAddress("::192.0.2.1"))
    #expect(IPAddress("192.0.2.1")?.text == "192.0.2.1")
    #expect(IPAddress("192.0.2.1 ") == nil)
  }
}
