import Seeds
import Testing

@testable import EdgeCache

/// The policies in their plainest form: a table, searched from end to end, that shares nothing with
/// the shard.
private struct NaiveOrder {
  struct Entry {
    var key: Int
    var cost: Int
    var uses = 1
    /// When it was last put at the head of a list.
    var moment = 0
    var isProtected = false
    /// The worth of what had been evicted last when this was used last.
    var level = 0.0

    /// 2^b / 2^c of GreedyDual.
    var worth: Double {
      var (size, use) = (max(1, cost), min(uses, 15))
      var (c, b) = (0, 0)
      while size > 1 { (size, c) = (size / 2, c + 1) }
      while use > 1 { (use, b) = (use / 2, b + 1) }
      b = min(b, 3)
      var worth = 1.0
      for _ in 0..<c { worth /= 2 }
      for _ in 0..<b { worth *= 2 }
      return worth
    }
  }

  let policy: EvictionPolicy
  let capacity: Int
  var entries: [Entry] = []
  var reserved = 0
  var evictions = 0
  private var moment = 0
  private var level = 0.0

  init(_ policy: EvictionPolicy, capacity: Int) {
    (self.policy, self.capacity) = (policy, capacity)
  }

  var used: Int { entries.reduce(reserved) { $0 + $1.cost } }

  private mutating func use(_ place: Int) {
    moment += 1
    entries[place].moment = moment
    entries[place].level = level
  }

  mutating func find(_ key: Int) -> Bool {
    guard let place = entries.firstIndex(where: { $0.key == key }) else { return false }
    entries[place].uses += 1
    entries[place].isProtected = true
    use(place)
    return true
  }

  mutating func insert(_ key: Int, cost: Int) {
    reserved -= cost
    entries.append(Entry(key: key, cost: cost))
    use(entries.count - 1)
  }

  mutating func remove(_ key: Int) -> Bool {
    let before = entries.count
    entries.removeAll { $0.key == key }
    return entries.count < before
  }

  mutating func reserve(_ bytes: Int) -> Bool {
    guard reserved + bytes <= capacity else { return false }
    while used + bytes > capacity {
      evictions += 1
      let victim = victim()
      entries.remove(at: victim)
    }
    reserved += bytes
    return true
  }

  private func oldest(where condition: (Entry) -> Bool) -> Int? {
    entries.indices.filter { condition(entries[$0]) }.min {
      entries[$0].moment < entries[$1].moment
    }
  }

  private mutating func victim() -> Int {
    switch policy {
    case .lru: return oldest { _ in true } ?? 0
    case .slru:
      while entries.filter(\.isProtected).reduce(0, { $0 + $1.cost })
        > (capacity - reserved) / 5 * 4
      {
        guard let place = oldest(where: \.isProtected) else { break }
        entries[place].isProtected = false
        use(place)
      }
      return oldest { !$0.isProtected } ?? oldest { _ in true } ?? 0
    case .sizeLRU:
      let least = entries.map { $0.level + $0.worth }.min() ?? 0
      let equals = entries.filter { $0.level + $0.worth == least }
      // Of equals the one that is worth least by itself, which is the larger one.
      let worth = equals.map(\.worth).min() ?? 0
      level = least
      return oldest { $0.level + $0.worth == least && $0.worth == worth } ?? 0
    }
  }
}

@Suite struct EvictionTests {
  private static let keys = (0..<60).compactMap {
    CacheKey(url: "http://a/\($0)".utf8, secret: HashSecret(5, 6))
  }

