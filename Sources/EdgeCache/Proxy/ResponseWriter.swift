import NIOCore

// Response heads as they go to a client over HTTP/1.1: what is stored or came from the upstream,
// and the fields that belong to this one response.

/// The name under which a cache speaks of itself, and what it says with it on every response. A class,
/// so that each response takes a reference to it and no copies.
public final class CacheName: Sendable {
  /// A token (RFC 9211 §2, RFC 9110 §7.6.3).
  public let bytes: [UInt8]
  /// `Via`, and `Cache-Status` up to its parameters.
  let preamble: [UInt8]

  /// A cache's name, which must be a token.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    preamble = Array("Via: 1.1 ".utf8) + bytes + Array("\r\nCache-Status: ".utf8) + bytes
  }
}

/// What the head of a response depends on besides the response.
public struct ResponseContext: Sendable {
  /// The name of this cache in `Via` and `Cache-Status`.
  public var name: CacheName
  /// True if the connection is closed after the response.
  public var closes: Bool
  /// The minor version of the request.
  public var minorVersion: UInt8
  /// True if it goes to another cache of ours, which is told what clients are not.
  public var isToPoP: Bool

  /// A context from its parts.
  @inlinable
  public init(name: CacheName, closes: Bool, minorVersion: UInt8, isToPoP: Bool = false) {
    self.name = name
    self.closes = closes
    self.minorVersion = minorVersion
    self.isToPoP = isToPoP
  }
}

/// Writes response heads.
public enum ResponseWriter {
  // MARK: From the store

  /// Writes the head of a delivery from the store. O(bytes of the head).
  ///
  /// `key` is the cache key, where `Cache-Status` is to tell it (RFC 9211 §2.7).
  public static func stored(
    _ response: StoredResponse, _ delivery: Delivery, _ status: CacheStatus,
    _ context: ResponseContext, key: CacheKey? = nil, now: Instant, to buffer: inout HeadBuffer
  ) {
    let head = response.head
    switch delivery.kind {
    case .whole:
      head.write(to: &buffer, whole: context.isToPoP)
      if let trailers = delivery.trailers {
        buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        trailers.writeNames(to: &buffer)
      } else if head.status != 204 {
        writeLength(response.sentCount, to: &buffer)
      }
    case .part(let range):
      writePartHead(head, range, of: response.completeLength, context, to: &buffer)
      writeLength(range.count, to: &buffer)
    case .parts(let parts):
      buffer.writeStaticString("HTTP/1.1 206 Partial Content\r\n")
      head.forEachField { field in
        if field.name != .contentType, !head.isOfWhole(field),
          head.isSent(field, whole: context.isToPoP)
        {
          head.writeLine(field, to: &buffer)
        }
      }
      buffer.writeStaticString("Content-Type: multipart/byteranges; boundary=")
      buffer.writeBytes(parts.boundary)
      buffer.writeStaticString("\r\n")
      writeLength(parts.length, to: &buffer)
    case .notModified:
      writeNotModified(head, context, to: &buffer)
    case .rangeNotSatisfiable:
      buffer.writeStaticString("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */")
      buffer.writeDecimal(response.completeLength)
      buffer.writeStaticString("\r\n")
      writeDate(now, to: &buffer)
      writeLength(0, to: &buffer)
    }
    writeAge(response.freshness.age(now), to: &buffer)
    finish(status, context, key: key, to: &buffer)
  }

  /// Writes the head of a response that is still arriving, and says how its content is delimited.
  public static func flight(
    _ head: FlightHead, _ status: CacheStatus, _ context: ResponseContext, key: CacheKey? = nil,
    whole: Bool, now: Instant, to buffer: inout HeadBuffer
  ) -> MessageFraming {
    var context = context
    var framing = MessageFraming.none
    if whole {
      if let part = head.part {
        writePartHead(head.head, part.range, of: part.completeLength, context, to: &buffer)
      } else {
        head.head.write(to: &buffer, whole: context.isToPoP)
      }
      if head.head.status != 204 {
        framing = writeFraming(head.contentLength, &context, to: &buffer)
      }
      if let names = head.trailerNames, framing == .chunked {
        buffer.writeStaticString("Trailer: ")
        buffer.writeBytes(names)
        buffer.writeStaticString("\r\n")
      }
    } else {
      writeNotModified(head.head, context, to: &buffer)
    }
    writeAge(head.freshness.age(now), to: &buffer)
    finish(status, context, key: key, to: &buffer)
    return framing
  }

