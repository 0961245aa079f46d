import EdgePoP
import ServiceLifecycle

/// Says that the PoP is ready: once signals do what they should, for whoever waits for the line may send one at once.
struct ReadyLine: Service {
  let line: String
  let log: OperationalLog

  /// Says it, and has nothing more to say until the program ends.
  func run() async throws {
    log.write(plain: line)
    try? await gracefulShutdown()
  }
}
