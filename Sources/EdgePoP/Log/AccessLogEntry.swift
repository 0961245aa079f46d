import EdgeCache
import NIOCore

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
    let date = String(decoding: HTTPDate.bytes(instant.wall.seconds), as: UTF8.self)
    let parts = date.split(separator: " ")
    return "\(parts[1])/\(parts[2])/\(parts[3]):\(parts[4]) +0000"
  }
}
