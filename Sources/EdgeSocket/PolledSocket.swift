import Glibc
import NIOCore

/// A socket that a reactor watches. Confined to the thread of its reactor, which keeps it alive until it
/// is closed.
open class PolledSocket {
  /// The reactor that it belongs to.
  public final let reactor: Reactor
  /// The descriptor; negative once it is closed.
  public final private(set) var descriptor: CInt
  /// Its place with the reactor, once it is watched.
  final private(set) var slot = UInt32.max
  private final var generation: UInt32 = 0
  /// What it is watched for.
  final private(set) var interest: Interest = []
  private final var isWatched = false

  /// Takes over a descriptor. It is not watched before ``watch(_:)``.
  public init(_ descriptor: CInt, reactor: Reactor) {
    self.reactor = reactor
    self.descriptor = descriptor
  }

  /// Something happened that it is watched for, or it has failed.
  open func ready(_ readiness: Readiness) {}

  /// Called now and then by whoever watches over time limits.
  open func checkTime(_ now: NIODeadline) {}

  /// It is about to be closed.
  open func willClose() {}

  /// It is closed; the last call.
  open func closed() {}

  /// True until it is closed.
  public final var isOpen: Bool { descriptor >= 0 }

  /// Changes what the socket is watched for; the first time the reactor takes it in.
  public final func watch(_ interest: Interest) {
    guard isOpen, interest != self.interest || !isWatched else { return }
    self.interest = interest
    if slot == UInt32.max { (slot, generation) = reactor.add(self) }
    if isWatched {
      reactor.poller.change(descriptor, token: token, interest)
    } else {
      isWatched = true
      reactor.poller.add(descriptor, token: token, interest)
    }
  }

  /// Has what is the case reported anew.
  final func rearm() {
    if isOpen, isWatched { reactor.poller.change(descriptor, token: token, interest) }
  }

  private final var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

  /// Closes it at once; ``closed()`` is called before this returns.
  public final func close() {
    guard isOpen else { return }
    willClose()
    let closing = release()
    Glibc.close(closing)
    closed()
  }

  /// Gives the descriptor away without closing it; ``closed()`` is not called.
  final func release() -> CInt {
    let released = descriptor
    if isWatched { reactor.poller.remove(released) }
    isWatched = false
    descriptor = -1
    if slot != UInt32.max { reactor.remove(slot: slot) }
    slot = UInt32.max
    return released
  }
}
