// Which resource a request is for: target form, authority and Host (RFC 9112 §3.2 and §3.3).

/// What a request target means.
struct RequestTarget {
  var form: TargetForm
  var authority: ByteRange
  /// What is known of the authority.
  var shape: Authority.Shape
  var path: ByteRange

  /// Resolves the target at `target` of a head.
  ///
  /// There must be exactly one valid `Host` in HTTP/1.1. An absolute-form target wins over it
  /// (RFC 9112 §3.2.2), but a `Host` that is malformed or repeated is refused all the same. `last` is that of the
  /// request before on the same connection.
  static func resolve(
    _ bytes: Span<UInt8>, target: Range<Int>, fields: [Field], method: Method, minorVersion: UInt8,
    last: inout LastHost
  ) throws(MalformedMessage) -> RequestTarget {
    if method == .connect { throw .connectMethod }
    var host: ByteRange?
    for field in fields where field.name == .host {
      if host != nil { throw .hostRepeated }
      host = field.value
    }
    var shape = Authority.Shape.empty
    if let host {
      if let known = last.shape(at: host.range, of: bytes) {
        shape = known
      } else {
        guard let authority = Authority(bytes, host.range) else { throw .hostInvalid }
        shape = authority.shape
        last.note(shape, at: host.range, of: bytes)
      }
    } else if minorVersion >= 1 {
      throw .hostMissing
    }

    let whole = ByteRange(offset: target.lowerBound, count: target.count)
    let first = bytes[target.lowerBound]
    if first == ASCII.slash {
      return RequestTarget(
        form: .origin, authority: host ?? .empty, shape: shape, path: whole)
    }
    if first == ASCII.asterisk, target.count == 1 {
      guard method == .options else { throw .target }
      return RequestTarget(
        form: .asterisk, authority: host ?? .empty, shape: shape, path: whole)
    }
    return try absolute(bytes, target: target, method: method)
  }

  private static func absolute(
    _ bytes: Span<UInt8>, target: Range<Int>, method: Method
  ) throws(MalformedMessage) -> RequestTarget {
    let whole = bytes.extracting(target)
    // RFC 9110 §7.4: what is meant for a secured connection is not answered on a plain one.
    if whole.count > 8, whole.extracting(first: 8).equalsIgnoringCase("https://") {
      throw .wrongScheme
    }
    guard whole.count > 7, whole.extracting(first: 7).equalsIgnoringCase("http://") else {
      throw .target
    }
    let start = target.lowerBound &+ 7
    var end = start
    while end < target.upperBound, bytes[end] != ASCII.slash, bytes[end] != ASCII.question {
      end &+= 1
    }
    guard let authority = Authority(bytes, start..<end) else { throw .target }
    let path = ByteRange(offset: end, count: target.upperBound &- end)
    // RFC 9112 §3.2.4: `OPTIONS http://host` is how a proxy is asked for `OPTIONS *`.
    let form: TargetForm = method == .options && path.isEmpty ? .asterisk : .absolute
    return RequestTarget(
      form: form, authority: ByteRange(offset: start, count: end &- start),
      shape: authority.shape, path: path)
  }
}
