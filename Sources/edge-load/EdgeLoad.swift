// The entry point of edge-load, and the one place that decides its exit status. ArgumentParser
// alone would answer wrong use with status 64 and several lines; scripts that drive edge-load need
// three outcomes that cannot be confused: 0 fine, 1 wrong use or could not start, 2 ran but saw
// errors.

import ArgumentParser
import EdgeFleet
import Glibc

/// The command: a sample origin (`origin`) and a load generator (`run`).
@main
struct EdgeLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edge-load",
    abstract: "A sample origin to cache from, and a load generator that reads Cache-Status.",
    version: Release.version,
    subcommands: [
      OriginCommand.self, RunCommand.self, TraceCommand.self, SimulateEvictionCommand.self,
    ]
  )

  /// Files without which nothing of it runs: what event loops need, and a connection on each side.
  private static let leastFiles = 24

  /// Parses the arguments, runs the command, and turns what it throws into one line and a status.
  static func main() {
    DescriptorLimit.raise()
    if let shortage = DescriptorLimit.shortage(least: leastFiles) {
      writeToStandardError("edge-load: \(shortage)\n")
      Glibc.exit(CommandFailure.wrongUse)
    }
    StandardOutput.prepare()
    var status = runCommand()
    if let problem = StandardOutput.problem {
      writeToStandardError("edge-load: \(problem)\n")
      if status == 0 { status = CommandFailure.sawErrors }
    }
    Glibc.exit(status)
  }

  private static func runCommand() -> Int32 {
    do {
      var command = try parseAsRoot()
      try command.run()
      return 0
    } catch let failure as CommandFailure {
      if let line = failure.line { writeToStandardError("edge-load: \(line)\n") }
      return failure.status
    } catch {
      // Help and version arrive as errors too.
      if exitCode(for: error).isSuccess {
        StandardOutput.print(fullMessage(for: error))
        return 0
      }
      writeToStandardError("edge-load: \(message(for: error)) (see edge-load --help)\n")
      return CommandFailure.wrongUse
    }
  }
}

/// The end of a command that did not succeed: an exit status, and at most one line for a person.
struct CommandFailure: Error, Equatable {
  /// Wrong arguments, or something that kept the command from starting.
  static let wrongUse: Int32 = 1
  /// The command ran to its end and saw errors, which its report already names.
  static let sawErrors: Int32 = 2

  /// The process's exit status.
  var status: Int32
  /// What failed, where, and how to mend it; nil when the report has said it already.
  var line: String?

  /// A failure to start, told in one line.
  static func cannotStart(_ line: String) -> CommandFailure {
    CommandFailure(status: wrongUse, line: line)
  }
}

/// Writes all of the text to a descriptor; returns the errno if that did not work.
func writeWhole(_ text: String, to descriptor: Int32) -> Int32? {
  var text = text
  return text.withUTF8 { bytes in
    var rest = UnsafeRawBufferPointer(bytes)
    while let base = rest.baseAddress, !rest.isEmpty {
      let written = write(descriptor, base, rest.count)
      if written > 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      } else if written == 0 || errno != EINTR {
        return written == 0 ? EIO : errno
      }
    }
    return nil
  }
}

/// The kernel's words for an errno, for messages.
func describeErrno(_ code: Int32) -> String {
  String(cString: strerror(code))
}
