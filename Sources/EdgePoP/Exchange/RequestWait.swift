import NIOCore

/// What one request waits for before it is served, which somebody on another thread will tell.
final class RequestWait<Outcome>: PendingWait {
  private let loop: LoopContext
  private let until: NIODeadline
  private let limit: ReachedLimit
  private let late: Outcome
  private var resume: ((Outcome) -> Void)?

  /// Waits on `loop` for at most `time`. Then, or when it is told of an outcome, `resume` is called, once.
  init(
    on loop: LoopContext, atMost time: TimeAmount, of limit: ReachedLimit, else late: Outcome,
    resume: @escaping (Outcome) -> Void
  ) {
    self.loop = loop
    until = .coarse() + time
    self.limit = limit
    self.late = late
    self.resume = resume
    loop.watch(self)
  }

  /// What was waited for has come. Later ones change nothing.
  func end(_ outcome: Outcome) {
    loop.unwatch(self)
    resume.take()?(outcome)
  }

  func checkTime(_ now: NIODeadline) {
    guard resume != nil, now >= until else { return }
    loop.counters.count(limit)
    end(late)
  }

  func cancel() {
    loop.unwatch(self)
    resume = nil
  }
}
