// SIGINT and SIGTERM as an orderly end: Ctrl-C on a load run still prints its report, and an origin
// that is told to stop exits with status 0.

import Dispatch
import Glibc

/// Calls a closure, on a queue of its own, each time the process is asked to stop.
final class StopSignal {
  private let sources: [any DispatchSourceSignal]

  /// Takes over SIGINT and SIGTERM until `cancel()`. When this returns none is lost any more: what says that the
  /// program is ready comes after it.
  init(_ stop: @escaping @Sendable () -> Void) {
    let queue = DispatchQueue(label: "stop-signal")
    let registered = DispatchGroup()
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)  // Otherwise the default action ends the process first.
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler(handler: stop)
      registered.enter()
      source.setRegistrationHandler { registered.leave() }
      source.resume()
      return source
    }
    registered.wait()
  }

  /// Stops listening, and lets the next signal end the process at once.
  func cancel() {
    sources.forEach { $0.cancel() }
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}
