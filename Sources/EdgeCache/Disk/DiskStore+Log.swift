import NIOCore

// Writing purge.log and purge.mark behind it.
//
// What cannot be written is kept, and written in front of what comes next; until then the mark says that
// something is missing. So nothing that was purged comes back: while this process lives the directory knows, and
// whoever opens the store after a crash believes nothing that is older.

extension DiskStore {
  /// What is known of the files of the log.
  struct Log: Sendable {
    /// What was written last to purge.mark: with it the log is of a list, and was written anew so often.
    var mark: LogMark
    /// Bytes of purge.log, and how many of them are on stable storage, as the mark says too.
    var end = 0
    var stable = 0
    /// Bytes at which it is written anew.
    var compactsAt = DiskStore.smallestLog
    /// Bytes that there is room for.
    var room = 0
    /// What could not be written yet.
    var unlogged: [DiskPurge] = []
    /// True if what lies there may not be what was written: it has to be written anew.
    var isSuspect = false
    /// Records of a log that is not there any more, for when it is written anew.
    var kept: [UInt8]?
    /// The newest number in it that was taken for a fence of another disk.
    var blank: UInt64 = 0
    /// What is not to be believed by who opens the store next.
    var fence: DiskPurge?

    /// Records that are kept until they can be written; beyond, it is told that some are missing.
    static let mostUnlogged = 20_000
  }

  /// Bytes that are kept for purge.log, until it is written anew.
  static let logRoom = smallestLog + 2 * lowRoom

  /// Bytes that there is to be room for in a log of that size: always the same, until it grows beyond.
  static func room(forLog size: Int) -> Int {
    size + lowRoom <= logRoom ? logRoom : size + 2 * lowRoom
  }

  /// Writes records, and all that could not be written before; syncs them if that is wanted.
  func append(_ records: [DiskPurge], syncs: Bool, now: WallTime) throws(DiskError) {
    let problem = writer.withLock { writer -> DiskError? in
      do throws(DiskError) {
        try append(records, to: &writer.log, syncs: syncs, now: now)
        return nil
      } catch {
        return error
      }
    }
    if let problem { throw problem }
  }

  /// The same for who has the log.
  func append(
    _ records: [DiskPurge], to log: inout Log, syncs: Bool, now: WallTime
  ) throws(DiskError) {
    add(records, to: &log, now: now)
    do throws(DiskError) {
      try flush(&log, syncs: syncs, now: now)
      succeeded(.purges)
    } catch {
      let isTold = tellIncomplete(&log)
      failed(.purges, error)
      state.withLock { $0.serves = isTold }
      throw error
    }
  }

  /// Whoever opens the store next is not to believe what is older than a fence.
  func raiseFence(_ fence: DiskPurge, now: WallTime) {
    writer.withLock { writer in
      writer.log.fence = fence
      try? append([fence], to: &writer.log, syncs: true, now: now)
    }
  }

  private func add(_ records: [DiskPurge], to log: inout Log, now: WallTime) {
    log.unlogged += records
    guard log.unlogged.count > Log.mostUnlogged else { return }
    log.unlogged = []
    distrust(&log, "too many purges and removals could not be written", now)
  }

  /// Whoever opens the store next is to believe nothing that is there now, and others are not to be told that this
  /// is the list of purges that they know.
  private func distrust(_ log: inout Log, _ reason: String, _ now: WallTime) {
    log.fence = DiskPurge(sequence: purges.head + 1, scope: .fence(reason: reason), time: now)
    log.isSuspect = true
    var writer = DiskWriter(capacity: 16)
    writer.write(log.mark.list)
    writer.write(purges.head)
    log.mark.list = SipHash.hash(writer.bytes.span, prefix: log.mark.count, secret: secret).low
    log.mark.generation = 0
  }

  private func flush(_ log: inout Log, syncs: Bool, now: WallTime) throws(DiskError) {
    if log.isSuspect { return try rewrite(&log, now: now) }
    if log.unlogged.isEmpty, !syncs || log.stable == log.end { return }
    var bytes: [UInt8] = []
    for var record in log.unlogged {
      record.stable = log.stable
      bytes += record.bytes
    }
    let end = log.end + bytes.count
    if !bytes.isEmpty {
      makeRoom(&log, for: end)
      try volume.write(.purgeLog, at: log.end, ByteBuffer(bytes: bytes))
    }
    if syncs {
      do {
        try volume.sync(.purgeLog)
      } catch {
        // Another one that succeeds may say nothing of what was written before this one.
        log.isSuspect = true
        throw error
      }
    }
    try mark(&log, end: end, syncs: syncs)
    log.end = end
    log.unlogged = []
    if syncs { log.stable = end }
    count(bytes.count + LogMark.size)
    if end > log.compactsAt {
      do {
        try rewrite(&log, now: now)
      } catch {
        // All is logged, in a longer log.
        log.compactsAt = log.end + Self.smallestLog
      }
    }
  }

