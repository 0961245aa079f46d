import EdgeCache

/// What `GET /stats` reports of the disk tier: all disks together, and each by itself.
struct DiskReport: Codable, Sendable {
  /// One step of a histogram.
  struct Step: Codable, Sendable {
    /// The upper end; absent for whatever is above all others.
    var microseconds: Int?
    var count: UInt64
  }

  /// The directory; absent in the sum.
  var path: String?
  var storedResponses = 0
  /// Bytes of all segments, and of those in use.
  var capacity = 0
  var usedBytes = 0
  var segments = 0
  var freeSegments = 0
  /// Segments that errors made unusable: how many, and which.
  var quarantinedSegments = 0
  var quarantined: [String] = []
  /// Bytes of memory of the directory.
  var directoryBytes = 0
  var hits: UInt64 = 0
  var misses: UInt64 = 0
  var bytesRead: UInt64 = 0
  /// Responses that came into memory, and were written below or not.
  var admitted: UInt64 = 0
  var notAdmitted: UInt64 = 0
  var tooLarge: UInt64 = 0
  var written: UInt64 = 0
  var bytesWritten: UInt64 = 0
  var contentBytesWritten: UInt64 = 0
  /// Bytes written for each byte of content; 0 before the first one.
  var writeAmplification = 0.0
  /// What was left out because the disk was too slow for it.
  var bypassedReads: UInt64 = 0
  var bypassedWrites: UInt64 = 0
  var evicted: UInt64 = 0
  var recycledSegments: UInt64 = 0
  var purgedWhenRead: UInt64 = 0
  /// What was found to be purged while nobody read it, and segments that were freed by that.
  var swept: UInt64 = 0
  var sweptSegments: UInt64 = 0
  var damaged: UInt64 = 0
  var readErrors: UInt64 = 0
  var writeErrors: UInt64 = 0
  /// False while nothing is served, or written; in the sum, on any disk.
  var serves = true
  var writes = true
  /// True if there was less room than the store was given.
  var isReduced = false
  /// What keeps a disk from taking what it is given; absent if it is well.
  var trouble: String?
  /// What was found at the start that is not as it was left.
  var notices: [String] = []
  /// What was found at the start, and in what time.
  var recoveredResponses = 0
  var recoveryMilliseconds: Int64 = 0
  /// How long reads took that had to wait for the disk.
  var readLatency: [Step] = []
  var disks: [DiskReport]?

  /// The report of one disk.
  init(_ queue: DiskQueue) {
    let disk = queue.store.statistics
    path = queue.path
    storedResponses = disk.responses
    capacity = disk.capacity
    usedBytes = disk.usedBytes
    segments = disk.segments
    freeSegments = disk.freeSegments
    quarantinedSegments = disk.quarantined.count
    quarantined = disk.quarantined.map { "\(queue.path)/\(DiskFile.segment($0))" }
    directoryBytes = disk.directoryBytes
    hits = disk.hits
    misses = disk.misses
    bytesRead = disk.bytesRead
    admitted = disk.admitted
    notAdmitted = disk.notAdmitted
    tooLarge = disk.tooLarge
    written = disk.written
    bytesWritten = disk.bytesWritten
    contentBytesWritten = disk.contentBytesWritten
    (bypassedReads, bypassedWrites) = queue.bypassed
    evicted = disk.evicted
    recycledSegments = disk.recycled
    purgedWhenRead = disk.purged
    swept = disk.swept
    sweptSegments = disk.freedSegments
    damaged = disk.damaged
    readErrors = disk.readErrors
    writeErrors = disk.writeErrors
    serves = disk.serves
    writes = disk.writes
    isReduced = disk.isReduced
    trouble = disk.trouble.map { "\($0)" }
    notices = disk.notices.map { "\($0)" }
    recoveredResponses = disk.recovered
    recoveryMilliseconds = disk.recoveryMilliseconds
    let latencies = queue.latencies
    readLatency = latencies.counts.enumerated().map { index, count in
      Step(
        microseconds: index < LatencyHistogram.steps.count ? LatencyHistogram.steps[index] : nil,
        count: count)
    }
    setAmplification()
  }

  /// The sum of several disks.
  init(_ disks: [DiskReport]) {
    for disk in disks {
      add(disk, [\.storedResponses, \.capacity, \.usedBytes, \.segments, \.freeSegments])
      add(disk, [\.quarantinedSegments, \.directoryBytes, \.recoveredResponses])
      add(disk, [\.hits, \.misses, \.bytesRead, \.admitted, \.notAdmitted, \.tooLarge])
      add(disk, [\.written, \.bytesWritten, \.contentBytesWritten, \.bypassedReads])
      add(disk, [\.bypassedWrites, \.evicted, \.recycledSegments, \.purgedWhenRead, \.damaged])
      add(disk, [\.swept, \.sweptSegments])
      add(disk, [\.readErrors, \.writeErrors])
      quarantined += disk.quarantined
      serves = serves && disk.serves
      writes = writes && disk.writes
      isReduced = isReduced || disk.isReduced
      trouble = trouble ?? disk.trouble
      notices += disk.notices
      recoveryMilliseconds = max(recoveryMilliseconds, disk.recoveryMilliseconds)
      if readLatency.isEmpty {
        readLatency = disk.readLatency
      } else {
        for index in readLatency.indices {
          readLatency[index].count += disk.readLatency[index].count
        }
      }
    }
    setAmplification()
    self.disks = disks
  }

  private mutating func add<Number: FixedWidthInteger>(
    _ other: DiskReport, _ members: [WritableKeyPath<DiskReport, Number>]
  ) {
    for member in members { self[keyPath: member] += other[keyPath: member] }
  }

  private mutating func setAmplification() {
    guard contentBytesWritten > 0 else { return }
    let ratio = Double(bytesWritten) / Double(contentBytesWritten)
    writeAmplification = (ratio * 1000).rounded() / 1000
  }
}

extension DiskTier {
  /// What there is to tell of all disks. O(segments).
  var report: DiskReport { DiskReport(disks.map { DiskReport($0) }) }
}
