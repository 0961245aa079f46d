// What the JSON documents of all commands have in common: their form, and how they count time.

import FoundationEssentials

/// A document with keys in order and slashes as they are, on as many lines as it takes.
func readableJSON(_ document: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(document) else {
    preconditionFailure("documents hold only strings, integers and truth values")
  }
  return String(decoding: data, as: UTF8.self)
}

extension Duration {
  /// Rounded up, so that nothing takes no time.
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
