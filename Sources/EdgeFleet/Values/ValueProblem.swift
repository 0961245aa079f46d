// The one error of every small text value (sizes, durations, addresses, URLs). It repeats what was
// written and says what is accepted, so that the same sentence serves the configuration reader,
// the command lines and the tests.

/// Text which is not the value it should be: what was written, and what would have been accepted.
public struct ValueProblem: Error, Sendable, Hashable, CustomStringConvertible {
  /// The text as the operator wrote it.
  public let text: String
  /// The rest of the sentence, as in `is not a size; write it like 256MiB`.
  public let reason: String

  /// A problem with `text`, explained by `reason`.
  public init(_ text: String, _ reason: String) {
    self.text = text
    self.reason = reason
  }

  /// The whole sentence: the text in quotes, then the reason.
  public var description: String { "\(quoted(text)) \(reason)" }
}

/// `text` in double quotes, with control characters escaped and its length bounded: it goes to
/// terminals and logs, and may come from a peer.
func quoted(_ text: some StringProtocol) -> String {
  let longest = 120
  var result = "\""
  for scalar in text.unicodeScalars.prefix(longest) {
    switch scalar {
    case "\"", "\\": result += "\\\(scalar)"
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    case _ where scalar.isControl: result += scalar.escaped
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + (text.unicodeScalars.count > longest ? "…\"" : "\"")
}
