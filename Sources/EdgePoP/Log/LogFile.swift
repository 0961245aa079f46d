import EdgeCache
import Glibc

/// A file, or a standard stream, that a log is written to.
struct LogFile: LogSink {
  /// Where; nil for a standard stream.
  private let path: String?
  private(set) var descriptor: CInt
  /// What was opened to take the place of it.
  private var next: Opened?
  /// How many bytes a plain file has as far as only this process writes to it.
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
  }

  /// A file that is appended to. Throws an `errno`.
  init(path: String) throws(LogFileProblem) {
    self.path = path
    let opened = try Self.open(path)
    (descriptor, size, endsLine) = (opened.descriptor, opened.size, opened.endsLine)
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
    if endsLine {
      let result = Self.write(descriptor, [ASCII.lineFeed])
      guard case .wrote(let count) = result else { return result }
      size? += count
      endsLine = false
    }
    let result = block.withBytes(from: start) {
      Self.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[..<(end - start)]))
    }
    if case .wrote(let count) = result { size? += count }
    return result
  }

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
    Glibc.close(descriptor)
    (descriptor, size, endsLine) = (opened.descriptor, opened.size, opened.endsLine)
  }

  /// Only where nobody else has written to the file, nor cut it.
  mutating func takeBack(_ count: Int) {
    guard let size, let status = Self.status(descriptor), Int(status.st_size) == size else {
      return
    }
    if ftruncate(descriptor, off_t(size - count)) == 0 { self.size = size - count }
  }

  /// Closes it.
  func close() {
    if path != nil { Glibc.close(descriptor) }
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
