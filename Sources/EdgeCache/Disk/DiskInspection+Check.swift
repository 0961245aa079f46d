import NIOCore

// Reading everything that is there, and comparing it with its checksums. One block of content is in memory at
// a time.

/// Something about a store that is not as it was written.
public struct DiskFinding: Sendable, Equatable {
  /// How bad it is.
  public enum Kind: String, Sendable {
    /// What was written is not there any more.
    case damage
    /// Worth knowing; a crash leaves such things.
    case note
  }

  public var kind: Kind
  /// Where it is.
  public var file: DiskFile
  public var offset: Int
  /// What is there.
  public var what: String
  /// What follows from it.
  public var meaning: String
  /// The URL of the record, if that can be read.
  public var url: String?

  /// A finding from its parts.
  public init(
    kind: Kind, file: DiskFile, offset: Int, what: String, meaning: String, url: String? = nil
  ) {
    self.kind = kind
    self.file = file
    self.offset = offset
    self.what = what
    self.meaning = meaning
    self.url = url
  }
}

extension DiskInspection {
  /// Reads all that is there, and calls `found` for each thing that is not as it was written. O(bytes).
  public func check(
    _ found: (DiskFinding) -> Void, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) {
    checkLog(found)
    let written = segments.count { $0.state == .sealed || $0.state == .open }
    var done = 0
    for index in segments.indices {
      progress(done * segmentSize, written * segmentSize)
      checkFile(index, found)
      guard segments[index].state == .sealed || segments[index].state == .open else { continue }
      var check = SegmentCheck(self, index)
      check.run(found) { progress(done * segmentSize + $0, written * segmentSize) }
      done += 1
    }
    progress(done * segmentSize, written * segmentSize)
  }

  // MARK: purge.log

  private func checkLog(_ found: (DiskFinding) -> Void) {
    func report(
      _ kind: DiskFinding.Kind, _ file: DiskFile, _ offset: Int, _ what: String, _ meaning: String
    ) {
      found(DiskFinding(kind: kind, file: file, offset: offset, what: what, meaning: meaning))
    }
    let fenced = "purges may be missing: what is stored is validated before it is used"
    switch loss {
    case nil: break
    case .missing: report(.damage, .purgeLog, 0, "the file is missing", fenced)
    case .unreadable(let reason): report(.damage, .purgeLog, 0, reason, fenced)
    case .damaged(let offset):
      let what =
        log.behind > 0
        ? "a record is damaged, and \(log.behind) more behind it are not read"
        : "a record is damaged that had been written whole"
      report(.damage, .purgeLog, offset, what, fenced)
    case .torn(let offset):
      report(
        .note, .purgeLog, offset, "the last record is not whole",
        "a crash, or an end while the disk was full, leaves that; what is stored is validated before it is used"
      )
    case .cut(let end, let written):
      report(
        .damage, .purgeLog, end, "it ends here, and \(written) bytes had been written", fenced)
    case .unmarked:
      report(
        .damage, .purgeMark, 0, "it is missing or damaged, and says how long purge.log was", fenced)
    case .other, .stamped, .apart:
      report(.damage, .purgeLog, log.end, loss.map { "\($0)" } ?? "", fenced)
    case .incomplete:
      report(
        .note, .purgeLog, log.end, "purges or removals could not be written",
        "the disk was full or failed; what is stored is validated before it is used")
    }
    if loss == nil, let fence = log.fence, case .fence(let reason) = fence.scope {
      report(
        .note, .purgeLog, 0, "found out before: \(reason)",
        "what was stored before is validated before it is used")
    }
    for file in [DiskFile.damagedHeader, .damagedLog] where (try? volume.size(file)) ?? nil != nil {
      report(
        .note, file, 0, "it was damaged, and put aside at an earlier start",
        "nothing needs it; remove it when you have looked at it")
    }
  }

  // MARK: Segments

