import NIOCore

/// The content of a stored response, in a few pieces.
///
/// Buffers come in powers of two. A single one would waste a quarter of the memory on average; pieces
/// that follow the binary digits of the length keep the waste under a sixteenth.
public struct Content: Sendable {
  /// Most content is one piece, which needs no array around it.
  private enum Pieces: Sendable {
    case none
    case one(ByteBuffer)
    case several([ByteBuffer])
    case file(ContentFile)
  }

  private let parts: Pieces
  /// The pieces in order; none is empty. None at all for what lies in a file.
  public var pieces: [ByteBuffer] {
    switch parts {
    case .none, .file: []
    case .one(let piece): [piece]
    case .several(let pieces): pieces
    }
  }
  /// Number of bytes of content.
  public let count: Int
  /// Number of bytes of memory that the pieces take.
  public let capacity: Int
  /// What counts the memory, where that is not what has stored it.
  private(set) var lease: MemoryLease?

  /// True if its memory is counted for as long as anybody has it.
  public var isLarge: Bool { lease != nil }

  /// Bytes of a piece of large content, which is not copied when it is stored.
  static let block = 1 << 20

  /// Content of no bytes.
  public static let empty = Content(copying: [], count: 0)

  /// Content of that many bytes which are not there: for what is only looked at.
  static func placeholder(count: Int) -> Content { Content(count: count) }

  /// Where it lies, if it is sent from a file.
  public var file: ContentFile? {
    if case .file(let file) = parts { file } else { nil }
  }

  /// Content in memory that is as large as it needs to be, or that is not kept for long. O(1).
  init(_ bytes: ByteBuffer) {
    parts = bytes.readableBytes == 0 ? .none : .one(bytes)
    count = bytes.readableBytes
    capacity = MemoryCost.allocation(bytes.storageCapacity) + MemoryCost.bufferStorage
  }

  /// Content that is sent from a file.
  init(_ file: ContentFile) {
    parts = .file(file)
    count = file.region.count
    capacity = 0
  }

  /// Content of full blocks and what is behind them, not copied. O(blocks).
  init(blocks: ArraySlice<ByteBuffer>, tail: Content) {
    var pieces: [ByteBuffer] = []
    pieces.reserveCapacity(blocks.count + tail.pieces.count)
    pieces += blocks
    pieces += tail.pieces
    let room = MemoryCost.allocation(Self.block) + MemoryCost.bufferStorage
    parts = .several(pieces)
    count = blocks.count * Self.block + tail.count
    capacity = blocks.count * room + tail.capacity + MemoryCost.array(of: pieces)
  }

  /// Content in buffers that others may have too, not copied. O(buffers).
  init(sharing buffers: [ByteBuffer], count: Int) {
    var capacity = 0
    for buffer in buffers {
      capacity += MemoryCost.allocation(buffer.storageCapacity) + MemoryCost.bufferStorage
    }
    switch buffers.count {
    case 0: parts = .none
    case 1: parts = .one(buffers[0])
    default:
      parts = .several(buffers)
      capacity += MemoryCost.array(of: buffers)
    }
    self.count = count
    self.capacity = capacity
  }

  /// A part of this content, which keeps the memory of all of it, and its lease. O(pieces).
  func slice(_ range: Range<Int>) -> Content {
    var buffers: [ByteBuffer] = []
    forEachPiece(in: range) { buffers.append($0) }
    var slice = Content(sharing: buffers, count: range.count)
    slice.lease = lease
    return slice
  }

  /// This content, whose memory a lease counts from now on.
  func counted(by lease: MemoryLease) -> Content {
    var content = self
    content.lease = lease
    return content
  }

  /// This content in memory of its own. O(count), and nothing where it is so already.
  func compacted() -> Content {
    switch parts {
    case .one(let piece) where piece.storageCapacity > piece.readableBytes + 1024:
      Content(copying: [piece], count: count)
    default: self
    }
  }

