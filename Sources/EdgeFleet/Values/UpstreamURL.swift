// Where a PoP forwards to. An upstream is a server, not a place in its URL space: the path of every
// request goes through unchanged, so a path here would be a promise that nothing keeps.

import EdgeCache

/// A server to forward to or to administer, written `http://host[:port]` or `https://host[:port]`.
public struct UpstreamURL: Sendable, Hashable, CustomStringConvertible {
  /// How the server is spoken to.
  public enum Scheme: String, Sendable, Hashable, CaseIterable {
    case http, https

    /// The port which a URL of this scheme need not name.
    public var defaultPort: Int { self == .http ? 80 : 443 }
  }

  /// `http` or `https`.
  public let scheme: Scheme
  /// A name in lower case or an IP address in its canonical form, without brackets.
  public let host: String
  /// 1...65535.
  public let port: Int
  /// True for a name that was written with a dot at the end: nothing is put behind it when it is looked up. It is told
  /// to servers without.
  public let isAbsolute: Bool

  /// A URL of parts which are known to be good; a wrong host or port is the caller's error.
  public init(scheme: Scheme, host: String, port: Int? = nil) {
    guard let host = HostGrammar.canonical(host) else { preconditionFailure("not a host") }
    let port = port ?? scheme.defaultPort
    precondition((1...65535).contains(port), "a port is 1...65535")
    (self.scheme, self.host, self.port) = (scheme, host, port)
    isAbsolute = false
  }

  /// Reads a URL without user, path (but for a lone `/`), query and fragment.
  public init(parsing text: String) throws(ValueProblem) {
    guard let mark = text.firstRange(of: "://"),
      let scheme = Scheme(rawValue: text[..<mark.lowerBound].lowercased())
    else {
      throw ValueProblem(text, "is not an http or https URL; write it like http://127.0.0.1:3000")
    }
    var authority = text[mark.upperBound...]
    if let end = authority.firstIndex(where: { "/?#".contains($0) }) {
      guard authority[end...] == "/" else {
        throw ValueProblem(
          text, "has a path, query or fragment; an upstream is just scheme, host and port")
      }
      authority = authority[..<end]
    }
    guard !authority.contains("@") else {
      throw ValueProblem(text, "names a user; an upstream is just scheme, host and port")
    }
    // A dot at the end, before the port or without one (RFC 3986 §3.2.2).
    let end = authority.lastIndex(of: ":") ?? authority.endIndex
    let dot = end > authority.startIndex ? authority.index(before: end) : end
    let isAbsolute = dot < end && authority[dot] == "."
    let place = isAbsolute ? authority[..<dot] + authority[end...] : authority
    guard let parts = HostGrammar.splitPlace(place), !isAbsolute || IPAddress(parts.host) == nil
    else {
      throw ValueProblem(text, "has no valid host; write it like http://127.0.0.1:3000")
    }
    guard let port = parts.port.map(HostGrammar.port) ?? scheme.defaultPort, port > 0 else {
      throw ValueProblem(text, "has a port which is not a number from 1 to 65535")
    }
    (self.scheme, self.host, self.port) = (scheme, parts.host, port)
    self.isAbsolute = isAbsolute
  }

  /// The name as it is looked up.
  public var lookupName: String { isAbsolute ? "\(host)." : host }

  /// The text for a Host field: the port is left out when it is the scheme's default.
  public var authority: String {
    let host = HostGrammar.bracketed(host)
    return port == scheme.defaultPort ? host : "\(host):\(port)"
  }

  /// The host and port to connect to.
  public var endpoint: SocketEndpoint { SocketEndpoint(host: host, port: port) }

  /// The text which parses back to this URL.
  public var description: String {
    if !isAbsolute { return "\(scheme.rawValue)://\(authority)" }
    return "\(scheme.rawValue)://\(host)." + authority.dropFirst(host.count)
  }
}