  /// Every hit and every eviction is the one of the plain table, whatever comes: uses, responses of
  /// all sizes, fills that hold reservations, removals, an emptied shard.
  @Test(arguments: EvictionPolicy.allCases, 1...6 as ClosedRange<UInt64>)
  func againstPlainTable(_ policy: EvictionPolicy, seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let responses = Self.keys.map { StoredResponse.sample($0) }
    let capacity = 2000 << Int(seed % 4)
    let purges = PurgeLog()
    var shard = MemoryShard(capacity: capacity, eviction: policy)
    var model = NaiveOrder(policy, capacity: capacity)
    var fills: [Int] = []
    for step in 0..<8000 {
      // Low numbers are asked for more often.
      let key = random.below(1 + random.below(Self.keys.count))
      switch random.below(100) {
      case 0..<85:
        let isHit = shard.find(Self.keys[key], purges: purges) { _ in true } != nil
        let shouldHit = model.find(key)
        #expect(isHit == shouldHit, "\(policy) seed \(seed), step \(step)")
        if isHit != shouldHit { return }
        guard !isHit else { break }
        let cost = random.below(1 << (1 + random.below(random.below(40) == 0 ? 14 : 9)))
        let fits = shard.reserve(cost)
        let shouldFit = model.reserve(cost)
        #expect(fits == shouldFit, "\(policy) seed \(seed), step \(step)")
        guard fits else { break }
        shard.insert(responses[key], cost: cost, stamp: 0)
        model.insert(key, cost: cost)
      case 85..<89:
        let removed = shard.removeAll(Self.keys[key]).count == 1
        let shouldRemove = model.remove(key)
        #expect(removed == shouldRemove, "\(policy) seed \(seed), step \(step)")
      case 89..<94:
        let bytes = random.below(capacity / 3)
        let fits = shard.reserve(bytes)
        let shouldFit = model.reserve(bytes)
        #expect(fits == shouldFit, "\(policy) seed \(seed), step \(step)")
        if fits { fills.append(bytes) }
      case 94..<99:
        guard !fills.isEmpty else { break }
        let bytes = fills.remove(at: random.below(fills.count))
        shard.release(bytes)
        model.reserved -= bytes
      default:
        guard random.below(20) == 0 else { break }
        let reserved = model.reserved
        _ = shard.evacuate()
        model = NaiveOrder(policy, capacity: capacity)
        model.reserved = reserved
        model.evictions = Int(shard.evictions)
      }
      let agrees =
        shard.used == model.used && shard.count == model.entries.count
        && shard.evictions == UInt64(model.evictions) && shard.used <= capacity
      #expect(agrees, "\(policy) seed \(seed), step \(step)")
      if !agrees || !shard.ordersEachResponseOnce { return }
    }
  }

  /// What replaces a stored response takes its standing, so that a validation costs nobody a place.
  @Test(arguments: [EvictionPolicy.slru, .sizeLRU])
  func replacementKeepsStanding(_ policy: EvictionPolicy) {
    let purges = PurgeLog()
    var shard = MemoryShard(capacity: 400, eviction: policy)
    func insert(_ key: Int, uses: UInt8 = 1) {
      let fits = shard.reserve(100)
      #expect(fits)
      shard.insert(.sample(Self.keys[key]), cost: 100, stamp: 0, uses: uses)
    }
    insert(0)
    for _ in 0..<5 { _ = shard.find(Self.keys[0], purges: purges) { _ in true } }
    let uses = shard.uses(of: Self.keys[0]) { _ in true }
    #expect(uses == 6)
    _ = shard.removeAll(Self.keys[0])
    insert(0, uses: uses)
    for key in 1...6 { insert(key) }
    #expect(shard.find(Self.keys[0], purges: purges) { _ in true } != nil)
    #expect(shard.find(Self.keys[1], purges: purges) { _ in true } == nil)
  }

  /// One pass over many large responses, which lru gives everything up for.
  @Test func aScanLeavesWhatIsUsed() {
    let kept = EvictionPolicy.allCases.map { policy in
      var tier = EvictionReplay(memory: 1000, eviction: policy)
      let used = (0..<20).map { EvictionReplay.object(Array("used\($0)".utf8)) }
      for _ in 0..<3 { for object in used { _ = tier.request(object, size: 20) } }
      for number in 0..<50 {
        _ = tier.request(EvictionReplay.object(Array("scan\(number)".utf8)), size: 100)
      }
      return used.count { tier.request($0, size: 20) == .hit }
    }
    #expect(kept == [0, 20, 20])
  }

