import EdgeSocket

// Which family of addresses is tried first (RFC 6724 §6): what is reached from this machine before what is not,
// then like scopes, then like labels, then the one that the table of policies prefers. Within a family the order
// is that of c-ares, which follows the same rules; between families it cannot, for each is asked for by itself,
// so that neither waits for the other.

/// The order of the addresses of a name.
enum AddressOrder {
  /// An address, and where it would be connected to from.
  struct Route {
    var destination: InternetAddress
    /// Nil if this machine has no way to it.
    var source: InternetAddress?
  }

  /// All addresses, those of the preferred family first.
  static func joined(ipv4: [InternetAddress], ipv6: [InternetAddress]) -> [InternetAddress] {
    guard let four = ipv4.first, let six = ipv6.first else { return ipv4 + ipv6 }
    let prefersIPv6 = comesFirst(
      Route(destination: six, source: six.source), Route(destination: four, source: four.source))
    return prefersIPv6 ? ipv6 + ipv4 : ipv4 + ipv6
  }

  /// True if the first of two, of different families, is tried before the second.
  static func comesFirst(_ first: Route, _ second: Route) -> Bool {
    // Rule 1: avoid unusable destinations.
    guard let firstSource = first.source else { return false }
    guard let secondSource = second.source else { return true }
    let (one, two) = (Policy(first.destination), Policy(second.destination))
    let (oneFrom, twoFrom) = (Policy(firstSource), Policy(secondSource))
    // Rule 2: prefer matching scope.
    let scopes = (one.scope == oneFrom.scope, two.scope == twoFrom.scope)
    if scopes.0 != scopes.1 { return scopes.0 }
    // Rule 5: prefer matching label.
    let labels = (one.label == oneFrom.label, two.label == twoFrom.label)
    if labels.0 != labels.1 { return labels.0 }
    // Rule 6: prefer higher precedence.
    if one.precedence != two.precedence { return one.precedence > two.precedence }
    // Rule 8: prefer smaller scope.
    return one.scope <= two.scope
  }

  /// What the table of policies says of an address (RFC 6724 §2.1), and its scope (§3.1, §3.2).
  struct Policy: Equatable {
    let precedence: Int
    let label: Int
    /// 2 is the link, 5 the site, 14 the world.
    let scope: Int

    private static let table: [(prefix: [UInt8], bits: Int, precedence: Int, label: Int)] = [
      (Array(repeating: 0, count: 15) + [1], 128, 50, 0),
      (Array(repeating: 0, count: 10) + [255, 255], 96, 35, 4),
      (Array(repeating: 0, count: 12), 96, 1, 3),
      ([0x20, 0x01, 0, 0], 32, 5, 5), ([0x20, 0x02], 16, 30, 2), ([0x3F, 0xFE], 16, 1, 12),
      ([0xFE, 0xC0], 10, 1, 11), ([0xFC], 7, 3, 13), ([], 0, 40, 1),
    ]

    init(_ address: InternetAddress) {
      let own = address.bytes
      let bytes = own.count == 4 ? Array(repeating: 0, count: 10) + [255, 255] + own : own
      let row = Self.table.first { Self.begins(bytes, $0.prefix, $0.bits) }
      (precedence, label) = (row?.precedence ?? 40, row?.label ?? 1)
      scope =
        if own.count == 4 {
          own[0] == 127 || own[0] == 169 && own[1] == 254 ? 2 : 14
        } else if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes[15] == 1 {
          2
        } else if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 {
          2
        } else if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0xC0 {
          5
        } else {
          14
        }
    }

    private static func begins(_ bytes: [UInt8], _ prefix: [UInt8], _ bits: Int) -> Bool {
      let whole = bits / 8
      guard bytes.prefix(whole).elementsEqual(prefix.prefix(whole)) else { return false }
      guard bits % 8 > 0 else { return true }
      let mask = UInt8.max << UInt8(8 - bits % 8)
      return bytes[whole] & mask == prefix[whole] & mask
    }
  }
}
