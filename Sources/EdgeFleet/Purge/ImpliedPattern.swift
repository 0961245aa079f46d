// Targets that are regular expressions though no field says so, as plug-ins written for Varnish send them:
// `/post/(.*)`, `/post/.+`, `/[a-z]+$`, also percent-encoded. Nothing tells for certain that one is meant, and a URL
// may have any of these characters. So what is taken is all that the expression may match, and the URL.

/// What a target begins with that looks like a regular expression.
struct ImpliedPattern: Equatable {
  /// All that the expression matches begins so.
  let beginning: String
  /// True if the expression matches that alone: it ends there with `$`.
  let isWhole: Bool

  /// Reads a target, path and query; nil if it is a URL like others: without characters of expressions, or with such
  /// as pages have, `/wiki/Foo_(bar)`, `?a[]=1`, `/c++`. A `*` with nothing of the kind around it stands for any
  /// rest, and is no expression. O(bytes).
  init?(_ target: String) {
    var reader = Reader(target)
    guard reader.isExpression() else { return nil }
    // Another alternative may be any path.
    (beginning, isWhole) = reader.hasAlternatives ? ("/", false) : reader.beginning()
  }

  /// True if a byte has a meaning in expressions that it may have percent-encoded, too.
  static func isSpecial(_ byte: UInt8) -> Bool { #"()[]{}|^$\*+?"#.utf8.contains(byte) }

  /// The byte that is percent-encoded where some text begins; nil if it begins with none.
  static func encoded(_ bytes: some Collection<UInt8>) -> UInt8? {
    guard bytes.first == UInt8(ascii: "%"), bytes.count >= 3 else { return nil }
    return UInt8(String(decoding: bytes.dropFirst().prefix(2), as: UTF8.self), radix: 16)
  }

  /// A character of a target, and where it stands there.
  private struct Token {
    let byte: UInt8
    let range: Range<Int>
  }

  private struct Reader {
    private let bytes: [UInt8]
    private var tokens: [Token] = []
    /// Those that are a `?` of an expression, not of a query.
    private var optional: Set<Int> = []
    private(set) var hasAlternatives = false

    init(_ target: String) {
      bytes = Array(target.utf8)
      var index = 0
      while index < bytes.count {
        var (byte, count) = (bytes[index], 1)
        if let decoded = ImpliedPattern.encoded(bytes[index...].prefix(3)), isSpecial(decoded) {
          (byte, count) = (decoded, 3)
        }
        tokens.append(Token(byte: byte, range: index..<(index + count)))
        index += count
      }
    }

    /// `*`, `+` and `?` are encoded in URLs for what they are, unless there is something to repeat before them.
    private func isSpecial(_ byte: UInt8) -> Bool {
      guard "*+?".utf8.contains(byte) else { return ImpliedPattern.isSpecial(byte) }
      return tokens.last.map { ".)]".utf8.contains($0.byte) } ?? false
    }

    private func byte(_ index: Int) -> UInt8 {
      tokens.indices.contains(index) ? tokens[index].byte : 0
    }

    private func isOne(_ index: Int, of set: String) -> Bool {
      tokens.indices.contains(index) && set.utf8.contains(byte(index))
    }

    /// True if something of the target is as expressions have it.
    mutating func isExpression() -> Bool {
      var isExpression = false
      var isQuery = false
      var depth = 0
      var index = 0
      while index < tokens.count {
        switch byte(index) {
        case UInt8(ascii: "\\"):
          isExpression = true
          index += 1
        case UInt8(ascii: "^"):
          if !isQuery || isOne(index - 1, of: "?(|[") { isExpression = true }
        case UInt8(ascii: "$"):
          if index + 1 == tokens.count || isOne(index + 1, of: "|)") { isExpression = true }
        case UInt8(ascii: "|"):
          if !isQuery { isExpression = true }
          // What seems to be a query may be none, if there is an expression before it.
          if depth == 0 { hasAlternatives = true }
        case UInt8(ascii: "["):
          let end = tokens[index...].firstIndex { $0.byte == UInt8(ascii: "]") } ?? tokens.count
          if !isQuery || isOne(end + 1, of: "*+{") || isOne(end + 1, of: "?$") {
            isExpression = true
          }
          index = min(end, tokens.count - 1)
        case UInt8(ascii: "("): depth += 1
        case UInt8(ascii: ")"):
          if depth == 0, !isQuery { isExpression = true }
          depth = max(0, depth - 1)
          if isOne(index + 1, of: "*+{") { isExpression = true }
        case UInt8(ascii: "."): if isOne(index + 1, of: "+{") { isExpression = true }
        case UInt8(ascii: "*"):
          if depth > 0 || isOne(index - 1, of: ")]") { isExpression = true }
        case UInt8(ascii: "{"):
          if isOne(index + 1, of: "0123456789"), isOne(index - 1, of: ".)]") {
            isExpression = true
          }
        case UInt8(ascii: "?"):
          if isQuantifier(index) {
            optional.insert(index)
            isExpression = true
          } else {
            isQuery = true
            // What is open here is of the path, and is closed there.
            if depth > 0 { isExpression = true }
          }
        default: break
        }
        index += 1
      }
      return isExpression || depth > 0 && !isQuery
    }

    /// True if a `?` does not begin a query: what follows cannot be the name of a parameter.
    private func isQuantifier(_ index: Int) -> Bool {
      if isOne(index - 1, of: "(") || isOne(index + 1, of: "$)|(*+?\\^") { return true }
      if isOne(index + 1, of: "."), isOne(index + 2, of: "*+") { return true }
      return isOne(index - 1, of: ")]*+")
        && (index + 1 == tokens.count || isOne(index + 1, of: "/["))
    }

    /// What stands before the first character that does not stand for itself.
    func beginning() -> (String, isWhole: Bool) {
      var prefix: [Range<Int>] = []
      var index = 0
      var isWhole = false
      loop: while index < tokens.count {
        switch byte(index) {
        case UInt8(ascii: "\\"):
          // What is escaped stands for itself, unless it is a letter.
          guard index + 1 < tokens.count, !UnicodeScalar(byte(index + 1)).properties.isAlphabetic,
            !isOne(index + 1, of: "0123456789")
          else { break loop }
          index += 1
        case UInt8(ascii: "$"):
          if index + 1 == tokens.count {
            isWhole = true
            break loop
          }
          break loop
        case UInt8(ascii: "*"), UInt8(ascii: "{"):
          _ = prefix.popLast()
          break loop
        case UInt8(ascii: "?"):
          if optional.contains(index) {
            _ = prefix.popLast()
            break loop
          }
        case UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "("), UInt8(ascii: ")"),
          UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "^"),
          UInt8(ascii: "|"):
          break loop
        default: break
        }
        prefix.append(tokens[index].range)
        index += 1
      }
      let text = String(decoding: prefix.flatMap { bytes[$0] }, as: UTF8.self)
      return text.hasPrefix("/") ? (text, isWhole) : ("/", false)
    }
  }
}
