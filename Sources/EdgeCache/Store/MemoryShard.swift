// One shard of the memory tier: a flat table of slots, an index from hash to slot, and the order of
// eviction through the slots. Everything is an integer or a reference to an immutable response, so
// a hit allocates nothing.
//
// Invariants: `stored` is the sum of the costs in the slots, all of which the budget has granted. Each stored
// response is in exactly one chain and one list of the order, and in `largeSlots` if its content has a lease.

/// One shard; its owner guards it with a lock.
struct MemoryShard: Sendable {
  static let none: Int32 = -1

  /// What is known of one stored response; 56 bytes. Without the response itself, so that looking at
  /// it counts no references.
  struct Slot: Sendable {
    var hash = KeyHash(low: 0, high: 0)
    /// Sequence number of the newest purge that is known not to cover this response.
    var stamp: UInt64 = 0
    var cost = 0
    /// Toward the most recently used.
    var newer = MemoryShard.none
    /// Toward the least recently used; in a free slot, the next free one.
    var older = MemoryShard.none
    /// The next stored response of the same identity.
    var next = MemoryShard.none
    /// The list of the order of eviction that it is in.
    var list: UInt8 = 0
    /// How often it was used, up to ``EvictionOrder/mostUses``; bringing it here was the first.
    var uses: UInt8 = 1
    /// What was least worth keeping when it was used last (`size-lru`).
    var level: UInt64 = 0
  }

  private var slots: [Slot] = []
  /// What is stored in each slot; nil in a free one.
  private var responses: [StoredResponse?] = []
  /// Open addressing: the first slot of a chain, or `none`.
  private var index: [Int32]
  private var chains = 0
  private var free: Int32 = MemoryShard.none
  private var order: EvictionOrder

  /// The memory that this shard shares with others.
  let budget: MemoryBudget
  /// Slots of large content, those first that are looked at next when it must make room.
  private var largeSlots: [Int32] = []
  /// Bytes that stored responses take.
  private(set) var stored = 0
  /// Number of stored responses.
  private(set) var count = 0
  /// Number of responses evicted so far.
  private(set) var evictions: UInt64 = 0

  /// An empty shard with a budget of its own.
  init(capacity: Int, eviction: EvictionPolicy = .lru) {
    self.init(MemoryBudget(capacity: capacity), eviction: eviction)
  }

  /// An empty shard.
  init(_ budget: MemoryBudget, eviction: EvictionPolicy = .lru) {
    self.budget = budget
    order = EvictionOrder(eviction)
    index = [Int32](repeating: Self.none, count: 64)
  }

  // MARK: Chains

  /// The stored response that a request's fields select, or whether there are others.
  ///
  /// RFC 9111 §4.1: of several that match, the newest; and one without `Vary` only if no other
  /// matches, for some resources leave it out of their default response.
  mutating func select(
    _ key: CacheKey, request: FieldSection, purges: PurgeLog, touches: Bool
  ) -> Store.Found {
    var slot = first(key.hash)
    var found = Self.none
    var hasOthers = false
    let head = purges.head
    while slot != Self.none {
      let next = slots[Int(slot)].next
      guard slots[Int(slot)].stamp == head || isCurrent(slot, head, purges) else {
        slot = next
        continue
      }
      guard let response = responses[Int(slot)] else { break }
      if response.key.hasSpelling(of: key), response.key.scheme == key.scheme {
        if response.selector.isAny {
          if found == Self.none { found = slot }
        } else if response.selector.matches(request) {
          found = slot
          break
        } else {
          hasOthers = true
        }
      }
      slot = next
    }
    guard found != Self.none, let response = responses[Int(found)] else {
      return hasOthers ? .otherVariants : .nothing
    }
    if touches { order.touch(found, &slots) }
    return .selected(response)
  }

