import Dispatch
import EdgeSocket
import Glibc
import Logging
import Synchronization

// A PoP keeps a socket of this machine for each of its addresses, by which a successor finds it and asks for them. One
// name is had by one process, so PoPs that begin at the same moment tell each other apart by it, too. A PoP has its
// names until a successor serves in its place.

/// What a PoP does when a successor asks for its addresses.
protocol HandOverHost: Sendable {
  /// How far the PoP is.
  var stage: Life.Stage { get }
  /// The addresses where clients connect, with numbers.
  var clientNames: [String] { get }
  /// The address of the admin API.
  var adminName: String { get }
  /// Where the PoP tells what becomes of it.
  var logger: Logger { get }
  /// Within how many milliseconds ``giveAddresses()`` or ``offerSockets(of:)`` end, and how long a successor has from
  /// then on.
  var handOverMilliseconds: Int { get }
  /// Gives up all addresses, while draining, and lets go of disks when they are not used any more.
  func giveAddresses() async
  /// Stops using disks and taking purges, and gives out copies of the sockets of these addresses by their names. The PoP
  /// goes on accepting until one of the following. Nil if it has begun to drain meanwhile.
  func offerSockets(of names: [String]) async -> [(name: String, sockets: [CInt])]?
  /// The successor can serve: nobody is accepted here any more.
  func pauseAccepting() async
  /// The successor serves: the sockets are no longer this PoP's.
  func handedOver() async
  /// The successor does not begin: this PoP goes on; false if it ends anyway.
  func takeBack() async -> Bool
}

/// Where successors ask.
final class HandOverDesk: Sendable {
  private struct State: Sendable {
    var sockets: [(name: String, socket: LocalSocket)] = []
    var host: (any HandOverHost)?
    var isClosed = false
  }

  private let state = Mutex(State())
  private let limits = HandOverLimits.standard

  /// What the socket of an address is called.
  static func name(_ address: String) -> String { "edgecache/edge-pop/\(address)" }

  /// A desk that has no names yet.
  init() {}

  /// Takes the name of an address; false if another process has it.
  func open(_ address: String) -> Bool {
    guard let socket = LocalSocket.listen(Self.name(address)) else { return false }
    return state.withLock { state in
      if state.isClosed { return false }
      state.sockets.append((address, socket))
      return true
    }
  }

  /// Answers from now on, on a thread of its own; until there is a host, that the PoP is starting.
  func start() {
    if state.withLock({ $0.sockets.isEmpty }) { return }
    DispatchQueue(label: "edge-hand-over").async { [self] in run() }
  }

  /// From now on the PoP answers for itself.
  func setHost(_ host: any HandOverHost) { state.withLock { $0.host = host } }

