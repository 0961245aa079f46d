// Exchanges with the admin API of one PoP. Control plane, so clarity before speed: NIO's own HTTP/1.1 codec, one
// connection that is kept between requests, the reply as a whole. Retrying is the caller's business; the error
// says if it helps.

import EdgeCache
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A client of one PoP's admin API.
public struct AdminClient: Sendable {
  /// The address of the admin API.
  public let endpoint: SocketEndpoint
  private let token: AdminToken?
  private let group: any EventLoopGroup
  private let tls: NIOSSLContext?
  private let kept = KeptConnection()

  /// The largest reply that is read.
  static let largestReply = 16 << 20

  /// A client of the PoP at `endpoint`; without a token, none is presented, and without `tls` the connection is
  /// plain.
  public init(
    endpoint: SocketEndpoint, token: AdminToken?, tls: NIOSSLContext? = nil,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    (self.endpoint, self.token, self.tls, self.group) = (endpoint, token, tls, group)
  }

  /// Purges.
  public func purge(
    _ request: PurgeRequest, timeout: Duration
  ) async throws(AdminClientError) -> PurgeAcknowledgement {
    try message(await send(.POST, "/purge", body: request.json, timeout: timeout))
  }

  /// Asks what the PoP applied after a place in its list; or, for who has none, since a time.
  public func journal(
    after cursor: PurgeCursor?, since: WallTime? = nil, limit: Int, timeout: Duration
  ) async throws(AdminClientError) -> PurgeJournalReply {
    var place = cursor.map { "epoch=\($0.epoch)&after=\($0.sequence)&" } ?? ""
    if cursor == nil, let since { place = "since=\(since.milliseconds)&" }
    return try message(
      await send(.GET, "/purges?\(place)limit=\(limit)", timeout: timeout))
  }

  /// Asks what became of a purge; nil if the PoP does not know it.
  public func record(
    of id: PurgeID, timeout: Duration
  ) async throws(AdminClientError) -> PurgeRecordReply? {
    do throws(AdminClientError) {
      return try message(await send(.GET, "/purges/\(id)", timeout: timeout))
    } catch {
      if case .status(404, _) = error { return nil }
      throw error
    }
  }

