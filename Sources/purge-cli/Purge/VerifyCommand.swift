// Checks what a PoP said of a purge, without asking it again.

import ArgumentParser
import EdgeCache
import EdgeFleet

struct Verify: ParsableCommand, FleetCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check the receipts in a file, with the token that the purge was ordered with.")

  @Argument(
    help: ArgumentHelp("What --receipt wrote.", valueName: "file"), completion: .file())
  var file: String

  @OptionGroup var options: FleetOptions

  func send() async throws -> ExitStatus {
    guard let token = try options.token() else {
      throw WrongUse("receipts are checked with the admin token: set EDGE_ADMIN_TOKEN")
    }
    let receipts = try PurgeReceipts.read(file)
    let order = Array(receipts.order.utf8)
    var all = !receipts.pops.isEmpty
    var lines: [String] = []
    for pop in receipts.pops {
      let isRight =
        pop.id == receipts.id
        && PurgeReceiptKey(token: token, pop: pop.pop).verifies(pop, order: order)
      all = all && isRight
      let when = pop.appliedAt.map { WallTime(milliseconds: $0).text } ?? "?"
      lines.append(
        "\(isRight ? "right" : "WRONG")  \(pop.pop): purge \(pop.id ?? "?") as \(pop.sequence) at \(when)"
      )
    }
    if receipts.pops.isEmpty { lines.append("there are no receipts in it") }
    StandardOutput.print(lines.joined(separator: "\n"))
    return all ? .everywhere : .notEverywhere
  }
}
