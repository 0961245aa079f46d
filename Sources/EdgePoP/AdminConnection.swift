import EdgeCache
import EdgeFleet
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

// The admin API: POST /purge, GET /explain, GET /health, GET /stats. Small, rare and not on the data plane, so it
// stands on NIOHTTP1 and runs on an event loop of its own.

/// What the admin API does its work with.
struct AdminService: Sendable {
  let popID: String
  let store: Store
  let explainer: Explainer
  let token: AdminToken?
  let started: Instant
  let logger: Logger
  let statistics: @Sendable () -> EventLoopFuture<Statistics>
  let life: Life
  let disk: DiskTier?
}

/// Whether the PoP is on its way out; read by the admin API, set once at shutdown.
final class Life: Sendable {
  private let draining = Atomic<Bool>(false)

  /// True once a shutdown has begun.
  var isDraining: Bool { draining.load(ordering: .relaxed) }

  /// A shutdown begins.
  func beginDraining() { draining.store(true, ordering: .relaxed) }
}

/// Answers admin requests on one connection.
final class AdminConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private struct Answer: Sendable {
    var status: HTTPResponseStatus
    var json: [UInt8]
    var extra: [(String, String)] = []

    static func refusal(
      _ status: HTTPResponseStatus, _ text: String, extra: [(String, String)] = []
    ) -> Answer {
      Answer(status: status, json: AdminRefusal(error: text).json, extra: extra)
    }
  }

  private let service: AdminService
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var isTooLarge = false

  init(service: AdminService) {
    self.service = service
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
      isTooLarge = false
    case .body(let bytes):
      if body.count + bytes.readableBytes > PurgeRequest.largestBody.bytes {
        isTooLarge = true
        body = []
      } else if !isTooLarge {
        body.append(contentsOf: bytes.readableBytesView)
      }
    case .end:
      guard let head else { return }
      self.head = nil
      answer(head, context)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  // MARK: Requests

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    if let token = service.token {
      let presented = head.headers["authorization"]
      guard presented.count == 1, token.isPresented(by: presented[0].utf8) else {
        service.logger.warning(
          "admin request without the token",
          metadata: ["client": "\(context.remoteAddress?.ipAddress ?? "?")"])
        return send(
          .refusal(
            .unauthorized, "the request needs Authorization: Bearer TOKEN",
            extra: [("WWW-Authenticate", "Bearer")]), head, context)
      }
    }
    // A page in a browser on this machine can reach a loopback address, but cannot hide that it is
    // one: browsers send Origin with whatever could change something.
    if head.headers.contains(name: "origin") {
      return send(.refusal(.forbidden, "requests of web pages are refused"), head, context)
    }
    let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? ""
    switch (head.method, path) {
    case (.POST, "/purge"): purge(head, context)
    case (.GET, "/health"), (.HEAD, "/health"): send(health(), head, context)
    case (.GET, "/stats"), (.HEAD, "/stats"): sendStatistics(head, context)
    case (.GET, ExplainQuery.path), (.HEAD, ExplainQuery.path):
      send(explain(head.uri), head, context)
    case (_, "/purge"): send(notAllowed("POST"), head, context)
    case (_, "/health"), (_, "/stats"), (_, ExplainQuery.path):
      send(notAllowed("GET, HEAD"), head, context)
    default:
      send(
        .refusal(.notFound, "there is POST /purge, GET /explain, GET /health and GET /stats"), head,
        context)
    }
  }

  private func notAllowed(_ methods: String) -> Answer {
    .refusal(.methodNotAllowed, "the method is not allowed", extra: [("Allow", methods)])
  }

  private func health() -> Answer {
    let uptime = WallClock.now().milliseconds(since: service.started) / 1000
    let report = HealthReport(
      status: service.life.isDraining ? "draining" : "ok", pop: service.popID,
      uptimeSeconds: Int(uptime), sequence: service.store.purges.head)
    return Answer(status: .ok, json: report.json)
  }

  private func explain(_ target: String) -> Answer {
    do throws(ExplainQuery.Problem) {
      switch service.explainer.report(try ExplainQuery(target: target), now: WallClock.now()) {
      case .success(let report): return Answer(status: .ok, json: report.json)
      case .failure(let failure): return .refusal(.badRequest, failure.reason)
      }
    } catch {
      return .refusal(.badRequest, error.description)
    }
  }

  /// Acknowledges a purge when it has been applied, and cannot be forgotten in a crash.
  private func purge(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let answer = purge()
    guard let disk = service.disk, answer.status == .ok else { return send(answer, head, context) }
    let loop = context.eventLoop
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    disk.makePurgesLast { problem in
      loop.execute {
        let (handler, context) = bound.value
        guard let problem else { return handler.send(answer, head, context) }
        handler.send(
          .refusal(
            .internalServerError,
            "applied, but it cannot be made to last: \(problem); nothing is served from disk any "
              + "more"), head, context)
      }
    }
  }

  private func purge() -> Answer {
    if isTooLarge {
      return .refusal(.payloadTooLarge, "a purge has at most \(PurgeRequest.largestBody)")
    }
    do throws(PurgeRequest.Problem) {
      guard let acknowledgement = apply(try PurgeRequest(json: body)) else {
        return .refusal(
          .badRequest, "a URL has a host that no request can have; nothing was purged")
      }
      return Answer(status: .ok, json: acknowledgement.json)
    } catch {
      return .refusal(.badRequest, error.description)
    }
  }

  /// Applies a purge; when this returns, every event loop has it. Nil, and nothing is purged, if a
  /// URL cannot be a cache key.
  private func apply(_ request: PurgeRequest) -> PurgeAcknowledgement? {
    var total = Removal(sequence: service.store.purges.head, count: 0, bytes: 0)
    func add(_ removal: Removal) {
      total.sequence = max(total.sequence, removal.sequence)
      total.count += removal.count
      total.bytes += removal.bytes
    }
    switch request.scope {
    case .everything: add(service.store.purge(.everything))
    case .urls(let urls):
      let keys = urls.compactMap { url in
        service.explainer.routing.purgeKey("http://\(url.host)\(url.target)", service.store.secret)
      }
      guard keys.count == urls.count else { return nil }
      for key in keys { add(service.store.purge(.url(key))) }
    }
    service.logger.info(
      "purge applied",
      metadata: [
        "scope": "\(request.scopeText)", "sequence": "\(total.sequence)",
        "matched": "\(total.count)",
      ])
    return PurgeAcknowledgement(
      pop: service.popID, sequence: total.sequence, matched: total.count,
      freedBytes: total.bytes)
  }

  private func sendStatistics(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let loop = context.eventLoop
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    service.statistics().hop(to: loop).whenComplete { result in
      let (handler, context) = bound.value
      switch result {
      case .success(let statistics):
        handler.send(Answer(status: .ok, json: statistics.json), head, context)
      case .failure(let error):
        handler.send(.refusal(.internalServerError, "\(error)"), head, context)
      }
    }
  }

  // MARK: Answers

  private func send(_ answer: Answer, _ request: HTTPRequestHead, _ context: ChannelHandlerContext)
  {
    var headers = HTTPHeaders()
    headers.add(name: "Content-Type", value: "application/json")
    headers.add(name: "Content-Length", value: String(answer.json.count + 1))
    headers.add(name: "Cache-Control", value: "no-store")
    for (name, value) in answer.extra { headers.add(name: name, value: value) }
    if !request.isKeepAlive { headers.add(name: "Connection", value: "close") }
    let head = HTTPResponseHead(
      version: .http1_1, status: answer.status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      let bytes = ByteBuffer(bytes: answer.json + [UInt8(ascii: "\n")])
      context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }
    let closes = !request.isKeepAlive
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    let done = context.writeAndFlush(wrapOutboundOut(.end(nil)))
    if closes { done.whenComplete { _ in bound.value.close(promise: nil) } }
  }
}

extension PurgeRequest {
  /// What is purged, for the log.
  fileprivate var scopeText: String {
    switch scope {
    case .everything: "everything"
    case .urls(let urls):
      urls.count == 1 ? "url \(urls[0])" : "\(urls.count) urls, the first \(urls[0])"
    }
  }
}
