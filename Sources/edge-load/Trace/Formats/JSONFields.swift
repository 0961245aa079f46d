// The strings and numbers of one JSON object, and of the objects in it. A log has many fields of which few are wanted, so
// values stay where they are until they are asked for. Logs that were made with a template are not always right JSON:
// escapes that JSON does not have (`\x22`) are read as what they mean.

/// The fields of one JSON object.
struct JSONFields {
  private struct Field {
    /// The name of the object around it, if it is not the outermost one.
    var outer: Range<Int>?
    var name: Range<Int>
    /// What stands between the quotes, or the number.
    var value: Range<Int>
  }

  /// Where a value stands: what it is called, and whether it is wanted.
  private struct Place {
    var outer: Range<Int>?
    var name: Range<Int>?
    var depth: Int
    /// Of an object in an object in an object nothing is wanted, nor of what is in an array.
    var isKept: Bool
  }

  private let text: ArraySlice<UInt8>
  private var fields: [Field] = []
  /// Whether values that are never asked for are kept, too: null, true, false and arrays.
  private let keepsAll: Bool

  /// Beyond this a line is no log's.
  private static let deepest = 64

  /// Reads an object; nil for anything else.
  init?(_ line: ArraySlice<UInt8>, keepingAll keepsAll: Bool = false) {
    (text, self.keepsAll) = (line, keepsAll)
    fields.reserveCapacity(32)
    var place = line.startIndex
    guard object(&place, Place(depth: 0, isKept: true)) else { return nil }
    skipSpace(&place)
    guard place == line.endIndex else { return nil }
  }

  /// The first value that is there of fields with these names; `request.uri` is `uri` in the object `request`. A value
  /// that is null or `-` is not there.
  func first(_ names: [String]) -> [UInt8]? {
    for name in names {
      guard let field = fields.first(where: { isCalled($0, name.utf8) }) else { continue }
      let value = Words.unescapedJSON(text[field.value])
      if !value.elementsEqual("-".utf8) { return value }
    }
    return nil
  }

  /// The names of the fields of a line for people, as far as the first ones go; nil if it is no object.
  static func names(_ line: ArraySlice<UInt8>, most: Int = 30) -> String? {
    guard let all = JSONFields(line, keepingAll: true) else { return nil }
    let names = all.fields.prefix(most).map { field in
      let outer = field.outer.map { Words.unescapedJSON(all.text[$0]) + [UInt8(ascii: ".")] } ?? []
      return String(
        decoding: (outer + Words.unescapedJSON(all.text[field.name])).prefix(60), as: UTF8.self)
    }
    if names.isEmpty { return "no field" }
    return names.joined(separator: ", ") + (all.fields.count > most ? " and others" : "")
  }

  private func isCalled(_ field: Field, _ name: String.UTF8View) -> Bool {
    guard let outer = field.outer else { return text[field.name].elementsEqual(name) }
    return name.count == outer.count + 1 + field.name.count
      && name.prefix(outer.count).elementsEqual(text[outer])
      && name.dropFirst(outer.count).first == UInt8(ascii: ".")
      && name.suffix(field.name.count).elementsEqual(text[field.name])
  }

  // MARK: Reading

  private func skipSpace(_ place: inout Int) {
    while place < text.endIndex {
      switch text[place] {
      case 0x20, 0x09, 0x0A, 0x0D: place += 1
      default: return
      }
    }
  }

  private func take(_ byte: UInt8, _ place: inout Int) -> Bool {
    skipSpace(&place)
    guard place < text.endIndex, text[place] == byte else { return false }
    place += 1
    return true
  }

  private mutating func object(_ place: inout Int, _ here: Place) -> Bool {
    guard here.depth < Self.deepest, take(UInt8(ascii: "{"), &place) else { return false }
    if take(UInt8(ascii: "}"), &place) { return true }
    repeat {
      guard let name = string(&place), take(UInt8(ascii: ":"), &place) else { return false }
      let inner = Place(outer: here.name, name: name, depth: here.depth, isKept: here.isKept)
      guard value(&place, inner) else { return false }
    } while take(UInt8(ascii: ","), &place)
    return take(UInt8(ascii: "}"), &place)
  }

  private mutating func array(_ place: inout Int, depth: Int) -> Bool {
    guard depth < Self.deepest, take(UInt8(ascii: "["), &place) else { return false }
    if take(UInt8(ascii: "]"), &place) { return true }
    repeat {
      guard value(&place, Place(depth: depth, isKept: false)) else { return false }
    } while take(UInt8(ascii: ","), &place)
    return take(UInt8(ascii: "]"), &place)
  }

  private mutating func value(_ place: inout Int, _ here: Place) -> Bool {
    skipSpace(&place)
    guard place < text.endIndex else { return false }
    switch text[place] {
    case UInt8(ascii: "{"):
      return object(
        &place,
        Place(name: here.name, depth: here.depth + 1, isKept: here.isKept && here.depth == 0))
    case UInt8(ascii: "["):
      if keepsAll { keep(here, place..<place) }
      return array(&place, depth: here.depth + 1)
    case UInt8(ascii: "\""):
      guard let range = string(&place) else { return false }
      keep(here, range)
      return true
    default:
      let start = place
      while place < text.endIndex, !Self.ends(text[place]) { place += 1 }
      guard start < place else { return false }
      switch text[start] {
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): keep(here, start..<place)
      case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
        let word = text[start..<place]
        if keepsAll { keep(here, start..<place) }
        return word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8)
          || word.elementsEqual("null".utf8)
      default: return false
      }
      return true
    }
  }

  private mutating func keep(_ here: Place, _ value: Range<Int>) {
    guard here.isKept, let name = here.name else { return }
    fields.append(Field(outer: here.outer, name: name, value: value))
  }

  /// Whether a byte ends a number or a word.
  private static func ends(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x09, 0x0A, 0x0D: true
    default: false
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
