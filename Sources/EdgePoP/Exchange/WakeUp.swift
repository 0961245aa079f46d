import EdgeSocket

/// Calls an exchange on its loop, from any thread, without keeping it alive.
///
/// Always by way of the loop's queue, on the loop itself too: a flight tells its readers of news in
/// the middle of the leader's own step.
struct WakeUp: Sendable {
  private struct Reference {
    weak var exchange: Exchange?
  }

  private let reference: Confined<Reference>

  /// Calls `exchange`, on the thread of which this is made.
  init(_ exchange: Exchange, on reactor: Reactor) {
    reference = Confined(Reference(exchange: exchange), to: reactor)
  }

  /// Tells the exchange that its flight has news.
  func wake() {
    reference.mailbox.execute { reference.value.exchange?.wake() }
  }

  /// Tells the exchange that its flight takes content again.
  func resume() {
    reference.mailbox.execute { reference.value.exchange?.flightResumes() }
  }
}
