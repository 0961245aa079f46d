import Synchronization

// Purges, in the order in which they were applied here.
//
// Invariant: the number that `head` returns never exceeds that of the last purge in the index, and
// a purge is in the index before its number can be seen. Whoever sees `head` unchanged since a
// response was stamped knows, by that one comparison, that no purge came in between.

/// A purge that is to be applied.
public struct Purge: Sendable, Hashable {
  /// What it covers, in all.
  public var scopes: [PurgeScope]
  /// How much it takes away.
  public var mode: PurgeMode
  /// Its name in the fleet; nil for what concerns this PoP alone.
  public var id: PurgeID?
  /// What was ordered, for PoPs that missed it.
  public var message: [UInt8]
  /// When it is applied.
  public var time: Instant

  /// A purge of the fleet.
  public init(
    _ scopes: [PurgeScope], mode: PurgeMode = .hard, id: PurgeID? = nil, message: [UInt8] = [],
    time: Instant = Instant(milliseconds: 0)
  ) {
    (self.scopes, self.mode, self.id) = (scopes, mode, id)
    (self.message, self.time) = (message, time)
  }
}

/// The numbered purges of this PoP.
public final class PurgeLog: Sendable {
  private struct State: Sendable {
    var last: UInt64 = 0
    var index = PurgeIndex()
    var journal: PurgeJournal
    /// What purges took away that were applied lately, as far as it has been found.
    var freed: [UInt64: PurgeYield] = [:]
    /// Which purge took away what was stored of an identity, of those that were found lately.
    var taken = RecentKeys<UInt64>()
    /// Why, and since when, something on disk is behind a fence.
    var distrust: (reason: String, since: WallTime)?
    /// The newest number that is no purge, and when it was taken.
    var blank: (sequence: UInt64, time: WallTime)?
    /// Number of scopes at which it pays to look for those that can be forgotten.
    var trimAt = 1024
  }

  private let published = Atomic<UInt64>(0)
  /// What has a stamp up to this number, from before a restart, is not believed until it was checked.
  private let fence = Atomic<UInt64>(0)
  private let state: Mutex<State>

  /// A log without purges.
  public init(limits: JournalLimits = JournalLimits()) {
    state = Mutex(State(journal: PurgeJournal(limits: limits)))
  }

  /// The sequence number of the newest purge; 0 before the first.
  public var head: UInt64 {
    published.load(ordering: .acquiring)
  }

  /// Appends a purge of one scope that concerns this PoP alone, and returns its number. O(1).
  public func append(_ scope: PurgeScope, _ mode: PurgeMode = .hard) -> UInt64 {
    append(Purge([scope], mode: mode)).sequence
  }

  /// Appends a purge, and returns its number; of one whose name is known that which it has, for it was applied
  /// before. O(scopes).
  public func append(_ purge: Purge) -> (sequence: UInt64, isNew: Bool) {
    state.withLock { state in
      if let id = purge.id, let entry = state.journal.entry(id), entry.message == purge.message {
        return (entry.sequence, false)
      }
      state.last += 1
      let sequence = state.last
      for scope in purge.scopes { state.index.note(scope.mark, purge.mode, sequence) }
      if let id = purge.id {
        state.journal.append(
          JournalEntry(sequence: sequence, id: id, time: purge.time, message: purge.message))
        state.journal.expire(purge.time)
      }
      published.store(sequence, ordering: .releasing)
      return (sequence, true)
    }
  }

  /// A number that is no purge: what is stored from now on can be told from what was there before.
  func takeNumber(now: WallTime) -> UInt64 {
    state.withLock { state in
      state.last += 1
      state.blank = (state.last, now)
      published.store(state.last, ordering: .releasing)
      return state.last
    }
  }

  /// Why something that is on disk is not believed, whatever other PoPs know, and since when; nil if all is.
  public var distrust: (reason: String, since: WallTime)? { state.withLock { $0.distrust } }

  /// Something on a disk is not believed, for purges of it may be missing, or its age cannot be told.
  func noteDistrust(_ reason: String, since time: WallTime) {
    state.withLock { state in
      if time >= state.distrust?.since ?? time { state.distrust = (reason, time) }
    }
  }

  /// The newest such number, where one was taken, and when.
  var blank: (sequence: UInt64, time: WallTime)? { state.withLock { $0.blank } }

  // MARK: Asking

  /// The newest purges that cover what is stored under `key` with these names. O(names).
  public func coverage(of key: CacheKey, _ names: ResponseNames = .none) -> PurgeCoverage {
    state.withLock { $0.index.coverage(key, names) }
  }

