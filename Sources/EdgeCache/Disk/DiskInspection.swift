// A store that is only looked at: what is in it, what a PoP would serve of it, and what is damaged. Nothing is
// written, cut off or repaired, so that it may be done before one decides what to do.
//
// What is alive is judged as DiskStore+Recovery.swift and DiskStore+Read.swift do it; listing is in
// DiskInspection+Records.swift, checking in DiskInspection+Check.swift.

/// A store cannot be looked at.
public enum DiskInspectionProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// There is no store.
  case noStore
  /// There is something else.
  case notAStore
  /// What says how the store is made up is damaged; or missing, where other files of a store are there.
  case damaged
  case headerMissing
  /// It has another version than the one that this program reads.
  case version(UInt32)
  /// A file could not be read.
  case failed(DiskError)

  public var description: String {
    switch self {
    case .noStore: "there is no store; name a directory that was given to --disk"
    case .notAStore:
      "\(StoreHeader.Problem.notAStore); name a directory that was given to --disk"
    case .damaged: "\(StoreHeader.Problem.damaged)"
    case .headerMissing: "STORE is missing, and other files of a store are there"
    case .version(let version):
      "\(StoreHeader.Problem.version(version)): use the edge-pop that wrote it, or empty the "
        + "directory"
    case .failed(let error): "\(error)"
    }
  }
}

/// A store that is only looked at.
public struct DiskInspection: Sendable {
  /// A segment of the store.
  public struct Segment: Sendable, Equatable {
    /// What a segment is in.
    public enum State: String, Sendable, CaseIterable {
      /// Nothing was written to it yet.
      case free
      /// The newest, which goes on being filled.
      case open
      /// Full, or given up before that.
      case sealed
      /// It belongs to an earlier store in this place, and is written over.
      case foreign
      /// Its header cannot be read, or is damaged.
      case unreadable
    }

    /// What it is in.
    public internal(set) var state: State
    /// Ascends over the store in the order in which segments were begun.
    public internal(set) var life: UInt64 = 0
    /// Records in it, dead or not.
    public internal(set) var records = 0
    /// True if its end says what is in it.
    public internal(set) var hasFooter = false
    /// Where the last record ends.
    public internal(set) var end = 0
  }

  /// The segments by number.
  public internal(set) var segments: [Segment]
  /// Bytes of a segment.
  public var segmentSize: Int { header.segmentSize }
  /// Number of disks in the set that the store is one of.
  public var disks: Int { header.disks }
  /// True if both are disks of one set, and were used together the last time. Otherwise one of them begins anew with
  /// the next start of both.
  public func isTogether(with other: DiskInspection) -> Bool {
    header.isTogether(with: other.header)
  }
  /// When the store was begun.
  public var created: WallTime { header.created }
  /// True if both are disks of one set.
  public func isOfSameSet(as other: DiskInspection) -> Bool {
    header.secret == other.header.secret
  }

  let volume: any DiskVolume
  let header: StoreHeader
  let purges = PurgeLog()
  private(set) var removals = Removals()
  /// Purges and removals that were read.
  public private(set) var logged = 0
  /// What is left of purge.log.
  let log: LogContents
  /// Why something that was purged may be missing there; nil if nothing is.
  private(set) var loss: LogLoss?
  /// What would be in the directory of a PoP.
  private(set) var directory = DiskDirectory()

  /// Looks at what is on a volume, without changing it. O(records).
  public init(_ volume: any DiskVolume) throws(DiskInspectionProblem) {
    self.volume = volume
    guard let found = try StoreHeader.read(volume, or: DiskInspectionProblem.self) else {
      throw StoreHeader.isBesideStore(volume) ? .headerMissing : .noStore
    }
    header = found
    segments = []
    log = LogContents(volume)
    for record in log.records {
      removals.note(record)
      purges.restore(record)
      if record.isOrder { logged += 1 }
    }
    for index in 0..<header.segmentCount { segments.append(look(index)) }
    let written = inOrder
    if let newest = written.last, !segments[newest].hasFooter { segments[newest].state = .open }
    directory = DiskDirectory(expecting: segments.reduce(0) { $0 + $1.records })
    var newest: UInt64 = 0
    for index in written {
      let life = segments[index].life
      let records = records(of: index)
      newest = records.reduce(newest) { max($0, $1.stamp) }
      for record in records
      where !removals.cover(record, life: life)
        && !purges.isPurged(record.hash, since: record.stamp)
      {
        directory.insert(
          record.hash, variant: record.variant,
          DiskPlace(segment: index, offset: record.offset, size: record.size))
      }
    }
    loss = log.loss ?? log.loss(ofStamp: newest)
  }

  /// True if what has that stamp is validated before it is used, whatever else is said of it.
  func isFenced(_ stamp: UInt64) -> Bool { loss != nil || stamp < log.fence?.sequence ?? 0 }

  /// What a segment is in.
  private func look(_ index: Int) -> Segment {
    let file = DiskFile.segment(index)
    guard let size = try? volume.size(file), size > 0 else { return Segment(state: .free) }
    guard let bytes = try? volume.bytes(file, at: 0, count: DiskFormat.segmentHeader) else {
      return Segment(state: .unreadable)
    }
    if bytes.allSatisfy({ $0 == 0 }) { return Segment(state: .free) }
    guard let found = SegmentHeader(bytes) else { return Segment(state: .unreadable) }
    guard found.store == header.id else { return Segment(state: .foreign) }
    guard found.index == index else { return Segment(state: .unreadable) }
    var segment = Segment(state: .sealed, life: found.life)
    if let records = SegmentFooter.read(volume, index, life: found.life, header) {
      segment.hasFooter = true
      segment.records = records.count
      segment.end = records.last.map { $0.offset + $0.size } ?? DiskFormat.segmentHeader
    } else {
      let scan = SegmentScan(volume, index, life: found.life, header)
      segment.records = scan.records.count
      segment.end = scan.end
    }
    return segment
  }

  /// The segments that have records, the one that was begun first first.
  var inOrder: [Int] {
    segments.indices
      .filter { segments[$0].state == .sealed || segments[$0].state == .open }
      .sorted { segments[$0].life < segments[$1].life }
  }

  /// The records that a PoP would find in a segment, in the order in which they were written.
  func records(of index: Int) -> [RecordSummary] {
    let life = segments[index].life
    if segments[index].hasFooter,
      let records = SegmentFooter.read(volume, index, life: life, header)
    {
      return records
    }
    return SegmentScan(volume, index, life: life, header).records
  }
}
