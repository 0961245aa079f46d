import NIOCore

// What was purged by prefix, host or name is found when it is looked up; of what nobody looks up, here. Segment by
// segment the heads of records are read that are older than such a purge, what is dead is taken out of the
// directory, and a segment of which nothing is left is free at once.

extension DiskStore {
  /// How far a segment was looked through.
  struct Sweeping: Sendable {
    let segment: Int
    let life: UInt64
    /// The newest purge when that began.
    let target: UInt64
    var records: ArraySlice<RecordSummary>
    /// Number of records that are still of use.
    var alive = 0
    var window: DiskWindow
  }

  /// Looks at up to `count` records that may have been purged; false if there is nothing to look for. Waits for
  /// the disk. To be called by the thread that writes.
  public func sweep(count: Int) -> Bool {
    guard var sweeping = nextSweeping() else { return false }
    for _ in 0..<count {
      guard let record = sweeping.records.popFirst() else { break }
      look(at: record, &sweeping)
    }
    if sweeping.records.isEmpty { finish(sweeping) }
    let left = sweeping
    self.sweeping.withLock { $0 = left.records.isEmpty ? nil : left }
    return true
  }

  /// What was begun, or the next segment that has something older than a purge by prefix, host or name.
  private func nextSweeping() -> Sweeping? {
    if let begun = sweeping.withLock({ $0 }) { return begun }
    let target = purges.newestOfMany
    while true {
      let next = state.withLock { state -> (segment: Int, life: UInt64)? in
        let index = state.segments.firstIndex {
          $0.phase == .sealed && $0.isListed && $0.oldestStamp < target && $0.sweptThrough < target
        }
        return index.map { ($0, state.segments[$0].life) }
      }
      guard let (segment, life) = next else { return nil }
      if let records = SegmentFooter.read(volume, segment, life: life, header) {
        return Sweeping(
          segment: segment, life: life, target: target, records: records[...],
          window: DiskWindow(volume, .segment(segment), step: 64 << 10))
      }
      // After an error it has no list, and what is in it is found when it is read.
      state.withLock { $0.segments[segment].isListed = false }
    }
  }

  private func look(at record: RecordSummary, _ sweeping: inout Sweeping) {
    let place = DiskPlace(
      segment: sweeping.segment, offset: record.offset, size: record.size)
    // Not while it is written anew.
    let isThere = state.withLock { state in
      let segment = state.segments[place.segment]
      guard segment.life == sweeping.life, segment.phase == .sealed,
        state.directory.contains(record.hash, place)
      else { return false }
      state.segments[place.segment].readers += 1
      return true
    }
    guard isThere else { return }
    defer { release([Leased(place: place, life: sweeping.life)]) }
    if record.stamp >= sweeping.target {
      sweeping.alive += 1
      return
    }
    // What cannot be read cannot be told from what was purged.
    guard let (key, names) = read(record, &sweeping) else {
      return failedToRead(place, record.hash)
    }
    let coverage = purges.coverage(of: key, names)
    guard coverage.hard > record.stamp else {
      sweeping.alive += 1
      return
    }
    state.withLock { state in
      state.statistics.swept += UInt64(state.directory.remove(record.hash) { $0 == place })
    }
    purges.countFreed(coverage.hard, count: 1, bytes: 0, taking: record.hash)
  }

  private func read(
    _ record: RecordSummary, _ sweeping: inout Sweeping
  ) -> (CacheKey, ResponseNames)? {
    guard let bytes = sweeping.window.bytes(at: record.offset, count: RecordHeader.size),
      let header = RecordHeader(bytes, life: sweeping.life), header.hash == record.hash,
      let head = sweeping.window.bytes(at: record.offset, count: header.tableOffset),
      header.headChecksum == Checksum.of(head, RecordHeader.size..<header.tableOffset),
      let (key, response) = header.read(head)
    else { return nil }
    return (key, response.names)
  }

  private func finish(_ sweeping: Sweeping) {
    let isDead = state.withLock { state in
      guard state.segments[sweeping.segment].life == sweeping.life else { return false }
      state.segments[sweeping.segment].sweptThrough = sweeping.target
      // What somebody reads is freed when it is written anew. And the newest life stays, for the next one is
      // told from all others by being higher.
      guard sweeping.alive == 0, state.segments[sweeping.segment].phase == .sealed,
        state.segments[sweeping.segment].readers == 0,
        state.segments.contains(where: { $0.phase != .free && $0.life > sweeping.life })
      else { return false }
      // From now on nobody can begin to read it.
      state.segments[sweeping.segment].phase = .abandoned
      return true
    }
    if !isDead { return }
    // Recovery must not find what purges are no longer remembered for.
    let isErased: Void? = try? erase(sweeping.segment)
    state.withLock { state in
      state.segments[sweeping.segment] = Segment(
        phase: isErased == nil ? .sealed : .free, life: sweeping.life)
      if isErased == nil {
        state.segments[sweeping.segment].oldestStamp = 0
      } else {
        state.strays.renew(sweeping.segment)
        state.free += 1
        state.statistics.freedSegments += 1
      }
    }
  }

  private func erase(_ segment: Int) throws(DiskError) {
    try volume.write(
      .segment(segment), at: 0,
      ByteBuffer(repeating: 0, count: DiskFormat.segmentHeader))
    try volume.sync(.segment(segment))
  }

  /// The lowest stamp of anything that purges by prefix, host or name may still be about. What is quarantined is not
  /// read before the next start, for which the log keeps them.
  public var oldestUnswept: UInt64 {
    state.withLock { state in
      state.segments.reduce(UInt64.max) { oldest, segment in
        if segment.oldestStamp == .max || !segment.mayBeRead { return oldest }
        return min(oldest, max(segment.oldestStamp, segment.sweptThrough))
      }
    }
  }
}
