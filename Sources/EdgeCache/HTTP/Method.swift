/// A request method (RFC 9110 §9), as far as this cache tells methods apart.
public enum Method: UInt8, Sendable {
  case get, head, post, put, delete, options, trace, connect, patch
  /// Any other method; unknown ones are taken to be unsafe (RFC 9111 §4.4).
  case other

  /// True if the method only asks (RFC 9110 §9.2.1).
  public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    case .post, .put, .delete, .connect, .patch, .other: false
    }
  }

  /// True if repeating the request has the effect of sending it once (RFC 9110 §9.2.2).
  public var isIdempotent: Bool {
    switch self {
    case .get, .head, .options, .trace, .put, .delete: true
    case .post, .connect, .patch, .other: false
    }
  }

  /// The method of some bytes; methods are case-sensitive (RFC 9110 §9.1).
  init(_ bytes: Span<UInt8>) {
    func isExactly(_ text: StaticString) -> Bool {
      guard bytes.count == text.utf8CodeUnitCount else { return false }
      return text.withUTF8Buffer { other in
        for index in 0..<other.count where bytes[index] != other[index] { return false }
        return true
      }
    }
    switch bytes.count {
    case 3 where isExactly("GET"): self = .get
    case 3 where isExactly("PUT"): self = .put
    case 4 where isExactly("HEAD"): self = .head
    case 4 where isExactly("POST"): self = .post
    case 5 where isExactly("PATCH"): self = .patch
    case 5 where isExactly("TRACE"): self = .trace
    case 6 where isExactly("DELETE"): self = .delete
    case 7 where isExactly("OPTIONS"): self = .options
    case 7 where isExactly("CONNECT"): self = .connect
    default: self = .other
    }
  }
}