  /// Fetches a target of a host, as a client of the PoP does.
  public func get(
    _ target: String, host: String, timeout: Duration
  ) async throws(AdminClientError) -> ClientReply {
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target)
    head.headers.add(name: "Host", value: host)
    head.headers.add(name: "User-Agent", value: "edgecache/\(Release.version)")
    let reply = try await exchange(head, ByteBuffer(), timeout: timeout)
    return ClientReply(status: reply.status, body: reply.body)
  }

  /// Asks whether the PoP is well.
  public func health(timeout: Duration) async throws(AdminClientError) -> HealthReport {
    try message(await send(.GET, "/health", timeout: timeout))
  }

  /// Asks for the PoP's statistics, as the JSON it made.
  public func stats(timeout: Duration) async throws(AdminClientError) -> [UInt8] {
    try await send(.GET, "/stats", timeout: timeout).body
  }

  /// Asks what the PoP would do with a request.
  public func explain(
    _ query: ExplainQuery, timeout: Duration
  ) async throws(AdminClientError) -> ExplainReport {
    try message(await send(.GET, query.target, timeout: timeout))
  }

  // MARK: - One exchange

  private func send(
    _ method: HTTPMethod, _ path: String, body: [UInt8] = [], timeout: Duration
  ) async throws(AdminClientError) -> AdminReply {
    var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
    let authority = UpstreamURL(scheme: .http, host: endpoint.host, port: max(1, endpoint.port))
    head.headers.add(name: "Host", value: authority.authority)
    head.headers.add(name: "User-Agent", value: "edgecache/\(Release.version)")
    if let token { head.headers.add(name: "Authorization", value: token.authorization) }
    if method == .POST {
      head.headers.add(name: "Content-Type", value: "application/json")
      head.headers.add(name: "Content-Length", value: "\(body.count)")
    }
    let reply = try await exchange(head, ByteBuffer(bytes: body), timeout: timeout)
    guard (200..<300).contains(reply.status) else {
      let refusal = try? JSONDecoder().decode(AdminRefusal.self, from: Data(reply.body))
      if let refusal, refusal.applied == true { throw .applied(message: refusal.error) }
      throw .status(reply.status, message: refusal?.error ?? "")
    }
    return reply
  }

  /// Sends a request and gathers the reply. A connection that was kept may have been closed meanwhile by the
  /// PoP: then another is made.
  private func exchange(
    _ head: HTTPRequestHead, _ body: ByteBuffer, timeout: Duration
  ) async throws(AdminClientError) -> AdminReply {
    guard let channel = kept.take() else {
      return try await exchange(head, body, on: nil, timeout: timeout)
    }
    let start = ContinuousClock.now
    do throws(AdminClientError) {
      return try await exchange(head, body, on: channel, timeout: timeout)
    } catch {
      guard case .connectionLost = error else { throw error }
    }
    return try await exchange(head, body, on: nil, timeout: timeout - (.now - start))
  }

  private func exchange(
    _ head: HTTPRequestHead, _ body: ByteBuffer, on kept: (any Channel)?, timeout: Duration
  ) async throws(AdminClientError) -> AdminReply {
    guard timeout > .zero else { throw .timeout(timeout) }
    let loop = kept?.eventLoop ?? group.next()
    let promise = loop.makePromise(of: AdminReply.self)
    let limit = TimeAmount(timeout)
    let alarm = loop.scheduleTask(in: limit) { promise.fail(AdminClientError.timeout(timeout)) }
    promise.futureResult.whenComplete { _ in alarm.cancel() }
    connection(kept, loop, limit).whenComplete { connected in
      switch connected {
      case .success(let channel):
        promise.futureResult.whenComplete { [kept = self.kept] result in
          // What belongs to this exchange must not be taken for the next one's.
          if case .success(let reply) = result, reply.isKeptAlive { return kept.giveBack(channel) }
          channel.close(promise: nil)
        }
        do {
          try channel.pipeline.syncOperations.handler(type: AdminExchange.self)
            .begin(head, body, promise)
        } catch {
          promise.fail(AdminExchange.endedEarly)
        }
      case .failure(let error):
        promise.fail(AdminClientError(connecting: error, timeout: timeout))
      }
    }
    do {
      return try await withTaskCancellationHandler {
        try await promise.futureResult.get()
      } onCancel: {
        promise.fail(AdminClientError.cancelled)
      }
    } catch let error as AdminClientError {
      throw error
    } catch {
      throw .connectionLost(reason: plainReason(error))
    }
  }

  private func connection(
    _ kept: (any Channel)?, _ loop: any EventLoop, _ limit: TimeAmount
  ) -> EventLoopFuture<any Channel> {
    if let kept { return loop.makeSucceededFuture(kept) }
    return ClientBootstrap(group: loop)
      .connectTimeout(limit)
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelInitializer { [tls, endpoint] channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            try channel.pipeline.syncOperations.addHandler(endpoint.tlsHandler(tls))
          }
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(AdminExchange())
        }
      }
      .connect(host: endpoint.host, port: endpoint.port)
  }

  private func message<Message: Decodable>(
    _ reply: AdminReply
  ) throws(AdminClientError) -> Message {
    do {
      return try JSONDecoder().decode(Message.self, from: Data(reply.body))
    } catch {
      let text = String(decoding: reply.body.prefix(256), as: UTF8.self)
      throw .badReply(reason: "unexpected content \(quoted(text))")
    }
  }
}

/// What a PoP sends to a client.
public struct ClientReply: Sendable {
  /// The status code.
  public let status: Int
  /// The content.
  public let body: [UInt8]
}

/// The connection that is kept for the next request, while nobody uses it.
private final class KeptConnection: Sendable {
  private let idle = Mutex<(any Channel)?>(nil)

  func take() -> (any Channel)? {
    let channel = idle.withLock { idle in
      defer { idle = nil }
      return idle
    }
    return channel?.isActive == true ? channel : nil
  }

  func giveBack(_ channel: any Channel) {
    let surplus = idle.withLock { idle in
      defer { idle = channel }
      return idle
    }
    surplus?.close(promise: nil)
  }

  deinit {
    // When its event loop has ended, so has the connection, and nothing may be asked of either.
    idle.withLock { idle in
      if let idle, idle.isActive { idle.close(promise: nil) }
    }
  }
}
