// The purges of the fleet that this PoP has applied, for those that missed some of them: each under a name
// that it has everywhere, and a number of its own here, in the order in which it was applied here.
//
// Invariant: entries are in the order of their numbers, and a name is among `numbers` exactly as long as its
// entry is there.

/// The name of a purge, the same at every PoP: when it was ordered, and a number that tells it from others of
/// the same millisecond.
public struct PurgeID: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// Milliseconds since 1970.
  public let milliseconds: UInt64
  /// Random, or counted by who ordered it.
  public let number: UInt64

  /// A name from its parts.
  public init(milliseconds: UInt64, number: UInt64) {
    (self.milliseconds, self.number) = (milliseconds, number)
  }

  /// Reads `milliseconds-number`, both decimal; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) }),
      let milliseconds = UInt64(parts[0]), let number = UInt64(parts[1])
    else { return nil }
    self.init(milliseconds: milliseconds, number: number)
  }

  public static func < (lhs: PurgeID, rhs: PurgeID) -> Bool {
    (lhs.milliseconds, lhs.number) < (rhs.milliseconds, rhs.number)
  }

  /// `milliseconds-number`, as streams of Redis have it.
  public var description: String { "\(milliseconds)-\(number)" }
}

/// Names for the purges that are ordered in one place: each later than the one before, whatever the wall clock
/// shows.
public struct PurgeNames: Sendable {
  private var last: UInt64 = 0

  /// No name was given yet.
  public init() {}

  /// The next name; `number` tells it from those that others give.
  public mutating func next(_ time: WallTime, number: UInt64) -> PurgeID {
    last = max(last + 1, UInt64(clamping: time.milliseconds))
    return PurgeID(milliseconds: last, number: number)
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}

/// Where somebody is in the journal of a PoP, or in another list of purges.
public struct PurgeCursor: Sendable, Hashable {
  /// Which list; a PoP that lost its own has another.
  public var epoch: UInt64
  /// The number of the last one that was taken from there.
  public var sequence: UInt64

  /// A cursor from its parts.
  public init(epoch: UInt64, sequence: UInt64) {
    (self.epoch, self.sequence) = (epoch, sequence)
  }
}

/// One purge of the fleet in the journal of a PoP.
public struct JournalEntry: Sendable, Hashable {
  /// Its number here.
  public let sequence: UInt64
  /// Its name.
  public let id: PurgeID
  /// When it was applied here.
  public let time: Instant
  /// What was ordered, in the words of who ordered it.
  public let message: [UInt8]

  /// An entry from its parts.
  public init(sequence: UInt64, id: PurgeID, time: Instant, message: [UInt8]) {
    (self.sequence, self.id, self.time, self.message) = (sequence, id, time, message)
  }
}

/// What follows a cursor in a journal.
public struct JournalPage: Sendable, Hashable {
  /// Entries in the order of their numbers.
  public var entries: [JournalEntry]
  /// Where the reader is when it has applied them.
  public var cursor: PurgeCursor
  /// True if there are more.
  public var isPartial: Bool
  /// True if something may be missing between the reader's cursor and the first entry.
  public var hasGap: Bool
  /// True if that which may be missing was forgotten by a list that goes on, so that others need not have it.
  public var hasForgotten: Bool

  /// A page from its parts.
  public init(
    entries: [JournalEntry], cursor: PurgeCursor, isPartial: Bool, hasGap: Bool, hasForgotten: Bool
  ) {
    (self.entries, self.cursor) = (entries, cursor)
    (self.isPartial, self.hasGap, self.hasForgotten) = (isPartial, hasGap, hasForgotten)
  }
}

/// How much a journal keeps.
public struct JournalLimits: Sendable {
  /// How long, in milliseconds.
  public var age: Int64 = 7 * 24 * 3600 * 1000
  /// How many entries.
  public var entries = 200_000
  /// How many bytes of messages.
  public var bytes = 64 << 20

