import CEpoll
import Glibc
import NIOCore

/// A socket that accepts connections.
public final class ListeningSocket: PolledSocket {
  /// What becomes of accepting after something has happened.
  public enum Next {
    /// It goes on.
    case goOn
    /// Connections wait with the kernel until ``resume()``.
    case pause
  }

  private let accepted: (CInt, InternetAddress) -> Next
  private let failed: (CInt) -> Next
  private var isPaused = false
  private var isRetiring = false

  /// Connections that are accepted before others have their turn.
  private static let batch = 16
  /// For how long connections that had begun have time to be completed, in nanoseconds.
  private static let completion: Int64 = 50_000_000

  /// Takes over a descriptor that listens. Each connection goes to `accepted`, an `errno` that speaks against all of them
  /// to `failed`.
  public init(
    _ descriptor: CInt, reactor: Reactor, failed: @escaping (CInt) -> Next,
    accepted: @escaping (CInt, InternetAddress) -> Next
  ) {
    self.accepted = accepted
    self.failed = failed
    super.init(descriptor, reactor: reactor)
    watch(.reading)
  }

  public override func ready(_ readiness: Readiness) {
    for _ in 0..<Self.batch {
      guard acceptOne() else { return }
    }
  }

  /// Accepts one connection; false if there is none, or no more for now.
  private func acceptOne() -> Bool {
    var socket: CInt = -1
    let address = InternetAddress { address, length in
      socket = cepoll_accept(descriptor, address, length)
      return socket >= 0
    }
    guard let address else { return isPassing(errno) }
    if accepted(socket, address) == .pause { pause() }
    return isOpen && !isPaused
  }

  /// True if another attempt may succeed at once.
  private func isPassing(_ code: CInt) -> Bool {
    switch code {
    case EAGAIN: return false
    // What went wrong is one connection's own affair, such as having been closed meanwhile.
    case EINTR, ECONNABORTED, EPROTO, EPERM: return true
    default:
      if failed(code) == .pause { pause() }
      return false
    }
  }

  /// Leaves connections with the kernel, which is not asked for them either.
  private func pause() {
    if isRetiring { return }
    isPaused = true
    watch([])
  }

  /// Accepts again.
  public func resume() {
    guard isPaused else { return }
    isPaused = false
    watch(.reading)
  }

  /// Lets nobody connect any more, accepts all who have, and closes then.
  public func retire() {
    guard isOpen, !isRetiring else { return }
    isRetiring = true
    isPaused = false
    Listening.ignoreNew(descriptor)
    watch(.reading)
    _ = reactor.schedule(after: Self.completion) { [self] in
      while isOpen, acceptOne() {}
      close()
    }
  }

  /// Gives the descriptor away, which goes on listening; nil if it is closed.
  public func giveAway() -> CInt? {
    isOpen && !isRetiring ? release() : nil
  }
}
