import NIOCore

// Opening one disk of a set: its header, the room that it needs, what was logged, what is stored. A header that is
// damaged is put aside, and the store begins anew; a log in which something may be missing puts a fence before
// all that is stored.

/// A disk on its way to being used.
struct DiskOpening {
  private let volume: any DiskVolume
  private let options: DiskOptions
  /// The header that is there.
  let found: StoreHeader?
  private var header: StoreHeader
  private var notices: [DiskNotice] = []
  private var isHeaderLost = false
  private var isReduced = false
  /// Segments that were no files, or damaged where they begin.
  private var lost = 0

  /// What is left of the log; nil where the store begins anew.
  private var contents: LogContents?
  private var loss: LogLoss?
  /// Which list of purges it is from now on.
  private var list: UInt64 = 0
  private var removals = Removals()
  private var recovery: Recovery?
  /// By how many milliseconds the wall clock is behind what it was.
  private var behind: Int64?

  /// Tells the purges that are logged here from those of any other store.
  var listName: UInt64 {
    let nothing: [UInt8] = []
    return SipHash.hash(
      nothing.span, prefix: header.id.0 ^ header.id.1 &* 3 ^ list,
      secret: HashSecret(header.secret.0, header.secret.1)
    ).low
  }

  /// The highest number that was given out here, as far as that can be told.
  var newestNumber: UInt64 { max(recovery?.newestStamp ?? 0, contents?.newest ?? 0) }

  /// The latest time that was written here, but for what is behind a fence already.
  var newestTime: WallTime? {
    [contents?.newestTime, recovery?.newestTime].compactMap(\.self).max()
  }

  /// The ages of what is stored cannot be told.
  mutating func clockIsBehind(by milliseconds: Int64) {
    behind = milliseconds
    if loss == nil { notices.append(.clockBehind(milliseconds: milliseconds)) }
  }

  /// Bytes that are kept free beside the segments, for the header and the log to be written anew.
  private static let spareRoom = 512 << 10
  private static let fewestSegments = 4

  init(_ volume: any DiskVolume, _ options: DiskOptions) throws(DiskProblem) {
    let wanted = options.segments(of: options.segmentSize)
    if options.segmentSize < 1 << 16 || wanted < Self.fewestSegments
      || wanted > DiskPlace.mostSegments
    {
      throw .tooSmall
    }
    self.volume = volume
    self.options = options
    var found: StoreHeader?
    do throws(DiskProblem) {
      found = try StoreHeader.read(volume, or: DiskProblem.self)
      if found == nil, StoreHeader.isBesideStore(volume) {
        notices.append(.headerMissing)
        isHeaderLost = true
      }
    } catch {
      if case .version(let version) = error, version < DiskFormat.version {
        notices.append(.older(version))
      } else {
        guard let reason = Self.damage(error, volume) else { throw error }
        notices.append(.headerDamaged(reason))
        isHeaderLost = true
      }
    }
    self.found = found
    header =
      found
      ?? StoreHeader(
        id: (0, 0), segmentSize: options.segmentSize, segmentCount: 0, secret: (0, 0),
        created: WallTime(milliseconds: 0))
  }

  /// What is wrong with a header that is put aside; nil if it is not for us to do that.
  private static func damage(_ problem: DiskProblem, _ volume: any DiskVolume) -> String? {
    switch problem {
    case .damaged: "\(problem)"
    case .failed(let error) where error.isUnreadable && StoreHeader.isBesideStore(volume):
      "STORE cannot be read (\(error.reason))"
    case .failed, .notAStore, .version, .tooSmall, .otherSet, .noRoom: nil
    }
  }

  // MARK: Room

  /// Writes what the store is from now on, if that has changed, and makes room for it: first for what purges
  /// need, then for what is stored.
  mutating func settle(
    id: (UInt64, UInt64), list: UInt64, secret: (UInt64, UInt64), in set: DiskSet, now: Instant
  ) throws(DiskProblem) {
    let isCurrent = set.has(found)
    do throws(DiskError) {
      try volume.remove(.spare)
      let before = header.segmentCount
      let isTooLarge = options.segments(of: header.segmentSize) < Self.fewestSegments
      if found != nil, !isCurrent { notices.append(.wasAway) }
      if found != nil, isCurrent, isTooLarge { notices.append(.resized) }
      let isNew = !isCurrent || isTooLarge
      if isNew {
        // Under another identity nothing that is there is believed any more; what was logged before is of
        // no use then.
        header.id = id
        header.secret = secret
        header.created = now.wall
        if isTooLarge || found == nil { header.segmentSize = options.segmentSize }
        self.list = list
        try putAside()
      }
      if !isNew, set.isApart { try standApart() }
      header.epoch = set.epoch
      header.changes = set.changes
      header.disks = set.count
      header.segmentCount = options.segments(of: header.segmentSize)
      // Under another identity that is all: lives begin from the first again, and records that were left behind would be
      // believed with them.
      try removeBeyond(isNew ? 0 : header.segmentCount, of: max(before, header.segmentCount))
      // What is no file cannot be written to.
      for index in 0..<header.segmentCount where !isNew && isNoFile(.segment(index)) {
        try volume.remove(.segment(index))
        lost += 1
      }
      if isNew { try beginLog(now) }
      try allocateLog()
      try reserve(isNew: found == nil || isTooLarge)
      // There may be fewer than there was to be room for.
      try removeBeyond(header.segmentCount, of: before)
      if header != found {
        try withRoom { [volume, header] () throws(DiskError) in
          try volume.replace(.header, with: header.bytes)
        }
      }
    } catch {
      throw error.isFull ? noRoom(error) : .failed(error)
    }
  }

