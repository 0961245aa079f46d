// Character classes and small scans over bytes (RFC 9110 §5.6, RFC 5234 appendix B.1).
//
// Everything on the data plane is bytes. `Span` keeps each access checked, so none of this needs
// unsafe memory.

/// ASCII characters by name.
public enum ASCII {
  public static let tab: UInt8 = 0x09
  public static let lineFeed: UInt8 = 0x0A
  public static let carriageReturn: UInt8 = 0x0D
  public static let space: UInt8 = 0x20
  public static let quote: UInt8 = 0x22
  public static let hash: UInt8 = 0x23
  public static let percent: UInt8 = 0x25
  public static let asterisk: UInt8 = 0x2A
  public static let comma: UInt8 = 0x2C
  public static let dash: UInt8 = 0x2D
  public static let dot: UInt8 = 0x2E
  public static let slash: UInt8 = 0x2F
  public static let zero: UInt8 = 0x30
  public static let nine: UInt8 = 0x39
  public static let colon: UInt8 = 0x3A
  public static let semicolon: UInt8 = 0x3B
  public static let equals: UInt8 = 0x3D
  public static let question: UInt8 = 0x3F
  public static let at: UInt8 = 0x40
  public static let backslash: UInt8 = 0x5C
}

extension UInt8 {
  /// The lower-case letter of an ASCII letter; any other byte unchanged.
  @inlinable
  var asciiLowercased: UInt8 {
    self &- 0x41 < 26 ? self | 0x20 : self
  }

  /// True for a space or a tab (RFC 9110 §5.6.3).
  @inlinable
  var isOptionalWhitespace: Bool {
    self == ASCII.space || self == ASCII.tab
  }

  /// True for `0` to `9`.
  @inlinable
  var isDigit: Bool {
    self &- ASCII.zero < 10
  }

  /// True for a character of an HTTP token (RFC 9110 §5.6.2).
  @inlinable
  var isToken: Bool {
    // A bit for each of the characters 0x00 to 0x3F, and 0x40 to 0x7F.
    let set: UInt64 = self < 0x40 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
    return self < 0x80 && (set >> UInt64(self & 0x3F)) & 1 != 0
  }

  /// True for a character of a host name in its canonical form.
  @inlinable
  var isCanonicalHost: Bool {
    let set: UInt64 = self < 0x40 ? 0x03FF_6000_0000_0000 : 0x07FF_FFFE_8000_0000
    return self < 0x80 && (set >> UInt64(self & 0x3F)) & 1 != 0
  }

  /// True for a character of a field value (RFC 9110 §5.5).
  @inlinable
  var isFieldValue: Bool {
    self >= 0x20 ? self != 0x7F : self == ASCII.tab
  }

  /// The value of a hexadecimal digit.
  @inlinable
  var hexValue: UInt8? {
    if isDigit { return self &- ASCII.zero }
    let letter = self | 0x20
    return letter &- 0x61 < 6 ? letter &- 0x61 &+ 10 : nil
  }
}

extension UInt32 {
  /// The eight hexadecimal digits of the number as characters, the first one lowest. O(1).
  @inlinable
  public var hexadecimalDigits: UInt64 {
    // A digit for each byte, all at once.
    var word = UInt64(self)
    word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
    word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
    word = (word | word << 4) & 0x0F0F_0F0F_0F0F_0F0F
    let letters = ((word &+ 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101
    return (word &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).byteSwapped
  }
}

/// Where a run of bytes lies within its head, relative to the head's first byte.
public struct ByteRange: Sendable, Hashable {
  /// Distance from the first byte of the head.
  public var offset: UInt32
  /// Number of bytes.
  public var count: UInt32

  /// A run of `count` bytes at `offset`.
  @inlinable
  public init(offset: Int, count: Int) {
    self.offset = UInt32(truncatingIfNeeded: offset)
    self.count = UInt32(truncatingIfNeeded: count)
  }

  /// The same run as a range of indices.
  @inlinable
  public var range: Range<Int> {
    Int(offset)..<(Int(offset) + Int(count))
  }

  /// The run of no bytes.
  public static let empty = ByteRange(offset: 0, count: 0)

  /// True if there are no bytes.
  @inlinable
  public var isEmpty: Bool { count == 0 }
}

extension Span<UInt8> {
  /// Whether these bytes are `text`, whose letters are given in lower case; letters compare without
  /// regard to case. O(n).
  @inlinable
  public func equalsIgnoringCase(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    return text.withUTF8Buffer { other in
      for index in 0..<other.count where self[index].asciiLowercased != other[index] {
        return false
      }
      return true
    }
  }

  /// Whether two runs are the same, letters without regard to case. O(n).
  @inlinable
  public func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in 0..<count where self[index].asciiLowercased != other[index].asciiLowercased {
      return false
    }
    return true
  }

  /// Whether two runs are the same bytes. O(n).
  public func elementsEqual(_ other: Span<UInt8>) -> Bool { HeadScanner.areEqual(self, other) }

  /// The range without the optional whitespace at both ends (RFC 9110 §5.6.3). O(n).
  @inlinable
  public func trimmingWhitespace(_ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, self[lower].isOptionalWhitespace { lower &+= 1 }
    while upper > lower, self[upper &- 1].isOptionalWhitespace { upper &-= 1 }
    return lower..<upper
  }

  /// The index of the first `byte` in `range`. O(n).
  @inlinable
  public func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
    for index in range where self[index] == byte { return index }
    return nil
  }

  /// A non-negative decimal number made of digits only; nil for anything else and for overflow.
  @inlinable
  public func decimal(_ range: Range<Int>) -> Int? {
    guard !range.isEmpty else { return nil }
    var value = 0
    for index in range {
      guard self[index].isDigit else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(self[index] &- ASCII.zero))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }

  /// Calls `body` with each element of a comma-separated list, empty elements left out
  /// (RFC 9110 §5.6.1). Stops when `body` returns false. O(n).
  ///
  /// Quoted strings are kept whole, unless the list is one of tokens: there a quote means nothing,
  /// and must not be able to hide the elements behind it.
  @inlinable
  public func forEachListElement(
    _ range: Range<Int>, ofTokens: Bool = false, _ body: (Range<Int>) -> Bool
  ) {
    var start = range.lowerBound
    var index = start
    var quoted = false
    while index <= range.upperBound {
      if index == range.upperBound || (!quoted && self[index] == ASCII.comma) {
        let element = trimmingWhitespace(start..<index)
        if !element.isEmpty, !body(element) { return }
        start = index &+ 1
      } else if !ofTokens, self[index] == ASCII.quote {
        quoted.toggle()
      } else if quoted, self[index] == ASCII.backslash, index &+ 1 < range.upperBound {
        index &+= 1
      }
      index &+= 1
    }
  }

  /// A copy of these bytes.
  @inlinable
  public func copied() -> [UInt8] {
    var copy: [UInt8] = []
    copy.reserveCapacity(count)
    for index in 0..<count { copy.append(self[index]) }
    return copy
  }
}
