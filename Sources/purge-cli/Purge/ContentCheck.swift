// Whether a purge did what it was for: each URL is fetched at every PoP, as a client would, and what comes is
// compared.

import EdgeFleet

/// What one URL came to at all PoPs.
struct ContentCheck: Sendable {
  /// What one PoP sent.
  struct Fetched: Sendable {
    let pop: String
    let outcome: Result<ClientReply, AdminClientError>
  }

  let url: String
  let fetched: [Fetched]

  /// Fetches the URLs of a purge at all PoPs that acknowledged it.
  static func run(
    _ request: PurgeRequest, _ results: [PurgeFanOut.Result], _ patience: Duration
  ) async -> [ContentCheck] {
    guard case .urls(let urls)? = request.scopes.first, request.scopes.count == 1 else { return [] }
    let done = results.filter { $0.acknowledgement != nil }
    var checks: [ContentCheck] = []
    for url in urls {
      let fetched = await done.mapInParallel { await fetch(url, $0, patience) }
        .compactMap(\.self).sorted { $0.pop < $1.pop }
      checks.append(ContentCheck(url: "\(url)", fetched: fetched))
    }
    return checks
  }

  private static func fetch(
    _ url: PurgeURL, _ result: PurgeFanOut.Result, _ patience: Duration
  ) async -> Fetched? {
    guard let endpoint = result.target.listen.first else { return nil }
    do throws(AdminClientError) {
      let reply = try await AdminClient(endpoint: endpoint, token: nil)
        .get(url.target, host: url.host, timeout: patience)
      return Fetched(pop: result.name, outcome: .success(reply))
    } catch {
      return Fetched(pop: result.name, outcome: .failure(error))
    }
  }

  /// What is wrong, if anything is.
  var problem: String? {
    var first: (pop: String, reply: ClientReply)?
    for one in fetched {
      switch one.outcome {
      case .failure(let error): return "\(one.pop): \(error)"
      case .success(let reply):
        if reply.status >= 500 { return "\(one.pop) sent status \(reply.status)" }
        guard let known = first else {
          first = (one.pop, reply)
          continue
        }
        if known.reply.status != reply.status {
          return "\(known.pop) sent status \(known.reply.status), and \(one.pop) \(reply.status)"
        }
        if known.reply.body != reply.body {
          return "\(known.pop) and \(one.pop) sent different content"
        }
      }
    }
    return nil
  }

  /// Whether all PoPs sent the same.
  var isRight: Bool { problem == nil }

  /// What came of it.
  var sentence: String { "\(url): \(problem ?? "the same everywhere")" }

  /// The check for programs.
  struct Element: Encodable {
    let url: String
    let verified: Bool
    let reason: String?

    init(_ check: ContentCheck) {
      (url, verified, reason) = (check.url, check.isRight, check.problem)
    }
  }
}
