// Distance, simulated: every response is held back for the same time. So what comes first is due
// first, and a queue with one timer does what thousands of timers would; what falls due within half a
// millisecond shares a wake-up.
//
// Invariant: nothing leaves before its time, and nothing overtakes.

import NIOCore

/// The responses that an event loop holds back; confined to it.
final class DelayLine {
  private var waiting = CircularBuffer<(due: NIODeadline, step: () -> Void)>(initialCapacity: 64)
  private var isScheduled = false

  /// Wake-ups are at least this far apart.
  private static let shortestPause = TimeAmount.microseconds(500)
  /// A line for each event loop of a group.
  static func lines(_ group: any EventLoopGroup) -> [ObjectIdentifier: NIOLoopBoundBox<DelayLine>] {
    var lines: [ObjectIdentifier: NIOLoopBoundBox<DelayLine>] = [:]
    for eventLoop in group.makeIterator() {
      lines[ObjectIdentifier(eventLoop)] = .makeBoxSendingValue(DelayLine(), eventLoop: eventLoop)
    }
    return lines
  }

  /// Runs a step after a delay, which must be the same for all steps of a line.
  func hold(_ delay: TimeAmount, on eventLoop: any EventLoop, _ step: @escaping () -> Void) {
    let now = NIODeadline.now()
    waiting.append((now + delay, step))
    if !isScheduled { schedule(now + delay, on: eventLoop) }
  }

  /// How many are held back.
  var count: Int { waiting.count }

  private func schedule(_ time: NIODeadline, on eventLoop: any EventLoop) {
    isScheduled = true
    eventLoop.assumeIsolated().scheduleTask(deadline: time) { self.release(on: eventLoop) }
  }

  private func release(on eventLoop: any EventLoop) {
    isScheduled = false
    let now = NIODeadline.now()
    while let first = waiting.first, first.due <= now {
      waiting.removeFirst()
      first.step()
    }
    if !isScheduled, let first = waiting.first {
      schedule(max(first.due, now + Self.shortestPause), on: eventLoop)
    }
  }
}
