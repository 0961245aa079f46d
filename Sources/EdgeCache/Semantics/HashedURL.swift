// URLs that name their content by its hash, as build tools write them.
//
// A wrong yes keeps a changing file for a year, a wrong no costs a validation. So the last part of
// the file name must look like a digest and like nothing that people number files with: versions,
// dates, sizes, words, years and UUIDs are turned down. It applies only where the origin says
// nothing about freshness.

/// Tells whether a path ends in a file name that holds a hash of the content.
public enum HashedURL {
  /// True for paths such as `/assets/app-abc123.js`, `main.3f2a9c1b.css` and `index-BfX2bXyz.js`;
  /// false for `jquery-3.7.1.min.js`, `photo-20240101.jpg` and `icon-128x128.png`. O(path).
  public static func matches(_ path: Span<UInt8>) -> Bool {
    let end = path.firstIndex(of: ASCII.question, in: 0..<path.count) ?? path.count
    var start = end
    while start > 0, path[start - 1] != ASCII.slash { start -= 1 }
    guard let stem = stem(path, start..<end) else { return false }
    // A name must come before the hash: `/users/abc123.png` is somebody's, not a build tool's.
    var separator = stem.upperBound - 1
    while separator > stem.lowerBound {
      if path[separator] == ASCII.dot { break }
      if path[separator] == ASCII.dash { break }
      separator -= 1
    }
    guard separator > stem.lowerBound else { return false }
    let token = (separator + 1)..<stem.upperBound
    if isDigest(path, token, isCode: isCode(path, end)) { return !isUUID(path, stem) }
    // base64url digests may have a dash or underscore of their own: eight characters after a dash.
    let eight = stem.upperBound - 8
    if eight - 1 > stem.lowerBound, path[eight - 1] == ASCII.dash, eight <= token.lowerBound {
      return isMixedDigest(path, eight..<stem.upperBound)
    }
    return false
  }

  /// The file name without the extension of what build tools write, and without `.min`, `.chunk` or
  /// `.bundle` before it; nil for other files.
  private static func stem(_ path: Span<UInt8>, _ name: Range<Int>) -> Range<Int>? {
    guard let dot = lastDot(path, name), isBuildOutput(path.extracting((dot + 1)..<name.upperBound))
    else { return nil }
    var stem = name.lowerBound..<dot
    while let inner = lastDot(path, stem) {
      let part = path.extracting((inner + 1)..<stem.upperBound)
      guard
        part.equalsIgnoringCase("min") || part.equalsIgnoringCase("chunk")
          || part.equalsIgnoringCase("bundle") || part.equalsIgnoringCase("js")
          || part.equalsIgnoringCase("css") || part.equalsIgnoringCase("module")
      else { break }
      stem = stem.lowerBound..<inner
    }
    return stem.isEmpty ? nil : stem
  }

  private static func lastDot(_ path: Span<UInt8>, _ range: Range<Int>) -> Int? {
    var index = range.upperBound
    while index > range.lowerBound {
      index -= 1
      if path[index] == ASCII.dot { return index }
    }
    return nil
  }

  /// Extensions of what build tools name by hash; documents and data are left out, because there
  /// the last part is more often somebody's identifier.
  private static func isBuildOutput(_ ending: Span<UInt8>) -> Bool {
    switch ending.count {
    case 2: ending.equalsIgnoringCase("js")
    case 3:
      ending.equalsIgnoringCase("css") || ending.equalsIgnoringCase("mjs")
        || ending.equalsIgnoringCase("map") || ending.equalsIgnoringCase("png")
        || ending.equalsIgnoringCase("jpg") || ending.equalsIgnoringCase("gif")
        || ending.equalsIgnoringCase("svg") || ending.equalsIgnoringCase("ico")
        || ending.equalsIgnoringCase("ttf") || ending.equalsIgnoringCase("otf")
        || ending.equalsIgnoringCase("eot") || ending.equalsIgnoringCase("mp4")
        || ending.equalsIgnoringCase("mp3") || ending.equalsIgnoringCase("cjs")
    case 4:
      ending.equalsIgnoringCase("woff") || ending.equalsIgnoringCase("webp")
        || ending.equalsIgnoringCase("avif") || ending.equalsIgnoringCase("jpeg")
        || ending.equalsIgnoringCase("wasm") || ending.equalsIgnoringCase("webm")
    case 5: ending.equalsIgnoringCase("woff2")
    default: false
    }
  }

  /// What a token is made of.
  private struct Shape {
    var lower = 0
    var upper = 0
    var digits = 0
    var other = 0
    var allHex = true
    /// How often the kind of character changes: digests change often, words and numbers seldom.
    var changes = 0
    /// A digit that comes before a letter; names that people number have theirs at the end.
    var hasInnerDigit = false

