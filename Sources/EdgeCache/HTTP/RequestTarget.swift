// Which resource a request is for: target form, authority and Host (RFC 9112 §3.2 and §3.3).

/// What a request target means.
struct RequestTarget {
  var form: TargetForm
  var authority: ByteRange
  var path: ByteRange

  /// Resolves the target at `target` of a head.
  ///
  /// There must be exactly one valid `Host` in HTTP/1.1. An absolute-form target wins over it
  /// (RFC 9112 §3.2.2), but a `Host` that is malformed or repeated is refused all the same.
  static func resolve(
    _ bytes: Span<UInt8>, target: Range<Int>, fields: [Field], method: Method, minorVersion: UInt8
  ) throws(MalformedMessage) -> RequestTarget {
    if method == .connect { throw .connectMethod }
    var host: ByteRange?
    for field in fields where field.name == .host {
      if host != nil { throw .hostRepeated }
      host = field.value
    }
    if let host {
      guard isAuthority(bytes, host.range) else { throw .hostInvalid }
    } else if minorVersion >= 1 {
      throw .hostMissing
    }

    let whole = ByteRange(offset: target.lowerBound, count: target.count)
    let first = bytes[target.lowerBound]
    if first == ASCII.slash {
      return RequestTarget(form: .origin, authority: host ?? .empty, path: whole)
    }
    if first == ASCII.asterisk, target.count == 1 {
      guard method == .options else { throw .target }
      return RequestTarget(form: .asterisk, authority: host ?? .empty, path: whole)
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
    guard isAuthority(bytes, start..<end) else { throw .target }
    let path = ByteRange(offset: end, count: target.upperBound &- end)
    // RFC 9112 §3.2.4: `OPTIONS http://host` is how a proxy is asked for `OPTIONS *`.
    let form: TargetForm = method == .options && path.isEmpty ? .asterisk : .absolute
    return RequestTarget(
      form: form, authority: ByteRange(offset: start, count: end &- start), path: path)
  }

  /// True for `host [":" port]` with a host that is not empty (RFC 3986 §3.2, RFC 9110 §7.2).
  static func isAuthority(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard let end = hostEnd(bytes, range) else { return false }
    if end == range.upperBound { return true }
    guard bytes[end] == ASCII.colon else { return false }
    let port = (end &+ 1)..<range.upperBound
    if port.isEmpty { return true }
    guard port.count <= 5, let number = bytes.decimal(port) else { return false }
    return number <= 65535
  }

  /// The index after the host at the start of `range`; nil if there is no valid one.
  private static func hostEnd(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard !range.isEmpty else { return nil }
    var index = range.lowerBound
    guard bytes[index] == UInt8(ascii: "[") else {
      while index < range.upperBound, bytes[index].isHost {
        // RFC 3986 §2.1: a percent sign stands before two hexadecimal digits and nowhere else.
        if bytes[index] == ASCII.percent {
          guard range.upperBound &- index > 2, bytes[index &+ 1].hexValue != nil,
            bytes[index &+ 2].hexValue != nil
          else { return nil }
          index &+= 2
        }
        index &+= 1
      }
      return index > range.lowerBound ? index : nil
    }
    index &+= 1
    let start = index
    while index < range.upperBound,
      bytes[index].hexValue != nil || bytes[index] == ASCII.colon || bytes[index] == ASCII.dot
    {
      index &+= 1
    }
    guard index > start, index < range.upperBound, bytes[index] == UInt8(ascii: "]") else {
      return nil
    }
    return index &+ 1
  }
}
