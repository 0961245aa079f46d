// What became of the lines of a log. A line that is left out is counted, with its reason and the first example, so that
// nobody takes a part of a log for all of it.

import EdgeFleet

/// What became of the lines of a log, as far as it was read.
struct LogAccount: Codable, Equatable, Sendable {
  /// The log as it was named.
  var path: String
  /// Its format.
  var format: String?
  /// Requests that were taken.
  var requests = 0
  /// Lines that were left out, by reason.
  var leftOut: [String: Int] = [:]
  /// The first of them, by reason.
  var examples: [String: String] = [:]
  /// Lines that were left out because they are of no use here, though there is nothing wrong with them.
  var unwanted = 0
  /// The share that may be left out, from 0 to 1.
  var mostLeftOut = LogAccount.usualShare
  /// Silences that were cut short, and clocks that went back.
  var shortenedGaps: Int?
  /// What ended the log before its end.
  var problem: String?
  /// The same as the error that it was.
  var failure: TraceProblem?

  private enum CodingKeys: String, CodingKey {
    case path, format, requests, leftOut, examples, unwanted, mostLeftOut, shortenedGaps, problem
  }

  /// The share that may be left out without a word from the exit status.
  static let usualShare = 0.1

  /// An account of a log that has not been read.
  init(path: String) { self.path = path }

  /// Counts a line that is left out; `isWanted` false for one that nothing is wrong with, and that does not count
  /// towards the share.
  mutating func leaveOut(_ reason: LeftOut, line: Int, _ words: String?, isWanted: Bool = true) {
    leftOut[reason.rawValue, default: 0] += 1
    if !isWanted { unwanted += 1 }
    if examples[reason.rawValue] == nil {
      // Whoever wrote into the log is not to write to a terminal.
      examples[reason.rawValue] =
        words.map { Terminal.plain("line \(line) \($0)") } ?? "line \(line)"
    }
  }

  /// Takes in a problem with a line.
  mutating func leaveOut(_ problem: TraceProblem) {
    leaveOut(problem.kind, line: problem.line ?? 0, problem.reason)
  }

  /// Lines that were left out.
  var leftOutCount: Int { leftOut.values.reduce(0, +) }

  /// The share of lines that were left out and should not have been, from 0 to 1.
  var share: Double {
    let missing = leftOutCount - unwanted
    return missing > 0 ? Double(missing) / Double(missing + requests) : 0
  }

  /// Why the run is not what the log says; nil if it is.
  var complaint: String? {
    if let problem { return problem }
    guard share > mostLeftOut else { return nil }
    let missing = leftOutCount - unwanted
    return "\(ReportText.percent(share)) of the lines of \(path) were left out (\(missing) of "
      + "\(missing + requests)), more than \(ReportText.percent(mostLeftOut)) (--most-left-out)"
  }

  /// What was left out, as words that follow a sentence.
  var leftOutText: String { leftOutRows.map { "; \($0[1]) \($0[2])" }.joined() }

  private var leftOutRows: [[String]] {
    LeftOut.allCases.compactMap { reason in
      guard let count = leftOut[reason.rawValue] else { return nil }
      let example = examples[reason.rawValue].map { ", the first: \($0)" } ?? ""
      return ["left out", "\(count)", reason.label + example]
    }
  }

  /// What became of the lines, as rows of a table; `done` is what became of those that were not left out.
  func rows(_ done: String) -> [[String]] {
    var rows = [["lines", "\(requests.adding(leftOutCount))", format ?? ""]]
    rows.append([done, "\(requests)", ""])
    rows += leftOutRows
    if let shortenedGaps {
      rows.append(["gaps cut short", "\(shortenedGaps)", "(--longest-gap)"])
    }
    return rows
  }

  /// The rows as lines.
  func text(_ done: String) -> [String] {
    let rows = rows(done)
    let widths = (0...1).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let first = row[0] + String(repeating: " ", count: widths[0] - row[0].count)
      let second = String(repeating: " ", count: widths[1] - row[1].count) + row[1]
      return row[2].isEmpty ? "  \(first)  \(second)" : "  \(first)  \(second)  \(row[2])"
    }
  }
}
