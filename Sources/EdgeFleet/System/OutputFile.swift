// A file that a program is told to write: a report, receipts, a trace. A plain file is replaced as a whole, by way of
// another one beside it, so that nobody ever finds half of it. Anything else that has a name (a device, a FIFO,
// `/dev/stdout`) is written to and never replaced.

import Glibc

/// A file that is being written.
public final class OutputFile {
  /// Why a file cannot be written, as a sentence with its name.
  public struct Problem: Error, Hashable, CustomStringConvertible {
    /// The sentence.
    public let description: String
  }

  private enum Place {
    /// A plain file, or none yet: this path, with the permissions of what is there.
    case plain(path: String, mode: mode_t?)
    /// Something that is written to as it is.
    case special
    /// A descriptor that the process was given.
    case descriptor(Int32)
  }

  private let name: String
  private let descriptor: Int32
  private let isOwned: Bool
  private var isOpen = true
  /// What is written first, and which file it becomes.
  private var temporary: (path: String, target: String)?

  /// Opens a file; `-` is standard output.
  public init(_ path: String) throws(Problem) {
    name = path
    switch try Self.place(path) {
    case .descriptor(let descriptor): (self.descriptor, isOwned) = (descriptor, false)
    case .special:
      descriptor = try Self.open(path, O_WRONLY | O_CREAT | O_NONBLOCK)
      isOwned = true
      // It was opened so that a FIFO that nobody reads is no wait for ever.
      let flags = fcntl(descriptor, F_GETFL)
      _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
    case .plain(let target, let mode):
      isOwned = true
      var template = Array(Self.beside(target).utf8CString)
      let made = mkstemp(&template)
      if made < 0, mode != nil, [EACCES, EPERM, EROFS].contains(errno) {
        // The directory may not be changed, but the file may.
        descriptor = try Self.open(path, O_WRONLY | O_TRUNC)
        return
      }
      guard made >= 0 else { throw Self.problem(path, KernelError.latest) }
      descriptor = made
      _ = fcntl(made, F_SETFD, FD_CLOEXEC)
      let file = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
      _ = fchmod(made, mode ?? 0o666 & ~Self.mask)
      temporary = (file, target)
    }
  }

  deinit {
    if isOpen, isOwned { close(descriptor) }
    if let temporary { unlink(temporary.path) }
  }

  /// Writes text behind what was written before.
  public func write(_ text: String) throws(Problem) {
    if let error = writeAll(text, to: descriptor) { throw Self.problem(name, error) }
  }

  /// Ends the file. Before this a plain file still has its old content.
  public func commit() throws(Problem) {
    guard isOpen, isOwned else { return }
    isOpen = false
    // Some file systems tell only here that there was no room.
    guard close(descriptor) == 0 else { throw Self.problem(name, KernelError.latest) }
    guard let (path, target) = temporary else { return }
    guard rename(path, target) == 0 else { throw Self.problem(name, KernelError.latest) }
    temporary = nil
  }

  /// Writes a whole file.
  public static func write(_ text: String, to path: String) throws(Problem) {
    let file = try OutputFile(path)
    try file.write(text)
    try file.commit()
  }

  /// Says what would keep a file from being written, before the work is done whose result it is for.
  public static func check(_ path: String) throws(Problem) {
    guard case .plain(let target, let mode) = try place(path) else { return }
    let directory = Self.directory(of: target)
    if access(directory, W_OK | X_OK) == 0 { return }
    let error = KernelError.latest
    if mode != nil, access(target, W_OK) == 0 { return }
    throw problem(path, error)
  }

  // MARK: Places

  private static func place(_ path: String) throws(Problem) -> Place {
    guard !path.isEmpty else { throw Problem(description: "a file needs a name") }
    if let descriptor = try given(path) { return .descriptor(descriptor) }
    var status = stat()
    guard stat(path, &status) == 0 else {
      let error = KernelError.latest
      guard error.code == ENOENT else { throw problem(path, error) }
      guard !path.hasSuffix("/") else { throw problem(path, KernelError(EISDIR)) }
      // A link to what is not there yet: the file is made where it leads.
      return lstat(path, &status) == 0 ? .special : .plain(path: path, mode: nil)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      // What a link leads to is replaced, not the link.
      guard let real = realpath(path, nil) else { throw problem(path, KernelError.latest) }
      defer { free(real) }
      return .plain(path: String(cString: real), mode: status.st_mode & 0o7777)
    case S_IFDIR: throw problem(path, KernelError(EISDIR))
    case S_IFSOCK: throw Problem(description: "cannot write \(path): it is a socket")
    default: return .special
    }
  }

  /// The descriptor that a path stands for. Opening the path would begin a file anew that is already written to.
  private static func given(_ path: String) throws(Problem) -> Int32? {
    switch path {
    case "-", "/dev/stdout": return STDOUT_FILENO
    case "/dev/stderr": return STDERR_FILENO
    default:
      for directory in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(directory) {
        guard let number = Int32(path.dropFirst(directory.count)), number >= 0 else { return nil }
        guard fcntl(number, F_GETFD) >= 0 else { throw problem(path, KernelError(EBADF)) }
        return number
      }
      return nil
    }
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func beside(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    // A name may be as long as names can be already.
    return
      "\(directory(of: path))/.\(String(decoding: name.utf8.prefix(200), as: UTF8.self)).XXXXXX"
  }

  /// Permissions that this process does not give.
  private static var mask: mode_t {
    let mask = umask(0o077)
    umask(mask)
    return mask
  }

  private static func open(_ path: String, _ flags: Int32) throws(Problem) -> Int32 {
    let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      let error = KernelError.latest
      if error.code == ENXIO {
        throw Problem(description: "cannot write \(path): nobody reads it")
      }
      throw problem(path, error)
    }
    return descriptor
  }

  private static func problem(_ path: String, _ error: KernelError) -> Problem {
    Problem(description: "cannot write \(path): \(error)")
  }
}
