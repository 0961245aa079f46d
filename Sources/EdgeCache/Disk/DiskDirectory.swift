// Where on disk the responses of an identity are: a map from the hash of the identity to places, in
// memory. Many small tables with open addressing, 16 bytes to an entry, of which one at a time grows by a
// fifth: between 19 and 23 bytes for each stored response, and never a stop for a large copy.
//
// It may be wrong in one way only: another identity may have the same 48 bits. So whoever reads a record
// compares the full key.

/// A place on disk.
struct DiskPlace: Hashable {
  /// Index of the segment.
  var segment: Int
  /// Where the record begins in it.
  var offset: Int
  /// Bytes of the record.
  var size: Int

  /// What fits: 2^20 segments, of at most 64 MiB in units of 64 bytes.
  static let mostSegments = 1 << 20
  static let mostBytes = DiskFormat.unit << 20

  fileprivate init(_ word: UInt64) {
    segment = Int(word >> 43)
    offset = Int((word >> 22) & 0xF_FFFF) * DiskFormat.unit
    size = Int((word >> 1) & 0x1F_FFFF) * DiskFormat.unit
  }

  fileprivate var word: UInt64 {
    UInt64(segment) << 43 | UInt64(offset / DiskFormat.unit) << 22
      | UInt64(size / DiskFormat.unit) << 1 | 1
  }

  init(segment: Int, offset: Int, size: Int) {
    self.segment = segment
    self.offset = offset
    self.size = size
  }
}

/// The places of all stored responses on disk.
struct DiskDirectory {
  private var tables: [Table]
  /// Number of places.
  private(set) var count = 0

  /// As many tables as keep a table of ten million entries below 10 000.
  private static let tableCount = 1024

  init(expecting count: Int = 0) {
    let share = count / Self.tableCount
    tables = Array(repeating: Table(expecting: share + share / 16), count: Self.tableCount)
  }

  /// Bytes of memory that the tables take.
  var memory: Int { tables.reduce(0) { $0 + $1.memory } }

  /// 48 bits of the identity, and 16 of the variant. Not the bits that choose the table.
  private static func mark(_ hash: KeyHash, _ variant: UInt64) -> UInt64 {
    hash.low & ~0xFFFF | variant & 0xFFFF
  }

  /// The bits that tell an identity from others.
  static func identity(_ hash: KeyHash) -> UInt64 { hash.low >> 16 }

  private static func table(_ hash: KeyHash) -> Int {
    Int(truncatingIfNeeded: hash.high >> 40) & (tableCount - 1)
  }

  /// The places of an identity, the one added last first. O(places).
  func places(_ hash: KeyHash) -> [DiskPlace] {
    tables[Self.table(hash)].places(Self.mark(hash, 0))
  }

  /// What tells the variants of an identity apart, of each place 16 bits. O(places).
  func variantMarks(_ hash: KeyHash) -> [UInt16] {
    tables[Self.table(hash)].variantMarks(Self.mark(hash, 0))
  }

  /// The place of an identity that has only one. O(1).
  func onlyPlace(_ hash: KeyHash) -> DiskPlace? {
    tables[Self.table(hash)].onlyPlace(Self.mark(hash, 0))
  }

  /// True if there is a place of an identity. O(1).
  func contains(_ hash: KeyHash) -> Bool {
    tables[Self.table(hash)].contains(Self.mark(hash, 0))
  }

  /// True if this is a place of an identity. O(places).
  func contains(_ hash: KeyHash, _ place: DiskPlace) -> Bool {
    tables[Self.table(hash)].contains(Self.mark(hash, 0), place.word)
  }

  /// Adds a place, and returns the one that was forgotten for it, if there were too many of that identity.
  /// Amortised O(places).
  @discardableResult
  mutating func insert(_ hash: KeyHash, variant: UInt64, _ place: DiskPlace) -> DiskPlace? {
    let table = Self.table(hash)
    let before = tables[table].count
    let forgotten = tables[table].insert(Self.mark(hash, variant), place.word)
    count += tables[table].count - before
    return forgotten.map { DiskPlace($0) }
  }

