/// What is written to disk.
public enum DiskAdmissionPolicy: String, Sendable, Hashable, CaseIterable {
  /// Everything while there are free segments, from then on as `second-hit`.
  case auto
  /// Everything.
  case all
  /// What is asked for a second time while the first time is remembered.
  case secondHit = "second-hit"
}

/// Remembers what was asked for lately: two generations of a Bloom filter, of which the older one is
/// forgotten when the younger one is full. 2 bytes for each identity, one in 50 is taken for another.
struct DiskAdmission {
  private var young: [UInt64]
  private var old: [UInt64]
  private var count = 0
  private let capacity: Int
  let policy: DiskAdmissionPolicy

  /// Remembers at least `capacity` identities.
  init(_ policy: DiskAdmissionPolicy, capacity: Int) {
    self.policy = policy
    self.capacity = max(1024, capacity)
    var words = 64
    while words * 64 < self.capacity * 8 { words *= 2 }
    young = Array(repeating: 0, count: words)
    old = young
  }

  /// True if a response of that identity is to be written now; remembers that it was asked for.
  mutating func admits(_ hash: KeyHash, hasFreeSegments: Bool) -> Bool {
    let isKnown = remember(hash)
    switch policy {
    case .all: return true
    case .secondHit: return isKnown
    case .auto: return hasFreeSegments || isKnown
    }
  }

  /// Notes that an identity was asked for; true if it had been before.
  private mutating func remember(_ hash: KeyHash) -> Bool {
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
