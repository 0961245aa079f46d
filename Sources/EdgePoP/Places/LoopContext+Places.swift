import EdgeSocket
import Glibc
import Logging

// What an event loop does when there are no places for more clients: it closes those who lose least, and leaves others
// with the kernel until there is room.

extension LoopContext {
  /// Accepts clients of a socket that listens; `address` says of which address it is.
  func accept(_ descriptor: CInt, address: Int) {
    let socket = ListeningSocket(descriptor, reactor: reactor) { [self] code in
      acceptFailed(code)
    } accepted: { [self] socket, peer in
      // The reactor keeps it.
      let connection = ClientConnection(socket, from: peer, loop: self)
      guard admits(connection) else { return .goOn }
      return hasPlaceForMore()
    }
    listeners.append((address, socket))
  }

  /// False, and the connection is closed, if its address has as many as it may.
  private func admits(_ connection: ClientConnection) -> Bool {
    guard let limit = shared.places.perAddress, !connection.identity.isOfFleet else { return true }
    if shared.places.enter(connection.network) {
      connection.isCounted = true
      return true
    }
    counters.refusedConnections += 1
    if shared.places.mayTell(now: Monotonic.coarse(), .perAddress) {
      shared.logger.warning(
        "an address has as many connections as it may; more are closed at once",
        metadata: [
          "client": "\(connection.identity.address)", "connectionsPerAddress": "\(limit)",
          "advice":
            "if it is a proxy, name it in trustedProxies; otherwise raise connectionsPerAddress",
        ])
    }
    connection.close()
    return false
  }

  /// Makes room if there is one connection too many.
  private func hasPlaceForMore() -> ListeningSocket.Next {
    guard shared.places.isOver else { return .goOn }
    if shared.places.mayTell(now: Monotonic.coarse(), .all) {
      shared.logger.warning(
        "all places for connections of clients are taken: idle ones are closed, and new ones wait",
        metadata: [
          "clientConnections": "\(shared.places.limit)",
          "openFiles": "\(shared.places.descriptorLimit.map(String.init) ?? "unknown")",
          "advice":
            "raise clientConnections, and for that the limit of open files (ulimit -n, LimitNOFILE=) where it is less",
        ])
    }
    if closeOne() { return .goOn }
    waitForPlace()
    return .pause
  }

  /// Nobody can be accepted, whoever it is.
  private func acceptFailed(_ code: CInt) -> ListeningSocket.Next {
    if shared.places.mayTell(now: Monotonic.coarse(), .descriptors) {
      shared.logger.error(
        "cannot accept clients: idle ones are closed, and new ones wait",
        metadata: [
          "reason": "\(String(cString: strerror(code)))",
          "openFiles": "\(shared.places.descriptorLimit.map(String.init) ?? "unknown")",
          "advice": code == EMFILE
            ? "lower clientConnections, or raise the limit of open files (ulimit -n, LimitNOFILE=)"
            : "find out what else on this machine takes so many files or so much memory",
        ])
    }
    if code == EMFILE, makeRoom() { return .goOn }
    // Places there may be; that does not help.
    pauseAccepting()
    return .pause
  }

  /// Closes a few who lose least by it, because this process may have no more descriptors; false if there is nobody.
  @discardableResult
  func makeRoom() -> Bool {
    var closed = 0
    while closed < Self.fewDescriptors, closeOne() { closed += 1 }
    return closed > 0
  }

  /// Connections that are closed when there are no descriptors left.
  private static let fewDescriptors = 4
  /// After how many nanoseconds it is tried again whether there is room.
  private static let retry: Int64 = 100_000_000

  /// Closes who loses least by it; false if there is nobody.
  @discardableResult
  func closeOne() -> Bool {
    let holder = places.next(now: Monotonic.coarse(), holders: clientHolders) {
      $0.client.isOpen && $0.client.standing == $0.standing
    }
    guard let holder else { return false }
    if case .head = holder.standing {
      counters.closedInHead += 1
    } else {
      counters.closedIdle += 1
    }
    holder.client.cutOff()
    return true
  }

  private func clientHolders() -> [ClientPlaces<ClientConnection>.Holder] {
    var holders: [ClientPlaces<ClientConnection>.Holder] = []
    reactor.forEachSocket { socket in
      guard let client = socket as? ClientConnection else { return }
      let standing = client.standing
      holders.append(
        .init(
          client: client, network: client.identity.isOfFleet ? nil : client.network,
          standing: standing))
    }
    return holders
  }

  /// Has accepting resumed when there is a place, here or by what other loops do.
  private func waitForPlace() {
    guard pauseAccepting() else { return }
    let me = Confined(self, to: reactor)
    shared.places.waitForPlace { me.mailbox.execute { me.value.resumeAccepting() } }
    shared.places.askAll()
  }

  /// Has accepting resumed when there may be room again; false if that is so already.
  @discardableResult
  private func pauseAccepting() -> Bool {
    if isWaitingForPlace { return false }
    isWaitingForPlace = true
    counters.acceptPauses += 1
    lookForPlace()
    return true
  }

  private func lookForPlace() {
    _ = reactor.schedule(after: Self.retry) { [self] in
      guard isWaitingForPlace else { return }
      if shared.places.count < shared.places.limit || closeOne() {
        resumeAccepting()
      } else {
        lookForPlace()
      }
    }
  }

  /// Another loop needs a place: an idle connection of this one is closed, if there are too many of all.
  func closeForOthers() {
    if shared.places.isOver { closeOne() }
  }

  private func resumeAccepting() {
    isWaitingForPlace = false
    for (_, socket) in listeners { socket.resume() }
  }

  // MARK: Handing over

  /// Gives away the sockets that listen, by address; clients that connect wait until somebody accepts.
  func giveListeners() -> [(address: Int, descriptor: CInt)] {
    let given = listeners.compactMap { address, socket in
      socket.giveAway().map { (address: address, descriptor: $0) }
    }
    listeners = []
    return given
  }

  /// Copies of the sockets that listen, by address; whoever has one may accept the same clients.
  func copyListeners() -> [(address: Int, descriptor: CInt)] {
    listeners.compactMap { address, socket in
      let copy = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 0)
      return copy < 0 ? nil : (address: address, descriptor: copy)
    }
  }

  /// Lets nobody connect any more; who has connected is served.
  func retireListeners() {
    for (_, socket) in listeners { socket.retire() }
  }

  /// True until all sockets that listened are closed.
  var isAccepting: Bool { listeners.contains { $0.socket.isOpen } }
}
