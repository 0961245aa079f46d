// Room in memory for what arrives and for what is stored. All shards share one budget. What is small makes room in
// its own shard, where the order of eviction is exact; what is large takes from all of them alike, or the shard
// that it belongs to would lose everything.

extension Store {
  /// What is on its way is counted with the room its chunks may waste, and large content that is put together as it
  /// comes with no more than two blocks.
  private static func room(for bytes: Int) -> Int {
    StoredResponse.overhead + bytes + min(bytes / 8, 2 * Content.block)
  }

  /// Reserves room for a fill of `bytes`; false if there is none.
  func reserve(_ bytes: Int, _ flight: Flight, fill: inout Fill) -> Bool {
    var wanted = Self.room(for: bytes)
    guard wanted > fill.reserved else { return true }
    let isLarge = bytes > Content.block
    // Content of unknown length grows by a block at a time, or less where memory is small.
    if isLarge, fill.expectedLength == nil { wanted += min(Content.block, bytes / 8) }
    let more = wanted - fill.reserved
    guard isLarge ? makeRoomForLarge(more) : makeRoom(more, for: flight.key) else { return false }
    fill.reserved = wanted
    return true
  }

  /// Reserves room for something small.
  private func makeRoom(_ bytes: Int, for key: CacheKey) -> Bool {
    if shard(key).state.withLock({ $0.memory.reserve(bytes) }) { return true }
    // Nothing is left to evict where it belongs.
    for shard in shards where shard.state.withLock({ $0.memory.reserve(bytes) }) { return true }
    return false
  }

  /// Reserves room for something large: first from what is large itself and next to be evicted, then from all
  /// shards alike. A quarter of the memory is never for large content, so that there is room for what is small.
  private func makeRoomForLarge(_ bytes: Int) -> Bool {
    while !budget.mayFitLarge(bytes) {
      // What is still being sent makes no room by being evicted.
      guard budget.pinned + budget.reserved + bytes <= budget.capacity / 4 * 3 else { return false }
      if takeTurns(while: { !budget.mayFitLarge(bytes) }, { $0.evictLarge() ?? 0 }) == 0 {
        return false
      }
    }
    guard budget.mayFit(bytes) else { return false }
    if budget.reserve(bytes) { return true }
    _ = takeTurns(while: { budget.used + bytes > budget.capacity }) {
      $0.evict(onlyLarge: true) ?? 0
    }
    let turn = bytes / shards.count + 1
    while !budget.reserve(bytes) {
      let evicted = takeTurns(while: { budget.used + bytes > budget.capacity }) { memory in
        var evicted = 0
        while evicted < turn, budget.used + bytes > budget.capacity {
          guard let cost = memory.evict() else { break }
          evicted += cost
        }
        return evicted
      }
      if evicted == 0 { return false }
    }
    return true
  }

  /// Lets one shard after the other evict, each time beginning with another one; returns the bytes that went.
  private func takeTurns(
    while isShort: () -> Bool, _ evict: (inout MemoryShard) -> Int
  ) -> Int {
    let first = turns.wrappingAdd(1, ordering: .relaxed).newValue
    var evicted = 0
    for place in 0..<UInt64(shards.count) where isShort() {
      let shard = shards[Int(truncatingIfNeeded: first &+ place) & (shards.count - 1)]
      evicted += shard.state.withLock { evict(&$0.memory) }
    }
    return evicted
  }

  /// Reserves room for what is about to be stored in the shard of `key`, whose lock is held; other shards make room
  /// too if nobody holds theirs.
  func reserve(_ bytes: Int, in state: inout State, of key: CacheKey) -> Bool {
    if state.memory.reserve(bytes) { return true }
    let home = shard(key)
    for shard in shards where shard !== home {
      if shard.state.withLockIfAvailable({ $0.memory.reserve(bytes) }) == true { return true }
    }
    return false
  }

  /// This content with a lease, if it is large and there is room.
  func lease(_ content: Content) -> Content {
    guard content.count > Content.block, budget.reserve(content.capacity) else { return content }
    return content.counted(by: MemoryLease(reserved: content.capacity, of: budget))
  }

  // MARK: What is relayed

  /// Bytes of one relayed response that wait for its readers and are not counted.
  private static let uncounted = 64 << 10
  /// Room for more is reserved in steps of so many bytes.
  private static let relayStep = 256 << 10

  /// Reserves room for what waits for the readers of a relayed response, `count` bytes more than now. Returns how many
  /// bytes may wait for the slowest: few if there is no room for more. All of them, with what is on its way into the
  /// store, have a quarter of the memory.
  func relayWindow(_ flight: Flight, adding count: Int, fill: inout Fill) -> Int {
    let waiting = flight.waiting + count
    let step = Self.relayStep
    let wanted = waiting <= Self.uncounted ? 0 : (waiting + step - 1) / step * step
    let more = wanted - fill.reserved
    if more > 0 {
      guard budget.reserved + more <= budget.capacity / 4, makeRoom(more, for: flight.key) else {
        return min(limits.relayWindow, max(Self.uncounted, fill.reserved))
      }
      fill.reserved = wanted
    } else if wanted == 0 || more < -step {
      budget.release(-more)
      fill.reserved = wanted
    }
    return limits.relayWindow
  }

  /// Gives back what a fill has reserved but for what its readers still wait for, because it will not be stored.
  func keepWaiting(_ fill: inout Fill, of flight: Flight) {
    let kept = min(fill.reserved, flight.waiting)
    budget.release(fill.reserved - kept)
    fill.reserved = kept
  }

  // MARK: What fills have reserved

  /// Gives back what a fill has reserved. What its readers still wait for, if that is not little, stays counted until
  /// they have it.
  func release(_ fill: inout Fill, of flight: Flight) {
    let reserved = fill.reserved
    fill.reserved = 0
    guard reserved > 0 else { return }
    let waiting = min(reserved, flight.waiting)
    if waiting > Self.uncounted {
      budget.release(reserved - waiting)
      flight.hold(MemoryLease(reserved: waiting, of: budget))
    } else {
      budget.release(reserved)
    }
  }

  /// The whole content of a flight, if it may be stored. Large content has a lease, which takes the place of the
  /// fill's reservation, and which readers have too.
  func takeContent(of flight: Flight, fill: inout Fill) -> Content? {
    guard let content = flight.takeContent() else { return nil }
    guard content.count > Content.block else { return content }
    let more = content.capacity - fill.reserved
    guard more <= 0 || budget.reserve(more) else { return nil }
    fill.reserved += max(0, more) - content.capacity
    let lease = MemoryLease(reserved: content.capacity, of: budget)
    flight.hold(lease)
    return content.counted(by: lease)
  }
}

// What is passed on for a while rather than kept.
extension Store {
  /// Content that does not say how long it is turned out too large to be kept: next time it is passed on at once,
  /// rather than evict what is stored for it in vain.
  func passLarge(_ key: CacheKey, now: Instant) {
    shard(key).state.withLock { $0.tooLarge.mark(key, now: now) }
  }

  /// True if content of unknown length turned out too large a while ago.
  func wasTooLarge(_ key: CacheKey, now: Instant) -> Bool {
    shard(key).state.withLock { $0.tooLarge.contains(key, now: now) }
  }

  /// What a key names is for each client alone for a while.
  func markHitForMiss(_ key: CacheKey, now: Instant) {
    shard(key).state.withLock { $0.hitForMiss.mark(key, now: now) }
  }
}
