import Glibc
import Synchronization

@testable import EdgePoP

/// The clock of a PoP under test, whose wall clock a test may set, and which may pass over any time at once, as
/// a machine does that sleeps.
final class TestClock: Sendable {
  private final class Shift: Sendable {
    let set = Atomic<Int64>(0)
    let slept = Atomic<Int64>(0)
  }

  private let shift: Shift
  let clock: ProcessClock

  /// A clock that begins that many seconds from what it really is.
  init(seconds: Int64 = 0) {
    let shift = Shift()
    shift.set.store(seconds * 1_000_000_000, ordering: .relaxed)
    self.shift = shift
    clock = ProcessClock(
      ProcessClock.Sources(
        wall: {
          ProcessClock.Sources.machine.wall() + shift.set.load(ordering: .relaxed)
            + shift.slept.load(ordering: .relaxed)
        }, slept: { shift.slept.load(ordering: .relaxed) }))
  }

  /// Sets the wall clock, forth or (negative) back.
  func set(by seconds: Int64) {
    setUnnoticed(by: seconds)
    clock.refresh()
  }

  /// The same before anybody looks.
  func setUnnoticed(by seconds: Int64) {
    shift.set.add(seconds * 1_000_000_000, ordering: .relaxed)
  }

  /// Lets that much time pass.
  func sleep(_ seconds: Int64) {
    shift.slept.add(seconds * 1_000_000_000, ordering: .relaxed)
    clock.refresh()
  }
}