  /// Status line and fields of 206 with one part (RFC 9110 §15.3.7.1).
  private static func writePartHead(
    _ head: StoredHead, _ range: Range<Int>, of length: Int, _ context: ResponseContext,
    to buffer: inout HeadBuffer
  ) {
    buffer.writeStaticString("HTTP/1.1 206 Partial Content\r\n")
    if head.hasFieldsOfWhole {
      head.forEachField { field in
        if !head.isOfWhole(field), head.isSent(field, whole: context.isToPoP) {
          head.writeLine(field, to: &buffer)
        }
      }
    } else {
      head.writeFields(to: &buffer, whole: context.isToPoP)
    }
    writeContentRange(range, of: length, to: &buffer)
  }

  /// Writes `Content-Range` (RFC 9110 §14.4).
  static func writeContentRange(
    _ range: Range<Int>, of length: Int, to buffer: inout HeadBuffer
  ) {
    buffer.writeStaticString("Content-Range: bytes ")
    buffer.writeDecimal(range.lowerBound)
    buffer.writeInteger(ASCII.dash)
    buffer.writeDecimal(range.upperBound - 1)
    buffer.writeInteger(ASCII.slash)
    buffer.writeDecimal(length)
    buffer.writeStaticString("\r\n")
  }

  /// RFC 9110 §15.4.5: what would guide a cache, without what describes content that is not sent.
  private static func writeNotModified(
    _ head: StoredHead, _ context: ResponseContext, to buffer: inout HeadBuffer
  ) {
    buffer.writeStaticString("HTTP/1.1 304 Not Modified\r\n")
    // Lines beside each other go at once.
    var start = head.statusLineCount
    head.forEachField { field in
      guard describesContent(field, of: head) else { return }
      head.writeLines(start..<Int(field.nameRange.offset), to: &buffer, whole: context.isToPoP)
      start = field.value.range.upperBound + 2
    }
    head.writeLines(start..<head.count, to: &buffer, whole: context.isToPoP)
  }

  /// True if a field has no place in 304: it is about the content, and a client that has that has the field.
  @inline(__always)
  private static func describesContent(_ field: Field, of head: StoredHead) -> Bool {
    switch field.name {
    case .contentType: return true
    case .lastModified: return head.etag != nil
    case .other:
      let name = head.storage.span.extracting(field.nameRange.range)
      if name.count == 16,
        name.equalsIgnoringCase("content-encoding") || name.equalsIgnoringCase("content-language")
      {
        return true
      }
      return head.isOfWhole(field)
    default: return head.isOfWhole(field)
    }
  }

  // MARK: From the upstream

  /// Writes the head of a response that is passed through, and says how its content is delimited.
  public static func passedThrough(
    _ head: ResponseHead, _ status: CacheStatus, _ context: ResponseContext, key: CacheKey? = nil,
    now: Instant, to buffer: inout HeadBuffer
  ) -> MessageFraming {
    var context = context
    writeStatusLine(head, to: &buffer)
    var hasDate = false
    // The trailer fields that it names go on too, where there can be any (RFC 9110 §6.6.2).
    let hasTrailers = head.framing == .chunked && context.minorVersion >= 1
    buffer.writeLines(of: head.fields) { index, field in
      if field.name == .date { hasDate = true }
      return head.fields.isEndToEnd(index) || field.name == .age
        || field.name == .trailer && hasTrailers
    }
    if !hasDate { writeDate(now, to: &buffer) }
    var framing = MessageFraming.none
    if head.framing == .none {
      // HEAD and 304 tell the length of what GET would send; 204 has none (RFC 9110 §8.6).
      if head.status != 204, let length = head.contentLength { writeLength(length, to: &buffer) }
    } else {
      framing = writeFraming(head.contentLength, &context, to: &buffer)
    }
    finish(status, context, key: key, to: &buffer)
    return framing
  }

  /// Writes an interim response (RFC 9110 §15.2).
  public static func interim(_ head: ResponseHead, to buffer: inout HeadBuffer) {
    writeStatusLine(head, to: &buffer)
    for (index, field) in head.fields.fields.enumerated() where head.fields.isEndToEnd(index) {
      buffer.writeLine(field, of: head.fields)
    }
    buffer.writeStaticString("\r\n")
  }

