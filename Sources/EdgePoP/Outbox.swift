import Glibc
import NIOCore

// What a connection has to send, and the way to its socket. On the way through a channel each write
// is boxed, queued, marked and matched with a promise, which for a small response takes longer than
// making it. So what is written in one go is collected here and handed to the kernel in one call;
// only what the kernel does not take goes through the channel, which then waits for room.
//
// Unsafe memory, and a descriptor that belongs to somebody else. Invariants:
// * Only the connection's own event loop comes here, and the descriptor is forgotten (`detach`) when
//   the channel says that it is inactive. A channel says so right after it has closed its descriptor
//   and before anything else runs on the loop, so the number cannot be somebody else's yet.
// * Nothing goes straight to the socket while bytes wait in the channel, or it would overtake them.
// * The pointers live as long as the call: `buffers` holds the memory that they point into, and what
//   is in it is not written to.

/// Bytes on their way out of a connection, in order. A class, for a channel calls its handler back
/// while it is written to, and that may send more.
final class Outbox {
  /// Bytes from which on there is no waiting for more.
  private static let limit = 64 << 10
  /// Pieces in one call.
  private static let vectors = 64

  private var buffers: [ByteBuffer] = []
  private var bytes = 0
  /// True if bytes may wait in the channel.
  private var mayWait = false
  /// True if something was written to the channel since it was flushed.
  private var isFlushDue = false
  /// The connection's place in its channel; nil before there is one, and when it is gone.
  private var context: ChannelHandlerContext?
  /// The socket while it is connected; negative otherwise, and where bytes have to go through the
  /// channel, for they are changed on the way.
  private var descriptor: CInt = -1

  /// The connection is there. Bytes go through the channel until ``connected()``.
  func attach(_ context: ChannelHandlerContext) {
    self.context = context
  }

  /// The connection is made, and what is written is what goes over the wire.
  func connected() {
    guard let context, context.channel.isActive else { return }
    let handle = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
      of: NIOBSDSocket.Handle.self
    ) { $0 }
    descriptor = handle ?? -1
  }

  /// The connection is gone.
  func detach() {
    descriptor = -1
    context = nil
    buffers = []
    bytes = 0
  }

  /// True if what is sent goes out at once.
  var isWritable: Bool {
    guard mayWait else { return context != nil }
    return context?.channel.isWritable ?? false
  }

  /// Adds bytes behind all that were sent before. They go out with ``flush()`` at the latest.
  func send(_ buffer: ByteBuffer) {
    let count = buffer.readableBytes
    if count == 0 { return }
    buffers.append(buffer)
    bytes += count
    if bytes >= Self.limit || buffers.count == Self.vectors { push() }
  }

  /// Sends everything.
  func flush() {
    if bytes > 0 { push() }
    if isFlushDue {
      isFlushDue = false
      context?.flush()
    }
  }

  /// Hands all to the socket, and to the channel what the socket does not take.
  private func push() {
    var taken = writeDirectly()
    let total = bytes
    bytes = 0
    if taken == total {
      buffers.removeAll(keepingCapacity: true)
    } else {
      (mayWait, isFlushDue) = (true, true)
      let left = buffers
      buffers = []
      for buffer in left {
        if taken >= buffer.readableBytes {
          taken -= buffer.readableBytes
          continue
        }
        var rest = buffer
        rest.moveReaderIndex(forwardBy: taken)
        taken = 0
        // A small response would hold on to all of the memory that it was put together in, for as
        // long as the client does not read.
        if rest.storageCapacity > 1024 + 2 * rest.readableBytes {
          rest = ByteBuffer(bytes: rest.readableBytesView)
        }
        context?.write(NIOAny(rest), promise: nil)
      }
    }
  }

  /// Writes to the socket if that is possible; returns how many bytes it took. An error counts as
  /// none: the channel will meet it too, and knows what to do.
  private func writeDirectly() -> Int {
    guard descriptor >= 0, !isFlushDue else { return 0 }
    if mayWait {
      let waiting = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
      guard waiting == 0 else { return 0 }
      mayWait = false
    }
    if buffers.count == 1 {
      return buffers[0].withUnsafeReadableBytes { memory in
        Self.retrying {
          Glibc.send(descriptor, memory.baseAddress, memory.count, CInt(MSG_NOSIGNAL))
        }
      }
    }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectors) { vectors in
      for index in buffers.indices {
        vectors[index] = buffers[index].withUnsafeReadableBytes { memory in
          iovec(
            iov_base: UnsafeMutableRawPointer(mutating: memory.baseAddress), iov_len: memory.count)
        }
      }
      var message = msghdr()
      message.msg_iov = vectors.baseAddress
      message.msg_iovlen = buffers.count
      return Self.retrying { sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL)) }
    }
  }

  private static func retrying(_ call: () -> Int) -> Int {
    while true {
      let count = call()
      if count >= 0 { return count }
      if errno != EINTR { return 0 }
    }
  }
}
