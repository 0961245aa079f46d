// What servers take paths for that decode more than RFC 3986 asks for. A PoP cannot know which server is behind it, and
// what it takes for a page of the site must not be what the server takes for a request of one user. So a path that any
// known kind of server would read as another one is looked at in all those readings, and in those of servers that do some of
// this and not the rest.
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

/// What a server may do with a path, or may not. Case is no part of it: routes are compared both ways.
private struct Leniency: OptionSet {
  let rawValue: UInt8

  /// It takes parameters out before it decodes.
  static let cutsEarly = Leniency(rawValue: 1)
  /// It takes them out afterwards.
  static let cutsLate = Leniency(rawValue: 2)
  /// Backslashes are slashes.
  static let backslashes = Leniency(rawValue: 4)
  /// The path ends at NUL.
  static let ends = Leniency(rawValue: 8)
  /// It leaves out control characters.
  static let skips = Leniency(rawValue: 16)
  /// It leaves out dots and spaces at the end of names.
  static let tails = Leniency(rawValue: 32)
  /// It leaves out empty segments and those of one dot.
  static let merges = Leniency(rawValue: 64)
  /// It knows other forms of ASCII.
  static let forms = Leniency(rawValue: 128)
}

/// One reading of a path.
public struct LenientPath: Sendable, Hashable {
  /// The path as one kind of server has it.
  public let path: [UInt8]

  /// How often percent-encoding is undone at most.
  static let mostRounds = 4
  /// In how many ways at most servers may differ over one path; in a long one, fewer.
  static let (mostWays, mostWaysOfLong, long) = (5, 3, 1024)

  /// All readings of a path without its query, each once: nothing undone, and decoded again and again, by servers that
  /// do some of what the table says and leave the rest. Nil if there are more than anybody could mean. O(bytes ×
  /// readings), with at most 160 readings.
  public static func readings(of path: [UInt8]) -> [LenientPath]? {
    var found: [LenientPath] = []
    for early in path.contains(ASCII.semicolon) ? [[], .cutsEarly] : [[]] as [Leniency] {
      var text = early.isEmpty ? path : withoutParameters(path)
      for round in 0...mostRounds {
        let ways = self.ways(of: text)
        guard ways.count <= (text.count > long ? mostWaysOfLong : mostWays) else { return nil }
        for number in 0..<(1 << ways.count) {
          let chosen = ways.indices.reduce(Leniency()) {
            number >> $1 & 1 == 0 ? $0 : $0.union(ways[$1])
          }
          let reading = LenientPath(path: Self.read(text, chosen))
          if !found.contains(reading) { found.append(reading) }
        }
        let decoded = decoding(text)
        if decoded == text { break }
        if round == mostRounds { return nil }
        text = decoded
      }
    }
    return found
  }

  /// True if it has segments of two dots, and the segments that a prefix consists of are among those of the path, in
  /// their order: so a server that follows some of the dots may come to the prefix. O(bytes).
  public func mayClimb(to prefix: [UInt8]) -> Bool {
    var rest = path.split(separator: ASCII.slash)[...]
    guard rest.contains(where: { $0.elementsEqual("..".utf8) }) else { return false }
    let parts = prefix.split(separator: ASCII.slash)
    for (index, part) in parts.enumerated() {
      // The last one is a whole segment only if a slash follows.
      let isOpen = index == parts.count - 1 && prefix.last != ASCII.slash
      guard
        let place = rest.firstIndex(where: { name in
          (isOpen ? name.prefix(part.count) : name).lazy.map(\.asciiLowercased)
            .elementsEqual(part.lazy.map(\.asciiLowercased))
        })
      else { return false }
      rest = rest[(place + 1)...]
    }
    return true
  }

  /// The ways in which servers differ over a path as it is now.
  private static func ways(of text: [UInt8]) -> [Leniency] {
    var all: Leniency = []
    var before = ASCII.slash
    for byte in text.dropFirst() {
      switch byte {
      case ASCII.semicolon: all.insert(.cutsLate)
      case ASCII.backslash: all.insert(.backslashes)
      case 0: all.formUnion([.ends, .skips])
      case 1..<ASCII.space, 0x7F: all.insert(.skips)
      case 0xC0...: all.insert(.forms)
      default: break
      }
      if before == ASCII.slash, byte == ASCII.slash || byte == ASCII.dot { all.insert(.merges) }
      if isDotOrSpace(byte) { all.insert(.tails) }
      before = byte
    }
    if all.contains(.tails) || !all.isDisjoint(with: [.cutsLate, .backslashes, .skips, .forms]) {
      // What is left of a name may be nothing, or dots.
      all.insert(.merges)
    }
    return (0..<8).map { Leniency(rawValue: 1 << $0) }.filter(all.contains)
  }

  private static func read(_ text: [UInt8], _ ways: Leniency) -> [UInt8] {
    var text = ways.contains(.forms) ? plainASCII(text) : text
    if ways.contains(.ends), let end = text.firstIndex(of: 0) { text.removeSubrange(end...) }
    if ways.contains(.skips) { text.removeAll { $0 < ASCII.space || $0 == 0x7F } }
    if ways.contains(.backslashes) {
      for index in text.indices where text[index] == ASCII.backslash { text[index] = ASCII.slash }
    }
    if ways.contains(.cutsLate) { text = withoutParameters(text) }
    guard !ways.isDisjoint(with: [.tails, .merges]) else { return text }
    var path: [UInt8] = []
    path.reserveCapacity(text.count)
    let names = text.dropFirst().split(separator: ASCII.slash, omittingEmptySubsequences: false)
    for (index, name) in names.enumerated() {
      var name = name
      if ways.contains(.tails) {
        let isUp = name.count { $0 == ASCII.dot } > 1 && name.allSatisfy(isDotOrSpace)
        while !isUp, let last = name.last, isDotOrSpace(last) { name.removeLast() }
        if isUp { name = [ASCII.dot, ASCII.dot] }
      }
      let isNothing = name.isEmpty || name.elementsEqual(".".utf8)
      if !ways.contains(.merges) || !isNothing {
        path.append(ASCII.slash)
        path += name
      } else if index == names.count - 1 {
        path.append(ASCII.slash)
      }
    }
    return path
  }

  private static func withoutParameters(_ text: [UInt8]) -> [UInt8] {
    var isParameter = false
    return text.filter { byte in
      isParameter = byte != ASCII.slash && (isParameter || byte == ASCII.semicolon)
      return !isParameter
    }
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
