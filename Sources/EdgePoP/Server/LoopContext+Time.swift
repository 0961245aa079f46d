import EdgeCache
import EdgeSocket
import NIOCore

// What a loop does because time passes.

extension LoopContext {
  /// Ends whatever has taken too long, from now on once a second for each. O(connections) each second.
  func tick() {
    let now = NIODeadline.now()
    let moment = Int64(clamping: now.uptimeNanoseconds)
    if round.isFirst {
      checkClock()
      round.cut(for: reactor.places + waitingCount, now: moment)
    }
    checkTime(now, part: round.part, of: round.parts)
    if round.isLast, !isWaitingForPlace { places.forget() }
    let due = round.next(now: moment)
    _ = reactor.schedule(after: due - moment) { self.tick() }
  }

  /// Ends whatever has taken too long by that moment. O(connections).
  func checkTime(_ now: NIODeadline) { checkTime(now, part: 0, of: 1) }

  private func checkTime(_ now: NIODeadline, part: Int, of parts: Int) {
    reactor.forEachSocket(part: part, of: parts) { $0.checkTime(now) }
    let isLast = part == parts - 1
    // Who waits for a place may get it from a slow reader now.
    if isLast { endSlowReaders() }
    checkWaits(now, part: part, of: parts)
    if isLast { closeIdleUpstreams() }
  }

  /// Milliseconds by which the wall clock is set that people should know of.
  private static let notableStep: Int64 = 1000

  /// Notices that the wall clock was set.
  func checkClock() {
    clock.refresh()
    guard let step = clock.takeStep() else { return }
    // What keeps the clock right all day moves it by less.
    shared.logger.log(
      level: abs(step) < Self.notableStep ? .debug : .warning,
      "the wall clock was set; ages and time limits do not follow it",
      metadata: ["milliseconds": "\(step)"])
  }
}
