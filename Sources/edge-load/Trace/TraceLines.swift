// The lines of a file, read in pieces: request logs are larger than memory. What gzip compressed is known by its first
// two bytes, whatever it is called and wherever it comes from.

import Glibc

/// The lines of a plain or gzip-compressed file, or of standard input, one after another.
final class TraceLines {
  /// A longer line is no line of a request log.
  static let longest = 1 << 20

  private let path: String
  private let descriptor: Int32
  private var gunzip: Gunzip?
  private var hasBegun = false
  /// Whether the first bytes of the text, decompressed, were looked at.
  private var isKnown = false
  private var buffer: [UInt8] = []
  /// The first byte of `buffer` that has not been given out.
  private var start = 0
  private var isAtEnd = false
  /// The rest of a line that is too long goes by.
  private var isSkipping = false
  /// What ended the file before its end; told once all whole lines were given out.
  private var failure: TraceProblem?

  /// The number of the line that was given out last, counted from 1.
  private(set) var number = 0

  /// Opens a file; `-` is standard input.
  init(path: String) throws(TraceProblem) {
    self.path = path == "-" ? "standard input" : path
    if path == "-" {
      descriptor = STDIN_FILENO
      return
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw TraceProblem(path, "cannot be opened: \(describeErrno(errno))")
    }
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  /// The next line without its end; nil after the last one.
  ///
  /// After a problem with a line it may be called again and goes on with the line after it.
  func next() throws(TraceProblem) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        if isSkipping {
          (isSkipping, start, searched) = (false, end + 1, end + 1)
          continue
        }
        return take(upTo: end, skipping: 1)
      }
      if isSkipping { start = buffer.count }
      searched = buffer.count
      if isAtEnd { return try last() }
      if buffer.count - start > Self.longest {
        number += 1
        isSkipping = true
        throw TraceProblem(
          path, line: number, "is longer than 1 MiB; is this a request log?", .tooLong)
      }
      buffer.removeSubrange(..<start)
      (searched, start) = (searched - start, 0)
      fill()
    }
  }

  /// What is left at the end: a line without an end or, of a file that broke off, nothing.
  private func last() throws(TraceProblem) -> [UInt8]? {
    if let failure {
      (self.failure, start) = (nil, buffer.count)
      throw failure
    }
    return start < buffer.count ? take(upTo: buffer.count, skipping: 0) : nil
  }

  private func take(upTo end: Int, skipping: Int) -> [UInt8] {
    var line = buffer[start..<end]
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    start = end + skipping
    number += 1
    return Array(line)
  }

  /// Reads one more piece, or notes the end.
  private func fill() {
    do throws(TraceProblem) {
      var piece = try readPiece()
      if !hasBegun {
        // Two bytes tell; a pipe may bring one at a time.
        while piece.count == 1 {
          let more = try readPiece()
          if more.isEmpty { break }
          piece += more
        }
        hasBegun = true
        if piece.starts(with: [0x1F, 0x8B]) {
          gunzip = Gunzip()
          if gunzip == nil { throw TraceProblem(path, "is compressed, and there is no memory") }
        }
      }
      isAtEnd = piece.isEmpty
      defer { look() }
      guard let gunzip else {
        buffer += piece
        return
      }
      do throws(Gunzip.Problem) {
        try gunzip.take(piece[...], into: &buffer)
        if isAtEnd { try gunzip.finish() }
      } catch {
        let lines = buffer[start...].count { $0 == UInt8(ascii: "\n") }
        throw TraceProblem(path, error.sentence(line: number + lines))
      }
    } catch {
      (isAtEnd, failure) = (true, error)
    }
  }

  /// Looks at the first bytes: of what is no log no line is given out.
  private func look() {
    guard !isKnown, !buffer.isEmpty else { return }
    isKnown = true
    guard let sentence = FileKind.problem(buffer.prefix(FileKind.length)) else { return }
    (buffer, start) = ([], 0)
    (isAtEnd, failure) = (true, TraceProblem(path, sentence))
  }

  private func readPiece() throws(TraceProblem) -> [UInt8] {
    var piece = [UInt8](repeating: 0, count: 256 << 10)
    var count: Int
    repeat {
      count = piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    } while count < 0 && errno == EINTR
    if count < 0 { throw TraceProblem(path, "cannot be read: \(describeErrno(errno))") }
    piece.removeLast(piece.count - count)
    return piece
  }
}
