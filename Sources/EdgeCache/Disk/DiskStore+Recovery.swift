import Synchronization

// Opening a store: a new one, or what an earlier process left, however it ended. Footers say what is in
// the segments that were full; those that were not are read from record to record, up to the first one
// that is not whole.

/// What a store is opened with.
public struct DiskOptions: Sendable {
  /// Bytes that it may take; at least four segments.
  public var size: Int
  /// Bytes of a segment.
  public var segmentSize: Int
  /// What is written.
  public var admission: DiskAdmissionPolicy

  /// The segment that suits a size: 64 MiB, and a sixteenth of small stores.
  public init(size: Int, segmentSize: Int? = nil, admission: DiskAdmissionPolicy = .auto) {
    self.size = size
    let suitable = max(1 << 20, min(64 << 20, size / 16 / 4096 * 4096))
    self.segmentSize = segmentSize ?? suitable
    self.admission = admission
  }
}

/// A store cannot be opened.
public enum DiskProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// There is something else.
  case notAStore
  /// It is damaged where it must not be.
  case damaged
  /// It has another version than the one that this program reads.
  case version(UInt32)
  /// The size is too small for a store.
  case tooSmall
  /// A file could not be read or written.
  case failed(DiskError)

  public var description: String {
    switch self {
    case .notAStore: "STORE is not the header of a store; choose an empty directory"
    case .damaged:
      "STORE is damaged; what is stored cannot be told apart any more: empty the directory"
    case .version(let version):
      "it has format version \(version), and this program reads \(DiskFormat.version): empty the "
        + "directory, or choose another"
    case .tooSmall: "at least 4 MiB are needed"
    case .failed(let error): "\(error)"
    }
  }
}

extension DiskStore {
  static let headerFile = "STORE"
  /// Bytes that are read at once where there is no footer.
  private static let window = 1 << 20

  /// Opens what is on a volume, or begins a store there. `random` gives words for identity and secret of a
  /// new one, `clock` milliseconds for the time that it took. Purges that were logged are appended to
  /// `purges`. O(records).
  public static func open(
    _ volume: any DiskVolume, _ options: DiskOptions, purges: PurgeLog, now: Instant,
    random: () -> UInt64, clock: () -> Int64
  ) throws(DiskProblem) -> DiskStore {
    let began = clock()
    do {
      let wanted = options.size / options.segmentSize
      if options.segmentSize < 1 << 16 || wanted < 4 || wanted > DiskPlace.mostSegments {
        throw DiskProblem.tooSmall
      }
      var header =
        try readHeader(volume)
        ?? StoreHeader(
          id: (random(), random()), segmentSize: options.segmentSize, segmentCount: 0,
          secret: (random(), random()), created: now)
      let count = max(4, options.size / header.segmentSize)
      if header.segmentCount != count {
        // What is beyond is taken away before the header forgets of it.
        for index in count..<max(count, header.segmentCount) {
          try volume.remove(segmentFile(index))
        }
        header.segmentCount = count
        try volume.replace(headerFile, with: header.bytes)
      }
      let (logEnd, removals) = try readPurges(volume, purges)
      var recovery = Recovery(
        volume: volume, header: header, purges: purges, removals: removals)
      try recovery.run()
      var state = State(
        directory: recovery.directory, segments: recovery.segments,
        admission: DiskAdmission(
          options.admission, capacity: max(65_536, recovery.directory.count)))
      state.position = recovery.position
      state.statistics.recovered = recovery.directory.count
      state.statistics.recoveryMilliseconds = clock() - began
      return DiskStore(
        volume, header, purges: purges, state: state,
        writer: Writer(open: recovery.open, life: recovery.newestLife, logEnd: logEnd))
    } catch let error as DiskProblem {
      throw error
    } catch let error as DiskError {
      throw .failed(error)
    } catch {
      throw .damaged
    }
  }

  private static func readHeader(_ volume: any DiskVolume) throws -> StoreHeader? {
    guard let size = try volume.size(headerFile), size > 0 else { return nil }
    let bytes = try volume.read(headerFile, at: 0, count: 4096)
    do {
      return try StoreHeader(bytes)
    } catch {
      switch error {
      case .notAStore: throw DiskProblem.notAStore
      case .damaged: throw DiskProblem.damaged
      case .version(let version): throw DiskProblem.version(version)
      }
    }
  }

  /// Takes in what was logged, cuts off what is not whole, and returns where the next record goes and up
  /// to which position identities were removed.
  private static func readPurges(
    _ volume: any DiskVolume, _ purges: PurgeLog
  ) throws -> (end: Int, removals: [KeyHash: UInt64]) {
    guard let size = try volume.size(logFile) else {
      try volume.reserve(logFile, size: 0)
      try volume.sync(logFile)
      return (0, [:])
    }
    var removals: [KeyHash: UInt64] = [:]
    let bytes = try volume.read(logFile, at: 0, count: size)
    var end = 0
    while let (purge, next) = DiskPurge.read(bytes, at: end) {
      if case .removed(let hash) = purge.scope {
        removals[hash] = max(removals[hash] ?? 0, purge.sequence)
      } else {
        purges.restore(purge)
      }
      end = next
    }
    if end < size { try volume.truncate(logFile, to: end) }
    return (end, removals)
  }
}

