// `edge-pop store check`: reads everything, and says what is damaged.

import ArgumentParser
import EdgeCache
import EdgeFleet
import Foundation

struct StoreCheck: StoreSubcommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Read everything in disk stores, and say what is damaged.",
    discussion: """
      Exit status: 0 when all is right, 1 when something is damaged, 2 when a store cannot be \
      opened, 64 for wrong use. What a crash leaves is noted, and is no damage.
      """)

  @Argument(
    help: ArgumentHelp("Directories that were given to --disk.", valueName: "path"),
    completion: .directory)
  var paths: [String]

  @Flag(help: "Print one JSON document.")
  var json = false

  @Flag(help: "Tell how far it is, also when standard error is not a terminal.")
  var progress = false

  func run() throws {
    var reports: [StoreReport] = []
    var opened: [DiskInspection] = []
    for path in paths {
      var report = StoreReport(path: path)
      do throws(StoreProblem) {
        let store = try openStore(path)
        check(store, beside: opened, &report)
        opened.append(store)
        if !json {
          StandardOutput.print(report.summary(coloured: Terminal.standardOutput.hasColour))
        }
      } catch {
        switch error {
        case .store(.damaged): show(.damagedHeader, &report)
        case .store(.headerMissing): show(.missingHeader, &report)
        default:
          report.reason = error.description
          EdgePoPCommand.writeError("edge-pop: \(path): \(error)")
        }
      }
      reports.append(report)
    }
    if json { StandardOutput.print(JSONForm.page.text(reports.map(\.document))) }
    if reports.contains(where: { $0.reason != nil }) { throw StoreStatus.notOpened }
    if reports.contains(where: { $0.damage > 0 }) { throw StoreStatus.damaged }
  }

  private func check(
    _ store: DiskInspection, beside others: [DiskInspection], _ report: inout StoreReport
  ) {
    let start = ContinuousClock.now
    var meter = CheckProgress(path: report.path, isAsked: progress)
    report.describe(store)
    for other in others where other.isOfSameSet(as: store) && !other.isTogether(with: store) {
      show(
        DiskFinding(
          kind: .note, file: .header, offset: 0,
          what: "it and another disk of its set were not used together",
          meaning: "the one that was away begins anew, empty, at the next start"),
        &report)
    }
    store.check {
      meter.clear()
      show($0, &report)
    } progress: {
      meter.show($0, $1)
    }
    meter.end()
    report.tally = store.tally()
    report.elapsed = .now - start
  }

  /// Prints a finding at once, unless all goes into a document.
  private func show(_ finding: DiskFinding, _ report: inout StoreReport) {
    report.note(finding, keeps: json)
    if json { return }
    let isColoured = Terminal.standardOutput.hasColour
    let kind = finding.kind.rawValue
    let word =
      isColoured ? Terminal.coloured(kind, finding.kind == .damage ? 31 : 33) : kind
    let url = finding.url.map { " (\(Terminal.plain($0)))" } ?? ""
    StandardOutput.print(
      "\(report.path)/\(finding.file): offset \(finding.offset): \(word): \(finding.what); "
        + "\(finding.meaning)\(url)")
  }
}
