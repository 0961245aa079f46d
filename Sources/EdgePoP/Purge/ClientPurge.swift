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
    let fields = head.fields
    let name = fields.text(head.methodRange)
    let url = fields.text(head.authority) + fields.text(head.path)
    let address = stream.identity.address(toldBy: head)
    func refuse(_ answer: OwnAnswer) {
      loop.shared.purges.refusals.note(
        answer.status, answer.reason, method: name, url: url, from: address)
      stream.answer(answer)
    }
    if method == .unknown { return refuse(.purgeMethodUnknown) }
    var authorization: [String] = []
    for field in head.fields.fields where field.name == .authorization {
      authorization.append(head.fields.text(field.value))
    }
    let author: PurgeService.Author
    switch loop.shared.gate.judgeClient(
      authorization, from: stream.identity.withAuthority(for: head), at: address)
    {
    case .granted(let granted): author = granted
    case .unknown:
      return refuse(OwnAnswer(401, "PURGE needs Authorization: Bearer TOKEN", challenges: true))
    case .forbidden(let name):
      return refuse(OwnAnswer(403, "the token \(name) has not the right to purge"))
    case .notListed:
      return refuse(OwnAnswer(403, "\(address) is not in purgeFrom. Nothing was purged"))
    case .proxied:
      return refuse(
        OwnAnswer(
          403,
          "it came by way of a proxy, so purgeFrom does not count: the proxy is not in trustedProxies, or does not "
            + "say for whom it asks. Send it directly, or with Authorization: Bearer TOKEN. Nothing was purged"
        ))
    case .tooMany: return refuse(OwnAnswer(429, "too many purges", retryAfter: 1))
    }
    let request: PurgeRequest
    let acknowledgement: PurgeAcknowledgement
    do {
      request = try order(head, by: author, on: loop)
      acknowledgement = try loop.shared.purges.apply(request, by: author)
    } catch let refusal as PurgeFields.Refusal {
      return refuse(OwnAnswer(refusal.status, refusal.reason))
    } catch let refusal as PurgeService.Refusal {
      return refuse(
        OwnAnswer(
          refusal.status, refusal.reason, retryAfter: refusal.status == 503 ? 1 : nil))
    } catch {
      return refuse(OwnAnswer(500, "\(error)"))
    }
    let late =
      "applied at this PoP, but not confirmed in time: a crash may bring back what was purged, and other "
      + "PoPs may not have been told"
    let wait = RequestWait<String?>(
      on: loop, atMost: loop.limits.purge, of: .purge, else: late
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
    let notes = (acknowledgement.widened ?? []) + (acknowledgement.warnings ?? [])
    let widened = notes.map { "; \($0)" }.joined()
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
    let authority = fields.text(head.authority)
    var request = try PurgeFields.read(
      fields.text(head.methodRange), .init(authority: authority, path: fields.text(head.path)),
      fields.fields.map { (fields.text($0.nameRange), fields.text($0.value)) },
      tagFields: loop.shared.purges.tagFields(ofHost: authority), hasContent: head.hasContent)
    // A plug-in that calls this PoP by its address would never learn that it purges nothing.
    if request.isOfURLs, let host = loop.shared.purges.unknownHosts(request).first {
      throw PurgeFields.Refusal(421, "no site has the host \(host). Nothing was purged")
    }
    // Who ordered it is known to the other PoPs, too.
    request.author = "\(author.name) at \(author.address)"
    return request
  }
}
