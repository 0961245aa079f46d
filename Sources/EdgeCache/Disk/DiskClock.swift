// On disk are wall times, for the next process knows no other. In this one they are moments of the time line again,
// and those of what this process wrote exactly the ones that they were, however the wall clock was set meanwhile:
// it is kept by how much the wall clock was ahead when something was written.
//
// What an earlier process wrote is taken to be as old as the wall clock says when the store is opened, and ages by
// the time line from then on.

/// By how much the wall clock was ahead of the time line when records were written.
struct DiskClock: Sendable, Equatable {
  private struct Step: Sendable, Equatable {
    /// The position from which on records have it.
    var position: UInt64
    var offset: Int64
  }

  /// In the order of their positions; at least one.
  private var steps: [Step]
  /// What it is now, in milliseconds.
  var offset: Int64

  /// Steps that are told apart. Of more, records from before the oldest count as the older they can be.
  static let mostSteps = 64

  /// What there is was written by earlier processes, as far as they knew.
  init(offset: Int64) {
    steps = [Step(position: 0, offset: offset)]
    self.offset = offset
  }

  /// What is written from that position on has the present offset, which this returns.
  mutating func writes(at position: UInt64) -> Int64 {
    if steps[steps.count - 1].offset != offset {
      steps.append(Step(position: position, offset: offset))
      if steps.count > Self.mostSteps {
        steps[1].offset = max(steps[0].offset, steps[1].offset)
        steps[1].position = 0
        steps.removeFirst()
      }
    }
    return offset
  }

  /// By how much the wall clock was ahead when what lies at that position was written.
  func offset(at position: UInt64) -> Int64 {
    var index = steps.count - 1
    while index > 0, steps[index].position > position { index -= 1 }
    return steps[index].offset
  }
}

extension DiskStore {
  /// How often the time is logged while nothing else is, in milliseconds: with an older time on disk it could not be
  /// told later that the clock went back.
  private static let beat: Int64 = 60_000

  /// Takes notice of how the wall clock is set, and logs the time now and then; at the end of the process
  /// (`isLast`) in any case. To be called each second by the thread that writes.
  public func keepTime(_ now: Instant, isLast: Bool = false) {
    let step = state.withLock { state in
      defer { state.clock.offset = now.wallOffset }
      return now.wallOffset - state.clock.offset
    }
    if step < 0 {
      // What is there has times that lie in the future, or will seem to be younger than it is; not to this process,
      // but to the next one. From now on stamps are higher.
      let fence = DiskPurge(
        sequence: purges.takeNumber(now: now.wall), scope: .fence(reason: Self.setBack),
        time: now.wall)
      raiseFence(fence, now: now.wall)
      return
    }
    let isDue = state.withLock { state in
      guard state.trouble == nil,
        isLast || step > 0 || now.milliseconds(since: state.logged) >= Self.beat
      else { return false }
      state.logged = now
      return true
    }
    if isDue {
      // Without a number, for whatever has the newest may not be logged here yet.
      try? append(
        [DiskPurge(sequence: 0, scope: .nothing, time: now.wall)], syncs: isLast, now: now.wall)
    }
  }

  /// Logs a number that another disk of the set took for a fence, before something is stored here that has it for a stamp:
  /// it would seem to have seen a purge that is missing.
  func logBlank(_ writes: [DiskWrite], _ log: inout Log) {
    guard let blank = purges.blank, blank.sequence > log.blank,
      writes.contains(where: { $0.stamp >= blank.sequence })
    else { return }
    log.blank = blank.sequence
    let record = DiskPurge(sequence: blank.sequence, scope: .nothing, time: blank.time)
    try? append([record], to: &log, syncs: true, now: blank.time)
  }

  /// Why what was stored before the wall clock went back is not believed any more.
  static let setBack = "the wall clock was set back"
}