  /// Writes the head of 101, with the upstream's choice of protocol (RFC 9110 §7.8).
  public static func upgrade(
    _ head: ResponseHead, _ status: CacheStatus, _ context: ResponseContext,
    to buffer: inout HeadBuffer
  ) {
    writeStatusLine(head, to: &buffer)
    for (index, field) in head.fields.fields.enumerated()
    where head.fields.isEndToEnd(index) || field.name == .upgrade {
      buffer.writeLine(field, of: head.fields)
    }
    buffer.writeStaticString("Connection: upgrade\r\n")
    var context = context
    context.closes = false
    context.minorVersion = 1
    finish(status, context, to: &buffer)
  }

  // MARK: Our own

  /// Writes a whole answer of our own: status, a line of text that says why, and that it is not to
  /// be stored. `retryAfter` in seconds.
  public static func error(
    _ statusCode: Int, reason: String, _ status: CacheStatus, _ context: ResponseContext,
    allow: Bool = false, challenges: Bool = false, sendsContent: Bool, retryAfter: Int? = nil,
    now: Instant,
    to buffer: inout HeadBuffer
  ) {
    buffer.writeStaticString("HTTP/1.1 ")
    buffer.writeDecimal(statusCode)
    buffer.writeInteger(ASCII.space)
    buffer.writeStaticString(reasonPhrase(statusCode))
    buffer.writeStaticString("\r\nContent-Type: text/plain; charset=utf-8\r\n")
    buffer.writeStaticString("Cache-Control: no-store\r\n")
    writeDate(now, to: &buffer)
    if let retryAfter {
      buffer.writeStaticString("Retry-After: ")
      buffer.writeDecimal(retryAfter)
      buffer.writeStaticString("\r\n")
    }
    if allow { buffer.writeStaticString("Allow: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE\r\n") }
    if challenges { buffer.writeStaticString("WWW-Authenticate: Bearer\r\n") }
    let text = "\(statusCode) \(reasonPhrase(statusCode)): \(reason)\n"
    writeLength(text.utf8.count, to: &buffer)
    finish(status, context, to: &buffer)
    if sendsContent { buffer.writeString(text) }
  }

  // MARK: Parts

  private static func writeStatusLine(_ head: ResponseHead, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("HTTP/1.1 ")
    buffer.writeDecimal(head.status)
    buffer.writeInteger(ASCII.space)
    buffer.writeRange(head.reason, of: head.fields)
    buffer.writeStaticString("\r\n")
  }

  /// Chooses how content is delimited for this client (RFC 9112 §6): HTTP/1.0 knows no chunks.
  private static func writeFraming(
    _ length: Int?, _ context: inout ResponseContext, to buffer: inout HeadBuffer
  ) -> MessageFraming {
    if let length {
      writeLength(length, to: &buffer)
      return .length(length)
    }
    if context.minorVersion >= 1 {
      buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
      return .chunked
    }
    context.closes = true
    return .untilClose
  }

  private static func writeLength(_ length: Int, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("Content-Length: ")
    buffer.writeDecimal(length)
    buffer.writeStaticString("\r\n")
  }

  private static func writeAge(_ age: Int64, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("Age: ")
    buffer.writeDecimal(Int(max(0, age)))
    buffer.writeStaticString("\r\n")
  }

  private static func writeDate(_ now: Instant, to buffer: inout HeadBuffer) {
    buffer.writeStaticString("Date: ")
    buffer.writeBytes(HTTPDate.bytes(now.wall.seconds))
    buffer.writeStaticString("\r\n")
  }

  private static func finish(
    _ status: CacheStatus, _ context: ResponseContext, key: CacheKey? = nil,
    to buffer: inout HeadBuffer
  ) {
    buffer.writeBytes(context.name.preamble)
    status.writeParameters(to: &buffer)
    if let key {
      buffer.writeStaticString("; key=")
      key.writeString(to: &buffer)
    }
    if context.closes {
      buffer.writeStaticString("\r\nConnection: close\r\n\r\n")
    } else if context.minorVersion == 0 {
      buffer.writeStaticString("\r\nConnection: keep-alive\r\n\r\n")
    } else {
      buffer.writeStaticString("\r\n\r\n")
    }
  }
}
