import Testing

@testable import EdgeCache

/// Purges by name, and what is told to those who missed some.
@Suite struct PurgeJournalTests {
  private static let now = Instant(seconds: 1_700_000_000)

  private func entry(_ number: UInt64, _ id: UInt64, at time: Instant = now) -> JournalEntry {
    JournalEntry(
      sequence: number, id: PurgeID(milliseconds: 1, number: id), time: time,
      message: Array("m\(id)".utf8))
  }

  private func filled(_ count: UInt64, limits: JournalLimits = JournalLimits()) -> PurgeJournal {
    var journal = PurgeJournal(limits: limits)
    journal.epoch = 5
    // Numbers with holes: those of purges that concern this PoP alone.
    for number in 1...count { journal.append(entry(number * 2, number)) }
    journal.makeDurable(through: count * 2)
    return journal
  }

  @Test(
    "Names are read as they are written",
    arguments: [
      ("1-2", true), ("0-0", true), ("1700000000000-4294967295", true), ("1", false), ("", false),
      ("-1", false), ("1-", false), ("1-2-3", false), ("+1-2", false), ("a-b", false),
      ("18446744073709551616-0", false), ("1 -2", false), ("１-2", false),
    ])
  func names(_ text: String, _ isRight: Bool) {
    #expect(PurgeID(text)?.description == (isRight ? text : nil))
  }

  @Test("A reader gets all, page by page, in order")
  func pages() {
    let journal = filled(25)
    var cursor: PurgeCursor? = PurgeCursor(epoch: 5, sequence: 0)
    var read: [UInt64] = []
    for page in 0..<4 {
      let found = journal.page(after: cursor, limit: 10)
      #expect(!found.hasGap && found.isPartial == (page < 2))
      read += found.entries.map(\.id.number)
      cursor = found.cursor
    }
    #expect(read == Array(1...25) && cursor == PurgeCursor(epoch: 5, sequence: 50))
  }

  @Test("What could be lost in a crash is told to nobody")
  func durable() {
    var journal = filled(3)
    journal.append(entry(8, 4))
    let before = journal.page(after: PurgeCursor(epoch: 5, sequence: 0), limit: 10)
    #expect(before.entries.count == 3 && before.cursor.sequence == 6 && !before.isPartial)
    journal.makeDurable(through: 8)
    #expect(journal.page(after: before.cursor, limit: 10).entries.map(\.id.number) == [4])
  }

  @Test("Who has another list, or is behind what is kept, is told that something is missing")
  func gaps() {
    let full = filled(5)
    #expect(full.page(after: nil, limit: 9).hasGap)
    #expect(full.page(after: nil, limit: 9).entries.count == 5)
    #expect(full.page(after: PurgeCursor(epoch: 4, sequence: 10), limit: 9).hasGap)
    #expect(full.page(after: PurgeCursor(epoch: 4, sequence: 10), limit: 9).entries.count == 5)
    let fresh = full.page(after: nil, since: Self.now.adding(seconds: 1), limit: 9)
    #expect(!fresh.hasGap && fresh.entries.isEmpty && fresh.cursor.sequence == 10)
    #expect(full.page(after: nil, since: Self.now, limit: 9).entries.count == 5)
    var limits = JournalLimits()
    limits.entries = 10
    let short = filled(30, limits: limits)
    #expect(short.count == 10 && short.forgotten == 40)
    #expect(short.page(after: PurgeCursor(epoch: 5, sequence: 39), limit: 99).hasGap)
    #expect(!short.page(after: PurgeCursor(epoch: 5, sequence: 40), limit: 99).hasGap)
    #expect(short.number(PurgeID(milliseconds: 1, number: 3)) == nil)
    #expect(short.number(PurgeID(milliseconds: 1, number: 25)) == 50)
  }

  @Test("Old and large entries are forgotten")
  func limits() {
    var journal = filled(5000)
    journal.append(entry(20_000, 6000, at: Self.now.adding(seconds: 8 * 24 * 3600)))
    journal.expire(Self.now.adding(seconds: 7 * 24 * 3600 + 1))
    #expect(journal.count == 1 && journal.newest?.sequence == 20_000)
    #expect(journal.all.count == 1 && journal.forgotten == 10_000)
    var limits = JournalLimits()
    limits.bytes = 20
    let small = filled(30, limits: limits)
    #expect(small.count == 6)
  }

  @Test(
    "A purge that is known by name is applied once, and one of the same name with other words again"
  )
  func repeated() {
    let log = PurgeLog()
    let key = CacheKey(url: "http://a/".utf8, secret: HashSecret(1, 2))!
    let purge = Purge(
      [.url(key)], id: PurgeID(milliseconds: 1, number: 2), message: [1], time: Self.now)
    #expect(log.append(purge) == (1, true))
    #expect(log.append(purge) == (1, false) && log.head == 1)
    var other = purge
    other.message = [2]
    other.scopes = [.everything]
    #expect(log.append(other) == (2, true) && log.coverage(of: key).hard == 2)
    #expect(log.append(Purge([.url(key)])).isNew && log.append(Purge([.url(key)])).isNew)
  }
}