  /// Takes a slot out if it has been purged; true, and noted, if it is still there, perhaps as something stale.
  private mutating func isCurrent(_ slot: Int32, _ head: UInt64, _ purges: PurgeLog) -> Bool {
    guard let response = responses[Int(slot)] else { return false }
    let coverage = purges.coverage(of: response.key, response.names)
    let stamp = slots[Int(slot)].stamp
    if coverage.hard > stamp {
      purges.countFreed(
        coverage.hard, count: 1, bytes: slots[Int(slot)].cost, taking: response.key.hash)
      remove(slot)
      return false
    }
    if coverage.soft > stamp, let left = response.after(.stale) {
      purges.countFreed(coverage.soft, count: 1, bytes: 0)
      responses[Int(slot)] = left
    }
    slots[Int(slot)].stamp = head
    return true
  }

  /// The newest stored response of that identity for which `body` returns true; it counts as used now,
  /// unless it is only looked at. Purged ones are taken out on the way.
  mutating func find(
    _ key: CacheKey, purges: PurgeLog, touches: Bool = true, where body: (StoredResponse) -> Bool
  ) -> StoredResponse? {
    var slot = first(key.hash)
    let head = purges.head
    while slot != Self.none {
      let next = slots[Int(slot)].next
      if slots[Int(slot)].stamp == head || isCurrent(slot, head, purges),
        let response = responses[Int(slot)], response.key.hasSpelling(of: key), body(response)
      {
        if touches { order.touch(slot, &slots) }
        return response
      }
      slot = next
    }
    return nil
  }

  /// Calls `body` with each stored response of that identity, in the spelling of `key` or in any, and takes out those
  /// for which it returns true; returns their number and cost.
  mutating func removeAll(
    _ key: CacheKey, inAnySpelling: Bool = false,
    where body: (StoredResponse) -> Bool = { _ in true }
  ) -> (count: Int, bytes: Int) {
    var removed = 0
    var bytes = 0
    var slot = first(key.hash)
    while slot != Self.none {
      let next = slots[Int(slot)].next
      if let response = responses[Int(slot)],
        inAnySpelling || response.key.hasSpelling(of: key), body(response)
      {
        removed += 1
        bytes += slots[Int(slot)].cost
        remove(slot)
      }
      slot = next
    }
    return (removed, bytes)
  }

  /// Number and cost of what is stored of an identity, in any spelling. O(variants).
  func size(of key: CacheKey) -> PurgeEstimate {
    var size = PurgeEstimate()
    var slot = first(key.hash)
    while slot != Self.none {
      size.count += 1
      size.bytes += slots[Int(slot)].cost
      slot = slots[Int(slot)].next
    }
    return size
  }

  /// How often the first stored response of that identity for which `body` returns true was used, for
  /// what replaces it; 1 if there is none. O(variants).
  func uses(of key: CacheKey, where body: (StoredResponse) -> Bool) -> UInt8 {
    look(key, where: body).map { slots[Int($0)].uses } ?? 1
  }

  /// What the first stored response of that identity costs. O(variants).
  func cost(of key: CacheKey) -> Int? {
    look(key) { _ in true }.map { slots[Int($0)].cost }
  }

  private func look(_ key: CacheKey, where body: (StoredResponse) -> Bool) -> Int32? {
    var slot = first(key.hash)
    while slot != Self.none {
      if let response = responses[Int(slot)], response.key.hasSpelling(of: key),
        body(response)
      {
        return slot
      }
      slot = slots[Int(slot)].next
    }
    return nil
  }

  /// Takes out what has been purged of up to `count` slots from `first` on, and notes of the rest that it has
  /// not; returns where to go on, or nil at the end. O(count).
  mutating func sweep(_ purges: PurgeLog, from first: Int, count: Int) -> Int? {
    let head = purges.head
    let end = min(first + count, slots.count)
    for slot in first..<max(first, end) where slots[slot].stamp != head && responses[slot] != nil {
      _ = isCurrent(Int32(slot), head, purges)
    }
    return end < slots.count ? end : nil
  }

