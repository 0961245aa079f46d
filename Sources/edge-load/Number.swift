// Arithmetic on what files and command lines say, which may be any number: nothing here ends the process.

extension Int {
  /// The nearest whole number: the largest or smallest one for what is beyond, 0 for what is no number.
  init(nearest value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self = Int(value.rounded())
    }
  }

  /// The sum, or the largest number if that is beyond it. For numbers that are not negative.
  func adding(_ more: Int) -> Int {
    let (sum, overflows) = addingReportingOverflow(more)
    return overflows ? .max : sum
  }
}

/// Decimal numbers of command lines: digits, with a point or without. What `Double` would read besides (`nan`, `inf`,
/// `0x10`, `1e300`) is nothing that a person means.
enum DecimalText {
  /// The value of a text; nil for anything else.
  static func parse(_ text: some StringProtocol) -> Double? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let isDecimal =
      (1...2).contains(parts.count)
      && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
      && parts.contains { !$0.isEmpty }
    guard isDecimal, let value = Double(String(text)), value.isFinite else { return nil }
    return value
  }
}
