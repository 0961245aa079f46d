import NIOCore

// Writing: several records at once, one behind the other, into the open segment. A full one gets a footer,
// and the oldest makes room.

/// A response that is to be written.
public struct DiskWrite: Sendable {
  /// The response.
  public let response: StoredResponse
  /// The newest purge when its request left.
  public let stamp: UInt64

  /// A response that came when `stamp` was the newest purge.
  public init(_ response: StoredResponse, stamp: UInt64) {
    self.response = response
    self.stamp = stamp
  }
}

extension DiskStore {
  /// Bytes that are written at once, about.
  private static let batch = 1 << 20

  /// True if a response of that identity is to be written now, `always` or by what was asked for; notes that
  /// it was. Does not wait for the disk.
  public func admits(_ hash: KeyHash, always: Bool = false) -> Bool {
    state.withLock { state in
      guard state.writes, state.serves else { return false }
      let admits =
        state.admission.admits(
          hash, hasFreeSegments: state.free > 0, records: state.directory.count) || always
      if admits { state.statistics.admitted += 1 } else { state.statistics.notAdmitted += 1 }
      return admits
    }
  }

  /// Writes a response whose request left when `stamp` was the newest purge; false if it is not there
  /// afterwards. O(bytes).
  @discardableResult
  public func write(_ response: StoredResponse, stamp: UInt64) -> Bool {
    write([DiskWrite(response, stamp: stamp)]) == 1
  }

  /// Responses that are to be written next.
  public struct Announced: Sendable {
    fileprivate let writes: [DiskWrite]
    fileprivate let numbers: Range<UInt64>
  }

  /// Announces what is written next, which is to be given to ``write(_:)``: from now on what makes it unusable reaches
  /// it here. Whoever has it in a queue calls this before the queue forgets it, and under the lock of that. Does not
  /// wait for the disk. O(responses).
  public func announce(_ writes: [DiskWrite]) -> Announced {
    state.withLock { Announced(writes: writes, numbers: $0.underWay.add(writes)) }
  }

  /// Writes responses in their order, and returns how many are there afterwards. O(bytes).
  @discardableResult
  public func write(_ writes: [DiskWrite]) -> Int { write(announce(writes)) }

  /// Writes what was announced, but for what has become unusable since, in its order; returns how much is there
  /// afterwards. O(bytes).
  @discardableResult
  public func write(_ announced: Announced) -> Int {
    defer { state.withLock { $0.underWay.finish(announced.numbers) } }
    return writer.withLock { writer in
      logBlank(announced.writes, &writer.log)
      var there = 0
      let wallOffset = state.withLock { $0.clock.writes(at: $0.position) }
      var batch = Batch(in: &writer)
      for (number, write) in zip(announced.numbers, announced.writes) {
        guard state.withLock({ $0.writes && $0.serves }) else { break }
        let response = write.response
        if purges.isPurged(response.key, response.names, since: write.stamp) { continue }
        let record = RecordBytes(response, stamp: write.stamp, wallOffset: wallOffset)
        let usable = header.segmentSize - DiskFormat.segmentHeader - SegmentFooter.size(1)
        guard record.total <= usable else {
          state.withLock { $0.statistics.tooLarge += 1 }
          continue
        }
        if !fits(record.total, batch, writer) {
          there += commit(&batch, &writer)
          guard openNext(&writer) else { continue }
        }
        batch.append(record, number, life: writer.life)
        if batch.bytes.readableBytes >= Self.batch { there += commit(&batch, &writer) }
      }
      there += commit(&batch, &writer)
      batch.giveBack(to: &writer)
      return there
    }
  }

  /// True if a record fits into the open segment behind a batch, with a footer that names them all.
  private func fits(_ count: Int, _ batch: Batch, _ writer: Writer) -> Bool {
    guard let open = writer.open else { return false }
    let (end, records) = state.withLock { ($0.segments[open].end, $0.segments[open].records.count) }
    return end + batch.bytes.readableBytes + count
      + SegmentFooter.size(records + batch.records.count + 1) <= header.segmentSize
  }

