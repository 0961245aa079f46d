// Receipts in a file: what each PoP said of a purge, signed, to be checked later by whoever has the token.

import ArgumentParser
import EdgeCache
import EdgeFleet
import FoundationEssentials

/// The receipts of one purge.
struct PurgeReceipts: Codable {
  let id: String
  /// What was ordered, as the PoPs had it.
  let order: String
  let pops: [PurgeAcknowledgement]

  init(_ request: PurgeRequest, _ id: PurgeID, _ results: [PurgeFanOut.Result]) {
    self.id = "\(id)"
    order = String(decoding: request.message, as: UTF8.self)
    pops = results.compactMap(\.acknowledgement)
  }

  func write(to path: String) throws {
    do {
      try Data((readableJSON(self) + "\n").utf8).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw WrongUse("the purge was sent, but --receipt \(path) cannot be written: \(error)")
    }
  }

  static func read(_ path: String) throws -> PurgeReceipts {
    do {
      return try JSONDecoder().decode(Self.self, from: Data(try TextFile.bytes(path: path)))
    } catch let error as TextFile.Unreadable {
      throw WrongUse("\(path): \(error.reason)")
    } catch {
      throw WrongUse("\(path): not a file of receipts")
    }
  }
}

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
      let time = pop.appliedAt.map { Date(timeIntervalSince1970: Double($0) / 1000) }
      let when = time.map { $0.formatted(.iso8601) } ?? "?"
      lines.append(
        "\(isRight ? "right" : "WRONG")  \(pop.pop): purge \(pop.id ?? "?") as \(pop.sequence) at \(when)"
      )
    }
    if receipts.pops.isEmpty { lines.append("there are no receipts in it") }
    print(lines.joined(separator: "\n"))
    return all ? .everywhere : .notEverywhere
  }
}
