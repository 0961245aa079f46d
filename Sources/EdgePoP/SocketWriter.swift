import EdgeCache
import Glibc
import NIOCore

// Writes a response straight to the socket of a connection. On the way through a channel each write is
// boxed, queued, marked and matched with a promise, which for a small response takes longer than
// making it; and a hit is known to be whole when it is written.
//
// Unsafe memory, and a descriptor that belongs to somebody else. Invariants:
// * Only the connection's own event loop calls this, and only while its channel is active: a channel
//   that is closed has given its descriptor back, and the number may be somebody else's by then.
// * Only while nothing is queued in the channel, or bytes would overtake each other.
// * The pointers live as long as the call: the buffers that they point into are held by the caller,
//   and nothing writes to them meanwhile.

/// The socket of a connection, for writing to it.
struct SocketWriter {
  /// What came of a write.
  enum Outcome {
    /// The socket took that many bytes, perhaps not all, perhaps none.
    case took(Int)
    /// The connection is broken.
    case failed
  }

  /// Pieces of content that go out in one call.
  private static let vectors = 64

  private let channel: any Channel
  private let descriptor: CInt

  /// The socket of a channel; nil if it has none.
  init?(_ channel: any Channel) {
    let handle = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
      of: NIOBSDSocket.Handle.self
    ) { $0 }
    guard let handle else { return nil }
    (self.channel, descriptor) = (channel, handle)
  }

  /// Writes a head and what is behind it in the same buffer. O(bytes).
  func write(_ head: ByteBuffer) -> Outcome {
    guard channel.isActive else { return .failed }
    return head.withUnsafeReadableBytes { bytes in
      repeat {
        let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL))
        if count >= 0 { return .took(count) }
      } while errno == EINTR
      return errno == EAGAIN || errno == EWOULDBLOCK ? .took(0) : .failed
    }
  }

  /// Writes a head and the content of a delivery, not copied; what comes after the first ``vectors``
  /// pieces is left. O(pieces), for this program.
  func write(_ head: ByteBuffer, _ delivery: Delivery, of stored: StoredResponse) -> Outcome {
    guard channel.isActive else { return .failed }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectors) { vectors in
      var count = 0
      func add(_ buffer: ByteBuffer) {
        guard count < Self.vectors else { return }
        buffer.withUnsafeReadableBytes { bytes in
          vectors[count] = iovec(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        }
        count += 1
      }
      add(head)
      delivery.forEachPiece(of: stored, add)
      var message = msghdr()
      message.msg_iov = vectors.baseAddress
      message.msg_iovlen = count
      repeat {
        let count = Glibc.sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
        if count >= 0 { return .took(count) }
      } while errno == EINTR
      return errno == EAGAIN || errno == EWOULDBLOCK ? .took(0) : .failed
    }
  }
}
