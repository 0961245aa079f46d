// purge-cli removes stored responses from every PoP of a fleet and says which PoPs have done so;
// and it asks PoPs to explain what they do with a URL.
//
// ArgumentParser's own entry point exits with 64 for wrong use; here 2 means "not everywhere" and
// every way of not starting is 1, so that a deployment script can tell the two apart.

import EdgeFleet

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// How purge-cli ends.
enum ExitStatus: Int32 {
  /// Every PoP acknowledged the purge, or answered the question.
  case everywhere = 0
  /// Nothing was sent: wrong use, or a file that cannot be read. Or it was, and what came of it cannot be written.
  case wrongUse = 1
  /// Some PoP did not answer; after a purge it may still serve what it should not.
  case notEverywhere = 2
}

/// Files without which nothing can be sent: what event loops and TLS need, and a connection.
private let leastFiles = 24

/// Runs the command line and returns how to exit.
func purgeProgram() async -> ExitStatus {
  DescriptorLimit.raise()
  if let shortage = DescriptorLimit.shortage(least: leastFiles) {
    writeToStandardError("purge-cli: \(shortage)\n")
    return .wrongUse
  }
  do {
    var command = try PurgeCLI.parseAsRoot()
    if let command = command as? any FleetCommand { return try await command.send() }
    if command is PurgeCLI {
      throw WrongUse(
        "say what to purge: url URL..., prefix URL..., host HOST..., tag TAG..., everything or purge "
          + "FILE; or status, retry, verify FILE, explain URL (see purge-cli --help)")
    }
    // What ArgumentParser brings along, such as help; it ends by throwing what to print.
    try command.run()
    return .everywhere
  } catch {
    if PurgeCLI.exitCode(for: error).isSuccess {
      StandardOutput.print(PurgeCLI.fullMessage(for: error))
      return .everywhere
    }
    let message = (error as? WrongUse)?.description ?? PurgeCLI.message(for: error)
    for line in message.split(separator: "\n") { writeToStandardError("purge-cli: \(line)\n") }
    return .wrongUse
  }
}

StandardOutput.prepare()
var status = await purgeProgram()
if let problem = StandardOutput.problem {
  writeToStandardError("purge-cli: what was asked for was done, but \(problem)\n")
  if status == .everywhere { status = .wrongUse }
}
exit(status.rawValue)
