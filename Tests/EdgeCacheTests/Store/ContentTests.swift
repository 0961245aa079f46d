import NIOCore
import Seeds
import Testing

@testable import EdgeCache

/// Content in pieces: the same bytes, little waste, and slices without copies.
@Suite struct ContentTests {
  private func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ ($0 >> 8)) }
  }

  /// Chunks of random sizes, some of them empty.
  private func chunks(_ bytes: [UInt8], _ random: inout SeededRandom) -> [ByteBuffer] {
    var chunks: [ByteBuffer] = []
    var start = 0
    while start < bytes.count {
      let size = min(bytes.count - start, random.below(random.below(3) == 0 ? 9 : 40_000))
      chunks.append(ByteBuffer(bytes: bytes[start..<(start + size)]))
      start += size
    }
    return chunks
  }

  private func joined(_ content: Content, _ range: Range<Int>) -> [UInt8] {
    var bytes: [UInt8] = []
    content.forEachPiece(in: range) { bytes += Array($0.readableBytesView) }
    return bytes
  }

  /// Every small size, and those near powers of two and where one more piece begins.
  static let sizes: [Int] = {
    var sizes = Array(0...130)
    for power in 7...17 {
      let two = 1 << power
      sizes += [two - 2, two - 1, two, two + 1, two + 2, two * 3 / 2, two * 17 / 16]
    }
    return sizes + [100_000, 131_071, 196_609]
  }()

  @Test func everySize() {
    var random = SeededRandom(seed: 21)
    for size in Self.sizes {
      let bytes = bytes(size)
      let content = Content(copying: chunks(bytes, &random), count: size)
      #expect(content.count == size)
      #expect(joined(content, 0..<size) == bytes, "\(size) bytes")
      #expect(content.pieces.allSatisfy { $0.readableBytes > 0 })
      #expect(content.pieces.count <= 6, "\(size) bytes in \(content.pieces.count) pieces")
      let room = content.pieces.reduce(0) { $0 + $1.storageCapacity }
      #expect(room - size <= max(64, size / 16), "\(size) bytes in \(room)")
      // What the buffers' own objects take is counted as well.
      #expect(content.capacity >= room && content.capacity <= room + room / 16 + 700)
    }
  }

  /// Any chunks make the same content.
  @Test func anyChunks() {
    for seed in UInt64(0)..<20 {
      var random = SeededRandom(seed: seed)
      let bytes = bytes(random.below(30_000))
      let content = Content(copying: chunks(bytes, &random), count: bytes.count)
      #expect(joined(content, 0..<bytes.count) == bytes, "seed \(seed)")
    }
  }

  @Test func slices() {
    var random = SeededRandom(seed: 22)
    for size in [1, 63, 64, 65, 1000, 1023, 1025, 1500, 70_000] {
      let bytes = bytes(size)
      let content = Content(copying: chunks(bytes, &random), count: size)
      var ranges = [0..<0, 0..<size, 0..<1, (size - 1)..<size, size..<size]
      for _ in 0..<50 {
        let lower = random.below(size + 1)
        ranges.append(lower..<(lower + random.below(size - lower + 1)))
      }
      // At the seams.
      var seam = 0
      for piece in content.pieces {
        seam += piece.readableBytes
        ranges.append(max(0, seam - 1)..<min(size, seam + 1))
        ranges.append(0..<seam)
        ranges.append(seam..<size)
      }
      for range in ranges {
        #expect(joined(content, range) == Array(bytes[range]), "\(size) bytes, \(range)")
      }
    }
  }

  @Test func empty() {
    #expect(Content.empty.count == 0 && Content.empty.capacity == 0 && Content.empty.pieces.isEmpty)
    let content = Content(copying: [ByteBuffer(), ByteBuffer()], count: 0)
    #expect(content.pieces.isEmpty)
  }

  /// A slice of a large receive buffer is copied into memory of its own size; a full one is kept.
  @Test func compacted() {
    let large = ByteBuffer(bytes: bytes(65_536))
    guard let slice = large.getSlice(at: 100, length: 50) else { return }
    #expect(slice.compacted().storageCapacity <= 128)
    #expect(slice.compacted() == slice)
    #expect(large.compacted().storageCapacity == large.storageCapacity)
    #expect(ByteBuffer().compacted().readableBytes == 0)
  }
}
