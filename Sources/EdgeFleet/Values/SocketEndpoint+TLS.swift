// TLS towards a server that is known by name or by address.

import NIOSSL

extension SocketEndpoint {
  /// What secures a connection to here. The server is asked for a certificate of its name; an address
  /// is none (RFC 6066 §3).
  func tlsHandler(_ context: NIOSSLContext) throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
  }
}
