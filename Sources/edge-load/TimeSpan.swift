// Spans of time as people write them on a command line: 250us, 5ms, 10s, 2m. A bare number is
// refused because "10" has meant milliseconds to one tool and seconds to the next.

/// A length of time given by the operator, exact to the nanosecond.
struct TimeSpan: Equatable, Comparable, Sendable {
  /// The length; never negative.
  var nanoseconds: Int64

  static let zero = TimeSpan(nanoseconds: 0)

  /// A span of whole milliseconds.
  static func milliseconds(_ count: Int64) -> TimeSpan {
    TimeSpan(nanoseconds: count * 1_000_000)
  }

  /// A span of whole seconds.
  static func seconds(_ count: Int64) -> TimeSpan {
    TimeSpan(nanoseconds: count * 1_000_000_000)
  }

  static func < (left: TimeSpan, right: TimeSpan) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  /// The length in seconds, for arithmetic on rates.
  var inSeconds: Double { Double(nanoseconds) / 1e9 }

  /// The longest span that is accepted: a year, so that no sum of instants can overflow.
  static let longest = TimeSpan.seconds(365 * 86_400)

  /// Reads `250us`, `5ms`, `1.5s`, `2m` or `1h`; the unit may be left out for zero only.
  static func parse(_ text: String) throws(TimeSpanError) -> TimeSpan {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(digits.count)
    guard let amount = Double(digits), amount >= 0, amount.isFinite else {
      throw TimeSpanError.malformed
    }
    let scale: Double
    switch unit {
    case "ns": scale = 1
    case "us": scale = 1e3
    case "ms": scale = 1e6
    case "s": scale = 1e9
    case "m": scale = 60e9
    case "h": scale = 3600e9
    case "" where amount == 0: scale = 1
    default: throw TimeSpanError.malformed
    }
    let nanoseconds = amount * scale
    guard nanoseconds <= Double(longest.nanoseconds) else { throw TimeSpanError.tooLong }
    return TimeSpan(nanoseconds: Int64(nanoseconds.rounded()))
  }
}

/// Why a span of time was not understood.
enum TimeSpanError: Error, Equatable, CustomStringConvertible {
  /// No number, or no unit of ns, us, ms, s, m, h.
  case malformed
  /// More than a year.
  case tooLong

  var description: String {
    switch self {
    case .malformed: "give a number with its unit, such as 250us, 5ms, 10s or 2m"
    case .tooLong: "give a span of at most a year"
    }
  }
}
