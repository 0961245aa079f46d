// What a shell offers for `--pop`: the PoPs of the configuration that the same command line names.

extension FleetConfiguration {
  /// The ids of the PoPs in the file that stands after an option, or in the usual one; none if it cannot be read.
  public static func popNames(
    _ words: [String], after option: String, else usual: @autoclosure () -> String? = nil
  ) -> [String] {
    var path: String?
    for (place, word) in words.enumerated() {
      if word == option {
        // bash takes = for a word of its own.
        let rest = words[(place + 1)...]
        path = (rest.first == "=" ? rest.dropFirst() : rest).first ?? path
      } else if word.hasPrefix(option + "=") {
        path = String(word.dropFirst(option.count + 1))
      }
    }
    guard let path = path.map(expanded) ?? usual(),
      let configuration = try? FleetConfiguration.load(path: path)
    else { return [] }
    return configuration.pops.map(\.id)
  }

  /// A path as the shell would hand it over: shells give it as it was typed.
  private static func expanded(_ word: String) -> String {
    let path = unquoted(word)
    // In quotes a tilde is a tilde.
    guard word.hasPrefix("~/"), let home = Environment.value("HOME") else { return path }
    return home + path.dropFirst()
  }

  private static func unquoted(_ word: String) -> String {
    var result = ""
    var quote: Character?
    var isEscaped = false
    for character in word {
      if isEscaped {
        (result, isEscaped) = (result + String(character), false)
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
      } else {
        result.append(character)
      }
    }
    return result
  }
}
