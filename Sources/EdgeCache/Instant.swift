/// A moment on the wall clock, in milliseconds since 1970-01-01 UTC.
///
/// Time enters the core as an argument only. The core never asks a clock, so that whole histories
/// can be replayed from a seed.
public struct Instant: Sendable, Hashable, Comparable {
  /// Milliseconds since 1970-01-01 00:00:00 UTC; may be negative.
  public var milliseconds: Int64

  /// A moment from milliseconds since 1970.
  @inlinable
  public init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  /// A moment from whole seconds since 1970.
  @inlinable
  public init(seconds: Int64) {
    self.milliseconds = seconds &* 1000
  }

  /// Whole seconds since 1970, rounded down.
  @inlinable
  public var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
  }

  @inlinable
  public static func < (lhs: Instant, rhs: Instant) -> Bool {
    lhs.milliseconds < rhs.milliseconds
  }

  /// The moment that many seconds later (earlier when negative).
  @inlinable
  public func adding(seconds: Int64) -> Instant {
    Instant(milliseconds: milliseconds &+ seconds &* 1000)
  }

  /// The moment that many milliseconds later (earlier when negative).
  @inlinable
  public func adding(milliseconds more: Int64) -> Instant {
    Instant(milliseconds: milliseconds &+ more)
  }

  /// Milliseconds from `earlier` to here, never negative: a clock that was set back must not make
  /// anything younger than it is.
  @inlinable
  public func milliseconds(since earlier: Instant) -> Int64 {
    max(0, milliseconds &- earlier.milliseconds)
  }
}
