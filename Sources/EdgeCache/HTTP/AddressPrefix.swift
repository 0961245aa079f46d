/// An IP address, or all addresses that begin with the same bits.
public struct AddressPrefix: Sendable, Hashable {
  private let address: IPAddress
  private let bits: Int

  /// The addresses whose first `bits` are those of `address`; nil if it has not as many. An IPv4 address in the form of
  /// IPv6 is taken for the IPv4 address.
  public init?(_ address: IPAddress, bits: Int) {
    guard (0...address.bitCount).contains(bits) else { return nil }
    let plain = address.unmapped
    if plain != address, bits >= 96 {
      (self.address, self.bits) = (plain, bits - 96)
    } else {
      (self.address, self.bits) = (address, bits)
    }
  }

  /// True if it begins with those bits. O(1).
  public func contains(_ other: IPAddress) -> Bool {
    address.hasPrefix(bits, of: other.unmapped)
  }
}
