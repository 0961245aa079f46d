// What is in a segment, as recovery and inspection find it: whose it is, and the records of one without a footer.

/// What the beginning of a segment says.
enum SegmentBeginning: Equatable {
  /// It has records of that life.
  case life(UInt64)
  /// Nothing was written there.
  case nothing
  /// It belongs to another store, or nothing in it is of use any more; records may be left behind.
  case leftovers
  /// It cannot be read, or is not what was written.
  case damaged

  /// Bytes that are looked at for what is left behind.
  private static let look = 1 << 16

  init(_ volume: any DiskVolume, _ index: Int, _ header: StoreHeader) {
    let file = DiskFile.segment(index)
    guard (try? volume.size(file)) == header.segmentSize,
      let bytes = try? volume.bytes(file, at: 0, count: DiskFormat.segmentHeader)
    else {
      self = .damaged
      return
    }
    if let found = SegmentHeader(bytes) {
      self =
        found.store != header.id
        ? .leftovers : found.index == index ? .life(found.life) : .damaged
      return
    }
    guard bytes.allSatisfy({ $0 == 0 }) else {
      self = .damaged
      return
    }
    let end = header.segmentSize - SegmentFooter.trailer
    let isEmpty = [(0, Self.look), (end, SegmentFooter.trailer)].allSatisfy { start, count in
      (try? volume.bytes(file, at: start, count: count))?.allSatisfy { $0 == 0 } == true
    }
    self = isEmpty ? .nothing : .leftovers
  }
}

/// The records of a segment without a footer, up to the first one that is not whole.
struct SegmentScan {
  private(set) var records: [RecordSummary] = []
  /// Where the next record would begin.
  private(set) var end = DiskFormat.segmentHeader
  private let volume: any DiskVolume
  private let index: Int
  private let life: UInt64

  /// True if there is a record of the same life anywhere behind the end. O(bytes).
  func isFollowed(in header: StoreHeader) -> Bool {
    for start in stride(from: end, to: header.segmentSize, by: Self.step) {
      // What cannot be read may be anything.
      guard
        let bytes = try? volume.bytes(
          .segment(index), at: start, count: Self.step + RecordHeader.size)
      else { return true }
      for place in stride(from: 0, to: min(Self.step, bytes.count), by: DiskFormat.unit)
      where bytes[place] == UInt8(ascii: "E") {
        if RecordHeader(bytes, at: place, life: life) != nil { return true }
      }
    }
    return false
  }

  private static let step = 1 << 20

  init(_ volume: any DiskVolume, _ index: Int, life: UInt64, _ header: StoreHeader) {
    (self.volume, self.index, self.life) = (volume, index, life)
    var window = Window(volume, .segment(index))
    while end + RecordHeader.size <= header.segmentSize {
      guard let bytes = window.bytes(at: end, count: RecordHeader.size),
        let found = RecordHeader(bytes, life: life), end + found.total <= header.segmentSize,
        // The content is checked when it is read.
        case let head = end + RecordHeader.size..<end + found.tableOffset,
        let rest = window.bytes(at: head.lowerBound, count: head.count),
        Checksum.of(rest.span) == found.headChecksum
      else { return }
      records.append(found.summary(at: end))
      end += found.total
    }
  }

  /// Reads ahead: most records are small.
  private struct Window {
    private let volume: any DiskVolume
    private let file: DiskFile
    private var start = 0
    private var read: [UInt8] = []

    private static let size = 1 << 20

    init(_ volume: any DiskVolume, _ file: DiskFile) {
      self.volume = volume
      self.file = file
    }

    mutating func bytes(at offset: Int, count: Int) -> [UInt8]? {
      if offset < start || offset + count > start + read.count {
        guard let more = try? volume.bytes(file, at: offset, count: max(Self.size, count)) else {
          return nil
        }
        (start, read) = (offset, more)
      }
      guard offset - start + count <= read.count else { return nil }
      return Array(read[(offset - start)..<(offset - start + count)])
    }
  }
}
