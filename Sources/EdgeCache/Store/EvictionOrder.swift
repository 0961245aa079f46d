// What is evicted when memory is full: three policies over lists through the slots of a shard. A hit
// is a handful of integers in the slot that was hit and in its neighbours: O(1), and nothing is
// allocated, counted or dispatched.
//
// Invariants: every stored response is in exactly one list, `list` of its slot says which, and bit n
// of `occupied` is set if and only if list n has one. For size-lru, `level` never increases from the
// newest of a list to its oldest, and no stored response is worth less than `level` of the order.

/// The order in which the stored responses of one shard are evicted.
struct EvictionOrder: Sendable {
  typealias Slots = [MemoryShard.Slot]

  /// Uses are counted up to here.
  static let mostUses: UInt8 = 15

  private struct List: Sendable {
    var newest = MemoryShard.none
    var oldest = MemoryShard.none
    /// `level` of the oldest, so that looking for a victim need not go to its slot.
    var level: UInt64 = 0
  }

  let policy: EvictionPolicy
  /// lru: one. slru: probation and protected. size-lru: one for each worth, the most first.
  private var lists: [List]
  private var occupied: UInt64 = 0
  /// Bytes in the protected list (slru).
  private var protectedBytes = 0
  /// The worth of what was evicted last (size-lru). It only grows, and wraps around: whatever is
  /// stored is worth at most 2^51 more, so that differences are always right.
  private var level: UInt64 = 0

  init(_ policy: EvictionPolicy) {
    self.policy = policy
    lists = Self.emptyLists(policy)
  }

  private static func emptyLists(_ policy: EvictionPolicy) -> [List] {
    let count =
      switch policy {
      case .lru: 1
      case .slru: 2
      case .sizeLRU: worths
      }
    return [List](repeating: List(), count: count)
  }

  /// Forgets all slots.
  mutating func clear() {
    self = EvictionOrder(policy)
  }

  // MARK: Events

  /// A response came into the shard. O(1).
  mutating func insert(_ slot: Int32, _ slots: inout Slots) {
    switch policy {
    case .lru: push(slot, on: 0, &slots)
    case .slru:
      push(slot, on: slots[Int(slot)].uses > 1 ? Self.protected : Self.probation, &slots)
    case .sizeLRU: push(slot, on: Self.list(slots[Int(slot)].cost, slots[Int(slot)].uses), &slots)
    }
  }

  /// A response was used. O(1).
  mutating func touch(_ slot: Int32, _ slots: inout Slots) {
    let uses = slots[Int(slot)].uses
    if uses < Self.mostUses { slots[Int(slot)].uses = uses + 1 }
    let list: Int
    switch policy {
    case .lru: list = 0
    case .slru: list = Self.protected
    case .sizeLRU: list = Self.list(slots[Int(slot)].cost, slots[Int(slot)].uses)
    }
    if lists[list].newest == slot, slots[Int(slot)].level == level { return }
    remove(slot, &slots)
    push(slot, on: list, &slots)
  }

  /// The slot whose response is to be evicted; `none` if there is none. `room` is what all stored
  /// responses may use. O(lists), and for slru what hits have moved since the last time.
  mutating func victim(_ slots: inout Slots, room: Int) -> Int32 {
    switch policy {
    case .lru: return lists[0].oldest
    case .slru: return segmentedVictim(&slots, room: room)
    case .sizeLRU: return leastWorthy()
    }
  }

  // MARK: Segmented LRU

  private static let probation = 0
  private static let protected = 1

  /// Four fifths of the room are for what was used again; what is too much there moves back among
  /// what was used once, ahead of it. That is done here and not at each hit, so that a hit is O(1).
  private mutating func segmentedVictim(_ slots: inout Slots, room: Int) -> Int32 {
    let limit = room / 5 * 4
    while protectedBytes > limit {
      let slot = lists[Self.protected].oldest
      guard slot != MemoryShard.none else { break }
      remove(slot, &slots)
      push(slot, on: Self.probation, &slots)
    }
    let oldest = lists[Self.probation].oldest
    return oldest != MemoryShard.none ? oldest : lists[Self.protected].oldest
  }

  // MARK: GreedyDual

  // What a response is worth beyond the level at its last use is 2^b / 2^c, with c the binary
  // logarithm of its cost and b that of its uses, at most 3. Only c - b matters, so there is one list
  // for each value of it, and within a list the one used longest ago is worth least.

  private static let worths = 52

  /// The list of a response: c - b, shifted so that it begins with 0. O(1).
  private static func list(_ cost: Int, _ uses: UInt8) -> Int {
    let size = Int.bitWidth - 1 - max(1, cost).leadingZeroBitCount
    let use = min(3, 7 - uses.leadingZeroBitCount)
    return min(size - use + 3, worths - 1)
  }

  /// What those in a list are worth beyond their level; the smallest worth is 1.
  private static func worth(_ list: Int) -> UInt64 {
    1 << UInt64(worths - 1 - list)
  }

  /// Of equals, the larger one goes.
  private mutating func leastWorthy() -> Int32 {
    var rest = occupied
    var least = UInt64.max
    var victim = MemoryShard.none
    while rest != 0 {
      let list = 63 - rest.leadingZeroBitCount
      rest &= ~(1 << UInt64(list))
      let worth = lists[list].level &+ Self.worth(list) &- level
      if worth < least {
        least = worth
        victim = lists[list].oldest
      }
    }
    if victim != MemoryShard.none { level &+= least }
    return victim
  }

  // MARK: Lists

  private mutating func push(_ slot: Int32, on list: Int, _ slots: inout Slots) {
    let newest = lists[list].newest
    slots[Int(slot)].newer = MemoryShard.none
    slots[Int(slot)].older = newest
    slots[Int(slot)].list = UInt8(truncatingIfNeeded: list)
    slots[Int(slot)].level = level
    if newest != MemoryShard.none {
      slots[Int(newest)].newer = slot
    } else {
      lists[list].oldest = slot
      lists[list].level = level
      occupied |= 1 << UInt64(list)
    }
    lists[list].newest = slot
    if policy == .slru, list == Self.protected { protectedBytes += slots[Int(slot)].cost }
  }

  /// Takes a slot out of its list. O(1).
  mutating func remove(_ slot: Int32, _ slots: inout Slots) {
    let (newer, older) = (slots[Int(slot)].newer, slots[Int(slot)].older)
    let list = Int(slots[Int(slot)].list)
    if older != MemoryShard.none {
      slots[Int(older)].newer = newer
    } else {
      lists[list].oldest = newer
      if newer != MemoryShard.none { lists[list].level = slots[Int(newer)].level }
    }
    if newer != MemoryShard.none {
      slots[Int(newer)].older = older
    } else {
      lists[list].newest = older
      if older == MemoryShard.none { occupied &= ~(1 << UInt64(list)) }
    }
    if policy == .slru, list == Self.protected { protectedBytes -= slots[Int(slot)].cost }
  }

  /// The slots of each list from the newest to the oldest, for tests of the invariants. O(slots).
  func contents(_ slots: Slots) -> [[Int32]] {
    lists.map { list in
      var content: [Int32] = []
      var slot = list.newest
      while slot != MemoryShard.none {
        content.append(slot)
        slot = slots[Int(slot)].older
      }
      return content
    }
  }
}
