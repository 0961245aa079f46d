/// Counters and sizes of one disk.
public struct DiskStatistics: Sendable {
  /// Stored responses in the directory.
  public var responses = 0
  /// Bytes of memory of the directory, and of what is known of requests.
  public var directoryBytes = 0
  /// Bytes of all segments, and of what was ever written to those in use.
  public var capacity = 0
  public var usedBytes = 0
  public var segments = 0
  public var freeSegments = 0
  /// Segments that errors made unusable, by number.
  public var quarantined: [Int] = []
  /// Responses that came into memory and were admitted, or not; that are larger than a segment; and that
  /// were evicted.
  public var admitted: UInt64 = 0
  public var notAdmitted: UInt64 = 0
  public var tooLarge: UInt64 = 0
  public var evicted: UInt64 = 0
  public var recycled: UInt64 = 0
  /// Records written, the bytes of their content, and all bytes that were written for them: with heads,
  /// footers and purge.log.
  public var written: UInt64 = 0
  public var contentBytesWritten: UInt64 = 0
  public var bytesWritten: UInt64 = 0
  /// Responses found, or not, and bytes that were read or sent for them.
  public var hits: UInt64 = 0
  public var misses: UInt64 = 0
  public var bytesRead: UInt64 = 0
  /// Found to be purged only when they were read.
  public var purged: UInt64 = 0
  /// Found to be purged while nobody read them; and segments of which nothing was left then.
  public var swept: UInt64 = 0
  public var freedSegments: UInt64 = 0
  /// What lay there was not what was written.
  public var damaged: UInt64 = 0
  public var readErrors: UInt64 = 0
  public var writeErrors: UInt64 = 0
  /// False while nothing is served, or written.
  public var serves = true
  public var writes = true
  /// Stored responses that were found at the start, and how long that took.
  public var recovered = 0
  public var recoveryMilliseconds: Int64 = 0
  /// True if there was no room for all that was asked for.
  public var isReduced = false
  /// Bytes that it may take.
  public var allowed = 0
  /// What was found at the start that is not as it was left.
  public var notices: [DiskNotice] = []
  /// What keeps it from taking what it is given; nil if it is well.
  public var trouble: DiskTrouble?

  init() {}
}

/// Something about a store that was found when it was opened.
public enum DiskNotice: Sendable, Equatable {
  /// Purges may be missing, and why: what was stored before is validated before it is used. A disk that is full now
  /// is the likely cause.
  case fenced(String, isFull: Bool = false)
  /// The same, for this disk and another one of its set were each used without the other.
  case usedApart
  /// The wall clock is behind what it was when the store was written the last time: how old things are cannot be
  /// told, so that they are validated before they are used.
  case clockBehind(milliseconds: Int64)
  /// The header was damaged, and how: the store begins anew, empty.
  case headerDamaged(String)
  /// There was no header where there are files of a store: it begins anew, empty.
  case headerMissing
  /// So many segments were damaged where they begin, or could not be read there: what was in them is lost.
  case segmentsLost(Int)
  /// It was written by an earlier version of this program: it begins anew, empty.
  case older(UInt32)
  /// It was used without the other disks of its set: it begins anew, empty.
  case wasAway
  /// It may not have as much room as four of its segments take: it begins anew, empty, with smaller ones.
  case resized

  /// True if something is wrong that somebody should look at.
  public var isDamage: Bool {
    switch self {
    case .fenced, .usedApart, .headerDamaged, .headerMissing, .segmentsLost: true
    case .clockBehind, .older, .wasAway, .resized: false
    }
  }
}

extension DiskNotice: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fenced(let reason, let isFull):
      "purges may be missing: \(reason)"
        + (isFull
          ? "; the disk is full, and what could not be written until the last process ended is lost"
          : "")
        + "; what was stored before is validated before it is used"
    case .usedApart:
      "purges may be missing: \(LogLoss.apart); what was stored before is validated before it is used"
    case .clockBehind(let milliseconds):
      "the wall clock is \((milliseconds + 999) / 1000) s behind what it was when the store was written the last "
        + "time; what was stored before is validated before it is used"
    case .headerDamaged(let reason):
      "\(reason); the store begins anew, empty, and the damaged file is kept as "
        + "\(DiskFile.damagedHeader)"
    case .headerMissing:
      "STORE is missing, and other files of a store are there; it begins anew, empty, and what was purged is kept "
        + "as \(DiskFile.damagedLog)"
    case .segmentsLost(let count):
      "the beginning of \(count == 1 ? "1 segment" : "\(count) segments") of the store cannot be read or is damaged; "
        + "what was in there is lost, and is fetched again"
    case .older(let version):
      "it has format version \(version), of an earlier program; it begins anew, empty"
    case .wasAway:
      "it was away while the other disks of its set were used; it begins anew, empty"
    case .resized:
      "four of its segments take more than it may take now; it begins anew, empty, with smaller ones"
    }
  }
}
