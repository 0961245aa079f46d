/// Who sent a request, and how. A class, so that each request takes a reference to it and no copies.
public final class ClientIdentity: Sendable {
  /// The IP address as text, without brackets: of the connection's peer, or of the client that it tells of.
  public let address: String
  /// True if the connection is secured, here or at a proxy that is believed.
  public let isSecure: Bool
  /// True if rights may be given for the address: nobody says that the request came from somebody else, or a proxy of
  /// the operator's own says from whom.
  public let hasAuthority: Bool
  /// What upstreams are told of it: `X-Forwarded-For`, `X-Real-IP`, `X-Forwarded-Proto`, and `Forwarded` as far as it
  /// is the same for all requests.
  let forwardedFields: [UInt8]
  private let trust: ProxyTrust
  private let level: ProxyTrust.Level

  /// The peer of a connection.
  public init(address: String, isSecure: Bool, trust: ProxyTrust = ProxyTrust()) {
    self.address = address
    self.isSecure = isSecure
    self.trust = trust
    hasAuthority = true
    level = IPAddress(address).map { trust.level(of: $0) } ?? .none
    forwardedFields = Self.fields(peer: address, isSecure: isSecure, told: nil)
  }

  /// The client that a peer tells of.
  private init(peer: ClientIdentity, isSecure: Bool, told: ToldClient?, hasAuthority: Bool) {
    address = told?.hops.first?.text ?? peer.address
    self.isSecure = isSecure
    (trust, level) = (peer.trust, peer.level)
    self.hasAuthority = hasAuthority
    forwardedFields = Self.fields(peer: peer.address, isSecure: isSecure, told: told)
  }

  private static func fields(peer: String, isSecure: Bool, told: ToldClient?) -> [UInt8] {
    let proto = isSecure ? "https" : "http"
    let hops = told?.hops.map(\.text) ?? []
    let chain = hops + [peer]
    var text = "X-Forwarded-For: \(chain.joined(separator: ", "))\r\n"
    // An origin may give rights for this address: a guess is worse than none.
    if told?.isClear != false { text += "X-Real-IP: \(chain[0])\r\n" }
    text += "X-Forwarded-Proto: \(proto)\r\nForwarded: "
    if let told, !told.forwarded.isEmpty {
      text += String(decoding: told.forwarded, as: UTF8.self) + ", "
    } else {
      text += hops.map { "for=\(node($0)), " }.joined()
    }
    return Array((text + "for=\(node(peer));proto=\(proto)").utf8)
  }

  /// An address as `Forwarded` has it (RFC 7239 §6).
  private static func node(_ address: String) -> String {
    address.utf8.contains(ASCII.colon) ? "\"[\(address)]\"" : address
  }

  // MARK: What a request tells

  /// True if what requests of this peer say of their clients may be believed. O(1).
  public var mayBeBelieved: Bool { level == .proxy || level == .pop }

  /// True for proxies that are believed and for PoPs of the fleet: many clients come by way of one. O(proxies).
  public var isOfFleet: Bool {
    mayBeBelieved || IPAddress(address).map(trust.isPoP) ?? false
  }

  /// True if what a request says of its client is believed.
  public func believes(_ request: borrowing RequestHead) -> Bool { believed(request.fields) != nil }

  private func believed(_ fields: borrowing FieldSection) -> ProxyTrust.Level? {
    switch level {
    case .none, .terminator: nil
    case .proxy: .proxy
    // Its address alone may be that of anything on the machine of that PoP.
    case .pop: fields.contains(.purgesApplied) ? .pop : nil
    }
  }

  /// This identity as a request tells of it, which counts for upstreams: the client that a believed proxy tells of, and
  /// whether that one's connection is secured. O(fields).
  public func asToldBy(_ request: borrowing RequestHead) -> ClientIdentity {
    let isSecured = isSecured(request)
    if let level = believed(request.fields),
      let told = ToldClient(request.fields, from: level, trust)
    {
      return ClientIdentity(
        peer: self, isSecure: isSecured, told: told, hasAuthority: told.isClear && level == .proxy)
    }
    if isSecured == isSecure { return self }
    return ClientIdentity(peer: self, isSecure: isSecured, told: nil, hasAuthority: hasAuthority)
  }

  /// The address that a request came from, for logs. O(fields).
  public func address(toldBy request: borrowing RequestHead) -> String {
    guard level == .proxy || level == .pop,
      request.fields.contains(.xForwardedFor) || request.fields.contains(.forwarded)
    else { return address }
    return asToldBy(request).address
  }

  /// What tells the clients of a connection apart whom an upstream may know by a connection of its own; nil if that
  /// cannot be told: a proxy that is believed has several, and does not say clearly whose a request is. Of others,
  /// whatever they say can only tell more clients apart. O(bytes of the fields).
  public func clientMark(of request: borrowing RequestHead) -> String? {
    if let level = believed(request.fields) {
      guard let told = ToldClient(request.fields, from: level, trust), told.isClear else {
        return nil
      }
      return told.hops.first?.text
    }
    guard request.fields.contains(.xForwardedFor) || request.fields.contains(.forwarded) else {
      return address
    }
    let bytes = request.fields.bytes.readableBytesUInt8Span
    var mark = address
    for field in request.fields.fields
    where field.name == .xForwardedFor || field.name == .forwarded {
      mark += "\n" + String(decoding: bytes.extracting(field.value.range).copied(), as: UTF8.self)
    }
    return mark
  }

  /// The client that rights are given to, by its address; nil if it cannot be known: somebody who is not believed says
  /// that the request came from another, or a proxy says nothing that could be an address. O(fields).
  public func withAuthority(for request: borrowing RequestHead) -> ClientIdentity? {
    guard request.fields.tellsOfProxy() else { return self }
    guard believed(request.fields) == .proxy else { return nil }
    let told = asToldBy(request)
    return told !== self && told.hasAuthority
      && (request.fields.contains(.xForwardedFor) || request.fields.contains(.forwarded))
      ? told : nil
  }

  /// True if a request came over a secured connection, here or at a proxy that is believed. O(fields).
  ///
  /// Nobody else is: it decides the scheme of the cache key, and what an origin redirects.
  @inline(__always)
  public func isSecured(_ request: borrowing RequestHead) -> Bool {
    isSecure
      || (request.fields.contains(.xForwardedProto) || request.fields.contains(.forwarded))
        && isToldSecure(request.fields)
  }

  @inline(never)
  func isToldSecure(_ fields: FieldSection) -> Bool {
    let level = believed(fields)
    guard level != nil || self.level == .terminator else { return false }
    if fields.contains(.xForwardedProto) {
      guard let proto = fields.only(.xForwardedProto) else { return false }
      return fields.bytes.readableBytesUInt8Span.extracting(proto.range).equalsIgnoringCase("https")
    }
    return level.flatMap { ToldClient(fields, from: $0, trust) }?.isSecured ?? false
  }
}
