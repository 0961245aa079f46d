// What a purge came to, in its two forms: a table for people and a document for programs.

import EdgeFleet

/// The results of a purge at all its PoPs.
struct PurgeReport {
  let request: PurgeRequest
  let results: [PurgeFanOut.Result]
  let elapsed: Duration
  /// What the URLs came to afterwards, if that was asked for.
  let checks: [ContentCheck]?

  /// Whether every URL is the same at every PoP, and not from before.
  var isVerified: Bool { checks?.allSatisfy(\.isRight) ?? true }
  /// Whether some PoP only judged how much there is.
  var isEstimate: Bool { results.contains { $0.acknowledgement?.estimated == true } }
  /// Whether some PoP may have more of it on disk.
  var isAtLeast: Bool { results.contains { $0.acknowledgement?.atLeast == true } }
  /// Whether every PoP acknowledged.
  var isComplete: Bool { results.allSatisfy { $0.acknowledgement != nil } }
  /// How many stored responses were purged, of all PoPs together.
  var matched: Int { results.reduce(0) { $0 &+ ($1.acknowledgement?.matched ?? 0) } }
  /// How many bytes were freed, of all PoPs together.
  var freedBytes: Int { results.reduce(0) { $0 &+ ($1.acknowledgement?.freedBytes ?? 0) } }

  // MARK: - For people

  /// What is said of one PoP.
  struct Row {
    var name: String
    var city: String?
    var word: String
    var colour: Int
    var sequence = "-"
    var matched = "-"
    var milliseconds = "-"
    var reason = ""
  }

  /// One line per PoP under a line of titles, in columns.
  func table(coloured: Bool) -> String {
    Self.columns(results.map { Row($0, isDryRun: request.isDryRun) }, coloured: coloured)
  }

  /// Rows under a line of titles, in columns.
  static func columns(_ rows: [Row], coloured: Bool) -> String {
    var table = TextTable(
      [
        .words("POP"), .words("CITY"), .words("RESULT"), .numbers("SEQUENCE"),
        .numbers("MATCHED"), .numbers("MS"), .words(""),
      ], coloured: coloured)
    let lines = table.lines(
      rows.map { row in
        [
          .init(row.name), .init(row.city ?? "-"), .init(row.word, colour: row.colour),
          .init(row.sequence), .init(row.matched), .init(row.milliseconds), .init(row.reason),
        ]
      })
    return lines.joined(separator: "\n")
  }

  /// One line: how many PoPs, how much, how long, and which PoPs are left.
  var summary: String {
    let done = results.count { $0.acknowledgement != nil }
    let about = isEstimate ? "about " : ""
    let responses = (isAtLeast ? "at least " : "") + about + counted(matched, "stored response")
    let pops = counted(results.count, "PoP")
    if request.isDryRun {
      return
        "Would purge at \(done) of \(pops): \(responses), \(about)\(freedBytes) bytes of memory."
    }
    let verb = request.mode == .soft ? "Made stale" : "Purged"
    var line = "\(verb) at \(done) of \(pops) in \(milliseconds(elapsed)) ms: "
    line += "\(responses), \(freedBytes) bytes freed."
    if let id = request.id { line += " Purge \(id)." }
    if !isComplete {
      let left = results.filter { $0.acknowledgement == nil }
      let applied = left.filter(\.isAppliedOnly).map(\.name)
      let others = left.filter { !$0.isAppliedOnly }.map(\.name)
      if !applied.isEmpty {
        line += " Applied, but not certain to last: \(applied.joined(separator: ", "))."
      }
      if !others.isEmpty { line += " Not purged: \(others.joined(separator: ", "))." }
    }
    if let checks, isVerified {
      line += " Verified: \(counted(checks.count, "URL"))."
    }
    return line
  }

  private func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds)" }

  // MARK: - For programs

  /// The report as a JSON document, described in docs/purge.md.
  var json: String {
    JSONForm.page.text(
      Document(
        complete: isComplete, id: request.id.map { "\($0)" }, matched: matched,
        estimated: isEstimate, atLeast: isAtLeast, freedBytes: freedBytes,
        milliseconds: elapsed.wholeMilliseconds, request: .init(request),
        verified: checks.map { $0.map(ContentCheck.Element.init) },
        pops: results.map { .init($0) }))
  }

  private struct Document: Encodable {
    let complete: Bool
    let id: String?
    let matched: Int
    let estimated: Bool
    let atLeast: Bool
    let freedBytes: Int
    let milliseconds: Int64
    let request: Request
    let verified: [ContentCheck.Element]?
    let pops: [PoP]

    struct Request: Encodable {
      var scope: String?
      let mode: String
      let dryRun: Bool
      var urls: [String]?
      var prefixes: [String]?
      var hosts: [String]?
      var tags: [String]?

      init(_ request: PurgeRequest) {
        if request.scopes.count == 1 { scope = request.scopes[0].name }
        mode = request.mode == .soft ? "soft" : "hard"
        dryRun = request.isDryRun
        for scope in request.scopes {
          switch scope {
          case .urls: urls = scope.names
          case .prefixes: prefixes = scope.names
          case .hosts: hosts = scope.names
          case .tags: tags = scope.names
          case .everything: break
          }
        }
      }
    }

    struct PoP: Encodable {
      let pop: String?
      let city: String?
      let admin: String
      let result: String
      let reason: String?
      let sequence: UInt64?
      let matched: Int?
      let freedBytes: Int?
      let estimated: Bool?
      let atLeast: Bool?
      let appliedAt: Int64?
      let receipt: String?
      let milliseconds: Int64
      let attempts: Int

      init(_ result: PurgeFanOut.Result) {
        let acknowledgement = result.acknowledgement
        pop = result.target.pop ?? acknowledgement?.pop
        city = result.target.city
        admin = "http://\(result.target.admin)"
        self.result = result.word.lowercased()
        reason = result.failure.map { "\($0)" }
        sequence = acknowledgement?.sequence
        matched = acknowledgement?.matched
        freedBytes = acknowledgement?.freedBytes
        estimated = acknowledgement?.estimated
        atLeast = acknowledgement?.atLeast
        appliedAt = acknowledgement?.appliedAt
        receipt = acknowledgement?.receipt
        milliseconds = result.elapsed.wholeMilliseconds
        attempts = result.attempts
      }
    }
  }
}

extension PurgeReport.Row {
  /// What is said of a PoP that is done.
  init(_ result: PurgeFanOut.Result, isDryRun: Bool = false) {
    self.init(
      name: result.name, city: result.target.city,
      word: isDryRun && result.acknowledgement != nil ? "would purge" : result.word,
      colour: result.colour, milliseconds: "\(result.elapsed.wholeMilliseconds)",
      reason: result.failure.map { "\($0)" } ?? "")
    guard let acknowledgement = result.acknowledgement else { return }
    sequence = "\(acknowledgement.sequence)"
    matched =
      (acknowledgement.estimated == true ? "~" : "") + "\(acknowledgement.matched)"
      + (acknowledgement.atLeast == true ? "+" : "")
  }
}

extension PurgeFanOut.Result {
  /// The outcome in one word.
  fileprivate var word: String {
    switch outcome {
    case .acknowledged: "purged"
    case .pending: isAppliedOnly ? "APPLIED" : "PENDING"
    case .refused: "refused"
    }
  }

  /// The outcome's colour on a terminal.
  fileprivate var colour: Int {
    switch outcome {
    case .acknowledged: 32
    case .pending: 33
    case .refused: 31
    }
  }
}
