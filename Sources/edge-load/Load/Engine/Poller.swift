// Waits for many sockets at once: epoll, level-triggered, one instance to a thread.
//
// Unsafe memory: `epoll_event` values are passed to the kernel by pointer. Invariant: the pointer
// never outlives the call that it is made for, and the kernel is told the real capacity of the array,
// so it writes only within it; only the first `count` events that it reports are read.

import CEpoll
import Glibc

/// What happened at a socket that is watched.
struct Readiness {
  /// The number that the socket was registered with.
  var token: UInt64
  /// There is something to read, an end or an error among it.
  var isReadable: Bool
  /// There is room to write, or connecting has ended.
  var isWritable: Bool
}

/// An epoll instance; confined to one thread.
final class Poller {
  private let descriptor: Int32
  private var events: [epoll_event]

  private static let readable = EPOLLIN.rawValue
  private static let writable = EPOLLOUT.rawValue

  /// An instance that reports at most `capacity` events at once; nil if the kernel refuses it.
  init?(capacity: Int = 64) {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    events = Array(repeating: epoll_event(), count: capacity)
    if descriptor < 0 { return nil }
    // A request that is due in 100 us is to leave then, not 50 us later.
    _ = cepoll_set_timer_slack(1)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Begins to watch a socket; it is forgotten by itself when it is closed.
  func add(_ socket: Int32, token: UInt64, writing: Bool) {
    control(EPOLL_CTL_ADD, socket, token, writing)
  }

  /// Changes whether room to write is reported.
  func change(_ socket: Int32, token: UInt64, writing: Bool) {
    control(EPOLL_CTL_MOD, socket, token, writing)
  }

  private func control(_ operation: Int32, _ socket: Int32, _ token: UInt64, _ writing: Bool) {
    var event = epoll_event()
    event.events = Self.readable | (writing ? Self.writable : 0)
    event.data.u64 = token
    _ = epoll_ctl(descriptor, operation, socket, &event)
  }

  /// Waits until something happens or the time is over, and returns the number of events.
  func wait(nanoseconds: Int64) -> Int {
    let span = max(0, nanoseconds)
    var time = timespec(tv_sec: Int(span / 1_000_000_000), tv_nsec: Int(span % 1_000_000_000))
    let capacity = Int32(events.count)
    let count = events.withUnsafeMutableBufferPointer { events in
      let count = epoll_pwait2(descriptor, events.baseAddress, capacity, &time, nil)
      guard count < 0, errno == ENOSYS else { return count }
      // Before Linux 5.11 there are whole milliseconds only; rounded up, or it would spin.
      let milliseconds = Int32(clamping: (span + 999_999) / 1_000_000)
      return epoll_wait(descriptor, events.baseAddress, capacity, milliseconds)
    }
    return max(0, Int(count))
  }

  /// An event of the last wait.
  func event(_ index: Int) -> Readiness {
    let event = events[index]
    let failed = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
    return Readiness(
      token: event.data.u64, isReadable: failed || event.events & Self.readable != 0,
      isWritable: failed || event.events & Self.writable != 0)
  }
}

/// The clock of a run: nanoseconds that never go back.
enum Monotonic {
  /// The present moment. About 25 ns.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
