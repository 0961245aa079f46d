import NIOCore
import Seeds
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
    #expect(position == 40_000 && pieces <= 3)
    let isSame = LongContent.matches(Self.all(content.content()))
    #expect(isSame)
  }

  /// What is dropped is gone, and nothing else.
  @Test func drops() {
    var content = FlightContent()
    for start in stride(from: 0, to: 50_000, by: 5000) {
      content.append(LongContent.buffer(5000, from: start))
    }
    content.relay()
    content.drop(upTo: 4999)
    #expect(content.start == 0 && content.count == 50_000)
    content.drop(upTo: 17_500)
    #expect(content.start == 15_000 && content.count == 35_000)
    #expect(content.piece(from: 14_999) == nil)
    #expect(content.piece(from: 17_500) == LongContent.buffer(2500, from: 17_500))
    content.drop(upTo: 50_000)
    #expect(content.count == 0 && content.piece(from: 50_000) == nil)
    content.append(LongContent.buffer(3, from: 50_000))
    #expect(content.piece(from: 50_001) == LongContent.buffer(2, from: 50_001))
  }

  /// A reader that keeps what it got, for as long as it likes, sees it as it was.
  @Test func readersKeepWhatTheyGot() {
    var content = FlightContent()
    var kept: [(Int, ByteBuffer)] = []
    for start in stride(from: 0, to: 60_000, by: 7) {
      content.append(LongContent.buffer(7, from: start))
      if start % 1001 == 0, let piece = content.piece(from: start / 2) {
        kept.append((start / 2, piece))
      }
    }
    for (position, piece) in kept {
      let isSame = LongContent.matches(piece, from: position)
      #expect(isSame)
    }
  }

  /// Small chunks that nobody stores take about as much memory as they hold.
  @Test func relayedSmallChunks() {
    var content = FlightContent()
    content.relay()
    for position in 0..<100_000 { content.append(LongContent.buffer(1, from: position)) }
    var (pieces, position) = (0, 0)
    while let piece = content.piece(from: position) {
      pieces += 1
      position += piece.readableBytes
    }
    #expect(position == 100_000 && pieces <= 8)
  }
}
