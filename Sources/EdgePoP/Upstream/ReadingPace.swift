import NIOCore

/// How fast a response is taken while its upstream has to wait for whoever reads it. Pure: times and counts come in.
///
/// A client takes what it is sent in bursts, for there are buffers on the way: so only what it did over some time counts.
struct ReadingPace {
  private struct Mark {
    let at: NIODeadline
    let taken: Int
    let received: Int
  }

  /// The average begins at the older mark, so that it is over one to two periods.
  private var marks: (older: Mark, newer: Mark)?

  /// Nobody is waited for.
  mutating func reset() { marks = nil }

  /// Takes in how many bytes its client has taken so far, and how many the upstream was read for whoever shares the
  /// response. The faster of both counts. Returns the bytes a second, once they are known over a period.
  mutating func note(
    taken: Int, received: Int, now: NIODeadline, over period: TimeAmount
  ) -> Int? {
    let mark = Mark(at: now, taken: taken, received: received)
    guard let marks else {
      self.marks = (mark, mark)
      return nil
    }
    if now - marks.newer.at >= period { self.marks = (marks.newer, mark) }
    let elapsed = (now - marks.older.at).nanoseconds
    guard elapsed > 0, elapsed >= period.nanoseconds else { return nil }
    let bytes = max(taken - marks.older.taken, received - marks.older.received, 0)
    return Int(Double(bytes) * 1e9 / Double(elapsed))
  }
}
