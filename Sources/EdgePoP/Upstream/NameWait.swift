import EdgeNames
import EdgeSocket

/// Somebody who waits for the addresses of a name, on an event loop, until the limit of connecting at most.
final class NameWait {
  private let reactor: Reactor
  private var limit: TimerID?
  private var completion: ((NameResolver.Outcome) -> Void)?

  /// A wait that begins now; `completion` is called once.
  init(
    on reactor: Reactor, limit: Int64, completion: @escaping (NameResolver.Outcome) -> Void
  ) {
    self.reactor = reactor
    self.completion = completion
    self.limit = reactor.schedule(after: limit) { self.end(.failure(.timeout)) }
  }

  /// Ends it, unless it is over.
  func end(_ outcome: NameResolver.Outcome) {
    if let limit { reactor.cancel(limit) }
    limit = nil
    completion.take()?(outcome)
  }
}
