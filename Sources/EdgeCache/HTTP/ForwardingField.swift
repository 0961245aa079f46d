// Fields by which proxies tell upstreams of their clients, and which no client may set: an origin that believes them
// would take a visitor for somebody else, write links to another host, or answer another request than the one that its
// response is stored for.

/// What a field tells that only proxies may tell.
enum ForwardingField {
  /// Who the client is: `X-Forwarded-For`, `Forwarded`, `X-Real-IP`.
  case client
  /// How it asked: `X-Forwarded-Host`, `X-Forwarded-Proto`, `X-Forwarded-Prefix`.
  case request
  /// What it asked for, in the place of the request line: `X-Original-URL`.
  case target
  /// The method, in the place of the request line: `X-HTTP-Method-Override`.
  case method
  /// Nothing that proxies tell, but what programs behind CGI take for their own settings: `Proxy`.
  case settings

  /// What the field named in `range` tells; nil for all fields that clients may set. Anything but letters and digits
  /// counts as a dash: behind CGI `X_Forwarded_Host` and `X-Forwarded-Host` are one variable (RFC 3875 §4.1.18). O(name).
  @inline(__always)
  static func of(_ bytes: Span<UInt8>, _ range: Range<Int>) -> ForwardingField? {
    guard mayBe(bytes[range.lowerBound]) else { return nil }
    return look(bytes.extracting(range))
  }

  /// True if one of the names begins so.
  @inline(__always)
  private static func mayBe(_ first: UInt8) -> Bool {
    // A bit for each of the letters: a, c, f, h, i, p, r, t, w, x, z.
    let letters: UInt32 = 0x02CA_81A5
    let letter = (first | 0x20) &- 0x61
    return letter < 26 && letters >> UInt32(letter) & 1 != 0
  }

  @inline(never)
  private static func look(_ name: Span<UInt8>) -> ForwardingField? {
    if name.count < byLength.count {
      for entry in byLength[name.count] where isName(name, entry.name) { return entry.kind }
    }
    // What proxies forward has this name by habit, and there is no list of all of it: users, certificates, groups.
    return name.count > 12 && isName(name.extracting(first: 12), "x-forwarded-") ? .request : nil
  }

  private static func isName(_ name: Span<UInt8>, _ other: StaticString) -> Bool {
    other.withUTF8Buffer { expected in
      for index in 0..<name.count {
        let byte = name[index].asciiLowercased
        let isPlain = byte.isDigit || byte &- 0x61 < 26
        if (isPlain ? byte : ASCII.dash) != expected[index] { return false }
      }
      return true
    }
  }

  /// True if the name in `range` has something in the place of a dash: no proxy writes that.
  static func isDisguised(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range {
      let byte = bytes[index] | 0x20
      if !(bytes[index].isDigit || byte &- 0x61 < 26 || bytes[index] == ASCII.dash) { return true }
    }
    return false
  }

  /// The names, by their length.
  private static let byLength: [[(name: StaticString, kind: ForwardingField)]] = {
    var lists: [[(name: StaticString, kind: ForwardingField)]] = []
    for entry in table {
      while lists.count <= entry.name.utf8CodeUnitCount { lists.append([]) }
      lists[entry.name.utf8CodeUnitCount].append(entry)
    }
    return lists
  }()

