import EdgeCache

// Lines are put together straight in the memory from which they are written, with one check for each piece.
//
// Unsafe memory. Invariant: `base` is the beginning of `capacity` bytes that belong to this block alone, of which the
// first `count` are written; every piece is checked against the room that is left before it is copied. Words
// are stored whole, of which not all bytes count. One thread
// at a time has a block: the one that fills it, and when that has handed it over the one that writes it.

/// How bytes are written that could end or forge a line.
enum LogEscape {
  /// As `\xHH`, as Apache and nginx do.
  case hexadecimal
  /// As strings of JSON have it (RFC 8259 §7); bytes beyond ASCII as the characters of Latin-1, so that what
  /// came can be told from the line whatever it was.
  case json
}

/// Memory with whole lines of a log, but for the last one while it is being put together.
///
/// Unchecked, for one thread at a time has it: who fills it lets go of it when it is handed over to who writes it.
final class LogBlock: @unchecked Sendable {
  private(set) var capacity: Int
  private var base: UnsafeMutableRawPointer
  /// Bytes that are written.
  private(set) var count = 0
  /// Lines that are complete.
  private(set) var lines: UInt64 = 0

  /// What one byte can become, at most.
  static let mostForByte = 6

  /// An empty block.
  init(capacity: Int) {
    self.capacity = capacity
    base = .allocate(byteCount: capacity, alignment: 16)
  }

  /// A block with one line, which ends here.
  convenience init(line: String) {
    self.init(capacity: line.utf8.count + 1)
    put(text: line)
    endLine()
  }

  deinit { base.deallocate() }

  /// Bytes that are left.
  var room: Int { capacity &- count }

  /// Gives what it has to another block, for the memory of that one.
  func exchange(with other: LogBlock) {
    swap(&base, &other.base)
    swap(&capacity, &other.capacity)
    swap(&count, &other.count)
    swap(&lines, &other.lines)
  }

  /// Adds the lines of another block, for which there is room.
  func append(_ other: LogBlock) {
    put(other)
    lines &+= other.lines
  }

  /// Makes it as good as new.
  func clear() { (count, lines) = (0, 0) }

  /// Ends a line.
  @inline(__always)
  func endLine() {
    put(ASCII.lineFeed)
    lines &+= 1
  }

  @inline(__always)
  private func append(_ source: UnsafeRawPointer?, _ length: Int) {
    guard length > 0, let source else { return }
    invariant(length <= room, "a line that is longer than it can be")
    (base + count).copyMemory(from: source, byteCount: length)
    count &+= length
  }

  /// Writes one byte.
  @inline(__always)
  func put(_ byte: UInt8) {
    invariant(room >= 1, "a line that is longer than it can be")
    base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
    count &+= 1
  }

