import EdgeCache
import EdgeFleet
import EdgeSocket

// PURGE as plug-ins of content management systems send it: to where clients connect, for the URL of the request,
// or for tags that a field names. No standard has it; these are the habits of Varnish, Squid and Fastly.

/// Requests with the method PURGE.
enum ClientPurge {
  /// Carries one out, if the client may order it, and answers when it cannot be forgotten in a crash.
  static func perform<Stream: ClientStream>(
    _ head: borrowing RequestHead, for stream: Stream, on loop: LoopContext
  ) {
    var authorization: [String] = []
    for field in head.fields.fields where field.name == .authorization {
      authorization.append(head.fields.text(field.value))
    }
    let author: PurgeService.Author
    switch loop.shared.gate.judgeClient(authorization, from: stream.identity.address) {
    case .granted(let granted): author = granted
    case .unknown:
      return stream.answer(
        OwnAnswer(401, "PURGE needs Authorization: Bearer TOKEN", challenges: true))
    case .forbidden(let name):
      return stream.answer(OwnAnswer(403, "the token \(name) has not the right to purge"))
    case .tooMany: return stream.answer(OwnAnswer(429, "too many purges", retryAfter: 1))
    }
    let request: PurgeRequest
    let acknowledgement: PurgeAcknowledgement
    do {
      request = try Self.request(head)
      acknowledgement = try loop.shared.purges.apply(request, by: author)
    } catch let problem as PurgeRequest.Problem {
      return stream.answer(OwnAnswer(400, problem.description))
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
    let about = acknowledgement.estimated == true ? "about " : ""
    return OwnAnswer(
      200,
      "purged \(about)\(acknowledgement.matched) stored responses; purge "
        + "\(acknowledgement.id ?? "?") at \(acknowledgement.pop)")
  }

  /// True if the method is PURGE.
  static func isMeant(_ head: borrowing RequestHead) -> Bool {
    head.fields.text(head.methodRange) == "PURGE"
  }

  /// What is to be purged: the tags that `Surrogate-Key`, `Cache-Tag` or `xkey-purge` name; or else the URL, and
  /// with `X-Purge-Method: regex` what begins as the path before `.*`. `Fastly-Soft-Purge: 1` and
  /// `xkey-softpurge` make it soft.
  static func request(_ head: borrowing RequestHead) throws -> PurgeRequest {
    let fields = head.fields
    let bytes = fields.bytes.readableBytesUInt8Span
    var tags: [String] = []
    var mode = PurgeMode.hard
    var isPattern = false
    for field in fields.fields {
      let name = bytes.extracting(field.nameRange.range)
      let value = fields.text(field.value)
      if name.equalsIgnoringCase("surrogate-key") || name.equalsIgnoringCase("xkey-purge") {
        tags += value.split { $0 == " " || $0 == "\t" }.map(String.init)
      } else if name.equalsIgnoringCase("xkey-softpurge") {
        tags += value.split { $0 == " " || $0 == "\t" }.map(String.init)
        mode = .soft
      } else if name.equalsIgnoringCase("cache-tag") {
        tags += value.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
      } else if name.equalsIgnoringCase("fastly-soft-purge"), value == "1" {
        mode = .soft
      } else if name.equalsIgnoringCase("x-purge-method") {
        isPattern = value == "regex"
      }
    }
    let scope: PurgeRequest.Scope
    do {
      if !tags.isEmpty {
        scope = .tags(try tags.map(PurgeRequest.tag))
      } else {
        let host = fields.text(head.authority)
        let path = fields.text(head.path)
        if isPattern {
          guard path.hasSuffix(".*"), !path.dropLast(2).contains(where: "*+?()[]{}|^$\\".contains)
          else {
            throw PurgeRequest.Problem(
              description: "X-Purge-Method: regex is known only for a path that ends with .*")
          }
          scope = .prefixes([try PurgeURL(parsing: "http://\(host)\(path.dropLast(2))")])
        } else {
          scope = .urls([try PurgeURL(parsing: "http://\(host)\(path)")])
        }
      }
    } catch let problem as ValueProblem {
      throw PurgeRequest.Problem(description: "\(problem)")
    }
    return try PurgeRequest(checking: scope, mode: mode)
  }

  private static func trimmed(_ text: Substring) -> String {
    let rest = text.drop { $0 == " " || $0 == "\t" }
    let end = rest.lastIndex { $0 != " " && $0 != "\t" }.map { rest.index(after: $0) }
    return String(rest[..<(end ?? rest.startIndex)])
  }
}
