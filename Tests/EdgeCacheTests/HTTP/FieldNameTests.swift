import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Known field names in any letter case, and nothing else (RFC 9110 §5.1).
@Suite struct FieldNameTests {
  static let known = FieldName.allCases.filter { $0 != .other }

  private func name(_ bytes: [UInt8]) -> FieldName {
    FieldNameTable.name(bytes.span)
  }

  private func bytes(_ name: FieldName) -> [UInt8] {
    name.lowercased.withUTF8Buffer(Array.init)
  }

  /// The name as a parsed head has it.
  private func parsed(_ bytes: [UInt8]) -> FieldName? {
    var fields: [Field] = []
    let line = bytes + wire(":b↵↵")
    _ = try? FieldParser.parse(
      line.span, from: 0, into: &fields, limits: .request, allowsSpaceBeforeColon: false)
    return fields.first?.name
  }

  @Test(arguments: known) func anyCase(_ field: FieldName) {
    let lower = bytes(field)
    var random = SeededRandom(seed: UInt64(field.rawValue))
    var spellings = [lower, lower.map(upper)]
    for _ in 0..<20 { spellings.append(lower.map { random.below(2) == 0 ? $0 : upper($0) }) }
    for spelling in spellings {
      #expect(name(spelling) == field)
      #expect(parsed(spelling) == field)
    }
  }

  private func upper(_ byte: UInt8) -> UInt8 {
    byte >= 0x61 && byte <= 0x7A ? byte & 0xDF : byte
  }

  /// Every name with one byte changed, left out or added is another one.
  @Test(arguments: known) func nearMisses(_ field: FieldName) {
    let exact = bytes(field)
    let others = Set(Self.known.map { bytes($0) })
    for index in exact.indices {
      for value in UInt8.min...UInt8.max where value | 0x20 != exact[index] || value < 0x41 {
        var other = exact
        other[index] = value
        if other != exact, !others.contains(other.map(\.asciiLowercased)) {
          #expect(name(other) == .other, "byte \(index) is \(value)")
        }
      }
      var shorter = exact
      shorter.remove(at: index)
      if !others.contains(shorter) { #expect(name(shorter) == .other) }
      for value in wire("-_ax0\0 ") {
        var longer = exact
        longer.insert(value, at: index)
        if !others.contains(longer) { #expect(name(longer) == .other) }
      }
    }
    for value in wire("-_sx0\0 \t:") where !others.contains(exact + [value]) {
      #expect(name(exact + [value]) == .other)
    }
  }

  @Test(arguments: [
    "", "a", "x", "content_length", "contentlength", "content--length", "transfer.encoding",
    "hosts", "hos", "etags", "e-tag", "accept-encodings", "set-cookie2", "x-forwarded-host",
    "\u{C8}ost", "cooki\u{E5}", "date ", " date", "content\rlength", "transfer\rencoding",
    "if^match",
  ])
  func other(_ text: String) {
    #expect(name(wire(text)) == .other)
  }

  @Test func names() {
    #expect(FieldName.other.lowercased.utf8CodeUnitCount == 0)
    #expect(Set(Self.known.map { bytes($0) }).count == Self.known.count)
    for field in Self.known {
      #expect(bytes(field).allSatisfy { $0.isToken && $0 == $0.asciiLowercased })
    }
  }

  @Test func hopByHop() {
    let expected: Set<FieldName> = [
      .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade,
      .http2Settings,
    ]
    #expect(Set(FieldName.allCases.filter(\.isHopByHop)) == expected)
  }

  /// Fields that are added later are known, in order, and point at their bytes.
  @Test func appended() {
    var section = FieldSection()
    section.append(name: "Age", value: "5".utf8)
    section.append(name: "X-A", value: "".utf8)
    section.append(name: "VIA", value: "1.1 b".utf8)
    #expect(facts(section) == "fields=3 !Age:5 X-A: !VIA:1.1_b")
    #expect(String(buffer: section.bytes) == "Age: 5\r\nX-A: \r\nVIA: 1.1 b\r\n")
  }
}
