import EdgeCache
import EdgeFleet
import EdgeNames
import EdgeSocket
import Logging
import NIOCore
import NIOSSL

/// Connects to upstreams over TCP, in TLS where the URL says so. Both address families are tried (RFC 8305); names
/// are kept for as long as they hold (``EdgeNames/NameResolver``).
final class SocketConnector: UpstreamConnector {
  /// Where an upstream is.
  private enum Place {
    case address(InternetAddress)
    case name(String)
  }

  private let upstreams: [Upstream]
  private let places: [Place]
  private let tlsContext: NIOSSLContext?
  /// Nil if all upstreams are given by their address.
  private let resolver: NameResolver?

  private init(
    _ upstreams: [Upstream], _ places: [Place], _ tlsContext: NIOSSLContext?,
    _ resolver: NameResolver?
  ) {
    (self.upstreams, self.places) = (upstreams, places)
    (self.tlsContext, self.resolver) = (tlsContext, resolver)
  }

  /// A connector for the upstreams of a PoP. `upstreamCA` is a file of certificates, in PEM, that they may be
  /// certified by besides the system's; `resolvers` are asked for their names, or those of the system; `logger` is
  /// told when these fail. Throws ``StartProblem`` if it cannot be used.
  static func start(
    _ routing: Routing, upstreamCA: String?, resolvers: [ResolverAddress] = [], logger: Logger
  ) async throws -> SocketConnector {
    let context = try tlsContext(routing, upstreamCA: upstreamCA)
    let places = routing.upstreams.map { upstream in
      let (host, port) = (upstream.url.host, upstream.url.port)
      return InternetAddress.resolve(host: host, port: port, numericOnly: true).first
        .map(Place.address) ?? .name(upstream.url.lookupName)
    }
    let hasNames = places.contains { if case .name = $0 { true } else { false } }
    // Last, for its thread is ended only by ``stop()``.
    let resolver =
      hasNames
      ? try await NameResolver.start(servers: resolvers.map(\.description)) {
        tell($0, logger)
      } : nil
    return SocketConnector(routing.upstreams, places, context, resolver)
  }

  private static func tell(_ notice: NameNotice, _ logger: Logger) {
    switch notice {
    case .fails(let name, let problem):
      logger.warning(
        "name servers fail: what they said before is used",
        metadata: ["name": "\(name)", "reason": "\(problem.described(name))"])
    case .answers(let name):
      logger.notice("name servers answer again", metadata: ["name": "\(name)"])
    }
  }

  /// Ends the thread that looks names up.
  func stop() async { await resolver?.stop() }

  var names: NameStatistics { resolver?.statistics ?? NameStatistics() }
  var nameProblems: [String] { resolver?.problems ?? [] }

  func connect(
    _ index: Int, within limit: TimeAmount, loop: LoopContext,
    completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    let timeout = Self.limit(limit.nanoseconds)
    switch places[index] {
    case .address(let address):
      race([address], index, loop, timeout: timeout, completion)
    case .name(let name):
      guard let resolver else { invariantFailed("a name without a resolver") }
      let began = Monotonic.coarse()
      let wait = NameWait(on: loop.reactor, limit: timeout) { [self] outcome in
        switch outcome {
        case .success(let addresses):
          let left = timeout - (Monotonic.coarse() - began)
          let port = upstreams[index].url.port
          race(
            addresses.map { $0.with(port: port) }, index, loop, timeout: left, name: name,
            completion)
        case .failure(let problem):
          completion(.failure(.lookup(problem, name: name)))
        }
      }
      let waiting = Confined(wait, to: loop.reactor)
      let known = resolver.resolve(name) { outcome in
        waiting.mailbox.execute { waiting.value.end(outcome) }
      }
      if let known { wait.end(known) }
    }
  }

  /// A little less than the limit, so that who knows why it was reached says so, before the exchange's own clock.
  private static func limit(_ connect: Int64) -> Int64 { connect - min(connect / 20, 50_000_000) }

  private func race(
    _ addresses: [InternetAddress], _ index: Int, _ loop: LoopContext, timeout: Int64,
    name: String? = nil,
    _ completion: @escaping (Result<UpstreamConnection, ConnectProblem>) -> Void
  ) {
    ConnectRace.run(
      addresses, name: name ?? "the host", reactor: loop.reactor, timeout: timeout
    ) { [self] result in
      // What does not answer any more may have moved.
      if let name, case .failure(let problem) = result, !problem.isLocal { resolver?.doubt(name) }
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
