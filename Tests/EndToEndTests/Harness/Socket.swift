// TCP on loopback with blocking calls, for clients and origins that must do exactly what a test
// says: stop reading, send half of something, wait. Such code runs on threads of its own.

import Foundation
import Glibc

/// A call on a socket failed.
struct SocketProblem: Error, CustomStringConvertible {
  let description: String

  init(_ call: String) {
    description = "\(call): \(String(cString: strerror(errno)))"
  }
}

/// Runs work that blocks on a thread of its own.
func onThread<Value: Sendable>(
  _ work: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
  }
}

/// A TCP socket; closed when nobody has it any more. One thread at a time uses it.
final class Socket: Sendable {
  let descriptor: Int32

  private init(_ descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// A new socket for TCP over IPv4.
  private static func make() throws -> Socket {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = Glibc.socket(AF_INET, type, 0)
    guard descriptor >= 0 else { throw SocketProblem("socket") }
    return Socket(descriptor)
  }

  /// A connection to a port of this machine. Every later call fails after `limit` without progress.
  static func connect(to port: Int, limit: Int = 90, receiveBuffer: Int32? = nil) throws -> Socket {
    let socket = try make()
    socket.setOption(SO_SNDTIMEO, timeval(tv_sec: limit, tv_usec: 0))
    socket.setOption(SO_RCVTIMEO, timeval(tv_sec: limit, tv_usec: 0))
    if let receiveBuffer { socket.setOption(SO_RCVBUF, receiveBuffer) }
    guard withLoopback(port, { Glibc.connect(socket.descriptor, $0, $1) }) == 0 else {
      throw SocketProblem("connect to port \(port)")
    }
    return socket
  }

  /// A socket bound to a free port of this machine; `listens` or only keeps it for another process
  /// that, as servers do, binds with SO_REUSEADDR.
  static func bound(to port: Int = 0, listens: Bool) throws -> Socket {
    let socket = try make()
    socket.setOption(SO_REUSEADDR, Int32(1))
    guard withLoopback(port, { Glibc.bind(socket.descriptor, $0, $1) }) == 0 else {
      throw SocketProblem("bind to port \(port)")
    }
    if listens {
      guard Glibc.listen(socket.descriptor, 1024) == 0 else { throw SocketProblem("listen") }
    }
    return socket
  }

  private func setOption<Value>(_ name: Int32, _ value: Value) {
    withUnsafeBytes(of: value) { raw in
      _ = setsockopt(
        descriptor, SOL_SOCKET, name, raw.baseAddress, socklen_t(MemoryLayout<Value>.size))
    }
  }

  private static func withLoopback<Result>(
    _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// The local port.
  var port: Int {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = getsockname(descriptor, $0, &size)
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// The next connection; nil once the socket was shut down.
  func accept() -> Socket? {
    while true {
      let accepted = Glibc.accept(descriptor, nil, nil)
      if accepted >= 0 { return Socket(accepted) }
      if errno != EINTR && errno != ECONNABORTED { return nil }
    }
  }

  /// Ends it for whoever waits on it.
  func shutDown(_ how: Int32 = Int32(SHUT_RDWR)) {
    shutdown(descriptor, how)
  }

  // MARK: Bytes

  /// Writes all of the bytes.
  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SocketProblem("send") }
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
    }
  }

  /// Writes a text.
  func write(_ text: String) throws {
    try Array(text.utf8).withUnsafeBytes(write)
  }

  /// Reads what there is into the buffer; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count >= 0 { return count }
      if errno != EINTR { throw SocketProblem("recv") }
    }
  }
}
