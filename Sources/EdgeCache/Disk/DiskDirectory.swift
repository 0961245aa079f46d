// Where on disk the responses of an identity are: a map from the hash of the identity to places, in
// memory. A flat table with open addressing, 16 bytes to an entry; with the room that it leaves and
// what doubling adds, 21 to 43 bytes for each stored response.
//
// It may be wrong in one way only: another identity may have the same 64 bits. So whoever reads a record
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
  private struct Entry {
    /// 64 bits of the identity's hash.
    var mark: UInt64 = 0
    /// A place; 0 if the entry is empty.
    var place: UInt64 = 0
  }

  private var entries: [Entry]
  /// Number of places.
  private(set) var count = 0
  /// Places of one identity; more are forgotten, oldest first.
  private static let mostPlaces = 64

  init(expecting count: Int = 0) {
    var capacity = 64
    while capacity * 3 < count * 4 { capacity *= 2 }
    entries = Array(repeating: Entry(), count: capacity)
  }

  /// Bytes of memory that the table takes.
  var memory: Int { entries.count * MemoryLayout<Entry>.stride }

  private static func mark(_ hash: KeyHash) -> UInt64 { hash.low }

  /// The places of an identity, the one added last first. O(places).
  func places(_ hash: KeyHash) -> [DiskPlace] {
    var found: [DiskPlace] = []
    let mark = Self.mark(hash)
    var index = home(mark)
    while entries[index].place != 0 {
      if entries[index].mark == mark { found.append(DiskPlace(entries[index].place)) }
      index = (index + 1) & (entries.count - 1)
    }
    return found.reversed()
  }

  /// True if there is a place of an identity. O(1).
  func contains(_ hash: KeyHash) -> Bool {
    let mark = Self.mark(hash)
    var index = home(mark)
    while entries[index].place != 0 {
      if entries[index].mark == mark { return true }
      index = (index + 1) & (entries.count - 1)
    }
    return false
  }

  /// Adds a place. Amortised O(places).
  mutating func insert(_ hash: KeyHash, _ place: DiskPlace) {
    if (count + 1) * 4 > entries.count * 3 { grow() }
    let mark = Self.mark(hash)
    var index = home(mark)
    var same = 0
    var oldest: Int?
    while entries[index].place != 0 {
      if entries[index].mark == mark {
        same += 1
        if oldest == nil { oldest = index }
      }
      index = (index + 1) & (entries.count - 1)
    }
    entries[index] = Entry(mark: mark, place: place.word)
    count += 1
    if same >= Self.mostPlaces, let oldest { closeGap(at: oldest) }
  }

  /// Takes out the places of an identity for which `isGone` is true, and returns how many. O(places).
  @discardableResult
  mutating func remove(_ hash: KeyHash, where isGone: (DiskPlace) -> Bool = { _ in true }) -> Int {
    let mark = Self.mark(hash)
    var removed = 0
    var index = home(mark)
    while entries[index].place != 0 {
      if entries[index].mark == mark, isGone(DiskPlace(entries[index].place)) {
        // What moves into the gap is looked at next.
        closeGap(at: index)
        removed += 1
      } else {
        index = (index + 1) & (entries.count - 1)
      }
    }
    return removed
  }

  /// Takes out all places in a segment, and returns how many. O(entries).
  mutating func removeAll(in segment: Int) -> Int {
    var kept: [Entry] = []
    kept.reserveCapacity(count)
    // In the order of the runs of the table, so that places of one identity keep theirs.
    let start = firstEmpty
    for step in 0..<entries.count {
      let entry = entries[(start + step) & (entries.count - 1)]
      if entry.place != 0, DiskPlace(entry.place).segment != segment { kept.append(entry) }
    }
    let removed = count - kept.count
    if removed > 0 { refill(kept, capacity: entries.count) }
    return removed
  }

  /// Takes out all places of the identities that have one in a segment. O(entries).
  mutating func removeIdentities(in segment: Int) {
    var marks: Set<UInt64> = []
    for entry in entries where entry.place != 0 && DiskPlace(entry.place).segment == segment {
      marks.insert(entry.mark)
    }
    if marks.isEmpty { return }
    let start = firstEmpty
    let kept = (0..<entries.count).map { entries[(start + $0) & (entries.count - 1)] }
      .filter { $0.place != 0 && !marks.contains($0.mark) }
    refill(kept, capacity: entries.count)
  }

  /// Takes out everything.
  mutating func removeAll() {
    self = DiskDirectory()
  }

  private var firstEmpty: Int {
    entries.firstIndex { $0.place == 0 } ?? 0
  }

  private func home(_ mark: UInt64) -> Int {
    Int(truncatingIfNeeded: (mark &* 0x9E37_79B9_7F4A_7C15) >> 20) & (entries.count - 1)
  }

  private mutating func grow() {
    var kept: [Entry] = []
    kept.reserveCapacity(count)
    let start = firstEmpty
    for step in 0..<entries.count {
      let entry = entries[(start + step) & (entries.count - 1)]
      if entry.place != 0 { kept.append(entry) }
    }
    refill(kept, capacity: entries.count * 2)
  }

  private mutating func refill(_ kept: [Entry], capacity: Int) {
    entries = Array(repeating: Entry(), count: capacity)
    count = kept.count
    for entry in kept {
      var index = home(entry.mark)
      while entries[index].place != 0 { index = (index + 1) & (entries.count - 1) }
      entries[index] = entry
    }
  }

  /// Moves later entries back over an emptied one, so that looking needs no tombstones; the order of
  /// entries of one identity stays.
  private mutating func closeGap(at emptied: Int) {
    let mask = entries.count - 1
    entries[emptied] = Entry()
    count -= 1
    var gap = emptied
    var index = (gap + 1) & mask
    while entries[index].place != 0 {
      if (index - home(entries[index].mark)) & mask >= (index - gap) & mask {
        entries[gap] = entries[index]
        entries[index] = Entry()
        gap = index
      }
      index = (index + 1) & mask
    }
  }
}
