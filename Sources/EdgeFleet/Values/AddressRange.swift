// Ranges of IP addresses, as allow-lists have them.

import EdgeCache

/// An IP address, or a range of them: `192.0.2.7`, `10.0.0.0/8`, `::1`, `2001:db8::/32`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
  /// The range as it was written.
  public let description: String
  /// The addresses in it.
  public let prefix: AddressPrefix

  /// Reads an address, with the number of bits that count behind a slash, if not all do.
  public init(parsing text: String) throws(ValueProblem) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = IPAddress(parts[0]) else {
      throw ValueProblem(text, "is not an address or a range; write it like 10.0.0.0/8 or ::1")
    }
    var bits: Int? = address.bitCount
    if parts.count == 2 { bits = parts[1].utf8.allSatisfy(\.isDigit) ? Int(parts[1]) : nil }
    guard let bits, let prefix = AddressPrefix(address, bits: bits) else {
      throw ValueProblem(
        text, "has a length which is not a number from 0 to \(address.bitCount)")
    }
    (description, self.prefix) = (text, prefix)
  }

  /// Whether an address, as text, is in the range. O(bytes).
  public func contains(_ address: String) -> Bool {
    IPAddress(address).map(prefix.contains) ?? false
  }
}
