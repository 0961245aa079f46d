import NIOCore

/// Frames content on its way out (RFC 9112 §7.1).
public enum ContentEncoder {
  /// Writes the line before a chunk of that many bytes.
  public static func chunkHead(_ count: Int, to buffer: inout HeadBuffer) {
    buffer.writeHexadecimal(count)
    buffer.writeStaticString("\r\n")
  }

  /// Writes the line end behind a chunk.
  public static func chunkEnd(to buffer: inout HeadBuffer) {
    buffer.writeStaticString("\r\n")
  }

  /// Writes the last chunk and the trailer fields that may be forwarded (RFC 9110 §6.5.1).
  public static func lastChunk(_ trailers: FieldSection?, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("0\r\n")
    if let trailers {
      for field in trailers.fields where TrailerSection.mayTrail(field, of: trailers) {
        buffer.writeLine(field, of: trailers)
      }
    }
    buffer.writeStaticString("\r\n")
  }

  /// Writes the last chunk and trailer fields that were kept.
  public static func lastChunk(_ trailers: TrailerSection, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("0\r\n")
    buffer.writeBytes(trailers.bytes)
    buffer.writeStaticString("\r\n")
  }
}
