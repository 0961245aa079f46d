import NIOCore
import Testing

@testable import EdgeCache

/// Content as it arrives: read from any place, put together in blocks, dropped from the front.
@Suite struct FlightContentTests {
  private static func all(_ content: Content) -> ByteBuffer {
    var all = ByteBuffer()
    for piece in content.pieces { all.writeImmutableBuffer(piece) }
    return all
  }

  /// Whatever comes in whatever pieces, readers at any places get the same bytes, and so does the store.
  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6]) func anyPieces(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let total = [3, 1 << 20, (1 << 20) + 1, 2_500_000, 3 << 20, 4_000_001][Int(seed) - 1]
    var content = FlightContent()
    var readers = [0, 0, 0]
    while content.end < total {
      let most = [20, 3000, 70_000, 1_500_000][random.below(4)]
      for _ in 0..<(most == 20 ? 200 : 1) where content.end < total {
        let count = min(total - content.end, 1 + random.below(most))
        content.append(LongContent.buffer(count, from: content.end))
      }
      for index in readers.indices where random.below(index + 1) == 0 {
        while let piece = content.piece(from: readers[index]) {
          let isRight = LongContent.matches(piece, from: readers[index])
          #expect(isRight, "seed \(seed): \(readers[index])")
          readers[index] += piece.readableBytes
          if random.below(3) == 0 { break }
        }
      }
    }
    let kept = content.content()
    let isSame = LongContent.matches(Self.all(kept))
    #expect(isSame && kept.count == total, "seed \(seed)")
    // What was put together is as large as its memory.
    for piece in kept.pieces.prefix(total > 1 << 20 ? total >> 20 : 0) {
      #expect(piece.readableBytes == 1 << 20 && piece.storageCapacity == 1 << 20)
    }
    #expect(kept.capacity <= total + total / 16 + 4096)
  }

  /// Chunks of a few bytes do not cost a buffer each.
  @Test func tinyChunks() {
    var content = FlightContent()
    for start in stride(from: 0, to: 40_000, by: 10) {
      content.append(LongContent.buffer(10, from: start))
    }
    var pieces = 0
    var position = 0
    while let piece = content.piece(from: position) {
      pieces += 1
      position += piece.readableBytes
    }
    #expect(position == 40_000 && pieces <= 4000 / 32 + 32)
    let isSame = LongContent.matches(Self.all(content.content()))
    #expect(isSame)
  }

  /// What is dropped is gone, and nothing else.
  @Test func drops() {
    var content = FlightContent()
    for start in stride(from: 0, to: 100, by: 10) {
      content.append(LongContent.buffer(10, from: start))
    }
    content.relay()
    content.drop(upTo: 9)
    #expect(content.start == 0 && content.count == 100)
    content.drop(upTo: 35)
    #expect(content.start == 30 && content.count == 70)
    #expect(content.piece(from: 29) == nil)
    #expect(content.piece(from: 35) == LongContent.buffer(5, from: 35))
    content.drop(upTo: 100)
    #expect(content.count == 0 && content.piece(from: 100) == nil)
  }
}
