import NIOCore

// A request as it goes upstream (RFC 9110 §7.6): what belongs to the client's connection stays
// behind, what tells the upstream about the client is added.

/// Writes request heads for upstreams.
public enum ForwardedRequest {
  /// Writes the head of `request` and says how its content is delimited. O(bytes of the head).
  ///
  /// `upstreamAuthority` stands in for `Host` in requests of HTTP/1.0 that have none. `purgesApplied` says to
  /// another PoP which purges this one has applied; empty for other upstreams. `requestID` is what the request is called.
  public static func write(
    _ request: borrowing RequestHead, _ forward: Transaction.Forward, client: ClientIdentity,
    cacheName: [UInt8], upstreamAuthority: String, purgesApplied: String = "",
    requestID: RequestID? = nil, to buffer: inout HeadBuffer
  ) -> MessageFraming {
    buffer.writeRange(request.methodRange, of: request.fields)
    buffer.writeInteger(ASCII.space)
    writeTarget(request, to: &buffer)
    buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
    if request.authority.isEmpty {
      buffer.writeString(upstreamAuthority)
    } else {
      writeAuthority(request, isSecure: client.isSecure, to: &buffer)
    }
    buffer.writeStaticString("\r\n")

    if hidesDictionary(request, forward) {
      writeWithoutDictionaries(request, forward, to: &buffer)
    } else {
      buffer.writeLines(of: request.fields) { isForwarded($0, $1, request, forward) }
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
    requestID?.write(of: request, to: &buffer)
    let framing = writeFraming(request, to: &buffer)
    writeConnection(request, forward, to: &buffer)
    buffer.writeStaticString("\r\n")
    return framing
  }

  /// Writes the host in its canonical form, and the port where it is not the scheme's own: what the cache key has of
  /// it. Another spelling could bring content that is stored for all who ask for the host.
  private static func writeAuthority(
    _ request: borrowing RequestHead, isSecure: Bool, to buffer: inout HeadBuffer
  ) {
    let authority = request.parsedAuthority
    if authority.isCanonical {
      buffer.writeRange(request.authority, of: request.fields)
      return
    }
    if authority.hasCanonicalHost {
      buffer.writeRange(
        ByteRange(offset: authority.host.lowerBound, count: authority.host.count),
        of: request.fields)
    } else {
      let bytes = request.fields.bytes.readableBytesUInt8Span
      buffer.writeBytes(HostName.canonical(bytes, authority.host) ?? [])
    }
    guard let port = authority.port, port != (isSecure ? 443 : 80) else { return }
    buffer.writeInteger(ASCII.colon)
    buffer.writeDecimal(Int(port))
  }

  /// True for a request for a range: the ranges of a content that is coded with a dictionary are of no use, so the
  /// plain one is asked for (RFC 9842).
  private static func hidesDictionary(
    _ request: borrowing RequestHead, _ forward: Transaction.Forward
  ) -> Bool {
    if request.method != .get { return false }
    if case .missing = forward.part { return true }
    return request.fields.contains(.range)
  }

  /// Writes a line of `Accept-Encoding` without the codings that need a dictionary; false if it has none of them,
  /// and may stay as it is.
  private static func writeWithoutDictionaries(
    _ request: borrowing RequestHead, _ field: Field, to buffer: inout HeadBuffer
  ) -> Bool {
    let bytes = request.fields.bytes.readableBytesUInt8Span
    var kept: [UInt8] = []
    var isChanged = false
    bytes.forEachListElement(field.value.range) { element in
      if bytes.isDictionaryCoding(element) {
        isChanged = true
        return true
      }
      if !kept.isEmpty { kept += Array(", ".utf8) }
      kept += element.map { bytes[$0] }
      return true
    }
    guard isChanged else { return false }
    buffer.writeStaticString("Accept-Encoding: ")
    buffer.writeBytes(kept)
    buffer.writeStaticString("\r\n")
    return true
  }

  @inline(never)
  private static func writeWithoutDictionaries(
    _ request: borrowing RequestHead, _ forward: Transaction.Forward, to buffer: inout HeadBuffer
  ) {
    for (index, field) in request.fields.fields.enumerated()
    where isForwarded(index, field, request, forward) && !request.fields.tellsDictionary(index) {
      if field.name == .acceptEncoding, writeWithoutDictionaries(request, field, to: &buffer) {
        continue
      }
      buffer.writeLine(field, of: request.fields)
    }
  }

  /// True for fields that go on as they came.
  @inline(__always)
  private static func isForwarded(
    _ index: Int, _ field: Field, _ request: borrowing RequestHead, _ forward: Transaction.Forward
  ) -> Bool {
    let goesOn =
      request.fields.isEndToEnd(index) || field.name == .cdnLoop
      // Trailer fields go on, and what names them (RFC 9110 §6.6.2).
      || field.name == .trailer && request.framing == .chunked
    return goesOn && !isReplaced(field.name, request, forward)
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
    case .host, .xForwardedProto, .maxForwards, .purgesApplied, .xRequestID: true
    // Written anew, with what is believed of them.
    case .xForwardedFor, .forwarded: true
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
      writeAuthority(request, isSecure: client.isSecure, to: &buffer)
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
    } else if request.fields.hasElement(.te, "trailers"), request.minorVersion >= 1 {
      // A part is kept without, and its end is somebody else's (RFC 9110 §6.5).
      if case .missing = forward.part { return }
      buffer.writeStaticString("TE: trailers\r\nConnection: TE\r\n")
    }
  }
}
