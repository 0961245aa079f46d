/// A moment on the time line of this process, and what the wall clock showed then.
///
/// The time line begins at what the wall clock showed when the process was started, and from then on counts
/// what really passes: it never goes back, and nobody sets it. So ages, windows and hold-downs, which are
/// differences of moments, stay right when the wall clock is set, in whatever direction. The wall clock is
/// for what others understand: HTTP dates, logs, and what is on disk.
///
/// Time enters the core as an argument only. The core never asks a clock, so that whole histories
/// can be replayed from a seed.
public struct Instant: Sendable, Hashable, Comparable {
  /// Milliseconds on the time line; may be negative. Comparable with those of this process alone.
  public var milliseconds: Int64
  /// By how many milliseconds the wall clock was ahead of the time line: 0 as long as nobody has set it.
  public var wallOffset: Int64

  /// A moment from milliseconds on the time line.
  @inlinable
  public init(milliseconds: Int64, wallOffset: Int64 = 0) {
    self.milliseconds = milliseconds
    self.wallOffset = wallOffset
  }

  /// A moment from whole seconds on the time line.
  @inlinable
  public init(seconds: Int64) {
    self.init(milliseconds: seconds &* 1000)
  }

  /// What the wall clock showed.
  @inlinable
  public var wall: WallTime {
    WallTime(milliseconds: milliseconds &+ wallOffset)
  }

  /// True for the same moment of the time line, whatever the wall clock showed.
  @inlinable
  public static func == (lhs: Instant, rhs: Instant) -> Bool {
    lhs.milliseconds == rhs.milliseconds
  }

  @inlinable
  public static func < (lhs: Instant, rhs: Instant) -> Bool {
    lhs.milliseconds < rhs.milliseconds
  }

  @inlinable
  public func hash(into hasher: inout Hasher) {
    hasher.combine(milliseconds)
  }

  /// The moment that many seconds later (earlier when negative).
  @inlinable
  public func adding(seconds: Int64) -> Instant {
    adding(milliseconds: seconds &* 1000)
  }

  /// The moment that many milliseconds later (earlier when negative).
  @inlinable
  public func adding(milliseconds more: Int64) -> Instant {
    Instant(milliseconds: milliseconds &+ more, wallOffset: wallOffset)
  }

  /// Milliseconds from `earlier` to here, never negative: clocks are read by several threads, and one may be
  /// a tick behind.
  @inlinable
  public func milliseconds(since earlier: Instant) -> Int64 {
    max(0, milliseconds &- earlier.milliseconds)
  }
}

/// What a wall clock shows, in milliseconds since 1970-01-01 UTC. It may be set, so the difference of two of
/// them is no duration.
public struct WallTime: Sendable, Hashable, Comparable {
  /// Milliseconds since 1970-01-01 00:00:00 UTC; may be negative.
  public var milliseconds: Int64

  /// A time from milliseconds since 1970.
  @inlinable
  public init(milliseconds: Int64) {
    self.milliseconds = milliseconds
  }

  /// Whole seconds since 1970, rounded down.
  @inlinable
  public var seconds: Int64 {
    milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000
  }

  /// The time that many seconds later (earlier when negative).
  @inlinable
  public func adding(seconds: Int64) -> WallTime {
    WallTime(milliseconds: milliseconds &+ seconds &* 1000)
  }

  @inlinable
  public static func < (lhs: WallTime, rhs: WallTime) -> Bool {
    lhs.milliseconds < rhs.milliseconds
  }
}
