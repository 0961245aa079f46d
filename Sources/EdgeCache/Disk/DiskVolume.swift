import NIOCore

/// What went wrong with a file.
public struct DiskError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was tried: `read`, `write`, `sync`…
  public var operation: String
  public var file: String
  /// Why, in the system's words.
  public var reason: String
  /// True if there was no room.
  public var isFull: Bool
  /// True if what lies there cannot be read by anybody.
  public var isUnreadable: Bool

  /// An error from its parts.
  public init(
    operation: String, file: String, reason: String, isFull: Bool = false,
    isUnreadable: Bool = false
  ) {
    self.operation = operation
    self.file = file
    self.reason = reason
    self.isFull = isFull
    self.isUnreadable = isUnreadable
  }

  public var description: String { "\(operation) \(file): \(reason)" }
}

/// A file of a store.
public enum DiskFile: Hashable, Sendable, CustomStringConvertible {
  /// What the store is.
  case header
  /// What was purged.
  case purgeLog
  /// How much of that was written.
  case purgeMark
  /// What is stored.
  case segment(Int)
  /// What was found to be damaged where the header, or what was purged, ought to be: the last such file.
  case damagedHeader
  case damagedLog
  /// Room that is kept free while segments are made; and what is written to see if that can be done.
  case spare

  /// Its name, relative to the store.
  public var description: String {
    switch self {
    case .header: return "STORE"
    case .purgeLog: return "purge.log"
    case .purgeMark: return "purge.mark"
    case .damagedHeader: return "STORE.damaged"
    case .damagedLog: return "purge.log.damaged"
    case .spare: return "SPARE"
    case .segment(let index):
      let digits = String(index)
      return "segments/" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
  }
}

/// A part of a file that can go to a socket without passing through memory of this process; what it can do
/// is for those to know who made it.
public protocol DiskRegion: AnyObject, Sendable {
  /// Number of bytes.
  var count: Int { get }
}

/// The files of one store. Calls wait for the disk, unless told not to, and may come from several threads
/// at once.
public protocol DiskVolume: Sendable {
  /// Bytes of a file; nil if there is no such file.
  func size(_ file: DiskFile) throws(DiskError) -> Int?
  /// At most `count` bytes of a file from `offset` on; fewer only at its end. With `waits` false, nil if the
  /// disk would have to be waited for.
  func read(
    _ file: DiskFile, at offset: Int, count: Int, waits: Bool
  ) throws(DiskError) -> ByteBuffer?
  /// Writes all bytes at `offset`, or fails; then any of them may have been written.
  func write(_ file: DiskFile, at offset: Int, _ bytes: ByteBuffer) throws(DiskError)
  /// Returns when all that was written to a file is on stable storage.
  func sync(_ file: DiskFile) throws(DiskError)
  /// Makes a file of that size, or one of another size that large, with room for all of it.
  func reserve(_ file: DiskFile, size: Int) throws(DiskError)
  /// Makes a file of that size that reads as zeros, with room for all of it, whatever was there. What was sent from it
  /// stays what it was, even if it is still on its way: a socket has the pages of the file and no copy of them.
  func renew(_ file: DiskFile, size: Int) throws(DiskError)
  /// Cuts a file off.
  func truncate(_ file: DiskFile, to size: Int) throws(DiskError)
  /// Puts a file with this content in the place of what was there: after a crash there is one or the
  /// other.
  func replace(_ file: DiskFile, with bytes: [UInt8]) throws(DiskError)
  /// Takes a file away, if it is there.
  func remove(_ file: DiskFile) throws(DiskError)
  /// A part of a file to be sent; nil if this volume has no such thing.
  func region(_ file: DiskFile, at offset: Int, count: Int) -> (any DiskRegion)?
  /// Makes room for a file to grow to a size that it does not have yet.
  func allocate(_ file: DiskFile, size: Int) throws(DiskError)
  /// Bytes that can still be written to new room; nil if that is not known.
  func room() -> Int?
  /// Gives a file another name, in the place of what has that; nothing happens if there is none.
  func rename(_ file: DiskFile, to other: DiskFile) throws(DiskError)
}

extension DiskVolume {
  /// Where nothing can be said of room, a full disk shows as an error of a write.
  public func allocate(_ file: DiskFile, size: Int) throws(DiskError) {}

  public func room() -> Int? { nil }

  public func rename(_ file: DiskFile, to other: DiskFile) throws(DiskError) {
    guard let size = try size(file) else { return }
    try replace(other, with: try bytes(file, at: 0, count: size))
    try remove(file)
  }

  /// At most `count` bytes of a file from `offset` on; fewer only at its end.
  func bytes(_ file: DiskFile, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    guard let buffer = try read(file, at: offset, count: count, waits: true) else { return [] }
    return Array(buffer.readableBytesView)
  }
}