  /// Takes away the segments from `first` on, of which there were `count`, before the header forgets of them: what is
  /// stored there would come back when there is room, whatever was purged meanwhile.
  private func removeBeyond(_ first: Int, of count: Int) throws(DiskError) {
    var beyond = first
    while beyond < count || isThere(.segment(beyond)) {
      try volume.remove(.segment(beyond))
      beyond += 1
    }
  }

  /// How much room there is, with what it has taken already, and how much it cannot do without.
  private func noRoom(_ error: DiskError) -> DiskProblem {
    guard let room = volume.room() else { return .failed(error) }
    var own = ((try? volume.size(.purgeLog)) ?? nil).map { DiskStore.room(forLog: $0) } ?? 0
    for index in 0..<Self.fewestSegments {
      own += ((try? volume.size(.segment(index))) ?? nil) ?? 0
    }
    return .noRoom(
      free: room + own,
      needed: Self.fewestSegments * header.segmentSize + DiskStore.logRoom + Self.spareRoom, error)
  }

  /// True if something has that name, whatever it is.
  private func isThere(_ file: DiskFile) -> Bool {
    do throws(DiskError) {
      return try volume.size(file) != nil
    } catch {
      return true
    }
  }

  private func isNoFile(_ file: DiskFile) -> Bool {
    do throws(DiskError) {
      _ = try volume.size(file)
      return false
    } catch {
      return error.isUnreadable
    }
  }

  /// What was purged on another disk may be missing here. Who opens the store after a crash is to know that, too, when
  /// the header tells nothing of it any more: so the mark goes.
  private mutating func standApart() throws(DiskError) {
    contents = LogContents(volume)
    loss = .apart
    try volume.remove(.purgeMark)
  }

  /// Keeps what is damaged under another name: one of each, in the place of what was kept before.
  private func putAside() throws(DiskError) {
    guard isHeaderLost else { return }
    try volume.rename(.header, to: .damagedHeader)
    try volume.rename(.purgeLog, to: .damagedLog)
  }

  private mutating func beginLog(_ now: Instant) throws(DiskError) {
    let size = DiskPurge.header + 16
    let beginning = DiskPurge(
      sequence: 0, scope: .beginning(list: list, generation: 0, bytes: size), time: now.wall)
    let mark = LogMark(list: list, generation: 0, end: size, sequence: 0)
    try withRoom { [volume] () throws(DiskError) in
      try volume.replace(.purgeLog, with: beginning.bytes)
      try volume.replace(.purgeMark, with: mark.file)
    }
  }

  /// Keeps room for the log to grow. Without it the store is used all the same: it may be there later.
  private mutating func allocateLog() throws(DiskError) {
    guard let size = try? volume.size(.purgeLog) else { return }
    do throws(DiskError) {
      try withRoom { [volume] () throws(DiskError) in
        try volume.allocate(.purgeLog, size: DiskStore.room(forLog: size))
      }
    } catch {
      if !error.isFull { throw error }
    }
  }

  /// Does something that needs room, at the cost of segments if there is none: without them less is stored, without
  /// a log nothing can be purged.
  private mutating func withRoom(
    _ body: () throws(DiskError) -> Void
  ) throws(DiskError) {
    while true {
      do throws(DiskError) {
        return try body()
      } catch {
        guard error.isFull, let last = try lastSegment(), last >= Self.fewestSegments else {
          throw error
        }
        try volume.remove(.segment(last))
        header.segmentCount = min(header.segmentCount, last)
        isReduced = true
      }
    }
  }

  private func lastSegment() throws(DiskError) -> Int? {
    for index in (0..<header.segmentCount).reversed() {
      if let size = try volume.size(.segment(index)), size > 0 { return index }
    }
    return nil
  }

  /// Reserves all segments, or as many as there is room for beside what is kept free. Those of a new store are smaller
  /// where not even a few of them have room.
  private mutating func reserve(isNew: Bool) throws(DiskError) {
    while true {
      do throws(DiskError) {
        return try reserve()
      } catch {
        guard error.isFull, isNew, let smaller = options.segmentSize(below: header.segmentSize)
        else { throw error }
        for index in 0..<Self.fewestSegments { try volume.remove(.segment(index)) }
        header.segmentSize = smaller
        header.segmentCount = min(options.segments(of: smaller), DiskPlace.mostSegments)
        isReduced = true
      }
    }
  }

