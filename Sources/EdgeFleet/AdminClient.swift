// One exchange with the admin API of one PoP: connect, send, read the reply, close. Control plane,
// a handful of requests per command, so clarity before speed: NIO's own HTTP/1.1 codec, a connection
// per request, the reply as a whole. Retrying is the caller's business; the error says if it helps.

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix

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

  /// The largest reply that is read.
  static let largestReply = 16 << 20

  /// A client of the PoP at `endpoint`; without a token, none is presented.
  public init(
    endpoint: SocketEndpoint, token: AdminToken?,
    group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  ) {
    (self.endpoint, self.token, self.group) = (endpoint, token, group)
  }

  /// Purges.
  public func purge(
    _ request: PurgeRequest, timeout: Duration
  ) async throws(AdminClientError) -> PurgeAcknowledgement {
    try message(await send(.POST, "/purge", body: request.json, timeout: timeout))
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
    head.headers.add(name: "Connection", value: "close")
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

  /// The promise of the reply is the one place where every ending meets: reply, error, timeout and
  /// cancellation complete it, the first one counts, and the connection closes when it is complete.
  private func exchange(
    _ head: HTTPRequestHead, _ body: ByteBuffer, timeout: Duration
  ) async throws(AdminClientError) -> AdminReply {
    guard timeout > .zero else { throw .timeout(timeout) }
    let loop = group.next()
    let promise = loop.makePromise(of: AdminReply.self)
    let limit = TimeAmount(timeout)
    let alarm = loop.scheduleTask(in: limit) { promise.fail(AdminClientError.timeout(timeout)) }
    promise.futureResult.whenComplete { _ in alarm.cancel() }
    ClientBootstrap(group: loop)
      .connectTimeout(limit)
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(
            AdminExchange(head: head, body: body, promise: promise))
        }
      }
      .connect(host: endpoint.host, port: endpoint.port)
      .whenComplete { connected in
        switch connected {
        case .success(let channel):
          promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
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

/// A whole reply.
private struct AdminReply: Sendable {
  let status: Int
  let body: [UInt8]
}

/// Sends one request when the connection is there and gathers the reply.
private final class AdminExchange: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private static let endedEarly = AdminClientError.connectionLost(
    reason: "closed before the reply was complete")

  private let head: HTTPRequestHead
  private let body: ByteBuffer
  private let promise: EventLoopPromise<AdminReply>
  private var status = 0
  private var content: [UInt8] = []

  init(head: HTTPRequestHead, body: ByteBuffer, promise: EventLoopPromise<AdminReply>) {
    (self.head, self.body, self.promise) = (head, body, promise)
  }

  func channelActive(context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if body.readableBytes > 0 {
      context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): status = Int(head.status.code)
    case .body(let part):
      guard content.count + part.readableBytes <= AdminClient.largestReply else {
        promise.fail(AdminClientError.badReply(reason: "it is too large"))
        return
      }
      content.append(contentsOf: part.readableBytesView)
    case .end: promise.succeed(AdminReply(status: status, body: content))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    // The parser's word for an end in the middle of a reply: a PoP that stopped, not a stranger.
    case HTTPParserError.invalidEOFState: promise.fail(Self.endedEarly)
    case is HTTPParserError: promise.fail(AdminClientError.badReply(reason: "it is not HTTP"))
    default: promise.fail(AdminClientError.connectionLost(reason: plainReason(error)))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(Self.endedEarly)
  }
}

extension AdminClientError {
  /// The error of a reply by another PoP than the one that was meant.
  static func wrongPoP(_ id: String) -> AdminClientError {
    .badReply(reason: "PoP \(quoted(id)) answered in its place")
  }

  /// What failed on the way to a connection. Of several addresses the last one tried speaks for all.
  fileprivate init(connecting error: any Error, timeout: Duration) {
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
