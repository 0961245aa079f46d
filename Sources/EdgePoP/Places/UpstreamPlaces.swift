import EdgeCache
import Synchronization

// How many connections there may be to each upstream, all event loops together. Whoever finds an idle connection on its
// own loop never comes here.

/// The places among the connections to each upstream, for all event loops.
final class UpstreamPlaces: Sendable {
  private final class Upstream: Sendable {
    let ledger: Mutex<PlaceLedger>

    init(_ ledger: PlaceLedger) { self.ledger = Mutex(ledger) }
  }

  /// A way to tell an event loop something about an upstream.
  typealias Way = @Sendable (PlaceLedger.News, _ upstream: Int) -> Void

  private let upstreams: [Upstream]
  private let loops = Mutex<[Way]>([])

  /// The places of upstreams with those bounds, for so many event loops.
  init(_ limits: [Routing.PoolLimits], loops: Int) {
    upstreams = limits.map {
      Upstream(
        PlaceLedger(limit: max(1, $0.connections), tunnels: $0.tunnels, loops: max(1, loops)))
    }
  }

  /// The ways in which event loops are told, by their number.
  func setLoops(_ ways: [Way]) { loops.withLock { $0 = ways } }

  /// Does something with the places of an upstream, and tells other loops what they are to know of it.
  func use<Result>(_ upstream: Int, _ body: (inout PlaceLedger) -> Result) -> Result {
    var result: Result?
    var news: [PlaceLedger.News] = []
    upstreams[upstream].ledger.withLock { ledger in
      result = body(&ledger)
      news = ledger.takeNews()
    }
    if !news.isEmpty { tell(news, upstream) }
    guard let result else { invariantFailed("a body that was not called") }
    return result
  }

  private func tell(_ news: [PlaceLedger.News], _ upstream: Int) {
    let ways = loops.withLock { $0 }
    for some in news where some.loop < ways.count { ways[some.loop](some, upstream) }
  }
}
