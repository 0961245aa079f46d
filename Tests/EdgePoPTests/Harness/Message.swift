import NIOCore

// HTTP messages as a test reads them: a plain reading of RFC 9112 with none of the code under test,
// so that one mistake is not made twice.

/// A message: start line, field lines in their order, content, trailer lines.
struct Message: Sendable {
  var startLine: String
  var fields: [Field]
  var content = ByteBuffer()
  var trailers: [Field] = []
  /// The whole head as it came.
  var head: String

  struct Field: Sendable, Hashable {
    var name: String
    var value: String
  }

  /// Reads the lines of a head.
  init(head: String) {
    self.head = head
    var lines = head.components(separatedBy: "\r\n")
    startLine = lines.removeFirst()
    fields = Self.fields(lines)
  }

  static func fields(_ lines: [String]) -> [Field] {
    lines.filter { !$0.isEmpty }.map { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
      return Field(name: String(parts[0]), value: String(value))
    }
  }

  /// The status of a response.
  var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

  /// The method of a request.
  var method: String { String(startLine.prefix { $0 != " " }) }

  /// The target of a request.
  var target: String {
    String(startLine.split(separator: " ").dropFirst().first ?? "")
  }

  /// All values of a field.
  subscript(all name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }

  /// The one value of a field; repeated lines are joined.
  subscript(name: String) -> String? {
    let values = self[all: name]
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  /// The content as text.
  var text: String { String(buffer: content) }

  /// The member of this cache in `Cache-Status`.
  var cacheStatus: String { self["Cache-Status"] ?? "" }
}

extension String {
  /// The pieces between occurrences of a separator.
  func components(separatedBy separator: String) -> [String] {
    var pieces: [String] = []
    var rest = self[...]
    while let range = rest.firstRange(of: separator) {
      pieces.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return pieces + [String(rest)]
  }
}

extension Wire {
  /// Reads one head, the empty line included.
  func readHead() async throws -> Message {
    Message(head: try await take(through: "\r\n\r\n"))
  }

  /// Reads one final response, past any interim ones.
  func readResponse(to method: String = "GET") async throws -> Message {
    while true {
      var message = try await readHead()
      let status = message.status
      if (100..<200).contains(status), status != 101 { continue }
      if method == "HEAD" || status == 204 || status == 304 || status == 101 { return message }
      try await readContent(&message, isResponse: true)
      return message
    }
  }

  /// Reads one request with its content.
  func readRequest() async throws -> Message {
    var message = try await readHead()
    try await readContent(&message, isResponse: false)
    return message
  }

  /// Reads the content of a message whose head was read.
  func readContent(_ message: inout Message, isResponse: Bool) async throws {
    if message["Transfer-Encoding"]?.lowercased() == "chunked" {
      try await readChunks(&message)
    } else if let text = message["Content-Length"] {
      guard let count = Int(text) else { throw WireProblem(description: "length \(text)") }
      if count > 0 { message.content = try await take(count) }
    } else if isResponse {
      message.content = try await take("the end") { bytes, end in
        end == .finished ? bytes.readSlice(length: bytes.readableBytes) : nil
      }
    }
  }

  private func readChunks(_ message: inout Message) async throws {
    while true {
      let line = try await take(through: "\r\n")
      let size = line.prefix { $0.isHexDigit }
      guard let count = Int(size, radix: 16) else {
        throw WireProblem(description: "chunk size \(line)")
      }
      if count == 0 { break }
      var chunk = try await take(count)
      message.content.writeBuffer(&chunk)
      let end = try await take(2)
      guard end == ByteBuffer(string: "\r\n") else {
        throw WireProblem(description: "a chunk ends in \(end)")
      }
    }
    while case let line = try await take(through: "\r\n"), line != "\r\n" {
      message.trailers += Message.fields([String(line.dropLast())])
    }
  }

  /// Sends one request and reads its response.
  func exchange(_ request: String) async throws -> Message {
    send(request)
    return try await readResponse(to: String(request.prefix { $0 != " " }))
  }
}

/// Content in which every position can be told apart: random bytes with a prime period, so that no
/// loss or repetition of blocks goes unnoticed.
enum Pattern {
  private static let period = 65_521

  private static let block: ByteBuffer = {
    var seed: UInt64 = 0x9E37_79B9_7F4A_7C15
    var bytes: [UInt8] = []
    bytes.reserveCapacity(period)
    for _ in 0..<period {
      seed ^= seed << 13
      seed ^= seed >> 7
      seed ^= seed << 17
      bytes.append(UInt8(truncatingIfNeeded: seed))
    }
    // Twice, so that a period from any place on is one slice.
    return ByteBuffer(bytes: bytes + bytes)
  }()

  /// `count` bytes from position `start` on.
  static func bytes(_ count: Int, from start: Int = 0) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(count)
    var position = start
    while position < start + count {
      let length = min(period, start + count - position)
      var piece = block.getSlice(at: position % period, length: length) ?? ByteBuffer()
      buffer.writeBuffer(&piece)
      position += length
    }
    return buffer
  }

  /// Takes `count` bytes off a wire and compares them with the pattern as they come.
  static func expect(_ count: Int, from start: Int = 0, on wire: Wire) async throws {
    var position = start
    while position < start + count {
      let most = start + count - position
      let some = try await wire.take("byte \(position) of the pattern") { bytes, _ in
        bytes.readableBytes == 0
          ? nil : bytes.readSlice(length: min(most, bytes.readableBytes, period))
      }
      guard some == bytes(some.readableBytes, from: position) else {
        throw WireProblem(description: "wrong bytes between \(position) and the next")
      }
      position += some.readableBytes
    }
  }
}
