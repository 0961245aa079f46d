import Foundation
import Glibc
import Synchronization

// Signals that end the program, on a thread that does nothing else: whatever hangs, they are heard, and the time in which
// the program is to end is kept.

/// Where the handler of signals writes their numbers; negative before there is one.
private let bell = Atomic<CInt>(-1)

/// SIGTERM, SIGINT and SIGQUIT: the first lets what runs come to its end, the second does not wait for that.
final class EndSignals: Sendable {
  private struct State: Sendable {
    /// What the first signal does; until it is known a signal ends the program.
    var begin: (@Sendable () -> Void)?
    /// Within how many nanoseconds the program ends once it has begun to.
    var limit: Int64 = 0
    /// When it is over, by the monotonic clock; nil before it begins to end.
    var deadline: Int64?
    /// What is written when the time is over.
    var farewell = ""
  }

  private let state = Mutex(State())
  private static let numbers = [SIGTERM, SIGINT, SIGQUIT]

  /// Hears the signals from now on. If the system has no thread or no files for that they do what they do by default.
  init() {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    let source = ends[0]
    bell.store(ends[1], ordering: .sequentiallyConsistent)
    let thread = Thread { [self] in run(source) }
    thread.name = "edge-signals"
    thread.start()
    for number in Self.numbers {
      // All that a handler may do: it interrupts whatever the program is doing.
      signal(number) { number in EndSignals.ring(UInt8(truncatingIfNeeded: number)) }
    }
  }

  private static func ring(_ number: UInt8) {
    let saved = errno
    var byte = number
    _ = write(bell.load(ordering: .relaxed), &byte, 1)
    errno = saved
  }

  /// From now on the first signal calls `begin`, on the thread of the signals.
  func whenAsked(within limit: Duration, _ begin: @escaping @Sendable () -> Void) {
    let (seconds, attoseconds) = limit.components
    state.withLock {
      $0.begin = begin
      $0.limit = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
      $0.farewell =
        "edge-pop: not all that ran has ended within \(limit); it is broken off (a disk, a log or a name server may "
        + "be stuck)\n"
    }
  }

  /// The program has begun to end, by a signal or for another reason: the time runs.
  func ending() {
    state.withLock { state in
      if state.deadline == nil { state.deadline = Self.now + state.limit }
    }
    // The thread looks at the time.
    Self.ring(0)
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private func run(_ source: CInt) -> Never {
    var isAsked = false
    while true {
      let left = state.withLock { $0.deadline }.map { $0 - Self.now }
      if let left, left <= 0 { giveUp() }
      var place = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
      let wait = left.map { CInt(clamping: $0 / 1_000_000 + 1) } ?? -1
      guard poll(&place, 1, wait) > 0 else { continue }
      var number: UInt8 = 0
      guard read(source, &number, 1) == 1, number > 0 else { continue }
      guard !isAsked, let begin = state.withLock({ $0.begin }) else { _exit(128 + CInt(number)) }
      isAsked = true
      ending()
      begin()
    }
  }

  private func giveUp() -> Never {
    // Standard error may be what is stuck.
    var place = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    if poll(&place, 1, 0) > 0 {
      let text = Array(state.withLock { $0.farewell }.utf8)
      _ = write(STDERR_FILENO, text, text.count)
    }
    _exit(1)
  }
}
