// Who the client is, as proxies tell: `X-Forwarded-For`, and `Forwarded` (RFC 7239). Both are lists to which each proxy adds
// the address that it was asked from. They are read from the end, where the nearest proxy wrote: as long as an address is
// that of a proxy which is believed, the one before it is believed too, and the first that is not is the client. What
// stands before that, anybody may have made up.

/// The client of a request as a proxy tells of it.
struct ToldClient {
  /// The addresses that are believed, the client's first, without that of the peer.
  var hops: [IPAddress] = []
  /// True if the first of them is the client for certain; false if something is said that cannot be an address.
  var isClear = false
  /// The elements of `Forwarded` that are believed, as they came.
  var forwarded: [UInt8] = []
  /// True if the client's element of `Forwarded` says `proto=https`.
  var isSecured = false

  /// Reads the fields of a request whose peer has that level; nil if they say nothing.
  init?(_ fields: FieldSection, from level: ProxyTrust.Level, _ trust: ProxyTrust) {
    let list = Self.list(fields, level, trust)
    let standard = Self.forwarded(fields, level, trust)
    switch (list, standard) {
    case (nil, nil): return nil
    case (let only?, nil), (nil, let only?): self = only
    case (let list?, let standard?):
      self = standard
      // Two that say different things: one of them did not come from a proxy that is believed.
      if list.hops.first != standard.hops.first || !list.isClear || !standard.isClear {
        hops = []
        forwarded = []
        isClear = false
        isSecured = false
      }
    }
  }

  private init() {}

  /// `X-Forwarded-For`: addresses between commas, perhaps with ports.
  private static func list(
    _ fields: FieldSection, _ level: ProxyTrust.Level, _ trust: ProxyTrust
  ) -> ToldClient? {
    guard fields.contains(.xForwardedFor) else { return nil }
    let bytes = fields.bytes.readableBytesUInt8Span
    var nodes: [IPAddress?] = []
    for field in fields.fields where field.name == .xForwardedFor {
      bytes.forEachListElement(field.value.range) { range in
        nodes.append(node(bytes.extracting(range), takesBareIPv6: true))
        return true
      }
    }
    var told = ToldClient()
    for node in nodes.reversed() {
      guard let node else { return told }
      told.hops.insert(node, at: 0)
      guard trust.isPassed(node, on: level) else { break }
    }
    told.isClear = !told.hops.isEmpty
    return told
  }

  /// `Forwarded` (RFC 7239 §4).
  private static func forwarded(
    _ fields: FieldSection, _ level: ProxyTrust.Level, _ trust: ProxyTrust
  ) -> ToldClient? {
    guard fields.contains(.forwarded) else { return nil }
    let bytes = fields.bytes.readableBytesUInt8Span
    var elements: [Range<Int>] = []
    for field in fields.fields where field.name == .forwarded {
      bytes.forEachListElement(field.value.range) { range in
        elements.append(range)
        return true
      }
    }
    var told = ToldClient()
    for range in elements.reversed() {
      guard let element = element(bytes, range) else { return told }
      told.hops.insert(element.node, at: 0)
      let text = bytes.extracting(range).copied()
      told.forwarded = told.forwarded.isEmpty ? text : text + Array(", ".utf8) + told.forwarded
      told.isSecured = element.isSecured
      guard trust.isPassed(element.node, on: level) else { break }
    }
    told.isClear = !told.hops.isEmpty
    return told
  }

  /// One element: pairs of names and values between semicolons. Nil if it is malformed, or does not tell an address.
  private static func element(
    _ bytes: Span<UInt8>, _ range: Range<Int>
  ) -> (node: IPAddress, isSecured: Bool)? {
    var address: IPAddress?
    var isSecured = false
    var hasFor = false
    var hasProto = false
    var index = range.lowerBound
    while index < range.upperBound {
      let start = index
      while index < range.upperBound, bytes[index].isToken { index += 1 }
      let name = bytes.extracting(start..<index)
      guard !name.isEmpty, index < range.upperBound, bytes[index] == ASCII.equals,
        let (value, end) = value(bytes, index + 1, range.upperBound)
      else { return nil }
      if name.equalsIgnoringCase("for") {
        guard !hasFor, let node = node(value.span, takesBareIPv6: false) else { return nil }
        (hasFor, address) = (true, node)
      } else if name.equalsIgnoringCase("proto") {
        guard !hasProto else { return nil }
        (hasProto, isSecured) = (true, value.span.equalsIgnoringCase("https"))
      }
      index = end
      while index < range.upperBound, bytes[index].isOptionalWhitespace { index += 1 }
      if index == range.upperBound { break }
      guard bytes[index] == ASCII.semicolon else { return nil }
      index += 1
      while index < range.upperBound, bytes[index].isOptionalWhitespace { index += 1 }
    }
    return address.map { ($0, isSecured) }
  }

  /// A token or quoted string at `start` (RFC 9110 §5.6.4), and the index behind it.
  private static func value(
    _ bytes: Span<UInt8>, _ start: Int, _ end: Int
  ) -> (value: [UInt8], end: Int)? {
    var index = start
    var value: [UInt8] = []
    guard index < end, bytes[index] == ASCII.quote else {
      while index < end, bytes[index].isToken {
        value.append(bytes[index])
        index += 1
      }
      return value.isEmpty ? nil : (value, index)
    }
    index += 1
    while index < end, bytes[index] != ASCII.quote {
      if bytes[index] == ASCII.backslash {
        index += 1
        guard index < end else { return nil }
      }
      value.append(bytes[index])
      index += 1
    }
    return index < end ? (value, index + 1) : nil
  }

  /// The address of a node (RFC 7239 §6): an address with a port or without, IPv6 in brackets. Nil for `unknown`, names
  /// that hide an address (`_x`), and anything else.
  private static func node(_ text: Span<UInt8>, takesBareIPv6: Bool) -> IPAddress? {
    var host = 0..<text.count
    var port: Range<Int>?
    if text.count > 0, text[0] == UInt8(ascii: "[") {
      guard let close = text.firstIndex(of: UInt8(ascii: "]"), in: host) else { return nil }
      if close + 1 < text.count {
        guard text[close + 1] == ASCII.colon else { return nil }
        port = close + 2..<text.count
      }
      host = 1..<close
      guard let address = IPAddress(text.extracting(host)), !address.isIPv4 else { return nil }
      return isPort(text, port) ? address.unmapped : nil
    }
    if let address = IPAddress(text) {
      return address.isIPv4 || takesBareIPv6 ? address.unmapped : nil
    }
    guard let colon = text.firstIndex(of: ASCII.colon, in: host) else { return nil }
    guard let number = IPAddress.ipv4(text, 0..<colon), isPort(text, colon + 1..<text.count) else {
      return nil
    }
    return IPAddress(ipv4: number)
  }

  /// A number of up to five digits, or a name that hides one (RFC 7239 §6.2, §6.3).
  private static func isPort(_ text: Span<UInt8>, _ range: Range<Int>?) -> Bool {
    guard let range else { return true }
    guard !range.isEmpty else { return false }
    if text[range.lowerBound] == UInt8(ascii: "_") {
      for index in range.dropFirst() {
        let byte = text[index]
        guard byte.isUnreserved, byte != UInt8(ascii: "~") else { return false }
      }
      return range.count > 1
    }
    return range.count <= 5 && text.decimal(range) != nil
  }
}
