import NIOCore

// Content as it arrives, for readers at different places of it. It is put together in blocks as it comes, so that
// at the end it can be stored as it is: a second copy of large content would take as much memory again, and hold
// up the event loop that made it.
//
// Invariants: blocks lie one behind the other from `start` to `end`, none is empty, and `starts` says where each
// begins. The first `full` of them have `Content.block` bytes and are as large as their memory.

/// The content of a flight, as far as it has arrived and somebody may need it.
struct FlightContent: Sendable {
  private var blocks: [ByteBuffer] = []
  private var starts: [Int] = []
  /// Number of blocks that are put together.
  private var full = 0
  /// Where what is put together next begins.
  private var assembled = 0
  /// Small blocks at the end, one behind the other.
  private var smallRun = 0
  /// True if nothing is put together any more.
  private var isRelayed = false

  /// Bytes that were dropped.
  private(set) var start = 0
  /// Bytes that have arrived.
  private(set) var end = 0

  /// Bytes that are here.
  var count: Int { end - start }

  /// A block of fewer bytes is joined with others like it.
  private static let small = 2048
  private static let mostSmall = 32

  /// Adds what has arrived, in memory of about its own size. Amortised O(bytes).
  mutating func append(_ chunk: ByteBuffer) {
    guard chunk.readableBytes > 0 else { return }
    blocks.append(chunk)
    starts.append(end)
    end += chunk.readableBytes
    if isRelayed { return }
    smallRun = chunk.readableBytes < Self.small ? smallRun + 1 : 0
    if smallRun == Self.mostSmall {
      smallRun = 0
      join(last: Self.mostSmall)
    }
    while end - assembled >= Content.block, end > Content.block { assemble() }
  }

  /// Puts blocks at the end into one.
  private mutating func join(last count: Int) {
    let first = blocks.count - count
    let joined = Self.copy(blocks[first...], count: end - starts[first])
    blocks.replaceSubrange(first..., with: CollectionOfOne(joined))
    starts.removeSubrange((first + 1)...)
  }

  /// Makes one full block of what has arrived; what is behind it stays as it is.
  private mutating func assemble() {
    let last = assembled + Content.block
    var count = 0
    while full + count < blocks.count, starts[full + count] < last { count += 1 }
    let block = Self.copy(blocks[full..<(full + count)], count: Content.block)
    var rest: ByteBuffer?
    let final = full + count - 1
    let over = starts[final] + blocks[final].readableBytes - last
    if over > 0 {
      var tail = blocks[final]
      tail.moveReaderIndex(forwardBy: tail.readableBytes - over)
      rest = tail.compacted()
    }
    blocks.replaceSubrange(full..<(full + count), with: [block] + (rest.map { [$0] } ?? []))
    starts.replaceSubrange(full..<(full + count), with: [assembled] + (rest == nil ? [] : [last]))
    full += 1
    assembled = last
    smallRun = 0
  }

  private static func copy(_ chunks: ArraySlice<ByteBuffer>, count: Int) -> ByteBuffer {
    var copy = ByteBufferAllocator().buffer(capacity: count)
    for chunk in chunks where copy.readableBytes < count {
      let room = count - copy.readableBytes
      if chunk.readableBytes <= room {
        copy.writeImmutableBuffer(chunk)
      } else if let slice = chunk.getSlice(at: chunk.readerIndex, length: room) {
        copy.writeImmutableBuffer(slice)
      }
    }
    return copy
  }

  /// What follows a place, as far as it lies in one piece; nil if there is nothing yet, or not any more.
  /// O(log blocks).
  func piece(from position: Int) -> ByteBuffer? {
    guard position >= start, position < end else { return nil }
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= position { low = middle } else { high = middle }
    }
    let skip = position - starts[low]
    let block = blocks[low]
    if skip == 0 { return block }
    return block.getSlice(at: block.readerIndex + skip, length: block.readableBytes - skip)
  }

  /// Nothing of it will be stored: it goes through as it is.
  mutating func relay() { isRelayed = true }

  /// Drops the blocks that end before a place.
  mutating func drop(upTo position: Int) {
    var count = 0
    while count < blocks.count, starts[count] + blocks[count].readableBytes <= position {
      count += 1
    }
    guard count > 0 else { return }
    start = starts[count - 1] + blocks[count - 1].readableBytes
    blocks.removeFirst(count)
    starts.removeFirst(count)
    full = max(0, full - count)
  }

  /// All of it, to be kept. O(1 MiB): what is put together is not copied.
  func content() -> Content {
    invariant(start == 0, "content is to be stored whose beginning is gone")
    let tail = Content(copying: Array(blocks[full...]), count: end - assembled)
    return full == 0 ? tail : Content(blocks: blocks[..<full], tail: tail)
  }
}