  /// Takes out the places of an identity for which `isGone` is true, and returns how many. O(places).
  @discardableResult
  mutating func remove(_ hash: KeyHash, where isGone: (DiskPlace) -> Bool = { _ in true }) -> Int {
    let removed = tables[Self.table(hash)].remove(Self.mark(hash, 0), exactly: false, isGone)
    count -= removed
    return removed
  }

  /// Takes out the places of one variant of an identity, and returns how many. O(places).
  @discardableResult
  mutating func remove(_ hash: KeyHash, variant: UInt64) -> Int {
    let removed = tables[Self.table(hash)].remove(Self.mark(hash, variant), exactly: true) { _ in
      true
    }
    count -= removed
    return removed
  }

  /// Takes out all places in a segment, and returns the identities that had them. O(entries): for when nobody knows
  /// any more what is in it.
  mutating func removeAll(in segment: Int) -> [UInt64] {
    var taken: [UInt64] = []
    for index in tables.indices {
      count -= tables[index].filter {
        if DiskPlace($0.place).segment != segment { return true }
        taken.append($0.mark >> 16)
        return false
      }
    }
    return taken
  }

  /// Takes out all places of the identities that have one in a segment, and returns in which segments these were.
  /// O(entries).
  @discardableResult
  mutating func removeIdentities(in segment: Int) -> [(identity: UInt64, segment: Int)] {
    var taken: [(identity: UInt64, segment: Int)] = []
    for index in tables.indices {
      let marks = tables[index].identities { $0.segment == segment }
      if marks.isEmpty { continue }
      count -= tables[index].filter {
        if !marks.contains($0.mark >> 16) { return true }
        taken.append(($0.mark >> 16, DiskPlace($0.place).segment))
        return false
      }
    }
    return taken
  }

  /// Takes out everything.
  mutating func removeAll() {
    self = DiskDirectory()
  }
}

extension DiskDirectory {
  fileprivate struct Entry {
    var mark: UInt64 = 0
    /// A place; 0 if the entry is empty.
    var place: UInt64 = 0
  }

