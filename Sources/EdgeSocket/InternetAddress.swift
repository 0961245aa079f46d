// Addresses of sockets as the kernel takes them: IPv4 or IPv6 and a port.
//
// Unsafe memory: the kernel reads and writes addresses by pointer. Invariant: each pointer is to a value
// or a list that lives across the call, with its real length, and is not kept; nothing of more than
// `sockaddr_storage` is ever copied into one.

import CEpoll
import Glibc

/// An address and a port of the Internet's protocols.
public struct InternetAddress: Sendable {
  private var storage = sockaddr_storage()
  private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  private init() {}

  /// An address of which `body` makes the kernel write its bytes and their number; nil if that fails.
  init?(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Bool
  ) {
    self.init()
    var size = length
    let isThere = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
    }
    guard isThere else { return nil }
    length = min(size, length)
  }

  /// Calls `body` with the address as the kernel takes it.
  public func withSocketAddress<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  /// The addresses of a name or numeric address, in the order of preference; empty if there is none.
  /// Blocks while a name is looked up; with `numericOnly` there is nothing to look up. `isPassive` is
  /// for addresses to listen on.
  public static func resolve(
    host: String, port: Int, numericOnly: Bool = false, isPassive: Bool = false
  ) -> [InternetAddress] {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    if numericOnly { hints.ai_flags |= AI_NUMERICHOST }
    if isPassive { hints.ai_flags |= AI_PASSIVE }
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var addresses: [InternetAddress] = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ai_next
      guard let source = entry.ai_addr,
        Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size
      else { continue }
      var address = InternetAddress()
      address.length = entry.ai_addrlen
      withUnsafeMutableBytes(of: &address.storage) {
        $0.copyMemory(
          from: UnsafeRawBufferPointer(start: source, count: Int(entry.ai_addrlen)))
      }
      addresses.append(address)
    }
    return addresses
  }

  /// `AF_INET` or `AF_INET6`.
  public var family: CInt { CInt(storage.ss_family) }

  /// Whether it is of this machine's loopback network (IPv4).
  public var isLoopback: Bool { family == AF_INET && byte(4) == 127 }

  private func byte(_ index: Int) -> UInt8 {
    withUnsafeBytes(of: storage) { $0[index] }
  }

  /// The port, 0...65535.
  public var port: Int { Int(byte(2)) << 8 | Int(byte(3)) }

  /// The address as text, without port and brackets. One of IPv4 in the form of IPv6 is that of IPv4.
  public var host: String {
    if family == AF_INET { return "\(byte(4)).\(byte(5)).\(byte(6)).\(byte(7))" }
    guard family == AF_INET6 else { return "unknown" }
    let isMapped = (8..<18).allSatisfy { byte($0) == 0 } && byte(18) == 255 && byte(19) == 255
    if isMapped { return "\(byte(20)).\(byte(21)).\(byte(22)).\(byte(23))" }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let size = socklen_t(text.count)
    let isText = withUnsafeBytes(of: storage) { bytes in
      inet_ntop(AF_INET6, bytes.baseAddress.map { $0 + 8 }, &text, size) != nil
    }
    guard isText else { return "unknown" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
