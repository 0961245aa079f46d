import EdgeCache
import EdgeFleet
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

// The admin API: POST /purge, GET /purges, GET /explain, GET /health, GET /ready, GET /stats. Small, rare and not on the data plane, so it
// stands on NIOHTTP1 and runs on an event loop of its own.

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

    /// Of a purge that was applied, for all that is wrong.
    static func applied(_ problem: String) -> Answer {
      Answer(
        status: .internalServerError, json: AdminRefusal(error: problem, applied: true).json)
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
    let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? ""
    let purgeMethod = PurgeFields.Method(head.method.rawValue)
    let right: AdminAccess.Right = path == "/purge" || purgeMethod != nil ? .purge : .read
    let address = context.remoteAddress?.ipAddress ?? "?"
    let author: PurgeService.Author
    switch service.gate.judge(head.headers["authorization"], from: address, right: right) {
    case .granted(let granted): author = granted
    case .unknown, .proxied, .notListed:
      service.logger.warning("admin request without the token", metadata: ["client": "\(address)"])
      return send(
        .refusal(
          .unauthorized, "the request needs Authorization: Bearer TOKEN",
          extra: [("WWW-Authenticate", "Bearer")]), head, context)
    case .forbidden(let name):
      service.logger.warning(
        "admin request with a token that has not the right",
        metadata: ["client": "\(address)", "token": "\(name)", "right": "\(right.rawValue)"])
      return send(
        .refusal(.forbidden, "the token \(name) has not the right to \(right.rawValue)"), head,
        context)
    case .tooMany:
      return send(
        .refusal(
          .tooManyRequests, "too many purges; try again in a second",
          extra: [("Retry-After", "1")]), head, context)
    }
    // A page in a browser on this machine can reach a loopback address, but cannot hide that it is
    // one: browsers send Origin with whatever could change something.
    if head.headers.contains(name: "origin") {
      return send(.refusal(.forbidden, "requests of web pages are refused"), head, context)
    }
    if purgeMethod != nil { return purge(head, author, context) }
    switch (head.method, path) {
    case (.POST, "/purge"): purge(head, author, context)
    case (.GET, "/health"), (.HEAD, "/health"): send(health(), head, context)
    case (.GET, "/ready"), (.HEAD, "/ready"): send(ready(), head, context)
    case (.GET, "/stats"), (.HEAD, "/stats"): sendStatistics(head, context)
    case (.GET, ExplainQuery.path), (.HEAD, ExplainQuery.path):
      sendExplanation(head, context)
    case (.GET, "/purges"), (.HEAD, "/purges"): send(journal(head.uri), head, context)
    case (.GET, let path) where path.hasPrefix("/purges/"),
      (.HEAD, let path) where path.hasPrefix("/purges/"):
      send(record(path.dropFirst("/purges/".count)), head, context)
    case (_, "/purge"): send(notAllowed("POST"), head, context)
    case (_, "/health"), (_, "/ready"), (_, "/stats"), (_, ExplainQuery.path), (_, "/purges"):
      send(notAllowed("GET, HEAD"), head, context)
    case (_, let path) where path.hasPrefix("/purges/"):
      send(notAllowed("GET, HEAD"), head, context)
    default:
      send(
        .refusal(
          .notFound,
          "there is POST /purge, GET /purges, GET /explain, GET /health, GET /ready and GET /stats"),
        head, context)
    }
  }

  private func notAllowed(_ methods: String) -> Answer {
    .refusal(.methodNotAllowed, "the method is not allowed", extra: [("Allow", methods)])
  }

  private func health() -> Answer {
    let problems = service.problems
    let status =
      service.life.isDraining ? "draining" : problems.isEmpty ? "ok" : "degraded"
    let report = HealthReport(
      status: status, pop: service.popID, uptimeSeconds: service.uptimeSeconds,
      sequence: service.store.purges.head, purges: service.purges.syncReport, problems: problems)
    return Answer(status: .ok, json: report.json)
  }

  private func ready() -> Answer {
    let reason = service.unreadiness
    let report = ReadinessReport(pop: service.popID, reason: reason)
    return Answer(status: reason == nil ? .ok : .serviceUnavailable, json: report.json)
  }

  private func sendExplanation(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let query: ExplainQuery
    do throws(ExplainQuery.Problem) {
      query = try ExplainQuery(target: head.uri)
    } catch {
      return send(.refusal(.badRequest, error.description), head, context)
    }
    let loop = context.eventLoop
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    loop.makeFutureWithTask { [service] in
      await service.explainer.report(query, now: service.clock.read())
    }.whenSuccess { result in
      let (handler, context) = bound.value
      switch result {
      case .success(let report):
        handler.send(Answer(status: .ok, json: report.json), head, context)
      case .failure(let failure):
        handler.send(.refusal(.badRequest, failure.reason), head, context)
      }
    }
  }

  private func journal(_ target: String) -> Answer {
    var values: [Substring: UInt64] = [:]
    for pair in target.split(separator: "?", maxSplits: 1).dropFirst().joined().split(
      separator: "&")
    {
      let parts = pair.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, ["epoch", "after", "since", "limit"].contains(parts[0]),
        let number = UInt64(parts[1])
      else {
        return .refusal(.badRequest, "write /purges?epoch=E&after=N&limit=COUNT, or since=MS")
      }
      values[parts[0]] = number
    }
    let cursor = values["epoch"].map { PurgeCursor(epoch: $0, sequence: values["after"] ?? 0) }
    let limit = Int(clamping: min(values["limit"] ?? 500, 5000))
    let since = values["since"].map { WallTime(milliseconds: Int64(clamping: $0)) }
    let reply = service.purges.journal(after: cursor, since: since, limit: limit)
    return Answer(status: .ok, json: reply.json)
  }

  private func record(_ text: Substring) -> Answer {
    guard let id = PurgeID(text) else {
      return .refusal(.badRequest, "the name of a purge is like 1764000000000-7")
    }
    guard let record = service.purges.record(id) else {
      return .refusal(.notFound, "this PoP has not applied \(id), or more than 7 days ago")
    }
    return Answer(status: .ok, json: record.json)
  }

  /// Acknowledges a purge when it has been applied, and cannot be forgotten in a crash.
  private func purge(
    _ head: HTTPRequestHead, _ author: PurgeService.Author, _ context: ChannelHandlerContext
  ) {
    if isTooLarge {
      let text = "a purge has at most \(PurgeRequest.largestBody)"
      return refuse(413, text, head, context)
    }
    let request: PurgeRequest
    let acknowledgement: PurgeAcknowledgement
    do {
      request = try order(head)
      acknowledgement = try service.purges.apply(request, by: author)
    } catch let problem as PurgeRequest.Problem {
      return refuse(400, problem.description, head, context)
    } catch let refusal as PurgeFields.Refusal {
      return refuse(refusal.status, refusal.reason, head, context)
    } catch let refusal as PurgeService.Refusal {
      return refuse(refusal.status, refusal.reason, head, context)
    } catch {
      return refuse(500, "\(error)", head, context)
    }
    let answer = Answer(status: .ok, json: acknowledgement.json)
    if request.isDryRun { return send(answer, head, context) }
    let loop = context.eventLoop
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    service.purges.complete(request, acknowledgement) { problem in
      loop.execute {
        let (handler, context) = bound.value
        handler.send(problem.map(Answer.applied) ?? answer, head, context)
      }
    }
  }

  private func refuse(
    _ status: Int, _ reason: String, _ head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    service.purges.refusals.note(
      status, reason, method: head.method.rawValue, url: head.uri,
      from: context.remoteAddress?.ipAddress ?? "?")
    send(.refusal(HTTPResponseStatus(statusCode: status), reason), head, context)
  }

  /// What a request orders: with POST its content and what fields name, both; with PURGE what a client of the data
  /// plane would order with it.
  private func order(_ head: HTTPRequestHead) throws -> PurgeRequest {
    let fields = head.headers.map { (name: $0.name, value: $0.value) }
    guard head.method == .POST else {
      let target = target(head)
      return try PurgeFields.read(
        head.method.rawValue, target, fields,
        tagFields: service.purges.tagFields(ofHost: target.authority), hasContent: !body.isEmpty)
    }
    guard let request = try PurgeFields.read(fields, content: body) else {
      return try PurgeRequest(json: body)
    }
    return request
  }

  private func target(_ head: HTTPRequestHead) -> PurgeFields.Target {
    if let mark = head.uri.firstRange(of: "://"), !head.uri.hasPrefix("/") {
      let rest = head.uri[mark.upperBound...]
      let authority = rest.prefix { $0 != "/" && $0 != "?" }
      return .init(authority: String(authority), path: String(rest[authority.endIndex...]))
    }
    return .init(authority: head.headers.first(name: "host") ?? "", path: head.uri)
  }

  private func sendStatistics(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let loop = context.eventLoop
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    loop.makeFutureWithTask { [service] in await service.statistics().json }.whenSuccess { json in
      let (handler, context) = bound.value
      handler.send(Answer(status: .ok, json: json), head, context)
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
