// Addresses of sockets as the kernel takes them: IPv4 or IPv6 and a port.
//
// Unsafe memory: the kernel reads and writes addresses by pointer. Invariant: each pointer is to a value
// or a list that lives across the call, with its real length, and is not kept; nothing of more than
// `sockaddr_storage` is ever copied into one.

import CEpoll
import Glibc

/// An address and a port of the Internet's protocols.
public struct InternetAddress: Sendable, Hashable, CustomStringConvertible {
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

  /// An address from its bytes in the order of the network, 4 or 16, and a port; nil for any other number of bytes.
  public init?(bytes: [UInt8], port: Int = 0) {
    self.init()
    let isIPv4 = bytes.count == 4
    guard isIPv4 || bytes.count == 16 else { return nil }
    length = socklen_t(isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
    storage.ss_family = sa_family_t(isIPv4 ? AF_INET : AF_INET6)
    withUnsafeMutableBytes(of: &storage) { memory in
      for (index, byte) in bytes.enumerated() { memory[(isIPv4 ? 4 : 8) + index] = byte }
    }
    self = with(port: port)
  }

  /// A copy of an address of the system's; nil if it is of another family.
  public init?(copying source: UnsafePointer<sockaddr>, length: Int) {
    self.init()
    let family = CInt(source.pointee.sa_family)
    let least = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
    guard family == AF_INET || family == AF_INET6, length >= least else { return nil }
    self.length = socklen_t(least)
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: least))
    }
  }

  /// The same address with another port.
  public func with(port: Int) -> InternetAddress {
    var address = self
    withUnsafeMutableBytes(of: &address.storage) {
      $0[2] = UInt8(truncatingIfNeeded: port >> 8)
      $0[3] = UInt8(truncatingIfNeeded: port)
    }
    return address
  }

  /// The bytes of the address in the order of the network: 4 or 16.
  public var bytes: [UInt8] {
    withUnsafeBytes(of: storage) { family == AF_INET ? Array($0[4..<8]) : Array($0[8..<24]) }
  }

  /// The address of this machine from which it would be connected to; nil if there is none. Sends nothing.
  public var source: InternetAddress? {
    let descriptor = socket(
      family, CInt(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    // Any port will do, but 0 is no destination.
    let target = port == 0 ? with(port: 53) : self
    guard target.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 else { return nil }
    return InternetAddress { getsockname(descriptor, $0, $1) == 0 }
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

  /// What is counted as one client: an address of IPv4, or the network of an address of IPv6, its first 64 bits.
  public var network: ClientNetwork {
    func word(_ start: Int) -> UInt64 {
      (start..<start + 8).reduce(0) { $0 << 8 | UInt64(byte($1)) }
    }
    if family == AF_INET {
      return ClientNetwork(high: 0, low: 0xFFFF << 32 | word(0) & 0xFFFF_FFFF)
    }
    let high = word(8)
    if high == 0, word(16) >> 32 == 0xFFFF { return ClientNetwork(high: 0, low: word(16)) }
    return ClientNetwork(high: high, low: 0)
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

  /// Address and port as text, for people.
  public var description: String {
    family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.family == right.family && left.port == right.port && left.bytes == right.bytes
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(port)
    hasher.combine(bytes)
  }
}

/// What is counted as one client.
public struct ClientNetwork: Sendable, Hashable {
  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

  /// The network of an address as text; nil if that is none.
  public init?(_ host: String) {
    guard let address = InternetAddress.resolve(host: host, port: 0, numericOnly: true).first else {
      return nil
    }
    self = address.network
  }
}
