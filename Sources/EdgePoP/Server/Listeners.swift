import EdgeFleet
import EdgeSocket
import Glibc
import NIOCore
import Synchronization

// Addresses are taken before anything else is begun, so that two PoPs cannot begin the same things, and clients are let
// in when all has begun. Clients have a socket for each event loop on the same address: the kernel deals out
// connections (SO_REUSEPORT), so that no loop accepts for the others and hands connections over.

/// An address that this process has, with sockets that clients can be let in by.
final class TakenAddress: Sendable {
  /// The address as it was asked for, with the port that was really taken.
  let endpoint: SocketEndpoint
  /// The address with numbers, as other PoPs ask for it.
  let name: String
  /// The flag to choose another one with.
  private let flag: String
  /// True if another PoP serves there, until this one does.
  let isHandedOver: Bool
  private let open: Mutex<[CInt]>

  /// An address with its sockets, which are closed with this unless somebody has taken them.
  init(
    _ endpoint: SocketEndpoint, name: String, sockets: [CInt], flag: String,
    isHandedOver: Bool = false
  ) {
    (self.endpoint, self.name, self.flag) = (endpoint, name, flag)
    self.isHandedOver = isHandedOver
    open = Mutex(sockets)
  }

  deinit { close() }

  /// Closes the sockets that nobody has taken.
  func close() {
    for descriptor in take() { Glibc.close(descriptor) }
  }

  /// Gives the sockets to somebody who closes them.
  func take() -> [CInt] {
    open.withLock { open in
      defer { open = [] }
      return open
    }
  }

  /// Closes one of several; false if it is the last.
  private func drop(_ descriptor: CInt) -> Bool {
    let isDropped = open.withLock { open in
      guard open.count > 1, let index = open.firstIndex(of: descriptor) else { return false }
      open.remove(at: index)
      return true
    }
    if isDropped { Glibc.close(descriptor) }
    return isDropped
  }

  /// The sockets that nobody has taken, for who makes copies of them.
  var sockets: [CInt] { open.withLock { $0 } }

  /// Takes sockets back.
  func put(_ descriptors: [CInt]) { open.withLock { $0 += descriptors } }

  /// Makes it as many sockets as wanted, if there are fewer. Throws ``StartProblem``.
  func extend(to count: Int) throws(StartProblem) {
    let found = sockets
    guard let first = found.first, let address = Listening.address(of: first) else { return }
    for _ in found.count..<max(count, found.count) {
      do {
        put([try Listening.join(address)])
      } catch {
        // They were taken over from somebody who did not share them: then there is less to share, and it works.
        return
      }
    }
  }

  /// Lets clients connect, whom the kernel keeps until they are accepted. Throws ``StartProblem``.
  func begin() throws(StartProblem) {
    for descriptor in sockets {
      do {
        try Listening.begin(descriptor)
      } catch {
        // The others are shared by all loops, too.
        if isHandedOver, drop(descriptor) { continue }
        throw Listeners.problem(endpoint, error.errnoCode, flag: flag)
      }
    }
  }
}

/// Takes addresses.
enum Listeners {
  /// An address with numbers, for what may be a name. Throws ``StartProblem`` if there is none.
  static func resolve(_ endpoint: SocketEndpoint) throws(StartProblem) -> InternetAddress {
    let found = InternetAddress.resolve(
      host: endpoint.host, port: endpoint.port, isPassive: true)
    guard let address = found.first else {
      throw StartProblem("cannot listen on \(endpoint): no host has this name")
    }
    return address
  }

  /// What an address is called among PoPs.
  static func name(_ address: InternetAddress) -> String {
    "\(SocketEndpoint(host: address.host, port: address.port))"
  }

  /// Takes an address, with so many sockets that do not listen yet.
  ///
  /// Throws ``StartProblem`` if the address cannot be had, also if only because somebody else shares
  /// it out in the same way.
  static func take(
    _ endpoint: SocketEndpoint, count: Int, flag: String
  ) throws(StartProblem) -> TakenAddress {
    let wanted = try resolve(endpoint)
    do {
      let sockets = try Listening.take(wanted, count: count)
      let address = sockets.first.flatMap { Listening.address(of: $0) } ?? wanted
      return TakenAddress(
        SocketEndpoint(host: endpoint.host, port: address.port), name: name(address),
        sockets: sockets, flag: flag)
    } catch {
      throw problem(endpoint, error.errnoCode, flag: flag)
    }
  }

  /// Why an address cannot be had, and what to do.
  static func problem(
    _ endpoint: SocketEndpoint, _ code: CInt, flag: String
  ) -> StartProblem {
    let reason = String(cString: strerror(code))
    let advice =
      code == EADDRINUSE ? "; another process has it: choose another with \(flag)" : ""
    return StartProblem("cannot listen on \(endpoint): \(reason)\(advice)")
  }
}
