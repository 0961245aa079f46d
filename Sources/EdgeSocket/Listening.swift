import CEpoll
import Glibc
import NIOCore

// Sockets to listen with, step by step: an address is taken first, and clients are let in later.

/// Sockets to listen with.
public enum Listening {
  /// Takes an address for as many sockets as wanted, none of which listens yet: who connects is refused.
  ///
  /// They share it among them (SO_REUSEPORT), so that the kernel deals out connections. Throws `IOError`, also where
  /// somebody else listens there in the same way: he would get a part of the connections.
  public static func take(_ address: InternetAddress, count: Int) throws(IOError) -> [CInt] {
    // Without sharing the address is had only while nobody listens there. A socket that never listens has no
    // connections that could be lost with it.
    let probe = try bound(address, isShared: false)
    defer { close(probe) }
    // Port 0 is a free one, the same for all.
    guard let real = Self.address(of: probe) else {
      throw IOError(errnoCode: errno, reason: "bind")
    }
    var descriptors: [CInt] = []
    do {
      for _ in 0..<count { descriptors.append(try bound(real, isShared: true)) }
      return descriptors
    } catch {
      for descriptor in descriptors { close(descriptor) }
      throw error
    }
  }

  /// Takes one more place at an address that this process listens on already.
  public static func join(_ address: InternetAddress) throws(IOError) -> CInt {
    try bound(address, isShared: true)
  }

  /// Lets clients connect.
  public static func begin(_ descriptor: CInt) throws(IOError) {
    if listen(descriptor, backlog) != 0 { throw IOError(errnoCode: errno, reason: "listen") }
  }

  /// Begins no more connections; those that have begun are completed, and can be accepted. Who would connect tries
  /// again in a second.
  static func ignoreNew(_ descriptor: CInt) { _ = cepoll_ignore_new_connections(descriptor) }

  private static func bound(_ address: InternetAddress, isShared: Bool) throws(IOError) -> CInt {
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    if isShared { set(descriptor, SOL_SOCKET, SO_REUSEPORT) }
    // Connections take it over from the socket that they were accepted by.
    set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY)
    guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0 else {
      let code = errno
      close(descriptor)
      throw IOError(errnoCode: code, reason: "bind")
    }
    return descriptor
  }

  /// Connections that wait to be accepted.
  private static let backlog: CInt = 4096

  private static func set(_ descriptor: CInt, _ level: CInt, _ option: CInt) {
    var on: CInt = 1
    setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
  }

  /// The address that a socket is bound to.
  public static func address(of descriptor: CInt) -> InternetAddress? {
    InternetAddress { getsockname(descriptor, $0, $1) == 0 }
  }
}
