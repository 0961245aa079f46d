// The wall clock, and instants as text. The core knows HTTP dates as bytes and never reads a clock;
// the sample origin, which is no data plane, reads it here and nowhere else.

import EdgeCache
import Glibc

/// The wall clock, read where a head is written.
enum WallClock {
  /// Milliseconds since 1970.
  static func milliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  /// Seconds since 1970.
  static func seconds() -> Int64 { milliseconds() / 1000 }

  /// An instant in seconds since 1970 as `1994-11-06T08:49:37Z`, for JSON and logs.
  static func iso(_ seconds: Int64) -> String {
    var instant = time_t(seconds)
    var parts = tm()
    gmtime_r(&instant, &parts)
    let date = [parts.tm_mon + 1, parts.tm_mday].map(twoDigits).joined(separator: "-")
    let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(twoDigits).joined(separator: ":")
    return "\(parts.tm_year + 1900)-\(date)T\(clock)Z"
  }

  private static func twoDigits(_ number: Int32) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}

extension HTTPDate {
  /// The date of an instant in seconds since 1970, as text.
  static func text(_ seconds: Int64) -> String {
    String(decoding: bytes(seconds), as: UTF8.self)
  }

  /// The seconds since 1970 of an HTTP date given as text; nil for anything else.
  static func seconds(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    return parse(bytes.span, now: Instant(seconds: WallClock.seconds()))
  }
}
