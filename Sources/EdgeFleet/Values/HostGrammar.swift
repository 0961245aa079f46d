// What a host may look like is decided once, for listening addresses, upstream URLs and the hosts of
// sites alike. IP addresses are brought into one form, so that two spellings of one address compare
// equal.

import NIOCore

/// A host in its canonical form: lower-case name, IPv4 address, or IPv6 address without brackets.
enum HostGrammar {
  /// The canonical form of `text`, or nil when it is neither a name nor an IP address.
  ///
  /// IPv6 addresses are expected without their brackets.
  static func canonical(_ text: String) -> String? {
    if text.utf8.contains(UInt8(ascii: ":")) { return ipAddress(text) }
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard text.utf8.count <= 253, labels.allSatisfy({ isLabel($0) }), let last = labels.last else {
      return nil
    }
    // A last label of digits alone is an attempt at IPv4 (WHATWG URL says the same): 127.1 or
    // 1.2.3.400 as a name would resolve to something nobody meant.
    if last.allSatisfy(\.isDigit) { return ipAddress(text) }
    return text.lowercased()
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
      guard inside.contains(":"), let host = canonical(String(inside)) else { return nil }
      if rest.isEmpty { return (host, nil) }
      return rest.first == ":" ? (host, rest.dropFirst()) : nil
    }
    guard let colon = text.firstIndex(of: ":") else {
      return canonical(String(text)).map { ($0, nil) }
    }
    let port = text[text.index(after: colon)...]
    guard !port.contains(":"), let host = canonical(String(text[..<colon])) else { return nil }
    return (host, port)
  }

  /// A port of one to five digits, at most 65535.
  static func port(_ text: Substring) -> Int? {
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else {
      return nil
    }
    return Int(text).flatMap { $0 <= 65535 ? $0 : nil }
  }

  private static func ipAddress(_ text: String) -> String? {
    (try? SocketAddress(ipAddress: text, port: 0))?.ipAddress
  }

  private static func isLabel(_ label: String.UTF8View.SubSequence) -> Bool {
    (1...63).contains(label.count) && label.first != UInt8(ascii: "-")
      && label.allSatisfy { byte in
        byte.isDigit || byte.isLetter || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      }
  }
}
