// The root of the command line and what to purge; where to send it is in FleetOptions.swift.
// Everything that can be wrong with it is found before the first request is sent.

import ArgumentParser
import EdgeFleet

/// Something about the command line, the environment or a file that prevents a request.
struct WrongUse: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The root of the command line.
struct PurgeCLI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge-cli",
    abstract:
      "Remove stored responses from every PoP of a fleet, and explain what the PoPs do with a URL.",
    discussion: """
      Exit status: 0 when every PoP acknowledged the purge or answered the question, 2 when some \
      did not, 1 for wrong use.

      Environment: EDGE_CONFIG names the configuration, EDGE_ADMIN_TOKEN holds the admin token, \
      NO_COLOR turns colours off.
      """,
    version: Release.version,
    subcommands: [PurgeURLs.self, PurgeEverything.self, Explain.self])
}

/// A command that sends something to the PoPs of a fleet.
protocol FleetCommand {
  /// Where to send it.
  var options: FleetOptions { get }
  /// Sends it, prints what came back and returns how to exit.
  func send() async throws -> ExitStatus
}

/// A command that sends a purge.
protocol PurgeCommand: FleetCommand {
  /// What to purge.
  func request() throws -> PurgeRequest
}

extension PurgeCommand {
  /// Sends the purge and reports on it.
  func send() async throws -> ExitStatus {
    let request = try request()
    let fanOut = PurgeFanOut(
      targets: try options.targets(), token: try options.token(), timeout: try options.patience())
    return await PurgeRun(request: request, asJSON: options.json).report(fanOut)
  }
}

struct PurgeURLs: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "url",
    abstract: "Purge URLs: every variant, under both schemes and every port of the host.")

  @Argument(
    help: ArgumentHelp(
      "Absolute URLs, percent-encoded as clients send them; no wildcards.", valueName: "url"))
  var urls: [String]

  @OptionGroup var options: FleetOptions

  func request() throws -> PurgeRequest {
    do {
      return try PurgeRequest.urls(try urls.map(PurgeURL.init(parsing:)))
    } catch {
      throw WrongUse("\(error)")
    }
  }
}

struct PurgeEverything: ParsableCommand, PurgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "everything",
    abstract: "Purge every stored response of every site.")

  @OptionGroup var options: FleetOptions

  func request() -> PurgeRequest { .everything }
}
