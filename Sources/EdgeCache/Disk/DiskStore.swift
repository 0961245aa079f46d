import NIOCore
import Synchronization

// The disk tier: segments that are written from front to back and recycled in the order in which they
// were filled, with a directory in memory.
//
// Invariants
// * A place is in the directory only after its whole record was written, and only if no purge has
//   come since its request left.
// * What is read is believed only if its life, its checksums and the full key are right.
// * A purge is in purge.log, and synced, before it is acknowledged. A record whose stamp is lower than the
//   number of a purge that covers it is dead: when it is added, when it is recovered, when it is read.
// * Where the log may have lost something, what is older than that was found out is behind a fence: it is
//   validated before it is used, now and by all later processes.
// * A segment is recycled only while nobody reads it, in other pages than those that sockets may have, and its new
//   header is synced before anything else of its new life is written.
// * Whatever fails makes a miss, or a response that is not kept; what cannot be fenced is not served.
//
// What waits for the disk says so. Calls may come from any thread; one of them writes records at a time.
// Reading, writing, purging, the log and what is done about a full disk are in files of their own.

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
    /// The newest purge that nothing in it is left to be found of, but what a reader finds.
    var sweptThrough: UInt64 = 0
    /// False if its records are not listed behind them.
    var isListed = true
    var readers = 0
    var errors = 0
    /// False if nothing in it is used any more before the next start.
    var mayBeRead: Bool { phase != .abandoned || readers > 0 }
    /// Where records begin whose content was found to be right, for those that are sent without being read.
    var verified: Set<Int> = []
  }

  struct State: Sendable {
    var directory: DiskDirectory
    var segments: [Segment]
    var admission: DiskAdmission
    var statistics = DiskStatistics()
    /// False while neither purges can be made to last, nor that they cannot; and while nothing can be written.
    var serves = true
    var writes = true
    /// Failed writes in a row.
    var failures = 0
    var trouble: DiskTrouble?
    var pause = Pause()
    var underWay = WritesUnderWay()
    var strays = DiskStrays()
    /// Where the next record goes, behind all that is being written.
    var position: UInt64 = 0
    var clock: DiskClock
    /// When the time was logged the last time.
    var logged: Instant
    /// Number of free segments.
    var free = 0
    var heads = DiskHeads()
  }

  struct Writer: Sendable {
    /// The segment that is being filled.
    var open: Int?
    var life: UInt64
    var log: Log
    /// Memory for the next batch: new memory each time would be felt by all threads.
    var memory = ByteBuffer()
  }

  let volume: any DiskVolume
  let header: StoreHeader
  let purges: PurgeLog
  /// What has a lower stamp must be validated before it is used, for purges of it may be missing, or its age cannot
  /// be told.
  let fence: UInt64
  let state: Mutex<State>
  let writer: Mutex<Writer>
  let sweeping = Mutex<Sweeping?>(nil)

  /// Failed writes in a row after which nothing more is written for a while.
  static let mostFailures = 8
  /// Errors in one segment after which nothing in it is believed.
  static let mostErrors = 3
  /// Bytes of purge.log below which it is not worth writing anew.
  static let smallestLog = 1 << 20
  /// Bytes of purge.log that are read: what grows beyond is as good as lost.
  static let largestLog = 1 << 31

  /// The state that recovery found.
  init(
    _ volume: any DiskVolume, _ header: StoreHeader, purges: PurgeLog, fence: UInt64,
    state: State, writer: Writer
  ) {
    self.fence = fence
    self.volume = volume
    self.header = header
    self.purges = purges
    self.state = Mutex(state)
    self.writer = Mutex(writer)
  }

  /// What keys the hashes of this store.
  public var secret: HashSecret { HashSecret(header.secret.0, header.secret.1) }

  /// What is to be made of something that is stored here with that stamp.
  func standing(of key: CacheKey, _ names: ResponseNames, stamp: UInt64) -> PurgeStanding {
    switch purges.standing(of: key, names, stamp: stamp) {
    case .gone: .gone
    case .untouched where stamp >= fence: .untouched
    case .stale where stamp >= fence: .stale
    case .unchecked where stamp >= fence: .unchecked
    case .untouched, .stale, .unchecked, .distrusted: .distrusted
    }
  }

  /// Bytes of all segments.
  public var capacity: Int { header.segmentSize * header.segmentCount }

  /// Counters and sizes. O(segments).
  public var statistics: DiskStatistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.responses = state.directory.count
      statistics.directoryBytes =
        state.directory.memory + state.admission.memory + state.strays.memory
      statistics.capacity = header.segmentSize * header.segmentCount
      statistics.segments = state.segments.count
      statistics.freeSegments = state.free
      for (index, segment) in state.segments.enumerated() {
        switch segment.phase {
        case .free: break
        case .open: statistics.usedBytes += segment.end
        case .sealed: statistics.usedBytes += header.segmentSize
        case .abandoned: statistics.quarantined.append(index)
        }
      }
      statistics.serves = state.serves
      statistics.writes = state.writes
      statistics.trouble = state.trouble
      return statistics
    }
  }

  /// The lowest stamp of anything in a segment that may be read, dead or not; the highest number there is if there is
  /// nothing. O(segments).
  public var oldestStamp: UInt64 {
    state.withLock { state in
      state.segments.reduce(UInt64.max) { $1.mayBeRead ? min($0, $1.oldestStamp) : $0 }
    }
  }
}

/// Something is told apart by its bytes.
extension ByteBuffer {
  /// The checksum of some of its bytes, from the first readable one.
  func checksum(_ range: Range<Int>) -> UInt64 {
    Checksum.of(readableBytesUInt8Span.extracting(range))
  }
}
