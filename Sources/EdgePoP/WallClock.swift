import EdgeCache
import Glibc

/// The machine's clock, the one place where the shell reads it.
enum WallClock {
  /// The present moment.
  static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
}
