// Classes of bytes and characters that several values, names and texts are made of.

extension UInt8 {
  /// Whether it is `0` to `9`.
  var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= self }

  /// Whether it is `a` to `z` or `A` to `Z`.
  var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")) ~= self | 0x20 }

  /// Whether it is ASCII and neither a space nor a control character.
  var isVisible: Bool { self > 0x20 && self < 0x7F }

  /// The value of a hexadecimal digit, in either case.
  var hexadecimal: UInt8? {
    if isDigit { return self - UInt8(ascii: "0") }
    let letter = self | 0x20
    return (UInt8(ascii: "a")...UInt8(ascii: "f")) ~= letter ? letter - UInt8(ascii: "a") + 10 : nil
  }
}

extension Unicode.Scalar {
  /// Whether a terminal may do something else with it than show it.
  var isControl: Bool { properties.generalCategory == .control }

  /// What is shown in the place of a control character.
  var escaped: String { "\\u{\(String(value, radix: 16))}" }
}
