/// What went wrong with a file.
public struct DiskError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was tried: `read`, `write`, `sync`…
  public var operation: String
  public var file: String
  /// Why, in the system's words.
  public var reason: String

  /// An error from its parts.
  public init(operation: String, file: String, reason: String) {
    self.operation = operation
    self.file = file
    self.reason = reason
  }

  public var description: String { "\(operation) \(file): \(reason)" }
}

/// The files of one store, by name. Calls wait for the disk, and may come from several threads at once.
public protocol DiskVolume: Sendable {
  /// Bytes of a file; nil if there is no such file.
  func size(_ file: String) throws(DiskError) -> Int?
  /// At most `count` bytes of a file from `offset` on; fewer only at its end.
  func read(_ file: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8]
  /// Writes all bytes at `offset`, or fails; then any of them may have been written.
  func write(_ file: String, at offset: Int, _ bytes: [UInt8]) throws(DiskError)
  /// Returns when all that was written to a file is on stable storage.
  func sync(_ file: String) throws(DiskError)
  /// Makes a file of that size, or one of another size that large, with room for all of it.
  func reserve(_ file: String, size: Int) throws(DiskError)
  /// Cuts a file off.
  func truncate(_ file: String, to size: Int) throws(DiskError)
  /// Puts a file with this content in the place of what was there: after a crash there is one or the
  /// other.
  func replace(_ file: String, with bytes: [UInt8]) throws(DiskError)
  /// Takes a file away, if it is there.
  func remove(_ file: String) throws(DiskError)
}
