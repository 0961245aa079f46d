// Sends again what the spool has kept.

import ArgumentParser
import EdgeFleet

struct Retry: ParsableCommand, FleetCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Send pending purges again to the PoPs that have not acknowledged them.")

  @OptionGroup var spool: SpoolOptions
  @OptionGroup var options: FleetOptions

  func send() async throws -> ExitStatus {
    let spool = try spool.open()
    let pending = try spool.pending()
    if pending.isEmpty {
      StandardOutput.print(options.json ? "[]" : "Nothing is pending.")
      return .everywhere
    }
    var worst = ExitStatus.everywhere
    for kept in pending {
      let run = try PurgeRun(resuming: kept, spool, options)
      if try await run.send() != .everywhere { worst = .notEverywhere }
    }
    return worst
  }
}
