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

/// What is logged of one request.
struct AccessLogEntry {
  var client: String
  var request: RequestHead
  var statusCode: Int
  var bytes: Int
  var status: CacheStatus
  var started: Instant
  var finished: Instant

  /// The line, in the combined log format with two more columns.
  func line(cacheName: [UInt8]) -> ByteBuffer {
    var buffer = ByteBufferAllocator().buffer(capacity: 256)
    buffer.writeString(client)
    buffer.writeString(" - - [")
    buffer.writeString(Self.time(started))
    buffer.writeString("] \"")
    buffer.writeString(Self.quoted(request.fields, request.methodRange))
    buffer.writeString(" ")
    buffer.writeString(Self.quoted(request.fields, request.path))
    buffer.writeString(" HTTP/1.\(request.minorVersion)\" \(statusCode) \(bytes) ")
    for name in ["referer", "user-agent"] {
      buffer.writeString("\"")
      buffer.writeString(Self.field(name, request.fields))
      buffer.writeString("\" ")
    }
    let milliseconds = finished.milliseconds(since: started)
    buffer.writeString("\(milliseconds)ms \"")
    buffer.writeString(status.text(name: cacheName))
    buffer.writeString("\"\n")
    return buffer
  }

  private static func field(_ name: String, _ fields: FieldSection) -> String {
    for field in fields.fields where field.name == .other {
      if fields.text(field.nameRange).lowercased() == name { return quoted(fields, field.value) }
    }
    return "-"
  }

  /// Text with everything that could end or forge a line written as `\xHH`.
  private static func quoted(_ fields: FieldSection, _ range: ByteRange) -> String {
    var text = ""
    for byte in fields.copy(range) {
      if byte < 0x20 || byte >= 0x7F || byte == 0x22 || byte == 0x5C {
        let digits = String(byte, radix: 16, uppercase: true)
        text += digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
      } else {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    return text
  }

  /// `10/Oct/2000:13:55:36 +0000`.
  private static func time(_ instant: Instant) -> String {
    let date = String(decoding: HTTPDate.bytes(instant.seconds), as: UTF8.self)
    let parts = date.split(separator: " ")
    return "\(parts[1])/\(parts[2])/\(parts[3]):\(parts[4]) +0000"
  }
}
