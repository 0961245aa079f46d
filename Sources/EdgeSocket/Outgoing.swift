import CEpoll
import Glibc
import NIOCore

// What one socket is about to send: small bytes one after another in memory that all sockets of a
// reactor use in turn, and between them references to content too large to be copied. Most responses
// are put together here and leave with one call, without memory of their own.
//
// Unsafe memory. Invariant: the pointers live as long as the call; `scratch` and the pieces hold the
// memory that they point into, and nobody writes to it meanwhile.

/// Bytes that a socket has written and not flushed. Its methods change it, also those that need not, so that nothing of
/// it is copied before they are called.
public struct Outgoing {
  /// A piece of content, and how many bytes of `scratch` go before it.
  private struct Insert {
    let position: Int
    let content: ByteBuffer
  }

  /// Small bytes in order.
  public var scratch = ByteBuffer()
  private var inserts: [Insert] = []
  private var insertedBytes = 0
  /// The slot of the socket that the bytes are of; negative if there are none.
  private(set) var ownerSlot: Int64 = -1

  /// Content up to this is copied.
  static let copied = 4096
  /// Bytes from which on there is no waiting for more.
  static let limit = 64 << 10
  /// Pieces in one call.
  private static let vectors = 64

  /// The slot of the socket that the bytes are of.
  var owner: UInt32? { ownerSlot < 0 ? nil : UInt32(ownerSlot) }

  /// Makes the bytes those of another socket.
  mutating func claim(_ slot: UInt32) {
    ownerSlot = Int64(slot)
    if scratch.capacity == 0 { scratch.reserveCapacity(16 << 10) }
  }

  /// True if the bytes are those of that socket.
  @inline(__always)
  func isOwned(by slot: UInt32) -> Bool { ownerSlot == Int64(slot) }

  /// Number of bytes.
  var count: Int { scratch.readableBytes + insertedBytes }
  /// True if there is no waiting for more.
  var isFull: Bool { count >= Self.limit || inserts.count >= Self.vectors / 2 - 1 }

  /// Adds content: a copy of it if it is small.
  mutating func append(_ content: ByteBuffer) {
    let count = content.readableBytes
    if count <= Self.copied {
      scratch.writeImmutableBuffer(content)
    } else {
      inserts.append(Insert(position: scratch.readableBytes, content: content))
      insertedBytes += count
    }
  }

  /// Drops everything.
  mutating func discard() {
    ownerSlot = -1
    scratch.clear()
    if !inserts.isEmpty {
      inserts.removeAll(keepingCapacity: true)
      insertedBytes = 0
    }
  }

  /// Hands as much to a socket as it takes, and returns how many bytes that were; negative for an
  /// error in `errno`.
  mutating func write(to descriptor: CInt) -> Int {
    if inserts.isEmpty {
      return scratch.withUnsafeReadableBytes { StreamCalls.send(descriptor, $0) }
    }
    let inserts = inserts
    return scratch.withUnsafeReadableBytes { scratch in
      withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectors) { vectors in
        var count = 0
        func add(_ memory: UnsafeRawBufferPointer) {
          if memory.isEmpty { return }
          vectors[count] = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: memory.baseAddress), iov_len: memory.count)
          count += 1
        }
        var position = 0
        for insert in inserts {
          add(UnsafeRawBufferPointer(rebasing: scratch[position..<insert.position]))
          position = insert.position
          insert.content.withUnsafeReadableBytes(add)
        }
        add(UnsafeRawBufferPointer(rebasing: scratch[position...]))
        return StreamCalls.send(descriptor, UnsafeBufferPointer(rebasing: vectors[..<count]))
      }
    }
  }

  /// Calls `body` with what is left after the first `taken` bytes, in pieces of their own memory.
  mutating func forEachPiece(after taken: Int, _ body: (ByteBuffer) -> Void) {
    var skip = taken
    func add(_ piece: ByteBuffer, copies: Bool) {
      if skip >= piece.readableBytes {
        skip -= piece.readableBytes
        return
      }
      var rest = piece
      rest.moveReaderIndex(forwardBy: skip)
      skip = 0
      // A little of it would hold on to all of the memory that it lies in.
      let wastes = rest.storageCapacity > 1024 + 2 * rest.readableBytes
      body(copies || wastes ? ByteBuffer(bytes: rest.readableBytesView) : rest)
    }
    var position = scratch.readerIndex
    for insert in inserts {
      let end = scratch.readerIndex + insert.position
      if let piece = scratch.getSlice(at: position, length: end - position) {
        add(piece, copies: true)
      }
      position = end
      add(insert.content, copies: false)
    }
    if let piece = scratch.getSlice(at: position, length: scratch.writerIndex - position) {
      add(piece, copies: true)
    }
  }
}

/// Bytes that the kernel did not take yet, in order.
struct Backlog {
  private var pieces: [ByteBuffer] = []
  private var first = 0
  /// Number of bytes.
  private(set) var count = 0

  /// Pieces in one call.
  private static let vectors = 64

  mutating func append(_ piece: ByteBuffer) {
    if piece.readableBytes == 0 { return }
    pieces.append(piece)
    count += piece.readableBytes
  }

  mutating func removeAll() {
    self = Backlog()
  }

  /// Hands as much to a socket as it takes; false for an error in `errno`.
  mutating func write(to descriptor: CInt) -> Bool {
    while count > 0 {
      let end = min(pieces.count, first + Self.vectors)
      let wanted = pieces[first..<end].reduce(0) { $0 + $1.readableBytes }
      let taken = withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectors) { vectors in
        for index in first..<end {
          vectors[index - first] = pieces[index].withUnsafeReadableBytes { memory in
            iovec(
              iov_base: UnsafeMutableRawPointer(mutating: memory.baseAddress),
              iov_len: memory.count)
          }
        }
        return StreamCalls.send(
          descriptor, UnsafeBufferPointer(rebasing: vectors[..<(end - first)]))
      }
      if taken < 0 { return errno == EAGAIN }
      drop(taken)
      if taken < wanted { return true }
    }
    return true
  }

  private mutating func drop(_ taken: Int) {
    count -= taken
    var left = taken
    while left > 0 {
      let size = pieces[first].readableBytes
      if left < size {
        pieces[first].moveReaderIndex(forwardBy: left)
        return
      }
      left -= size
      pieces[first] = ByteBuffer()
      first += 1
    }
    if count == 0 {
      pieces = []
      first = 0
    } else if first >= 64 {
      pieces.removeFirst(first)
      first = 0
    }
  }
}

/// Calls of the kernel that move bytes; repeated when a signal came between.
enum StreamCalls {
  @inline(__always)
  static func send(_ descriptor: CInt, _ memory: UnsafeRawBufferPointer) -> Int {
    retrying { cepoll_send(descriptor, memory.baseAddress, memory.count) }
  }

  static func send(_ descriptor: CInt, _ vectors: UnsafeBufferPointer<iovec>) -> Int {
    var message = msghdr()
    message.msg_iov = UnsafeMutablePointer(mutating: vectors.baseAddress)
    message.msg_iovlen = vectors.count
    return retrying { cepoll_send_message(descriptor, &message) }
  }

  @inline(__always)
  static func receive(_ descriptor: CInt, _ memory: UnsafeMutableRawBufferPointer) -> Int {
    retrying { cepoll_receive(descriptor, memory.baseAddress, memory.count) }
  }

  @inline(__always)
  private static func retrying(_ call: () -> Int) -> Int {
    while true {
      let count = call()
      if count >= 0 || errno != EINTR { return count }
    }
  }
}
