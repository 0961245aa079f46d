import NIOCore

// Is purge.log all that was written to it? A log cannot say that of its own end. So a second file, purge.mark,
// says how far it was written, and is written behind it: what it names and what is not there was lost. The stamps
// of what is stored are numbers of the log, and prove a loss as well.
//
// The mark has two places that are written in turn, so that a crash leaves one of them whole. It is overwritten
// where it lies and needs no room: on a full disk it can still say that something is missing.

/// purge.mark: how far purge.log was written.
struct LogMark: Equatable {
  static let size = 64
  /// Between the one place and the other.
  static let distance = 4096

  /// Ascends with each writing.
  var count: UInt64
  /// Which list of purges it is about, and how often the log had been written anew.
  var list: UInt64
  var generation: UInt64
  /// Bytes of the log.
  var end: Int
  /// The highest number that was given out.
  var sequence: UInt64
  /// True if something could not be written to the log.
  var isIncomplete = false

  /// Where it is written.
  var offset: Int { count % 2 == 0 ? 0 : Self.distance }

  var bytes: [UInt8] {
    var writer = DiskWriter(capacity: Self.size)
    writer.write("EDGEMARK")
    writer.write(count)
    writer.write(list)
    writer.write(generation)
    writer.write(UInt64(truncatingIfNeeded: end))
    writer.write(sequence)
    writer.write(UInt64(isIncomplete ? 1 : 0))
    writer.seal(at: 56)
    return writer.bytes
  }

  /// The whole file, with this in its place.
  var file: [UInt8] {
    var file = [UInt8](repeating: 0, count: 2 * Self.distance)
    file.replaceSubrange(offset..<(offset + Self.size), with: bytes)
    return file
  }

  init(list: UInt64, generation: UInt64, end: Int, sequence: UInt64) {
    (count, self.list, self.generation) = (0, list, generation)
    (self.end, self.sequence) = (end, sequence)
  }

  private init?(_ bytes: [UInt8], at offset: Int) {
    guard bytes.count >= offset + Self.size else { return nil }
    var reader = DiskReader(bytes, offset..<(offset + Self.size))
    guard reader.expect("EDGEMARK") != nil, let count = reader.read(UInt64.self),
      let list = reader.read(UInt64.self), let generation = reader.read(UInt64.self),
      let end = reader.read(UInt64.self), end <= 1 << 53, let sequence = reader.read(UInt64.self),
      let flags = reader.read(UInt64.self), let checksum = reader.read(UInt64.self),
      checksum == Checksum.of(bytes, offset..<(offset + 56))
    else { return nil }
    self.init(list: list, generation: generation, end: Int(end), sequence: sequence)
    self.count = count
    isIncomplete = flags & 1 == 1
  }

  /// The newest mark of a file; nil unless both places are what was written there, or were never written.
  static func read(_ file: [UInt8]) -> LogMark? {
    guard file.count == 2 * distance else { return nil }
    var newest: LogMark?
    for offset in [0, distance] {
      if file[offset..<(offset + size)].allSatisfy({ $0 == 0 }) { continue }
      guard let mark = LogMark(file, at: offset), mark.offset == offset else { return nil }
      if mark.count >= newest?.count ?? 0 { newest = mark }
    }
    return newest
  }
}

/// Why something that was purged may be missing in purge.log.
enum LogLoss: Error, Equatable, CustomStringConvertible {
  case missing
  case unreadable(String)
  /// It is that of another store, or an older copy.
  case other
  case cut(end: Int, written: Int)
  /// Something is wrong before its end.
  case damaged(at: Int)
  /// The last record is not whole: a crash leaves that, and so does who cuts it off.
  case torn(at: Int)
  /// Nobody says how far it was written.
  case unmarked
  /// Something could not be written.
  case incomplete
  /// Something that is stored has seen a purge that is not there.
  case stamped(UInt64, last: UInt64)
  /// Another disk of the set was used without this one, and this one without it.
  case apart

  var description: String {
    switch self {
    case .missing: "purge.log is missing"
    case .unreadable(let reason): "purge.log cannot be read: \(reason)"
    case .other: "purge.log is that of another store, or an older copy"
    case .cut(let end, let written):
      "purge.log ends at byte \(end), and \(written) bytes had been written"
    case .damaged(let offset): "purge.log is damaged at byte \(offset)"
    case .torn(let offset): "the last record of purge.log, at byte \(offset), is not whole"
    case .unmarked:
      "purge.mark, which says how far purge.log was written, is missing or damaged"
    case .incomplete: "purges or removals could not be written to purge.log"
    case .stamped(let stamp, let last):
      "something is stored that came after purge \(stamp), and purge.log ends with \(last)"
    case .apart:
      "this disk and another one of its set were each used without the other, and neither knows what was purged "
        + "on the other"
    }
  }
}