  /// How many stored responses, and bytes of them, `body` returns true for: of all if there are few, or else
  /// judged by `atMost` of them, taken evenly from `first` on. O(atMost).
  func estimate(
    atMost: Int, from first: Int, where body: (StoredResponse) -> Bool
  ) -> PurgeEstimate {
    var estimate = PurgeEstimate()
    guard !slots.isEmpty else { return estimate }
    let looks = min(atMost, slots.count)
    let step = max(1, slots.count / looks)
    var seen = 0
    for look in 0..<looks {
      let slot = (first + look * step) % slots.count
      guard let response = responses[slot] else { continue }
      seen += 1
      if body(response) {
        estimate.count += 1
        estimate.bytes += slots[slot].cost
      }
    }
    if looks < slots.count, seen > 0 {
      estimate.isSample = true
      let factor = Double(count) / Double(seen)
      estimate.count = Int((Double(estimate.count) * factor).rounded())
      estimate.bytes = Int((Double(estimate.bytes) * factor).rounded())
    }
    return estimate
  }

  // MARK: Space

  /// Reserves `bytes` and makes room for them by evicting from this shard what the policy says; false if nothing
  /// is left here to evict. What cannot fit evicts nothing.
  mutating func reserve(_ bytes: Int) -> Bool {
    guard budget.mayFit(bytes) else { return false }
    while !budget.reserve(bytes) {
      if evict() == nil { return false }
    }
    return true
  }

  /// Gives back a reservation.
  mutating func release(_ bytes: Int) { budget.release(bytes) }

  /// Evicts what the policy says, if there is anything and, `onlyLarge`, if it is large; returns what it cost.
  mutating func evict(onlyLarge: Bool = false) -> Int? {
    let victim = order.victim(&slots, room: budget.share)
    guard victim != Self.none, !onlyLarge || largeSlots.contains(victim) else { return nil }
    evictions += 1
    let cost = slots[Int(victim)].cost
    remove(victim)
    return cost
  }

  /// Evicts large content: of what has been used no more than once since it was looked at last, what was looked at
  /// longest ago; returns what it cost. O(large responses).
  mutating func evictLarge() -> Int? {
    guard !largeSlots.isEmpty else { return nil }
    while slots[Int(largeSlots[0])].uses > 1 {
      slots[Int(largeSlots[0])].uses /= 2
      largeSlots.append(largeSlots.removeFirst())
    }
    let victim = largeSlots[0]
    evictions += 1
    let cost = slots[Int(victim)].cost
    remove(victim)
    return cost
  }

  /// What was in a shard, to be freed where it holds nobody up.
  struct Evacuated: Sendable {
    fileprivate var responses: [StoredResponse?]
    /// Number of stored responses.
    let count: Int
    /// Bytes that they took.
    let bytes: Int

    /// Frees some of it; true when nothing is left. O(count).
    mutating func free(_ count: Int) -> Bool {
      responses.removeLast(min(count, responses.count))
      return responses.isEmpty
    }
  }

  /// Empties the shard. O(1): the content is handed to the caller to free.
  mutating func evacuate() -> Evacuated {
    // Large content is freed at once: it is few, and its room would be missed.
    var leased = 0
    for slot in largeSlots {
      leased += responses[Int(slot)]?.content.lease?.bytes ?? 0
      responses[Int(slot)] = nil
    }
    largeSlots = []
    budget.countStored(leased: -leased)
    budget.free(stored - leased)
    let content = Evacuated(responses: responses, count: count, bytes: stored)
    slots = []
    responses = []
    index = [Int32](repeating: Self.none, count: 64)
    chains = 0
    free = Self.none
    order.clear()
    stored = 0
    count = 0
    return content
  }

