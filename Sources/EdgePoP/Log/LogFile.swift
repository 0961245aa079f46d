import EdgeCache
import Glibc

/// A file, or a standard stream, that a log is written to.
struct LogFile: LogSink {
  /// Where; nil for a standard stream.
  private let path: String?
  private(set) var descriptor: CInt
  /// What was opened to take the place of it.
  private var next: Opened?
  /// True if it is a file that keeps what is written to it; what else there is hands it on, piece by piece.
  private var isPlain: Bool
  /// How many bytes a plain file has if nobody else has written to it, nor cut it, since the last line was begun.
  private var size: Int?
  /// True if a line has to be ended first that somebody left unfinished.
  private var endsLine = false

  private struct Opened {
    var descriptor: CInt
    var size: Int?
    var endsLine = false
  }

  /// A standard stream, which is never closed.
  init(standard descriptor: CInt) {
    path = nil
    self.descriptor = descriptor
    isPlain = Self.status(descriptor).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
  }

  /// A file that is appended to. Throws an `errno`. A pipe that nobody reads yet is opened when somebody does.
  init(path: String) throws(LogFileProblem) {
    self.path = path
    let opened: Opened
    do throws(LogFileProblem) {
      opened = try Self.open(path)
    } catch {
      guard error.code == ENXIO, Self.isPipe(path) else { throw error }
      opened = Opened(descriptor: -1)
    }
    (descriptor, size, endsLine) = (opened.descriptor, opened.size, opened.endsLine)
    isPlain = opened.size != nil
  }

  private static func open(_ path: String) throws(LogFileProblem) -> Opened {
    // Whoever reads a pipe may be away or slow: nobody waits for that in the kernel.
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    let descriptor = Glibc.open(path, flags, 0o644)
    guard descriptor >= 0 else { throw LogFileProblem(code: errno) }
    var opened = Opened(descriptor: descriptor)
    if let status = status(descriptor), status.st_mode & S_IFMT == S_IFREG {
      opened.size = Int(status.st_size)
      opened.endsLine = status.st_size > 0 && !endsInLineFeed(path, Int(status.st_size))
    }
    return opened
  }

  private static func isPipe(_ path: String) -> Bool {
    var named = stat()
    return stat(path, &named) == 0 && named.st_mode & S_IFMT == S_IFIFO
  }

  private static func status(_ descriptor: CInt) -> stat? {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status : nil
  }

  /// False if a file ends within a line, as after a crash.
  private static func endsInLineFeed(_ path: String, _ size: Int) -> Bool {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return true }
    defer { Glibc.close(descriptor) }
    var last = ASCII.lineFeed
    _ = pread(descriptor, &last, 1, off_t(size - 1))
    return last == ASCII.lineFeed
  }

  /// True if it has a name, by which it can be opened anew.
  var isNamed: Bool { path != nil }

  // MARK: LogSink

  mutating func write(_ block: LogBlock, from start: Int, to end: Int) -> LogWrite {
    if descriptor < 0 {
      switch open() {
      case .opened: change()
      case .failed(let code): return .failed(code)
      case .same: break
      }
    }
    if endsLine {
      let result = Self.write(descriptor, [ASCII.lineFeed])
      guard case .wrote(let count) = result else { return result }
      size? += count
      endsLine = false
    }
    var end = end
    if isPlain {
      look(isLineStart: block.lineStart(before: start) == start)
    } else {
      end = Self.pieceEnd(block, from: start, to: end)
    }
    let result = block.withBytes(from: start) {
      Self.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[..<(end - start)]))
    }
    if case .wrote(let count) = result { size? += count }
    return result
  }

  /// Notices that others have written to the file, or cut it: then half a line is not known to be at its end.
  private mutating func look(isLineStart: Bool) {
    let now = path == nil ? nil : Self.status(descriptor).map { Int($0.st_size) }
    size = isLineStart || now == size ? now : nil
  }

  /// What a pipe takes as one, so that two logs that go to the same one do not tear each other's lines: whole lines, if
  /// one is not longer than that.
  private static func pieceEnd(_ block: LogBlock, from start: Int, to end: Int) -> Int {
    guard end - start > pipePiece else { return end }
    let last = block.lineStart(before: start + pipePiece)
    return last > start ? last : min(end, block.lineEnd(from: start))
  }

  /// PIPE_BUF (pipe(7)).
  private static let pipePiece = 4096

  private static func write(_ descriptor: CInt, _ bytes: [UInt8]) -> LogWrite {
    bytes.withUnsafeBytes { write(descriptor, $0) }
  }

  private static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> LogWrite {
    if bytes.isEmpty { return .wrote(0) }
    while true {
      let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      if count > 0 { return .wrote(count) }
      if count == 0 { return .wait }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wait
      default: return .failed(errno)
      }
    }
  }

  mutating func open() -> LogOpening {
    guard let path else { return .same }
    let opened: Opened
    do throws(LogFileProblem) {
      opened = try Self.open(path)
    } catch {
      return .failed(error.code)
    }
    if let before = Self.status(descriptor), let now = Self.status(opened.descriptor),
      before.st_dev == now.st_dev, before.st_ino == now.st_ino
    {
      Glibc.close(opened.descriptor)
      return .same
    }
    next = opened
    return .opened
  }

  mutating func change() {
    guard let opened = next.take() else { return }
    close()
    (descriptor, size, endsLine) = (opened.descriptor, opened.size, opened.endsLine)
    isPlain = opened.size != nil
  }

  /// As after a rotation by another process that this one was not told of. A file that is only away is not made anew.
  var isReplaced: Bool {
    guard let path else { return false }
    var named = stat()
    guard descriptor >= 0, stat(path, &named) == 0, let own = Self.status(descriptor) else {
      return false
    }
    return (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino)
  }

  /// Only where nobody else has written to the file, nor cut it.
  mutating func takeBack(_ count: Int) -> Bool {
    guard let size, size >= count, let status = Self.status(descriptor),
      Int(status.st_size) == size, ftruncate(descriptor, off_t(size - count)) == 0
    else { return false }
    self.size = size - count
    return true
  }

  /// Closes it.
  func close() {
    if path != nil, descriptor >= 0 { Glibc.close(descriptor) }
  }
}

/// A log cannot be opened.
struct LogFileProblem: Error {
  /// An `errno`.
  let code: CInt

  /// Why.
  var reason: String {
    code == ENXIO
      ? "nobody reads from this pipe, or it is a socket" : String(cString: strerror(code))
  }
}
