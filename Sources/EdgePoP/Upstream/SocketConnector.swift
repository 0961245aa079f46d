import EdgeFleet
import EdgeSocket
import NIOCore
import NIOSSL

/// Connects to upstreams over TCP, in TLS where the URL says so. The name is resolved for each
/// connection, and both address families are tried (RFC 8305).
final class SocketConnector: UpstreamConnector {
  private let upstreams: [Upstream]
  private let tlsContext: NIOSSLContext?
  private let resolver: NameResolver

  /// A connector for the upstreams of a PoP. `upstreamCA` is a file of certificates, in PEM, that they may be
  /// certified by besides the system's. Throws ``StartProblem`` if it cannot be used.
  init(_ routing: Routing, upstreamCA: String?) throws {
    upstreams = routing.upstreams
    tlsContext = try Self.tlsContext(routing, upstreamCA: upstreamCA)
    // Last, for its threads are ended only by ``stop()``.
    resolver = NameResolver()
  }

  /// Ends the threads that look names up.
  func stop() async { await resolver.stop() }

  func connect(
    _ index: Int, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    let (host, port) = (upstreams[index].url.host, upstreams[index].url.port)
    let timeout = loop.limits.connect.nanoseconds
    let numeric = InternetAddress.resolve(host: host, port: port, numericOnly: true)
    if !numeric.isEmpty {
      return race(numeric, index, loop, timeout: timeout, completion)
    }
    let began = Monotonic.coarse()
    let waiting = Confined((loop, completion), to: loop.reactor)
    resolver.resolve(host: host, port: port) { [self] addresses in
      waiting.mailbox.execute { [self] in
        let (loop, completion) = waiting.value
        let left = timeout - (Monotonic.coarse() - began)
        if left <= 0 { return completion(.failure(.timeout)) }
        race(addresses, index, loop, timeout: left, completion)
      }
    }
  }

  private func race(
    _ addresses: [InternetAddress], _ index: Int, _ loop: LoopContext, timeout: Int64,
    _ completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    ConnectRace.run(addresses, reactor: loop.reactor, timeout: timeout) { [self] result in
      completion(
        result.map { descriptor in
          UpstreamConnection(descriptor, loop: loop, upstream: index, filter: filter(index))
        })
    }
  }

  // MARK: TLS

  private func filter(_ index: Int) -> TLSFilter? {
    let url = upstreams[index].url
    guard url.scheme == .https, let tlsContext else { return nil }
    return TLSFilter(tlsContext, serverName: Self.serverName(url.host))
  }

  /// The name for SNI and the certificate; addresses have none (RFC 6066 §3).
  private static func serverName(_ host: String) -> String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
  }

  /// What TLS with upstreams is made with; nil if no upstream wants it.
  private static func tlsContext(
    _ routing: Routing, upstreamCA: String?
  ) throws -> NIOSSLContext? {
    var configuration = TLSConfiguration.makeClientConfiguration()
    if let upstreamCA {
      do {
        configuration.additionalTrustRoots = [
          .certificates(try NIOSSLCertificate.fromPEMFile(upstreamCA))
        ]
      } catch {
        throw StartProblem(
          "--upstream-ca \(upstreamCA): cannot be read, or holds no certificates in PEM")
      }
    }
    guard routing.upstreams.contains(where: { $0.url.scheme == .https }) else { return nil }
    return try NIOSSLContext(configuration: configuration)
  }
}
