import NIOCore

// A request as it goes upstream (RFC 9110 §7.6): what belongs to the client's connection stays
// behind, what tells the upstream about the client is added.

/// Who sent a request, and how. A class, so that each request takes a reference to it and no copies.
public final class ClientIdentity: Sendable {
  /// The IP address as text, without brackets.
  public let address: String
  /// True if the connection is secured, here or at a terminator on this machine.
  public let isSecure: Bool
  /// What upstreams are told of it: `X-Forwarded-For`, `X-Forwarded-Proto`, and `Forwarded` as far as it
  /// is the same for all requests.
  let forwardedFields: [UInt8]

  /// An identity from its parts.
  public init(address: String, isSecure: Bool) {
    self.address = address
    self.isSecure = isSecure
    let proto = isSecure ? "https" : "http"
    let node = address.utf8.contains(ASCII.colon) ? "\"[\(address)]\"" : address
    // More lines of a list field are the same as a longer list (RFC 9110 §5.3).
    forwardedFields = Array(
      ("X-Forwarded-For: \(address)\r\nX-Forwarded-Proto: \(proto)\r\n"
        + "Forwarded: for=\(node);proto=\(proto)").utf8)
  }

  /// This identity as a request tells of it: a TLS terminator on the same machine is believed when it
  /// says with `X-Forwarded-Proto` that its client's connection is secured. Nobody else is: the field
  /// decides the scheme of the cache key, and what an origin redirects. O(fields).
  public func asToldBy(_ request: borrowing RequestHead) -> ClientIdentity {
    let isSecured = isSecured(request)
    return isSecured == isSecure ? self : ClientIdentity(address: address, isSecure: isSecured)
  }

  /// True if a request came over a secured connection, here or at a terminator. O(fields).
  @inline(__always)
  public func isSecured(_ request: borrowing RequestHead) -> Bool {
    isSecure || request.fields.contains(.xForwardedProto) && isToldSecure(request.fields)
  }

  @inline(never)
  func isToldSecure(_ fields: FieldSection) -> Bool {
    guard let proto = fields.only(.xForwardedProto),
      address.hasPrefix("127.") || address == "::1"
    else { return false }
    return fields.bytes.readableBytesUInt8Span.extracting(proto.range).equalsIgnoringCase("https")
  }
}

/// Writes request heads for upstreams.
public enum ForwardedRequest {
  /// Writes the head of `request` and says how its content is delimited. O(bytes of the head).
  ///
  /// `upstreamAuthority` stands in for `Host` in requests of HTTP/1.0 that have none. `purgesApplied` says to
  /// another PoP which purges this one has applied; empty for other upstreams.
  public static func write(
    _ request: borrowing RequestHead, _ forward: Transaction.Forward, client: ClientIdentity,
    cacheName: [UInt8], upstreamAuthority: String, purgesApplied: String = "",
    to buffer: inout HeadBuffer
  ) -> MessageFraming {
    buffer.writeRange(request.methodRange, of: request.fields)
    buffer.writeInteger(ASCII.space)
    writeTarget(request, to: &buffer)
    buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
    if request.authority.isEmpty {
      buffer.writeString(upstreamAuthority)
    } else {
      buffer.writeRange(request.authority, of: request.fields)
    }
    buffer.writeStaticString("\r\n")

    for index in request.fields.fields.indices {
      let field = request.fields.fields[index]
      guard request.fields.isEndToEnd(index) || field.name == .cdnLoop,
        !isReplaced(field.name, request, forward)
      else { continue }
      buffer.writeLine(field, of: request.fields)
    }
    writeValidators(forward.validates, to: &buffer)
    writeMissingRange(forward.part, to: &buffer)
    writeMaxForwards(request, to: &buffer)
    if !purgesApplied.isEmpty {
      buffer.writeStaticString("EdgeCache-Purges: ")
      buffer.writeString(purgesApplied)
      buffer.writeStaticString("\r\n")
    }
    writeClient(client, request, cacheName: cacheName, to: &buffer)
    let framing = writeFraming(request, to: &buffer)
    writeConnection(request, forward, to: &buffer)
    buffer.writeStaticString("\r\n")
    return framing
  }

  private static func writeTarget(_ request: borrowing RequestHead, to buffer: inout HeadBuffer) {
    if request.form == .asterisk {
      buffer.writeInteger(ASCII.asterisk)
      return
    }
    let bytes = request.fields.bytes.readableBytesUInt8Span
    if request.path.isEmpty || bytes[Int(request.path.offset)] == ASCII.question {
      buffer.writeInteger(ASCII.slash)
    }
    buffer.writeRange(request.path, of: request.fields)
  }

