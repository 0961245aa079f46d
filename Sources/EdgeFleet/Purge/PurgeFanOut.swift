// A purge of a fleet: the same request to every PoP at once, each on its own clock, so that one PoP
// that is down delays nobody. Repeating a purge does no harm, so whatever may be a passing failure
// is tried again until the time is up; what is then not acknowledged is reported, never assumed.

import NIOCore
import NIOPosix
import NIOSSL

/// Sends purges to many PoPs in parallel and reports about each.
public struct PurgeFanOut: Sendable {
  /// A PoP to purge.
  public struct Target: Sendable, Hashable {
    /// Its id, nil when only its address is known.
    public let pop: String?
    /// Its city, nil when only its address is known.
    public let city: String?
    /// The address of its admin API.
    public let admin: SocketEndpoint
    /// Where clients connect, as far as it is known.
    public let listen: [SocketEndpoint]

    /// A target of a known address only: whichever PoP answers there is the right one.
    public init(admin: SocketEndpoint) {
      (self.pop, self.city, self.admin, self.listen) = (nil, nil, admin, [])
    }

    /// A target of which this much is known.
    public init(pop: String?, city: String?, admin: SocketEndpoint) {
      (self.pop, self.city, self.admin, self.listen) = (pop, city, admin, [])
    }

    /// The target for a PoP of the configuration.
    public init(_ pop: FleetConfiguration.PoP) {
      (self.pop, self.city, self.admin, self.listen) = (pop.id, pop.city, pop.admin, pop.listen)
    }
  }

  /// How a purge ended at one PoP.
  public enum Outcome: Sendable, Hashable {
    /// The PoP serves nothing any more that the purge took.
    case acknowledged(PurgeAcknowledgement)
    /// The PoP was not reached or did not answer in time: it may still serve what should be gone.
    /// The same purge may succeed later.
    case pending(AdminClientError)
    /// The PoP, or what answered in its place, would not purge; trying again will not help.
    case refused(AdminClientError)
  }

  /// What is known about one PoP when its part of the purge has ended.
  public struct Result: Sendable, Hashable {
    /// The PoP.
    public let target: Target
    /// How it ended.
    public let outcome: Outcome
    /// From the start of the purge to its end at this PoP.
    public let elapsed: Duration
    /// How many requests it took, at least one.
    public let attempts: Int

    /// The acknowledgement, if there was one.
    public var acknowledgement: PurgeAcknowledgement? {
      if case .acknowledged(let acknowledgement) = outcome { acknowledgement } else { nil }
    }

    /// True if the PoP has applied the purge and cannot promise more yet.
    public var isAppliedOnly: Bool {
      if case .applied? = failure { true } else { false }
    }

    /// The failure, if there was no acknowledgement.
    public var failure: AdminClientError? {
      switch outcome {
      case .acknowledged: nil
      case .pending(let error), .refused(let error): error
      }
    }
  }

  /// What happens while a purge goes out.
  public enum Event: Sendable, Hashable {
    /// A request failed and will be repeated.
    case retrying(Target, AdminClientError)
    /// A PoP's part has ended.
    case finished(Result)
  }

  /// The first pause before a repeated request; each next one is twice as long.
  static let shortestPause = Duration.milliseconds(50)
  /// The longest pause before a repeated request.
  static let longestPause = Duration.milliseconds(800)

  /// The PoPs the purge goes to.
  public let targets: [Target]
  private let token: AdminToken?
  private let timeout: Duration
  private let tls: NIOSSLContext?
  private let group: any EventLoopGroup

  /// A fan-out to `targets`, each of which has `timeout` for all its attempts together.
  public init(
    targets: [Target], token: AdminToken?, tls: NIOSSLContext? = nil, timeout: Duration,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    (self.targets, self.token, self.timeout, self.group) = (targets, token, timeout, group)
    self.tls = tls
  }

  /// Sends `request` to every target and reports as it goes: one ``Event/finished(_:)`` per target,
  /// in the order they end. Dropping the sequence cancels what is under way.
  public func send(_ request: PurgeRequest) -> AsyncStream<Event> {
    let (events, continuation) = AsyncStream.makeStream(of: Event.self)
    let task = Task {
      let start = ContinuousClock.now
      await withTaskGroup { tasks in
        for target in targets {
          tasks.addTask {
            let result = await purge(target, request, start: start) { continuation.yield($0) }
            continuation.yield(.finished(result))
          }
        }
      }
      continuation.finish()
    }
    continuation.onTermination = { _ in task.cancel() }
    return events
  }

  private func purge(
    _ target: Target, _ request: PurgeRequest, start: ContinuousClock.Instant,
    report: (Event) -> Void
  ) async -> Result {
    let client = AdminClient(endpoint: target.admin, token: token, tls: tls, group: group)
    var pause = Self.shortestPause
    var attempts = 0
    var earlier: AdminClientError?
    while true {
      attempts += 1
      let outcome: Outcome
      do {
        let left = timeout - (.now - start)
        outcome = judge(try await client.purge(request, timeout: left), from: target)
      } catch {
        outcome = error.isTransient ? .pending(error) : .refused(error)
      }
      guard case .pending(let error) = outcome else {
        return Result(
          target: target, outcome: outcome, elapsed: .now - start, attempts: attempts)
      }
      // When time runs out during a repeated request, why it had to be repeated says more.
      if case .timeout = error {} else { earlier = error }
      let left = timeout - (.now - start)
      guard left > Self.shortestPause else {
        let reason = earlier ?? .timeout(timeout)
        return Result(
          target: target, outcome: .pending(reason), elapsed: .now - start, attempts: attempts)
      }
      report(.retrying(target, error))
      // The last pause is cut short, so that the last request still has a moment to succeed.
      try? await Task.sleep(for: min(pause, left - Self.shortestPause))
      pause = min(pause * 2, Self.longestPause)
    }
  }

  /// An acknowledgement by another PoP than the one meant leaves the one meant unpurged.
  private func judge(_ acknowledgement: PurgeAcknowledgement, from target: Target) -> Outcome {
    guard let pop = target.pop, pop != acknowledgement.pop else {
      return .acknowledged(acknowledgement)
    }
    return .refused(.wrongPoP(acknowledgement.pop))
  }
}