  /// Gives up the names, and answers no more.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.host = nil
    }
    giveUpNames()
  }

  /// Lets others have the names; they are returned.
  @discardableResult
  private func giveUpNames() -> [String] {
    let sockets = state.withLock { state in
      defer { state.sockets = [] }
      return state.sockets
    }
    for (_, socket) in sockets { socket.end() }
    return sockets.map(\.name)
  }

  private var sockets: [LocalSocket] {
    state.withLock { $0.isClosed ? [] : $0.sockets.map(\.socket) }
  }

  private func run() {
    while true {
      let sockets = sockets
      if sockets.isEmpty { return }
      guard let index = Self.wait(for: sockets, until: nil) else { continue }
      if let asker = sockets[index].accept() { serve(asker) }
    }
  }

  /// Which of the sockets something has happened to; nil if nothing has by that moment.
  private static func wait(for sockets: [LocalSocket], until deadline: Int64?) -> Int? {
    var polled = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
    let wait = deadline.map { CInt(clamping: max(0, $0 - Monotonic.now()) / 1_000_000 + 1) }
    guard poll(&polled, nfds_t(polled.count), wait ?? -1) > 0 else { return nil }
    return polled.firstIndex { $0.revents != 0 }
  }

  private func serve(_ asker: LocalSocket) {
    guard asker.isTrusted else { return }
    asker.setPatience(milliseconds: limits.question.milliseconds)
    guard let line = readLine(of: asker).text, let request = HandOverRequest(line: line)
    else { return }
    let me = Int(getpid())
    let host = state.withLock { $0.host }
    let stage = host?.stage ?? .starting
    guard let host, stage != .starting else {
      asker.write(line: HandOverReply.starting(process: me).line)
      return
    }
    let time = host.handOverMilliseconds
    if stage == .serving {
      if !request.takesOver {
        asker.write(line: HandOverReply.serving(process: me).line)
        return
      }
      guard let ending = request.ending(ofClients: host.clientNames, admin: host.adminName) else {
        asker.write(
          line: HandOverReply.elsewhere(process: me, addresses: host.clientNames).line)
        return
      }
      let reply = HandOverReply.wait(process: me, milliseconds: time, ending: ending)
      guard asker.write(line: reply.line), offer(host, request.addresses, ending, asker) else {
        return
      }
    } else {
      let reply = HandOverReply.wait(process: me, milliseconds: time)
      guard asker.write(line: reply.line) else { return }
    }
    waiting { await host.giveAddresses() }
    close()
    asker.write(line: HandOverReply.given.line)
  }

  private func readLine(of other: LocalSocket) -> LocalSocket.Line {
    other.readLine(within: limits.question.milliseconds, atMost: limits.questionLength)
  }

  // MARK: Handing over

  /// Hands over sockets of a PoP that serves; true if it drains instead.
  private func offer(
    _ host: any HandOverHost, _ names: [String], _ ending: [String], _ asker: LocalSocket
  ) -> Bool {
    let process = Int(asker.peer?.process ?? 0)
    host.logger.info("another edge-pop takes over", metadata: ["process": "\(process)"])
    if !ending.isEmpty {
      host.logger.warning(
        "the edge-pop that takes over has not all addresses of this one: these end",
        metadata: ["process": "\(process)", "addresses": "\(ending.joined(separator: ", "))"])
    }
    guard let offered = waiting({ await host.offerSockets(of: names) }) else { return true }
    let list = offered.map { HandOverReply.Sockets(address: $0.name, count: $0.sockets.count) }
    let isSent =
      asker.write(line: HandOverReply.sockets(list).line)
      && offered.allSatisfy { asker.send(descriptors: $0.sockets) }
    for descriptor in offered.flatMap(\.sockets) { Glibc.close(descriptor) }
    let limit = host.handOverMilliseconds
    switch isSent ? waitForConfirmation(of: asker, process, within: limit, host.logger) : .ended {
    case .line:
      // Whoever takes the names first has them: so the successor can.
      let known = giveUpNames()
      waiting { await host.pauseAccepting() }
      if asker.write(line: HandOverReply.acknowledgement) {
        waiting { await host.handedOver() }
        return false
      }
      takeBack(host, process, "it has ended")
      for name in known where !open(name) {
        host.logger.error(
          "another process has the name of an address: no edge-pop can take it over from this one",
          metadata: ["address": "\(name)"])
      }
    case .ended: takeBack(host, process, "it has ended")
    case .late:
      if takeBack(host, process, "it did not begin to serve within \(limit) ms (drainTimeout)") {
        asker.write(line: HandOverReply.withdrawal)
      }
    }
    return false
  }

  /// Waits until a successor can serve. Others that ask meanwhile are told that it is starting.
  private func waitForConfirmation(
    of successor: LocalSocket, _ process: Int, within limit: Int, _ logger: Logger
  ) -> LocalSocket.Line {
    let began = Monotonic.now()
    let deadline = began + Int64(limit) * 1_000_000
    var notable = began + limits.notable.nanoseconds
    // An answer is not lost as long as its connection is open.
    var others: [LocalSocket] = []
    while true {
      let sockets = [successor] + sockets
      if let index = Self.wait(for: sockets, until: min(deadline, notable)) {
        if index == 0 {
          let line = readLine(of: successor)
          if case .line(HandOverReply.confirmation) = line { return line }
          return line == .late ? .late : .ended
        }
        if let other = sockets[index].accept(), other.isTrusted, others.count < limits.askers {
          other.write(line: HandOverReply.starting(process: process).line)
          others.append(other)
        }
      }
      let now = Monotonic.now()
      if now >= deadline { return .late }
      if now >= notable {
        notable = .max
        logger.warning(
          "the edge-pop that takes over does not serve yet; this one goes on until it does, without taking purges",
          metadata: ["process": "\(process)", "milliseconds": "\((now - began) / 1_000_000)"])
      }
    }
  }

  @discardableResult
  private func takeBack(_ host: any HandOverHost, _ process: Int, _ reason: String) -> Bool {
    guard waiting({ await host.takeBack() }) else { return false }
    host.logger.error(
      "the edge-pop that was to take over does not: this one goes on",
      metadata: [
        "process": "\(process)", "reason": "\(reason)", "advice": "see its log for why",
      ])
    return true
  }

  /// Waits for something asynchronous on this thread, which is nobody else's.
  private func waiting<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
    let (holder, done) = (Holder<Value>(), DispatchSemaphore(value: 0))
    Task {
      let value = await body()
      holder.value.withLock { $0 = value }
      done.signal()
    }
    done.wait()
    guard let value = holder.value.withLock({ $0 }) else { preconditionFailure("no value") }
    return value
  }

  private final class Holder<Value: Sendable>: Sendable {
    let value = Mutex<Value?>(nil)
  }
}
