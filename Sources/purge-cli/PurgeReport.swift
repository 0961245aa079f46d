// What a purge came to, in its two forms: a table for people and a document for programs.

import EdgeFleet

/// The results of a purge at all its PoPs.
struct PurgeReport {
  let request: PurgeRequest
  let results: [PurgeFanOut.Result]
  let elapsed: Duration

  /// Whether every PoP acknowledged.
  var isComplete: Bool { results.allSatisfy { $0.acknowledgement != nil } }
  /// How many stored responses were purged, of all PoPs together.
  var matched: Int { results.reduce(0) { $0 + ($1.acknowledgement?.matched ?? 0) } }
  /// How many bytes were freed, of all PoPs together.
  var freedBytes: Int { results.reduce(0) { $0 + ($1.acknowledgement?.freedBytes ?? 0) } }

  // MARK: - For people

  /// One line per PoP under a line of titles, in columns.
  func table(coloured: Bool) -> String {
    let titles = ["POP", "CITY", "RESULT", "SEQUENCE", "MATCHED", "MS"]
    let numbers: Set<Int> = [3, 4, 5]
    let rows = results.map { result in
      let acknowledgement = result.acknowledgement
      return [
        result.name, result.target.city ?? "-", result.word,
        acknowledgement.map { "\($0.sequence)" } ?? "-",
        acknowledgement.map { "\($0.matched)" } ?? "-", milliseconds(result.elapsed),
      ]
    }
    let widths = titles.indices.map { column in
      ([titles] + rows).map { $0[column].count }.max() ?? 0
    }
    let lines = ([titles] + rows).enumerated().map { line, cells in
      let padded = cells.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        let colour = coloured && line > 0 && column == 2 ? results[line - 1].colour : nil
        let text = colour.map { Terminal.coloured(cell, $0) } ?? cell
        return numbers.contains(column) ? space + text : text + space
      }
      return padded.joined(separator: "  ")
    }
    return lines.joined(separator: "\n")
  }

  /// One line: how many PoPs, how much, how long, and which PoPs are left.
  var summary: String {
    let done = results.count { $0.acknowledgement != nil }
    let responses = matched == 1 ? "1 stored response" : "\(matched) stored responses"
    let pops = results.count == 1 ? "1 PoP" : "\(results.count) PoPs"
    var line = "Purged at \(done) of \(pops) in \(milliseconds(elapsed)) ms: "
    line += "\(responses), \(freedBytes) bytes freed."
    if !isComplete {
      let left = results.filter { $0.acknowledgement == nil }.map(\.name)
      line += " Not purged: \(left.joined(separator: ", "))."
    }
    return line
  }

  private func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds)" }

  // MARK: - For programs

  /// The report as a JSON document, described in docs/purge.md.
  var json: String {
    readableJSON(
      Document(
        complete: isComplete, matched: matched, freedBytes: freedBytes,
        milliseconds: elapsed.wholeMilliseconds, request: .init(request),
        pops: results.map { .init($0) }))
  }

  private struct Document: Encodable {
    let complete: Bool
    let matched: Int
    let freedBytes: Int
    let milliseconds: Int64
    let request: Request
    let pops: [PoP]

    struct Request: Encodable {
      let scope: String
      let urls: [String]?

      init(_ request: PurgeRequest) {
        switch request.scope {
        case .urls(let urls): (scope, self.urls) = ("url", urls.map(\.description))
        case .everything: (scope, self.urls) = ("everything", nil)
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
      let milliseconds: Int64
      let attempts: Int

      init(_ result: PurgeFanOut.Result) {
        let acknowledgement = result.acknowledgement
        pop = result.target.pop ?? acknowledgement?.pop
        city = result.target.city
        admin = "http://\(result.target.admin)"
        self.result = result.word
        reason = result.failure.map { "\($0)" }
        sequence = acknowledgement?.sequence
        matched = acknowledgement?.matched
        freedBytes = acknowledgement?.freedBytes
        milliseconds = result.elapsed.wholeMilliseconds
        attempts = result.attempts
      }
    }
  }
}

extension PurgeFanOut.Result {
  /// The outcome in one word.
  fileprivate var word: String {
    switch outcome {
    case .acknowledged: "purged"
    case .pending: "pending"
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
