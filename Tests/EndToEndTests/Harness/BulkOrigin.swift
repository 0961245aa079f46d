// An origin for content that is larger than any memory should be: it sends a gigabyte whose every
// byte is known, or checks one that it receives, and can stall in the middle of either.

import Foundation
import Glibc

/// Bytes of any length that repeat with a period which no buffer size divides: content that is cut,
/// repeated or swapped anywhere does not match any more.
struct BulkPattern: Sendable {
  private static let period = 1_000_003
  /// Two periods, so that a piece of up to one period is one run of bytes.
  private let bytes: [UInt8]

  init() {
    var state: UInt64 = 42
    var once: [UInt8] = []
    once.reserveCapacity(2 * Self.period)
    for _ in 0..<Self.period {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      once.append(UInt8(truncatingIfNeeded: state >> 56))
    }
    bytes = once + once
  }

  /// The bytes from a position on, at most `count` of them.
  func piece<Value>(
    at position: Int, _ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Value
  ) rethrows -> Value {
    let start = position % Self.period
    return try bytes.withUnsafeBytes {
      try body(UnsafeRawBufferPointer(rebasing: $0[start..<(start + min(count, Self.period))]))
    }
  }

  /// Whether received bytes are those that belong to a position.
  func matches(_ received: UnsafeRawBufferPointer, at position: Int) -> Bool {
    guard let start = received.baseAddress, received.count <= Self.period else { return false }
    return piece(at: position, received.count) { piece in
      piece.baseAddress.map { memcmp($0, start, received.count) == 0 } ?? false
    }
  }
}

/// How the content of a download is framed.
enum BulkFraming: Sendable, CaseIterable {
  /// With its length, and not to be stored.
  case length
  /// In chunks, and fresh for a minute: only at its end it turns out to be too large to be stored.
  case chunks
}

/// The origin; serves until it is released.
final class BulkOrigin: Server {
  let count: Int
  let framing: BulkFraming
  /// Where in the content it stops for `stall`.
  let stallsAt: Int?
  let stall: Duration
  let pattern: BulkPattern
  private let listener: Socket

  init(
    count: Int, framing: BulkFraming = .length, stallsAt: Int? = nil,
    stall: Duration = .seconds(3), pattern: BulkPattern
  ) throws {
    (self.count, self.framing, self.stallsAt) = (count, framing, stallsAt)
    (self.stall, self.pattern) = (stall, pattern)
    listener = try Socket.bound(listens: true)
    let listener = listener
    Thread.detachNewThread { [weak self] in
      while let socket = listener.accept() {
        Thread.detachNewThread { [weak self] in
          // A client that goes away in the middle is noticed by the test that made it.
          try? self?.serve(socket)
        }
      }
    }
  }

  deinit { listener.shutDown() }

  var port: Int { listener.port }

  private func serve(_ socket: Socket) throws {
    let connection = HTTPConnection(socket)
    while let head = try connection.requestHead() {
      if head.method == "GET" {
        try sendDownload(on: socket)
      } else {
        let verdict = try receiveUpload(connection, head)
        try socket.write(
          "HTTP/1.1 200 OK\r\nContent-Length: \(verdict.utf8.count)\r\n\r\n\(verdict)")
      }
    }
  }

  private func sendDownload(on socket: Socket) throws {
    let fields =
      switch framing {
      case .length: "Content-Length: \(count)\r\nCache-Control: no-store"
      case .chunks: "Transfer-Encoding: chunked\r\nCache-Control: max-age=60"
      }
    try socket.write("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n")
    var position = 0
    var hasStalled = false
    while position < count {
      if let stallsAt, position >= stallsAt, !hasStalled {
        hasStalled = true
        pause(stall)
      }
      let size = min(256 << 10, count - position)
      if framing == .chunks { try socket.write("\(String(size, radix: 16))\r\n") }
      try pattern.piece(at: position, size, socket.write)
      if framing == .chunks { try socket.write("\r\n") }
      position += size
    }
    if framing == .chunks { try socket.write("0\r\n\r\n") }
  }

  /// Reads content and says what it was: "good" and its length, or where it differed.
  private func receiveUpload(_ connection: HTTPConnection, _ head: RequestLine) throws -> String {
    var position = 0
    var wrong: Int?
    var hasStalled = false
    try connection.readContent(of: head.asResponse) { piece in
      if let stallsAt, position >= stallsAt, !hasStalled {
        hasStalled = true
        pause(stall)
      }
      if wrong == nil, !pattern.matches(piece, at: position) { wrong = position }
      position += piece.count
    }
    return wrong.map { "wrong within the bytes at \($0)" } ?? "good \(position)"
  }
}

/// Does nothing for a while: a peer that stalls is what is being tested.
func pause(_ duration: Duration) {
  usleep(UInt32(duration.inSeconds * 1e6))
}

/// The start of a request as an origin reads it.
struct RequestLine {
  let method: String
  let target: String
  let fields: [(name: String, value: String)]

  /// With the same framing fields, for reading the content.
  var asResponse: Response { Response(status: 200, fields: fields) }
}

extension HTTPConnection {
  /// Reads the next request's head; nil when the peer closes instead.
  func requestHead() throws -> RequestLine? {
    if try isClosedByPeer() { return nil }
    let parts = try line().split(separator: " ").map(String.init)
    guard parts.count == 3 else { throw BrokenResponse(description: "no request line") }
    return RequestLine(method: parts[0], target: parts[1], fields: try fields())
  }
}