  /// Writes a batch, and puts what is still good of it into the directory; returns how much that is.
  private func commit(_ batch: inout Batch, _ writer: inout Writer) -> Int {
    guard let segment = writer.open, !batch.records.isEmpty else { return 0 }
    defer { batch.removeAll() }
    let start = state.withLock { state in
      // What becomes unusable later is before the position, and that is logged.
      batch.leaveOut { state.underWay.isDropped($0) }
      let (start, life) = (state.segments[segment].end, state.segments[segment].life)
      state.position = RecordSummary.position(
        life: life, offset: start + batch.bytes.readableBytes)
      return start
    }
    let done = batch.records
    if done.isEmpty { return 0 }
    do throws(DiskError) {
      try volume.write(.segment(segment), at: start, batch.bytes)
    } catch {
      abandon(segment, error, done.map(\.bytes.header), &writer)
      return 0
    }
    return state.withLock { state in
      state.failures = 0
      state.pause.next = 1
      Self.succeeded(.writes, &state)
      var offset = start
      var there = 0
      for (record, number) in done {
        let header = record.header
        state.segments[segment].records.append(header.summary(at: offset))
        state.segments[segment].oldestStamp = min(
          header.stamp, state.segments[segment].oldestStamp)
        state.statistics.bytesWritten += UInt64(header.total)
        state.statistics.contentBytesWritten += UInt64(header.contentCount)
        state.statistics.written += 1
        // What came while it was written has taken out only what was there before.
        if !state.underWay.isDropped(number),
          !purges.isPurged(record.key, record.names, since: header.stamp)
        {
          let forgotten = state.directory.insert(
            header.hash, variant: header.variant,
            DiskPlace(segment: segment, offset: offset, size: header.total))
          if let forgotten {
            state.strays.add(DiskDirectory.identity(header.hash), in: forgotten.segment)
          }
          there += 1
        }
        offset += header.total
      }
      state.segments[segment].end = offset
      return there
    }
  }

  // MARK: Segments

  /// Ends the open segment and begins the next one; false if there is none.
  private func openNext(_ writer: inout Writer) -> Bool {
    if let open = writer.open { seal(open) }
    writer.open = nil
    guard let (next, wasFree) = takeSegment() else { return false }
    writer.life += 1
    let life = writer.life
    do throws(DiskError) {
      // Nobody reads it any more, but a slow client may not have got yet what the kernel has taken for it.
      try volume.renew(.segment(next), size: header.segmentSize)
      let bytes = SegmentHeader(index: next, life: life, store: header.id).bytes
      try volume.write(.segment(next), at: 0, ByteBuffer(bytes: bytes))
      try volume.sync(.segment(next))
    } catch {
      state.withLock { state in
        Self.failedToWrite(error, &state)
        // On a full disk nothing is wrong with it. What was in it is gone, and may be there after a restart: it is
        // among the strays.
        if error.isFull {
          state.segments[next].phase = wasFree ? .free : .sealed
          if wasFree { state.free += 1 }
        }
      }
      return false
    }
    state.withLock { state in
      state.segments[next] = Segment(phase: .open, life: life)
      state.strays.renew(next)
      state.statistics.bytesWritten += UInt64(DiskFormat.segmentHeader)
    }
    writer.open = next
    return true
  }

  /// Writes the list of a segment's records behind them.
  private func seal(_ index: Int) {
    let segment = state.withLock { $0.segments[index] }
    let footer = SegmentFooter.bytes(segment.records, life: segment.life)
    // Without it recovery has to read the whole segment, no more.
    var problem: DiskError?
    do throws(DiskError) {
      try volume.write(
        .segment(index), at: header.segmentSize - footer.count, ByteBuffer(bytes: footer))
    } catch {
      problem = error
    }
    state.withLock { state in
      state.segments[index].phase = .sealed
      state.segments[index].records = []
      state.statistics.bytesWritten += UInt64(footer.count)
      if let problem { Self.failed(.writes, problem, &state) }
    }
  }