  /// The number of the newest purge that covers what is stored under `key` with these names; 0 if there is none.
  public func newest(covering key: CacheKey, _ names: ResponseNames = .none) -> UInt64 {
    coverage(of: key, names).newest
  }

  /// True if a purge of either mode that covers `key`, or one of those names, came after the one numbered
  /// `sequence`. One comparison if there was no purge at all.
  public func isPurged(
    _ key: CacheKey, _ names: ResponseNames = .none, since sequence: UInt64
  ) -> Bool {
    sequence != head && newest(covering: key, names) > sequence
  }

  /// The same of something whose names may not be known yet: then any name may be among them.
  func mayBePurged(_ key: CacheKey, _ names: ResponseNames?, since sequence: UInt64) -> Bool {
    if let names { return isPurged(key, names, since: sequence) }
    return isPurged(key, since: sequence)
      || state.withLock { $0.index.newestOfNames > sequence }
  }

  /// What is to be made of something that was stored when `stamp` was the newest purge. O(names), and one
  /// comparison if there was no purge since.
  public func standing(
    of key: CacheKey, _ names: ResponseNames, stamp: UInt64
  ) -> PurgeStanding {
    if stamp == head { return .untouched }
    let coverage = coverage(of: key, names)
    if coverage.hard > stamp { return .gone }
    if isFenced(stamp) { return .unchecked }
    return coverage.soft > stamp ? .stale : .untouched
  }

  // MARK: After a restart

  /// Takes in what an earlier process logged; in the order of the log.
  func restore(_ record: DiskPurge) {
    state.withLock { state in
      // What a removal has in the place of a number is none.
      switch record.scope {
      case .removed, .replaced: return
      case .cursor(let list, let cursor):
        state.journal.note(cursor, of: list)
        return
      case .nothing, .purge, .beginning, .fence: break
      }
      state.last = max(state.last, record.sequence)
      published.store(state.last, ordering: .releasing)
      guard case .purge(let purge) = record.scope else { return }
      for scope in purge.scopes { state.index.note(scope, purge.mode, record.sequence) }
      guard let id = purge.id else { return }
      state.journal.append(
        JournalEntry(
          sequence: record.sequence, id: id, time: Instant(milliseconds: record.time.milliseconds),
          message: purge.message))
    }
  }

  /// Begins a life of this PoP, after what earlier ones logged and stored: with a number of its own, higher
  /// than any `stamp` of theirs, so that what is stored from now on can be told from what was there.
  /// Returns that number.
  func begin(epoch: UInt64, after stamp: UInt64, now: Instant) -> UInt64 {
    state.withLock { state in
      state.last = max(state.last, stamp) + 1
      published.store(state.last, ordering: .releasing)
      state.journal.epoch = epoch
      state.journal.makeDurable(through: state.last)
      state.journal.expire(now)
      return state.last
    }
  }

  /// Begins the list of a PoP that keeps nothing over a restart.
  public func begin(epoch: UInt64) {
    state.withLock { $0.journal.epoch = epoch }
  }

  /// True if what has that identity and stamp has been taken away, as far as its hash tells.
  func isPurged(_ hash: KeyHash, since stamp: UInt64) -> Bool {
    state.withLock { stamp < $0.index.coverage(hash).hard }
  }

  /// The same number, and 0 where there is none.
  func newest(covering hash: KeyHash) -> UInt64 {
    state.withLock { $0.index.coverage(hash).hard }
  }

  // MARK: Fence

  /// What was stored before this life is not to be believed until ``openFence()``, for it may have been purged
  /// while this PoP was down.
  public func closeFence() {
    fence.store(head, ordering: .releasing)
  }

  /// What was stored before may be believed: every purge that was missed has been applied.
  public func openFence() {
    fence.store(0, ordering: .releasing)
  }

  /// True while what was stored before this life is not believed.
  public var isFenceClosed: Bool { fence.load(ordering: .acquiring) != 0 }

  private func isFenced(_ stamp: UInt64) -> Bool {
    let fence = fence.load(ordering: .acquiring)
    return fence != 0 && stamp < fence
  }

  // MARK: Journal

  /// Which list of purges this is: another one after it was lost.
  public var epoch: UInt64 { state.withLock { $0.journal.epoch } }

  /// Which list this is, and how much of it is on stable storage.
  public var place: PurgeCursor {
    state.withLock { PurgeCursor(epoch: $0.journal.epoch, sequence: $0.journal.durable) }
  }

  /// Everything up to a number is on stable storage.
  public func makeDurable(through sequence: UInt64) {
    state.withLock { $0.journal.makeDurable(through: sequence) }
  }

