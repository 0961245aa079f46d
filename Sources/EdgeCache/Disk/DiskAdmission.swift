// What is worth a place on disk. Most of what a cache fetches is never asked for again, or not before the
// disk has been written over once; every byte of it that is written wears the disk out for nothing.

/// What is written to disk.
public enum DiskAdmissionPolicy: String, Sendable, Hashable, CaseIterable {
  /// Everything while there are free segments, from then on what was asked for four times lately: about as
  /// often as what is there.
  case auto
  /// Everything.
  case all
  /// What is asked for a second time while the first time is remembered.
  case secondHit = "second-hit"
}

/// Decides what is written to one disk.
struct DiskAdmission {
  let policy: DiskAdmissionPolicy
  private var recent: RecentIdentities
  private var counts: FrequencySketch

  /// Times that something was asked for before it takes the place of something else.
  private static let enough = 4

  /// Suits a disk with so many records.
  init(_ policy: DiskAdmissionPolicy, records: Int) {
    self.policy = policy
    recent = RecentIdentities(capacity: policy == .secondHit ? max(1024, records) : 0)
    counts = FrequencySketch(records: policy == .auto ? records : 0)
  }

  /// Bytes of memory.
  var memory: Int { recent.memory + counts.memory }

  /// Something was asked for that is there. O(1).
  mutating func note(_ hash: KeyHash) {
    if policy == .auto { _ = counts.add(hash) }
  }

  /// True if a response of that identity is to be written now; remembers that it was asked for. `records` is
  /// how many there are. O(1).
  mutating func admits(_ hash: KeyHash, hasFreeSegments: Bool, records: Int) -> Bool {
    switch policy {
    case .all: return true
    case .secondHit:
      recent.grow(records)
      return recent.remember(hash)
    case .auto:
      counts.grow(records)
      let count = counts.add(hash)
      return hasFreeSegments || count >= Self.enough
    }
  }
}

/// Remembers what was asked for lately: two generations of a Bloom filter, of which the older one is
/// forgotten when the younger one is full. 2 bytes for each identity, one in 50 is taken for another.
struct RecentIdentities {
  private var young: [UInt64]
  private var old: [UInt64]
  private var count = 0
  private var capacity: Int

  /// Remembers at least `capacity` identities.
  init(capacity: Int) {
    self.capacity = capacity
    var words = 1
    while words * 64 < capacity * 8 { words *= 2 }
    young = Array(repeating: 0, count: words)
    old = young
  }

  var memory: Int { (young.count + old.count) * 8 }

  /// Remembers as many as there are records, once they have become many more.
  mutating func grow(_ records: Int) {
    if records > 2 * capacity { self = RecentIdentities(capacity: records) }
  }

  /// Notes that an identity was asked for; true if it had been before.
  mutating func remember(_ hash: KeyHash) -> Bool {
    var isYoung = true
    var isOld = true
    let mask = UInt64(young.count * 64 - 1)
    for round in 0..<4 as Range<UInt64> {
      // Double hashing over the two halves, which are as good as random.
      let bit = (hash.low &+ round &* (hash.high | 1)) & mask
      let (word, flag) = (Int(bit >> 6), UInt64(1) << (bit & 63))
      if young[word] & flag == 0 {
        isYoung = false
        young[word] |= flag
      }
      if old[word] & flag == 0 { isOld = false }
    }
    if !isYoung {
      count += 1
      if count >= capacity {
        swap(&young, &old)
        for index in young.indices { young[index] = 0 }
        count = 0
      }
    }
    return isYoung || isOld
  }
}

/// Counts how often what was asked for lately: a count-min sketch of counters of 4 bits, 4 to 8 bytes for each
/// record on disk. All counters are halved in the time in which four requests come for each record, a few with
/// each request, so that nobody waits for all of them.
struct FrequencySketch {
  private var words: [UInt64]
  private var records: Int
  private var cursor = 0
  /// Counters are halved for each request, in words and parts of one.
  private var due = 0.0

  private static let fewest = 1000
  private static let requestsForEachRecord = 4

  /// Suits a disk with so many records; without any it counts nothing.
  init(records: Int) {
    self.records = max(Self.fewest, records)
    var count = 1
    while count * 16 < self.records * 8 { count *= 2 }
    words = Array(repeating: 0, count: count)
  }

  var memory: Int { words.count * 8 }

  /// Suits so many records, once they have become many more. What was counted is forgotten.
  mutating func grow(_ records: Int) {
    if records > 2 * self.records { self = FrequencySketch(records: records) }
  }

  /// Counts one more, and returns how many there were lately, up to 15. O(1).
  mutating func add(_ hash: KeyHash) -> Int {
    age()
    var least: UInt64 = 15
    for row in 0..<4 as Range<UInt64> {
      let (word, shift) = place(hash, row)
      least = min(least, words[word] >> shift & 15)
    }
    if least == 15 { return 15 }
    // Only the lowest ones, so that others are disturbed as little as can be.
    for row in 0..<4 as Range<UInt64> {
      let (word, shift) = place(hash, row)
      if words[word] >> shift & 15 == least { words[word] += 1 << shift }
    }
    return Int(least) + 1
  }

  private func place(_ hash: KeyHash, _ row: UInt64) -> (word: Int, shift: UInt64) {
    let mixed = (hash.low &+ row &* (hash.high | 1)) &* 0x9E37_79B9_7F4A_7C15
    let counter = mixed >> 20
    return (Int(truncatingIfNeeded: counter >> 4) & (words.count - 1), (counter & 15) * 4)
  }

  private mutating func age() {
    due += Double(words.count) / Double(Self.requestsForEachRecord * records)
    while due >= 1 {
      due -= 1
      words[cursor] = words[cursor] >> 1 & 0x7777_7777_7777_7777
      cursor = cursor + 1 == words.count ? 0 : cursor + 1
    }
  }
}