/// One recovery.
private struct Recovery {
  let volume: any DiskVolume
  let header: StoreHeader
  let purges: PurgeLog
  let removals: [KeyHash: UInt64]
  private(set) var segments: [DiskStore.Segment]
  private(set) var directory = DiskDirectory()
  /// The segment that goes on being filled.
  private(set) var open: Int?
  private(set) var newestLife: UInt64 = 0

  init(
    volume: any DiskVolume, header: StoreHeader, purges: PurgeLog, removals: [KeyHash: UInt64]
  ) {
    self.removals = removals
    self.volume = volume
    self.header = header
    self.purges = purges
    segments = Array(repeating: DiskStore.Segment(), count: header.segmentCount)
  }

  /// Where the next record goes, at the earliest.
  var position: UInt64 {
    RecordSummary.position(
      life: newestLife, offset: open.map { segments[$0].end } ?? header.segmentSize)
  }

  mutating func run() throws {
    var lives: [(life: UInt64, index: Int)] = []
    for index in segments.indices {
      let file = DiskStore.segmentFile(index)
      guard try volume.size(file) == header.segmentSize,
        let bytes = try? volume.read(file, at: 0, count: DiskFormat.segmentHeader),
        let found = SegmentHeader(bytes), found.index == index, found.store == header.id
      else { continue }
      lives.append((found.life, index))
    }
    // In the order in which they were written: the newest of a key is added last.
    lives.sort { $0.life < $1.life }
    newestLife = lives.last?.life ?? 0
    var all: [(index: Int, records: [RecordSummary])] = []
    for (life, index) in lives {
      segments[index].life = life
      segments[index].phase = .sealed
      if let records = readFooter(index, life) {
        all.append((index, records))
        continue
      }
      let (records, end) = scan(index, life)
      all.append((index, records))
      if index == lives.last?.index {
        segments[index].phase = .open
        segments[index].records = records
        segments[index].end = end
        open = index
      }
    }
    directory = DiskDirectory(expecting: all.reduce(0) { $0 + $1.records.count })
    for (index, records) in all {
      segments[index].oldestStamp = records.reduce(UInt64.max) { min($0, $1.stamp) }
      for record in records where !isDead(record, life: segments[index].life) {
        directory.insert(
          record.hash,
          DiskPlace(segment: index, offset: record.offset, size: record.size))
      }
    }
  }

  /// True if a record may not be used, as far as that can be told without reading it.
  private func isDead(_ record: RecordSummary, life: UInt64) -> Bool {
    if let removed = removals[record.hash],
      RecordSummary.position(life: life, offset: record.offset) < removed
    {
      return true
    }
    return purges.isPurged(record.hash, since: record.stamp)
  }

  private func readFooter(_ index: Int, _ life: UInt64) -> [RecordSummary]? {
    let file = DiskStore.segmentFile(index)
    let end = header.segmentSize - SegmentFooter.trailer
    guard let trailer = try? volume.read(file, at: end, count: SegmentFooter.trailer),
      let (count, checksum) = SegmentFooter.readTrailer(trailer, life: life)
    else { return nil }
    let size = count * RecordSummary.footerEntry
    guard size <= end - DiskFormat.segmentHeader,
      let bytes = try? volume.read(file, at: end - size, count: size),
      let records = SegmentFooter.readEntries(bytes, count: count, checksum: checksum)
    else { return nil }
    let isInside = records.allSatisfy {
      $0.offset >= DiskFormat.segmentHeader && $0.size >= RecordHeader.size
        && $0.offset + $0.size <= end - size
    }
    return isInside ? records : nil
  }

  /// The records of a segment up to the first one that is not whole, and where that is.
  private func scan(_ index: Int, _ life: UInt64) -> ([RecordSummary], end: Int) {
    let file = DiskStore.segmentFile(index)
    var records: [RecordSummary] = []
    var offset = DiskFormat.segmentHeader
    var window: (start: Int, bytes: [UInt8]) = (0, [])
    while offset + RecordHeader.size <= header.segmentSize {
      if offset + RecordHeader.size > window.start + window.bytes.count {
        guard let bytes = try? volume.read(file, at: offset, count: 1 << 20) else { break }
        window = (offset, bytes)
      }
      guard let found = RecordHeader(window.bytes, at: offset - window.start, life: life),
        offset + found.total <= header.segmentSize, isWhole(found, at: offset, file)
      else { break }
      records.append(
        RecordSummary(
          hash: found.hash, stamp: found.stamp, stored: found.stored,
          freshUntil: found.freshUntil, contentCount: found.contentCount, offset: offset,
          size: found.total))
      offset += found.total
    }
    return (records, offset)
  }

  /// True if key and head of a record are what they were; the content is checked when it is read.
  private func isWhole(_ found: RecordHeader, at offset: Int, _ file: String) -> Bool {
    let count = found.tableOffset - RecordHeader.size
    guard let bytes = try? volume.read(file, at: offset + RecordHeader.size, count: count) else {
      return false
    }
    return bytes.count == count && Checksum.of(bytes.span) == found.headChecksum
  }
}
