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

/// Why a request to the admin API has no usable reply.
public enum AdminClientError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No connection could be made.
  case cannotConnect(reason: String)
  /// The connection ended before the reply was complete; the request may have been carried out.
  case connectionLost(reason: String)
  /// There was no complete reply in time; the request may have been carried out.
  case timeout(Duration)
  /// The PoP answered with a status that is not a success.
  case status(Int, message: String)
  /// What answered does not speak the admin API.
  case badReply(reason: String)
  /// The task that asked was cancelled.
  case cancelled

  /// Whether the same request may succeed a little later.
  public var isTransient: Bool {
    switch self {
    case .cannotConnect, .connectionLost, .timeout: true
    case .status(let code, _): code >= 500
    case .badReply, .cancelled: false
    }
  }

  /// What happened, in a few words.
  public var description: String {
    switch self {
    case .cannotConnect(let reason): "cannot connect: \(reason)"
    case .connectionLost(let reason): "connection lost: \(reason)"
    case .timeout(let duration): "no reply within \(DurationText.print(duration))"
    case .status(let code, let message): message.isEmpty ? "\(code)" : "\(code): \(message)"
    case .badReply(let reason): "not a reply of the admin API: \(reason)"
    case .cancelled: "cancelled"
    }
  }
}

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

  /// Asks what the PoP applied after a place in its list; or, for who has none, since a moment.
  public func journal(
    after cursor: PurgeCursor?, since: Instant? = nil, limit: Int, timeout: Duration
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
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(
                context: tls, serverHostname: endpoint.isAddress ? nil : endpoint.host))
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

/// A whole reply.
private struct AdminReply: Sendable {
  let status: Int
  let body: [UInt8]
  let isKeptAlive: Bool
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
    idle.withLock { $0?.close(promise: nil) }
  }
}

/// Sends one request after the other and gathers the replies.
private final class AdminExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  static let endedEarly = AdminClientError.connectionLost(
    reason: "closed before the reply was complete")

  private var context: ChannelHandlerContext?
  private var promise: EventLoopPromise<AdminReply>?
  private var status = 0
  private var isKeptAlive = false
  private var content: [UInt8] = []

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func begin(_ head: HTTPRequestHead, _ body: ByteBuffer, _ promise: EventLoopPromise<AdminReply>) {
    guard let context, context.channel.isActive else { return promise.fail(Self.endedEarly) }
    self.promise = promise
    (status, isKeptAlive, content) = (0, false, [])
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if body.readableBytes > 0 {
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      // An interim response is not what was asked for.
      if head.status.code < 200 { return }
      status = Int(head.status.code)
      isKeptAlive = head.isKeepAlive
    case .body(let part):
      guard content.count + part.readableBytes <= AdminClient.largestReply else {
        return fail(.badReply(reason: "it is too large"))
      }
      content.append(contentsOf: part.readableBytesView)
    case .end:
      let done = promise
      promise = nil
      done?.succeed(AdminReply(status: status, body: content, isKeptAlive: isKeptAlive))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    // The parser's word for an end in the middle of a reply: a PoP that stopped, not a stranger.
    case HTTPParserError.invalidEOFState: fail(Self.endedEarly)
    case is HTTPParserError: fail(.badReply(reason: "it is not HTTP"))
    default: fail(.connectionLost(reason: plainReason(error)))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(Self.endedEarly)
  }

  private func fail(_ error: AdminClientError) {
    let failed = promise
    promise = nil
    failed?.fail(error)
  }
}

extension AdminClientError {
  /// The error of a reply by another PoP than the one that was meant.
  public static func wrongPoP(_ id: String) -> AdminClientError {
    .badReply(reason: "PoP \(quoted(id)) answered in its place")
  }

  /// The reason without what it is a reason for.
  var reasonAlone: String {
    switch self {
    case .cannotConnect(let reason), .connectionLost(let reason), .badReply(let reason): reason
    case .timeout, .status, .cancelled: description
    }
  }

  /// What failed on the way to a connection. Of several addresses the last one tried speaks for all.
  init(connecting error: any Error, timeout: Duration) {
    guard let failure = error as? NIOConnectionError else {
      self = .cannotConnect(reason: plainReason(error))
      return
    }
    if let last = failure.connectionErrors.last {
      if case .connectTimeout? = last.error as? ChannelError {
        self = .timeout(timeout)
      } else {
        self = .cannotConnect(reason: plainReason(last.error))
      }
    } else {
      self = .cannotConnect(reason: "no address for \(quoted(failure.host))")
    }
  }
}

/// The kernel's words for its errors, without the name of the system call.
private func plainReason(_ error: any Error) -> String {
  (error as? IOError).map { KernelError($0.errnoCode).description } ?? "\(error)"
}
