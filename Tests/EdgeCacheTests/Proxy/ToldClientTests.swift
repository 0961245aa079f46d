import NIOCore
import Testing

@testable import EdgeCache

// Who the client is, as proxies tell, and whom they are believed (RFC 7239, X-Forwarded-For).

@Suite("Clients that proxies tell of") struct ToldClientTests {
  /// Trusts 10.0.0.0/8 and 2001:db8:5::/48; 192.0.2.80 is a PoP that has this one as its parent, as 192.0.2.81 has it.
  private static let trust = ProxyTrust(
    proxies: [("10.0.0.0", 8), ("2001:db8:5::", 48)].compactMap { text, bits in
      IPAddress(text).flatMap { AddressPrefix($0, bits: bits) }
    },
    children: Set([IPAddress("192.0.2.80")].compactMap { $0 }),
    pops: Set([IPAddress("192.0.2.80"), IPAddress("192.0.2.81")].compactMap { $0 }))

  private static func head(_ lines: String) throws -> RequestHead {
    let text = "GET / HTTP/1.1\nHost: a\n\(lines)\(lines.isEmpty ? "" : "\n")\n".replacing(
      "\n", with: "\r\n")
    var parser = RequestParser()
    guard case .head(let head, _) = try parser.parse(ByteBuffer(string: text)) else {
      preconditionFailure("no head")
    }
    return head
  }

