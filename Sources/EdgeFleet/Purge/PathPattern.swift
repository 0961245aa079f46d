// Regular expressions of paths, as `X-Purge-Method: regex` sends them in the place of a path: `/.*`, `/blog/(.*)`,
// `^/page$`. They are carried out as a prefix: what they begin with, literally.

/// What a regular expression of paths is carried out as.
enum PathPattern: Equatable {
  /// One path alone.
  case exact(String)
  /// All that begins so; `isWider` if that is more than the expression matches.
  case prefix(String, isWider: Bool)

  /// Reads an expression; nil where what it begins with does not tell what it matches. O(bytes).
  ///
  /// A path begins where the expression does, with `^` before it or not.
  init?(_ text: some StringProtocol) {
    var rest = Substring(text)
    if rest.hasPrefix("^") { rest = rest.dropFirst() }
    var prefix = ""
    while let character = rest.popFirst() {
      switch character {
      case "$" where rest.isEmpty:
        self = .exact(prefix)
        return
      case "\\":
        guard let escaped = rest.popFirst(), !(escaped.isLetter || escaped.isNumber) else {
          return nil
        }
        prefix.append(escaped)
      case ".", "*", "+", "?", "{":
        // Another alternative may begin with anything.
        guard !rest.contains("|") else { return nil }
        // The character before may be missing.
        if character != ".", character != "+" { prefix = String(prefix.dropLast()) }
        let isAll = character == "." && ["*", "*$"].contains(rest)
        self = .prefix(prefix.isEmpty ? "/" : prefix, isWider: !isAll)
        return
      case "(" where [".*)", ".*)$", ".+)", ".+)$"].contains(rest):
        self = .prefix(prefix.isEmpty ? "/" : prefix, isWider: !rest.hasPrefix(".*"))
        return
      case "(", ")", "[", "]", "}", "|", "^", "$": return nil
      case "%":
        // Perhaps the whole was percent-encoded, and this is such a character.
        guard let encoded = ImpliedPattern.encoded((String(character) + rest.prefix(2)).utf8),
          ImpliedPattern.isSpecial(encoded)
        else {
          prefix.append(character)
          continue
        }
        guard encoded != UInt8(ascii: "|"), !rest.contains("|") else { return nil }
        if "*?{".utf8.contains(encoded) { prefix = String(prefix.dropLast()) }
        self = .prefix(prefix.isEmpty ? "/" : prefix, isWider: true)
        return
      default: prefix.append(character)
      }
    }
    self = .prefix(prefix, isWider: false)
  }
}
