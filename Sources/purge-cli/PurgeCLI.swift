// The root of the command line. What to purge is in Purge/PurgeCommand.swift, where to send it in
// FleetOptions.swift.

import ArgumentParser
import EdgeFleet

/// The root of the command line.
struct PurgeCLI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge-cli",
    abstract:
      "Purge stored responses at every PoP of a fleet, prove it, and explain what the PoPs do with a "
      + "URL.",
    discussion: """
      Exit status: 0 when every PoP acknowledged the purge or answered the question, 2 when some \
      did not, 1 for wrong use.

      What some PoP did not acknowledge is kept, and sent again by `purge-cli retry`.

      Environment: EDGE_CONFIG names the configuration, EDGE_ADMIN_TOKEN holds the admin token, \
      EDGE_PURGE_SPOOL the directory of what is pending, NO_COLOR turns colours off.
      """,
    version: Release.version,
    subcommands: [
      PurgeURLs.self, PurgePrefixes.self, PurgeHosts.self, PurgeTags.self, PurgeEverything.self,
      PurgeList.self, Status.self, Retry.self, Verify.self, Explain.self,
    ])
}

/// A command that sends something to the PoPs of a fleet.
protocol FleetCommand {
  /// Sends it, prints what came back and returns how to exit.
  func send() async throws -> ExitStatus
}
