import NIOCore

/// What waits to be written to a log: blocks of whole lines in order, up to a bound. What is more is dropped, and its
/// lines are counted: whoever writes must not wait.
struct LogBacklog {
  private var blocks = CircularBuffer<LogBlock>()
  /// Blocks that may be filled anew.
  private var spares: [LogBlock] = []
  private let limit: Int
  /// Bytes that wait, those that are being written included.
  private(set) var bytes = 0
  /// Lines that were dropped so far.
  private(set) var dropped: UInt64 = 0

  /// The size of a block, but for one with a longer line.
  static let blockSize = 64 << 10
  /// Blocks that are kept to be filled anew.
  private static let mostSpares = 8

  /// A backlog of so many bytes.
  init(limit: Int) { self.limit = limit }

  /// True if nothing waits, or is being written.
  var isEmpty: Bool { bytes == 0 }

  /// Adds a block, or drops it and returns false. What goes into the last one that waits is copied there, so that what
  /// waits takes no more memory than it has bytes, and a little.
  mutating func add(_ block: LogBlock) -> Bool {
    if block.count == 0 { return true }
    guard bytes + block.count <= limit else {
      dropped += block.lines
      keep(block)
      return false
    }
    bytes += block.count
    if let last = blocks.last, last.room >= block.count {
      last.append(block)
      keep(block)
    } else {
      blocks.append(block)
    }
    return true
  }

  /// Gives out the next block to be written.
  mutating func take() -> LogBlock? { blocks.popFirst() }

  /// The number of blocks that wait.
  var count: Int { blocks.count }

  /// A block that was given out has been written.
  mutating func wrote(_ block: LogBlock) {
    bytes -= block.count
    keep(block)
  }

  private mutating func keep(_ block: LogBlock) {
    guard block.capacity == Self.blockSize, spares.count < Self.mostSpares else { return }
    block.clear()
    spares.append(block)
  }

  /// A block that was filled before, if there is one.
  mutating func takeSpare() -> LogBlock? { spares.popLast() }

  /// Drops all that waits.
  mutating func abandon() {
    while let block = take() {
      dropped += block.lines
      bytes -= block.count
    }
  }

  /// Counts lines that were dropped elsewhere.
  mutating func drop(lines: UInt64) { dropped += lines }
}
