import CDisk
import EdgeCache
import EdgeSocket
import Glibc
import NIOCore
import Synchronization

// The files of a disk store in a directory.
//
// Unsafe memory: reading and writing take pointers. Invariant: each is to memory that lives across the
// call, with its real count, from an offset within it.

/// A directory of the file system as a volume. Only one process at a time has it.
public final class FileVolume: DiskVolume {
  /// The directory.
  public let path: String
  private let lock: CInt
  private let isReadOnly: Bool
  /// Open files; they stay open, for there are as many as segments.
  private let files = Mutex<[DiskFile: OpenFile]>([:])

  static let lockFile = "LOCK"
  /// Ends the name of a file that is written to take the place of another.
  static let newSuffix = ".new"

  /// Why a directory cannot be used.
  public struct Problem: Error, CustomStringConvertible {
    public var description: String
  }

  /// Takes a directory, which is made if it is not there, or for reading alone, when it must be. Throws
  /// ``Problem`` if that is not possible, or another process has it.
  ///
  /// Of a process that is about to end it is waited for, for so many milliseconds; `told` is called when that begins.
  public init(
    _ path: String, readOnly: Bool = false, patience: Int = 0, told: () -> Void = {}
  ) throws(Problem) {
    self.path = path
    isReadOnly = readOnly
    if !readOnly { try Self.prepare(path) }
    lock = try Self.openLock(path, readOnly: readOnly)
    if let code = Self.acquire(lock, patience: patience, told: told) {
      close(lock)
      if code == EWOULDBLOCK {
        throw Problem(
          description: readOnly
            ? "a process uses it; stop that first, or look at GET /stats of its admin API"
            : "another process uses it; each PoP needs a directory of its own")
      }
      throw Self.problem("cannot lock \(path)/\(Self.lockFile)", code)
    }
  }

  /// Throws ``Problem`` if a directory cannot be one, whether another process has it or not; it is made if it is not
  /// there.
  static func check(_ path: String) throws(Problem) {
    try prepare(path)
    close(try openLock(path, readOnly: false))
  }

  /// Makes what is not there.
  private static func prepare(_ path: String) throws(Problem) {
    if let reason = DirectoryContent(path)?.refusal { throw Problem(description: reason) }
    for directory in [path, "\(path)/segments"] {
      if mkdir(directory, 0o700) != 0, errno != EEXIST {
        throw problem("cannot make \(directory)", errno)
      }
    }
  }