  /// A table with open addressing. Entries of one identity are found in the order in which they were added.
  fileprivate struct Table {
    private var entries: [Entry]
    private(set) var count = 0
    /// Places of one identity; more are forgotten, oldest first.
    private static let mostPlaces = 64

    init(expecting count: Int) {
      entries = Array(repeating: Entry(), count: max(8, count * 6 / 5 + 1))
    }

    var memory: Int { entries.count * MemoryLayout<Entry>.stride + 32 }

    private func home(_ mark: UInt64) -> Int {
      let mixed = (mark >> 16) &* 0x9E37_79B9_7F4A_7C15
      return Int(truncatingIfNeeded: mixed.multipliedFullWidth(by: UInt64(entries.count)).high)
    }

    private func next(_ index: Int) -> Int { index + 1 == entries.count ? 0 : index + 1 }

    /// Steps from one entry to another.
    private func distance(_ from: Int, _ to: Int) -> Int {
      to >= from ? to - from : to - from + entries.count
    }

    private func isSame(_ mark: UInt64, _ other: UInt64) -> Bool { (mark ^ other) >> 16 == 0 }

    func places(_ mark: UInt64) -> [DiskPlace] {
      var found: [DiskPlace] = []
      var index = home(mark)
      while entries[index].place != 0 {
        if isSame(entries[index].mark, mark) { found.append(DiskPlace(entries[index].place)) }
        index = next(index)
      }
      return found.reversed()
    }

    func variantMarks(_ mark: UInt64) -> [UInt16] {
      var found: [UInt16] = []
      var index = home(mark)
      while entries[index].place != 0 {
        if isSame(entries[index].mark, mark) {
          found.append(UInt16(truncatingIfNeeded: entries[index].mark))
        }
        index = next(index)
      }
      return found
    }

    func onlyPlace(_ mark: UInt64) -> DiskPlace? {
      var found: UInt64 = 0
      var index = home(mark)
      while entries[index].place != 0 {
        if isSame(entries[index].mark, mark) {
          if found != 0 { return nil }
          found = entries[index].place
        }
        index = next(index)
      }
      return found == 0 ? nil : DiskPlace(found)
    }

    func contains(_ mark: UInt64, _ place: UInt64? = nil) -> Bool {
      var index = home(mark)
      while entries[index].place != 0 {
        if isSame(entries[index].mark, mark), place == nil || place == entries[index].place {
          return true
        }
        index = next(index)
      }
      return false
    }

    mutating func insert(_ mark: UInt64, _ place: UInt64) -> UInt64? {
      if (count + 1) * 100 > entries.count * 85 { resize(entries.count * 6 / 5 + 8) }
      var index = home(mark)
      var same = 0
      var oldest: Int?
      while entries[index].place != 0 {
        if isSame(entries[index].mark, mark) {
          same += 1
          if oldest == nil { oldest = index }
        }
        index = next(index)
      }
      entries[index] = Entry(mark: mark, place: place)
      count += 1
      guard same >= Self.mostPlaces, let oldest else { return nil }
      let forgotten = entries[oldest].place
      closeGap(at: oldest)
      return forgotten
    }

    mutating func remove(
      _ mark: UInt64, exactly: Bool, _ isGone: (DiskPlace) -> Bool
    ) -> Int {
      var removed = 0
      var index = home(mark)
      while entries[index].place != 0 {
        let matches = exactly ? entries[index].mark == mark : isSame(entries[index].mark, mark)
        if matches, isGone(DiskPlace(entries[index].place)) {
          // What moves into the gap is looked at next.
          closeGap(at: index)
          removed += 1
        } else {
          index = next(index)
        }
      }
      return removed
    }

    /// The identities that have a place like that.
    func identities(_ isMeant: (DiskPlace) -> Bool) -> Set<UInt64> {
      var marks: Set<UInt64> = []
      for entry in entries where entry.place != 0 && isMeant(DiskPlace(entry.place)) {
        marks.insert(entry.mark >> 16)
      }
      return marks
    }

    /// Keeps some entries, and returns how many it did not.
    mutating func filter(_ isKept: (Entry) -> Bool) -> Int {
      let before = count
      refill(inOrder().filter(isKept), capacity: entries.count)
      return before - count
    }

    private mutating func resize(_ capacity: Int) {
      refill(inOrder(), capacity: capacity)
    }

    /// All entries, those of one identity in their order: beginning behind an empty one.
    private func inOrder() -> [Entry] {
      var all: [Entry] = []
      all.reserveCapacity(count)
      let start = entries.firstIndex { $0.place == 0 } ?? 0
      for entry in entries[start...] where entry.place != 0 { all.append(entry) }
      for entry in entries[..<start] where entry.place != 0 { all.append(entry) }
      return all
    }

    private mutating func refill(_ kept: [Entry], capacity: Int) {
      entries = Array(repeating: Entry(), count: capacity)
      count = kept.count
      for entry in kept {
        var index = home(entry.mark)
        while entries[index].place != 0 { index = next(index) }
        entries[index] = entry
      }
    }

    /// Moves later entries back over an emptied one, so that looking needs no tombstones; the order of
    /// entries of one identity stays.
    private mutating func closeGap(at emptied: Int) {
      entries[emptied] = Entry()
      count -= 1
      var gap = emptied
      var index = next(gap)
      while entries[index].place != 0 {
        if distance(home(entries[index].mark), index) >= distance(gap, index) {
          entries[gap] = entries[index]
          entries[index] = Entry()
          gap = index
        }
        index = next(index)
      }
    }
  }
}
