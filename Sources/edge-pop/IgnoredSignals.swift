import Logging
import ServiceLifecycle
import UnixSignals

/// Signals by which other servers reload or open their logs anew, and which would end a process that does nothing about
/// them: a rotation of logs that was copied from another server takes no PoP down.
struct IgnoredSignals: Service {
  private let signals: UnixSignalsSequence
  private let logger: Logger

  /// Ignores them from now on.
  init(logger: Logger) async {
    signals = await UnixSignalsSequence(trapping: .sighup, .sigusr1, .sigusr2)
    self.logger = logger
  }

  /// Says of each what it does not do, until the program ends.
  func run() async {
    for await signal in signals.cancelOnGracefulShutdown() {
      logger.warning(
        "signal ignored: configuration and logs are opened at the start alone; restart to change them",
        metadata: ["signal": "\(signal)"])
    }
  }
}
