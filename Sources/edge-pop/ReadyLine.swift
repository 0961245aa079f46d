import EdgePoP
import ServiceLifecycle
import Synchronization

/// Says that the PoP is ready: once signals do what they should, for whoever waits for the line may send one at once.
final class ReadyLine: Service {
  private struct Steps: Sendable {
    var before: @Sendable () -> Void = {}
    var after: @Sendable () -> Void = {}
  }

  private let line: String
  private let log: OperationalLog
  private let steps = Mutex(Steps())

  /// The line, for a log.
  init(line: String, log: OperationalLog) {
    self.line = line
    self.log = log
  }

  /// What is done before it is said, when the program can be ended in an orderly way, and after it.
  func before(_ before: @escaping @Sendable () -> Void, after: @escaping @Sendable () -> Void) {
    steps.withLock { $0 = Steps(before: before, after: after) }
  }

  /// Says it, and has nothing more to say until the program ends.
  func run() async throws {
    let steps = steps.withLock { $0 }
    steps.before()
    log.write(plain: line)
    steps.after()
    try? await gracefulShutdown()
  }
}
