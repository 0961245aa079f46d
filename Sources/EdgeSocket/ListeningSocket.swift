import CEpoll
import Glibc
import NIOCore

/// A socket that accepts connections.
public final class ListeningSocket: PolledSocket {
  private let accepted: (CInt, InternetAddress) -> Void
  private let failed: (CInt) -> Void

  /// Connections that are accepted before others have their turn.
  private static let batch = 16
  /// For how long nothing is accepted when there are no descriptors left, in nanoseconds.
  private static let pause: Int64 = 100_000_000

  /// Takes over a descriptor of ``Listening/open(_:isShared:)``. Each connection goes to `accepted`,
  /// an `errno` that speaks against all of them to `failed`.
  public init(
    _ descriptor: CInt, reactor: Reactor, failed: @escaping (CInt) -> Void,
    accepted: @escaping (CInt, InternetAddress) -> Void
  ) {
    self.accepted = accepted
    self.failed = failed
    super.init(descriptor, reactor: reactor)
    watch(.reading)
  }

  public override func ready(_ readiness: Readiness) {
    for _ in 0..<Self.batch {
      var socket: CInt = -1
      let address = InternetAddress { address, length in
        socket = cepoll_accept(descriptor, address, length)
        return socket >= 0
      }
      guard let address else { return refused(errno) }
      accepted(socket, address)
      if !isOpen { return }
    }
  }

  private func refused(_ code: CInt) {
    switch code {
    // What went wrong is one connection's own affair, such as having been closed meanwhile.
    case EAGAIN, EINTR, ECONNABORTED, EPROTO, EPERM: return
    default:
      failed(code)
      // Who waits would be reported again and again.
      watch([])
      _ = reactor.schedule(after: Self.pause) { self.watch(.reading) }
    }
  }
}

/// Sockets to listen with.
public enum Listening {
  /// Opens a socket that listens on an address. With `isShared` others may listen there too, if they
  /// ask for it as well (SO_REUSEPORT).
  ///
  /// Throws `IOError`.
  public static func open(_ address: InternetAddress, isShared: Bool) throws(IOError) -> CInt {
    let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    if isShared { set(descriptor, SOL_SOCKET, SO_REUSEPORT) }
    // Connections take it over from the socket that they were accepted by.
    set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY)
    guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0,
      listen(descriptor, backlog) == 0
    else {
      let code = errno
      close(descriptor)
      throw IOError(errnoCode: code, reason: "listen")
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
