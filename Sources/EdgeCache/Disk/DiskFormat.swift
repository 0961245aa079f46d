// What lies where on disk: docs/disk-format.md, in code. Pure: bytes in, values out.
//
// Everything is checked by itself, so that whatever a crash leaves of it is told from what was written.
// Values are little endian; lengths in bytes.

/// The form of all files of a store.
enum DiskFormat {
  /// What this program writes, and the only thing it reads.
  static let version: UInt32 = 5
  /// Records begin at multiples of it.
  static let unit = 64
  /// A segment's header, before its first record.
  static let segmentHeader = 64
  /// Content up to this is checked as a whole; longer content in blocks of this size, so that a part of
  /// it can be checked alone.
  static let block = 256 << 10

  /// Rounded up to whole units.
  static func padded(_ count: Int) -> Int { (count + unit - 1) / unit * unit }
}

/// `STORE`: what a store is.
struct StoreHeader: Equatable {
  static let size = 144
  /// Bytes that have a checksum at their end in all versions from 3 on.
  private static let firstPart = 80

  /// Tells this store's segments from those of another, and from those of a life before it was emptied.
  var id: (UInt64, UInt64)
  var segmentSize: Int
  var segmentCount: Int
  /// What keys the hashes: the directory would be lost with it. All disks of a set have the same.
  var secret: (UInt64, UInt64)
  var created: WallTime
  /// Number of disks in the set.
  var disks = 1
  /// Counts how often the set changed. A disk with a lower one was away meanwhile, and knows nothing of what
  /// was purged.
  var epoch: UInt64 = 1
  /// The names of the last changes of the set, the newest first; 0 where there were not as many. They are random: two
  /// disks that were each used alone have counted as far, and are not of one set any more.
  var changes = [UInt64](repeating: 0, count: Self.keptChanges)

  static let keptChanges = 7

  static func == (lhs: StoreHeader, rhs: StoreHeader) -> Bool {
    lhs.id == rhs.id && lhs.segmentSize == rhs.segmentSize
      && lhs.segmentCount == rhs.segmentCount && lhs.secret == rhs.secret
      && lhs.created == rhs.created && lhs.disks == rhs.disks && lhs.epoch == rhs.epoch
      && lhs.changes == rhs.changes
  }

  /// Why a file is no header that can be used.
  enum Problem: Error, Equatable {
    case notAStore
    case damaged
    case version(UInt32)
  }

  var bytes: [UInt8] {
    var writer = DiskWriter(capacity: Self.firstPart)
    writer.write("EDGESTOR")
    writer.write(DiskFormat.version)
    writer.write(UInt32(truncatingIfNeeded: segmentSize))
    writer.write(UInt32(truncatingIfNeeded: segmentCount))
    writer.write(UInt32(truncatingIfNeeded: disks))
    writer.write(id.0)
    writer.write(id.1)
    writer.write(secret.0)
    writer.write(secret.1)
    writer.write(created.milliseconds)
    writer.write(epoch)
    writer.seal(at: 72)
    var second = DiskWriter(capacity: Self.size - Self.firstPart)
    for change in changes { second.write(change) }
    second.seal(at: 56)
    return writer.bytes + second.bytes
  }

  init(
    id: (UInt64, UInt64), segmentSize: Int, segmentCount: Int, secret: (UInt64, UInt64),
    created: WallTime
  ) {
    self.id = id
    self.segmentSize = segmentSize
    self.segmentCount = segmentCount
    self.secret = secret
    self.created = created
  }

  init(_ bytes: [UInt8]) throws(Problem) {
    var reader = DiskReader(bytes)
    guard reader.expect("EDGESTOR") != nil, let version = reader.read(UInt32.self) else {
      throw .notAStore
    }
    guard version == DiskFormat.version else {
      throw Self.isDamaged(bytes, version) ? .damaged : .version(version)
    }
    guard bytes.count >= Self.size, let segmentSize = reader.read(UInt32.self),
      let segmentCount = reader.read(UInt32.self), let disks = reader.read(UInt32.self),
      let id0 = reader.read(UInt64.self), let id1 = reader.read(UInt64.self),
      let k0 = reader.read(UInt64.self), let k1 = reader.read(UInt64.self),
      let created = reader.read(Int64.self), let epoch = reader.read(UInt64.self),
      let checksum = reader.read(UInt64.self), checksum == Checksum.of(bytes, 0..<72),
      segmentSize >= 1 << 16, Int(segmentSize) <= DiskPlace.mostBytes
    else { throw .damaged }
    self.init(
      id: (id0, id1), segmentSize: Int(segmentSize), segmentCount: Int(segmentCount),
      secret: (k0, k1), created: WallTime(milliseconds: created))
    self.disks = Int(disks)
    self.epoch = epoch
    for index in changes.indices {
      guard let change = reader.read(UInt64.self) else { throw .damaged }
      changes[index] = change
    }
    guard reader.read(UInt64.self) == Checksum.of(bytes, Self.firstPart..<(Self.size - 8)) else {
      throw .damaged
    }
  }

