// One resource, many spellings (RFC 3986 §6.2.2): `/%61`, `/./a` and `/x/../a` are `/a`. What is decided by names (routes,
// purges, digests in file names) goes by the normal form. The key, and what goes upstream, stay as the client wrote them:
// signatures cover those bytes, and an origin that answers `/%61` with an error must not be able to spoil `/a`.
//
// Most targets are in normal form and have nothing that could be read in two ways; one look at eight bytes at a time
// (`HeadScanner.mayBeRespelled`) finds that out.

/// How path and query are written.
struct TargetShape: OptionSet, Sendable, Hashable {
  let rawValue: UInt8

  /// It is not in normal form.
  static let respelled = TargetShape(rawValue: 1)
  /// Servers read the path in more than one way: it has dot segments, empty ones, parameters, backslashes,
  /// percent-encoded characters that mean something in a path, or segments that end with a dot or a space.
  static let ambiguous = TargetShape(rawValue: 2)
  /// What looks like the last segment may not be the end of the path for the server.
  static let disguised = TargetShape(rawValue: 4)

  /// The shape of path and query in `bytes` from `start` on. O(bytes).
  @inline(__always)
  init(_ bytes: Span<UInt8>, from start: Int) {
    self = HeadScanner.mayBeRespelled(bytes, from: start) ? Self.look(bytes, from: start) : []
  }

  init(rawValue: UInt8) { self.rawValue = rawValue }

  @inline(never)
  private static func look(_ bytes: Span<UInt8>, from start: Int) -> TargetShape {
    var shape: TargetShape = []
    var index = start
    var segment = start + 1
    while index < bytes.count {
      switch bytes[index] {
      case ASCII.percent:
        shape.formUnion(escape(bytes, at: index))
        if bytes.hasEscape(at: index) { index += 2 }
      case ASCII.slash:
        if index > start { shape.formUnion(ended(bytes, segment..<index, isLast: false)) }
        segment = index + 1
      case ASCII.semicolon, ASCII.backslash: shape.formUnion([.ambiguous, .disguised])
      case ASCII.question:
        shape.formUnion(ended(bytes, segment..<index, isLast: true))
        return shape.union(query(bytes, from: index + 1))
      // What follows is the number of a piece.
      case 0: return shape.union(ended(bytes, segment..<index, isLast: true))
      default: break
      }
      index += 1
    }
    return shape.union(ended(bytes, segment..<index, isLast: true))
  }

  /// What a segment says that lies in `range`.
  private static func ended(
    _ bytes: Span<UInt8>, _ range: Range<Int>, isLast: Bool
  ) -> TargetShape {
    guard !range.isEmpty else { return isLast ? [] : .ambiguous }
    guard bytes[range.upperBound - 1] == ASCII.dot else { return [] }
    let isDotSegment = range.count == 1 || range.count == 2 && bytes[range.lowerBound] == ASCII.dot
    return isDotSegment ? [.respelled, .ambiguous] : .ambiguous
  }

  /// What a percent sign in the path says.
  private static func escape(_ bytes: Span<UInt8>, at index: Int) -> TargetShape {
    guard let byte = bytes.escaped(at: index) else { return [.respelled, .ambiguous, .disguised] }
    if byte == ASCII.dot { return [.respelled, .ambiguous] }
    if byte.isUnreserved { return .respelled }
    var shape: TargetShape = bytes.isUppercaseEscape(at: index) ? [] : .respelled
    switch byte {
    case ASCII.slash, ASCII.backslash, ASCII.semicolon, ASCII.percent, ASCII.question, ASCII.hash,
      0...0x1F, 0x7F, 0xC0, 0xC1:
      shape.formUnion([.ambiguous, .disguised])
    // A space, which may end a segment; and how overlong and full-width forms of ASCII begin.
    case ASCII.space, 0xE0, 0xEF, 0xF0: shape.formUnion(.ambiguous)
    default: break
    }
    return shape
  }

  private static func query(_ bytes: Span<UInt8>, from start: Int) -> TargetShape {
    var index = start
    while index < bytes.count, bytes[index] != 0 {
      if bytes[index] == ASCII.percent {
        guard let byte = bytes.escaped(at: index), !byte.isUnreserved,
          bytes.isUppercaseEscape(at: index)
        else { return .respelled }
        index += 2
      }
      index += 1
    }
    return []
  }
}

