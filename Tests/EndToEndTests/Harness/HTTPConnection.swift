// A client connection that sends exactly the bytes it is told and reads responses to their last
// byte; with a little more it is also the other side.

import Glibc

/// A response broke the rules of HTTP/1.1 or its own promise.
struct BrokenResponse: Error, CustomStringConvertible {
  let description: String
}

/// A response, complete.
struct Response: Sendable {
  var status: Int
  var fields: [(name: String, value: String)]
  var content: [UInt8] = []

  /// The value of a field, several joined as a list; nil without the field.
  subscript(_ name: String) -> String? {
    let values = fields.filter { $0.name == name.lowercased() }.map(\.value)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  /// The content as text.
  var text: String { String(decoding: content, as: UTF8.self) }
}

/// A connection to one server; used by one thread at a time.
final class HTTPConnection {
  let socket: Socket
  private var buffer = [UInt8](repeating: 0, count: 256 << 10)
  /// What has been read into the buffer and not been taken.
  private var waiting = 0..<0

  init(port: Int, limit: Int = 90, receiveBuffer: Int32? = nil) throws {
    socket = try Socket.connect(to: port, limit: limit, receiveBuffer: receiveBuffer)
  }

  /// Over a socket that is connected, on either side.
  init(_ socket: Socket) {
    self.socket = socket
  }

  // MARK: Requests

  /// Writes a request with the content's length, if it has content.
  func send(
    _ method: String = "GET", _ target: String, host: String = "127.0.0.1",
    _ fields: [String] = [], content: [UInt8]? = nil
  ) throws {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: \(host)"] + fields
    if let content { lines.append("Content-Length: \(content.count)") }
    try socket.write(lines.joined(separator: "\r\n") + "\r\n\r\n")
    try content?.withUnsafeBytes(socket.write)
  }

  /// Sends a request and reads the response.
  func request(
    _ method: String = "GET", _ target: String, host: String = "127.0.0.1",
    _ fields: [String] = [], content: [UInt8]? = nil
  ) throws -> Response {
    try send(method, target, host: host, fields, content: content)
    return try response(to: method)
  }

  // MARK: Responses

  /// Reads the final response to a request.
  func response(to method: String = "GET") throws -> Response {
    var response = try head()
    while (100..<200).contains(response.status) { response = try head() }
    var content: [UInt8] = []
    try readContent(of: response, to: method) { content += $0 }
    response.content = content
    return response
  }

  /// Reads the next head, interim or final.
  func head() throws -> Response {
    let start = try line()
    let parts = start.split(separator: " ", maxSplits: 2)
    guard parts.count >= 2, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else {
      throw BrokenResponse(description: "no status line but '\(start)'")
    }
    return Response(status: status, fields: try fields())
  }

  /// Reads the fields of a head up to the empty line.
  func fields() throws -> [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    while true {
      let line = try line()
      if line.isEmpty { return fields }
      guard let colon = line.firstIndex(of: ":") else {
        throw BrokenResponse(description: "no field but '\(line)'")
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      fields.append((line[..<colon].lowercased(), String(value)))
    }
  }

  /// Reads content piece by piece, as the head frames it (RFC 9112 §6.3).
  func readContent(
    of head: Response, to method: String = "GET",
    _ take: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if method == "HEAD" || head.status == 204 || head.status == 304 { return }
    if let coding = head["transfer-encoding"] {
      guard coding == "chunked" else {
        throw BrokenResponse(description: "transfer-encoding \(coding)")
      }
      while true {
        let size = try line().prefix { $0 != ";" }
        guard let count = Int(size, radix: 16) else {
          throw BrokenResponse(description: "no chunk size but '\(size)'")
        }
        if count == 0 { break }
        try read(exactly: count, take)
        guard try line().isEmpty else { throw BrokenResponse(description: "chunk without end") }
      }
      while try !line().isEmpty {}
    } else if let length = head["content-length"] {
      guard let count = Int(length) else {
        throw BrokenResponse(description: "content-length \(length)")
      }
      try read(exactly: count, take)
    } else {
      while try fill() { try give(waiting.count, take) }
    }
  }

  /// True if the peer closes the connection now, without sending anything more.
  func isClosedByPeer() throws -> Bool {
    try waiting.isEmpty && !fill()
  }

  // MARK: Bytes

  /// Reads exactly so many bytes, of whatever protocol.
  func bytes(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try read(exactly: count) { bytes += $0 }
    return bytes
  }

  private func read(
    exactly count: Int, _ take: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    var left = count
    while left > 0 {
      guard try fill() else {
        throw BrokenResponse(description: "the content ends \(left) of \(count) bytes early")
      }
      let piece = min(left, waiting.count)
      try give(piece, take)
      left -= piece
    }
  }

  private func give(_ count: Int, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
    let piece = waiting.lowerBound..<(waiting.lowerBound + count)
    try buffer.withUnsafeBytes { try take(UnsafeRawBufferPointer(rebasing: $0[piece])) }
    waiting = piece.upperBound..<waiting.upperBound
  }

  func line() throws -> String {
    var line: [UInt8] = []
    while true {
      guard try fill() else {
        throw BrokenResponse(description: "the connection ended within a head or before it")
      }
      if let end = buffer[waiting].firstIndex(of: 0x0A) {
        line += buffer[waiting.lowerBound..<end]
        waiting = (end + 1)..<waiting.upperBound
        if line.last == 0x0D { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
      }
      line += buffer[waiting]
      waiting = 0..<0
    }
  }

  /// Makes sure that something waits in the buffer; false at the end of the connection.
  private func fill() throws -> Bool {
    if !waiting.isEmpty { return true }
    let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
    waiting = 0..<count
    return count > 0
  }
}