  /// What can be said of a segment without its records.
  private func checkFile(_ index: Int, _ found: (DiskFinding) -> Void) {
    func report(_ offset: Int, _ what: String, _ meaning: String) {
      found(
        DiskFinding(
          kind: .damage, file: .segment(index), offset: offset, what: what, meaning: meaning))
    }
    let lost = "all that was in the segment is lost, and written over in time"
    do throws(DiskError) {
      guard let size = try volume.size(.segment(index)) else {
        return report(0, "the file is missing", lost)
      }
      if size != segmentSize {
        report(
          min(size, segmentSize), "the file has \(size) bytes instead of \(segmentSize)",
          "what is not there is lost")
      }
      if segments[index].state == .unreadable {
        _ = try volume.bytes(.segment(index), at: 0, count: DiskFormat.segmentHeader)
        report(0, "the header of the segment is damaged", lost)
      }
    } catch {
      report(0, error.reason, lost)
    }
  }
}

/// The check of one segment.
private struct SegmentCheck {
  private let store: DiskInspection
  private let index: Int
  private let life: UInt64
  private var window: DiskWindow

  private var file: DiskFile { .segment(index) }
  private static let miss = "a request for it is a miss, and it is fetched again"

  init(_ store: DiskInspection, _ index: Int) {
    self.store = store
    self.index = index
    life = store.segments[index].life
    window = DiskWindow(store.volume, .segment(index))
  }

  private func finding(
    _ kind: DiskFinding.Kind, _ offset: Int, _ what: String, _ meaning: String, url: String? = nil
  ) -> DiskFinding {
    DiskFinding(
      kind: kind, file: file, offset: offset, what: what, meaning: meaning, url: url)
  }

  mutating func run(_ found: (DiskFinding) -> Void, progress: (_ done: Int) -> Void) {
    if store.segments[index].hasFooter {
      var end = DiskFormat.segmentHeader
      for entry in store.records(of: index) {
        if entry.offset != end {
          found(
            finding(
              .damage, end, "the list of records goes on at \(entry.offset)",
              "what is in between is not used"))
        }
        checkListed(entry, found)
        end = entry.offset + entry.size
        progress(end)
      }
      return
    }
    checkFooter(found)
    var end = DiskFormat.segmentHeader
    while let head = try? store.readHead(&window, index, at: end) {
      checkKey(head, at: end, found)
      checkContent(head, at: end, found)
      end += head.header.total
      progress(end)
    }
    checkEnd(end, found)
  }

  // MARK: The footer

  /// Why there is no footer that is right.
  private mutating func checkFooter(_ found: (DiskFinding) -> Void) {
    let start = store.segmentSize - SegmentFooter.trailer
    guard let last = window.bytes(at: start, count: SegmentFooter.trailer) else {
      if let failure = window.failure {
        found(finding(.damage, start, failure.reason, Self.unlisted))
      }
      return
    }
    var reader = DiskReader(last, 8..<16)
    let named = reader.read(UInt64.self) ?? 0
    let trailer = SegmentFooter.readTrailer(last, life: named)
    if let trailer, named == life {
      let entries = max(0, start - trailer.count * RecordSummary.footerEntry)
      found(
        finding(.damage, entries, "the list of records at the end is damaged", Self.unlisted))
    } else if trailer == nil, last.contains(where: { $0 != 0 }) {
      found(finding(.damage, start, "the end of the segment is damaged", Self.unlisted))
    } else if store.segments[index].state == .sealed {
      // What is there is nothing, or what an earlier life left.
      found(
        finding(
          .note, start, "there is no list of records at the end",
          "a crash leaves that; \(Self.unlisted)"))
    }
  }

  private static let unlisted = "its records are read one by one at each start"

  // MARK: Records

  private mutating func checkListed(_ entry: RecordSummary, _ found: (DiskFinding) -> Void) {
    do throws(DiskInspection.HeadFlaw) {
      let head = try store.readHead(&window, index, at: entry.offset)
      if head.header.summary(at: entry.offset) != entry {
        found(
          finding(
            .damage, entry.offset, "the record is not the one that the list of records names",
            Self.miss, url: head.key.readableURL))
      }
      checkKey(head, at: entry.offset, found)
      checkContent(head, at: entry.offset, found)
    } catch {
      let what =
        switch error {
        case .header: "the header of the record is damaged"
        case .head: "the key or head of the record is damaged"
        case .failed(let error): error.reason
        }
      found(
        finding(.damage, entry.offset, what, "\(Self.miss), and so is all else of the same URL"))
    }
  }

