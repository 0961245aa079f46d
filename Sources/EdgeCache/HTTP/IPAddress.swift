// IP addresses as values: read from text and written in one spelling, so that two spellings of one address are
// the same host, the same client and the same member of a range.

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable {
  /// True for IPv4.
  public let isIPv4: Bool
  /// The address as a number; of IPv4 the last 32 bits.
  let high: UInt64
  let low: UInt64

  /// An IPv4 address from its number.
  init(ipv4 number: UInt32) {
    (isIPv4, high, low) = (true, 0, UInt64(number))
  }

  /// An IPv6 address from its halves.
  init(high: UInt64, low: UInt64) {
    (isIPv4, self.high, self.low) = (false, high, low)
  }

  /// Reads an address: IPv4 in four decimal numbers without leading zeros, IPv6 in any of its spellings (RFC 4291
  /// §2.2), without brackets and without a zone. Nil for anything else. O(bytes).
  public init?(_ bytes: Span<UInt8>) {
    if let colon = bytes.firstIndex(of: ASCII.colon, in: 0..<bytes.count), colon <= 4 {
      self.init(ipv6: bytes)
    } else {
      guard let number = Self.ipv4(bytes, 0..<bytes.count) else { return nil }
      self.init(ipv4: number)
    }
  }

  /// Reads an address out of text. O(bytes).
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    self.init(bytes.span)
  }

  /// This address, or the IPv4 address that it stands for on a socket of both families (`::ffff:192.0.2.1`,
  /// RFC 4291 §2.5.5.2).
  public var unmapped: IPAddress {
    isMapped ? IPAddress(ipv4: UInt32(truncatingIfNeeded: low)) : self
  }

  /// True for an address of this machine alone (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
  public var isLoopback: Bool {
    let plain = unmapped
    return plain.isIPv4 ? plain.low >> 24 == 127 : plain.high == 0 && plain.low == 1
  }

  /// Number of bits.
  public var bitCount: Int { isIPv4 ? 32 : 128 }

  /// True if the first `bits` of two addresses of one family are the same.
  public func hasPrefix(_ bits: Int, of other: IPAddress) -> Bool {
    guard isIPv4 == other.isIPv4 else { return false }
    let (count, low, otherLow) =
      isIPv4 ? (bits, low << 32, other.low << 32) : (bits - 64, low, other.low)
    if !isIPv4 {
      let mask = bits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(bits))
      if (high ^ other.high) & mask != 0 { return false }
    }
    if count <= 0 { return true }
    let mask = count >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(count))
    return (low ^ otherLow) & mask == 0
  }

  private var isMapped: Bool { !isIPv4 && high == 0 && low >> 32 == 0xFFFF }

  // MARK: Writing

  /// The address in its one spelling: lower case, the longest run of zeros left out, the IPv4 address that an IPv6
  /// address maps in four numbers (RFC 5952 §4, §5). Without brackets.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The same as bytes.
  public var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(40)
    if isIPv4 {
      Self.write(ipv4: low, to: &result)
    } else if isMapped {
      result += "::ffff:".utf8
      Self.write(ipv4: low & 0xFFFF_FFFF, to: &result)
    } else {
      writeGroups(to: &result)
    }
    return result
  }

  private func group(_ index: Int) -> UInt64 {
    (index < 4 ? high >> UInt64(48 - 16 * index) : low >> UInt64(112 - 16 * index)) & 0xFFFF
  }

  private func writeGroups(to result: inout [UInt8]) {
    // RFC 5952 §4.2: the longest run of two groups and more, of several the first.
    var run = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, group(end) == 0 { end += 1 }
      if end - start >= 2, end - start > run.count { run = start..<end }
      start = end + 1
    }
    var index = 0
    while index < 8 {
      if !run.isEmpty, index == run.lowerBound {
        result += "::".utf8
        index = run.upperBound
        continue
      }
      if let last = result.last, last != ASCII.colon { result.append(ASCII.colon) }
      result += String(group(index), radix: 16).utf8
      index += 1
    }
  }

  private static func write(ipv4 number: UInt64, to result: inout [UInt8]) {
    for shift in [24, 16, 8, 0] as [UInt64] {
      if shift != 24 { result.append(ASCII.dot) }
      result += String(number >> shift & 0xFF).utf8
    }
  }

  // MARK: Reading

  /// The number of the IPv4 address that all of `range` is; nil if it is none.
  static func ipv4(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
    var number: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for index in range {
      let byte = bytes[index]
      if byte == ASCII.dot {
        guard digits > 0, dots < 3 else { return nil }
        number = number << 8 | part
        (part, digits) = (0, 0)
        dots += 1
      } else {
        // What some take for octal is no address for anybody.
        guard byte.isDigit, digits == 0 || part > 0 else { return nil }
        part = part * 10 + UInt32(byte - ASCII.zero)
        digits += 1
        guard part <= 255 else { return nil }
      }
    }
    return dots == 3 && digits > 0 ? number << 8 | part : nil
  }

  private init?(ipv6 bytes: Span<UInt8>) {
    var groups: [UInt64] = []
    var gap: Int?
    var index = 0
    if bytes.count >= 2, bytes[0] == ASCII.colon {
      guard bytes[1] == ASCII.colon else { return nil }
      (gap, index) = (0, 2)
    }
    while index < bytes.count {
      var value: UInt64 = 0
      let start = index
      while index < bytes.count, index - start < 4, let digit = bytes[index].hexValue {
        value = value << 4 | UInt64(digit)
        index += 1
      }
      if index < bytes.count, bytes[index] == ASCII.dot {
        guard let number = Self.ipv4(bytes, start..<bytes.count) else { return nil }
        groups += [UInt64(number >> 16), UInt64(number & 0xFFFF)]
        index = bytes.count
        break
      }
      guard index > start else { return nil }
      groups.append(value)
      guard groups.count <= 8 else { return nil }
      if index == bytes.count { break }
      guard bytes[index] == ASCII.colon, index + 1 < bytes.count else { return nil }
      index += 1
      if bytes[index] == ASCII.colon {
        guard gap == nil else { return nil }
        gap = groups.count
        index += 1
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    self.init(
      high: groups[..<4].reduce(0) { $0 << 16 | $1 }, low: groups[4...].reduce(0) { $0 << 16 | $1 })
  }
}
