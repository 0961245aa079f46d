import Seeds
import Testing

@testable import EdgeCache

/// The scanners look at eight bytes at once; here they are held to what one byte at a time says.
@Suite struct HeadScannerTests {
  private func firstIndex(
    in bytes: [UInt8], from start: Int, where stops: (UInt8) -> Bool
  ) -> Int {
    bytes[start...].firstIndex(where: stops) ?? bytes.count
  }

  private static let token = Set("!#$%&'*+-.^_`|~".utf8)

  private func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: Self.token.contains(byte)
    }
  }

  @Test func everyByteAtEveryPlace() {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<20 {
        var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 20)
        bytes[place] = byte
        check(bytes, from: 0)
      }
    }
  }

  @Test func randomBytes() {
    var random = SeededRandom(seed: 0x5CA9)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...40, using: &random)
      let bytes = (0..<count).map { _ in
        // Mostly what scanners pass over, so that they get somewhere.
        Int.random(in: 0..<12, using: &random) == 0
          ? UInt8.random(in: 0...255, using: &random)
          : UInt8.random(in: 0x61...0x7A, using: &random)
      }
      check(bytes, from: count == 0 ? 0 : Int.random(in: 0..<count, using: &random))
    }
  }

  private func check(_ bytes: [UInt8], from start: Int) {
    #expect(
      HeadScanner.endOfFieldValue(bytes.span, from: start)
        == firstIndex(in: bytes, from: start) { $0 != 9 && ($0 < 0x20 || $0 == 0x7F) })
    #expect(
      HeadScanner.endOfTarget(bytes.span, from: start)
        == firstIndex(in: bytes, from: start) {
          $0 <= 0x20 || $0 >= 0x7F || $0 == UInt8(ascii: "#")
        })
    #expect(
      HeadScanner.endOfToken(bytes.span, from: start)
        == firstIndex(in: bytes, from: start) { !isToken($0) })
  }
}