  /// What is large gives way to what is small, and yet nothing stays for ever that is not used.
  @Test func whatIsNotUsedAges() {
    var tier = EvictionReplay(memory: 1000, eviction: .sizeLRU)
    let small = EvictionReplay.object(Array("small".utf8))
    for _ in 0..<20 { _ = tier.request(small, size: 10) }
    var requests = 0
    while tier.request(small, size: 10) == .hit, requests < 50_000 {
      // Not used for ever longer spells.
      for _ in 0...(requests / 8) {
        requests += 1
        _ = tier.request(EvictionReplay.object(Array("\(requests)".utf8)), size: 300)
      }
    }
    #expect(requests > 100 && requests < 50_000, "\(requests)")
  }

  @Test func aSlotIsSmall() {
    #expect(MemoryLayout<MemoryShard.Slot>.stride + MemoryLayout<StoredResponse?>.stride == 64)
  }
}

/// An independent LRU: keys in the order of their use, and no more.
private struct TextbookLRU {
  let capacity: Int
  var sizes: [Int: Int] = [:]
  var order: [Int] = []
  var used = 0

  init(capacity: Int) { self.capacity = capacity }

  mutating func request(_ key: Int, size: Int) -> Bool {
    if sizes[key] != nil {
      order.remove(at: order.firstIndex(of: key) ?? 0)
      order.append(key)
      return true
    }
    guard size <= capacity else { return false }
    while used + size > capacity { used -= sizes.removeValue(forKey: order.removeFirst()) ?? 0 }
    sizes[key] = size
    order.append(key)
    used += size
    return false
  }
}

@Suite struct EvictionReplayTests {
  /// Not one request of thousands goes another way than in a textbook's LRU.
  @Test(arguments: 1...8 as ClosedRange<UInt64>) func lruIsExact(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let objects = (0..<400).map { EvictionReplay.object(Array("key \($0)#?".utf8)) }
    let sizes = objects.map { _ in random.below(1 << (1 + random.below(14))) }
    let capacity = 1000 + random.below(60_000)
    var tier = EvictionReplay(memory: capacity, eviction: .lru)
    var textbook = TextbookLRU(capacity: capacity)
    for step in 0..<20_000 {
      let key = random.below(1 + random.below(objects.count))
      // Sometimes with another size than is stored.
      let size = random.below(20) == 0 ? sizes[key] + 1 : sizes[key]
      let isHit = tier.request(objects[key], size: size) == .hit
      let shouldHit = textbook.request(key, size: size)
      #expect(isHit == shouldHit, "seed \(seed), step \(step)")
      if isHit != shouldHit { return }
    }
    #expect(tier.stored.bytes == textbook.used && tier.stored.count == textbook.order.count)
  }

  /// What a request with another size is, and what is too large.
  @Test func sizes() {
    let (one, other) = (EvictionReplay.object([1]), EvictionReplay.object([2]))
    for changed in EvictionReplay.ChangedSize.allCases {
      var tier = EvictionReplay(
        memory: 100, eviction: .lru, overhead: 10, largest: 60, changedSize: changed)
      func expect(
        _ object: EvictionReplay.Object, _ size: Int, _ outcome: EvictionReplay.Outcome,
        stored: (Int, Int), line: Int = #line
      ) {
        let actual = tier.request(object, size: size)
        #expect(actual == outcome && tier.stored == stored, "\(changed), line \(line)")
      }
      expect(other, 61, .tooLarge, stored: (0, 0))
      expect(one, 30, .stored, stored: (1, 40))
      expect(other, 30, .stored, stored: (2, 80))
      switch changed {
      case .keep:
        expect(one, 55, .hit, stored: (2, 80))
        expect(one, 61, .hit, stored: (2, 80))
      case .resize:
        expect(one, 55, .hit, stored: (1, 65))
        expect(one, 61, .hit, stored: (0, 0))
      case .replace:
        expect(one, 55, .stored, stored: (1, 65))
        expect(one, 61, .tooLarge, stored: (0, 0))
      }
    }
  }
}
