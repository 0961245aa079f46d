// By recursive descent, a byte at a time: configurations and purges are small, and every problem is to be
// found where it is.

/// Parses one JSON value.
struct JSONParser {
  /// Deeper nesting than any configuration needs; it bounds the parser's recursion.
  static let deepest = 64

  let bytes: [UInt8]
  var position = 0
  var depth = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func document() throws(JSONTree.SyntaxProblem) -> JSONTree {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    let value = try self.value()
    skipSpace()
    guard position == bytes.count else {
      throw problem(commentProblem ?? "expected the end of the file")
    }
    return value
  }

  private mutating func value() throws(JSONTree.SyntaxProblem) -> JSONTree {
    skipSpace()
    guard let byte = peek else { throw problem("the file ends where a value is expected") }
    switch byte {
    case UInt8(ascii: "{"): return .object(try members())
    case UInt8(ascii: "["): return .array(try elements())
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: return try word()
    }
  }

  private mutating func enter() throws(JSONTree.SyntaxProblem) {
    guard depth < Self.deepest else { throw problem("nested too deeply") }
    depth += 1
    position += 1
  }

  private mutating func members() throws(JSONTree.SyntaxProblem) -> [JSONTree.Member] {
    try enter()
    defer { depth -= 1 }
    var members: [JSONTree.Member] = []
    var keys: Set<String> = []
    if take("}") { return members }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else {
        if peek == UInt8(ascii: "}"), !members.isEmpty { throw trailingComma() }
        throw problem(commentProblem ?? "expected a key in double quotes")
      }
      let start = position
      let key = try string()
      guard keys.insert(key).inserted else {
        throw problem("the key \(quoted(key)) is already in this object", at: start)
      }
      guard take(":") else {
        throw problem(commentProblem ?? "expected : after the key \(quoted(key))")
      }
      members.append(.init(key: key, value: try value()))
    } while take(",")
    guard take("}") else {
      throw problem(commentProblem ?? "expected , or } after the value of a key")
    }
    return members
  }

  private mutating func elements() throws(JSONTree.SyntaxProblem) -> [JSONTree] {
    try enter()
    defer { depth -= 1 }
    var elements: [JSONTree] = []
    if take("]") { return elements }
    repeat {
      skipSpace()
      if peek == UInt8(ascii: "]"), !elements.isEmpty { throw trailingComma() }
      elements.append(try value())
    } while take(",")
    guard take("]") else { throw problem(commentProblem ?? "expected , or ] after an element") }
    return elements
  }

  private mutating func word() throws(JSONTree.SyntaxProblem) -> JSONTree {
    let words: [(String, JSONTree)] = [
      ("true", .bool(true)), ("false", .bool(false)), ("null", .null),
    ]
    for (word, value) in words where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw problem(commentProblem ?? "expected a value")
  }

  private mutating func number() throws(JSONTree.SyntaxProblem) -> JSONTree {
    let start = position
    _ = takeByte("-")
    let leading = peek
    let whole = takeDigits()
    guard whole > 0, whole == 1 || leading != UInt8(ascii: "0") else {
      throw problem("not a JSON number", at: start)
    }
    if takeByte("."), takeDigits() == 0 { throw problem("not a JSON number", at: start) }
    if takeByte("e") || takeByte("E") {
      _ = takeByte("+") || takeByte("-")
      if takeDigits() == 0 { throw problem("not a JSON number", at: start) }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw problem("a number too large", at: start)
    }
    return .number(value, text: text)
  }

  private mutating func string() throws(JSONTree.SyntaxProblem) -> String {
    let start = position
    position += 1
    var content: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let text = String(validating: content, as: UTF8.self) else {
          throw problem("a string which is not UTF-8", at: start)
        }
        return text
      case UInt8(ascii: "\\"): content += try escape()
      case 0..<0x20: throw problem("a line break or control character inside a string")
      default:
        content.append(byte)
        position += 1
      }
    }
    throw problem("a string which is not closed", at: start)
  }

  private mutating func escape() throws(JSONTree.SyntaxProblem) -> [UInt8] {
    let start = position
    position += 1
    guard let byte = peek else { throw problem("a string which is not closed", at: start) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      guard var scalar = takeHexQuad() else { break }
      if (0xD800..<0xDC00).contains(scalar) {
        guard takeByte("\\"), takeByte("u"), let low = takeHexQuad(), (0xDC00..<0xE000) ~= low
        else { break }
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let unicode = Unicode.Scalar(scalar) else { break }
      return Array(String(Character(unicode)).utf8)
    default: break
    }
    throw problem("an escape which JSON does not have", at: start)
  }

  private mutating func takeHexQuad() -> UInt32? {
    guard bytes.count - position >= 4 else { return nil }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = byte.hexadecimal else { return nil }
      value = value << 4 + UInt32(digit)
    }
    position += 4
    return value
  }

  // MARK: - What other formats have

  /// What is wrong where a comment begins that other formats have; nil where none does.
  private var commentProblem: String? {
    let rest = bytes[position...]
    let isComment = ["//", "/*", "#"].contains { rest.starts(with: $0.utf8) }
    return isComment ? "a comment, which JSON does not have; remove it" : nil
  }

  /// The comma that was taken last, with nothing behind it.
  private func trailingComma() -> JSONTree.SyntaxProblem {
    let comma = bytes[..<position].lastIndex(of: UInt8(ascii: ","))
    return problem(
      "a comma behind the last one, which JSON does not have; remove it", at: comma)
  }

  // MARK: - Bytes

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || (0x09...0x0A) ~= byte || byte == 0x0D { position += 1 }
  }

  /// Takes `character` after any white space.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    return takeByte(character)
  }

  private mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func takeDigits() -> Int {
    let start = position
    while let byte = peek, byte.isDigit { position += 1 }
    return position - start
  }

  private func problem(_ reason: String, at place: Int? = nil) -> JSONTree.SyntaxProblem {
    let before = bytes[..<(place ?? position)]
    let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    return .init(
      line: before.count { $0 == 0x0A } + 1, column: before.count - lineStart + 1, reason: reason)
  }
}
