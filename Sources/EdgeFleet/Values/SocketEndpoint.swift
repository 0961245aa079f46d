// Where a PoP listens. Kept as host and port rather than as a resolved address: names are resolved
// when the socket is bound, on the machine which binds it.

import NIOCore

/// A host and a port to listen on or to connect to, written `127.0.0.1:8080` or `[::1]:8080`.
public struct SocketEndpoint: Sendable, Hashable, CustomStringConvertible {
  /// A name in lower case or an IP address in its canonical form, without brackets.
  public let host: String
  /// 0...65535; 0 asks the system for a free port when listening.
  public let port: Int

  /// An endpoint of parts which are known to be good; a wrong host or port is the caller's error.
  public init(host: String, port: Int) {
    guard let host = HostGrammar.canonical(host) else { preconditionFailure("not a host") }
    precondition((0...65535).contains(port), "a port is 0...65535")
    self.host = host
    self.port = port
  }

  /// Reads `host:port` or `[v6]:port`; the port is not optional.
  public init(parsing text: String) throws(ValueProblem) {
    guard let parts = HostGrammar.splitPlace(text[...]), let digits = parts.port else {
      throw ValueProblem(
        text, "is not a host and port; write it like 127.0.0.1:8080 or [::1]:8080")
    }
    guard let port = HostGrammar.port(digits) else {
      throw ValueProblem(text, "has a port which is not a number from 0 to 65535")
    }
    (self.host, self.port) = (parts.host, port)
  }

  /// Whether the host is an address rather than a name.
  public var isAddress: Bool {
    host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
  }

  /// Whether only this machine can reach it.
  public var isLoopback: Bool {
    if host == "localhost" || host.hasSuffix(".localhost") || host == "::1" { return true }
    return isIPv4(startingWith: "127.") || isIPv4(startingWith: "::ffff:127.")
  }

  /// Whether it stands for every address of the machine (`0.0.0.0` or `[::]`), and so can be
  /// listened on but names no machine to connect to.
  public var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "::ffff:0.0.0.0" }

  /// The text which parses back to this endpoint.
  public var description: String { "\(HostGrammar.bracketed(host)):\(port)" }

  private func isIPv4(startingWith prefix: String) -> Bool {
    host.hasPrefix(prefix) && (try? SocketAddress(ipAddress: host, port: port)) != nil
  }
}
