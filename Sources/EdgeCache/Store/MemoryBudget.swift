import Synchronization

// The bytes of memory that all shards share. Shards are locks and orders of eviction; what they may use is one
// sum, so that a response may be larger than a shard's share, and takes its room from all of them.
//
// Invariant: what was granted never exceeds the capacity. It is what is stored, what fills have reserved, and the
// leases of large content, which last as long as anybody has the content, stored or not.

/// What of the memory is in use.
final class MemoryBudget: Sendable {
  /// Bytes that may be used.
  let capacity: Int
  /// Number of shards that share them.
  let shards: Int

  private let granted = Atomic<Int>(0)
  private let reservations = Atomic<Int>(0)
  private let leases = Atomic<Int>(0)
  private let storedLeases = Atomic<Int>(0)

  /// A budget of that many bytes for a number of shards.
  init(capacity: Int, shards: Int = 1) {
    (self.capacity, self.shards) = (capacity, shards)
  }

  /// Bytes in use, reservations and leases included.
  var used: Int { granted.load(ordering: .relaxed) }
  /// Bytes that fills have reserved, part of `used`.
  var reserved: Int { reservations.load(ordering: .relaxed) }
  /// Bytes of large content, part of `used`.
  var leased: Int { leases.load(ordering: .relaxed) }
  /// Bytes of large content that is not stored any more, and is still being sent.
  var pinned: Int { max(0, leased - storedLeases.load(ordering: .relaxed)) }

  /// What one shard may use when all use the same.
  var share: Int { (capacity - reserved) / shards }

  /// True unless that many bytes would not fit even if nothing were stored.
  func mayFit(_ bytes: Int) -> Bool { reserved + pinned + bytes <= capacity }

  /// True if that many bytes of large content leave a quarter of the memory to all else.
  func mayFitLarge(_ bytes: Int) -> Bool { leased + reserved + bytes <= capacity / 4 * 3 }

  /// Reserves bytes for a fill; false if there is no room for them.
  func reserve(_ bytes: Int) -> Bool {
    var present = granted.load(ordering: .relaxed)
    while present + bytes <= capacity {
      let (exchanged, original) = granted.weakCompareExchange(
        expected: present, desired: present + bytes, ordering: .relaxed)
      if exchanged {
        reservations.add(bytes, ordering: .relaxed)
        return true
      }
      present = original
    }
    return false
  }

  /// Gives back a reservation.
  func release(_ bytes: Int) {
    let left = reservations.subtract(bytes, ordering: .relaxed).newValue
    invariant(left >= 0, "more bytes released than reserved")
    free(bytes)
  }

  /// A reservation becomes what is stored.
  func store(_ bytes: Int) {
    let left = reservations.subtract(bytes, ordering: .relaxed).newValue
    invariant(left >= 0, "a response is stored without room for it")
  }

  /// What was stored is gone.
  func free(_ bytes: Int) {
    let left = granted.subtract(bytes, ordering: .relaxed).newValue
    invariant(left >= 0, "more bytes freed than were used")
  }

  /// A reservation becomes a lease.
  fileprivate func lease(_ bytes: Int) {
    leases.add(bytes, ordering: .relaxed)
    store(bytes)
  }

  fileprivate func endLease(_ bytes: Int) {
    leases.subtract(bytes, ordering: .relaxed)
    free(bytes)
  }

  /// Content with leases of that many bytes came into a shard, or left it.
  func countStored(leased bytes: Int) {
    if bytes != 0 { storedLeases.add(bytes, ordering: .relaxed) }
  }
}

/// The room of large content, counted for as long as anybody has it: what was evicted while it is sent to a slow
/// client still is memory.
final class MemoryLease: Sendable {
  private let budget: MemoryBudget
  private let size: Atomic<Int>

  /// A lease of bytes that were reserved.
  init(reserved bytes: Int, of budget: MemoryBudget) {
    self.budget = budget
    size = Atomic(bytes)
    budget.lease(bytes)
  }

  /// Bytes that it is of.
  var bytes: Int { size.load(ordering: .relaxed) }

  /// Gives back all but `bytes`. For one thread at a time.
  func shrink(to bytes: Int) {
    let more = self.bytes - bytes
    guard more > 0 else { return }
    size.store(bytes, ordering: .relaxed)
    budget.endLease(more)
  }

  deinit { budget.endLease(bytes) }
}
