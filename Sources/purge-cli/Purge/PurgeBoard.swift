// What is known of a purge while it runs: a table at a terminal, in which each PoP's line is written anew when
// there is news of it.

import EdgeFleet

/// Gathers the results of a purge, and shows them as they come.
final class PurgeBoard {
  private let targets: [PurgeFanOut.Target]
  private var found: [PurgeFanOut.Target: PurgeFanOut.Result] = [:]
  private var waiting: [PurgeFanOut.Target: String] = [:]
  private let isShown: Bool
  private var drawn = 0

  /// More lines than fit on most screens are not drawn again and again.
  private static let mostLines = 40

  init(_ targets: [PurgeFanOut.Target], isShown: Bool) {
    self.targets = targets
    self.isShown = isShown
    draw()
  }

  /// The results, in the order of the configuration.
  var results: [PurgeFanOut.Result] { targets.compactMap { found[$0] } }

  func note(_ event: PurgeFanOut.Event) {
    switch event {
    case .retrying(let target, let error): waiting[target] = "\(error)"
    case .finished(let result): found[result.target] = result
    }
    draw()
  }

  /// Takes away what was drawn.
  func clear() {
    guard isShown, drawn > 0 else { return }
    StandardOutput.write("\u{1B}[\(drawn)A\u{1B}[J")
    drawn = 0
  }

  private func draw() {
    guard isShown else { return }
    clear()
    let rows = targets.prefix(Self.mostLines).map(row)
    let table = PurgeReport.columns(rows, coloured: Terminal.standardOutput.hasColour)
    StandardOutput.print(table)
    drawn = rows.count + 1
    if targets.count > Self.mostLines {
      StandardOutput.print(
        "and \(targets.count - Self.mostLines) more; \(found.count) of \(targets.count) done")
      drawn += 1
    }
  }

  private func row(_ target: PurgeFanOut.Target) -> PurgeReport.Row {
    if let result = found[target] { return PurgeReport.Row(result) }
    return PurgeReport.Row(
      name: target.name, city: target.city, word: "PENDING", colour: 33,
      reason: waiting[target] ?? "")
  }
}
