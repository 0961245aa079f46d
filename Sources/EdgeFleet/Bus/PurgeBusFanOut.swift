// A purge by way of a stream: ordered once, and then waited for what the PoPs say of it.

import EdgeCache
import NIOPosix

/// Orders purges through a stream and reports about each PoP.
public struct PurgeBusFanOut: Sendable {
  /// The PoPs that are waited for.
  public let targets: [PurgeFanOut.Target]
  private let stream: PurgeStream
  private let timeout: Duration

  /// A fan-out through `stream` to `targets`, which have `timeout` together.
  public init(targets: [PurgeFanOut.Target], stream: PurgeStream, timeout: Duration) {
    (self.targets, self.stream, self.timeout) = (targets, stream, timeout)
  }

  /// Between two looks at how far the PoPs are, for those whose word was lost.
  private static let look = Duration.milliseconds(500)
  private static let wait = Duration.milliseconds(200)

  /// Orders a purge, and returns its name and what happens from then on.
  public func send(
    _ request: PurgeRequest
  ) async throws(RedisError) -> (id: PurgeID, events: AsyncStream<PurgeFanOut.Event>) {
    let start = ContinuousClock.now
    let place = try await stream.endOfAcknowledgements()
    let id = try await stream.order(request)
    let (events, continuation) = AsyncStream.makeStream(of: PurgeFanOut.Event.self)
    let task = Task {
      await wait(for: id, after: place, since: start, continuation)
      continuation.finish()
    }
    continuation.onTermination = { _ in task.cancel() }
    return (id, events)
  }

  private func wait(
    for id: PurgeID, after start: PurgeID, since began: ContinuousClock.Instant,
    _ events: AsyncStream<PurgeFanOut.Event>.Continuation
  ) async {
    var left = Dictionary(
      targets.compactMap { target in target.pop.map { ($0, target) } },
      uniquingKeysWith: { first, _ in first })
    var place = start
    var looked = began
    var attempts = 1
    var problem: RedisError?
    func finish(_ pop: String, _ acknowledgement: PurgeAcknowledgement) {
      guard let target = left.removeValue(forKey: pop) else { return }
      events.yield(
        .finished(
          .init(
            target: target, outcome: .acknowledged(acknowledgement), elapsed: .now - began,
            attempts: attempts)))
    }
    while !left.isEmpty, !Task.isCancelled, .now - began < timeout {
      do throws(RedisError) {
        let rest = timeout - (.now - began)
        let (found, next) = try await stream.acknowledgements(
          after: place, wait: max(.milliseconds(1), min(rest, Self.wait)))
        place = next
        for (purge, acknowledgement) in found where purge == id {
          finish(acknowledgement.pop, acknowledgement)
        }
        if !left.isEmpty, .now - looked > Self.look {
          looked = .now
          for (pop, at) in try await stream.places() where at >= id && left[pop] != nil {
            finish(
              pop,
              PurgeAcknowledgement(
                pop: pop, id: "\(id)", sequence: 0, matched: 0, freedBytes: 0, estimated: true,
                atLeast: true))
          }
        }
        problem = nil
      } catch {
        attempts += 1
        problem = error
        try? await Task.sleep(for: Self.wait)
      }
    }
    for target in targets where target.pop.map({ left[$0] != nil }) ?? true {
      let reason = problem.map { AdminClientError.connectionLost(reason: "\($0)") }
      events.yield(
        .finished(
          .init(
            target: target, outcome: .pending(reason ?? .timeout(timeout)),
            elapsed: .now - began, attempts: attempts)))
    }
  }
}