/// What is left of purge.log.
struct LogContents {
  /// Its whole records.
  private(set) var records: [DiskPurge] = []
  /// Where they end, and how long the file is; nil if there is none.
  private(set) var end = 0
  private(set) var size: Int?
  /// What else whole records lie behind the end.
  private(set) var behind = 0
  /// The bytes of the whole records, but for the one that begins the log.
  private(set) var bytes: [UInt8] = []
  /// How the log begins; nil if it does not begin as it was written.
  private(set) var list: UInt64?
  private(set) var generation: UInt64 = 0
  /// The highest number.
  private(set) var last: UInt64 = 0
  /// What the mark says.
  private(set) var mark: LogMark?
  /// The last fence.
  private(set) var fence: DiskPurge?
  /// The latest time that was logged behind it.
  private(set) var newestTime: WallTime?
  /// Why something may be missing; nil if nothing is.
  private(set) var loss: LogLoss?

  /// Reads both files. What cannot be read is lost.
  init(_ volume: any DiskVolume) {
    do throws(DiskError) {
      // One of another size is none that was written.
      if try volume.size(.purgeMark) == 2 * LogMark.distance {
        mark = LogMark.read(try volume.bytes(.purgeMark, at: 0, count: 2 * LogMark.distance))
      }
    } catch {
      mark = nil
    }
    do throws(DiskError) {
      size = try volume.size(.purgeLog)
      guard let size else {
        loss = .missing
        return
      }
      guard size <= DiskStore.largestLog else {
        loss = .unreadable("it has \(size) bytes, more than any that was written")
        return
      }
      read(try volume.bytes(.purgeLog, at: 0, count: size))
    } catch {
      loss = .unreadable(error.reason)
      return
    }
    loss = loss ?? judge()
  }

  private mutating func read(_ all: [UInt8]) {
    var written = 0
    while let (record, next) = DiskPurge.read(all, at: end) {
      switch record.scope {
      case .beginning(let list, let generation, let count):
        if end == 0 { (self.list, self.generation, written) = (list, generation, count) }
      case .fence: (fence, newestTime) = (record, record.time)
      case .removed, .replaced, .cursor, .nothing, .purge: break
      }
      if !record.hasPosition { last = max(last, record.sequence) }
      // A log that was written anew has what is older behind the fence, too.
      let isBehind =
        !record.hasPosition && (record.sequence == 0 || record.sequence >= fence?.sequence ?? 0)
      if fence == nil || isBehind { newestTime = max(newestTime ?? record.time, record.time) }
      records.append(record)
      end = next
    }
    let start = list == nil ? 0 : DiskPurge.read(all, at: 0)?.next ?? 0
    bytes = Array(all[min(start, end)..<end])
    if end < all.count { behind = Self.whole(all, after: end) }
    if behind > 0 || DiskPurge.wasStable(end, in: all) {
      loss = .damaged(at: end)
    } else if end < written {
      loss = .cut(end: end, written: written)
    } else if let mark, end == 0 || mark.generation == generation && mark.list == list,
      end < mark.end
    {
      loss = end < all.count ? .damaged(at: end) : .cut(end: end, written: mark.end)
    } else if end < all.count {
      loss = .torn(at: end)
    }
  }

  /// Number of whole records behind one that is not.
  private static func whole(_ bytes: [UInt8], after end: Int) -> Int {
    var count = 0
    var place = end + 1
    while place + DiskPurge.header < bytes.count {
      if bytes[place] == UInt8(ascii: "E"), let (_, next) = DiskPurge.read(bytes, at: place) {
        count += 1
        place = next
      } else {
        place += 1
      }
    }
    return count
  }

  private func judge() -> LogLoss? {
    guard let mark else { return .unmarked }
    guard let list else { return .other }
    // One that was written anew is there before the mark says so, or after.
    guard mark.list == list, mark.generation == generation || mark.generation + 1 == generation
    else { return .other }
    return mark.isIncomplete && mark.generation == generation ? .incomplete : nil
  }

  /// The highest number that can be told to have been given out.
  var newest: UInt64 { max(last, mark?.sequence ?? 0) }

  /// What is stored with that stamp proves a loss, if it does.
  func loss(ofStamp stamp: UInt64) -> LogLoss? {
    stamp > last ? .stamped(stamp, last: last) : nil
  }
}

extension DiskPurge {
  /// True if it takes something away.
  var isOrder: Bool {
    switch scope {
    case .purge, .removed, .replaced, .cursor: true
    case .nothing, .beginning, .fence: false
    }
  }

  /// True if what it has in the place of a number is none.
  var hasPosition: Bool {
    switch scope {
    case .removed, .replaced: true
    case .purge, .nothing, .cursor, .beginning, .fence: false
    }
  }
}