  /// Stores a response whose cost has been reserved, but for what a lease counts of it, as the newest of its chain. With `uses` it takes
  /// the standing of what it replaces.
  mutating func insert(_ response: StoredResponse, cost: Int, stamp: UInt64, uses: UInt8 = 1) {
    let slot = takeFreeSlot()
    let place = place(of: response.key.hash)
    responses[Int(slot)] = response
    slots[Int(slot)] = Slot(
      hash: response.key.hash, stamp: stamp, cost: cost, next: index[place],
      uses: uses)
    if index[place] == Self.none { chains += 1 }
    index[place] = slot
    count += 1
    stored += cost
    let leased = response.content.lease?.bytes ?? 0
    budget.store(cost - leased)
    if leased > 0 {
      budget.countStored(leased: leased)
      largeSlots.append(slot)
    }
    order.insert(slot, &slots)
    if chains * 4 > index.count * 3 { growIndex() }
  }

  // MARK: Slots

  private mutating func takeFreeSlot() -> Int32 {
    if free == Self.none {
      slots.append(Slot())
      responses.append(nil)
      return Int32(slots.count - 1)
    }
    let slot = free
    free = slots[Int(slot)].older
    return slot
  }

  private mutating func remove(_ slot: Int32) {
    order.remove(slot, &slots)
    unchain(slot)
    let cost = slots[Int(slot)].cost
    stored -= cost
    count -= 1
    invariant(stored >= 0 && count >= 0, "the shard's sums are wrong")
    let leased = responses[Int(slot)]?.content.lease?.bytes ?? 0
    budget.free(cost - leased)
    if leased > 0 {
      budget.countStored(leased: -leased)
      largeSlots.removeAll { $0 == slot }
    }
    slots[Int(slot)] = Slot(older: free)
    responses[Int(slot)] = nil
    free = slot
  }

  // MARK: Index

  /// The first slot of the chain with that hash, or `none`.
  private func first(_ hash: KeyHash) -> Int32 {
    index[place(of: hash)]
  }

  /// Where in the index a hash is, or would be.
  private func place(of hash: KeyHash) -> Int {
    let mask = index.count - 1
    var place = Int(truncatingIfNeeded: hash.low) & mask
    while index[place] != Self.none, slots[Int(index[place])].hash != hash {
      place = (place + 1) & mask
    }
    return place
  }

  private mutating func unchain(_ slot: Int32) {
    let place = place(of: slots[Int(slot)].hash)
    let next = slots[Int(slot)].next
    if index[place] == slot {
      index[place] = next
      if next == Self.none {
        chains -= 1
        closeGap(at: place)
      }
      return
    }
    var before = index[place]
    while before != Self.none, slots[Int(before)].next != slot {
      before = slots[Int(before)].next
    }
    invariant(before != Self.none, "a stored response is missing from its chain")
    slots[Int(before)].next = next
  }

  /// Moves later entries back over an emptied place, so that probing needs no tombstones.
  private mutating func closeGap(at emptied: Int) {
    let mask = index.count - 1
    var gap = emptied
    var place = (gap + 1) & mask
    while index[place] != Self.none {
      let home = Int(truncatingIfNeeded: slots[Int(index[place])].hash.low) & mask
      if (place - home) & mask >= (place - gap) & mask {
        index[gap] = index[place]
        index[place] = Self.none
        gap = place
      }
      place = (place + 1) & mask
    }
  }

  private mutating func growIndex() {
    let old = index
    index = [Int32](repeating: Self.none, count: old.count * 2)
    for slot in old where slot != Self.none {
      index[place(of: slots[Int(slot)].hash)] = slot
    }
  }

  // MARK: For tests

  /// Bytes in use of the whole budget, reservations included.
  var used: Int { budget.used }
  /// Bytes that fills have reserved, part of `used`.
  var reserved: Int { budget.reserved }
  /// Bytes that may be used.
  var capacity: Int { budget.capacity }

  /// Whether each stored response is once in the order of eviction, and nothing else is. O(slots).
  var ordersEachResponseOnce: Bool {
    let listed = order.contents(slots).joined()
    return listed.count == count && Set(listed).count == count
      && listed.allSatisfy { responses[Int($0)] != nil }
  }
}