  private static let table: [(name: StaticString, kind: ForwardingField)] = [
    ("x-forwarded-for", .client), ("forwarded", .client), ("x-forwarded", .client),
    ("forwarded-for", .client), ("x-real-ip", .client), ("x-client-ip", .client),
    ("client-ip", .client), ("x-cluster-client-ip", .client), ("true-client-ip", .client),
    ("x-true-client-ip", .client), ("x-real-client-ip", .client), ("x-remote-ip", .client),
    ("x-remote-addr", .client), ("remote-addr", .client), ("x-originating-ip", .client),
    ("x-original-forwarded-for", .client), ("x-original-remote-addr", .client),
    ("x-proxyuser-ip", .client), ("x-envoy-external-address", .client),
    ("x-azure-clientip", .client), ("x-azure-socketip", .client), ("x-appengine-user-ip", .client),
    ("cf-connecting-ip", .client), ("cf-connecting-ipv6", .client), ("cf-pseudo-ipv4", .client),
    ("fastly-client-ip", .client), ("fly-client-ip", .client), ("incap-client-ip", .client),
    ("ali-cdn-real-ip", .client), ("cdn-src-ip", .client), ("cdn-real-ip", .client),
    ("wl-proxy-client-ip", .client), ("proxy-client-ip", .client), ("x-forward-for", .client),
    ("x-forwarder-for", .client), ("z-forwarded-for", .client),
    ("x-forwarded-uri", .target), ("x-forwarded-url", .target), ("x-forwarded-path", .target),
    ("x-forwarded-method", .method),
    ("x-host", .request), ("x-original-host", .request), ("x-original-proto", .request),
    ("x-original-scheme", .request), ("x-original-port", .request),
    ("x-http-host-override", .request), ("x-url-scheme", .request), ("x-scheme", .request),
    ("x-proto", .request), ("x-script-name", .request), ("front-end-https", .request),
    ("cloudfront-forwarded-proto", .request), ("wl-proxy-ssl", .request), ("cf-visitor", .request),
    ("x-arr-ssl", .request), ("x-ssl", .request), ("https", .request),
    ("x-client-scheme", .request), ("x-original-hostname", .request),
    ("x-envoy-original-host", .request), ("x-http-host", .request),
    ("x-original-url", .target), ("x-original-uri", .target), ("x-original-path", .target),
    ("x-rewrite-url", .target), ("x-rewrite-uri", .target), ("x-override-url", .target),
    ("x-envoy-original-path", .target), ("x-http-destinationurl", .target),
    ("request-uri", .target), ("x-request-uri", .target), ("x-http-path-override", .target),
    ("x-rewrite-path", .target), ("x-matched-path", .target), ("x-invoke-path", .target),
    ("x-original-method", .method), ("x-http-method-override", .method), ("x-http-method", .method),
    ("x-method-override", .method), ("x-method", .method), ("x-envoy-original-method", .method),
    ("proxy", .settings), ("x-sendfile-type", .settings), ("x-accel-mapping", .settings),
    ("x-middleware-subrequest", .settings),
    // These have names of their own, so what is found here is in disguise: behind CGI it would be taken for them.
    ("host", .settings), ("content-length", .settings), ("transfer-encoding", .settings),
    ("x-request-id", .settings),
  ]
}

extension FieldSection {
  /// True if a field says that the request came by way of a proxy. O(fields).
  func tellsOfProxy() -> Bool {
    if contains(.via) || contains(.forwarded) || contains(.xForwardedFor)
      || contains(.xForwardedProto)
    {
      return true
    }
    let span = bytes.readableBytesUInt8Span
    for field in fields where field.name == .other {
      // X-Host is what those who purge name a host with, and no proxy adds it by itself.
      if let kind = ForwardingField.of(span, field.nameRange.range), kind != .settings,
        !span.extracting(field.nameRange.range).equalsIgnoringCase("x-host")
      {
        return true
      }
    }
    return false
  }

  /// True if a field stands in the place of method or target of the request. O(fields).
  func hasOtherTarget() -> Bool {
    let span = bytes.readableBytesUInt8Span
    for field in fields where field.name == .other {
      switch ForwardingField.of(span, field.nameRange.range) {
      case .target, .method: return true
      default: break
      }
    }
    return false
  }
}

extension RequestHead {
  /// True if a field stands in the place of the method or the target. O(fields).
  public var hasOtherTarget: Bool { fields.hasOtherTarget() }

  /// Takes out what a client may not tell upstreams, all but what is written anew from its ``ClientIdentity``: of a
  /// believed proxy only what is disguised. Methods that stand in for that of a POST stay where the site says so.
  /// O(fields).
  public mutating func removeForwardingFields(isBelieved: Bool, passesMethods: Bool) {
    let gone = forwardingFields(isBelieved: isBelieved, passesMethods: passesMethods)
    if !gone.isEmpty { fields.remove(at: gone) }
  }

  private borrowing func forwardingFields(isBelieved: Bool, passesMethods: Bool) -> [Int] {
    let span = fields.bytes.readableBytesUInt8Span
    let keepsMethods = passesMethods && method != .get && method != .head
    var gone: [Int] = []
    for index in fields.fields.indices {
      let field = fields.fields[index]
      guard field.name == .other, let kind = ForwardingField.of(span, field.nameRange.range) else {
        continue
      }
      switch kind {
      case .settings: gone.append(index)
      case .method where keepsMethods: break
      default:
        if !isBelieved || ForwardingField.isDisguised(span, field.nameRange.range)
          || HeadScanner.isToken(span, field.nameRange.range, named: "x-real-ip")
        {
          gone.append(index)
        }
      }
    }
    return gone
  }
}
