import NIOCore
import Synchronization

// The disk tier: segments that are written from front to back and recycled in the order in which they
// were filled, with a directory in memory.
//
// Invariants
// * A place is in the directory only after its whole record was written, and only if no purge has
//   come since its request left.
// * What is read is believed only if its life, its checksums and the full key are right.
// * A purge is in purge.log, and synced, before `purge` returns. A record whose stamp is lower than the
//   number of a purge that covers it is dead: when it is added, when it is recovered, when it is read.
// * A segment is recycled only while nobody reads it, and its new header is synced before anything
//   else of its new life is written.
// * Whatever fails makes a miss, or a response that is not kept; what cannot be fenced is not served.
//
// All calls wait for the disk, but for `mayHave`. They may come from any thread; one of them writes
// records at a time.

/// What is stored on one disk.
public final class DiskStore: Sendable {
  struct Segment: Sendable {
    enum Phase: Sendable { case free, open, sealed, abandoned }

    var phase = Phase.free
    var life: UInt64 = 0
    /// Where the next record goes.
    var end = DiskFormat.segmentHeader
    var records: [RecordSummary] = []
    /// The lowest stamp of a record.
    var oldestStamp = UInt64.max
    var readers = 0
    var errors = 0
  }

  struct State: Sendable {
    var directory: DiskDirectory
    var segments: [Segment]
    var admission: DiskAdmission
    var statistics = DiskStatistics()
    /// False once purges cannot be made to last, or after too many errors.
    var serves = true
    var writes = true
    /// Failed writes in a row.
    var failures = 0
    /// The identity of which a record is being written, and whether it has become unusable meanwhile.
    var writing: (hash: KeyHash, isDropped: Bool)?
    /// Where the next record goes.
    var position: UInt64 = 0
  }

  struct Writer: Sendable {
    /// The segment that is being filled.
    var open: Int?
    var life: UInt64
    var logEnd: Int
  }

  let volume: any DiskVolume
  let header: StoreHeader
  let purges: PurgeLog
  let state: Mutex<State>
  private let writer: Mutex<Writer>

  /// Failed writes in a row after which nothing more is written.
  private static let mostFailures = 8
  /// Errors in one segment after which nothing in it is believed.
  private static let mostErrors = 3

