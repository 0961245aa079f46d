// The strings and numbers of one JSON object, and of the objects in it. A log has many fields of which few are wanted, so
// values stay where they are until they are asked for. Logs that were made with a template are not always right JSON:
// escapes that JSON does not have (`\x22`) are read as what they mean.

/// The fields of one JSON object.
struct JSONFields {
  private struct Field {
    /// The name, behind that of the object around it and a full stop.
    var name: [UInt8]
    /// What stands between the quotes, or the number.
    var value: Range<Int>
  }

  private let text: ArraySlice<UInt8>
  private var fields: [Field] = []

  /// Deeper objects are left out, as far as they go; beyond this a line is no log's.
  private static let deepest = 64

  /// Reads an object; nil for anything else.
  init?(_ line: ArraySlice<UInt8>) {
    text = line
    var place = line.startIndex
    skipSpace(&place)
    guard object(&place, prefix: [], depth: 0) else { return nil }
    skipSpace(&place)
    guard place == line.endIndex else { return nil }
  }

  /// The first value that is there of fields with these names; `request.uri` is `uri` in the object `request`. A value
  /// that is null or `-` is not there.
  func first(_ names: [String]) -> [UInt8]? {
    for name in names {
      guard let field = fields.first(where: { $0.name.elementsEqual(name.utf8) }) else { continue }
      let value = Words.unescapedJSON(text[field.value])
      if !value.elementsEqual("-".utf8) { return value }
    }
    return nil
  }

  // MARK: Reading

  private func skipSpace(_ place: inout Int) {
    while place < text.endIndex, [0x20, 0x09, 0x0A, 0x0D].contains(text[place]) { place += 1 }
  }

  private func take(_ byte: UInt8, _ place: inout Int) -> Bool {
    skipSpace(&place)
    guard place < text.endIndex, text[place] == byte else { return false }
    place += 1
    return true
  }

  private mutating func object(_ place: inout Int, prefix: [UInt8], depth: Int) -> Bool {
    guard depth < Self.deepest, take(UInt8(ascii: "{"), &place) else { return false }
    if take(UInt8(ascii: "}"), &place) { return true }
    repeat {
      guard let name = string(&place), take(UInt8(ascii: ":"), &place) else { return false }
      guard value(&place, name: prefix + text[name], depth: depth) else { return false }
    } while take(UInt8(ascii: ","), &place)
    return take(UInt8(ascii: "}"), &place)
  }

  private mutating func array(_ place: inout Int, depth: Int) -> Bool {
    guard depth < Self.deepest, take(UInt8(ascii: "["), &place) else { return false }
    if take(UInt8(ascii: "]"), &place) { return true }
    repeat {
      guard value(&place, name: nil, depth: depth) else { return false }
    } while take(UInt8(ascii: ","), &place)
    return take(UInt8(ascii: "]"), &place)
  }

  /// A value; without a name it is not kept.
  private mutating func value(_ place: inout Int, name: [UInt8]?, depth: Int) -> Bool {
    skipSpace(&place)
    guard place < text.endIndex else { return false }
    switch text[place] {
    case UInt8(ascii: "{"):
      // Of an object in an object in an object nothing is wanted.
      let isDeep = depth > 0 || name == nil
      let before = fields.count
      guard object(&place, prefix: (name ?? []) + [UInt8(ascii: ".")], depth: depth + 1) else {
        return false
      }
      if isDeep { fields.removeLast(fields.count - before) }
      return true
    case UInt8(ascii: "["):
      return array(&place, depth: depth + 1)
    case UInt8(ascii: "\""):
      guard let range = string(&place) else { return false }
      if let name { fields.append(Field(name: name, value: range)) }
      return true
    default:
      let start = place
      while place < text.endIndex, !",]} \t".utf8.contains(text[place]) { place += 1 }
      let word = text[start..<place]
      guard let first = word.first else { return false }
      if ["true", "false", "null"].contains(where: { word.elementsEqual($0.utf8) }) { return true }
      guard first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else { return false }
      if let name { fields.append(Field(name: name, value: start..<place)) }
      return true
    }
  }

  /// Where the bytes of a string are.
  private func string(_ place: inout Int) -> Range<Int>? {
    guard take(UInt8(ascii: "\""), &place) else { return nil }
    let start = place
    while place < text.endIndex {
      if text[place] == UInt8(ascii: "\"") {
        place += 1
        return start..<(place - 1)
      }
      place += text[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    return nil
  }
}

extension Words {
  /// The bytes that JSON writes with escapes; those of Apache are read, too.
  static func unescapedJSON(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    guard bytes.contains(UInt8(ascii: "\\")) else { return Array(bytes) }
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let escaped = rest.first else {
        result.append(byte)
        continue
      }
      if escaped == UInt8(ascii: "u"), let unit = unit(rest.dropFirst()) {
        rest = rest.dropFirst(5)
        var scalar = UInt32(unit)
        if (0xD800...0xDBFF).contains(unit), rest.starts(with: "\\u".utf8),
          let low = self.unit(rest.dropFirst(2)), (0xDC00...0xDFFF).contains(low)
        {
          scalar = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
          rest = rest.dropFirst(6)
        }
        result += Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
      } else {
        let count = escaped == UInt8(ascii: "x") ? 3 : 1
        result += unescaped([byte] + rest.prefix(count))
        rest = rest.dropFirst(count)
      }
    }
    return result
  }

  private static func unit(_ digits: ArraySlice<UInt8>) -> UInt16? {
    let four = digits.prefix(4)
    guard four.count == 4, four.first != UInt8(ascii: "+") else { return nil }
    return UInt16(String(decoding: four, as: UTF8.self), radix: 16)
  }
}