  /// Versions that there may be once.
  private static let conceivable: ClosedRange<UInt32> = 1...127

  /// True if a version that is not known is damage rather than that of another program. In all versions from 3 on
  /// the checksum lies where it does here. One that is right was written by a program of that version; else the
  /// header is damaged, if the number is none that a version has, or if with one bit of it changed back all is as
  /// it was written. What may be from a newer program is left alone: nothing is lost by not starting.
  private static func isDamaged(_ bytes: [UInt8], _ version: UInt32) -> Bool {
    guard bytes.count >= firstPart else { return !conceivable.contains(version) }
    var reader = DiskReader(bytes, (firstPart - 8)..<firstPart)
    let checksum = reader.read(UInt64.self)
    if checksum == Checksum.of(bytes, 0..<72) { return false }
    if !conceivable.contains(version) { return true }
    guard (DiskFormat.version ^ version).nonzeroBitCount == 1 else { return false }
    var changed = bytes
    changed[8] = UInt8(truncatingIfNeeded: DiskFormat.version)
    return checksum == Checksum.of(changed, 0..<72)
  }
}

/// The beginning of a segment: whose it is, and which of its lives this is.
struct SegmentHeader: Equatable {
  var index: Int
  /// Ascends over the whole store: what an earlier life left behind has another.
  var life: UInt64
  var store: (UInt64, UInt64)

  static func == (lhs: SegmentHeader, rhs: SegmentHeader) -> Bool {
    lhs.index == rhs.index && lhs.life == rhs.life && lhs.store == rhs.store
  }

  var bytes: [UInt8] {
    var writer = DiskWriter(capacity: DiskFormat.segmentHeader)
    writer.write("EDGESEGM")
    writer.write(DiskFormat.version)
    writer.write(UInt32(truncatingIfNeeded: index))
    writer.write(life)
    writer.write(store.0)
    writer.write(store.1)
    writer.seal(at: 56)
    return writer.bytes
  }

  init(index: Int, life: UInt64, store: (UInt64, UInt64)) {
    self.index = index
    self.life = life
    self.store = store
  }

  init?(_ bytes: [UInt8]) {
    var reader = DiskReader(bytes)
    guard bytes.count >= DiskFormat.segmentHeader, reader.expect("EDGESEGM") != nil,
      reader.read(UInt32.self) == DiskFormat.version, let index = reader.read(UInt32.self),
      let life = reader.read(UInt64.self), let id0 = reader.read(UInt64.self),
      let id1 = reader.read(UInt64.self)
    else { return nil }
    var tail = DiskReader(bytes, 56..<64)
    guard tail.read(UInt64.self) == Checksum.of(bytes, 0..<56) else { return nil }
    self.init(index: Int(index), life: life, store: (id0, id1))
  }
}

/// What is known of a record without reading it.
struct RecordSummary: Equatable {
  static let footerEntry = 64

  var hash: KeyHash
  /// Which of the responses of an identity it is: a digest of scheme, port and selecting fields.
  var variant: UInt64
  /// The newest purge when its request left.
  var stamp: UInt64
  var stored: WallTime
  var freshUntil: WallTime
  var contentCount: Int
  /// Where it begins in its segment, and how much of it that takes: multiples of a unit.
  var offset: Int
  var size: Int

  /// A number that ascends in the order in which records are written.
  static func position(life: UInt64, offset: Int) -> UInt64 {
    // The end of the largest segment there is counts as the beginning of the next life.
    life << 20 &+ UInt64(offset / DiskFormat.unit)
  }

  /// The life of what lies right before a position.
  static func life(before position: UInt64) -> UInt64 { position == 0 ? 0 : (position - 1) >> 20 }

  func write(to writer: inout DiskWriter) {
    writer.write(hash.low)
    writer.write(hash.high)
    writer.write(UInt32(truncatingIfNeeded: offset / DiskFormat.unit))
    writer.write(UInt32(truncatingIfNeeded: size / DiskFormat.unit))
    writer.write(stamp)
    writer.write(stored.milliseconds)
    writer.write(freshUntil.milliseconds)
    writer.write(UInt64(truncatingIfNeeded: contentCount))
    writer.write(variant)
  }