  static let logFile = "purge.log"
  static func segmentFile(_ index: Int) -> String {
    let digits = String(index)
    return "segments/" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// The state that recovery found.
  init(
    _ volume: any DiskVolume, _ header: StoreHeader, purges: PurgeLog, state: State,
    writer: Writer
  ) {
    self.volume = volume
    self.header = header
    self.purges = purges
    self.state = Mutex(state)
    self.writer = Mutex(writer)
  }

  /// What keys the hashes of this store.
  public var secret: HashSecret { HashSecret(header.secret.0, header.secret.1) }

  /// Counters and sizes.
  public var statistics: DiskStatistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.responses = state.directory.count
      statistics.directoryBytes = state.directory.memory
      statistics.capacity = header.segmentSize * header.segmentCount
      statistics.segments = state.segments.count
      statistics.freeSegments = state.segments.count { $0.phase == .free }
      statistics.quarantinedSegments = state.segments.count { $0.phase == .abandoned }
      statistics.serves = state.serves
      statistics.writes = state.writes
      return statistics
    }
  }

  /// The lowest stamp of anything in a segment, dead or not; the highest number there is if there is
  /// nothing.
  public var oldestStamp: UInt64 {
    state.withLock { state in
      state.segments.reduce(UInt64.max) { min($0, $1.oldestStamp) }
    }
  }

  // MARK: Reading

  /// True if something may be stored for an identity; does not wait for the disk. O(1).
  public func mayHave(_ hash: KeyHash) -> Bool {
    state.withLock { $0.serves && $0.directory.contains(hash) }
  }

  /// What was read for a request.
  public struct Read: Sendable {
    public let response: StoredResponse
    /// The newest purge when its request left.
    public let stamp: UInt64
    let place: DiskPlace
  }

  /// True if what was read has not been removed meanwhile; does not wait for the disk. O(places).
  public func has(_ read: Read) -> Bool {
    state.withLock {
      $0.serves && $0.directory.places(read.response.key.hash).contains(read.place)
    }
  }

  /// The stored response of a key that a request's fields select (RFC 9111 §4.1). O(variants), and a
  /// read for each.
  public func read(_ key: CacheKey, request: FieldSection) -> Read? {
    let places = lease(key.hash)
    defer { release(places) }
    var fallback: (DiskPlace, Record)?
    var seen: [VariantSelector] = []
    for (place, life) in places {
      // What cannot be read hides what is older, which it may have replaced.
      guard let record = readHead(place, life: life, key: key) else { return nil }
      guard record.key == key else { continue }
      // A newer one of the same variant hides it.
      if seen.contains(record.response.selector) { continue }
      seen.append(record.response.selector)
      if purges.isPurged(key, groups: record.response.groups, since: record.header.stamp) {
        state.withLock { state in
          state.statistics.purged += 1
          state.directory.remove(key.hash) { $0 == place }
        }
        continue
      }
      if record.response.selector.isAny {
        if fallback == nil { fallback = (place, record) }
      } else if record.response.selector.matches(request) {
        return readContent(place, record)
      }
    }
    if let (place, record) = fallback { return readContent(place, record) }
    state.withLock { $0.statistics.misses += 1 }
    return nil
  }

  private struct Record {
    let header: RecordHeader
    let key: CacheKey
    /// Without its content.
    let response: StoredResponse
  }

  /// The places of an identity, whose segments are not recycled until ``release(_:)``.
  private func lease(_ hash: KeyHash) -> [(DiskPlace, life: UInt64)] {
    state.withLock { state in
      guard state.serves else { return [] }
      return state.directory.places(hash).map { place in
        state.segments[place.segment].readers += 1
        return (place, state.segments[place.segment].life)
      }
    }
  }

  private func release(_ places: [(DiskPlace, life: UInt64)]) {
    if places.isEmpty { return }
    state.withLock { state in
      for (place, _) in places { state.segments[place.segment].readers -= 1 }
    }
  }

  /// Reads what is before the content.
  private func readHead(_ place: DiskPlace, life: UInt64, key: CacheKey) -> Record? {
    let file = Self.segmentFile(place.segment)
    do {
      var bytes = try volume.read(file, at: place.offset, count: min(place.size, 4096))
      guard let header = RecordHeader(bytes, life: life), header.total == place.size,
        header.hash == key.hash
      else {
        damaged(place, key.hash)
        return nil
      }
      if header.tableOffset > bytes.count {
        bytes = try volume.read(file, at: place.offset, count: header.tableOffset)
      }
      guard bytes.count >= header.tableOffset,
        header.headChecksum == Checksum.of(bytes, RecordHeader.size..<header.tableOffset),
        let stored = ResponseCodec.readKey(
          bytes, RecordHeader.size..<(RecordHeader.size + header.keyCount), hash: header.hash),
        let response = ResponseCodec.read(
          bytes, (RecordHeader.size + header.keyCount)..<header.tableOffset, key: stored,
          content: .placeholder(count: header.contentCount))
      else {
        damaged(place, key.hash)
        return nil
      }
      return Record(header: header, key: stored, response: response)
    } catch {
      failedToRead(place, key.hash)
      return nil
    }
  }

  private func readContent(_ place: DiskPlace, _ record: Record) -> Read? {
    let header = record.header
    do {
      let count = 8 * header.blocks + header.contentCount
      let bytes = try volume.read(
        Self.segmentFile(place.segment), at: place.offset + header.tableOffset, count: count)
      guard bytes.count == count, isRight(bytes, header) else {
        damaged(place, header.hash)
        return nil
      }
      state.withLock { state in
        state.statistics.hits += 1
        state.statistics.bytesRead += UInt64(header.total)
      }
      return Read(
        response: record.response.with(
          Content(
            copying: [ByteBuffer(bytes: bytes[(8 * header.blocks)...])],
            count: header.contentCount)),
        stamp: header.stamp, place: place)
    } catch {
      failedToRead(place, header.hash)
      return nil
    }
  }

  private func isRight(_ bytes: [UInt8], _ header: RecordHeader) -> Bool {
    if header.blocks == 0 { return header.contentChecksum == Checksum.of(bytes.span) }
    let table = 8 * header.blocks
    guard header.contentChecksum == Checksum.of(bytes, 0..<table) else { return false }
    var reader = DiskReader(bytes, 0..<table)
    for block in 0..<header.blocks {
      let start = table + block * DiskFormat.block
      let end = min(start + DiskFormat.block, bytes.count)
      if reader.read(UInt64.self) != Checksum.of(bytes, start..<end) { return false }
    }
    return true
  }

  /// What lies there is not what was written: nothing of that identity is believed any more, for what
  /// is older must not come up in its place.
  private func damaged(_ place: DiskPlace, _ hash: KeyHash) {
    state.withLock { state in
      state.statistics.damaged += 1
      Self.disbelieve(place, hash, &state)
    }
  }

  private func failedToRead(_ place: DiskPlace, _ hash: KeyHash) {
    state.withLock { state in
      state.statistics.readErrors += 1
      Self.disbelieve(place, hash, &state)
    }
  }

  private static func disbelieve(_ place: DiskPlace, _ hash: KeyHash, _ state: inout State) {
    state.directory.remove(hash)
    state.segments[place.segment].errors += 1
    if state.segments[place.segment].errors == mostErrors,
      state.segments[place.segment].phase == .sealed
    {
      state.segments[place.segment].phase = .abandoned
      // With whatever is older than what was in it.
      state.directory.removeIdentities(in: place.segment)
    }
  }

  // MARK: Writing

  /// True if a response of that identity is to be written now; notes that it was asked for. Does not wait
  /// for the disk.
  public func admits(_ hash: KeyHash) -> Bool {
    state.withLock { state in
      guard state.writes, state.serves else { return false }
      let hasFree = state.segments.contains { $0.phase == .free }
      let admits = state.admission.admits(hash, hasFreeSegments: hasFree)
      if !admits { state.statistics.notAdmitted += 1 }
      return admits
    }
  }

  /// Writes a response whose request left when `stamp` was the newest purge; false if it is not there
  /// afterwards. O(bytes).
  @discardableResult
  public func write(_ response: StoredResponse, stamp: UInt64, now: Instant) -> Bool {
    writer.withLock { writer in
      guard state.withLock({ $0.writes && $0.serves }) else { return false }
      if purges.isPurged(response.key, groups: response.groups, since: stamp) { return false }
      let record = RecordBytes(response, stamp: stamp)
      let usable = header.segmentSize - DiskFormat.segmentHeader - SegmentFooter.size(1)
      guard record.total <= usable, record.total <= DiskPlace.mostBytes else {
        state.withLock { $0.statistics.tooLarge += 1 }
        return false
      }
      guard let segment = segment(for: record.total, &writer, now: now) else { return false }
      let (offset, life) = state.withLock { state in
        state.writing = (response.key.hash, false)
        state.position = RecordSummary.position(
          life: state.segments[segment].life, offset: state.segments[segment].end)
        return (state.segments[segment].end, state.segments[segment].life)
      }
      do {
        try volume.write(Self.segmentFile(segment), at: offset, record.bytes(life: life))
      } catch {
        abandon(segment, &writer)
        return false
      }
      return state.withLock { state in
        state.failures = 0
        let summary = record.summary(at: offset)
        state.segments[segment].records.append(summary)
        state.segments[segment].end = offset + record.total
        state.segments[segment].oldestStamp = min(stamp, state.segments[segment].oldestStamp)
        state.statistics.bytesWritten += UInt64(record.total)
        state.statistics.written += 1
        let isDropped = state.writing?.isDropped ?? true
        state.writing = nil
        state.position = RecordSummary.position(life: life, offset: offset + record.total)
        // What came while it was written has taken out only what was there before.
        if isDropped { return false }
        if purges.isPurged(response.key, groups: response.groups, since: stamp) { return false }
        state.directory.insert(
          response.key.hash, DiskPlace(segment: segment, offset: offset, size: record.total))
        return true
      }
    }
  }

  /// The open segment, if the record and a footer that names it fit; else the next one.
  private func segment(for count: Int, _ writer: inout Writer, now: Instant) -> Int? {
    if let open = writer.open {
      let fits = state.withLock { state in
        let segment = state.segments[open]
        return segment.end + count + SegmentFooter.size(segment.records.count + 1)
          <= header.segmentSize
      }
      if fits { return open }
      seal(open)
      writer.open = nil
    }
    return openNext(&writer)
  }

  /// Writes the list of a segment's records behind them.
  private func seal(_ index: Int) {
    let segment = state.withLock { $0.segments[index] }
    let footer = SegmentFooter.bytes(segment.records, life: segment.life)
    // Without it recovery has to read the whole segment, no more.
    let isWritten: Void? = try? volume.write(
      Self.segmentFile(index), at: header.segmentSize - footer.count, footer)
    state.withLock { state in
      state.segments[index].phase = .sealed
      state.segments[index].records = []
      state.statistics.bytesWritten += UInt64(footer.count)
      if isWritten == nil { state.statistics.writeErrors += 1 }
    }
  }

  private func openNext(_ writer: inout Writer) -> Int? {
    let next = state.withLock { state -> Int? in
      if let free = state.segments.firstIndex(where: { $0.phase == .free }) { return free }
      let oldest = state.segments.indices.filter { state.segments[$0].phase == .sealed }
        .min { state.segments[$0].life < state.segments[$1].life }
      // Not the next one: what it has may have been replaced by what would go before it.
      guard let oldest, state.segments[oldest].readers == 0 else { return nil }
      // Out of the directory before a byte of it changes.
      state.statistics.evicted += UInt64(state.directory.removeAll(in: oldest))
      state.statistics.recycled += 1
      state.segments[oldest].phase = .abandoned
      return oldest
    }
    guard let next else { return nil }
    writer.life += 1
    let life = writer.life
    let file = Self.segmentFile(next)
    do {
      if try volume.size(file) != header.segmentSize {
        try volume.reserve(file, size: header.segmentSize)
      }
      try volume.write(
        file, at: 0, SegmentHeader(index: next, life: life, store: header.id).bytes)
      try volume.sync(file)
    } catch {
      abandon(next, &writer)
      return nil
    }
    state.withLock { state in
      state.segments[next] = Segment(phase: .open, life: life)
    }
    writer.open = next
    return next
  }

  /// Nothing more is written to a segment, after an error. What was written to it before stays.
  private func abandon(_ index: Int, _ writer: inout Writer) {
    if writer.open == index { writer.open = nil }
    state.withLock { state in
      state.writing = nil
      // What failed may lie there all the same, as far as the segment goes.
      state.position = max(
        state.position,
        RecordSummary.position(life: state.segments[index].life, offset: header.segmentSize))
      state.statistics.writeErrors += 1
      state.failures += 1
      state.segments[index].phase = state.segments[index].records.isEmpty ? .abandoned : .sealed
      state.segments[index].records = []
      if state.failures >= Self.mostFailures { state.writes = false }
    }
  }

  // MARK: Purging

  /// Makes a purge last that has this number, and takes out what it covers. Throws if it cannot be made
  /// to last; then nothing is served from this disk any more.
  public func purge(_ scope: PurgeScope, sequence: UInt64, now: Instant) throws(DiskError) {
    forget(scope)
    try log([(scope, sequence)], syncs: true, now: now)
  }

  /// Makes purges outlast this process, and if it `syncs` a crash of the machine, with those that were logged
  /// before. Throws if that is not possible; then nothing is served from this disk any more.
  public func log(
    _ purges: [(scope: PurgeScope, sequence: UInt64)], syncs: Bool, now: Instant
  ) throws(DiskError) {
    var bytes: [UInt8] = []
    for (scope, sequence) in purges {
      let logged: DiskPurge.Scope =
        switch scope {
        case .url(let key): .url(key.hash)
        case .group(let group): .group(group)
        case .everything: .everything
        }
      bytes += DiskPurge(sequence: sequence, scope: logged, time: now).bytes
    }
    try append(bytes, syncs: syncs)
  }

  /// Takes out what a purge covers that has its number already. Does not wait for the disk.
  public func forget(_ scope: PurgeScope) {
    state.withLock { state in
      switch scope {
      case .url(let key): state.directory.remove(key.hash)
      // What is in the group is found out when it is read.
      case .group: break
      case .everything: state.directory.removeAll()
      }
    }
  }

  /// A removal that is to be logged.
  public struct Removal: Sendable {
    fileprivate let hash: KeyHash
    fileprivate let position: UInt64
  }

  /// Takes out what became unusable without a purge: by an unsafe request (RFC 9111 §4.4), or because
  /// something newer came. Does not wait for the disk; what it returns is for ``log(_:now:)``. Nil if there
  /// was nothing.
  public func remove(_ hash: KeyHash) -> Removal? {
    state.withLock { state in
      var found = state.directory.remove(hash) > 0
      if state.writing?.hash == hash {
        state.writing?.isDropped = true
        found = true
      }
      // What is being written lies at the position.
      let end = state.position + (state.writing == nil ? 0 : 1)
      return found ? Removal(hash: hash, position: end) : nil
    }
  }

  /// Makes a removal outlast this process, if not a crash of the machine.
  public func log(_ removal: Removal, now: Instant) {
    try? append(
      DiskPurge(sequence: removal.position, scope: .removed(removal.hash), time: now).bytes,
      syncs: false)
  }

  private func append(_ bytes: [UInt8], syncs: Bool) throws(DiskError) {
    let problem = writer.withLock { writer -> DiskError? in
      // One that is missing could not be made good by those that follow.
      guard state.withLock({ $0.serves }) else {
        return DiskError(
          operation: "write", file: Self.logFile, reason: "an earlier purge could not be written")
      }
      do throws(DiskError) {
        if !bytes.isEmpty { try volume.write(Self.logFile, at: writer.logEnd, bytes) }
        writer.logEnd += bytes.count
        if syncs { try volume.sync(Self.logFile) }
        return nil
      } catch {
        return error
      }
    }
    guard let problem else { return }
    state.withLock { state in
      state.serves = false
      state.statistics.writeErrors += 1
    }
    throw problem
  }
}

