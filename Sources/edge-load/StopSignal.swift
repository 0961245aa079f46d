// SIGINT and SIGTERM as an orderly end: Ctrl-C on a load run still prints its report, and an origin
// that is told to stop exits with status 0.

import Dispatch
import Glibc

/// Calls a closure, on a queue of its own, each time the process is asked to stop.
final class StopSignal {
  private let sources: [any DispatchSourceSignal]

  /// Takes over SIGINT and SIGTERM until `cancel()`.
  init(_ stop: @escaping @Sendable () -> Void) {
    let queue = DispatchQueue(label: "stop-signal")
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)  // Otherwise the default action ends the process first.
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler(handler: stop)
      source.resume()
      return source
    }
  }

  /// Stops listening, and lets the next signal end the process at once.
  func cancel() {
    sources.forEach { $0.cancel() }
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}