/// The normal form of paths and queries.
enum NormalTarget {
  /// `target`, a path with its query, in normal form: percent-encoding of unreserved characters undone, that of others
  /// in upper case, and no dot segments (RFC 3986 §6.2.2). What follows a NUL is left alone. O(bytes).
  static func of(_ target: some Collection<UInt8>) -> [UInt8] {
    let end = target.firstIndex(of: 0) ?? target.endIndex
    let decoded = decodingUnreserved(target[..<end])
    let question = decoded.firstIndex(of: ASCII.question) ?? decoded.endIndex
    var result = removingDotSegments(decoded[..<question])
    result += decoded[question...]
    result += target[end...]
    return result
  }

  /// Undoes percent-encoding of unreserved characters, and writes that of others in upper case (§6.2.2.1, §6.2.2.2). A
  /// percent sign without digits is one for itself, as servers take it: what becomes of the rest cannot make it another.
  static func decodingUnreserved(_ text: some Collection<UInt8>) -> [UInt8] {
    let bytes = Array(text)
    let span = bytes.span
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      guard bytes[index] == ASCII.percent else {
        result.append(bytes[index])
        index += 1
        continue
      }
      guard let byte = span.escaped(at: index) else {
        result += "%25".utf8
        index += 1
        continue
      }
      if byte.isUnreserved {
        result.append(byte)
      } else {
        result.append(ASCII.percent)
        for digit in bytes[index + 1...index + 2] {
          result.append(digit >= UInt8(ascii: "a") ? digit & 0xDF : digit)
        }
      }
      index += 3
    }
    return result
  }

  /// A path without `.` and `..` (§5.2.4).
  static func removingDotSegments(_ path: ArraySlice<UInt8>) -> [UInt8] {
    guard path.first == ASCII.slash else { return Array(path) }
    var kept: [ArraySlice<UInt8>] = []
    let segments = path.split(separator: ASCII.slash, omittingEmptySubsequences: false).dropFirst()
    for (index, segment) in segments.enumerated() {
      let isLast = index == segments.count - 1
      if segment.elementsEqual(".".utf8) {
        if isLast { kept.append([]) }
      } else if segment.elementsEqual("..".utf8) {
        if !kept.isEmpty { kept.removeLast() }
        if isLast { kept.append([]) }
      } else {
        kept.append(segment)
      }
    }
    var result: [UInt8] = []
    result.reserveCapacity(path.count)
    for segment in kept {
      result.append(ASCII.slash)
      result += segment
    }
    return result
  }
}

/// Prefixes of paths, as configurations and purges have them.
public enum PathPrefix {
  /// A prefix, with the beginning of a query or without, in normal form. O(bytes).
  public static func normal(_ prefix: String) -> String {
    String(decoding: NormalTarget.of(Array(prefix.utf8)), as: UTF8.self)
  }

  /// True if targets can begin so: the prefix ends neither within a percent-encoded byte nor in a dot segment, which
  /// would take back what is before it. O(bytes).
  public static func isBeginning(_ prefix: String) -> Bool {
    let bytes = Array(prefix.utf8)
    guard !bytes.suffix(2).contains(ASCII.percent) else { return false }
    if bytes.contains(ASCII.question) { return true }
    let last =
      NormalTarget.decodingUnreserved(bytes).split(
        separator: ASCII.slash, omittingEmptySubsequences: false
      ).last ?? []
    return last.isEmpty || last.count > 2 || !last.allSatisfy { $0 == ASCII.dot }
  }

  /// True if each percent sign stands before two hexadecimal digits (RFC 3986 §2.1). O(bytes).
  public static func isEncoded(_ prefix: String) -> Bool {
    let bytes = Array(prefix.utf8)
    return bytes.indices.allSatisfy { bytes[$0] != ASCII.percent || bytes.span.hasEscape(at: $0) }
  }
}

extension UInt8 {
  /// True for characters that mean the same percent-encoded or not (RFC 3986 §2.3).
  var isUnreserved: Bool {
    isDigit || (self | 0x20) &- 0x61 < 26 || self == ASCII.dash || self == ASCII.dot
      || self == UInt8(ascii: "_") || self == UInt8(ascii: "~")
  }
}

extension Span<UInt8> {
  /// The byte that a percent sign and two digits at `index` stand for; nil if they are not there.
  func escaped(at index: Int) -> UInt8? {
    guard index + 2 < count, self[index] == ASCII.percent, let high = self[index + 1].hexValue,
      let low = self[index + 2].hexValue
    else { return nil }
    return high << 4 | low
  }

  func hasEscape(at index: Int) -> Bool { escaped(at: index) != nil }

  /// True if the digits of the escape at `index` are in upper case.
  func isUppercaseEscape(at index: Int) -> Bool {
    self[index + 1] < UInt8(ascii: "a") && self[index + 2] < UInt8(ascii: "a")
  }
}
