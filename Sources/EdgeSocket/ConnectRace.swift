import Glibc
import NIOCore

// Makes a connection to a host that has several addresses: one after another in the order of
// preference with families alternating, each getting a head start before the next one is tried beside
// it, and whoever connects first wins (RFC 8305 §4, §5).

/// The making of one connection. Kept alive by what it waits for.
public final class ConnectRace {
  /// The head start of each attempt, in nanoseconds (RFC 8305 §5: 250 ms).
  private static let headStart: Int64 = 250_000_000

  private let reactor: Reactor
  private var waiting: ArraySlice<InternetAddress>
  private var attempts: [ConnectingSocket] = []
  private var next: TimerID?
  private var limit: TimerID?
  private var lastProblem: ConnectProblem
  /// What this machine lacked for one of the attempts, an `errno`.
  private var lack: CInt?
  private var completion: ((Result<CInt, ConnectProblem>) -> Void)?

  private init(
    _ addresses: [InternetAddress], name: String, reactor: Reactor,
    completion: @escaping (Result<CInt, ConnectProblem>) -> Void
  ) {
    self.reactor = reactor
    self.completion = completion
    lastProblem = .lookup(.noAddress, name: name)
    waiting = Self.alternating(addresses)[...]
  }

  /// Connects to one of the addresses of `name` within so many nanoseconds; `completion` gets the descriptor,
  /// which is not watched, on this thread and maybe at once.
  public static func run(
    _ addresses: [InternetAddress], name: String = "the host", reactor: Reactor, timeout: Int64,
    completion: @escaping (Result<CInt, ConnectProblem>) -> Void
  ) {
    let race = ConnectRace(addresses, name: name, reactor: reactor, completion: completion)
    race.limit = reactor.schedule(after: timeout) { race.end(.failure(.timeout)) }
    race.tryNext()
  }

  /// One family after the other, beginning with the one that comes first.
  static func alternating(_ addresses: [InternetAddress]) -> [InternetAddress] {
    guard let first = addresses.first?.family else { return [] }
    var preferred = addresses.filter { $0.family == first }[...]
    var others = addresses.filter { $0.family != first }[...]
    var order: [InternetAddress] = []
    while !preferred.isEmpty || !others.isEmpty {
      if let address = preferred.popFirst() { order.append(address) }
      if let address = others.popFirst() { order.append(address) }
    }
    return order
  }

  private func tryNext() {
    if let next { reactor.cancel(next) }
    next = nil
    guard completion != nil else { return }
    guard let address = waiting.popFirst() else {
      if attempts.isEmpty { end(.failure(lack.map { .local($0) } ?? lastProblem)) }
      return
    }
    let descriptor = socket(
      address.family,
      CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return failed(errno, address) }
    var on: CInt = 1
    setsockopt(
      descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
    if address.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 {
      return end(.success(descriptor))
    }
    guard errno == EINPROGRESS else {
      let code = errno
      close(descriptor)
      return failed(code, address)
    }
    let attempt = ConnectingSocket(descriptor, reactor: reactor)
    attempts.append(attempt)
    attempt.begin { self.ended(attempt, $0, address) }
    if !waiting.isEmpty {
      next = reactor.schedule(after: Self.headStart) { self.tryNext() }
    }
  }

  private func ended(_ attempt: ConnectingSocket, _ code: CInt, _ address: InternetAddress) {
    attempts.removeAll { $0 === attempt }
    if code == 0 { return end(.success(attempt.release())) }
    attempt.close()
    failed(code, address)
  }

  private func failed(_ code: CInt, _ address: InternetAddress) {
    // Of a family that this machine has no address of, the address is at fault: others may do.
    if ConnectProblem.isLocal(code), code != EADDRNOTAVAIL || address.source != nil {
      lack = code
    } else {
      lastProblem = .refused(IOError(errnoCode: code, reason: "connect"))
    }
    tryNext()
  }

  private func end(_ result: Result<CInt, ConnectProblem>) {
    for timer in [next, limit] {
      if let timer { reactor.cancel(timer) }
    }
    let losers = attempts
    attempts = []
    for loser in losers { loser.close() }
    let completion = completion
    self.completion = nil
    completion?(result)
  }
}

/// A socket that is being connected.
private final class ConnectingSocket: PolledSocket {
  private var ended: ((CInt) -> Void)?

  /// Waits for the end, and tells it: 0 or an `errno`.
  func begin(_ ended: @escaping (CInt) -> Void) {
    self.ended = ended
    watch(.writing)
  }

  override func ready(_ readiness: Readiness) {
    guard let ended else { return }
    self.ended = nil
    var code: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    ended(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno)
  }

  /// Closed without having ended: the reactor stops, or another one has won.
  override func closed() {
    ended = nil
  }
}
