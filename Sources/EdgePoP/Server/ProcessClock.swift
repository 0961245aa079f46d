import EdgeCache
import Glibc
import NIOCore
import Synchronization

// The one place where the shell reads clocks; what counts durations from elsewhere (NIODeadline, Monotonic,
// ContinuousClock) is a clock that only goes forward, too.
//
// Three clocks of the machine make one: the monotonic clock counts, and is cheap to read; the one that goes on
// while the machine sleeps says what that left out; the wall clock says when it began, and from then on only by
// how much it differs.

/// The clock of a PoP: a time line that only goes forward, and how far the wall clock is from it.
final class ProcessClock: Sendable {
  /// The clocks of the machine, in nanoseconds. Tests set and stop their own.
  struct Sources: Sendable {
    /// Since 1970, as of the last tick of the kernel; may be set, forth and back.
    var wall: @Sendable () -> Int64
    /// What the monotonic clock left out so far while the machine slept; never less than before.
    var slept: @Sendable () -> Int64
  }

  private let sources: Sources
  /// The time line is so many nanoseconds ahead of the monotonic clock.
  private let lead: Atomic<Int64>
  /// The wall clock is so many milliseconds ahead of the time line.
  private let wallOffset = Atomic<Int64>(0)
  /// By how much the wall clock was set since ``takeStep()``, in milliseconds.
  private let step = Atomic<Int64>(0)
  /// What the machine had slept when this began, and the lead then.
  private let sleptBefore: Int64
  private let firstLead: Int64

  /// Sleep that is shorter is not told from the time that it takes to read two clocks.
  private static let shortestSleep: Int64 = 100_000_000

  /// A clock that begins now, at what the wall clock shows.
  init(_ sources: Sources = .machine) {
    self.sources = sources
    let (monotonic, wall) = Self.readTogether(sources)
    firstLead = wall - monotonic
    lead = Atomic(firstLead)
    sleptBefore = max(sources.slept(), sources.slept())
  }

  /// The present moment as of the last tick of the kernel, a few milliseconds ago. The wall clock is as it was
  /// at the last ``refresh()``. About 6 ns.
  @inline(__always)
  var now: Instant {
    Instant(
      milliseconds: (Self.monotonic() &+ lead.load(ordering: .relaxed)) / 1_000_000,
      wallOffset: wallOffset.load(ordering: .relaxed))
  }

  /// The present moment of the time line, to the microsecond: for durations that are told. About 25 ns.
  var microseconds: Int64 {
    (Self.read(CLOCK_MONOTONIC) &+ lead.load(ordering: .relaxed)) / 1000
  }

  /// The present moment with the wall clock as it is now: for what is compared with dates of others.
  func read() -> Instant {
    let now = now
    if abs(sources.wall() / 1_000_000 - now.wall.milliseconds) < Self.leastStep { return now }
    refresh()
    return self.now
  }

  /// Looks at the other clocks. To be called every second.
  func refresh() {
    let slept = sources.slept() - sleptBefore
    let known = lead.load(ordering: .relaxed)
    if slept > known - firstLead + Self.shortestSleep {
      // Who comes second has seen the same sleep.
      _ = lead.compareExchange(
        expected: known, desired: firstLead + slept, ordering: .relaxed)
    }
    let (monotonic, wall) = Self.readTogether(sources)
    let line = (monotonic &+ lead.load(ordering: .relaxed)) / 1_000_000
    let offset = wall / 1_000_000 - line
    let before = wallOffset.load(ordering: .relaxed)
    guard abs(offset - before) >= Self.leastStep,
      wallOffset.compareExchange(expected: before, desired: offset, ordering: .relaxed).exchanged
    else { return }
    step.add(offset - before, ordering: .relaxed)
  }

  /// By how many milliseconds the wall clock was set since this was asked the last time, forth or (negative)
  /// back; nil if it was not. Tells each step to one caller.
  func takeStep() -> Int64? {
    if step.load(ordering: .relaxed) == 0 { return nil }
    let taken = step.exchange(0, ordering: .relaxed)
    return taken == 0 ? nil : taken
  }

  /// Milliseconds by which two clocks may seem to differ that do not, by rounding.
  private static let leastStep: Int64 = 2

  /// The monotonic clock as of the last tick, and the wall clock in the same tick: then their difference is
  /// exact, however long this thread was kept waiting between the two.
  private static func readTogether(_ sources: Sources) -> (monotonic: Int64, wall: Int64) {
    var before = monotonic()
    while true {
      let wall = sources.wall()
      let after = monotonic()
      if before == after { return (before, wall) }
      before = after
    }
  }

  @inline(__always)
  private static func monotonic() -> Int64 { read(CLOCK_MONOTONIC_COARSE) }

  @inline(__always)
  fileprivate static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}

extension ProcessClock.Sources {
  /// Those of this machine.
  static let machine = ProcessClock.Sources(
    wall: { ProcessClock.read(CLOCK_REALTIME_COARSE) },
    slept: {
      // Read in this order, it is never too much; and too little by what this thread was kept waiting.
      let all = ProcessClock.read(CLOCK_BOOTTIME)
      return all - ProcessClock.read(CLOCK_MONOTONIC)
    })
}

extension NIODeadline {
  /// The present moment as of the last tick of the kernel: for time limits.
  static func coarse() -> NIODeadline {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return .uptimeNanoseconds(UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
  }
}