  init(
    hash: KeyHash, variant: UInt64, stamp: UInt64, stored: WallTime, freshUntil: WallTime,
    contentCount: Int,
    offset: Int, size: Int
  ) {
    self.hash = hash
    self.variant = variant
    self.stamp = stamp
    self.stored = stored
    self.freshUntil = freshUntil
    self.contentCount = contentCount
    self.offset = offset
    self.size = size
  }

  init?(_ reader: inout DiskReader) {
    guard let low = reader.read(UInt64.self), let high = reader.read(UInt64.self),
      let offset = reader.read(UInt32.self), let size = reader.read(UInt32.self),
      let stamp = reader.read(UInt64.self), let stored = reader.read(Int64.self),
      let freshUntil = reader.read(Int64.self), let content = reader.read(UInt64.self),
      let variant = reader.read(UInt64.self), content <= 1 << 53
    else { return nil }
    self.init(
      hash: KeyHash(low: low, high: high), variant: variant, stamp: stamp,
      stored: WallTime(milliseconds: stored), freshUntil: WallTime(milliseconds: freshUntil),
      contentCount: Int(content), offset: Int(offset) * DiskFormat.unit,
      size: Int(size) * DiskFormat.unit)
  }
}

/// The beginning of a record; key, head, checksums of blocks and content follow.
struct RecordHeader: Equatable {
  static let size = 128

  var life: UInt64
  var stamp: UInt64
  var hash: KeyHash
  var stored: WallTime
  var freshUntil: WallTime
  var keyCount: Int
  var headCount: Int
  var contentCount: Int
  /// Of key and head.
  var headChecksum: UInt64
  /// Of the content, or of the checksums of its blocks.
  var contentChecksum: UInt64
  /// As in ``RecordSummary/variant``.
  var variant: UInt64

  /// Number of blocks that are checked one by one; 0 for content that is checked as a whole.
  var blocks: Int {
    contentCount <= DiskFormat.block
      ? 0 : (contentCount + DiskFormat.block - 1) / DiskFormat.block
  }
  /// Where the checksums of blocks begin, from the beginning of the record.
  var tableOffset: Int { Self.size + keyCount + headCount }
  /// Where the content begins.
  var contentOffset: Int { tableOffset + 8 * blocks }
  /// Bytes of the whole record.
  var total: Int { DiskFormat.padded(contentOffset + contentCount) }

  var bytes: [UInt8] {
    var writer = DiskWriter(capacity: Self.size)
    writer.write("EREC")
    writer.write(UInt32(0))
    writer.write(life)
    writer.write(stamp)
    writer.write(hash.low)
    writer.write(hash.high)
    writer.write(stored.milliseconds)
    writer.write(freshUntil.milliseconds)
    writer.write(UInt32(truncatingIfNeeded: keyCount))
    writer.write(UInt32(truncatingIfNeeded: headCount))
    writer.write(UInt64(truncatingIfNeeded: contentCount))
    writer.write(headChecksum)
    writer.write(contentChecksum)
    writer.write(variant)
    writer.seal(at: 120)
    return writer.bytes
  }

  init(
    life: UInt64, stamp: UInt64, hash: KeyHash, stored: WallTime, freshUntil: WallTime,
    keyCount: Int, headCount: Int, contentCount: Int, headChecksum: UInt64,
    contentChecksum: UInt64, variant: UInt64
  ) {
    self.life = life
    self.stamp = stamp
    self.hash = hash
    self.stored = stored
    self.freshUntil = freshUntil
    self.keyCount = keyCount
    self.headCount = headCount
    self.contentCount = contentCount
    self.headChecksum = headChecksum
    self.contentChecksum = contentChecksum
    self.variant = variant
  }

  /// The header in the first bytes of a record; nil if there is none, or one of another life.
  init?(_ bytes: [UInt8], at offset: Int = 0, life expected: UInt64) {
    var reader = DiskReader(bytes, offset..<(offset + Self.size))
    guard offset >= 0, bytes.count - offset >= Self.size, reader.expect("EREC") != nil,
      reader.read(UInt32.self) == 0, reader.read(UInt64.self) == expected,
      let stamp = reader.read(UInt64.self), let low = reader.read(UInt64.self),
      let high = reader.read(UInt64.self), let stored = reader.read(Int64.self),
      let freshUntil = reader.read(Int64.self), let keyCount = reader.read(UInt32.self),
      let headCount = reader.read(UInt32.self), let contentCount = reader.read(UInt64.self),
      contentCount <= 1 << 53, let headChecksum = reader.read(UInt64.self),
      let contentChecksum = reader.read(UInt64.self), let variant = reader.read(UInt64.self)
    else { return nil }
    var tail = DiskReader(bytes, (offset + 120)..<(offset + 128))
    guard tail.read(UInt64.self) == Checksum.of(bytes, offset..<(offset + 120)) else { return nil }
    self.init(
      life: expected, stamp: stamp, hash: KeyHash(low: low, high: high),
      stored: WallTime(milliseconds: stored), freshUntil: WallTime(milliseconds: freshUntil),
      keyCount: Int(keyCount), headCount: Int(headCount), contentCount: Int(contentCount),
      headChecksum: headChecksum, contentChecksum: contentChecksum, variant: variant)
  }

