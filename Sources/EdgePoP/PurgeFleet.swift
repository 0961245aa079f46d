import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import NIOCore

// Keeps this PoP up to date with what the others purged, and frees what was purged here. What is to be done
// when is decided by PurgeFollower; this asks and applies.

/// The task that follows the other PoPs.
struct PurgeFleet: Sendable {
  /// Another PoP.
  struct Peer: Sendable {
    let id: String
    let client: AdminClient
  }

  let service: PurgeService
  let peers: [Peer]
  let limits: PurgeFollower.Limits
  let isFresh: Bool
  let logger: Logger

  private enum Event: Sendable {
    case tick
    case answered(String, JournalPage)
    case failed(String, String)
  }

  /// How long another PoP has to answer.
  private static let patience = Duration.seconds(2)
  /// Purges that are asked for at once.
  private static let pageSize = 500
  private static let tick = Duration.milliseconds(50)

  /// Runs until it is cancelled.
  func run() async {
    let purges = service.store.purges
    var follower = PurgeFollower(
      peers: peers.map { ($0.id, purges.cursor(of: $0.id)) }, isFresh: isFresh, limits: limits,
      now: Self.now())
    let (events, continuation) = AsyncStream.makeStream(of: Event.self)
    let ticker = Task {
      while !Task.isCancelled {
        continuation.yield(.tick)
        try? await Task.sleep(for: Self.tick)
      }
    }
    defer { ticker.cancel() }
    service.report(follower.state, unreachable: [])
    var known: PurgeSync?
    for await event in events {
      if Task.isCancelled { break }
      var actions: [PurgeFollower.Action]
      switch event {
      case .tick: actions = follower.tick(Self.now())
      case .answered(let id, let page):
        if await service.catchUp(page, from: id) {
          actions = follower.answered(id, page, now: Self.now())
        } else {
          actions = follower.failed(id, now: Self.now())
        }
      case .failed(let id, let reason):
        logger.debug("a PoP cannot be asked", metadata: ["peer": "\(id)", "reason": "\(reason)"])
        actions = follower.failed(id, now: Self.now())
      }
      for action in actions {
        await perform(action, follower.state, continuation)
      }
      service.report(follower.state, unreachable: follower.unreachable)
      if follower.state != known {
        known = follower.state
        announce(follower)
      }
    }
  }

  private func perform(
    _ action: PurgeFollower.Action, _ state: PurgeSync,
    _ events: AsyncStream<Event>.Continuation
  ) async {
    switch action {
    case .ask(let id, let cursor):
      guard let peer = peers.first(where: { $0.id == id }) else { return }
      Task {
        do throws(AdminClientError) {
          let reply = try await peer.client.journal(
            epoch: cursor?.epoch, after: cursor?.sequence ?? 0, limit: Self.pageSize,
            timeout: Self.patience)
          guard reply.pop == id else { throw AdminClientError.wrongPoP(reply.pop) }
          events.yield(.answered(id, try JournalPage(reply)))
        } catch {
          events.yield(.failed(id, "\(error)"))
        }
      }
    case .purgeEverythingSoftly:
      await service.purgeEverythingSoftly(
        because: "no other PoP knows what was purged while this one could not be reached")
    case .openFence: service.store.purges.openFence()
    }
  }

  private func announce(_ follower: PurgeFollower) {
    let metadata: Logger.Metadata = [
      "unreachable": "\(follower.unreachable.joined(separator: ", "))"
    ]
    switch follower.state {
    case .catchingUp: logger.info("asking the other PoPs what was purged")
    case .synced: logger.info("all that was purged is known")
    case .unsynced:
      logger.warning(
        "some PoPs did not say what was purged; they are asked on", metadata: metadata)
    }
  }

  /// A clock that nobody sets.
  private static func now() -> Instant { Instant(milliseconds: Monotonic.now() / 1_000_000) }
}

extension JournalPage {
  /// A page as another PoP sent it.
  init(_ reply: PurgeJournalReply) throws(AdminClientError) {
    guard let epoch = UInt64(reply.epoch) else {
      throw .badReply(reason: "an epoch that is no number")
    }
    var entries: [JournalEntry] = []
    for entry in reply.entries {
      guard let id = PurgeID(entry.id) else {
        throw .badReply(reason: "a purge without a name")
      }
      entries.append(
        JournalEntry(
          sequence: entry.sequence, id: id, time: Instant(milliseconds: entry.appliedAt),
          message: Array(entry.order.utf8)))
    }
    self.init(
      entries: entries, cursor: PurgeCursor(epoch: epoch, sequence: reply.sequence),
      isPartial: reply.more, hasGap: reply.gap)
  }
}

/// Frees what was purged, a little at a time.
struct PurgeSweeper: Sendable {
  let store: Store

  /// Stored responses that are looked at without a break: as much as nobody feels who waits for the lock.
  private static let step = 256
  /// Between one step and the next; a million stored responses are looked through in about 8 seconds.
  private static let pause = Duration.milliseconds(2)
  private static let rest = Duration.milliseconds(100)

  /// Runs until it is cancelled.
  func run() async {
    while !Task.isCancelled {
      let isDone = store.sweep(slots: Self.step)
      try? await Task.sleep(for: isDone ? Self.rest : Self.pause)
    }
  }
}
