// Waits for many sockets at once: epoll, one instance to a thread.
//
// Unsafe memory: `epoll_event` values are passed to the kernel by pointer. Invariant: the pointer
// never outlives the call that it is made for, and the kernel is told the real capacity of the array,
// so it writes only within it; only the first `count` events that it reports are read.

import CEpoll
import Glibc

/// What happened at a socket that is watched.
public struct Readiness {
  /// The number that the socket was registered with.
  public var token: UInt64
  /// There is something to read, an end or an error among it.
  public var isReadable: Bool
  /// There is room to write, or connecting has ended.
  public var isWritable: Bool
  /// The peer has ended the stream, of which there may be bytes left. With `edges` only.
  public var hasEnded: Bool
  /// The connection is broken, or both directions have ended. Reported whatever is watched for.
  public var hasFailed: Bool
}

/// What a socket is watched for.
public struct Interest: OptionSet, Sendable {
  public let rawValue: UInt8
  /// Bytes or connections to take, or the end of the stream.
  public static let reading = Interest(rawValue: 1)
  /// Room for bytes, or the end of connecting.
  public static let writing = Interest(rawValue: 2)
  /// Each happening is reported once, not for as long as nothing is done about it. Whoever watches so
  /// takes all that there is, or changes what it watches for, which reports anew what is the case.
  /// Half the work for the kernel.
  public static let edges = Interest(rawValue: 4)

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }
}

/// An epoll instance; confined to one thread.
public final class Poller {
  private let descriptor: Int32
  private var events: [epoll_event]

  private static let readable = EPOLLIN.rawValue
  private static let writable = EPOLLOUT.rawValue
  private static let edges = EPOLLET.rawValue
  private static let ended = EPOLLRDHUP.rawValue

  /// An instance that reports at most `capacity` events at once; nil if the kernel refuses it.
  public init?(capacity: Int = 64) {
    descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
    events = Array(repeating: epoll_event(), count: capacity)
    if descriptor < 0 { return nil }
  }

  /// Lets the calling thread wake up within a nanosecond of when it wanted to, not within 50 us.
  public static func makeTimersExact() {
    _ = cepoll_set_timer_slack(1)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Begins to watch a socket; it is forgotten by itself when it is closed.
  public func add(_ socket: CInt, token: UInt64, _ interest: Interest) {
    control(EPOLL_CTL_ADD, socket, token, interest)
  }

  /// Changes what a socket is watched for.
  public func change(_ socket: CInt, token: UInt64, _ interest: Interest) {
    control(EPOLL_CTL_MOD, socket, token, interest)
  }

  /// Watches a socket no more.
  public func remove(_ socket: CInt) {
    control(EPOLL_CTL_DEL, socket, 0, [])
  }

  private func control(_ operation: CInt, _ socket: CInt, _ token: UInt64, _ interest: Interest) {
    var event = epoll_event()
    if interest.contains(.reading) { event.events |= Self.readable }
    if interest.contains(.writing) { event.events |= Self.writable }
    if interest.contains(.edges) { event.events |= Self.edges | Self.ended }
    event.data.u64 = token
    _ = epoll_ctl(descriptor, operation, socket, &event)
  }

  /// Waits until something happens or the time is over, and returns the number of events.
  public func wait(nanoseconds: Int64) -> Int {
    let capacity = Int32(events.count)
    let count = events.withUnsafeMutableBufferPointer { events in
      cepoll_wait(descriptor, events.baseAddress, capacity, max(0, nanoseconds))
    }
    return max(0, Int(count))
  }

  /// An event of the last wait.
  public func event(_ index: Int) -> Readiness {
    let event = events[index]
    let failed = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
    return Readiness(
      token: event.data.u64, isReadable: failed || event.events & Self.readable != 0,
      isWritable: failed || event.events & Self.writable != 0,
      hasEnded: event.events & Self.ended != 0, hasFailed: failed)
  }
}

/// The clock of a run: nanoseconds that never go back.
public enum Monotonic {
  /// The present moment. About 25 ns.
  public static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  /// The present moment as of the last tick of the kernel, a few milliseconds ago. About 6 ns.
  public static func coarse() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
