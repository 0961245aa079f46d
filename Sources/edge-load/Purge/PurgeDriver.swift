// The one who purges during a run: at each beat it lets a resource change at the origin, purges its
// URL at every PoP, and notes the acknowledgement on the board.

import Dispatch
import EdgeFleet
import EdgeSocket
import Synchronization

/// Purges at a constant rate until it is stopped.
final class PurgeDriver: Sendable {
  private let plan: PurgePlan
  private let board: PurgeBoard
  private let hosts: [String]
  private let origin: [InternetAddress]
  private let isStopped = Atomic<Bool>(false)
  private let timeout: TimeSpan

  /// A driver for the PoPs of a plan. `hosts` are the authorities that clients use.
  init(_ plan: PurgePlan, hosts: [String], board: PurgeBoard, timeout: TimeSpan) {
    (self.plan, self.board, self.timeout) = (plan, board, timeout)
    self.hosts = hosts.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    origin = InternetAddress.resolve(host: plan.origin.host, port: plan.origin.port)
  }

  /// The path of a resource.
  static func path(_ resource: Int) -> String { "/versioned/\(resource)" }

  /// Purges until `stop`; returns when no purge is under way any more.
  func run() async {
    let interval = Duration.seconds(1 / plan.rate)
    let clock = ContinuousClock()
    var due = clock.now
    var beat = 0
    await withDiscardingTaskGroup { group in
      while !isStopped.load(ordering: .relaxed) {
        let resource = beat % plan.resources
        beat += 1
        if board.begin(resource) {
          group.addTask { await self.purge(resource) }
        }
        due += interval
        // A stop is noticed soon, however rarely a purge is due.
        while clock.now < due, !isStopped.load(ordering: .relaxed) {
          try? await clock.sleep(until: min(due, clock.now + .milliseconds(50)))
        }
      }
    }
  }

  /// Begins no more purges.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
  }

  private func purge(_ resource: Int) async {
    guard let newest = await advance(resource), let request = request(resource) else {
      return board.failed(resource)
    }
    board.sent(resource, newest: newest, now: Monotonic.now())
    let fanOut = PurgeFanOut(
      targets: plan.admins, token: plan.token, timeout: .nanoseconds(timeout.nanoseconds))
    var acknowledgements = 0
    for await event in fanOut.send(request) {
      if case .finished(let result) = event, result.acknowledgement != nil {
        acknowledgements += 1
      }
    }
    if acknowledgements == plan.admins.count {
      board.acknowledged(resource, now: Monotonic.now())
    } else {
      board.failed(resource)
    }
  }

  private func request(_ resource: Int) -> PurgeRequest? {
    let urls = hosts.compactMap { try? PurgeURL(parsing: "http://\($0)\(Self.path(resource))") }
    guard urls.count == hosts.count else { return nil }
    return try? PurgeRequest.urls(urls).named()
  }

  /// Lets the origin change the resource, on a thread that may wait.
  private func advance(_ resource: Int) async -> Int? {
    let head =
      "POST \(Self.path(resource))/next HTTP/1.1\r\nHost: \(plan.origin.authority)\r\n"
      + "Content-Length: 0\r\nConnection: close\r\n\r\n"
    let (origin, timeout) = (origin, timeout)
    return await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        let response = BlockingRequest.send(head, to: origin, timeout: timeout)
        continuation.resume(
          returning: response.flatMap { VersionedResources.version(ofTag: $0.entityTag) })
      }
    }
  }
}