  /// Whether the record is found by the URL that it has.
  private func checkKey(
    _ head: DiskInspection.Head, at offset: Int, _ found: (DiskFinding) -> Void
  ) {
    let secret = HashSecret(store.header.secret.0, store.header.secret.1)
    let key = head.key.appending([], secret: secret)
    if key.hash != head.header.hash
      || ResponseCodec.variant(key, head.response.selector) != head.header.variant
    {
      found(
        finding(
          .damage, offset, "the record is filed under another URL or variant than its own",
          "it is never found", url: head.key.readableURL))
    }
  }

  private mutating func checkContent(
    _ head: DiskInspection.Head, at offset: Int, _ found: (DiskFinding) -> Void
  ) {
    let header = head.header
    let start = offset + header.contentOffset
    func report(_ place: Int, _ what: String) {
      found(finding(.damage, place, what, Self.miss, url: head.key.readableURL))
    }
    if header.blocks == 0 {
      guard let bytes = window.bytes(at: start, count: header.contentCount) else {
        return report(start, window.failure?.reason ?? "the content is cut off")
      }
      if Checksum.of(bytes.span) != header.contentChecksum {
        report(start, "the content is damaged")
      }
      return
    }
    let table = offset + header.tableOffset
    guard let checksums = window.bytes(at: table, count: 8 * header.blocks) else {
      return report(table, window.failure?.reason ?? "the content is cut off")
    }
    guard Checksum.of(checksums.span) == header.contentChecksum else {
      return report(table, "the checksums of the content are damaged")
    }
    var reader = DiskReader(checksums)
    for block in 0..<header.blocks {
      let place = start + block * DiskFormat.block
      let count = min(DiskFormat.block, header.contentCount - block * DiskFormat.block)
      guard let bytes = window.bytes(at: place, count: count) else {
        return report(place, window.failure?.reason ?? "the content is cut off")
      }
      if reader.read(UInt64.self) != Checksum.of(bytes.span) {
        report(place, "block \(block + 1) of \(header.blocks) of the content is damaged")
      }
    }
  }

  // MARK: Behind the last record

  /// Tells a segment that ends from one that is damaged: there is nothing of its life behind its end.
  private mutating func checkEnd(_ end: Int, _ found: (DiskFinding) -> Void) {
    guard end + RecordHeader.size <= store.segmentSize else { return }
    guard let bytes = window.bytes(at: end, count: RecordHeader.size) else {
      if let failure = window.failure {
        found(finding(.damage, end, failure.reason, "what is there and behind it is lost"))
      }
      return
    }
    let behind = recordsBehind(end)
    var reader = DiskReader(bytes, 8..<16)
    if behind > 0 {
      let more = behind == 1 ? "1 more behind it is" : "\(behind) more behind it are"
      found(
        finding(
          .damage, end, "a record is damaged, and \(more) not found without a list of records",
          "requests for them are misses, and what is there is written over"))
    } else if reader.read(UInt64.self) == life {
      found(
        finding(
          .note, end, "the last record is not whole", "a crash leaves that; it is written over"))
    }
  }

  /// Records of this life behind a place.
  private mutating func recordsBehind(_ end: Int) -> Int {
    var count = 0
    var place = end + DiskFormat.unit
    while place + RecordHeader.size <= store.segmentSize,
      let bytes = window.bytes(at: place, count: RecordHeader.size)
    {
      if bytes[0] == UInt8(ascii: "E"), let header = RecordHeader(bytes, life: life),
        place + header.total <= store.segmentSize
      {
        count += 1
        place += header.total
      } else {
        place += DiskFormat.unit
      }
    }
    return count
  }
}