  private static func openLock(_ path: String, readOnly: Bool) throws(Problem) -> CInt {
    let name = "\(path)/\(lockFile)"
    let lock = open(
      name, (readOnly ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NONBLOCK, 0o600)
    if lock >= 0 { return lock }
    if readOnly, errno == ENOENT {
      throw Problem(description: "there is no store; name a directory that was given to --disk")
    }
    throw problem("cannot open \(name)", errno)
  }

  /// Locks a file; an `errno` if that is not possible.
  private static func acquire(_ lock: CInt, patience: Int, told: () -> Void) -> CInt? {
    let deadline = Monotonic.now() + Int64(patience) * 1_000_000
    var isTold = false
    while flock(lock, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK, Monotonic.now() < deadline else { return code }
      if !isTold { told() }
      isTold = true
      usleep(10_000)
    }
    return nil
  }

  /// Lets another process have the directory. Nothing is written to it any more, and what is still read may be
  /// anything.
  func unlock() { flock(lock, LOCK_UN) }

  private static func problem(_ what: String, _ code: CInt) -> Problem {
    let advice =
      switch code {
      case EACCES, EPERM: "; it must belong to the user that runs this"
      case EROFS: "; the file system is mounted read-only"
      case ENOSPC: "; the file system is full"
      case EDQUOT: "; the quota of the user is used up"
      case ENOTDIR, EEXIST: "; something that is no directory is there"
      default: ""
      }
    return Problem(description: "\(what): \(String(cString: strerror(code)))\(advice)")
  }

  deinit {
    close(lock)
  }

  private func error(_ operation: String, _ file: String) -> DiskError {
    let errno = errno
    return DiskError(
      operation: operation, file: "\(path)/\(file)", reason: String(cString: strerror(errno)),
      isFull: Self.isFull(errno),
      isUnreadable: [EIO, EISDIR, EUCLEAN, ENXIO].contains(errno))
  }

  /// Something else than a file has the name of one.
  private func notAFile(_ operation: String, _ file: DiskFile, _ reason: String) -> DiskError {
    DiskError(
      operation: operation, file: "\(path)/\(file)", reason: reason, isUnreadable: true)
  }

  /// An open file; nil if there is none and it is not to be made.
  private func opened(_ file: DiskFile, creates: Bool) throws(DiskError) -> OpenFile? {
    let found = files.withLock { files -> Result<OpenFile?, DiskError> in
      if let open = files[file] { return .success(open) }
      // A pipe would keep who opens it waiting.
      let flags =
        (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | (creates ? O_CREAT : 0)
      let descriptor = open("\(path)/\(file)", flags, 0o600)
      if descriptor < 0 {
        return errno == ENOENT && !creates ? .success(nil) : .failure(error("open", "\(file)"))
      }
      let opened = OpenFile(descriptor, of: path)
      guard opened.isRegular else {
        return .failure(notAFile("open", file, "it is no regular file"))
      }
      files[file] = opened
      return .success(opened)
    }
    return try found.get()
  }

  private func existing(_ file: DiskFile) throws(DiskError) -> OpenFile {
    guard let opened = try opened(file, creates: false) else {
      throw DiskError(
        operation: "open", file: "\(path)/\(file)", reason: String(cString: strerror(ENOENT)))
    }
    return opened
  }

  public func size(_ file: DiskFile) throws(DiskError) -> Int? {
    guard let opened = try opened(file, creates: false) else { return nil }
    guard let size = opened.size else { throw error("stat", "\(file)") }
    return size
  }

  public func read(
    _ file: DiskFile, at offset: Int, count: Int, waits: Bool
  ) throws(DiskError) -> ByteBuffer? {
    let opened = try existing(file)
    var bytes = ByteBufferAllocator().buffer(capacity: count)
    var code: CInt = 0
    bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
      var filled = 0
      while filled < count {
        let rest = memory.baseAddress.map { $0 + filled }
        let moved =
          waits
          ? pread(opened.descriptor, rest, count - filled, off_t(offset + filled))
          : cdisk_read_now(opened.descriptor, rest, count - filled, off_t(offset + filled))
        if moved < 0, errno == EINTR { continue }
        if moved < 0 { code = errno }
        if moved <= 0 { break }
        filled += moved
      }
      return filled
    }
    if code == 0 { return bytes }
    // Where it is not known how not to wait, somebody else waits.
    if !waits { return nil }
    errno = code
    throw error("read", "\(file)")
  }

  public func write(_ file: DiskFile, at offset: Int, _ bytes: ByteBuffer) throws(DiskError) {
    try write(to: try existing(file), at: offset, bytes, "\(file)")
  }

  private func write(
    to file: OpenFile, at offset: Int, _ bytes: ByteBuffer, _ name: String
  ) throws(DiskError) {
    let isWritten = bytes.withUnsafeReadableBytes { memory in
      var written = 0
      while written < memory.count {
        let moved = pwrite(
          file.descriptor, memory.baseAddress.map { $0 + written }, memory.count - written,
          off_t(offset + written))
        if moved < 0, errno == EINTR { continue }
        if moved <= 0 { return false }
        written += moved
      }
      return true
    }
    if !isWritten { throw error("write", name) }
  }

  public func sync(_ file: DiskFile) throws(DiskError) {
    if fdatasync(try existing(file).descriptor) != 0 { throw error("sync", "\(file)") }
  }

  public func reserve(_ file: DiskFile, size: Int) throws(DiskError) {
    guard let opened = try opened(file, creates: true) else { return }
    guard ftruncate(opened.descriptor, off_t(size)) == 0 else { throw error("reserve", "\(file)") }
    // Where the file system knows no reservation, a full disk shows later, as an error of a write.
    if size > 0, !Self.repeated({ cdisk_allocate(opened.descriptor, off_t(size)) }),
      !Self.isUnsupported
    {
      throw error("reserve", "\(file)")
    }
    // A segment that nobody finds after a crash is as good as an empty one; a log is not.
    if case .segment = file { return }
    try syncDirectory()
  }

  /// `sendfile` copies nothing: what a socket has to send are pages of the file, and who writes to them changes what a
  /// slow client gets, long after the call. So the file gets other pages: where the file system can, its blocks are
  /// kept and only the pages go (ext4, xfs, btrfs); or its blocks go too, and it gets new ones (tmpfs); or there is
  /// another file under its name.
  public func renew(_ file: DiskFile, size: Int) throws(DiskError) {
    if let opened = try opened(file, creates: false), opened.size == size {
      if Self.repeated({ cdisk_zero(opened.descriptor, off_t(size)) }) { return }
      // Some file systems need new blocks for it, before they let go of the old ones.
      guard Self.isUnsupported || Self.isFull(errno) else { throw error("renew", "\(file)") }
      if Self.repeated({ cdisk_punch(opened.descriptor, off_t(size)) }) {
        return try reserve(file, size: size)
      }
      guard Self.isUnsupported || Self.isFull(errno) else { throw error("renew", "\(file)") }
    }
    try remove(file)
    try reserve(file, size: size)
  }

  /// Calls until a signal does not interrupt that; true if it succeeds.
  private static func repeated(_ body: () -> CInt) -> Bool {
    while true {
      if body() == 0 { return true }
      if errno != EINTR { return false }
    }
  }

  /// True if the last call is one that a file system does not have.
  private static var isUnsupported: Bool {
    errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL
  }

  private static func isFull(_ code: CInt) -> Bool { code == ENOSPC || code == EDQUOT }

  public func truncate(_ file: DiskFile, to size: Int) throws(DiskError) {
    if ftruncate(try existing(file).descriptor, off_t(size)) != 0 {
      throw error("truncate", "\(file)")
    }
  }

  public func replace(_ file: DiskFile, with bytes: [UInt8]) throws(DiskError) {
    let temporary = "\(file)\(Self.newSuffix)"
    let descriptor = open(
      "\(path)/\(temporary)", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw error("open", temporary) }
    let new = OpenFile(descriptor, of: path)
    do throws(DiskError) {
      try write(to: new, at: 0, ByteBuffer(bytes: bytes), temporary)
      if fdatasync(new.descriptor) != 0 { throw error("sync", temporary) }
      guard Glibc.rename("\(path)/\(temporary)", "\(path)/\(file)") == 0 else {
        throw error("rename", temporary)
      }
    } catch {
      // Half of it is of no use, and takes room.
      unlink("\(path)/\(temporary)")
      throw error
    }
    files.withLock { $0[file] = new }
    try syncDirectory()
  }

  public func rename(_ file: DiskFile, to other: DiskFile) throws(DiskError) {
    files.withLock { files in
      files[file] = nil
      files[other] = nil
    }
    if Glibc.rename("\(path)/\(file)", "\(path)/\(other)") != 0 {
      if errno == ENOENT { return }
      throw error("rename", "\(file)")
    }
    try syncDirectory()
  }

  public func allocate(_ file: DiskFile, size: Int) throws(DiskError) {
    let opened = try existing(file)
    if Self.repeated({ cdisk_allocate_beyond(opened.descriptor, off_t(size)) }) { return }
    // As with segments.
    guard Self.isUnsupported else { throw error("allocate", "\(file)") }
  }

  public func room() -> Int? {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { return nil }
    // What is kept for root is there for root.
    let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
    return Int(clamping: UInt64(blocks) &* UInt64(status.f_frsize))
  }

  public func remove(_ file: DiskFile) throws(DiskError) {
    files.withLock { $0[file] = nil }
    let name = "\(path)/\(file)"
    if unlink(name) == 0 || errno == ENOENT { return }
    guard errno == EISDIR || errno == EPERM else { throw error("remove", "\(file)") }
    // A directory, or something that may not be taken away.
    if rmdir(name) == 0 { return }
    if errno == ENOTEMPTY || errno == EEXIST {
      throw notAFile(
        "remove", file, "it is a directory with something in it; take it out of the store")
    }
    throw error("remove", "\(file)")
  }

  private func syncDirectory() throws(DiskError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error("open", ".") }
    defer { close(descriptor) }
    if fsync(descriptor) != 0 { throw error("sync", ".") }
  }

  public func region(_ file: DiskFile, at offset: Int, count: Int) -> (any DiskRegion)? {
    guard let opened = try? opened(file, creates: false) else { return nil }
    return FileRegion(opened, offset: offset, count: count)
  }
}
