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
