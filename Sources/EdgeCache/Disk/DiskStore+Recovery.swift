import NIOCore
import Synchronization

// Opening the disks of a PoP: new ones, or what an earlier process left, however it ended. Footers say what
// is in the segments that were full; those that were not are read from record to record, up to the first
// one that is not whole.
//
// Several disks are one set: the same secret, and every purge in every log. A disk that was away while the
// others went on does not know what was purged meanwhile; its epoch tells, and it begins anew, empty. So does one
// that was used without the others while they were used without it; then they do not know what was purged on it
// either, and what they have is behind a fence.
//
// How one disk is opened is in DiskOpening.swift.

/// What a store is opened with.
public struct DiskOptions: Sendable {
  /// Bytes that it may take; at least four segments.
  public var size: Int
  /// Bytes of a segment.
  public var segmentSize: Int
  /// What is written.
  public var admission: DiskAdmissionPolicy

  /// True if the segments are of a size that somebody chose.
  private let isChosen: Bool

  /// The segment that suits a size: 64 MiB, and a sixteenth of small stores.
  public init(size: Int, segmentSize: Int? = nil, admission: DiskAdmissionPolicy = .auto) {
    self.size = size
    isChosen = segmentSize != nil
    let suitable = max(Self.smallestSegment, min(64 << 20, size / 16 / 4096 * 4096))
    self.segmentSize = segmentSize ?? suitable
    self.admission = admission
  }

  /// A segment that has room for a piece of large content.
  private static let smallestSegment = 2 << 20

  /// The next smaller size of segments, where nobody chose one; nil if they are as small as they can be.
  func segmentSize(below bytes: Int) -> Int? {
    isChosen || bytes <= Self.smallestSegment
      ? nil : max(Self.smallestSegment, bytes / 2 / 4096 * 4096)
  }

  /// Number of segments of some size that there is room for, beside the other files; those are not worth
  /// counting where somebody chose the segments.
  func segments(of bytes: Int) -> Int {
    (size - (isChosen ? 0 : DiskStore.logRoom + 2 * DiskStore.lowRoom)) / bytes
  }
}

/// A store cannot be opened.
public enum DiskProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// There is something else.
  case notAStore
  /// Its header is damaged, and cannot be put aside.
  case damaged
  /// It has another version than the one that this program reads.
  case version(UInt32)
  /// The size is too small for a store.
  case tooSmall
  /// It belongs to other disks than the ones that it was given with.
  case otherSet
  /// There is not even room for the smallest store: so much is free or its own, and so much is needed.
  case noRoom(free: Int, needed: Int, DiskError)
  /// A file could not be read or written.
  case failed(DiskError)

  public var description: String {
    switch self {
    case .notAStore: "\(StoreHeader.Problem.notAStore); choose an empty directory"
    case .damaged: "\(StoreHeader.Problem.damaged)"
    case .version(let version):
      "\(StoreHeader.Problem.version(version)): empty the directory, or choose another"
    case .tooSmall: "at least 10 MiB are needed"
    case .otherSet:
      "it was used without the disks that it is given with now, and cannot be joined with them: empty "
        + "the directory, or leave it out"
    case .noRoom(let free, let needed, let error):
      "the disk is full: there is room for \(Self.mebibytes(free)), and at least \(Self.mebibytes(needed)) are "
        + "needed; free some room, or name a directory on another disk (\(error))"
    case .failed(let error) where error.isFull:
      "\(error); free some room, or give it a smaller size"
    case .failed(let error): "\(error)"
    }
  }
}

extension DiskProblem {
  /// For people, with a tenth: what is there is rounded down.
  private static func mebibytes(_ bytes: Int) -> String {
    let tenths = bytes / 104_858
    return "\(tenths / 10).\(tenths % 10) MiB"
  }
}

/// One disk of a set cannot be opened.
public struct DiskSetProblem: Error, Sendable, Equatable {
  /// Which one, in the order in which they were given.
  public var disk: Int
  public var problem: DiskProblem
}

