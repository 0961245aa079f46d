// Durations in configuration and on command lines are text with a unit: "5" says nothing about
// seconds or milliseconds. Exact to the nanosecond; the printed form parses back to the same value.

/// The text of durations: `200ms`, `1.5s`, `30s`, `5m`, `1h`.
public enum DurationText {
  private static let units: [(name: String, nanoseconds: Int128)] = [
    ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
  ]

  /// Reads a decimal number followed by `ms`, `s`, `m` or `h`.
  public static func parse(_ text: String) throws(ValueProblem) -> Duration {
    let number = text.utf8.prefix { $0.isDigit || $0 == UInt8(ascii: ".") }
    let parts = number.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    let unit = text.utf8.dropFirst(number.count)
    guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }),
      let scale = units.first(where: { $0.name.utf8.elementsEqual(unit) })?.nanoseconds
    else {
      throw ValueProblem(text, "is not a duration; write it like 30s (units: ms, s, m, h)")
    }
    // 128 bits hold any 18 digits times the largest unit, so that only the result needs a check.
    let fraction = parts.count == 2 ? parts[1] : parts[0].prefix(0)
    guard parts[0].count <= 18, fraction.count <= 9 else {
      throw ValueProblem(text, "has too many digits for a duration; write it like 30s or 1.5s")
    }
    let scaledFraction = value(of: fraction) * scale
    let divisor = fraction.reduce(Int128(1)) { product, _ in product * 10 }
    guard scaledFraction % divisor == 0 else {
      throw ValueProblem(text, "is finer than a nanosecond; write it like 1.5s")
    }
    let nanoseconds = value(of: parts[0]) * scale + scaledFraction / divisor
    guard let result = Int64(exactly: nanoseconds) else {
      throw ValueProblem(text, "is too long for a duration; at most \(print(.longest))")
    }
    return .nanoseconds(result)
  }

  /// The duration in the largest unit which states it as a whole number, else in milliseconds with
  /// decimals; what is finer than a nanosecond is left out.
  public static func print(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    if nanoseconds == 0 { return "0s" }
    if let unit = units.first(where: { nanoseconds % $0.nanoseconds == 0 }) {
      return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }
    let magnitude = nanoseconds.magnitude
    var decimals = String(magnitude % 1_000_000 + 1_000_000).dropFirst()
    while decimals.last == "0" { decimals.removeLast() }
    return "\(nanoseconds < 0 ? "-" : "")\(magnitude / 1_000_000).\(decimals)ms"
  }

  private static func value(of digits: Substring.UTF8View.SubSequence) -> Int128 {
    digits.reduce(0) { $0 * 10 + Int128($1 - UInt8(ascii: "0")) }
  }
}

extension Duration {
  /// The longest duration that text can state.
  fileprivate static let longest = Duration.seconds(2_562_047 * 3600)
}