  private mutating func reserve() throws(DiskError) {
    defer { try? volume.remove(.spare) }
    var isSpareKept = false
    for index in 0..<header.segmentCount {
      do throws(DiskError) {
        if try volume.size(.segment(index)) == header.segmentSize { continue }
        if !isSpareKept { try volume.reserve(.spare, size: Self.spareRoom) }
        isSpareKept = true
        try volume.reserve(.segment(index), size: header.segmentSize)
      } catch {
        try? volume.remove(.segment(index))
        guard error.isFull, index >= Self.fewestSegments else { throw error }
        header.segmentCount = index
        isReduced = true
        return
      }
    }
  }

  // MARK: What is there

  /// Takes in what was logged.
  mutating func readLog(_ purges: PurgeLog) {
    let contents = contents ?? LogContents(volume)
    for record in contents.records {
      removals.note(record)
      purges.restore(record)
    }
    self.contents = contents
    loss = loss ?? contents.loss
  }

  /// Finds what is stored. If purges of it may be missing, the list of purges is another one from now on, `list`.
  mutating func recover(_ purges: PurgeLog, list: UInt64) throws(DiskProblem) {
    var recovery = Recovery(
      volume: volume, header: header, purges: purges, removals: removals,
      fence: contents?.fence?.sequence ?? 0)
    do throws(DiskError) {
      try recovery.run()
    } catch {
      throw .failed(error)
    }
    self.recovery = recovery
    loss = loss ?? contents?.loss(ofStamp: recovery.newestStamp)
    self.list = loss == nil ? contents?.list ?? 0 : list
    lost += recovery.lost
    if lost > 0 { notices.append(.segmentsLost(lost)) }
  }

  /// The store, whose life has this number: no stamp of what was stored before is as high.
  mutating func store(
    _ purges: PurgeLog, number: UInt64, now: Instant, milliseconds: () -> Int64
  ) -> DiskStore {
    guard let recovery, let contents else { invariantFailed("a disk is opened out of turn") }
    switch loss {
    case nil: break
    case .apart: notices.append(.usedApart)
    case .torn, .incomplete:
      // Whoever ends a process while the disk is full leaves that.
      let isFull = volume.room().map { $0 < DiskStore.lowRoom } ?? false
      notices.append(.fenced("\(loss.map { "\($0)" } ?? "")", isFull: isFull))
    case let loss?: notices.append(.fenced("\(loss)"))
    }
    var state = DiskStore.State(
      directory: recovery.directory, segments: recovery.segments,
      admission: DiskAdmission(options.admission, records: recovery.directory.count),
      clock: DiskClock(offset: now.wallOffset), logged: now)
    state.position = recovery.position
    state.strays = recovery.strays
    state.free = recovery.segments.count { $0.phase == .free }
    state.statistics.recovered = recovery.directory.count
    state.statistics.isReduced = isReduced
    state.statistics.allowed = options.size
    state.statistics.notices = notices
    let store = DiskStore(
      volume, header, purges: purges,
      fence: loss == nil && behind == nil ? contents.fence?.sequence ?? 0 : number, state: state,
      writer: DiskStore.Writer(
        open: recovery.open, life: recovery.newestLife,
        log: log(contents, number: number, now: now)))
    begin(store, number, now)
    if let fence = store.writer.withLock({ $0.log.fence }), case .fence(let reason) = fence.scope {
      purges.noteDistrust(reason, since: fence.time)
    }
    store.state.withLock { $0.statistics.recoveryMilliseconds = milliseconds() }
    return store
  }

  /// The log as it goes on: behind what is there, or written anew.
  private func log(_ contents: LogContents, number: UInt64, now: Instant) -> DiskStore.Log {
    var log = DiskStore.Log(
      mark: contents.mark ?? LogMark(list: list, generation: 0, end: 0, sequence: 0))
    log.fence = contents.fence
    log.mark.list = list
    if let loss {
      log.mark.generation = 0
      log.fence = DiskPurge(sequence: number, scope: .fence(reason: "\(loss)"), time: now.wall)
    }
    if loss == nil, behind != nil {
      log.fence = DiskPurge(
        sequence: number, scope: .fence(reason: DiskStore.setBack), time: now.wall)
    }
    if loss != nil {
      log.isSuspect = true
      log.kept = contents.bytes
    } else {
      log.mark.generation = contents.generation
      log.end = contents.end
      // What is there now may not have been synced by who wrote it.
      log.stable = 0
    }
    return log
  }

  /// Logs the number of this life, so that whoever has it for a stamp can be told from who saw a purge that is
  /// missing. What cannot be written is trouble of the store, and does not keep it from being opened.
  private func begin(_ store: DiskStore, _ number: UInt64, _ now: Instant) {
    if loss != nil {
      try? volume.rename(.purgeLog, to: .damagedLog)
      try? volume.remove(.purgeMark)
    }
    let life = DiskPurge(sequence: number, scope: .nothing, time: now.wall)
    let fence = behind == nil || loss != nil ? nil : store.writer.withLock { $0.log.fence }
    try? store.append([life] + (fence.map { [$0] } ?? []), syncs: true, now: now.wall)
  }
}
