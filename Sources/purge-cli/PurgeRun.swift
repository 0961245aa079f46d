// One purge as its operator sees it: a progress line while it runs, then a table or a JSON document,
// then what is left to do.

import EdgeFleet
import FoundationEssentials

/// Follows a purge and reports on it.
struct PurgeRun {
  let request: PurgeRequest
  let asJSON: Bool

  /// Sends the purge, prints the report and returns how to exit.
  func report(_ fanOut: PurgeFanOut) async -> ExitStatus {
    let start = ContinuousClock.now
    let progress = ProgressLine(isShown: !asJSON && Terminal.standardError.isInteractive)
    var results: [PurgeFanOut.Result] = []
    progress.show("0 of \(fanOut.targets.count) done")
    for await event in fanOut.send(request) {
      switch event {
      case .retrying(let target, let error):
        progress.show("\(results.count) of \(fanOut.targets.count) done; \(target.name): \(error)")
      case .finished(let result):
        results.append(result)
        progress.show("\(results.count) of \(fanOut.targets.count) done")
      }
    }
    progress.clear()
    let report = PurgeReport(
      request: request, results: results.inOrder(of: fanOut.targets), elapsed: .now - start)
    if asJSON {
      print(report.json)
    } else {
      printForPeople(report)
    }
    return report.isComplete ? .everywhere : .notEverywhere
  }

  private func printForPeople(_ report: PurgeReport) {
    print(report.table(coloured: Terminal.standardOutput.hasColour))
    print(report.summary)
    flushStandardOutput()
    for result in report.results {
      guard let failure = result.failure else { continue }
      let attempts = result.attempts == 1 ? "" : " (\(result.attempts) attempts)"
      writeToStandardError(
        "purge-cli: \(result.name) at \(result.target.admin): \(failure)\(attempts)\n")
    }
    if report.isComplete, report.matched == 0 {
      let advice =
        request.scope == .everything
        ? "" : "; a URL must be written as clients request it, with its query"
      writeToStandardError("purge-cli: note: no stored response matched\(advice)\n")
    }
  }
}

extension PurgeFanOut.Target {
  /// The id, or the address where the id is not known.
  var name: String { pop ?? "\(admin)" }
}

extension PurgeFanOut.Result {
  /// The id, if only the PoP itself could tell; or else the address.
  var name: String { target.pop ?? acknowledgement?.pop ?? "\(target.admin)" }
}

extension [PurgeFanOut.Result] {
  /// The results in the order of the configuration rather than in that of their arrival.
  fileprivate func inOrder(of targets: [PurgeFanOut.Target]) -> Self {
    let places = Dictionary(
      targets.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    return sorted { places[$0.target, default: 0] < places[$1.target, default: 0] }
  }
}
