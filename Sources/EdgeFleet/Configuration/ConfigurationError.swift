// An operator should fix a configuration in one go: the error carries every problem that was found,
// each with its place.

/// Why a configuration was refused: every problem that was found in it.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Where a problem is.
  public enum Place: Sendable, Hashable {
    /// The file as a whole, as when it cannot be read.
    case file
    /// A line and column, both from 1, of text that is not JSON.
    case position(line: Int, column: Int)
    /// A value, as in `pops[1].memory`; empty for the outermost object.
    case path(String)
  }

  /// One problem: its place and what is wrong there.
  public struct Problem: Sendable, Hashable {
    /// Where it is.
    public let place: Place
    /// What is wrong, and what would be accepted.
    public let reason: String

    /// A problem at `place`.
    public init(_ place: Place, _ reason: String) {
      (self.place, self.reason) = (place, reason)
    }
  }

  /// The file, as it was named by whoever asked for it.
  public let file: String
  /// What is wrong with it, in the order it was found; at least one problem.
  public let problems: [Problem]

  /// An error of `problems` in `file`.
  public init(file: String, problems: [Problem]) {
    (self.file, self.problems) = (file, problems)
  }

  /// One line for each problem.
  public var lines: [String] {
    problems.map { problem in
      switch problem.place {
      case .file, .path(""): "\(file): \(problem.reason)"
      case .position(let line, let column): "\(file):\(line):\(column): \(problem.reason)"
      case .path(let path): "\(file): \(path): \(problem.reason)"
      }
    }
  }

  /// The problems, one on each line.
  public var description: String { lines.joined(separator: "\n") }
}

extension ConfigurationError.Problem {
  /// The path and the reason, without the name of a file.
  var text: String {
    guard case .path(let path) = place, !path.isEmpty else { return reason }
    return "\(path): \(reason)"
  }
}
