import Foundation
import NIOCore
import Seeds
import Testing

@testable import EdgePoP

/// Bytes from outside in lines of logs.
@Suite struct LogBlockTests {
  /// The same byte by byte, as a page about it would say it.
  private static func escaped(_ bytes: [UInt8], _ escape: LogEscape) -> String {
    bytes.map { byte in
      let isPlain = (0x20..<0x7F).contains(byte) && byte != 0x22 && byte != 0x5C
      if isPlain { return String(UnicodeScalar(byte)) }
      if escape == .json, byte == 0x22 || byte == 0x5C { return "\\" + String(UnicodeScalar(byte)) }
      let digits = String(byte, radix: 16, uppercase: true)
      let both = digits.count == 1 ? "0\(digits)" : digits
      return (escape == .json ? "\\u00" : "\\x") + both
    }.joined()
  }

  private static func written(_ bytes: [UInt8], _ escape: LogEscape) -> String {
    let block = LogBlock(capacity: bytes.count * LogBlock.mostForByte + 8)
    block.put(bytes.span, escaped: escape)
    return block.text
  }

  @Test("Every byte at every place of a word", arguments: [LogEscape.hexadecimal, .json])
  func everyByte(escape: LogEscape) {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<17 {
        var bytes = Array("abcdefghijklmnopq".utf8)
        bytes[place] = byte
        #expect(Self.written(bytes, escape) == Self.escaped(bytes, escape))
      }
    }
  }

  @Test("Any bytes, of any length", arguments: [LogEscape.hexadecimal, .json])
  func anyBytes(escape: LogEscape) throws {
    var random = SeededRandom(seed: 7)
    for _ in 0..<2000 {
      let count = Int.random(in: 0..<40, using: &random)
      let isDense = Bool.random(using: &random)
      let bytes = (0..<count).map { _ -> UInt8 in
        isDense || UInt8.random(in: 0..<8, using: &random) == 0
          ? UInt8.random(in: 0...255, using: &random) : UInt8(ascii: "a")
      }
      let written = Self.written(bytes, escape)
      #expect(written == Self.escaped(bytes, escape))
      guard escape == .json else { continue }
      // What came can be told from it.
      let back = try JSONDecoder().decode([String].self, from: Data("[\"\(written)\"]".utf8))
      #expect(back[0].unicodeScalars.map { UInt8($0.value) } == bytes)
    }
  }

  @Test(
    "Numbers",
    arguments: [
      0, 9, 10, 99, 100, 1000, 9999, 10_000, 12_345_678, 99_999_999, 100_000_000,
      10_000_000_000_000_000, 1_234_567_890, Int64.max, -1, -10, Int64.min,
    ])
  func numbers(value: Int64) {
    let block = LogBlock(capacity: 40)
    block.put(value)
    #expect(block.text == "\(value)")
  }

  @Test func hexadecimal() {
    let block = LogBlock(capacity: 40)
    block.putHexadecimal(0x0123_4567_89AB_CDEF)
    block.put(42, digits: 6)
    #expect(block.text == "0123456789abcdef000042")
  }

  @Test("Lines are found from any place in them")
  func lines() {
    let block = LogBlock(capacity: 40)
    for line in ["ab", "", "cde"] {
      block.put(text: line)
      block.endLine()
    }
    #expect(block.lines == 3)
    #expect((0...block.count).map(block.lineStart(before:)) == [0, 0, 0, 3, 4, 4, 4, 4, 8])
    #expect((0..<block.count).map(block.lineEnd(from:)) == [3, 3, 3, 4, 8, 8, 8, 8])
    #expect((0...block.count).map(block.lines(from:)) == [3, 3, 3, 2, 1, 1, 1, 1, 0])
  }
}