  /// A free segment, or the oldest that nobody reads, of which nothing is in the directory any more. It is
  /// not used by anybody else until its phase says so.
  private func takeSegment() -> (index: Int, wasFree: Bool)? {
    enum Choice {
      case free(Int)
      case full(Int, life: UInt64)
    }
    let choice = state.withLock { state -> Choice? in
      if state.free > 0, let free = state.segments.firstIndex(where: { $0.phase == .free }) {
        state.segments[free].phase = .abandoned
        state.free -= 1
        return .free(free)
      }
      // Who reads slowly keeps a segment, and nobody waits for it. What was replaced before does not come
      // back by that: purge.log says that it was.
      let oldest = state.segments.indices
        .filter { state.segments[$0].phase == .sealed && state.segments[$0].readers == 0 }
        .min { state.segments[$0].life < state.segments[$1].life }
      guard let oldest else { return nil }
      // From now on nobody can begin to read it.
      state.segments[oldest].phase = .abandoned
      return .full(oldest, life: state.segments[oldest].life)
    }
    switch choice {
    case nil: return nil
    case .free(let index): return (index, true)
    case .full(let index, let life):
      evict(index, life)
      return (index, false)
    }
  }

  /// Takes everything in a segment out of the directory, before a byte of it changes. Until all of it has changed the
  /// next start may find it.
  private func evict(_ index: Int, _ life: UInt64) {
    var evicted = 0
    if let records = SegmentFooter.read(volume, index, life: life, header) {
      // Others have their turn in between.
      for start in stride(from: 0, to: records.count, by: 512) {
        evicted += state.withLock { state in
          records[start..<min(start + 512, records.count)].reduce(0) { count, record in
            let taken = state.directory.remove(record.hash) { $0.segment == index }
            if taken > 0 { state.strays.add(DiskDirectory.identity(record.hash), in: index) }
            return count + taken
          }
        }
      }
    } else {
      evicted = state.withLock { state in
        let taken = state.directory.removeAll(in: index)
        for identity in taken { state.strays.add(identity, in: index) }
        return taken.count
      }
    }
    state.withLock { state in
      state.heads.removeAll(in: index)
      state.statistics.evicted += UInt64(evicted)
      state.statistics.recycled += 1
    }
  }

  /// Nothing more is written to a segment after records could not be. What was written to it before stays; what
  /// could not be written may lie there all the same, so it is logged that it does not count.
  private func abandon(
    _ index: Int, _ error: DiskError, _ records: [RecordHeader], _ writer: inout Writer
  ) {
    writer.open = nil
    let position = state.withLock { state in
      state.position = max(
        state.position,
        RecordSummary.position(life: state.segments[index].life, offset: header.segmentSize))
      Self.failedToWrite(error, &state)
      let isOfUse = error.isFull || !state.segments[index].records.isEmpty
      state.segments[index].phase = isOfUse ? .sealed : .abandoned
      state.segments[index].records = []
      state.segments[index].oldestStamp = records.reduce(state.segments[index].oldestStamp) {
        min($0, $1.stamp)
      }
      return state.position
    }
    let removals = records.map {
      DiskPurge(
        sequence: position, scope: .replaced($0.hash, variant: $0.variant), time: $0.stored)
    }
    let now = records.last?.stored ?? WallTime(milliseconds: 0)
    try? append(removals, to: &writer.log, syncs: false, now: now)
  }
}

/// Records that are written at once.
private struct Batch {
  private(set) var bytes: ByteBuffer
  private(set) var records: [(bytes: RecordBytes, number: UInt64)] = []

  /// Memory that is worth keeping.
  private static let mostMemory = 4 << 20

  /// An empty batch, in memory that another one had.
  init(in writer: inout DiskStore.Writer) {
    bytes = ByteBuffer()
    swap(&bytes, &writer.memory)
    bytes.clear()
  }