    init(_ path: Span<UInt8>, _ range: Range<Int>) {
      var last: UInt8 = 0
      for index in range {
        let byte = path[index]
        let kind: UInt8
        if byte.isDigit {
          digits += 1
          kind = 1
        } else if byte &- 0x61 < 26 {
          lower += 1
          kind = 2
        } else if byte &- 0x41 < 26 {
          upper += 1
          kind = 3
        } else {
          other += 1
          kind = 4
        }
        if kind == 2 || kind == 3, last == 1 { hasInnerDigit = true }
        if last != 0, kind != last { changes += 1 }
        if byte.hexValue == nil { allHex = false }
        last = kind
      }
    }
  }

  /// True for scripts and style sheets. Pictures and films are often named by a number of their
  /// own with letters before it, so that six characters tell nothing.
  private static func isCode(_ path: Span<UInt8>, _ end: Int) -> Bool {
    guard let dot = lastDot(path, 0..<end) else { return false }
    let ending = path.extracting((dot + 1)..<end)
    return ending.equalsIgnoringCase("js") || ending.equalsIgnoringCase("css")
      || ending.equalsIgnoringCase("mjs") || ending.equalsIgnoringCase("cjs")
      || ending.equalsIgnoringCase("map")
  }

  private static func isDigest(
    _ path: Span<UInt8>, _ token: Range<Int>, isCode: Bool
  ) -> Bool {
    let shape = Shape(path, token)
    guard shape.other == 0 else { return false }
    if shape.allHex, shape.lower == 0 || shape.upper == 0 {
      return isHexDigest(path, token, shape, shortest: isCode ? 6 : 8)
    }
    return isMixedDigest(path, token)
  }

  /// Hexadecimal in one case: at least 2 digits and a letter.
  private static func isHexDigest(
    _ path: Span<UInt8>, _ token: Range<Int>, _ shape: Shape, shortest: Int
  ) -> Bool {
    guard token.count >= shortest, shape.digits >= 2, shape.lower + shape.upper >= 1 else {
      return false
    }
    if token.count >= 8 { return shape.changes >= 2 }
    return !holdsYear(path, token, shape) && !isColor(path, token)
  }

  /// `ff0000`, `33ccff`: three doubled digits.
  private static func isColor(_ path: Span<UInt8>, _ token: Range<Int>) -> Bool {
    let start = token.lowerBound
    return token.count == 6 && path[start] == path[start + 1]
      && path[start + 2] == path[start + 3] && path[start + 4] == path[start + 5]
  }

  /// `feb2024`, `2024dec`: one run of letters and a year.
  private static func holdsYear(
    _ path: Span<UInt8>, _ token: Range<Int>, _ shape: Shape
  ) -> Bool {
    guard shape.changes == 1, shape.digits == 4 else { return false }
    let start =
      path[token.lowerBound].isDigit ? token.lowerBound : token.upperBound - 4
    guard let year = path.decimal(start..<(start + 4)) else { return false }
    return year >= 1900 && year < 2100
  }

  /// base62, base64url or base32: eight characters, or sixteen and more.
  private static func isMixedDigest(_ path: Span<UInt8>, _ token: Range<Int>) -> Bool {
    guard token.count == 8 || token.count == 10 || token.count >= 16 else { return false }
    for index in token {
      let byte = path[index]
      guard byte.isDigit || (byte | 0x20) &- 0x61 < 26 || byte == ASCII.dash || byte == 0x5F else {
        return false
      }
    }
    let shape = Shape(path, token)
    guard shape.digits >= 1, shape.changes >= 4 else { return false }
    if shape.upper > 0, shape.lower > 0 {
      // Underscores and dashes are what people put between words too.
      return shape.hasInnerDigit || (shape.changes >= 5 && shape.other == 0)
    }
    // One case and digits: sizes such as 1920x1080 change seldom.
    return shape.hasInnerDigit && shape.other == 0
  }

  /// True if the stem ends in 8-4-4-4-12 hexadecimal digits: an identifier, not a hash.
  private static func isUUID(_ path: Span<UInt8>, _ stem: Range<Int>) -> Bool {
    guard stem.count >= 36 else { return false }
    let start = stem.upperBound - 36
    for offset in 0..<36 {
      let byte = path[start + offset]
      let isDashPlace = offset == 8 || offset == 13 || offset == 18 || offset == 23
      if isDashPlace ? byte != ASCII.dash : byte.hexValue == nil { return false }
    }
    return true
  }
}