  private func count(_ bytes: Int) {
    state.withLock { $0.statistics.bytesWritten += UInt64(bytes) }
  }

  /// Room for the log to grow, while there is any.
  private func makeRoom(_ log: inout Log, for end: Int) {
    guard end > log.room else { return }
    log.room = Self.room(forLog: end)
    try? volume.allocate(.purgeLog, size: log.room)
  }

  /// Says how far the log is written.
  private func mark(_ log: inout Log, end: Int, syncs: Bool) throws(DiskError) {
    var mark = log.mark
    mark.count += 1
    mark.end = end
    mark.sequence = purges.head
    mark.isIncomplete = false
    try write(mark, syncs: syncs)
    log.mark = mark
  }

  private func write(_ mark: LogMark, syncs: Bool) throws(DiskError) {
    if try volume.size(.purgeMark) == nil { return try volume.replace(.purgeMark, with: mark.file) }
    try volume.write(.purgeMark, at: mark.offset, ByteBuffer(bytes: mark.bytes))
    if syncs { try volume.sync(.purgeMark) }
  }

  /// Says that something is missing in the log; false if that cannot be said either.
  private func tellIncomplete(_ log: inout Log) -> Bool {
    if log.mark.isIncomplete { return true }
    var mark = log.mark
    mark.count += 1
    mark.isIncomplete = true
    do throws(DiskError) {
      try write(mark, syncs: true)
    } catch {
      return false
    }
    log.mark = mark
    return true
  }

  // MARK: Anew

  /// Writes purge.log anew without what no record is older than, with what could not be written before.
  private func rewrite(_ log: inout Log, now: WallTime) throws(DiskError) {
    let old: [UInt8]
    if let kept = log.kept {
      old = kept
    } else if log.end > Self.largestLog {
      old = []
    } else {
      old = try volume.bytes(.purgeLog, at: 0, count: log.end)
    }
    let (records, end) = Self.records(of: old)
    if end < (log.kept?.count ?? log.end) {
      distrust(&log, "purge.log is not what was written to it", now)
    }
    let body = needed(records + log.unlogged, log, now: now)
    let size = DiskPurge.header + 16 + body.count
    let beginning = DiskPurge(
      // Numbers are given out only once, whatever is forgotten.
      sequence: purges.head,
      scope: .beginning(
        list: log.mark.list, generation: log.mark.generation &+ 1, bytes: size),
      time: now)
    try volume.replace(.purgeLog, with: beginning.bytes + body)
    log.mark.generation &+= 1
    (log.end, log.stable) = (size, 0)
    (log.unlogged, log.kept, log.isSuspect) = ([], nil, false)
    log.compactsAt = max(Self.smallestLog, 2 * size)
    log.room = 0
    makeRoom(&log, for: size)
    try mark(&log, end: size, syncs: true)
    log.stable = size
    count(size)
  }

  private static func records(of bytes: [UInt8]) -> (records: [DiskPurge], end: Int) {
    var records: [DiskPurge] = []
    var end = 0
    while let (purge, next) = DiskPurge.read(bytes, at: end) {
      records.append(purge)
      end = next
    }
    return (records, end)
  }

  /// The bytes of those records that are still needed, with how far other lists were read behind them.
  private func needed(_ records: [DiskPurge], _ log: Log, now: WallTime) -> [UInt8] {
    let (oldest, position) = state.withLock { state in
      let used = state.segments.filter { $0.phase != .free }
      return (
        used.reduce(UInt64.max) { min($0, $1.oldestStamp) },
        RecordSummary.position(
          life: used.reduce(UInt64.max) { min($0, $1.life) } & 0xFFF_FFFF_FFFF, offset: 0)
      )
    }
    var kept: [UInt8] = []
    if let fence = log.fence, fence.sequence > oldest { kept += fence.bytes }
    for var purge in records {
      let isNeeded =
        switch purge.scope {
        case .purge(let logged):
          purge.sequence > oldest || logged.id.map(purges.isKept) == true
        case .removed, .replaced: purge.sequence > position
        case .nothing, .cursor, .beginning, .fence: false
        }
      purge.stable = 0
      if isNeeded { kept += purge.bytes }
    }
    for (list, cursor) in purges.cursors {
      kept += DiskPurge(sequence: 0, scope: .cursor(of: list, cursor), time: now).bytes
    }
    return kept
  }
}
