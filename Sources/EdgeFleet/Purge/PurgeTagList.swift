// The tags in a field of a purge. Elsewhere the field goes to a cache that compares words, or one that takes it for a
// regular expression; and who copies them from a field of responses may have them in quotes, or with a word of LiteSpeed
// before them. All that is meant by one or the other is purged.

import EdgeCache

/// What the value of a field names that has tags.
struct PurgeTagList: Equatable {
  /// The tags, as they are written and as they are stored.
  private(set) var names: [String]
  /// What is to be read as an expression besides.
  private(set) var pattern: String?
  /// True if one of them stands for all that there is.
  let isEverything: Bool

  /// Reads a value. O(bytes).
  init(_ value: String) {
    names = Self.words(value)
    var bare = names.map { Self.bare($0[...]) }
    if value.contains("\"") {
      // A group may have blanks in its name.
      bare += value.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 && !$0.element.contains(",") }
        .map { Self.words(String($0.element)).joined(separator: " ") }
    }
    isEverything = bare.contains { $0 == "*" || $0 == ".*" || $0 == ".+" }
    var seen = Set(names)
    for name in bare where !name.isEmpty && seen.insert(name).inserted { names.append(name) }
    let text = value.filter { $0 != "\"" }
    if Self.isExpression(text) {
      pattern = text
    } else if text.contains("|") {
      for name in Self.words(text.split(separator: "|").joined(separator: " "))
      where seen.insert(name).inserted {
        names.append(name)
      }
    }
  }

  private static func words(_ text: String) -> [String] {
    CacheTag.parts(text.utf8).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A tag without quotes, and without what LiteSpeed says of it.
  private static func bare(_ tag: Substring) -> String {
    var name = tag.drop { $0 == "\"" }
    while name.last == "\"" { name.removeLast() }
    for word in ["public:", "private:"] where name.hasPrefix(word) {
      return String(name.dropFirst(word.count))
    }
    return String(name)
  }

  /// True if tags hardly have what is in a text, and expressions do. Tags may be paths with a query
  /// (`/books?a[b]=1`), and names of classes (`App\Entity\Book`).
  private static func isExpression(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    func byte(_ index: Int) -> UInt8 { bytes.indices.contains(index) ? bytes[index] : 0 }
    var classStart: Int?
    for index in bytes.indices {
      switch bytes[index] {
      case UInt8(ascii: "*"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "^"),
        UInt8(ascii: "$"):
        return true
      case UInt8(ascii: "."): if byte(index + 1) == UInt8(ascii: "+") { return true }
      case UInt8(ascii: "\\"):
        let next = byte(index + 1)
        if !(0x41...0x5A).contains(next & 0xDF) || "sbdw".utf8.contains(next) { return true }
      case UInt8(ascii: "["): classStart = index
      case UInt8(ascii: "]"):
        guard let start = classStart else { break }
        if bytes[start..<index].contains(UInt8(ascii: "-"))
          || "+?{".utf8.contains(byte(index + 1))
        {
          return true
        }
        classStart = nil
      default: break
      }
    }
    return false
  }
}