  /// True for fields that are written anew or left out.
  private static func isReplaced(
    _ name: FieldName, _ request: borrowing RequestHead, _ forward: Transaction.Forward
  ) -> Bool {
    switch name {
    case .host, .xForwardedProto, .maxForwards, .purgesApplied: true
    // Credentials for a proxy on the way to us are not for the origin (RFC 9110 §11.7.2).
    case .proxyAuthorization: true
    case .ifNoneMatch, .ifModifiedSince: forward.isForStore && !forward.keepsConditions
    case .ifRange, .range:
      if case .clients = forward.part { false } else { forward.isForStore }
    case .expect: !request.expectsContinue
    default: false
    }
  }

  /// The validators of what is stored, all of them (RFC 9111 §4.3.1).
  private static func writeValidators(_ stored: [StoredResponse], to buffer: inout HeadBuffer) {
    var count = 0
    for response in stored {
      guard let etag = response.head.etag else { continue }
      buffer.writeStaticString(count == 0 ? "If-None-Match: " : ", ")
      buffer.writeRange(etag, of: response.head.fields)
      count += 1
    }
    if count > 0 { buffer.writeStaticString("\r\n") }
    // A date of one of several would be a condition on all.
    if stored.count == 1, let head = stored.first?.head,
      let modified = head.fields.first(.lastModified)
    {
      buffer.writeStaticString("If-Modified-Since: ")
      buffer.writeRange(modified, of: head.fields)
      buffer.writeStaticString("\r\n")
    }
  }

  /// Asks for what is missing of a stored response, or for all if it has changed
  /// (RFC 9110 §13.1.5).
  private static func writeMissingRange(
    _ part: Transaction.Forward.Part, to buffer: inout HeadBuffer
  ) {
    guard case .missing(let range, let stored) = part, let etag = stored.head.etag else { return }
    buffer.writeStaticString("Range: bytes=")
    buffer.writeDecimal(range.lowerBound)
    buffer.writeInteger(ASCII.dash)
    if range.upperBound < stored.completeLength { buffer.writeDecimal(range.upperBound - 1) }
    buffer.writeStaticString("\r\nIf-Range: ")
    buffer.writeRange(etag, of: stored.head.fields)
    buffer.writeStaticString("\r\n")
  }

  /// RFC 9110 §7.6.2: counted down on each hop for OPTIONS and TRACE, left alone otherwise.
  private static func writeMaxForwards(
    _ request: borrowing RequestHead, to buffer: inout HeadBuffer
  ) {
    guard let range = request.fields.first(.maxForwards) else { return }
    let bytes = request.fields.bytes.readableBytesUInt8Span
    buffer.writeStaticString("Max-Forwards: ")
    if request.method == .options || request.method == .trace,
      let count = bytes.decimal(range.range)
    {
      buffer.writeDecimal(max(0, count - 1))
    } else {
      buffer.writeRange(range, of: request.fields)
    }
    buffer.writeStaticString("\r\n")
  }

  private static func writeClient(
    _ client: ClientIdentity, _ request: borrowing RequestHead, cacheName: [UInt8],
    to buffer: inout HeadBuffer
  ) {
    buffer.writeBytes(client.forwardedFields)
    if !request.authority.isEmpty {
      buffer.writeStaticString(";host=\"")
      buffer.writeRange(request.authority, of: request.fields)
      buffer.writeStaticString("\"")
    }
    buffer.writeStaticString("\r\nVia: 1.")
    buffer.writeDecimal(Int(request.minorVersion))
    buffer.writeInteger(ASCII.space)
    buffer.writeBytes(cacheName)
    // RFC 8586: what has been here before can be told when it comes back.
    buffer.writeStaticString("\r\nCDN-Loop: ")
    buffer.writeBytes(cacheName)
    buffer.writeStaticString("\r\n")
  }

  private static func writeFraming(
    _ request: borrowing RequestHead, to buffer: inout HeadBuffer
  ) -> MessageFraming {
    switch request.framing {
    case .length(let length):
      buffer.writeStaticString("Content-Length: ")
      buffer.writeDecimal(length)
      buffer.writeStaticString("\r\n")
    case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
    case .none, .untilClose: break
    }
    return request.framing
  }

  private static func writeConnection(
    _ request: borrowing RequestHead, _ forward: Transaction.Forward, to buffer: inout HeadBuffer
  ) {
    if request.asksForUpgrade, !forward.isForStore {
      buffer.writeStaticString("Connection: upgrade\r\nUpgrade: websocket\r\n")
    } else if request.fields.hasElement(.te, "trailers"), !forward.isForStore {
      buffer.writeStaticString("TE: trailers\r\nConnection: TE\r\n")
    }
  }
}

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
      for field in trailers.fields where mayTrail(field.name) {
        buffer.writeLine(field, of: trailers)
      }
    }
    buffer.writeStaticString("\r\n")
  }

  /// False for fields that frame, route, authenticate or control the message they come after.
  private static func mayTrail(_ name: FieldName) -> Bool {
    switch name {
    case .other, .etag, .date, .age, .cacheTag, .surrogateKey: true
    default: false
    }
  }
}
