// The inner loops of reading a head, eight bytes at a time where that is possible. A browser sends
// some 700 bytes of fields with each request, nearly all of them in values that nobody looks at: how
// fast these loops are is how fast heads are read.
//
// Unsafe memory. Invariant: a load of eight bytes at `index` is made only where `index + 8` is not
// past the end of the span that was given; everything else goes byte by byte.

enum HeadScanner {
  /// A word with `byte` in all of its eight places.
  @inline(__always)
  private static func spread(_ byte: UInt8) -> UInt64 {
    0x0101_0101_0101_0101 &* UInt64(byte)
  }

  @inline(__always)
  private static func load(_ base: UnsafePointer<UInt8>, _ index: Int) -> UInt64 {
    UInt64(
      littleEndian: UnsafeRawPointer(base + index).loadUnaligned(as: UInt64.self))
  }

  /// The eight bytes at `index`, the first one lowest. O(1).
  @inline(__always)
  static func word(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    invariant(index >= 0 && index &+ 8 <= bytes.count, "a word beyond the bytes")
    return bytes.withUnsafeBufferPointer { load($0.baseAddress!, index) }
  }

  /// True if two spans have the same bytes. O(bytes).
  static func areEqual(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    guard one.count == other.count else { return false }
    return one.withUnsafeBufferPointer { one in
      other.withUnsafeBufferPointer { other in
        guard let left = one.baseAddress, let right = other.baseAddress else { return true }
        let end = one.count
        var index = 0
        while index &+ 8 <= end {
          if load(left, index) != load(right, index) { return false }
          index &+= 8
        }
        // The last eight overlap with what was looked at already.
        if index > 0 { return index == end || load(left, end &- 8) == load(right, end &- 8) }
        while index < end, left[index] == right[index] { index &+= 1 }
        return index == end
      }
    }
  }

  /// The high bit of each byte that is less than `limit`, at most 0x80; borrows may mark bytes above
  /// one that is marked rightly, so only the lowest mark counts.
  @inline(__always)
  private static func marksBelow(_ limit: UInt8, _ word: UInt64) -> UInt64 {
    (word &- spread(limit)) & ~word & spread(0x80)
  }

  /// The high bit of each byte that is `byte`; only the lowest mark counts, as above.
  @inline(__always)
  private static func marks(_ byte: UInt8, _ word: UInt64) -> UInt64 {
    marksBelow(1, word ^ spread(byte))
  }