  /// The limits that every PoP has: 7 days, 200 000 purges, 64 MiB.
  public init() {}
}

/// The purges of the fleet that a PoP still knows by name.
struct PurgeJournal: Sendable {
  /// Which list this is.
  var epoch: UInt64 = 0
  let limits: JournalLimits
  private var entries: [JournalEntry] = []
  /// Number of entries at the front that were dropped and still take room.
  private var dropped = 0
  private var numbers: [PurgeID: UInt64] = [:]
  private var bytes = 0
  /// The highest number of an entry that is not there any more.
  private(set) var forgotten: UInt64 = 0
  /// The highest number of an entry that cannot be lost in a crash: nobody else is told of others, for after a
  /// crash their numbers are given out again.
  private(set) var durable: UInt64 = 0
  /// How far other lists were read.
  private(set) var cursors: [String: PurgeCursor] = [:]

  init(limits: JournalLimits = JournalLimits()) {
    self.limits = limits
  }

  /// The number here of a purge; nil if it is not known.
  func number(_ id: PurgeID) -> UInt64? { numbers[id] }

  /// The entry of a purge. O(log entries).
  func entry(_ id: PurgeID) -> JournalEntry? {
    guard let number = numbers[id] else { return nil }
    let index = first(after: number - 1)
    return index < entries.count && entries[index].id == id ? entries[index] : nil
  }

  var count: Int { entries.count - dropped }
  var newest: JournalEntry? { count == 0 ? nil : entries.last }
  var all: ArraySlice<JournalEntry> { entries[dropped...] }

  /// Takes in a purge that was applied. Amortised O(1).
  mutating func append(_ entry: JournalEntry) {
    guard numbers[entry.id] == nil else { return }
    numbers[entry.id] = entry.sequence
    bytes += entry.message.count
    // After a restart, logs of several disks are read one after the other.
    if let last = entries.last, last.sequence > entry.sequence {
      entries.insert(entry, at: first(after: entry.sequence))
    } else {
      entries.append(entry)
    }
    while count > limits.entries || bytes > limits.bytes, count > 1 { dropFirst() }
  }

  /// Forgets what is too old.
  mutating func expire(_ now: Instant) {
    while count > 0, now.milliseconds(since: entries[dropped].time) > limits.age { dropFirst() }
  }

  private mutating func dropFirst() {
    let entry = entries[dropped]
    numbers[entry.id] = nil
    bytes -= entry.message.count
    forgotten = max(forgotten, entry.sequence)
    dropped += 1
    if dropped > 1024, dropped > entries.count / 2 {
      entries.removeFirst(dropped)
      dropped = 0
    }
  }

  /// Everything up to a number is on stable storage.
  mutating func makeDurable(through sequence: UInt64) {
    durable = max(durable, sequence)
  }

  /// What follows a cursor; nil stands for somebody who has read nothing yet, and needs to know only of what came
  /// `since` a moment if that is given. O(log entries + limit).
  func page(after cursor: PurgeCursor?, since: Instant? = nil, limit: Int) -> JournalPage {
    let isKnown = cursor?.epoch == epoch || cursor == nil && since != nil
    var start = isKnown ? cursor?.sequence ?? forgotten : 0
    if cursor == nil, let since, let last = entries[dropped...].last(where: { $0.time < since }) {
      start = last.sequence
    }
    var page: [JournalEntry] = []
    var size = 0
    var index = first(after: start)
    while index < entries.count, entries[index].sequence <= durable, page.count < limit,
      size < Self.pageBytes
    {
      page.append(entries[index])
      size += entries[index].message.count
      index += 1
    }
    let isPartial = index < entries.count && entries[index].sequence <= durable
    let end = isPartial ? page.last?.sequence ?? start : max(start, durable)
    return JournalPage(
      entries: page, cursor: PurgeCursor(epoch: epoch, sequence: end), isPartial: isPartial,
      hasGap: !isKnown || start < forgotten, hasForgotten: isKnown && start < forgotten)
  }

  private static let pageBytes = 1 << 20

  /// The index of the first entry with a higher number.
  private func first(after sequence: UInt64) -> Int {
    var low = dropped
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].sequence > sequence { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Notes how far another list was read.
  mutating func note(_ cursor: PurgeCursor, of list: String) {
    cursors[list] = cursor
  }
}
