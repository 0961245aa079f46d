import EdgeCache
import EdgeFleet
import Glibc
import NIOCore
import Synchronization

// The access log: one line for each response in the combined log format, with the time taken and the
// Cache-Status member added.
//
// Event loops only append to a buffer; a task of its own writes it every 200 ms. A disk that is slow
// delays the log, never a response: past the bound, and when writing fails, lines are dropped and
// counted.

/// Where access log lines go.
public enum AccessLogTarget: Sendable, Hashable {
  case off
  case standardOutput
  case file(String)
}

/// The access log could not be opened.
public struct AccessLogProblem: Error, CustomStringConvertible {
  /// Which file, and why not.
  public let description: String
}

/// Writes access log lines.
final class AccessLog: Sendable {
  private struct State: Sendable {
    var buffer: [UInt8] = []
    var dropped: UInt64 = 0
    var isClosed = false
  }

  private static let mostWaiting = 8 << 20

  private let descriptor: CInt
  private let state = Mutex(State())

  /// Opens the log; nil if it is off.
  static func open(_ target: AccessLogTarget) throws(AccessLogProblem) -> AccessLog? {
    switch target {
    case .off: return nil
    case .standardOutput: return AccessLog(descriptor: STDOUT_FILENO)
    case .file(let path):
      let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
      guard descriptor >= 0 else {
        throw AccessLogProblem(
          description: "access log \(path): \(String(cString: strerror(errno)))")
      }
      return AccessLog(descriptor: descriptor)
    }
  }

  private init(descriptor: CInt) {
    self.descriptor = descriptor
  }

  /// Adds a line. O(line).
  func append(_ line: ByteBuffer) {
    state.withLock { state in
      if state.buffer.count > Self.mostWaiting {
        state.dropped += 1
      } else {
        state.buffer.append(contentsOf: line.readableBytesView)
      }
    }
  }

  /// Number of lines dropped so far.
  var dropped: UInt64 { state.withLock { $0.dropped } }

  /// Writes what waits. Called on a thread that may block.
  func flush() {
    let bytes = state.withLock { state in
      let bytes = state.buffer
      state.buffer.removeAll(keepingCapacity: bytes.count < 1 << 20)
      return bytes
    }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { raw in
        raw.baseAddress.map { write(descriptor, $0 + written, raw.count - written) } ?? 0
      }
      if count < 0, errno == EINTR { continue }
      if count <= 0 {
        let lost = bytes[written...].count { $0 == UInt8(ascii: "\n") }
        return state.withLock { $0.dropped += UInt64(lost) }
      }
      written += count
    }
  }

  /// Writes what waits and closes the file.
  func close() {
    flush()
    let first = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if first, descriptor != STDOUT_FILENO { Glibc.close(descriptor) }
  }
}
