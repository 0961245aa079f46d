import EdgeCache
import EdgeFleet
import EdgeSocket

// Purges as plug-ins of content management systems order them: to where clients connect, by method and fields. What
// they mean is read by PurgeFields.

/// Requests with a method that purges.
enum ClientPurge {
  /// Carries one out, if the client may order it, and answers when it cannot be forgotten in a crash. A method that
  /// purges elsewhere, and is not understood here, is refused.
  static func perform<Stream: ClientStream>(
    _ method: PurgeFields.Method, _ head: borrowing RequestHead, for stream: Stream,
    on loop: LoopContext
  ) {
    if method == .unknown { return stream.answer(.purgeMethodUnknown) }
    var authorization: [String] = []
    for field in head.fields.fields where field.name == .authorization {
      authorization.append(head.fields.text(field.value))
    }
    let author: PurgeService.Author
    switch loop.shared.gate.judgeClient(
      authorization, from: stream.identity.withAuthority(for: head),
      at: stream.identity.address(toldBy: head))
    {
    case .granted(let granted): author = granted
    case .unknown:
      return stream.answer(
        OwnAnswer(401, "PURGE needs Authorization: Bearer TOKEN", challenges: true))
    case .forbidden(let name):
      return stream.answer(OwnAnswer(403, "the token \(name) has not the right to purge"))
    case .proxied:
      return stream.answer(
        OwnAnswer(
          403,
          "it came by way of a proxy, so purgeFrom does not count: the proxy is not in trustedProxies, or does not "
            + "say for whom it asks. Send it directly, or with Authorization: Bearer TOKEN. Nothing was purged"
        ))
    case .tooMany: return stream.answer(OwnAnswer(429, "too many purges", retryAfter: 1))
    }
    let request: PurgeRequest
    let acknowledgement: PurgeAcknowledgement
    do {
      request = try order(head, by: author, on: loop)
      acknowledgement = try loop.shared.purges.apply(request, by: author)
    } catch let refusal as PurgeFields.Refusal {
      return stream.answer(OwnAnswer(refusal.status, refusal.reason))
    } catch let refusal as PurgeService.Refusal {
      return stream.answer(OwnAnswer(400, refusal.reason))
    } catch {
      return stream.answer(OwnAnswer(500, "\(error)"))
    }
    let late =
      "applied at this PoP, but not confirmed in time: a crash may bring back what was purged, and other "
      + "PoPs may not have been told"
    let wait = RequestWait<String?>(
      on: loop, atMost: loop.limits.purge, else: late
    ) { problem in
      stream.served.wait = nil
      stream.answer(answer(acknowledgement, problem))
      stream.flush()
    }
    stream.served.wait = wait
    let waiting = Confined(wait, to: loop.reactor)
    loop.shared.purges.complete(request, acknowledgement) { problem in
      waiting.mailbox.execute { waiting.value.end(problem) }
    }
  }

  private static func answer(
    _ acknowledgement: PurgeAcknowledgement, _ problem: String?
  ) -> OwnAnswer {
    if let problem { return OwnAnswer(500, problem) }
    let widened = (acknowledgement.widened ?? []).map { "; \($0)" }.joined()
    return OwnAnswer(
      200,
      "purged \(acknowledgement.sureness)\(acknowledgement.matched) stored responses; purge "
        + "\(acknowledgement.id ?? "?") at \(acknowledgement.pop)\(widened)")
  }

  /// What a request's method has to do with purges; nil if nothing. O(1).
  static func method(_ head: borrowing RequestHead) -> PurgeFields.Method? {
    head.method == .other ? PurgeFields.Method(head.fields.text(head.methodRange)) : nil
  }

  private static func order(
    _ head: borrowing RequestHead, by author: PurgeService.Author, on loop: LoopContext
  ) throws(PurgeFields.Refusal) -> PurgeRequest {
    let fields = head.fields
    let (routing, secret) = (loop.shared.routing, loop.store.secret)
    var key = CacheKey(head, isSecure: false, secret: secret, storage: &loop.keyStorage)
    let own = routing.route(&key, secret: secret).map { routing.policy($0).tagFields.names } ?? []
    var request = try PurgeFields.read(
      fields.text(head.methodRange),
      .init(authority: fields.text(head.authority), path: fields.text(head.path)),
      fields.fields.map { (fields.text($0.nameRange), fields.text($0.value)) },
      tagFields: own.map { String(decoding: $0, as: UTF8.self) }, hasContent: head.hasContent)
    // Who ordered it is known to the other PoPs, too.
    request.author = "\(author.name) at \(author.address)"
    return request
  }
}
