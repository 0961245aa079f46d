import EdgeCache

/// A name server, written `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`.
public struct ResolverAddress: Sendable, Hashable, CustomStringConvertible {
  /// Where it is: always an address, never a name, for who would look that up?
  public let endpoint: SocketEndpoint

  /// The port of name servers.
  public static let defaultPort = 53

  /// Reads an address with or without a port.
  public init(parsing text: String) throws(ValueProblem) {
    if let address = IPAddress(text) {
      endpoint = try Self.usable(address, port: Self.defaultPort, text)
      return
    }
    guard !text.contains("/"), let parts = HostGrammar.splitPlace(text[...]) else {
      throw ValueProblem(
        text, "is not a name server; write its address like 192.0.2.53 or [2001:db8::53]:5353")
    }
    guard let address = IPAddress(parts.host) else {
      throw ValueProblem(
        text, "is a name; a name server must be given by its address, like 192.0.2.53")
    }
    guard let port = parts.port.map(HostGrammar.port) ?? Self.defaultPort, port > 0 else {
      throw ValueProblem(text, "has a port which is not a number from 1 to 65535")
    }
    endpoint = try Self.usable(address, port: port, text)
  }

  private static func usable(
    _ address: IPAddress, port: Int, _ text: String
  ) throws(ValueProblem) -> SocketEndpoint {
    let endpoint = SocketEndpoint(host: address.text, port: port)
    guard !endpoint.isWildcard else {
      throw ValueProblem(text, "stands for every address of this machine, and names no server")
    }
    return endpoint
  }

  /// Address and port, as they parse back.
  public var description: String { endpoint.description }
}
