import EdgeCache
import EdgeFleet
import EdgeSocket
import Logging
import NIOCore

// Keeps this PoP up to date with what the others purged, and frees what was purged here. What is to be done
// when is decided by PurgeFollower; this asks and applies.

/// The task that follows the other PoPs.
struct PurgeFleet: Sendable {
  /// Who can tell what was purged.
  struct Peer: Sendable {
    enum Source: Sendable {
      /// Another PoP, by its admin API.
      case pop(AdminClient)
      /// The stream that all purges go through.
      case bus(PurgeStream)
    }

    let id: String
    let source: Source
  }

  /// What the stream is called among the lists that are read.
  static let bus = "bus"

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
  /// Seconds by which clocks of PoPs may differ.
  private static let mostSkew: Int64 = 3600
  private static let tick = Duration.milliseconds(50)
  /// How long the stream is waited for, when there is nothing new in it.
  private static let wait = Duration.seconds(1)

  /// Runs until it is cancelled.
  func run() async {
    let purges = service.store.purges
    let clock = service.clock
    let began = clock.now
    var follower = PurgeFollower(
      peers: peers.map { ($0.id, purges.cursor(of: $0.id)) }, isFresh: isFresh, limits: limits,
      now: clock.now)
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
    var told: PurgeCursor?
    for await event in events {
      if Task.isCancelled { break }
      var actions: [PurgeFollower.Action]
      switch event {
      case .tick: actions = follower.tick(clock.now)
      case .answered(let id, let page):
        if let applied = await service.catchUp(page, from: id) {
          if id == Self.bus, told != page.cursor {
            told = page.cursor
            acknowledge(applied, upTo: page.cursor)
          }
          actions = follower.answered(id, page, now: clock.now)
        } else {
          actions = follower.failed(id, now: clock.now)
        }
      case .failed(let id, let reason):
        logger.debug("a PoP cannot be asked", metadata: ["peer": "\(id)", "reason": "\(reason)"])
        actions = follower.failed(id, now: clock.now)
      }
      for action in actions {
        await perform(action, follower.state, since: began, continuation)
      }
      service.report(follower.state, unreachable: follower.unreachable)
      if follower.state != known {
        known = follower.state
        announce(follower)
      }
    }
  }

  private func perform(
    _ action: PurgeFollower.Action, _ state: PurgeSync, since began: Instant,
    _ events: AsyncStream<Event>.Continuation
  ) async {
    switch action {
    case .ask(let id, let cursor):
      guard let peer = peers.first(where: { $0.id == id }) else { return }
      let wait = state == .catchingUp ? .zero : Self.wait
      // Who has nothing from before needs to know of no purge from before; clocks differ by less than that. As
      // the wall clock is now, for what it showed then may be what it was set for.
      let now = service.clock.read()
      let long = now.milliseconds(since: began) + Self.mostSkew * 1000
      let since = isFresh ? now.adding(milliseconds: -long).wall : nil
      Task {
        do {
          events.yield(.answered(id, try await Self.ask(peer, cursor, wait, since: since)))
        } catch {
          events.yield(.failed(id, "\(error)"))
        }
      }
    case .purgeEverythingSoftly:
      await service.purgeEverythingSoftly(
        because: "nobody knows any more what was purged while this PoP could not be reached")
    case .openFence: service.store.purges.openFence()
    }
  }

  static func ask(
    _ peer: Peer, _ cursor: PurgeCursor?, _ wait: Duration, since: WallTime? = nil
  ) async throws -> JournalPage {
    switch peer.source {
    case .pop(let client):
      let reply = try await client.journal(
        after: cursor, since: since, limit: pageSize, timeout: patience)
      guard reply.pop == peer.id else { throw AdminClientError.wrongPoP(reply.pop) }
      return try JournalPage(reply, asked: cursor)
    case .bus(let stream):
      let place = cursor.map { PurgeID(milliseconds: $0.epoch, number: $0.sequence) }
      return JournalPage(try await stream.page(after: place, count: pageSize, wait: wait))
    }
  }

  /// Tells the stream what was applied. What cannot be told is not applied any less; who waits for it sees by
  /// the place of this PoP that it was, as soon as that can be told.
  private func acknowledge(_ applied: [PurgeAcknowledgement], upTo cursor: PurgeCursor) {
    guard case .bus(let stream)? = peers.first(where: { $0.id == Self.bus })?.source else { return }
    Task {
      do throws(RedisError) {
        try await stream.acknowledge(
          applied, upTo: PurgeID(milliseconds: cursor.epoch, number: cursor.sequence),
          pop: service.popID)
      } catch {
        logger.warning(
          "purges were applied, and that cannot be told",
          metadata: ["count": "\(applied.count)", "reason": "\(error)"])
      }
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
}

extension JournalPage {
  /// A page of the stream.
  init(_ page: PurgeStream.Page) {
    self.init(
      entries: page.entries.map {
        // When it is applied here is not known yet.
        JournalEntry(
          sequence: 0, id: $0.id, time: Instant(milliseconds: Int64(clamping: $0.id.milliseconds)),
          message: $0.order)
      },
      cursor: PurgeCursor(epoch: page.place.milliseconds, sequence: page.place.number),
      isPartial: page.isPartial, hasGap: page.hasGap, hasForgotten: page.hasForgotten)
  }

  /// A page as another PoP sent it.
  init(_ reply: PurgeJournalReply, asked: PurgeCursor?) throws(AdminClientError) {
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
      isPartial: reply.more, hasGap: reply.gap,
      hasForgotten: reply.gap && asked?.epoch == epoch)
  }
}