extension DiskStore {
  /// Opens what is on a volume, or begins a store there. As ``openSet(_:purges:now:random:clock:)``.
  public static func open(
    _ volume: any DiskVolume, _ options: DiskOptions, purges: PurgeLog, now: Instant,
    random: () -> UInt64, clock: () -> Int64
  ) throws(DiskProblem) -> DiskStore {
    do {
      return try openSet(
        [(volume, options)], purges: purges, now: now, random: random, clock: clock)[0]
    } catch {
      throw error.problem
    }
  }

  /// Opens the disks of a PoP, or begins stores there. `random` gives words for identity and secret of new
  /// ones, `clock` milliseconds for the time that it took. Purges that were logged are added to `purges`.
  /// O(records).
  public static func openSet(
    _ disks: [(volume: any DiskVolume, options: DiskOptions)], purges: PurgeLog, now: Instant,
    random: () -> UInt64, clock: () -> Int64
  ) throws(DiskSetProblem) -> [DiskStore] {
    let began = clock()
    var openings: [DiskOpening] = []
    for (index, disk) in disks.enumerated() {
      openings.append(
        try attempt(index) { () throws(DiskProblem) in
          try DiskOpening(disk.volume, disk.options)
        })
    }
    let found = openings.compactMap(\.found)
    let secret = found.first?.secret ?? (random(), random())
    if let other = openings.firstIndex(where: { $0.found.map { $0.secret != secret } ?? false }) {
      throw DiskSetProblem(disk: other, problem: .otherSet)
    }
    let set = DiskSet(found, of: disks.count, name: random)
    // First those that keep what they have: a crash in between costs least so.
    let order = openings.indices.filter { set.has(openings[$0].found) }
    for index in order + openings.indices.filter({ !order.contains($0) }) {
      try attempt(index) { () throws(DiskProblem) in
        try openings[index].settle(
          id: (random(), random()), list: random(), secret: secret, in: set, now: now)
      }
    }
    // Whatever one of them knows to be purged is purged on all.
    for index in openings.indices { openings[index].readLog(purges) }
    for index in openings.indices {
      try attempt(index) { () throws(DiskProblem) in
        try openings[index].recover(purges, list: random())
      }
    }
    // A clock that went back while the store was away makes what is there seem younger than it is.
    if let newest = openings.compactMap(\.newestTime).max(), newest > now.wall {
      for index in openings.indices {
        openings[index].clockIsBehind(by: newest.milliseconds &- now.wall.milliseconds)
      }
    }
    // Whoever reads this list of purges is told by another name when it is not the same any more.
    let listName = openings.reduce(UInt64(0)) { $0 ^ $1.listName }
    let newest = openings.reduce(UInt64(0)) { max($0, $1.newestNumber) }
    let number = purges.begin(epoch: listName, after: newest, now: now)
    return openings.map {
      var opening = $0
      return opening.store(purges, number: number, now: now) { clock() - began }
    }
  }

  private static func attempt<Result>(
    _ disk: Int, _ body: () throws(DiskProblem) -> Result
  ) throws(DiskSetProblem) -> Result {
    do { return try body() } catch { throw DiskSetProblem(disk: disk, problem: error) }
  }
}

/// Up to which positions identities, and variants of them, were removed.
struct Removals {
  private struct Variant: Hashable {
    let hash: KeyHash
    let variant: UInt64
  }

  private var identities: [KeyHash: UInt64] = [:]
  private var variants: [Variant: UInt64] = [:]

  /// The newest life that something was removed from.
  private(set) var newestLife: UInt64 = 0

  mutating func note(_ purge: DiskPurge) {
    if purge.hasPosition {
      newestLife = max(newestLife, RecordSummary.life(before: purge.sequence))
    }
    switch purge.scope {
    case .removed(let hash): identities[hash] = max(identities[hash] ?? 0, purge.sequence)
    case .replaced(let hash, let variant):
      let key = Variant(hash: hash, variant: variant)
      variants[key] = max(variants[key] ?? 0, purge.sequence)
    case .purge, .nothing, .cursor, .beginning, .fence: break
    }
  }

  func cover(_ record: RecordSummary, life: UInt64) -> Bool {
    let position = RecordSummary.position(life: life, offset: record.offset)
    if let removed = identities[record.hash], position < removed { return true }
    if let removed = variants[Variant(hash: record.hash, variant: record.variant)] {
      return position < removed
    }
    return false
  }
}