  /// Fields from 10.0.0.1, the client, and whether it has authority.
  private static let believed: [(String, String, Bool)] = [
    ("", "10.0.0.1", true),
    ("X-Forwarded-For: 203.0.113.9", "203.0.113.9", true),
    ("X-Forwarded-For: 198.51.100.1, 203.0.113.9", "203.0.113.9", true),
    ("X-Forwarded-For: 203.0.113.9, 10.1.1.1, 10.2.2.2", "203.0.113.9", true),
    ("X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 10.2.2.2", "203.0.113.9", true),
    ("X-Forwarded-For: 10.3.3.3, 10.2.2.2", "10.3.3.3", true),
    ("X-Forwarded-For: nonsense, 203.0.113.9", "203.0.113.9", true),
    ("X-Forwarded-For: 203.0.113.9,", "203.0.113.9", true),
    ("X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9", true),
    ("X-Forwarded-For: [2001:DB8::9]:4711", "2001:db8::9", true),
    ("X-Forwarded-For: [2001:db8::9]", "2001:db8::9", true),
    ("X-Forwarded-For: 2001:db8:0::9, 2001:db8:5::1", "2001:db8::9", true),
    ("X-Forwarded-For: ::ffff:203.0.113.9, ::ffff:10.0.0.7", "203.0.113.9", true),
    // What cannot be an address.
    ("X-Forwarded-For: 203.0.113.9, unknown", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9, nonsense, 10.2.2.2", "10.2.2.2", false),
    ("X-Forwarded-For:", "10.0.0.1", false), ("X-Forwarded-For: ,", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.256", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9:x", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.09", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9:", "10.0.0.1", false),
    ("X-Forwarded-For: \"203.0.113.9\"", "10.0.0.1", false),
    ("X-Forwarded-For: [::1", "10.0.0.1", false),
    ("X-Forwarded-For: [203.0.113.9]", "10.0.0.1", false),
    ("X-Forwarded-For: fe80::1%eth0", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9 10.2.2.2", "10.0.0.1", false),
    ("X-Forwarded-For: _x", "10.0.0.1", false),
    // RFC 7239.
    ("Forwarded: for=203.0.113.9", "203.0.113.9", true),
    ("Forwarded: For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9", true),
    ("Forwarded: proto=http; for=\"203.0.113.9:4711\" ;host=\"a,b;c\"", "203.0.113.9", true),
    ("Forwarded: for=\"[2001:DB8:cafe::17]:4711\"", "2001:db8:cafe::17", true),
    ("Forwarded: for=\"[2001:db8::9]\"", "2001:db8::9", true),
    ("Forwarded: for=\"203.0.113\\.9\"", "203.0.113.9", true),
    ("Forwarded: for=\"203.0.113.9:_obf\"", "203.0.113.9", true),
    ("Forwarded: for=198.51.100.1, for=203.0.113.9, for=10.2.2.2", "203.0.113.9", true),
    ("Forwarded: for=198.51.100.1\nForwarded: for=203.0.113.9", "203.0.113.9", true),
    ("Forwarded: for=_hidden, for=203.0.113.9", "203.0.113.9", true),
    ("Forwarded: for=unknown", "10.0.0.1", false), ("Forwarded: for=_hidden", "10.0.0.1", false),
    ("Forwarded: for=203.0.113.9, for=_SEVKISEK, for=10.2.2.2", "10.2.2.2", false),
    ("Forwarded: by=10.0.0.1;proto=https", "10.0.0.1", false), ("Forwarded:", "10.0.0.1", false),
    ("Forwarded: for=203.0.113.9;for=198.51.100.1", "10.0.0.1", false),
    ("Forwarded: for=203.0.113.9:80", "10.0.0.1", false),
    ("Forwarded: for=2001:db8::9", "10.0.0.1", false),
    ("Forwarded: for=\"2001:db8::9\"", "10.0.0.1", false),
    ("Forwarded: for=\"203.0.113.9", "10.0.0.1", false),
    ("Forwarded: for = 203.0.113.9", "10.0.0.1", false),
    ("Forwarded: for=203.0.113.9 proto=http", "10.0.0.1", false),
    ("Forwarded: for=\"[2001:db8::9]x\"", "10.0.0.1", false),
    ("Forwarded: 203.0.113.9", "10.0.0.1", false),
    ("Forwarded: for=", "10.0.0.1", false), ("Forwarded: for=\"\"", "10.0.0.1", false),
    // Both.
    ("X-Forwarded-For: 203.0.113.9\nForwarded: for=203.0.113.9", "203.0.113.9", true),
    ("X-Forwarded-For: 2001:db8::9\nForwarded: for=\"[2001:DB8:0::9]:1\"", "2001:db8::9", true),
    ("X-Forwarded-For: 203.0.113.9, 10.2.2.2\nForwarded: for=203.0.113.9", "203.0.113.9", true),
    ("X-Forwarded-For: 203.0.113.9\nForwarded: for=198.51.100.1", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9\nForwarded: for=unknown", "10.0.0.1", false),
    ("X-Forwarded-For: x\nForwarded: for=203.0.113.9", "10.0.0.1", false),
    // Others say that there is a proxy, and are believed nothing.
    ("X-Real-IP: 203.0.113.9", "10.0.0.1", false),
    ("True-Client-IP: 203.0.113.9", "10.0.0.1", false),
    ("Via: 1.1 x", "10.0.0.1", false), ("X-Forwarded-Proto: https", "10.0.0.1", false),
    ("X-Forwarded-For: 203.0.113.9\nX-Real-IP: 198.51.100.1\nVia: 1.1 x", "203.0.113.9", true),
    ("X_Forwarded_For: 203.0.113.9", "10.0.0.1", false),
  ]

  @Test("A proxy of the operator's own", arguments: believed)
  func proxies(_ lines: String, _ client: String, _ hasAuthority: Bool) throws {
    let head = try Self.head(lines)
    let peer = ClientIdentity(address: "10.0.0.1", isSecure: false, trust: Self.trust)
    #expect(peer.asToldBy(head).address == client)
    #expect(peer.address(toldBy: head) == client)
    #expect(peer.withAuthority(for: head)?.address == (hasAuthority ? client : nil))
  }

  @Test(
    "Nobody else is believed, and who says that there is a proxy has no authority",
    arguments: believed)
  func others(_ lines: String, _: String, _: Bool) throws {
    let head = try Self.head(lines)
    for address in [
      "203.0.113.1", "127.0.0.1", "192.0.2.80", "192.0.2.81", "2001:db8:6::1", "unknown",
    ] {
      let peer = ClientIdentity(address: address, isSecure: false, trust: Self.trust)
      #expect(peer.asToldBy(head).address == address)
      #expect(peer.address(toldBy: head) == address)
      #expect(peer.withAuthority(for: head)?.address == (lines.isEmpty ? address : nil))
    }
  }

  @Test("Another PoP that has this one as its parent is believed, and gives nobody authority")
  func pops() throws {
    let lines = "EdgeCache-Purges: fra1;1;2\nX-Forwarded-For: 203.0.113.9, 10.2.2.2, 192.0.2.81"
    let head = try Self.head(lines)
    let child = ClientIdentity(address: "192.0.2.80", isSecure: false, trust: Self.trust)
    #expect(child.asToldBy(head).address == "203.0.113.9")
    #expect(child.address(toldBy: head) == "203.0.113.9")
    #expect(child.withAuthority(for: head) == nil)
    let grandchild = ClientIdentity(address: "192.0.2.81", isSecure: false, trust: Self.trust)
    #expect(grandchild.asToldBy(head).address == "192.0.2.81")
  }

  @Test(
    "What upstreams are told",
    arguments: [
      ("10.0.0.1", "", "10.0.0.1", "10.0.0.1", "for=10.0.0.1"),
      (
        "203.0.113.1", "X-Forwarded-For: 1.1.1.1\nForwarded: for=1.1.1.1", "203.0.113.1",
        "203.0.113.1", "for=203.0.113.1"
      ),
      (
        "10.0.0.1", "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.2.2.2",
        "203.0.113.9, 10.2.2.2, 10.0.0.1", "203.0.113.9",
        "for=203.0.113.9, for=10.2.2.2, for=10.0.0.1"
      ),
      (
        "2001:db8:5::1", "X-Forwarded-For: 2001:db8::9", "2001:db8::9, 2001:db8:5::1",
        "2001:db8::9",
        "for=\"[2001:db8::9]\", for=\"[2001:db8:5::1]\""
      ),
      (
        "10.0.0.1", "Forwarded: for=1.1.1.1, for=\"203.0.113.9:1\";by=_x, for=10.2.2.2",
        "203.0.113.9, 10.2.2.2, 10.0.0.1",
        "203.0.113.9", "for=\"203.0.113.9:1\";by=_x, for=10.2.2.2, for=10.0.0.1"
      ),
      ("10.0.0.1", "X-Forwarded-For: 203.0.113.9, unknown", "10.0.0.1", "-", "for=10.0.0.1"),
      (
        "10.0.0.1", "X-Forwarded-For: 203.0.113.9\nForwarded: for=1.1.1.1", "10.0.0.1", "-",
        "for=10.0.0.1"
      ),
    ])
  func told(_ peer: String, _ lines: String, _ list: String, _ real: String, _ forwarded: String)
    throws
  {
    let peer = ClientIdentity(address: peer, isSecure: false, trust: Self.trust)
    let client = peer.asToldBy(try Self.head(lines))
    let text = String(decoding: client.forwardedFields, as: UTF8.self)
    let realLine = real == "-" ? "" : "X-Real-IP: \(real)\r\n"
    #expect(
      text
        == "X-Forwarded-For: \(list)\r\n\(realLine)X-Forwarded-Proto: http\r\nForwarded: \(forwarded);proto=http"
    )
  }

  @Test(
    "Whether the client's connection is secured",
    arguments: [
      ("10.0.0.1", "X-Forwarded-Proto: https", true),
      ("10.0.0.1", "X-Forwarded-Proto: HTTPS", true),
      ("10.0.0.1", "X-Forwarded-Proto: http", false),
      ("127.0.0.1", "X-Forwarded-Proto: https", true),
      ("::1", "X-Forwarded-Proto: https", true), ("203.0.113.1", "X-Forwarded-Proto: https", false),
      ("192.0.2.80", "X-Forwarded-Proto: https", false),
      ("192.0.2.80", "X-Forwarded-Proto: https\nEdgeCache-Purges: a;1;2", true),
      ("10.0.0.1", "Forwarded: for=203.0.113.9;proto=https", true),
      ("10.0.0.1", "Forwarded: for=203.0.113.9;proto=https, for=10.2.2.2;proto=http", true),
      ("10.0.0.1", "Forwarded: for=203.0.113.9;proto=http, for=10.2.2.2;proto=https", false),
      ("10.0.0.1", "Forwarded: for=1.1.1.1;proto=https, for=203.0.113.9", false),
      ("127.0.0.1", "Forwarded: for=203.0.113.9;proto=https", false),
      ("203.0.113.1", "Forwarded: for=203.0.113.9;proto=https", false),
      ("10.0.0.1", "X-Forwarded-Proto: http\nForwarded: for=203.0.113.9;proto=https", false),
    ])
  func secured(_ peer: String, _ lines: String, _ expected: Bool) throws {
    let peer = ClientIdentity(address: peer, isSecure: false, trust: Self.trust)
    let head = try Self.head(lines)
    #expect(peer.isSecured(head) == expected)
    #expect(peer.asToldBy(head).isSecure == expected)
  }

  @Test(
    "What clients may not tell upstreams",
    arguments: [
      "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Scheme",
      "X-Forwarded-Server",
      "X-Forwarded-Ssl", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Forwarded-Uri",
      "X-Original-URL",
      "X-Original-Host", "X-Original-URI", "X-Rewrite-URL", "X-HTTP-Method-Override",
      "X-HTTP-Method", "X-Method-Override",
      "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP",
      "Fastly-Client-IP", "X-Host",
      "X-Forwarded", "Forwarded-For", "Front-End-Https", "X-URL-Scheme", "X-Original-Forwarded-For",
      "X-Scheme",
      "WL-Proxy-Client-IP", "Proxy-Client-IP", "Client-IP", "Request-URI", "Remote-Addr",
      "X-Remote-Addr", "Proxy",
    ])
  func names(_ name: String) throws {
    for spelling in [name, name.lowercased(), name.uppercased(), name.replacing("-", with: "_")] {
      var head = try Self.head("X-A: 1\n\(spelling): x\nX-B: 2")
      head.removeForwardingFields(isBelieved: false, passesMethods: false)
      let names = head.fields.fields.map { head.fields.text($0.nameRange) }
      #expect(names == ["Host", "X-A", "X-B"], "\(spelling)")
      #expect(head.fields.contains(.host))
      var believed = try Self.head("\(spelling): x")
      believed.removeForwardingFields(isBelieved: true, passesMethods: false)
      let isKept = spelling.contains("-") && !["X-Real-IP"].contains(name) && name != "Proxy"
      #expect(believed.fields.fields.count == (isKept ? 2 : 1), "\(spelling)")
    }
  }

  @Test(
    "What clients may tell",
    arguments: [
      "X-Requested-With", "X-CSRF-Token", "X-Forwarder", "X-Api-Key", "Referer", "Origin",
      "Traceparent", "Priority",
      "X-Real", "X-Hosting", "X-Original-Filename", "X-Method-Id", "Access-Control-Request-Method",
      "Forward", "If-Match",
      "Content-Type", "Client", "Proxy-Status", "X-Request-Id",
    ])
  func others(_ name: String) throws {
    var head = try Self.head("\(name): x")
    head.removeForwardingFields(isBelieved: false, passesMethods: false)
    #expect(head.fields.fields.count == 2)
  }

  @Test(
    "A method in the place of the method",
    arguments: [
      ("GET", false, 1), ("GET", true, 1), ("HEAD", true, 1), ("POST", false, 1), ("POST", true, 2),
    ])
  func methods(_ method: String, _ passes: Bool, _ count: Int) throws {
    var parser = RequestParser()
    let text = "\(method) / HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: PUT\r\n\r\n"
    guard case .head(var head, _) = try parser.parse(ByteBuffer(string: text)) else { return }
    head.removeForwardingFields(isBelieved: false, passesMethods: passes)
    #expect(head.fields.fields.count == count)
  }
}
