// Regular expressions that name tags, as plug-ins written for Varnish send them to be matched against the list of
// tags of a response: `((^|,)cat_p_1(,|$))|((^|,)cat_c_3(,|$))`, `(^|\s)(node:1|node:2)(\s|$)`, `a|b`, `.*`.
//
// What such an expression matches is told as a set of tags if that set is finite, and each of them is whole: between
// two borders, or with none on either side, as those are written who mean `a|b` as a list. Where a list may begin, end or go
// on (`^`, `$`, a comma, a blank) is where tags are kept apart.

/// What a pattern of tags means.
enum TagPattern: Equatable {
  /// These tags, each once.
  case tags([String])
  /// All that has tags.
  case everything

  /// The most tags, and on the way to them the most strings, of one pattern.
  static let most = 16_384

  /// Reads a pattern; nil if it is none, or what it matches is not a finite set. O(bytes + strings).
  init?(_ text: some StringProtocol) {
    var reader = Reader(rest: Substring(text)[...])
    guard let strings = reader.alternatives(), reader.rest.isEmpty else { return nil }
    if strings.contains(Reader.anything) {
      self = .everything
      return
    }
    // What is held to the border of a tag on one side alone matches all that begin or end so; what has nothing but
    // borders matches every list.
    let isWider = strings.contains { string in
      (string.first == Reader.border) != (string.last == Reader.border)
        || string.allSatisfy { $0 == Reader.border }
    }
    guard !isWider else { return nil }
    var seen: Set<[UInt8]> = []
    var tags: [String] = []
    for string in strings where !string.contains(Reader.any) {
      for tag in string.split(separator: Reader.border) where seen.insert(Array(tag.utf8)).inserted
      {
        tags.append(String(tag))
      }
    }
    guard !tags.isEmpty, !strings.contains(where: { $0.contains(Reader.any) }) else { return nil }
    self = .tags(tags)
  }

  /// Reads alternatives of sequences of characters, groups and borders.
  private struct Reader {
    var rest: Substring
    private var depth = 0

    /// What keeps tags apart; no tag has it.
    static let border: Character = ","
    /// Anything at all; no tag has it either.
    static let any: Character = "\u{0}"
    static let anything = String(any)
    private static let deepest = 32

    init(rest: Substring) { self.rest = rest }

    /// What one of the alternatives matches; nil if that is not finite or cannot be read.
    mutating func alternatives() -> [String]? {
      guard depth < Self.deepest else { return nil }
      depth += 1
      defer { depth -= 1 }
      var all: [String] = []
      repeat {
        guard let strings = sequence() else { return nil }
        all += strings
        guard all.count <= TagPattern.most else { return nil }
      } while take("|")
      // `(^|,)` is one border, written in two ways.
      return all.count > 1 && all.allSatisfy { $0.allSatisfy { $0 == Self.border } }
        ? [String(Self.border)] : all
    }

    private mutating func sequence() -> [String]? {
      var all = [""]
      while let next = rest.first, next != "|", next != ")" {
        guard let strings = item() else { return nil }
        guard all.count * strings.count <= TagPattern.most else { return nil }
        if all == [""] {
          all = strings
        } else if strings.count == 1 {
          for index in all.indices { all[index] += strings[0] }
        } else {
          all = all.flatMap { start in strings.map { start + $0 } }
        }
      }
      // With nothing but borders beside it, anything is anything.
      return all.map { text in
        let inner = text.filter { $0 != Self.border }
        return inner == Self.anything ? Self.anything : text
      }
    }

    private mutating func item() -> [String]? {
      guard let character = rest.popFirst() else { return nil }
      switch character {
      case "(":
        if rest.hasPrefix("?") {
          guard rest.hasPrefix("?:") else { return nil }
          rest = rest.dropFirst(2)
        }
        guard let strings = alternatives(), take(")"), !isRepeated else { return nil }
        return strings
      case "^", "$", ",", " ", "\t": return isRepeated ? nil : [String(Self.border)]
      case ".":
        guard take("*") || take("+"), !isRepeated else { return nil }
        return [Self.anything]
      case "\\":
        guard let escaped = rest.popFirst(), !isRepeated else { return nil }
        switch escaped {
        case "s", "b", ",", " ": return [String(Self.border)]
        case _ where escaped.isLetter || escaped.isNumber: return nil
        default: return [String(escaped)]
        }
      case "[", "]", "{", "}", "*", "+", "?", ")", Self.any: return nil
      default: return isRepeated ? nil : [String(character)]
      }
    }

    /// True if a quantifier follows.
    private var isRepeated: Bool { rest.first.map { "*+?{".contains($0) } ?? false }

    private mutating func take(_ character: Character) -> Bool {
      guard rest.first == character else { return false }
      rest.removeFirst()
      return true
    }
  }
}
