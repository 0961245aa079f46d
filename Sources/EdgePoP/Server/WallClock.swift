import EdgeCache
import Glibc
import NIOCore

/// The machine's clocks, the one place where the shell reads them.
enum WallClock {
  /// The present moment.
  static func now() -> Instant { read(CLOCK_REALTIME) }

  /// The present moment as of the last tick of the kernel, a few milliseconds ago: for ages and
  /// lifetimes, which count in seconds. Takes a quarter of the time.
  static func coarse() -> Instant { read(CLOCK_REALTIME_COARSE) }

  private static func read(_ clock: clockid_t) -> Instant {
    var time = timespec()
    clock_gettime(clock, &time)
    return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}

extension NIODeadline {
  /// The present moment as of the last tick of the kernel: for time limits.
  static func coarse() -> NIODeadline {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return .uptimeNanoseconds(UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }
}
