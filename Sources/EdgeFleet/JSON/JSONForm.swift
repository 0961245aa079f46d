// How all JSON is written that a program of EdgeCache sends or prints. Reading is elsewhere: strictly
// with JSONTree what decides something, leniently with JSONDecoder what only reports.

import FoundationEssentials

/// The form of a JSON text: keys in order, so that two texts can be compared, and no line break at the
/// end.
public enum JSONForm: Sendable {
  /// On one line, with slashes as they are: for messages, and for lists with an object on each line.
  case line
  /// On as many lines as it takes, with slashes as they are: for people who look at it.
  case page
  /// Like ``page``, with a backslash before each slash, as `GET /stats` has it.
  case escapedPage

  /// What writes this form.
  public var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
      switch self {
      case .line: [.sortedKeys, .withoutEscapingSlashes]
      case .page: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
      case .escapedPage: [.sortedKeys, .prettyPrinted]
      }
    return encoder
  }

  /// The bytes of a value of strings, integers, truth values and finite numbers.
  ///
  /// An encoder fails where a number is infinite or none at all, or where a type's own `encode` throws.
  /// Neither is in what is encoded here; whoever cannot say so uses ``encoder``.
  public func bytes(_ value: some Encodable) -> [UInt8] {
    guard let data = try? encoder.encode(value) else {
      preconditionFailure("strings, integers, truth values and finite numbers can be encoded")
    }
    return Array(data)
  }

  /// The same as text.
  public func text(_ value: some Encodable) -> String {
    String(decoding: bytes(value), as: UTF8.self)
  }
}
