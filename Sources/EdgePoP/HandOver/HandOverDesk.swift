import Dispatch
import EdgeSocket
import Glibc
import Synchronization

// A PoP keeps a socket of this machine for each of its addresses, by which a successor finds it and asks for them. One
// name is had by one process, so PoPs that begin at the same moment tell each other apart by it, too.

/// What a PoP does when a successor asks for its addresses.
protocol HandOverHost: Sendable {
  /// How far the PoP is.
  var stage: Life.Stage { get }
  /// Within how many milliseconds ``giveAddresses()`` or ``offerSockets(of:)`` end.
  var handOverMilliseconds: Int { get }
  /// Gives up all addresses, while draining, and lets go of disks when they are not used any more.
  func giveAddresses() async
  /// Stops using disks and accepting, and gives out copies of the sockets of these addresses by their names. The PoP
  /// keeps its own until one of the following.
  func offerSockets(of names: [String]) async -> [(name: String, sockets: [CInt])]
  /// The successor serves: the sockets are no longer this PoP's.
  func handedOver() async
  /// The successor is gone: this PoP goes on.
  func takeBack() async
}

/// Where successors ask.
final class HandOverDesk: Sendable {
  private struct State: Sendable {
    var sockets: [(name: String, socket: LocalSocket)] = []
    var host: (any HandOverHost)?
    var isClosed = false
  }

  private let state = Mutex(State())
  /// For how long a successor may be silent.
  private static let patience = 5000

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

  private func run() {
    while true {
      let sockets = state.withLock { $0.isClosed ? [] : $0.sockets.map(\.socket) }
      if sockets.isEmpty { return }
      var polled = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      if poll(&polled, nfds_t(polled.count), -1) < 0 { continue }
      for (index, entry) in polled.enumerated() where entry.revents != 0 {
        if let asker = sockets[index].accept() { serve(asker) }
        break
      }
    }
  }

  private func serve(_ asker: LocalSocket) {
    guard asker.isTrusted else { return }
    asker.setPatience(milliseconds: Self.patience)
    guard let line = asker.readLine(), let request = HandOverRequest(line: line) else { return }
    let me = Int(getpid())
    let host = state.withLock { $0.host }
    let stage = host?.stage ?? .starting
    guard let host, stage != .starting else {
      asker.write(line: HandOverReply.starting(process: me).line)
      return
    }
    if stage == .serving, !request.takesOver {
      asker.write(line: HandOverReply.serving(process: me).line)
      return
    }
    let time = host.handOverMilliseconds
    guard asker.write(line: HandOverReply.wait(process: me, milliseconds: time).line) else {
      return
    }
    if stage == .serving { return offer(host, request.addresses, asker) }
    waiting { await host.giveAddresses() }
    close()
    asker.write(line: HandOverReply.given.line)
  }

  /// Hands over sockets of a PoP that serves.
  private func offer(_ host: any HandOverHost, _ names: [String], _ asker: LocalSocket) {
    let offered = waiting { await host.offerSockets(of: names) }
    // The names are the successor's now; those that it has not asked for are nobody's.
    let known = giveUpNames()
    defer { for descriptor in offered.flatMap(\.sockets) { Glibc.close(descriptor) } }
    let list = offered.map { HandOverReply.Sockets(address: $0.name, count: $0.sockets.count) }
    // However long it takes to begin, it is alive as long as the connection is.
    asker.setPatience(milliseconds: 0)
    if asker.write(line: HandOverReply.sockets(list).line),
      offered.allSatisfy({ asker.send(descriptors: $0.sockets) }),
      asker.readLine() == HandOverReply.confirmation
    {
      waiting { await host.handedOver() }
      return
    }
    waiting { await host.takeBack() }
    for name in known { _ = open(name) }
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
