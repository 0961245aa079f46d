import EdgeCache
import EdgeFleet
import EdgeSocket
import Glibc
import Logging
import NIOCore
import Testing

@testable import EdgePoP

/// Connections to upstreams that come when a test says so. Touched in turns of its PoP alone.
final class SlowConnector: UpstreamConnector, @unchecked Sendable {
  typealias Completion = (Result<UpstreamConnection, ConnectProblem>) -> Void

  private(set) var attempts: [(upstream: Int, completion: Completion)] = []
  /// True if connections fail before anybody waits for them.
  var failsAtOnce = false

  func connect(
    _ index: Int, within limit: TimeAmount, loop: LoopContext, completion: @escaping Completion
  ) {
    if failsAtOnce { return completion(.failure(.timeout)) }
    attempts.append((index, completion))
  }

  /// A PoP in memory that gets its connections here, with limits of its site and others of the PoP.
  func pop(
    origins: Int = 1, limits set: (inout FleetConfiguration.Limits) -> Void = { _ in },
    routes: [FleetConfiguration.Route] = [], logger: Logger? = nil,
    _ change: (inout ShellLimits) -> Void = { _ in }
  ) throws -> MemoryPoP {
    let any = SocketEndpoint(host: "127.0.0.1", port: 0)
    var configuration = FleetConfiguration.single(
      upstream: UpstreamURL(scheme: .http, host: "origin.example", port: 80), listen: [any],
      admin: any, threads: 1)
    configuration.sites[0].origin = (0..<origins).map {
      UpstreamURL(scheme: .http, host: "origin\($0).example", port: 80)
    }
    configuration.sites[0].routes = routes
    set(&configuration.sites[0].limits)
    var limits = ShellLimits()
    change(&limits)
    var silent = Logger(label: "test")
    silent.logLevel = .critical
    return try MemoryPoP(
      PoPOptions(
        configuration: configuration, pop: configuration.pops[0], limits: limits,
        logger: logger ?? silent),
      connector: self)
  }

  /// Makes the connection that was asked for as the `number`th.
  func accept(_ number: Int, in pop: MemoryPoP) -> UpstreamPeer {
    var pair: [CInt] = [0, 0]
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    #expect(socketpair(AF_UNIX, kind, 0, &pair) == 0)
    pop.turn { loop in
      let attempt = attempts[number]
      attempt.completion(
        .success(UpstreamConnection(pair[0], loop: loop, upstream: attempt.upstream, filter: nil)))
    }
    return UpstreamPeer(pair[1])
  }
}

/// The upstream's end of a connection that was asked for.
final class UpstreamPeer {
  let descriptor: CInt
  /// What came so far.
  private(set) var received = ""

  init(_ descriptor: CInt) { self.descriptor = descriptor }
  deinit { close(descriptor) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count)
  }

  /// Sends no more.
  func end() { #expect(shutdown(descriptor, CInt(SHUT_WR)) == 0) }

  /// True once the PoP has closed it; what came before is in `received`.
  var isClosed: Bool {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &bytes, bytes.count, 0)
      if count <= 0 { return count == 0 || errno != EAGAIN }
      received += String(decoding: bytes[..<count], as: UTF8.self)
    }
  }
}
