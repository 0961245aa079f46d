// Does a part of a file name look like a digest, or like words and numbers?
//
// Digests are random, names are not: in words, letters follow each other in few ways (`th`, `er`, not
// `qz`), capitals stand where words begin and digits where they end. So each pair of neighbouring
// characters speaks for or against a digest. The weights are those of a naive Bayes model, fitted to
// random tokens on one side and to the identifiers of large programs on the other.

/// A part of a file name: what it is made of.
struct DigestToken {
  /// Where it lies in the path.
  let range: Range<Int>
  private(set) var lower = 0
  private(set) var upper = 0
  private(set) var digits = 0
  /// Dashes and underscores, which base64url has.
  private(set) var separators = 0
  /// Anything else: such a token is no digest.
  private(set) var other = 0
  /// How often the kind of character changes: digests change often, words and numbers seldom.
  private(set) var changes = 0
  /// Letters right behind a digit; names that people number have their digits at the end.
  private(set) var lettersAfterDigit = 0
  /// The length of the longest run of digits.
  private(set) var longestNumber = 0
  private var isHex = true

  /// Looks at the bytes of `path` in `range`. O(n).
  init(_ path: Span<UInt8>, _ range: Range<Int>) {
    self.range = range
    var number = 0
    var last = Class.none
    for index in range {
      let byte = path[index]
      let kind = Class(byte)
      if kind == .digit {
        digits &+= 1
        number &+= 1
        if number > longestNumber { longestNumber = number }
      } else {
        number = 0
        switch kind {
        case .lower: lower &+= 1
        case .upper: upper &+= 1
        case .separator: separators &+= 1
        default: other &+= 1
        }
        if last == .digit, kind.isLetter { lettersAfterDigit &+= 1 }
        if !kind.isLetter || byte & 0x1F > 6 { isHex = false }
      }
      if kind != last, last != .none { changes &+= 1 }
      last = kind
    }
  }

  /// The number of characters.
  var count: Int { range.count }

  /// The number of letters.
  var letters: Int { lower + upper }

  /// True for hexadecimal digits of one case.
  var isHexadecimal: Bool { isHex && !range.isEmpty && (lower == 0 || upper == 0) }

  /// True for letters of both cases.
  var isMixed: Bool { lower > 0 && upper > 0 }

  /// True for letters and digits alone.
  var isAlphanumeric: Bool { separators == 0 && other == 0 }

  /// How much more it looks like a digest of its kind (base64url if it has both cases, else base32 or
  /// base36) than like words: above 0 for most digests of 8, below -20 for nearly all words. O(n).
  func score(_ path: Span<UInt8>) -> Int {
    guard let first = range.first else { return .min }
    let isMixed = isMixed
    var sum = isMixed ? 13 : -4
    var previous = path[first]
    var previousClass = Class(previous)
    for index in range.dropFirst() {
      let byte = path[index]
      let kind = Class(byte)
      let pair = Int(previousClass.rawValue) * 4 + Int(kind.rawValue)
      if previousClass.isLetter, kind.isLetter,
        previousClass != .lower || kind != .upper || !isMixed
      {
        let usual = Self.howUsual(previous, byte)
        sum += isMixed ? Self.mixedLetters[pair * 4 + usual] : Self.plainLetters[usual]
      } else if kind.rawValue < 4, previousClass.rawValue < 4 {
        sum += isMixed ? Self.mixedPairs[pair] : Self.plainPairs[pair]
      }
      (previous, previousClass) = (byte, kind)
    }
    // Nobody ends a name with a dash.
    if isMixed, previousClass == .separator { sum += 10 }
    return sum
  }

  /// True if the letters in `range` of `path` follow each other as in words. O(n).
  static func isWord(_ path: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var sum = -4
    for index in range.dropFirst() {
      sum += plainLetters[howUsual(path[index - 1], path[index])]
    }
    return sum < -6
  }

  /// The kinds of characters.
  private enum Class: UInt8 {
    case digit, lower, upper, separator, other
    /// Of what lies before the first character.
    case none

    init(_ byte: UInt8) {
      if byte.isDigit {
        self = .digit
      } else if byte &- 0x61 < 26 {
        self = .lower
      } else if byte &- 0x41 < 26 {
        self = .upper
      } else {
        self = byte == ASCII.dash || byte == 0x5F ? .separator : .other
      }
    }

    var isLetter: Bool { self == .lower || self == .upper }
  }

  /// Weights of neighbours in tokens of both cases, by the class of the first (rows) and of the
  /// second: digit, lower, upper, separator.
  private static let mixedPairs = [
    -10, 21, 15, 1,
    5, 0, 17, 3,
    6, 0, 0, -5,
    2, -3, 2, 2,
  ]

  /// The same for two letters, by how usual their pair is in words.
  private static let mixedLetters = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 11, 0, -8, -17, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 8, 4, -4, -13, 9, 3, -2, -5, 0, 0, 0, 0,
  ]

  /// Weights of neighbours in tokens of one case.
  private static let plainPairs = [
    -8, 24, 24, -5,
    5, 0, 0, -21,
    5, 0, 0, -21,
    -4, -21, -21, -1,
  ]

  private static let plainLetters = [15, 7, 1, -7]

  /// How usual it is in words that one letter follows another, 0 to 3: under a tenth of, under half of,
  /// about, and more than 1.5 times as often as by chance.
  private static func howUsual(_ first: UInt8, _ second: UInt8) -> Int {
    let row = letterPairs[Int((first | 0x20) &- 0x61)]
    return Int(row >> UInt64(((second | 0x20) &- 0x61) &* 2)) & 3
  }

  /// Two bits for each second letter, a number for each first one.
  private static let letterPairs: [UInt64] = [
    0x6_9AFD_DFE2_7AFE, 0x1_0768_65C7_566B, 0x1_16EC_B6F2_DBAB, 0x1_56A9_A583_5BEB,
    0x6_E9FE_EFD2_7FFB, 0x1_16A8_7E83_1FA6, 0x0_0268_69C2_9756, 0x1_1198_6552_4757,
    0x8_9DF9_BFD1_3AFB, 0x0_0110_1001_0101, 0x0_1164_5542_5755, 0x2_5AF4_B5D3_6BA7,
    0x1_5664_F693_175B, 0x1_1AF5_B9A3_7BF7, 0x1_6BFC_EFD2_69FA, 0x2_16ED_B5D2_9FA7,
    0x0_0214_0040_0151, 0x2_5AFD_BBA3_6BBB, 0x6_67F9_F6A3_EBB7, 0x6_56FD_FA93_DBBB,
    0x0_40FC_9EC2_5A6A, 0x0_1564_9642_1757, 0x0_0058_5542_5656, 0x1_44D4_9541_1666,
    0x0_0464_9941_1555, 0x0_0000_1001_0201,
  ]
}
