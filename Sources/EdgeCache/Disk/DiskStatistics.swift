/// Counters and sizes of one disk.
public struct DiskStatistics: Sendable {
  /// Stored responses in the directory.
  public var responses = 0
  /// Bytes of memory of the directory.
  public var directoryBytes = 0
  /// Bytes of all segments.
  public var capacity = 0
  public var segments = 0
  public var freeSegments = 0
  /// Segments that errors made unusable.
  public var quarantinedSegments = 0
  /// Records written, and bytes with all that goes around them.
  public var written: UInt64 = 0
  public var bytesWritten: UInt64 = 0
  /// Responses that were not admitted, that are larger than a segment, and that gave way.
  public var notAdmitted: UInt64 = 0
  public var tooLarge: UInt64 = 0
  public var evicted: UInt64 = 0
  public var recycled: UInt64 = 0
  /// Responses read, and bytes with all that goes around them.
  public var hits: UInt64 = 0
  public var misses: UInt64 = 0
  public var bytesRead: UInt64 = 0
  /// Found to be purged only when they were read.
  public var purged: UInt64 = 0
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

  init() {}
}