  /// The same without what follows, for a record at `offset`.
  func summary(at offset: Int) -> RecordSummary {
    RecordSummary(
      hash: hash, variant: variant, stamp: stamp, stored: stored, freshUntil: freshUntil,
      contentCount: contentCount, offset: offset, size: total)
  }
}

/// The end of a segment that is full: a list of its records, so that nobody needs to read it all.
enum SegmentFooter {
  /// The last bytes of the segment.
  static let trailer = 64

  /// Bytes of a footer with so many entries.
  static func size(_ count: Int) -> Int { count * RecordSummary.footerEntry + trailer }

  /// Entries and trailer.
  static func bytes(_ records: [RecordSummary], life: UInt64) -> [UInt8] {
    var writer = DiskWriter(capacity: size(records.count))
    for record in records { record.write(to: &writer) }
    let entries = Checksum.of(writer.bytes.span)
    var end = DiskWriter(capacity: trailer)
    end.write("EDGEFOOT")
    end.write(life)
    end.write(UInt32(truncatingIfNeeded: records.count))
    end.write(UInt32(0))
    end.write(entries)
    end.seal(at: 56)
    writer.write(end.bytes)
    return writer.bytes
  }

  /// The number of entries and their checksum, from a trailer; nil if there is none of that life.
  static func readTrailer(_ bytes: [UInt8], life: UInt64) -> (count: Int, checksum: UInt64)? {
    var reader = DiskReader(bytes)
    guard bytes.count == trailer, reader.expect("EDGEFOOT") != nil,
      reader.read(UInt64.self) == life, let count = reader.read(UInt32.self),
      reader.read(UInt32.self) != nil, let checksum = reader.read(UInt64.self)
    else { return nil }
    var tail = DiskReader(bytes, 56..<64)
    guard tail.read(UInt64.self) == Checksum.of(bytes, 0..<56) else { return nil }
    return (Int(count), checksum)
  }

  /// The entries, if they are what the trailer says.
  static func readEntries(_ bytes: [UInt8], count: Int, checksum: UInt64) -> [RecordSummary]? {
    guard bytes.count == count * RecordSummary.footerEntry, Checksum.of(bytes.span) == checksum
    else { return nil }
    var reader = DiskReader(bytes)
    var records: [RecordSummary] = []
    records.reserveCapacity(count)
    for _ in 0..<count {
      guard let record = RecordSummary(&reader) else { return nil }
      records.append(record)
    }
    return records
  }

  /// The number of records of a sealed segment, as its last bytes tell; nil if they tell nothing.
  static func count(
    _ volume: any DiskVolume, _ index: Int, life: UInt64, _ header: StoreHeader
  ) -> Int? {
    let last = try? volume.bytes(.segment(index), at: header.segmentSize - trailer, count: trailer)
    guard let last, let (count, _) = readTrailer(last, life: life),
      size(count) <= header.segmentSize
    else { return nil }
    return count
  }

  /// The records of a sealed segment, from its end; nil if there is no list of them that is right.
  static func read(
    _ volume: any DiskVolume, _ index: Int, life: UInt64, _ header: StoreHeader
  ) -> [RecordSummary]? {
    let end = header.segmentSize - trailer
    guard let last = try? volume.bytes(.segment(index), at: end, count: trailer),
      let (count, checksum) = readTrailer(last, life: life)
    else { return nil }
    let size = count * RecordSummary.footerEntry
    guard size <= end - DiskFormat.segmentHeader,
      let bytes = try? volume.bytes(.segment(index), at: end - size, count: size),
      let records = readEntries(bytes, count: count, checksum: checksum)
    else { return nil }
    let isInside = records.allSatisfy {
      $0.offset >= DiskFormat.segmentHeader && $0.size >= RecordHeader.size
        && $0.offset + $0.size <= end - size
    }
    return isInside ? records : nil
  }
}
