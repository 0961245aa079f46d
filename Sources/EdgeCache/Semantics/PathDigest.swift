// Digests of paths: Parcel 1 names what it builds by the MD5 of where the source lies. Such a name stays
// the same when the content changes.

/// The digests that Parcel 1 gives to the sources that most sites begin with.
enum PathDigest {
  /// True if these eight hexadecimal digits are the end of the MD5 of such a path, as in
  /// `main.1f19ae8e.js`, built from `main.js`. O(log n).
  static func isKnown(_ path: Span<UInt8>, _ range: Range<Int>) -> Bool {
    var value: UInt32 = 0
    for index in range {
      guard let digit = path[index].hexValue else { return false }
      value = value << 4 | UInt32(digit)
    }
    let known = known
    var (lower, upper) = (0, known.count)
    while lower < upper {
      let middle = (lower + upper) / 2
      if known[middle] < value { lower = middle + 1 } else { upper = middle }
    }
    return lower < known.count && known[lower] == value
  }

  /// In ascending order; worked out once, when first asked for: 1760 of them, in a few milliseconds.
  private static let known: [UInt32] = {
    var known: [UInt32] = []
    for folder in folders {
      for name in names {
        for ending in endings {
          known.append(MD5.end(of: Array("\(folder)\(name).\(ending)".utf8)))
        }
      }
    }
    return known.sorted()
  }()

  private static let folders = [
    "", "src/", "js/", "css/", "scss/", "styles/", "scripts/", "app/", "client/", "static/",
    "assets/",
    "src/js/", "src/css/", "src/scss/", "src/styles/", "src/scripts/",
  ]
  private static let names = [
    "main", "index", "app", "style", "styles", "script", "scripts", "bundle", "client", "site",
  ]
  private static let endings = [
    "js", "jsx", "ts", "tsx", "css", "scss", "sass", "less", "styl", "html", "vue",
  ]
}

/// MD5 (RFC 1321) of short messages. It guards nothing here.
enum MD5 {
  /// The last four bytes of the digest of a message of at most 55 bytes, as one number.
  static func end(of message: [UInt8]) -> UInt32 {
    invariant(message.count <= 55, "the message fits into one block")
    var words = InlineArray<16, UInt32>(repeating: 0)
    for index in 0..<message.count {
      words[index / 4] |= UInt32(message[index]) << UInt32(index % 4 * 8)
    }
    words[message.count / 4] |= 0x80 << UInt32(message.count % 4 * 8)
    words[14] = UInt32(message.count) * 8
    var a: UInt32 = 0x6745_2301
    var b: UInt32 = 0xEFCD_AB89
    var c: UInt32 = 0x98BA_DCFE
    var d: UInt32 = 0x1032_5476
    let start = d
    for step in 0..<64 {
      let mixed: UInt32
      let word: Int
      switch step / 16 {
      case 0: (mixed, word) = ((b & c) | (~b & d), step)
      case 1: (mixed, word) = ((d & b) | (~d & c), (5 * step + 1) % 16)
      case 2: (mixed, word) = (b ^ c ^ d, (3 * step + 5) % 16)
      default: (mixed, word) = (c ^ (b | ~d), 7 * step % 16)
      }
      let sum = a &+ mixed &+ constants[step] &+ words[word]
      let turn = turns[step / 16 * 4 + step % 4]
      let turned = sum << turn | sum >> (32 - turn)
      (a, d, c, b) = (d, c, b, b &+ turned)
    }
    return (start &+ d).byteSwapped
  }

  private static let turns: [UInt32] = [
    7, 12, 17, 22, 5, 9, 14, 20,
    4, 11, 16, 23, 6, 10, 15, 21,
  ]

  private static let constants: [UInt32] = [
    0xD76A_A478, 0xE8C7_B756, 0x2420_70DB, 0xC1BD_CEEE, 0xF57C_0FAF, 0x4787_C62A,
    0xA830_4613, 0xFD46_9501, 0x6980_98D8, 0x8B44_F7AF, 0xFFFF_5BB1, 0x895C_D7BE,
    0x6B90_1122, 0xFD98_7193, 0xA679_438E, 0x49B4_0821, 0xF61E_2562, 0xC040_B340,
    0x265E_5A51, 0xE9B6_C7AA, 0xD62F_105D, 0x0244_1453, 0xD8A1_E681, 0xE7D3_FBC8,
    0x21E1_CDE6, 0xC337_07D6, 0xF4D5_0D87, 0x455A_14ED, 0xA9E3_E905, 0xFCEF_A3F8,
    0x676F_02D9, 0x8D2A_4C8A, 0xFFFA_3942, 0x8771_F681, 0x6D9D_6122, 0xFDE5_380C,
    0xA4BE_EA44, 0x4BDE_CFA9, 0xF6BB_4B60, 0xBEBF_BC70, 0x289B_7EC6, 0xEAA1_27FA,
    0xD4EF_3085, 0x0488_1D05, 0xD9D4_D039, 0xE6DB_99E5, 0x1FA2_7CF8, 0xC4AC_5665,
    0xF429_2244, 0x432A_FF97, 0xAB94_23A7, 0xFC93_A039, 0x655B_59C3, 0x8F0C_CC92,
    0xFFEF_F47D, 0x8584_5DD1, 0x6FA8_7E4F, 0xFE2C_E6E0, 0xA301_4314, 0x4E08_11A1,
    0xF753_7E82, 0xBD3A_F235, 0x2AD7_D2BB, 0xEB86_D391,
  ]
}
