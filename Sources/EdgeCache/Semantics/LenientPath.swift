// What servers take paths for that decode more than RFC 3986 asks for. A PoP cannot know which server is behind it, and
// what it takes for a page of the site must not be what the server takes for a request of one user. So a path that any
// known kind of server would read as another one is looked at in all those readings.
//
// | kind of server | reads |
// |---|---|
// | does not follow dot segments (many routers of applications) | `/x/../y` as it is written, so as something below `/x` |
// | decodes `%2F` before it routes, or twice (`%252F`) | `/x%2Fy`, `/x%252Fy` as `/x/y` |
// | merges slashes (nginx), takes backslashes for slashes (IIS) | `//x\y` as `/x/y` |
// | takes parameters out of segments (Tomcat, Spring) | `/x;v=1/y` as `/x/y`, `/..;/` as `/../` |
// | leaves out dots and spaces at the end of names (Windows) | `/x./y%20` as `/x/y` |
// | ends at NUL, leaves out control characters | `/x%00` as `/x` |
// | takes overlong or full-width forms of UTF-8 for ASCII, knows `%uXXXX` | `%C0%AF` as `/` |
// | takes capital letters for small ones (Windows, Express) | `/X` as `/x` |

/// One reading of a path.
public struct LenientPath: Sendable, Hashable {
  /// The path: small letters, one slash between segments, no parameters, no single dots.
  public let path: [UInt8]
  /// True if it has segments of two dots, which may lead anywhere.
  public let climbs: Bool

  /// How often percent-encoding is undone at most.
  static let mostRounds = 4

  /// The readings of a path without its query: as it is, and decoded again and again. Nil if it can be
  /// decoded more often than any server does. O(bytes).
  public static func readings(of path: some Collection<UInt8>) -> [LenientPath]? {
    var text = Array(path)
    var readings = [LenientPath(text)]
    for _ in 0..<mostRounds {
      let decoded = plainASCII(decoding(text))
      if decoded == text { return readings }
      text = decoded
      readings.append(LenientPath(text))
    }
    return decoding(text) == text ? readings : nil
  }

  /// True if the segments that a prefix consists of are among those of the path, in their order: so a server that
  /// follows some of its `..` may come to the prefix. O(bytes).
  public func mayClimb(to prefix: [UInt8]) -> Bool {
    guard climbs else { return false }
    var rest = path[...].split(separator: ASCII.slash)[...]
    let parts = prefix.split(separator: ASCII.slash)
    for (index, part) in parts.enumerated() {
      // The last one is a whole segment only if a slash follows.
      let isOpen = index == parts.count - 1 && prefix.last != ASCII.slash
      guard let place = rest.firstIndex(where: { isOpen ? $0.starts(with: part) : $0 == part })
      else { return false }
      rest = rest[(place + 1)...]
    }
    return true
  }

  /// Reads slashes, parameters, dots, spaces and control characters as the servers above do.
  private init(_ text: [UInt8]) {
    var path: [UInt8] = []
    path.reserveCapacity(text.count)
    var climbs = false
    var rest = text[...]
    if rest.first == ASCII.slash { rest = rest.dropFirst() }
    while true {
      let end = rest.firstIndex(where: Self.isSeparator) ?? rest.endIndex
      var name: [UInt8] = []
      for byte in rest[..<end].prefix(while: { $0 != ASCII.semicolon })
      where byte >= ASCII.space && byte != 0x7F {
        name.append(byte.asciiLowercased)
      }
      let isUp = name.count { $0 == ASCII.dot } > 1 && name.allSatisfy(Self.isDotOrSpace)
      while let last = name.last, Self.isDotOrSpace(last) { name.removeLast() }
      if isUp {
        climbs = true
        name = Array("..".utf8)
      }
      if !name.isEmpty {
        path.append(ASCII.slash)
        path += name
      }
      if end == rest.endIndex {
        if name.isEmpty { path.append(ASCII.slash) }
        break
      }
      rest = rest[(end + 1)...]
    }
    (self.path, self.climbs) = (path, climbs)
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == ASCII.slash || byte == ASCII.backslash || byte == 0
  }

  private static func isDotOrSpace(_ byte: UInt8) -> Bool {
    byte == ASCII.dot || byte == ASCII.space
  }

  /// Undoes all percent-encoding once, and `%uXXXX` of ASCII.
  private static func decoding(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(ASCII.percent) else { return text }
    let span = text.span
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if let byte = span.escaped(at: index) {
        result.append(byte)
        index += 3
      } else if text[index] == ASCII.percent, index + 5 < text.count,
        text[index + 1] | 0x20 == UInt8(ascii: "u"), text[index + 2] == ASCII.zero,
        text[index + 3] == ASCII.zero, let high = text[index + 4].hexValue,
        let low = text[index + 5].hexValue
      {
        result.append(high << 4 | low)
        index += 6
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return result
  }

  /// ASCII in the place of its overlong forms (RFC 3629 §3 forbids them) and of its full-width forms (U+FF01 to U+FF5E).
  private static func plainASCII(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(where: { $0 >= 0xC0 }) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var rest = text[...]
    while let first = rest.first {
      let count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
      let form = rest.prefix(count)
      if count > 1, form.count == count, form.dropFirst().allSatisfy({ $0 & 0xC0 == 0x80 }) {
        var value = UInt32(first) & (0x7F >> UInt32(count))
        for byte in form.dropFirst() { value = value << 6 | UInt32(byte & 0x3F) }
        if (0xFF01...0xFF5E).contains(value) { value -= 0xFEE0 }
        if value < 0x80 {
          result.append(UInt8(value))
        } else {
          result += form
        }
        rest = rest.dropFirst(count)
      } else {
        result.append(first)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
