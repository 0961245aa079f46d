// The few facts of a response head that a load generator acts upon: status, framing, whether the
// connection stays, what the cache said. One pass, nothing is copied but an entity tag that is
// wanted.

import EdgeCache

/// What a response head says.
struct ResponseFacts {
  /// The status code.
  var status = 0
  /// Content-Length.
  var length: Int?
  /// Whether the content is in the chunked coding.
  var isChunked = false
  /// Whether the connection can be used again.
  var keepsAlive = true
  /// What the nearest cache did.
  var outcome = CacheOutcome.absent
  /// The entity tag, if wanted.
  var entityTag: [UInt8] = []
  /// Index of the first byte after the head.
  var end = 0

  /// Reads the head at the start of `bytes`; nil if it is not complete. O(bytes of the head).
  static func scan(
    _ bytes: Span<UInt8>, wantsTag: Bool
  ) throws(UnreadableResponse) -> ResponseFacts? {
    guard var facts = try statusLine(bytes) else { return nil }
    while true {
      let start = facts.end
      guard let end = bytes.firstIndex(of: ASCII.lineFeed, in: start..<bytes.count) else {
        return nil
      }
      guard end > start, bytes[end - 1] == ASCII.carriageReturn else { throw UnreadableResponse() }
      facts.end = end + 1
      if end - 1 == start { return facts }
      try facts.take(bytes.extracting(start..<(end - 1)), wantsTag: wantsTag)
    }
  }

  /// `HTTP/1.1 200 OK`: version and status; the reason says nothing.
  private static func statusLine(
    _ bytes: Span<UInt8>
  ) throws(UnreadableResponse) -> ResponseFacts? {
    let version: StaticString = "http/1."
    let available = min(version.utf8CodeUnitCount, bytes.count)
    let matches = version.withUTF8Buffer { expected in
      for index in 0..<available where (bytes[index] | 0x20) != (expected[index] | 0x20) {
        return false
      }
      return true
    }
    guard matches else { throw UnreadableResponse() }
    guard bytes.count > 12 else { return nil }
    guard bytes[8] == ASCII.space, let status = bytes.decimal(9..<12), status >= 100,
      bytes[12] == ASCII.space || bytes[12] == ASCII.carriageReturn
    else { throw UnreadableResponse() }
    guard let end = bytes.firstIndex(of: ASCII.lineFeed, in: 12..<bytes.count) else { return nil }
    guard bytes[end - 1] == ASCII.carriageReturn else { throw UnreadableResponse() }
    var facts = ResponseFacts()
    facts.status = status
    facts.keepsAlive = bytes[7] != ASCII.zero
    facts.end = end + 1
    return facts
  }

  /// Takes in one field line, without its line end.
  private mutating func take(_ line: Span<UInt8>, wantsTag: Bool) throws(UnreadableResponse) {
    guard let colon = line.firstIndex(of: ASCII.colon, in: 0..<line.count), colon > 0 else {
      throw UnreadableResponse()
    }
    // The length tells nearly all fields apart without comparing a name.
    switch colon {
    case 4:
      guard wantsTag, line.extracting(0..<4).equalsIgnoringCase("etag") else { return }
      entityTag = line.extracting(valueRange(line, colon)).copied()
    case 10:
      guard line.extracting(0..<10).equalsIgnoringCase("connection") else { return }
      let value = line.extracting(valueRange(line, colon))
      if value.equalsIgnoringCase("close") {
        keepsAlive = false
      } else if value.equalsIgnoringCase("keep-alive") {
        keepsAlive = true
      } else {
        value.forEachListElement(0..<value.count) { element in
          if value.extracting(element).equalsIgnoringCase("close") { keepsAlive = false }
          return true
        }
      }
    case 12:
      guard line.extracting(0..<12).equalsIgnoringCase("cache-status") else { return }
      let value = line.extracting(valueRange(line, colon))
      value.forEachListElement(0..<value.count) { element in
        outcome = CacheOutcome(member: value.extracting(element))
        return true
      }
    case 14:
      guard line.extracting(0..<14).equalsIgnoringCase("content-length") else { return }
      guard let count = line.decimal(valueRange(line, colon)), length == nil || length == count
      else {
        throw UnreadableResponse()
      }
      length = count
    case 17:
      guard line.extracting(0..<17).equalsIgnoringCase("transfer-encoding") else { return }
      let coding = line.extracting(valueRange(line, colon))
      guard coding.equalsIgnoringCase("chunked") else { throw UnreadableResponse() }
      isChunked = true
    default: return
    }
  }

  private func valueRange(_ line: Span<UInt8>, _ colon: Int) -> Range<Int> {
    line.trimmingWhitespace((colon + 1)..<line.count)
  }
}
