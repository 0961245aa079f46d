import NIOCore

// Content as it arrives, for readers at different places of it. It is put together in blocks as it comes, so that
// at the end it can be stored as it is: a second copy of large content would take as much memory again, and hold
// up the event loop that made it. Small chunks are gathered where they come, whether anything will be stored or not: a
// chunk of one byte would take a hundred times its size by itself.
//
// Invariants: blocks lie one behind the other from `start` to `end`, none is empty, and `starts` says where each
// begins. The first `full` of them have `Content.block` bytes and are as large as their memory. If `gathers`, nobody
// else has the memory of the last one.

/// The content of a flight, as far as it has arrived and somebody may need it.
struct FlightContent: Sendable {
  private var blocks: [ByteBuffer] = []
  private var starts: [Int] = []
  /// Number of blocks that are put together.
  private var full = 0
  /// Where what is put together next begins.
  private var assembled = 0
  /// True if small chunks go behind the last block, in its memory.
  private var gathers = false
  /// True if nothing is put together any more.
  private var isRelayed = false

  /// Bytes that were dropped.
  private(set) var start = 0
  /// Bytes that have arrived.
  private(set) var end = 0

  /// Bytes that are here.
  var count: Int { end - start }

  /// A chunk of fewer bytes is gathered with others like it.
  private static let small = 4096
  /// Most bytes of a block of small chunks.
  private static let mostGathered = 16 << 10

  /// Adds what has arrived, and holds on to no more memory than about that much. Amortised O(bytes).
  mutating func append(_ chunk: ByteBuffer) {
    let count = chunk.readableBytes
    guard count > 0 else { return }
    if count >= Self.small {
      add(chunk.compacted(), gathers: false)
    } else if !gather(chunk) {
      // The first of several, most likely; else nothing was wasted.
      add(ByteBuffer(copying: chunk, capacity: count), gathers: true)
    }
    end += count
    while !isRelayed, end - assembled >= Content.block, end > Content.block { assemble() }
  }

  private mutating func add(_ block: ByteBuffer, gathers: Bool) {
    blocks.append(block)
    starts.append(end)
    self.gathers = gathers
  }

  /// Writes a small chunk behind the last block; false if that is not for small ones, or full.
  private mutating func gather(_ chunk: ByteBuffer) -> Bool {
    guard gathers, let last = blocks.indices.last else { return false }
    let count = blocks[last].readableBytes + chunk.readableBytes
    if count > Self.mostGathered { return false }
    if count > blocks[last].storageCapacity {
      blocks[last] = ByteBuffer(
        copying: blocks[last], capacity: min(max(256, 2 * count), Self.mostGathered))
    }
    blocks[last].writeImmutableBuffer(chunk)
    return true
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
    gathers = false
  }

  /// Puts chunks into one block.
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
    let rest = blocks[low].getSlice(
      at: blocks[low].readerIndex + skip, length: blocks[low].readableBytes - skip)
    // Whoever had its memory would make the next small chunk copy all of it.
    guard gathers, low == blocks.count - 1, let rest else { return rest }
    return ByteBuffer(copying: rest, capacity: rest.readableBytes)
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
    if blocks.isEmpty { gathers = false }
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

extension ByteBuffer {
  /// The bytes of a buffer in memory of their own, with room for as many.
  fileprivate init(copying bytes: ByteBuffer, capacity: Int) {
    self = ByteBufferAllocator().buffer(capacity: capacity)
    writeImmutableBuffer(bytes)
  }
}
