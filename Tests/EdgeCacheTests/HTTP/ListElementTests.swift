import NIOCore
import Testing

@testable import EdgeCache

/// Elements of comma-separated lists, and the small scans over bytes (RFC 9110 §5.6).
@Suite struct ListElementTests {
  private func elements(_ text: String) -> [String] {
    let bytes = wire(text)
    var found: [String] = []
    bytes.span.forEachListElement(0..<bytes.count) { range in
      found.append(String(decoding: bytes[range], as: UTF8.self))
      return true
    }
    return found
  }

  @Test(arguments: [
    ("", []), (" ", []), (",", []), (", ,\t,", []), ("a", ["a"]), (" a ", ["a"]),
    ("a,b", ["a", "b"]), ("a, b", ["a", "b"]), ("a ,\tb", ["a", "b"]), (",a,,b,", ["a", "b"]),
    ("a b, c", ["a b", "c"]), ("a=\"b,c\", d", ["a=\"b,c\"", "d"]),
    ("\"a\",\"b\"", ["\"a\"", "\"b\""]),
    ("\",\"", ["\",\""]), ("\"\"", ["\"\""]), ("\"\",a", ["\"\"", "a"]),
    ("\"a\\\"b,c\", d", ["\"a\\\"b,c\"", "d"]), ("\"a\\\\\", b", ["\"a\\\\\"", "b"]),
    ("\"a\\\\\\\",b\", c", ["\"a\\\\\\\",b\"", "c"]), ("a\\,b", ["a\\", "b"]),
    ("a\\\"b,c", ["a\\\"b,c"]), ("\"a, b", ["\"a, b"]), ("a, \"b", ["a", "\"b"]),
    ("\"a\\", ["\"a\\"]), ("\"a\\\"", ["\"a\\\""]), ("a\",b\"c, d", ["a\",b\"c", "d"]),
    ("a;b=\"c\";d=\",\",e", ["a;b=\"c\";d=\",\"", "e"]), ("W/\"a,b\", *", ["W/\"a,b\"", "*"]),
    ("\" , \" ,a", ["\" , \"", "a"]), ("a,b,c,d,e", ["a", "b", "c", "d", "e"]), ("\\", ["\\"]),
  ])
  func elements(_ text: String, _ expected: [String]) {
    #expect(elements(text) == expected)
  }

  /// Only the range is looked at.
  @Test func withinARange() {
    let bytes = wire("x,\"a,b\",y")
    var found: [Range<Int>] = []
    bytes.span.forEachListElement(2..<7) { range in
      found.append(range)
      return true
    }
    #expect(found == [2..<7])
  }

  @Test func stops() {
    let bytes = wire("a,b,c")
    var count = 0
    bytes.span.forEachListElement(0..<bytes.count) { _ in
      count += 1
      return count < 2
    }
    #expect(count == 2)
  }

  /// The elements of all lines, stopping across lines too (RFC 9110 §5.3).
  @Test func overSeveralLines() {
    var section = FieldSection()
    section.append(name: "Vary", value: "a, b".utf8)
    section.append(name: "Via", value: "x".utf8)
    section.append(name: "vary", value: "C".utf8)
    var found: [String] = []
    section.forEachElement(of: .vary) { span, range in
      found.append(String(decoding: span.extracting(range).copied(), as: UTF8.self))
      return true
    }
    #expect(found == ["a", "b", "C"])
    #expect(section.hasElement(.vary, "c"))
    #expect(section.hasElement(.vary, "a"))
    #expect(!section.hasElement(.vary, "x"))
    var count = 0
    section.forEachElement(of: .vary) { _, _ in
      count += 1
      return false
    }
    #expect(count == 1)
    #expect(section.count(of: .vary) == 2)
    #expect(section.only(.vary) == nil)
    #expect(section.only(.via) != nil)
    #expect(section.first(.age) == nil)
  }

  @Test func nominatedByConnection() {
    var section = FieldSection()
    section.append(name: "Connection", value: "close, X-A".utf8)
    section.append(name: "x-a", value: "1".utf8)
    section.append(name: "X-AB", value: "1".utf8)
    section.append(name: "X-B", value: "1".utf8)
    section.append(name: "connection", value: ",x-b".utf8)
    #expect(section.fields.indices.filter(section.isNominatedByConnection) == [1, 3])
  }

  @Test(arguments: [
    ("", nil), ("0", 0), ("00", 0), ("7", 7), ("007", 7), ("1234567890", 1_234_567_890),
    ("9223372036854775807", Int.max), ("09223372036854775807", Int.max),
    ("9223372036854775808", nil), ("9223372036854775810", nil), ("18446744073709551616", nil),
    ("18446744073709551617", nil), ("99999999999999999999999", nil), ("+1", nil), ("-1", nil),
    (" 1", nil), ("1 ", nil), ("1a", nil), ("a", nil), ("/", nil), (":", nil), ("\u{B2}", nil),
  ])
  func decimal(_ text: String, _ expected: Int?) {
    let bytes = wire(text)
    #expect(bytes.span.decimal(0..<bytes.count) == expected)
  }

  /// Each of the 256 bytes in each class, against the words of the RFCs.
  @Test func classes() {
    let token = wire("!#$%&'*+-.^_`|~0123456789")
    let host = wire("-._0123456789abcdefghijklmnopqrstuvwxyz")
    for byte in UInt8.min...UInt8.max {
      let isAlpha = (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
      #expect(byte.isToken == (isAlpha || token.contains(byte)))
      #expect(byte.isCanonicalHost == host.contains(byte))
      #expect(byte.isFieldValue == (byte == 9 || byte >= 32 && byte != 127))
      let isTarget = HeadScanner.endOfTarget([byte].span, from: 0) == 1
      #expect(isTarget == ((33...126).contains(byte) && byte != 35))
      #expect(byte.isDigit == (48...57).contains(byte))
      #expect(byte.isOptionalWhitespace == (byte == 9 || byte == 32))
      #expect(byte.asciiLowercased == ((65...90).contains(byte) ? byte + 32 : byte))
      let hex = wire("0123456789abcdef").firstIndex(of: byte.asciiLowercased)
      #expect(byte.hexValue == hex.map { UInt8($0) })
    }
  }

  @Test(arguments: [
    ("", ""), (" ", ""), ("\t \t", ""), ("a", "a"), (" a b\t", "a b"), ("\u{0B}a", "\u{0B}a"),
  ])
  func trimming(_ text: String, _ expected: String) {
    let bytes = wire(text)
    #expect(Array(bytes[bytes.span.trimmingWhitespace(0..<bytes.count)]) == wire(expected))
  }
}
