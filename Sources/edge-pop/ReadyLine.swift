import EdgePoP
import ServiceLifecycle
import Synchronization

/// Says that the PoP is ready: once signals do what they should, for whoever waits for the line may send one at once.
final class ReadyLine: Service {
  private struct State: Sendable {
    var isRunning = false
    var after: @Sendable () -> Void = {}
    var waiting: [@Sendable () -> Void] = []
  }

  private let line: String
  private let log: OperationalLog
  private let state = Mutex(State())

  /// The line, for a log.
  init(line: String, log: OperationalLog) {
    self.line = line
    self.log = log
  }

  /// What is done when it was said.
  func after(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.after = body } }

  /// Does something when the program can be ended in an orderly way: now, or as soon as it can.
  func whenRunning(_ body: @escaping @Sendable () -> Void) {
    let isRunning = state.withLock { state in
      if !state.isRunning { state.waiting.append(body) }
      return state.isRunning
    }
    if isRunning { body() }
  }

  /// Says it, and has nothing more to say until the program ends.
  func run() async throws {
    let (after, waiting) = state.withLock { state in
      state.isRunning = true
      return (state.after, state.waiting)
    }
    log.write(plain: line)
    after()
    for body in waiting { body() }
    try? await gracefulShutdown()
  }
}
