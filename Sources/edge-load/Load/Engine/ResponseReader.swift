// Reads responses off a connection, taking from each only what a load generator wants to know. The
// core's parser checks and keeps every field, as a cache must; here a response costs a pass over its
// head, and its content is counted and forgotten.
//
// Framing follows RFC 9112 §6.3. A response that could be read in two ways is malformed.

import EdgeCache

/// What a complete response said.
struct ResponseSummary: Equatable {
  /// The status code.
  var status = 0
  /// What the nearest cache did.
  var outcome = CacheOutcome.absent
  /// Whether the connection can be used again.
  var keepsAlive = true
  /// Bytes of content.
  var contentBytes = 0
  /// The entity tag with its quotes, if tags are wanted; empty if there was none.
  var entityTag: [UInt8] = []
}

/// A response that cannot be read.
struct UnreadableResponse: Error {}

/// The reader of one connection's responses.
struct ResponseReader {
  private enum Phase {
    case head
    case content(remaining: Int)
    case untilClose
    case chunkSize
    case chunk(remaining: Int)
    case trailers
    case complete
  }

  /// What is known of the present response.
  private(set) var summary = ResponseSummary()
  private var phase = Phase.head
  /// The start of a head or of a line that has not come whole.
  private var pending: [UInt8] = []
  private var isToHead = false
  private var wantsTag = false

  /// Longest head, and longest line of the chunked coding.
  private static let longestHead = 64 * 1024

  /// Expects the next response; `toHead` says that the request was HEAD, which has no content.
  mutating func begin(toHead: Bool, wantsTag: Bool) {
    (phase, isToHead, self.wantsTag) = (.head, toHead, wantsTag)
    summary = ResponseSummary()
    if !pending.isEmpty { pending = [] }
  }

  /// Whether the response is complete.
  var isComplete: Bool {
    if case .complete = phase { true } else { false }
  }

  /// Bytes of content that are certain to follow, which nobody needs to see.
  var discardable: Int {
    switch phase {
    case .content(let remaining), .chunk(let remaining): remaining
    default: 0
    }
  }

  /// Counts content that was dropped unseen; at most `discardable` bytes.
  mutating func discarded(_ count: Int) {
    summary.contentBytes += count
    switch phase {
    case .content(let remaining):
      phase = remaining == count ? .complete : .content(remaining: remaining - count)
    case .chunk(let remaining): phase = .chunk(remaining: remaining - count)
    default: break
    }
  }

  /// The peer has closed; returns whether that completes the response.
  mutating func connectionClosed() -> Bool {
    if case .untilClose = phase { phase = .complete }
    return isComplete
  }

  /// Takes bytes off the connection, and returns how many belonged to the response: all of them
  /// unless it was completed. O(bytes).
  mutating func read(_ bytes: Span<UInt8>) throws(UnreadableResponse) -> Int {
    var index = 0
    while index < bytes.count {
      switch phase {
      case .head:
        guard let end = try readHead(bytes, from: index) else { return bytes.count }
        index = end
      case .content(let remaining), .chunk(let remaining):
        if case .chunk(0) = phase {
          guard let end = try readLine(bytes, from: index, { $0.isEmpty ? .chunkSize : nil })
          else { return bytes.count }
          index = end
          continue
        }
        let count = min(remaining, bytes.count - index)
        discarded(count)
        index += count
      case .untilClose:
        summary.contentBytes += bytes.count - index
        return bytes.count
      case .chunkSize:
        guard let end = try readLine(bytes, from: index, Self.afterSize) else { return bytes.count }
        index = end
      case .trailers:
        let end = try readLine(bytes, from: index) { $0.isEmpty ? .complete : .trailers }
        guard let end else { return bytes.count }
        index = end
      case .complete:
        return index
      }
    }
    return index
  }

  /// Reads the head, or keeps what there is of it; returns where the content begins.
  private mutating func readHead(
    _ bytes: Span<UInt8>, from start: Int
  ) throws(UnreadableResponse) -> Int? {
    let kept = pending.count
    let facts: ResponseFacts?
    if kept == 0 {
      facts = try ResponseFacts.scan(bytes.extracting(start..<bytes.count), wantsTag: wantsTag)
      if facts == nil { try keep(bytes, from: start) }
    } else {
      try keep(bytes, from: start)
      facts = try ResponseFacts.scan(pending.span, wantsTag: wantsTag)
      if facts != nil { pending = [] }
    }
    guard let facts else { return nil }
    begin(facts)
    return start + facts.end - kept
  }

  private mutating func begin(_ facts: ResponseFacts) {
    if facts.status < 200 { return }  // Interim: the response proper is yet to come.
    summary.status = facts.status
    summary.outcome = facts.outcome
    summary.keepsAlive = facts.keepsAlive
    summary.entityTag = facts.entityTag
    if isToHead || facts.status == 204 || facts.status == 304 {
      phase = .complete
    } else if facts.isChunked {
      phase = .chunkSize
    } else if let length = facts.length {
      phase = length == 0 ? .complete : .content(remaining: length)
    } else {
      summary.keepsAlive = false
      phase = .untilClose
    }
  }

  // MARK: Lines of the chunked coding

  /// Reads one line and goes on to the phase that it leads to; nil if it is not complete.
  private mutating func readLine(
    _ bytes: Span<UInt8>, from start: Int, _ next: (Span<UInt8>) -> Phase?
  ) throws(UnreadableResponse) -> Int? {
    guard let end = bytes.firstIndex(of: ASCII.lineFeed, in: start..<bytes.count) else {
      try keep(bytes, from: start)
      return nil
    }
    let following: Phase?
    if pending.isEmpty {
      following = Self.following(bytes.extracting(start..<end), next)
    } else {
      try keep(bytes.extracting(0..<end), from: start)
      following = Self.following(pending.span, next)
      pending = []
    }
    guard let following else { throw UnreadableResponse() }
    phase = following
    return end + 1
  }

  private static func following(_ line: Span<UInt8>, _ next: (Span<UInt8>) -> Phase?) -> Phase? {
    guard line.count > 0, line[line.count - 1] == ASCII.carriageReturn else { return nil }
    return next(line.extracting(0..<(line.count - 1)))
  }

  private mutating func keep(_ bytes: Span<UInt8>, from start: Int) throws(UnreadableResponse) {
    guard pending.count + bytes.count - start <= Self.longestHead else {
      throw UnreadableResponse()
    }
    for index in start..<bytes.count { pending.append(bytes[index]) }
  }

  private static func afterSize(_ line: Span<UInt8>) -> Phase? {
    var size = 0
    var digits = 0
    while digits < line.count, digits < 15, let value = hexValue(line[digits]) {
      size = size << 4 | value
      digits += 1
    }
    guard digits > 0 else { return nil }
    let isEnded =
      digits == line.count || line[digits] == ASCII.semicolon
      || line[digits] == ASCII.space || line[digits] == ASCII.tab
    guard isEnded else { return nil }
    return size == 0 ? .trailers : .chunk(remaining: size)
  }

  private static func hexValue(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte) - 0x30
    case 0x41...0x46: Int(byte) - 0x41 + 10
    case 0x61...0x66: Int(byte) - 0x61 + 10
    default: nil
    }
  }
}
