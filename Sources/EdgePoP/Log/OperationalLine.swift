import EdgeCache
import EdgeFleet
import Logging

/// An event as the log tells it: two of them are the same if only the time is another.
struct OperationalLine: RepeatedLine {
  var level: Logger.Level
  var message: String
  /// Pairs of names and values, in order.
  private var names: [String]
  private var values: [String]
  /// How often it came again.
  var repetition: String?

  init(level: Logger.Level, message: String, fields: [(String, String)]) {
    (self.level, self.message) = (level, message)
    (names, values) = (fields.map(\.0), fields.map(\.1))
  }

  /// What it says, of whatever it says that.
  struct Kind: Hashable, Sendable {
    let level: Logger.Level
    let message: String
  }

  var kind: Kind { Kind(level: level, message: message) }

  /// The line, at a time in milliseconds since 1970.
  func text(_ format: FleetConfiguration.LogFormat, at milliseconds: Int64) -> String {
    let time = Self.time(milliseconds)
    switch format {
    case .text:
      var text = "\(time) \(level) \(Self.plain(message))"
      if let repetition { text += ": \(repetition)" }
      for (name, value) in zip(names, values) { text += " \(name)=\(Self.quoted(value))" }
      return text
    case .json:
      var text = "{\"time\":\"\(time)\",\"level\":\"\(level)\",\"message\":\(Self.json(message))"
      if let repetition { text += ",\"repetition\":\(Self.json(repetition))" }
      for (name, value) in zip(names, values) { text += ",\(Self.json(name)):\(Self.json(value))" }
      return text + "}"
    }
  }

  /// `2026-11-24T09:15:02.123Z`.
  static func time(_ milliseconds: Int64) -> String {
    let seconds = WallTime(milliseconds: milliseconds).seconds
    let date = HTTPDate.bytes(seconds)
    let month = 1 + (months.firstIndex { $0.utf8.elementsEqual(date[8..<11]) } ?? 0)
    func text(_ range: Range<Int>) -> String { String(decoding: date[range], as: UTF8.self) }
    func padded(_ value: Int64, _ digits: Int) -> String {
      let text = "\(value)"
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    return "\(text(12..<16))-\(padded(Int64(month), 2))-\(text(5..<7))T\(text(17..<25))."
      + "\(padded(milliseconds - seconds * 1000, 3))Z"
  }

  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Text in which nothing ends the line or steers a terminal.
  private static func plain(_ text: String) -> String {
    text.unicodeScalars.contains(where: isUnsafe) ? escaped(text) : text
  }

  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
    default: false
    }
  }

  private static func escaped(_ text: String, quotes: Bool = false) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      if isUnsafe(scalar) {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        if quotes, scalar == "\"" || scalar == "\\" { result += "\\" }
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A value, in quotes where it could be taken for something else.
  private static func quoted(_ value: String) -> String {
    let needsQuotes =
      value.isEmpty
      || value.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" || isUnsafe($0) }
    return needsQuotes ? "\"\(escaped(value, quotes: true))\"" : value
  }

  /// A string of JSON (RFC 8259 §7).
  private static func json(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" {
        result += "\\"
        result.unicodeScalars.append(scalar)
      } else if isUnsafe(scalar) {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