/// One recovery.
struct Recovery {
  let volume: any DiskVolume
  let header: StoreHeader
  let purges: PurgeLog
  let removals: Removals
  private(set) var segments: [DiskStore.Segment]
  private(set) var directory = DiskDirectory()
  private(set) var strays = DiskStrays()
  /// The segment that goes on being filled.
  private(set) var open: Int?
  private(set) var newestLife: UInt64 = 0
  /// The highest stamp of a record.
  private(set) var newestStamp: UInt64 = 0
  /// What has a lower stamp is behind a fence.
  let fence: UInt64
  /// Segments that were damaged at their beginning.
  private(set) var lost = 0
  /// When the latest response came that is not.
  private(set) var newestTime: WallTime?

  /// Bytes that are read at once where there is no footer.
  private static let window = 1 << 20

  init(
    volume: any DiskVolume, header: StoreHeader, purges: PurgeLog, removals: Removals, fence: UInt64
  ) {
    self.fence = fence
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

  mutating func run() throws(DiskError) {
    var lives: [(life: UInt64, index: Int)] = []
    for index in segments.indices {
      switch SegmentBeginning(volume, index, header) {
      case .life(let life): lives.append((life, index))
      case .nothing: break
      case .leftovers: makeAnew(index)
      case .damaged:
        makeAnew(index)
        lost += 1
      }
    }
    // In the order in which they were written: the newest of a key is added last.
    lives.sort { $0.life < $1.life }
    let found = lives.last?.life ?? 0
    newestLife = max(found, removals.newestLife)
    // As large as it will be: growing would take time, and memory that is not given back.
    directory = DiskDirectory(
      expecting: lives.reduce(0) {
        $0 + (SegmentFooter.count(volume, $1.index, life: $1.life, header) ?? 0)
      })
    for (life, index) in lives {
      segments[index].life = life
      segments[index].phase = .sealed
      if let records = SegmentFooter.read(volume, index, life: life, header) {
        add(records, of: index, life: life)
        continue
      }
      let scan = SegmentScan(volume, index, life: life, header)
      add(scan.records, of: index, life: life)
      // Behind a record that is not whole there may be others that are. They do not count, and must not come up
      // when something is written before them: nothing more is.
      // Nor is anything, where a later life is known of.
      if index == lives.last?.index, newestLife == found, !scan.isFollowed(in: header) {
        segments[index].phase = .open
        segments[index].records = scan.records
        segments[index].end = scan.end
        open = index
      } else {
        // What could not be read may be readable the next time.
        strays.addAny(in: index)
      }
    }
  }

  /// Puts a file of zeros in the place of a segment whose life is not known. The next segments may get that life again,
  /// and what lies there would be believed with it, without the purges that are not remembered for it.
  private mutating func makeAnew(_ index: Int) {
    do throws(DiskError) {
      try volume.remove(.segment(index))
      try volume.reserve(.segment(index), size: header.segmentSize)
    } catch {
      // Without room for it, it is made when it is needed.
      if error.isFull { return }
      // It may be readable another time: so it is not used, and all that was purged is remembered.
      segments[index].phase = .abandoned
      segments[index].oldestStamp = 0
    }
  }

  private mutating func add(_ records: [RecordSummary], of index: Int, life: UInt64) {
    for record in records {
      segments[index].oldestStamp = min(record.stamp, segments[index].oldestStamp)
      newestStamp = max(record.stamp, newestStamp)
      if record.stamp >= fence { newestTime = max(newestTime ?? record.stored, record.stored) }
      if isDead(record, life: life) { continue }
      let forgotten = directory.insert(
        record.hash, variant: record.variant,
        DiskPlace(segment: index, offset: record.offset, size: record.size))
      if let forgotten {
        strays.add(DiskDirectory.identity(record.hash), in: forgotten.segment)
      }
    }
  }

  /// True if a record may not be used, as far as that can be told without reading it.
  private func isDead(_ record: RecordSummary, life: UInt64) -> Bool {
    removals.cover(record, life: life) || purges.isPurged(record.hash, since: record.stamp)
  }
}
