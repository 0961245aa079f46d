// A strict JSON (RFC 8259) parser for configuration. Foundation's would do but for two things an
// operator needs: the line and column of a syntax error as values rather than inside a debugging
// text, and an error for a key written twice, where Foundation silently keeps one of the two.

/// A JSON value; objects keep their members in the order of the text.
enum JSONTree: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number, also as it was written.
  case number(Double, text: String)
  case string(String)
  case array([JSONTree])
  case object([Member])

  /// One key of an object and its value.
  struct Member: Sendable, Hashable {
    let key: String
    let value: JSONTree
  }

  /// Text which is not JSON: where (from 1, columns count bytes) and why.
  struct SyntaxProblem: Error, Sendable, Hashable {
    let line: Int
    let column: Int
    let reason: String
  }

  /// Parses UTF-8 `bytes` holding exactly one value.
  static func parse(_ bytes: [UInt8]) throws(SyntaxProblem) -> JSONTree {
    var parser = JSONParser(bytes: bytes)
    return try parser.document()
  }

  /// The value as an error message names it: `a number`, `the text "x"`.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(_, let text): "the number \(text)"
    case .string(let text): "the string \(quoted(text))"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
