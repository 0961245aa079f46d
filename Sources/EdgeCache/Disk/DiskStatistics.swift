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
  /// False if nothing is served, or written, any more.
  public var serves = true
  public var writes = true
  /// Stored responses that were found at the start, and how long that took.
  public var recovered = 0
  public var recoveryMilliseconds: Int64 = 0
  /// True if there was no room for all that was asked for.
  public var isReduced = false
  /// True if it began anew at the start, because what was purged could not be told any more.
  public var isEmptied = false

  init() {}
}
