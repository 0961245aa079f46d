// The question to the PoPs of a fleet: what would you do with this request, and why? It changes
// nothing there, so that it may be asked of a fleet that serves clients.

import ArgumentParser
import EdgeFleet

struct Explain: ParsableCommand, FleetCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say what each PoP has stored for a URL, and what it would do with a request now.")

  @Argument(
    help: ArgumentHelp(
      "An absolute URL, percent-encoded as clients send it.", valueName: "url"))
  var url: String

  @Option(
    help: ArgumentHelp(
      "A field of the request, such as 'Accept-Encoding: gzip'; repeatable.",
      valueName: "name: value"))
  var header: [String] = []

  @Option(
    help: ArgumentHelp("The method of the request.", valueName: "method"),
    completion: .list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]))
  var method = "GET"

  @OptionGroup var options: FleetOptions

  func send() async throws -> ExitStatus {
    let query = try query()
    let fanOut = ExplainFanOut(
      targets: try options.targets(), token: try options.token(), tls: try options.tls(),
      timeout: try options.patience())
    let results = await fanOut.ask(query)
    let account = ExplainAccount(results: results)
    if options.json {
      StandardOutput.print(account.json)
    } else {
      printForPeople(account)
    }
    return account.isComplete ? .everywhere : .notEverywhere
  }

  private func query() throws -> ExplainQuery {
    do throws(ExplainQuery.Problem) {
      return try ExplainQuery(url: url, method: method, headers: header)
    } catch {
      throw WrongUse(error.description)
    }
  }

  private func printForPeople(_ account: ExplainAccount) {
    let text = account.text(coloured: Terminal.standardOutput.hasColour)
    if !text.isEmpty { StandardOutput.print(text) }
    for result in account.results {
      guard case .failure(let error) = result.outcome else { continue }
      writeToStandardError(
        "purge-cli: \(result.target.name) at \(result.target.admin): \(error)\n")
    }
  }
}
