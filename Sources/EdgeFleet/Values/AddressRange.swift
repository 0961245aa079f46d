// Ranges of IP addresses, as allow-lists have them.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An IP address, or a range of them: `192.0.2.7`, `10.0.0.0/8`, `::1`, `2001:db8::/32`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
  /// The range as it was written.
  public let description: String
  private let bytes: [UInt8]
  private let bits: Int

  /// Reads an address, with the number of bits that count behind a slash, if not all do.
  public init(parsing text: String) throws(ValueProblem) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let bytes = Self.address(String(parts[0])) else {
      throw ValueProblem(text, "is not an address or a range; write it like 10.0.0.0/8 or ::1")
    }
    var bits = bytes.count * 8
    if parts.count == 2 {
      guard let number = Int(parts[1]), (0...bits).contains(number), parts[1].first != "+" else {
        throw ValueProblem(text, "has a length which is not a number from 0 to \(bits)")
      }
      bits = number
    }
    (description, self.bytes, self.bits) = (text, bytes, bits)
  }

  /// Whether an address, as text, is in the range. O(bytes).
  public func contains(_ address: String) -> Bool {
    guard let other = Self.address(address), other.count == bytes.count else { return false }
    for bit in stride(from: 0, to: bits, by: 8) {
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> min(8, bits - bit))
      if (bytes[bit / 8] ^ other[bit / 8]) & mask != 0 { return false }
    }
    return true
  }

  private static func address(_ text: String) -> [UInt8]? {
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: count)
      if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
  }
}