  private init(count: Int) {
    parts = .none
    self.count = count
    capacity = 0
  }

  /// A copy of `chunks`, which hold `count` bytes. O(count).
  public init(copying chunks: [ByteBuffer], count: Int) {
    var pieces: [ByteBuffer] = []
    pieces.reserveCapacity(4)
    var capacity = 0
    var remaining = count
    let allocator = ByteBufferAllocator()
    func nextPiece() -> ByteBuffer {
      let floor = 1 << (Int.bitWidth - 1 - remaining.leadingZeroBitCount)
      let exact = floor == remaining || floor * 2 - remaining <= max(64, count / 16)
      let size = exact ? remaining : floor
      remaining -= size
      return allocator.buffer(capacity: size)
    }
    var piece: ByteBuffer?
    func finish() {
      guard let full = piece, full.readableBytes > 0 else { return }
      capacity += MemoryCost.allocation(full.storageCapacity) + MemoryCost.bufferStorage
      pieces.append(full)
      piece = nil
    }
    var room = 0
    for chunk in chunks {
      var chunk = chunk
      while chunk.readableBytes > 0 {
        if room == 0 {
          finish()
          let before = remaining
          invariant(before > 0, "content is longer than was announced")
          piece = nextPiece()
          room = before - remaining
        }
        let size = min(room, chunk.readableBytes)
        if var slice = chunk.readSlice(length: size) { piece?.writeBuffer(&slice) }
        room -= size
      }
    }
    finish()
    invariant(remaining == 0 && room == 0, "content is shorter than was announced")
    switch pieces.count {
    case 0: parts = .none
    case 1: parts = .one(pieces[0])
    default:
      // Without the room that growing left.
      var exact: [ByteBuffer] = []
      exact.reserveCapacity(pieces.count)
      exact += pieces
      parts = .several(exact)
      capacity += MemoryCost.array(of: exact)
    }
    self.count = count
    self.capacity = capacity
  }

  /// Calls `body` with the pieces of a part of the content, not copied. O(pieces).
  public func forEachPiece(in range: Range<Int>, _ body: (ByteBuffer) -> Void) {
    switch parts {
    case .none, .file: break
    case .one(let piece): Self.pass(piece, at: 0, range, body)
    case .several(let pieces):
      var start = 0
      for piece in pieces {
        Self.pass(piece, at: start, range, body)
        start += piece.readableBytes
      }
    }
  }

  /// Calls `body` with what a piece that begins at `start` has of `range`, if anything.
  private static func pass(
    _ piece: ByteBuffer, at start: Int, _ range: Range<Int>, _ body: (ByteBuffer) -> Void
  ) {
    let lower = max(range.lowerBound, start)
    let upper = min(range.upperBound, start + piece.readableBytes)
    guard lower < upper else { return }
    if upper - lower == piece.readableBytes {
      body(piece)
    } else if let slice = piece.getSlice(
      at: piece.readerIndex + lower - start, length: upper - lower)
    {
      body(slice)
    }
  }
}

/// Content in a file, which stays as it is while this lives. Who has handed all of it to a socket needs this no more:
/// what the socket has are pages of the file, and a file is not written anew in these (``DiskVolume/renew(_:size:)``).
public final class ContentFile: Sendable {
  /// The part of the file.
  public let region: any DiskRegion
  /// True if all of it was in the page cache a moment ago.
  public let isResident: Bool
  private let store: DiskStore
  private let leased: DiskStore.Leased

  /// Content of a record whose segment is leased; the lease ends with this.
  init(
    _ region: any DiskRegion, isResident: Bool, store: DiskStore, leased: DiskStore.Leased
  ) {
    self.region = region
    self.isResident = isResident
    self.store = store
    self.leased = leased
  }

  deinit {
    store.release([leased])
  }

  /// All of it was seen in the page cache.
  public func wasSeen(_ now: Instant) {
    store.wasSeen(leased, now)
  }
}
