// A TCP socket that never blocks.
//
// Unsafe memory: socket calls take pointers. Invariant: each pointer is to an array or value that
// lives across the call, with its real length, and is not kept. `discard` passes no pointer at all:
// with MSG_TRUNC the kernel drops the bytes of a TCP stream without copying them.

import EdgeSocket
import Glibc

/// How a call on a socket ended.
enum SocketOutcome: Equatable {
  /// As many bytes were moved; at least one.
  case moved(Int)
  /// Nothing can be moved now.
  case wouldBlock
  /// The peer has ended the stream.
  case ended
  /// The connection is broken.
  case failed
}

/// A connected or connecting socket. A value that somebody must `close`.
struct ClientSocket {
  /// The descriptor.
  let descriptor: Int32

  /// Begins to connect; nil if that failed at once. `source` selects a client address 127.0.0.x, so
  /// that more connections than one address has ports are possible.
  static func connecting(to address: InternetAddress, source: UInt8? = nil) -> ClientSocket? {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { return nil }
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    if let source { bind(descriptor, source, &on, size) }
    let status = address.withSocketAddress { connect(descriptor, $0, $1) }
    guard status == 0 || errno == EINPROGRESS else {
      Glibc.close(descriptor)
      return nil
    }
    return ClientSocket(descriptor: descriptor)
  }

  private static func bind(
    _ descriptor: Int32, _ source: UInt8, _ on: inout Int32, _ size: socklen_t
  ) {
    setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &on, size)
    var local = sockaddr_in()
    local.sin_family = sa_family_t(AF_INET)
    local.sin_addr.s_addr = in_addr_t(0x7F00_0000 | UInt32(source)).bigEndian
    _ = withUnsafePointer(to: &local) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// Whether connecting, which has ended, has worked.
  var isConnected: Bool {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code == 0
  }

  /// Sends the bytes from an index on; `more` says that others follow at once.
  func send(_ bytes: [UInt8], from start: Int, more: Bool) -> SocketOutcome {
    let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
    let count = bytes.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
      return Glibc.send(descriptor, rest.baseAddress, rest.count, flags)
    }
    return Self.outcome(count)
  }

  /// Reads into the buffer from its start.
  func receive(into buffer: inout [UInt8]) -> SocketOutcome {
    let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    return Self.outcome(count)
  }

  /// Drops at most `most` bytes of the stream without looking at them.
  func discard(atMost most: Int) -> SocketOutcome {
    Self.outcome(recv(descriptor, nil, most, Int32(MSG_TRUNC)))
  }

  /// Ends the connection.
  func close() {
    Glibc.close(descriptor)
  }

  private static func outcome(_ count: Int) -> SocketOutcome {
    if count > 0 { return .moved(count) }
    if count == 0 { return .ended }
    return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed
  }
}
