import EdgeFleet
import EdgeSocket
import NIOCore
import NIOSSL

/// Makes connections to upstreams, in TLS where the URL says so.
enum UpstreamConnector {
  /// Connects on the loop of `loop`, which hears of the end later or at once. The name is resolved for
  /// each connection, and both address families are tried (RFC 8305).
  static func connect(
    _ index: Int, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    let upstream = loop.shared.routing.upstreams[index]
    let (host, port) = (upstream.url.host, upstream.url.port)
    let timeout = loop.limits.connect.nanoseconds
    let numeric = InternetAddress.resolve(host: host, port: port, numericOnly: true)
    if !numeric.isEmpty {
      return race(numeric, index, loop, timeout: timeout, completion)
    }
    let began = Monotonic.coarse()
    let waiting = Confined((loop, completion), to: loop.reactor)
    loop.shared.resolver.resolve(host: host, port: port) { addresses in
      waiting.mailbox.execute {
        let (loop, completion) = waiting.value
        let left = timeout - (Monotonic.coarse() - began)
        if left <= 0 { return completion(.failure(.timeout)) }
        race(addresses, index, loop, timeout: left, completion)
      }
    }
  }

  private static func race(
    _ addresses: [InternetAddress], _ index: Int, _ loop: LoopContext, timeout: Int64,
    _ completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    ConnectRace.run(addresses, reactor: loop.reactor, timeout: timeout) { result in
      completion(
        result.map { descriptor in
          UpstreamConnection(
            descriptor, loop: loop, upstream: index, filter: filter(index, loop))
        })
    }
  }

  private static func filter(_ index: Int, _ loop: LoopContext) -> TLSFilter? {
    let url = loop.shared.routing.upstreams[index].url
    guard url.scheme == .https, let context = loop.shared.tlsContext else { return nil }
    return TLSFilter(context, serverName: serverName(url.host))
  }

  /// The name for SNI and the certificate; addresses have none (RFC 6066 §3).
  private static func serverName(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
  }
}