/// The bytes of one record but for the header, which needs to know the life of the segment.
private struct RecordBytes {
  private var header: RecordHeader
  private let key: [UInt8]
  private let head: [UInt8]
  private let content: Content

  var total: Int { header.total }

  init(_ response: StoredResponse, stamp: UInt64) {
    key = ResponseCodec.key(response.key)
    head = ResponseCodec.head(response)
    content = response.content
    let freshness = response.freshness
    let left = freshness.lifetime &- freshness.initialAge
    header = RecordHeader(
      life: 0, stamp: stamp, hash: response.key.hash, stored: freshness.responseTime,
      freshUntil: freshness.responseTime.adding(seconds: left), keyCount: key.count,
      headCount: head.count, contentCount: response.content.count,
      headChecksum: Checksum.of((key + head).span), contentChecksum: 0)
  }

  func summary(at offset: Int) -> RecordSummary {
    RecordSummary(
      hash: header.hash, stamp: header.stamp, stored: header.stored,
      freshUntil: header.freshUntil, contentCount: header.contentCount, offset: offset,
      size: header.total)
  }

  func bytes(life: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(header.total)
    bytes.append(contentsOf: repeatElement(0, count: RecordHeader.size))
    bytes += key
    bytes += head
    bytes.append(contentsOf: repeatElement(0, count: 8 * header.blocks))
    for piece in content.pieces {
      piece.withUnsafeReadableBytes { bytes.append(contentsOf: $0) }
    }
    var header = header
    header.life = life
    let start = header.contentOffset
    if header.blocks == 0 {
      header.contentChecksum = Checksum.of(bytes, start..<bytes.count)
    } else {
      var table = DiskWriter(capacity: 8 * header.blocks)
      for block in 0..<header.blocks {
        let from = start + block * DiskFormat.block
        table.write(Checksum.of(bytes, from..<min(from + DiskFormat.block, bytes.count)))
      }
      bytes.replaceSubrange(header.tableOffset..<start, with: table.bytes)
      header.contentChecksum = Checksum.of(table.bytes.span)
    }
    bytes.replaceSubrange(0..<RecordHeader.size, with: header.bytes)
    bytes.append(contentsOf: repeatElement(0, count: header.total - bytes.count))
    return bytes
  }
}