  /// Writes a literal.
  @inline(__always)
  func put(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

  /// Writes some bytes as they are.
  @inline(__always)
  func put(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0.baseAddress, $0.count) } }

  /// Writes a text as it is.
  func put(text: String) {
    var text = text
    text.withUTF8 { append($0.baseAddress, $0.count) }
  }

  /// Writes what another block has.
  @inline(__always)
  func put(_ other: LogBlock) { append(other.base, other.count) }

  /// Writes a number in decimal digits. O(digits).
  @inline(__always)
  func put(_ value: Int64) {
    if 0..<100_000_000 ~= value {
      putSmall(UInt32(truncatingIfNeeded: value))
    } else {
      putLarge(value)
    }
  }

  /// Up to eight digits: fours, pairs and digits of the number are taken apart in places of one word, all at once.
  @inline(__always)
  private func putSmall(_ value: UInt32) {
    invariant(room >= 8, "a line that is longer than it can be")
    let fours = UInt64(value / 10_000) | UInt64(value % 10_000) << 32
    let hundreds = ((fours &* 10_486) >> 20) & 0x0000_007F_0000_007F
    let pairs = hundreds | (fours &- hundreds &* 100) << 16
    let tens = ((pairs &* 103) >> 10) & 0x000F_000F_000F_000F
    let digits = tens | (pairs &- tens &* 10) << 8
    // The highest digit is lowest; of nothing but zeros one is written.
    let zeros = min(digits.trailingZeroBitCount >> 3, 7)
    let text = (digits | 0x3030_3030_3030_3030) >> UInt64(8 &* zeros)
    base.storeBytes(of: text.littleEndian, toByteOffset: count, as: UInt64.self)
    count &+= 8 &- zeros
  }

  @inline(never)
  private func putLarge(_ value: Int64) {
    if value < 0 { put(ASCII.dash) }
    let (high, low) = value.magnitude.quotientAndRemainder(dividingBy: 100_000_000)
    if high == 0 { return putSmall(UInt32(low)) }
    putLarge(Int64(high))
    put(Int64(low), digits: 8)
  }

  /// Writes a number in so many decimal digits, zeros before it. O(digits).
  func put(_ value: Int64, digits: Int) {
    invariant(room >= digits, "a line that is longer than it can be")
    var rest = value.magnitude
    for index in (count..<count &+ digits).reversed() {
      base.storeBytes(
        of: ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10), toByteOffset: index, as: UInt8.self)
      rest /= 10
    }
    count &+= digits
  }

  /// Writes a number in 16 hexadecimal digits.
  func putHexadecimal(_ value: UInt64) {
    invariant(room >= 16, "a line that is longer than it can be")
    let halves = (UInt32(truncatingIfNeeded: value >> 32), UInt32(truncatingIfNeeded: value))
    base.storeBytes(
      of: halves.0.hexadecimalDigits.littleEndian, toByteOffset: count, as: UInt64.self)
    base.storeBytes(
      of: halves.1.hexadecimalDigits.littleEndian, toByteOffset: count &+ 8, as: UInt64.self)
    count &+= 16
  }

  private func putDigit(_ digit: UInt8) { put(digit < 10 ? ASCII.zero &+ digit : 0x37 &+ digit) }

  // MARK: What comes from outside

  /// Writes text from outside.
  func put(_ text: String, escaped escape: LogEscape) {
    var text = text
    text.withUTF8 { put(UnsafeRawBufferPointer($0), escaped: escape) }
  }

  /// Writes bytes from outside of which none has to be escaped.
  @inline(__always)
  func put(plain bytes: Span<UInt8>) { bytes.withUnsafeBytes { append($0.baseAddress, $0.count) } }

  /// Writes bytes from outside.
  @inline(__always)
  func put(_ bytes: Span<UInt8>, escaped escape: LogEscape) {
    bytes.withUnsafeBytes { put($0, escaped: escape) }
  }

  /// Copies eight bytes at a time as long as none of them has to be escaped. O(bytes).
  private func put(_ source: UnsafeRawBufferPointer, escaped escape: LogEscape) {
    guard let from = source.baseAddress else { return }
    let end = source.count
    invariant(end &* Self.mostForByte &+ 8 <= room, "a line that is longer than it can be")
    var index = 0
    while index &+ 8 <= end {
      let word = UInt64(littleEndian: from.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      base.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt64.self)
      let marks = Self.marks(word)
      if marks == 0 {
        index &+= 8
        count &+= 8
        continue
      }
      let clean = marks.trailingZeroBitCount >> 3
      index &+= clean
      count &+= clean
      putEscape(from.load(fromByteOffset: index, as: UInt8.self), escape)
      index &+= 1
    }
    let rest = end &- index
    if rest == 0 { return }
    let word = Self.word(from + index, rest)
    if Self.marks(word) == 0 {
      base.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt64.self)
      count &+= rest
    } else {
      putSlowly(UnsafeRawBufferPointer(start: from + index, count: rest), escape)
    }
  }

  @inline(never)
  private func putSlowly(_ source: UnsafeRawBufferPointer, _ escape: LogEscape) {
    for byte in source {
      if Self.isPlain(byte) { put(byte) } else { putEscape(byte, escape) }
    }
  }

  /// Fewer than eight bytes as a word, with blanks behind them.
  @inline(__always)
  private static func word(_ from: UnsafeRawPointer, _ count: Int) -> UInt64 {
    let blanks: UInt64 = 0x2020_2020_2020_2020 << UInt64(8 &* count)
    if count >= 4 {
      let first = UInt32(littleEndian: from.loadUnaligned(as: UInt32.self))
      let last = UInt32(
        littleEndian: from.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
      return blanks | UInt64(first) | UInt64(last) << UInt64(8 &* (count &- 4))
    }
    func byte(_ place: Int) -> UInt64 {
      UInt64(from.load(fromByteOffset: place, as: UInt8.self)) << UInt64(8 &* place)
    }
    return blanks | byte(0) | byte(count >> 1) | byte(count &- 1)
  }

  @inline(__always)
  private static func isPlain(_ byte: UInt8) -> Bool {
    byte &- 0x20 < 0x5F && byte != ASCII.quote && byte != ASCII.backslash
  }

  /// The high bit of each byte that has to be escaped; borrows may mark bytes above one that is marked rightly, so only
  /// the lowest mark counts.
  @inline(__always)
  private static func marks(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ (ones &* UInt64(ASCII.quote))
    let backslash = word ^ (ones &* UInt64(ASCII.backslash))
    let delete = word ^ (ones &* 0x7F)
    let low =
      ((word &- ones &* 0x20) & ~word) | ((quote &- ones) & ~quote)
      | ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
    return (low | word) & (ones &* 0x80)
  }

  @inline(never)
  private func putEscape(_ byte: UInt8, _ escape: LogEscape) {
    switch escape {
    case .json where byte == ASCII.quote || byte == ASCII.backslash:
      put(ASCII.backslash)
      put(byte)
    case .hexadecimal, .json:
      if case .json = escape { put("\\u00") } else { put("\\x") }
      putDigit(byte >> 4)
      putDigit(byte & 15)
    }
  }

  // MARK: What was written

  /// What is there from `start` on.
  func withBytes<Result>(from start: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    invariant(start <= count, "a place beyond what was written")
    return body(UnsafeRawBufferPointer(start: base + start, count: count &- start))
  }

  /// Where the line begins that has the byte before `end` in it.
  func lineStart(before end: Int) -> Int {
    invariant(end <= count, "a place beyond what was written")
    var start = end
    while start > 0, base.load(fromByteOffset: start - 1, as: UInt8.self) != ASCII.lineFeed {
      start -= 1
    }
    return start
  }

  /// Behind the end of the line that has the byte at `place` in it.
  func lineEnd(from place: Int) -> Int {
    var end = place
    while end < count, base.load(fromByteOffset: end, as: UInt8.self) != ASCII.lineFeed { end += 1 }
    return min(end + 1, count)
  }

  /// The number of lines that end at `start` or behind it.
  func lines(from start: Int) -> UInt64 {
    withBytes(from: start) { bytes in UInt64(bytes.count { $0 == ASCII.lineFeed }) }
  }

  /// What was written, as text.
  var text: String { withBytes(from: 0) { String(decoding: $0, as: UTF8.self) } }
}