  /// The index of the first byte from `start` that cannot be part of a field value: a control
  /// character other than a tab (RFC 9110 §5.5). O(bytes).
  @inline(__always)
  static func endOfFieldValue(_ bytes: Span<UInt8>, from start: Int) -> Int {
    bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return start }
      let end = memory.count
      var index = start
      while true {
        while index &+ 8 <= end {
          let word = load(base, index)
          let stops = marksBelow(0x20, word) | marks(0x7F, word)
          if stops != 0 {
            index &+= stops.trailingZeroBitCount >> 3
            break
          }
          index &+= 8
        }
        guard index < end else { return index }
        let byte = base[index]
        if byte != ASCII.tab, byte < 0x20 || byte == 0x7F { return index }
        index &+= 1
      }
    }
  }

  /// The index of the first byte from `start` that cannot be part of a request target. O(bytes).
  @inline(__always)
  static func endOfTarget(_ bytes: Span<UInt8>, from start: Int) -> Int {
    bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return start }
      let end = memory.count
      var index = start
      while index &+ 8 <= end {
        let word = load(base, index)
        let stops =
          marksBelow(0x21, word) | marks(0x7F, word) | marks(ASCII.hash, word)
          | (word & spread(0x80))
        if stops != 0 { return index &+ stops.trailingZeroBitCount >> 3 }
        index &+= 8
      }
      while index < end, isTarget(base[index]) { index &+= 1 }
      return index
    }
  }

  @inline(__always)
  private static func isTarget(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && byte != ASCII.hash
  }

  /// The high bit of each byte that is `byte`; exact in every place.
  @inline(__always)
  private static func exactMarks(_ byte: UInt8, _ word: UInt64) -> UInt64 {
    let other = word ^ spread(byte)
    return ~(((other & spread(0x7F)) &+ spread(0x7F)) | other) & spread(0x80)
  }

  /// A mark if a byte of a word could be part of another spelling; `before` is the mark of the byte before it.
  @inline(__always)
  private static func marksRespelled(_ word: UInt64, _ dots: UInt64, _ before: UInt64) -> UInt64 {
    marks(ASCII.percent, word) | marks(ASCII.semicolon, word) | marks(ASCII.backslash, word)
      | (dots & (dots << 8 | before))
  }

  /// True if a target from `start` on has a percent sign, a semicolon, a backslash, or two slashes and dots beside each
  /// other: all that a path has that is not in normal form. O(bytes).
  @inline(__always)
  static func mayBeRespelled(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return false }
      let end = memory.count
      var index = start
      var before: UInt64 = 0
      while index &+ 8 <= end {
        let word = load(base, index)
        // A dot and a slash differ in their last bit.
        let dots = exactMarks(ASCII.slash, word | spread(1))
        if marksRespelled(word, dots, before) != 0 { return true }
        before = dots >> 56
        index &+= 8
      }
      if index == end { return false }
      if end &- start >= 8 {
        // The last eight overlap with what was looked at already.
        let word = load(base, end &- 8)
        return marksRespelled(word, exactMarks(ASCII.slash, word | spread(1)), 0) != 0
      }
      var wasDot = false
      while index < end {
        let byte = base[index]
        if byte == ASCII.percent || byte == ASCII.semicolon || byte == ASCII.backslash {
          return true
        }
        let isDot = byte | 1 == ASCII.slash
        if isDot, wasDot { return true }
        wasDot = isDot
        index &+= 1
      }
      return false
    }
  }

  /// The index of the first byte from `start` that a quoted string escapes (RFC 9110 §5.6.4). O(bytes).
  static func endOfUnescaped(_ bytes: Span<UInt8>, from start: Int) -> Int {
    bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return start }
      let end = memory.count
      var index = start
      while index &+ 8 <= end {
        let word = load(base, index)
        let stops = marks(ASCII.quote, word) | marks(ASCII.backslash, word)
        if stops != 0 { return index &+ stops.trailingZeroBitCount >> 3 }
        index &+= 8
      }
      while index < end, base[index] != ASCII.quote, base[index] != ASCII.backslash { index &+= 1 }
      return index
    }
  }

  /// The high bit of each byte that is no letter and no dash; exact in every place.
  @inline(__always)
  private static func marksNoName(_ word: UInt64) -> UInt64 {
    let low = word & spread(0x7F)
    // With the high bit out of the way no sum carries into the next byte.
    let letters = low | spread(0x20)
    let isLetter = (letters &+ spread(0x80 - 0x61)) & ~(letters &+ spread(0x80 - 0x7B))
    let dash = low ^ spread(ASCII.dash)
    let isDash = ~(dash &+ spread(0x7F))
    return (~(isLetter | isDash) | word) & spread(0x80)
  }

  /// The index of the first byte from `start` that cannot be part of a token. O(bytes).
  ///
  /// Names of fields are letters and dashes, which are passed over eight at a time.
  @inline(__always)
  static func endOfToken(_ bytes: Span<UInt8>, from start: Int) -> Int {
    bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return start }
      let end = memory.count
      var index = start
      while true {
        while index &+ 8 <= end {
          let others = marksNoName(load(base, index))
          if others != 0 {
            index &+= others.trailingZeroBitCount >> 3
            break
          }
          index &+= 8
        }
        guard index < end, base[index].isToken else { return index }
        index &+= 1
      }
    }
  }

  /// Two words that tell short texts apart, letters without regard to case: the first and the last eight bytes of them,
  /// or all of a text that is shorter, and zero. O(1).
  @inline(__always)
  static func fingerprint(_ bytes: Span<UInt8>, _ range: Range<Int>) -> (UInt64, UInt64) {
    invariant(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a text beyond the bytes")
    let count = range.count
    return bytes.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return (0, 0) }
      if count >= 8 {
        return (
          load(base, range.lowerBound) | spread(0x20),
          load(base, range.upperBound &- 8) | spread(0x20)
        )
      }
      let mask: UInt64 = (1 << UInt64(count &* 8)) &- 1
      if range.lowerBound &+ 8 <= memory.count {
        return ((load(base, range.lowerBound) | spread(0x20)) & mask, 0)
      }
      var word: UInt64 = 0
      for index in range.reversed() { word = word << 8 | UInt64(base[index]) }
      return ((word | spread(0x20)) & mask, 0)
    }
  }

  /// True if a token is `name`, which is made of lower-case letters, digits and dashes; letters
  /// without regard to case. O(bytes).
  ///
  /// Setting the bit that makes letters lower case makes none of the other characters of a token
  /// look like one of those.
  @inline(__always)
  static func isToken(_ bytes: Span<UInt8>, _ range: Range<Int>, named name: StaticString) -> Bool {
    guard range.count == name.utf8CodeUnitCount else { return false }
    return bytes.extracting(range).withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return true }
      let other = name.utf8Start
      let count = memory.count
      guard count >= 8 else {
        for index in 0..<count where base[index] | 0x20 != other[index] { return false }
        return true
      }
      var index = 0
      while index &+ 8 <= count {
        if load(base, index) | spread(0x20) != load(other, index) { return false }
        index &+= 8
      }
      // The last eight overlap with what was compared already.
      return load(base, count &- 8) | spread(0x20) == load(other, count &- 8)
    }
  }
}
