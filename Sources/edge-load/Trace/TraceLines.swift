// The lines of a file, read in pieces: request logs are larger than memory. A file that gzip
// compressed is known by its first two bytes, whatever it is called, and comes through gzip itself,
// as a child process, which decompresses on another core.

import Glibc

/// The lines of a plain or gzip-compressed file, or of standard input, one after another.
final class TraceLines {
  /// A longer line is no line of a request log.
  static let longest = 1 << 20

  private let path: String
  private let descriptor: Int32
  private var child: pid_t?
  private var buffer: [UInt8] = []
  /// The first byte of `buffer` that has not been given out.
  private var start = 0
  private var isAtEnd = false

  /// The number of the line that was given out last, counted from 1.
  private(set) var number = 0

  /// Opens a file; `-` is standard input, which is not decompressed.
  init(path: String) throws(TraceProblem) {
    self.path = path
    if path == "-" {
      descriptor = STDIN_FILENO
      return
    }
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw TraceProblem(path, "cannot be opened: \(describeErrno(errno))") }
    var magic: [UInt8] = [0, 0]
    let count = magic.withUnsafeMutableBytes { pread(file, $0.baseAddress, 2, 0) }
    guard count == 2, magic == [0x1F, 0x8B] else {
      descriptor = file
      return
    }
    let (child, output) = Self.decompress(file)
    close(file)
    guard let child else {
      throw TraceProblem(path, "is compressed, and gzip cannot be run; install gzip")
    }
    (self.child, descriptor) = (child, output)
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
    // Without a reader gzip ends by SIGPIPE.
    if child != nil { _ = reap() }
  }

  /// The next line without its end; nil after the last one.
  func next() throws(TraceProblem) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        return take(upTo: end, skipping: 1)
      }
      searched = buffer.count
      if isAtEnd { return start < buffer.count ? take(upTo: buffer.count, skipping: 0) : nil }
      guard buffer.count - start <= Self.longest else {
        throw TraceProblem(path, line: number + 1, "is longer than 1 MiB; is this a request log?")
      }
      buffer.removeSubrange(..<start)
      (searched, start) = (searched - start, 0)
      try fill()
    }
  }

  private func take(upTo end: Int, skipping: Int) -> [UInt8] {
    var line = buffer[start..<end]
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    start = end + skipping
    number += 1
    return Array(line)
  }

  /// Reads one more piece, or notes the end.
  private func fill() throws(TraceProblem) {
    let room = 256 << 10
    let old = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: room))
    var count: Int
    repeat {
      count = buffer.withUnsafeMutableBytes { bytes in
        read(descriptor, bytes.baseAddress.map { $0 + old }, room)
      }
    } while count < 0 && errno == EINTR
    let code = errno
    buffer.removeLast(room - max(0, count))
    if count < 0 { throw TraceProblem(path, "cannot be read: \(describeErrno(code))") }
    guard count == 0 else { return }
    isAtEnd = true
    if child != nil, reap() != 0 {
      start = buffer.count
      throw TraceProblem(path, "cannot be decompressed after line \(number); it is damaged")
    }
  }

  // MARK: gzip

  /// Starts `gzip -dc` on a file; returns its process, nil if it cannot be run, and its output.
  private static func decompress(_ file: Int32) -> (child: pid_t?, output: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (nil, -1) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, file, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("gzip"), strdup("-dc"), nil]
    defer { for argument in arguments { free(argument) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, "gzip", &actions, &attributes, &arguments, environ)
    close(ends[1])
    if code == 0 { return (child, ends[0]) }
    close(ends[0])
    return (nil, -1)
  }

  /// Waits for gzip and returns 0 if it ended well.
  private func reap() -> Int32 {
    guard let child else { return 0 }
    self.child = nil
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status
  }
}
