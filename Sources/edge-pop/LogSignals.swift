import EdgePoP
import Logging
import ServiceLifecycle
import UnixSignals

/// Signals about logs: SIGUSR1, as nginx takes it, and SIGHUP open the access log anew, after its file was moved away.
/// SIGUSR2, by which other servers change their program and which would end a process that does nothing about it, is
/// ignored.
struct LogSignals: Service {
  private let signals: UnixSignalsSequence
  private let logger: Logger
  private var server: PoPServer?

  /// Takes them from now on.
  init(logger: Logger) async {
    signals = await UnixSignalsSequence(trapping: .sighup, .sigusr1, .sigusr2)
    self.logger = logger
  }

  /// The same, with a server whose log is opened anew.
  func reopening(_ server: PoPServer) -> LogSignals {
    var service = self
    service.server = server
    return service
  }

  /// Does what they say, until the program ends.
  func run() async {
    for await signal in signals.cancelOnGracefulShutdown() {
      switch signal {
      case .sigusr2:
        logger.warning(
          "signal ignored: the program and its configuration are read at the start alone; restart to change them",
          metadata: ["signal": "\(signal)"])
      default:
        if server?.reopenLogs() != true {
          logger.warning(
            "signal ignored: there is no file of an access log to open anew; the configuration is read at the start alone",
            metadata: ["signal": "\(signal)"])
        }
      }
    }
  }
}