  /// What a PoP has not read yet that is at `cursor`; nil if it never read anything. If it has nothing from
  /// before `since`, it need not know of what was purged before. O(limit).
  public func journal(
    after cursor: PurgeCursor?, since: Instant? = nil, limit: Int
  ) -> JournalPage {
    state.withLock { $0.journal.page(after: cursor, since: since, limit: limit) }
  }

  /// The purge of that name, and what it took away; nil if it is not known.
  public func journalEntry(_ id: PurgeID) -> (JournalEntry, PurgeYield)? {
    state.withLock { state in
      state.journal.entry(id).map { ($0, state.freed[$0.sequence] ?? PurgeYield()) }
    }
  }

  /// The newest purge of the fleet that is known.
  public var newestEntry: JournalEntry? { state.withLock { $0.journal.newest } }

  /// Number of purges that are known by name.
  public var journalCount: Int { state.withLock { $0.journal.count } }

  /// How far another list was read.
  public func cursor(of list: String) -> PurgeCursor? {
    state.withLock { $0.journal.cursors[list] }
  }

  /// Notes how far another list was read, when all that was told has been applied; true if that is news, which is
  /// to be logged. Not where something may be missing: what is done about that comes later, and must be done
  /// again if this process ends before.
  public func note(_ page: JournalPage, of list: String) -> Bool {
    state.withLock { state in
      if page.hasGap || state.journal.cursors[list] == page.cursor { return false }
      state.journal.note(page.cursor, of: list)
      return true
    }
  }

  /// All that is to be kept when the log is written anew.
  var cursors: [String: PurgeCursor] { state.withLock { $0.journal.cursors } }

  /// True if the log is to keep a purge for the sake of others.
  func isKept(_ id: PurgeID) -> Bool { state.withLock { $0.journal.number(id) != nil } }

  // MARK: What was taken away

  /// Number of purges whose yield is counted.
  private static let mostCounted = 4096

  /// The number of the purge that was found lately to have taken away what was stored of an identity.
  func taken(_ hash: KeyHash) -> UInt64? { state.withLock { $0.taken[hash] } }

  /// Something was found to be taken away by the purge with that number, or made stale; `hash` tells what was taken.
  /// O(1).
  func countFreed(_ sequence: UInt64, count: Int, bytes: Int, taking hash: KeyHash? = nil) {
    if count == 0 { return }
    state.withLock { state in
      if let hash { state.taken.note(sequence, of: hash) }
      if state.freed[sequence] == nil, state.freed.count >= Self.mostCounted {
        let oldest = state.freed.keys.sorted().prefix(Self.mostCounted / 2)
        for sequence in oldest { state.freed[sequence] = nil }
      }
      state.freed[sequence, default: PurgeYield()].count += count
      state.freed[sequence, default: PurgeYield()].bytes += bytes
    }
  }

  /// The number of the newest hard purge by prefix, host or name.
  var newestOfMany: UInt64 { state.withLock { $0.index.newestOfMany } }

  /// The number of the newest purge whose effect is found only when something is looked up.
  var newestLazy: UInt64 { state.withLock { $0.index.newestLazy } }

  // MARK: Forgetting

  /// Number of URLs that are remembered.
  public var rememberedURLs: Int { state.withLock { $0.index.urlCount } }

  /// Number of scopes that are remembered.
  public var remembered: Int { state.withLock { $0.index.count } }

  /// True when so many scopes are remembered that some should be forgotten. Doubles when it did not
  /// help, so that one slow flight does not make every purge look at all of them.
  var isTrimDue: Bool {
    state.withLock { $0.index.count > $0.trimAt }
  }

  /// Forgets hard purges of URLs up to `urls`, of others up to `others`, and soft ones up to `soft`, once nothing
  /// from before that they could cover is stored or on its way. O(remembered).
  public func trim(urls: UInt64, others: UInt64, soft: UInt64) {
    state.withLock { state in
      state.index.trim(urls: urls, others: others, soft: soft)
      state.trimAt = max(1024, state.index.count * 2)
    }
  }
}

/// What a purge took away, as far as it has been found.
public struct PurgeYield: Sendable, Hashable {
  /// Number of stored responses.
  public var count = 0
  /// Their bytes in memory.
  public var bytes = 0

  /// Nothing yet.
  public init() {}
}

/// What is to be made of something that is stored.
public enum PurgeStanding: Sendable, Hashable {
  /// It may be used.
  case untouched
  /// It must be validated before it is used, and may stand in for an upstream that fails.
  case stale
  /// It may have been purged meanwhile: it must be validated, and may not stand in for anything.
  case unchecked
  /// The same, for the disk that it is on has lost purges, or the clock was set back.
  case distrusted
  /// It was taken away.
  case gone
}
