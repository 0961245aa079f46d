import EdgeCache
import Glibc
import Synchronization

// The files of a disk store in a directory.
//
// Unsafe memory: reading and writing take pointers. Invariant: each is to an array that lives across the
// call, with its real count, from an offset within it.

/// A directory of the file system as a volume. Only one process at a time has it.
final class FileVolume: DiskVolume {
  /// The directory.
  let path: String
  private let lock: CInt
  /// Open files by name; they stay open, for there are as many as segments.
  private let files = Mutex<[String: CInt]>([:])

  private static let lockFile = "LOCK"

  /// Takes a directory, which is made if it is not there. Throws ``StartProblem`` if that is not possible,
  /// or another process has it.
  init(_ path: String) throws(StartProblem) {
    self.path = path
    for directory in [path, "\(path)/segments"] {
      if mkdir(directory, 0o700) != 0, errno != EEXIST {
        throw Self.problem(path, "cannot make \(directory)", errno)
      }
    }
    let name = "\(path)/\(Self.lockFile)"
    lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    if lock < 0 { throw Self.problem(path, "cannot open \(name)", errno) }
    if flock(lock, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      close(lock)
      if code == EWOULDBLOCK {
        throw StartProblem(
          "--disk \(path): another process uses it; each PoP needs a directory of its own")
      }
      throw Self.problem(path, "cannot lock \(name)", code)
    }
  }

  private static func problem(_ path: String, _ what: String, _ code: CInt) -> StartProblem {
    let owner = code == EACCES || code == EPERM ? "; it must belong to the user that runs this" : ""
    return StartProblem("--disk \(path): \(what): \(String(cString: strerror(code)))\(owner)")
  }

  deinit {
    for descriptor in files.withLock({ Array($0.values) }) { close(descriptor) }
    close(lock)
  }

  private func error(_ operation: String, _ file: String) -> DiskError {
    DiskError(
      operation: operation, file: "\(path)/\(file)", reason: String(cString: strerror(errno)))
  }

  /// The descriptor of a file; nil if there is none and it is not to be made.
  private func descriptor(_ file: String, creates: Bool) throws(DiskError) -> CInt? {
    let found = files.withLock { files -> Result<CInt?, DiskError> in
      if let open = files[file] { return .success(open) }
      let flags = O_RDWR | O_CLOEXEC | (creates ? O_CREAT : 0)
      let opened = open("\(path)/\(file)", flags, 0o600)
      if opened < 0 {
        return errno == ENOENT && !creates ? .success(nil) : .failure(error("open", file))
      }
      files[file] = opened
      return .success(opened)
    }
    return try found.get()
  }

  private func existing(_ file: String) throws(DiskError) -> CInt {
    guard let descriptor = try descriptor(file, creates: false) else {
      throw DiskError(
        operation: "open", file: "\(path)/\(file)", reason: String(cString: strerror(ENOENT)))
    }
    return descriptor
  }

  func size(_ file: String) throws(DiskError) -> Int? {
    guard let descriptor = try descriptor(file, creates: false) else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw error("stat", file) }
    return Int(status.st_size)
  }

  func read(_ file: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    let descriptor = try existing(file)
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { memory, filled in
      while filled < count {
        let moved = pread(
          descriptor, memory.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled)
        )
        if moved < 0, errno == EINTR { continue }
        if moved < 0 { failed = true }
        if moved <= 0 { return }
        filled += moved
      }
    }
    if failed { throw error("read", file) }
    return bytes
  }

  func write(_ file: String, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    let descriptor = try existing(file)
    var written = 0
    while written < bytes.count {
      let moved = bytes.withUnsafeBytes {
        pwrite(
          descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written,
          off_t(offset + written))
      }
      if moved < 0, errno == EINTR { continue }
      if moved <= 0 { throw error("write", file) }
      written += moved
    }
  }

  func sync(_ file: String) throws(DiskError) {
    if fdatasync(try existing(file)) != 0 { throw error("sync", file) }
  }

  func reserve(_ file: String, size: Int) throws(DiskError) {
    guard let descriptor = try descriptor(file, creates: true) else { return }
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw error("reserve", file) }
    if size > 0 {
      // Where the file system knows no reservation, a full disk shows later, as an error of a write.
      let code = posix_fallocate(descriptor, 0, off_t(size))
      if code != 0, code != EOPNOTSUPP, code != EINVAL {
        errno = code
        throw error("reserve", file)
      }
    }
    // A file that nobody finds after a crash would be as if it had never been.
    try syncDirectory(file.contains("/") ? "\(path)/segments" : path)
  }

  func truncate(_ file: String, to size: Int) throws(DiskError) {
    if ftruncate(try existing(file), off_t(size)) != 0 { throw error("truncate", file) }
  }

  func replace(_ file: String, with bytes: [UInt8]) throws(DiskError) {
    let temporary = "\(file).new"
    try remove(temporary)
    try reserve(temporary, size: 0)
    try write(temporary, at: 0, bytes)
    try sync(temporary)
    forget(temporary)
    forget(file)
    guard rename("\(path)/\(temporary)", "\(path)/\(file)") == 0 else {
      throw error("rename", temporary)
    }
    try syncDirectory(path)
  }

  func remove(_ file: String) throws(DiskError) {
    forget(file)
    if unlink("\(path)/\(file)") != 0, errno != ENOENT { throw error("remove", file) }
  }

  private func forget(_ file: String) {
    if let descriptor = files.withLock({ $0.removeValue(forKey: file) }) { close(descriptor) }
  }

  private func syncDirectory(_ directory: String) throws(DiskError) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw error("open", ".") }
    defer { close(descriptor) }
    if fsync(descriptor) != 0 { throw error("sync", ".") }
  }
}
