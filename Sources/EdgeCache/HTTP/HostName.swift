// Which hosts there are, and what each is called: one grammar and one canonical form for requests, configuration and
// purges. What a response can be stored under so has one name, which any spelling of it leads to.
//
// A host is a name of DNS, taken generously, or an IP address: `reg-name` of RFC 3986 §3.2.2 without what no name in
// use has (sub-delims, and percent-encoding of anything but the characters of a name). The canonical form is that of
// RFC 3986 §6.2.2: percent-encoding undone, lower case; the dot at the end, which only says that a name is complete,
// left out; IPv6 addresses in their brackets as RFC 5952 writes them.

/// The host of an authority.
public enum HostName {
  /// The most bytes of a name, and of one of its labels (RFC 1035 §2.3.4).
  static let longest = 253
  static let longestLabel = 63

  /// The canonical form of a host without a port; nil if it is none. O(bytes).
  public static func canonical(_ text: some StringProtocol) -> String? {
    let bytes = Array(text.utf8)
    return canonical(bytes.span, 0..<bytes.count).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The canonical form of the host in `range`; nil if it is none. O(bytes).
  static func canonical(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    guard !range.isEmpty else { return nil }
    if bytes[range.lowerBound] == UInt8(ascii: "[") {
      let last = range.upperBound - 1
      guard last > range.lowerBound, bytes[last] == UInt8(ascii: "]"),
        let address = IPAddress(bytes.extracting(range.lowerBound + 1..<last)), !address.isIPv4
      else { return nil }
      return [UInt8(ascii: "[")] + address.bytes + [UInt8(ascii: "]")]
    }
    guard var name = decoded(bytes, range) else { return nil }
    if name.last == ASCII.dot { name.removeLast() }
    return isCanonical(name.span, 0..<name.count) ? name : nil
  }

  /// The characters of a name in lower case, percent-encoding undone; nil if there is another.
  private static func decoded(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8]? {
    var name: [UInt8] = []
    name.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      var byte = bytes[index]
      index += 1
      if byte == ASCII.percent {
        guard range.upperBound - index >= 2, let high = bytes[index].hexValue,
          let low = bytes[index + 1].hexValue
        else { return nil }
        byte = high << 4 | low
        index += 2
      }
      byte = byte.asciiLowercased
      guard byte.isCanonicalHost else { return nil }
      name.append(byte)
    }
    return name
  }

  /// True if all of `range` is a name or an IPv4 address in canonical form. O(bytes).
  static func isCanonical(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    endOfCanonical(bytes, range) == range.upperBound
  }

  /// The index after the name or IPv4 address at the start of `range` if that is in canonical form; nil where
  /// something is not. O(bytes).
  @inline(__always)
  static func endOfCanonical(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    var index = range.lowerBound
    var label = index
    while index < range.upperBound, bytes[index].isCanonicalHost {
      if bytes[index] == ASCII.dot {
        // Labels are not empty.
        if index == label || index &- label > longestLabel { return nil }
        label = index &+ 1
      }
      index &+= 1
    }
    guard index > label, index &- label <= longestLabel,
      index &- range.lowerBound <= longest
    else { return nil }
    // A last label of digits alone is an attempt at IPv4 (WHATWG URL §3.5 says the same).
    if bytes[index &- 1].isDigit, !endsInName(bytes, range.lowerBound..<index, label) { return nil }
    return index
  }

  @inline(never)
  private static func endsInName(_ bytes: Span<UInt8>, _ host: Range<Int>, _ label: Int) -> Bool {
    for index in label..<host.upperBound where !bytes[index].isDigit { return true }
    return IPAddress.ipv4(bytes, host) != nil
  }
}
