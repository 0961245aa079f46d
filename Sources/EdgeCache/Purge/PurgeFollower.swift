// Catching up with the purges of a fleet: whom to ask, when what was stored before a restart may be believed,
// and what to do when something is missing. Events in, actions out; no clock, network or chance of its own.
//
// At the start all others are asked. When every one has answered, nothing that was acknowledged anywhere is
// missing here. Those that do not answer hold that up for `maxUnsynced`, no longer. Later one after the other
// is asked, in turn: a PoP that was cut off, while it ran, so learns what it missed.

/// How far a PoP knows what was purged in its fleet.
public enum PurgeSync: String, Sendable, Hashable {
  /// It has asked the others, and waits for answers.
  case catchingUp = "catching-up"
  /// It knows.
  case synced
  /// Others did not answer in time; what was stored before is validated before it is used.
  case unsynced
}

/// Follows the journals of the other PoPs.
public struct PurgeFollower: Sendable {
  /// What is to be done.
  public enum Action: Sendable, Hashable {
    /// Ask a PoP what came after a cursor; nil stands for everything.
    case ask(String, after: PurgeCursor?)
    /// Something may be missing that nobody knows any more: purge everything softly.
    case purgeEverythingSoftly
    /// What was stored before may be believed.
    case openFence
  }

  /// Time limits, in milliseconds.
  public struct Limits: Sendable {
    /// How long others may keep what is on disk from being believed.
    public var maxUnsynced: Int64 = 30_000
    /// Between one question and the next, when all is well.
    public var interval: Int64 = 1000
    /// Between one question to a PoP that does not answer and the next, at the start.
    public var retry: Int64 = 250

    /// The usual limits.
    public init() {}
  }

  private struct Peer: Sendable {
    let id: String
    var cursor: PurgeCursor?
    var isAsked = false
    /// True once all that it had at the start has been read.
    var isRead = false
    /// True if nothing was missing in what it told.
    var covers = true
    /// True if it has forgotten what was never read here.
    var hasForgotten = false
    var retryAt = Instant(milliseconds: 0)
    var isUnreachable = false
  }

  /// How far it is.
  public private(set) var state = PurgeSync.catchingUp
  private var peers: [Peer]
  private let limits: Limits
  private let began: Instant
  /// True if nothing was stored before.
  private let isFresh: Bool
  private var nextAt: Instant
  private var turn = 0

  /// Follows these PoPs, from where their journals were read before. `isFresh` says that nothing was stored
  /// before this life.
  public init(
    peers: [(id: String, cursor: PurgeCursor?)], isFresh: Bool, limits: Limits = Limits(),
    now: Instant
  ) {
    self.peers = peers.map { Peer(id: $0.id, cursor: $0.cursor) }
    self.isFresh = isFresh
    self.limits = limits
    began = now
    nextAt = now
  }

  /// The PoPs that did not answer the last time.
  public var unreachable: [String] { peers.filter(\.isUnreachable).map(\.id) }

  /// What is to be done now. To be asked often: the times between questions are kept here.
  public mutating func tick(_ now: Instant) -> [Action] {
    var actions: [Action] = []
    if state == .catchingUp {
      if peers.allSatisfy(\.isRead) || now.milliseconds(since: began) >= limits.maxUnsynced {
        actions += finish()
      } else {
        for index in peers.indices
        where !peers[index].isRead && !peers[index].isAsked
          && now >= peers[index].retryAt
        {
          actions.append(ask(index))
        }
        return actions
      }
    }
    guard !peers.isEmpty, now >= nextAt else { return actions }
    nextAt = now.adding(milliseconds: limits.interval)
    for step in 0..<peers.count {
      let index = (turn + step) % peers.count
      if peers[index].isAsked || now < peers[index].retryAt { continue }
      turn = index + 1
      actions.append(ask(index))
      break
    }
    return actions
  }

  private mutating func ask(_ index: Int) -> Action {
    peers[index].isAsked = true
    return .ask(peers[index].id, after: peers[index].cursor)
  }

  /// A PoP answered, and all that it told has been applied and logged, with the cursor.
  public mutating func answered(_ id: String, _ page: JournalPage, now: Instant) -> [Action] {
    guard let index = peers.firstIndex(where: { $0.id == id }) else { return [] }
    peers[index].isAsked = false
    peers[index].isUnreachable = false
    peers[index].cursor = page.cursor
    if page.hasGap { peers[index].covers = false }
    // A PoP that begins a new list has told what it had, and what it lost others have; but one that goes on
    // with its list from beyond what was read here has forgotten what was never read.
    if page.hasForgotten { peers[index].hasForgotten = true }
    var actions: [Action] = []
    switch state {
    case .catchingUp: break
    case .synced, .unsynced:
      if page.hasForgotten { actions.append(.purgeEverythingSoftly) }
    }
    if page.isPartial {
      actions.append(ask(index))
    } else {
      peers[index].isRead = true
      if state == .unsynced, peers.allSatisfy(\.isRead) { state = .synced }
      actions += tick(now)
    }
    return actions
  }

  /// A PoP could not be asked, or did not answer.
  public mutating func failed(_ id: String, now: Instant) -> [Action] {
    guard let index = peers.firstIndex(where: { $0.id == id }) else { return [] }
    peers[index].isAsked = false
    peers[index].isUnreachable = true
    peers[index].retryAt = now.adding(milliseconds: limits.retry)
    return tick(now)
  }

  /// Ends the start: with whatever is known by now.
  private mutating func finish() -> [Action] {
    let told = peers.filter(\.isRead)
    state = told.count == peers.count ? .synced : .unsynced
    // Nobody can tell what was purged while this PoP was away.
    let isBlind =
      !peers.isEmpty && !told.contains { $0.covers } || told.contains { $0.hasForgotten }
    return (isBlind && !isFresh ? [.purgeEverythingSoftly] : []) + [.openFence]
  }
}
