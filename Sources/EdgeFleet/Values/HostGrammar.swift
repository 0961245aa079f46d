// Hosts as text. What a host may look like, and its canonical form, are decided in one place for requests and
// everything else (`HostName`); here are the ports, and what more is asked of hosts that are connected to.

import EdgeCache

/// A host in its canonical form: lower-case name, IPv4 address, or IPv6 address without brackets.
enum HostGrammar {
  /// The canonical form of `text`, or nil when it is neither a name nor an IP address.
  ///
  /// IPv6 addresses are expected without their brackets.
  static func canonical(_ text: String) -> String? {
    if text.utf8.contains(UInt8(ascii: ":")) { return ipv6(text) }
    if text.hasPrefix("[") { return nil }
    return HostName.canonical(text)
  }

  /// `host`, in brackets if it is an IPv6 address.
  static func bracketed(_ host: String) -> String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
  }

  /// The parts of `host`, `host:port` or `[v6]:port`; `port` is nil when there is no colon for one.
  ///
  /// Returns nil when the brackets or colons do not add up or the host is not one.
  static func split(_ text: Substring) -> (host: String, port: Substring?)? {
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      let inside = text[text.index(after: text.startIndex)..<close]
      let rest = text[text.index(after: close)...]
      guard let host = ipv6(inside) else { return nil }
      if rest.isEmpty { return (host, nil) }
      return rest.first == ":" ? (host, rest.dropFirst()) : nil
    }
    guard let colon = text.firstIndex(of: ":") else {
      return HostName.canonical(text).map { ($0, nil) }
    }
    let port = text[text.index(after: colon)...]
    guard !port.contains(":"), let host = HostName.canonical(text[..<colon]) else { return nil }
    return (host, port)
  }

  /// The same of a host that is connected to or listened on, which is written as resolvers and command lines take
  /// it: no percent-encoding, no dot at the end, no label that begins with a dash.
  static func splitPlace(_ text: Substring) -> (host: String, port: Substring?)? {
    guard let parts = split(text), !text.contains("%"), !parts.host.hasPrefix("-"),
      !parts.host.contains(".-"), !text.hasSuffix("."), !text.contains(".:")
    else { return nil }
    return parts
  }

  /// A port of one to five digits, at most 65535.
  static func port(_ text: Substring) -> Int? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else {
      return nil
    }
    return Int(text).flatMap { $0 <= 65535 ? $0 : nil }
  }

  private static func ipv6(_ text: some StringProtocol) -> String? {
    guard let address = IPAddress(text), text.utf8.contains(UInt8(ascii: ":")) else { return nil }
    return address.text
  }
}
