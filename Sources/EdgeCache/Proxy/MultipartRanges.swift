import NIOCore

// Several ranges in one response (RFC 9110 §14.6): a part for each, with a head that says which it
// is.

/// The frame of a `multipart/byteranges` response; a class, so that the plans of all other deliveries
/// stay a few plain numbers.
public final class MultipartRanges: Sendable {
  /// The runs of bytes, one a part.
  public let ranges: [Range<Int>]
  /// What separates the parts; made of the keyed hash, so that nobody can put it into content.
  let boundary: [UInt8]
  /// The bytes of the whole response content.
  public let length: Int
  private let contentType: [UInt8]?
  private let completeLength: Int

  /// The frame for `ranges` of a stored response. O(ranges).
  init(_ ranges: [Range<Int>], of response: StoredResponse) {
    self.ranges = ranges
    contentType = response.head.fields.first(.contentType).map(response.head.fields.copy)
    completeLength = response.completeLength
    // Mixed once more, so that nothing of the hash itself is told.
    var seed = response.key.hash.low &* 0x9E37_79B9_7F4A_7C15 ^ response.key.hash.high
    seed ^= seed >> 32
    var buffer = ByteBuffer()
    buffer.writeHead(64) { head in
      head.writeStaticString("edgecache-")
      head.writeHexadecimal(Int(truncatingIfNeeded: seed >> 1))
    }
    boundary = Array(buffer.readableBytesView)
    var length = 0
    for index in ranges.indices {
      length += Self.partHead(ranges[index], boundary, contentType, completeLength).readableBytes
      length += ranges[index].count
    }
    self.length = length + boundary.count + 8
  }

  /// What comes before the bytes of a part.
  func partHead(_ index: Int) -> ByteBuffer {
    Self.partHead(ranges[index], boundary, contentType, completeLength)
  }

  private static func partHead(
    _ range: Range<Int>, _ boundary: [UInt8], _ contentType: [UInt8]?, _ completeLength: Int
  ) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeHead { head in
      head.writeStaticString("\r\n--")
      head.writeBytes(boundary)
      head.writeStaticString("\r\n")
      if let contentType {
        head.writeStaticString("Content-Type: ")
        head.writeBytes(contentType)
        head.writeStaticString("\r\n")
      }
      ResponseWriter.writeContentRange(range, of: completeLength, to: &head)
      head.writeStaticString("\r\n")
    }
    return buffer
  }

  /// What comes after the last part.
  var end: ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeStaticString("\r\n--")
    buffer.writeBytes(boundary)
    buffer.writeStaticString("--\r\n")
    return buffer
  }
}