  mutating func removeAll() {
    bytes.clear()
    records = []
  }

  /// Ends the use of this batch.
  mutating func giveBack(to writer: inout DiskStore.Writer) {
    if bytes.storageCapacity <= Self.mostMemory { swap(&bytes, &writer.memory) }
  }

  mutating func append(_ record: RecordBytes, _ number: UInt64, life: UInt64) {
    record.write(to: &bytes, life: life)
    records.append((record.withoutBytes, number))
  }

  /// Takes records out, with their bytes. O(records), and O(bytes) if there are any.
  mutating func leaveOut(_ isMeant: (UInt64) -> Bool) {
    guard records.contains(where: { isMeant($0.number) }) else { return }
    var kept = ByteBuffer()
    kept.reserveCapacity(bytes.readableBytes)
    for record in records {
      guard let slice = bytes.readSlice(length: record.bytes.total) else {
        invariantFailed("a batch has other bytes than its records")
      }
      if !isMeant(record.number) { kept.writeImmutableBuffer(slice) }
    }
    bytes = kept
    records.removeAll { isMeant($0.number) }
  }
}

/// The bytes of one record but for the header, which needs to know the life of the segment.
struct RecordBytes {
  private(set) var header: RecordHeader
  let key: CacheKey
  let names: ResponseNames
  private var head: [UInt8]
  private var content: Content

  var total: Int { header.total }

  /// The bytes of a response, with its time as the wall clock has it that is ahead by so many milliseconds.
  init(_ response: StoredResponse, stamp: UInt64, wallOffset: Int64) {
    key = response.key
    names = response.names
    let keyBytes = ResponseCodec.key(response.key)
    let headBytes = ResponseCodec.head(response, wallOffset: wallOffset)
    let both = keyBytes + headBytes
    head = both
    content = response.content
    let freshness = response.freshness
    let left = freshness.lifetime &- freshness.initialAge
    let stored = WallTime(milliseconds: freshness.responseTime.milliseconds &+ wallOffset)
    header = RecordHeader(
      life: 0, stamp: stamp, hash: response.key.hash, stored: stored,
      freshUntil: stored.adding(seconds: left), keyCount: keyBytes.count,
      headCount: headBytes.count, contentCount: response.content.count,
      headChecksum: Checksum.of(both.span), contentChecksum: 0,
      variant: ResponseCodec.variant(response.key, response.selector))
  }

  /// What is still to be known when it has been written.
  var withoutBytes: RecordBytes {
    var copy = self
    copy.head = []
    copy.content = .empty
    return copy
  }

  /// Appends the whole record.
  func write(to buffer: inout ByteBuffer, life: UInt64) {
    let first = buffer.writerIndex
    buffer.reserveCapacity(minimumWritableBytes: header.total)
    buffer.writeRepeatingByte(0, count: RecordHeader.size)
    buffer.writeBytes(head)
    buffer.writeRepeatingByte(0, count: 8 * header.blocks)
    let start = buffer.writerIndex
    for piece in content.pieces { buffer.writeImmutableBuffer(piece) }
    let base = start - buffer.readerIndex
    var header = header
    header.life = life
    if header.blocks == 0 {
      header.contentChecksum = buffer.checksum(base..<(base + header.contentCount))
    } else {
      var table = DiskWriter(capacity: 8 * header.blocks)
      for block in 0..<header.blocks {
        let from = block * DiskFormat.block
        let to = min(from + DiskFormat.block, header.contentCount)
        table.write(buffer.checksum((base + from)..<(base + to)))
      }
      buffer.setBytes(table.bytes, at: first + header.tableOffset)
      header.contentChecksum = Checksum.of(table.bytes.span)
    }
    buffer.setBytes(header.bytes, at: first)
    buffer.writeRepeatingByte(0, count: header.total - (buffer.writerIndex - first))
  }
}
