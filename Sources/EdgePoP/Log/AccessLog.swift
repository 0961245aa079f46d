import EdgeCache
import EdgeFleet
import Glibc
import Logging
import Synchronization

// The access log. Event loops put lines together in memory of their own (LoopLog) and hand over whole blocks; a thread
// of its own writes them (LogWriter). Whatever becomes of the file delays the log, never a response.

/// Where access log lines go.
public enum AccessLogTarget: Sendable, Hashable {
  case off
  case standardOutput
  case file(String)

  /// As options and the configuration write it: `off`, `-` or a path.
  public init(_ text: String) {
    self =
      switch text {
      case "off": .off
      case "-": .standardOutput
      default: .file(text)
      }
  }
}

/// The access log could not be opened.
public struct AccessLogProblem: Error, CustomStringConvertible {
  /// Which file, and why not.
  public let description: String
}

/// The access log of a PoP, as all its event loops share it.
final class AccessLog: Sendable {
  let format: FleetConfiguration.AccessLogFormat
  /// The share of lines that are written, of those that need not be.
  let sample: Double
  private let writer: LogWriter
  private let isFile: Bool
  private let logger: Logger
  private let lost = Atomic<UInt64>(0)

  /// Bytes that may wait to be written; what is more is dropped.
  private static let mostWaiting = 8 << 20

  /// Opens the log; nil if it is off. What becomes of it is told to `logger`.
  static func open(
    _ target: AccessLogTarget, format: FleetConfiguration.AccessLogFormat, sample: Double,
    logger: Logger
  ) throws(AccessLogProblem) -> AccessLog? {
    do throws(LogFileProblem) {
      switch target {
      case .off: return nil
      case .standardOutput:
        return try AccessLog(LogFile(standard: STDOUT_FILENO), format, sample, logger)
      case .file(let path): return try AccessLog(LogFile(path: path), format, sample, logger)
      }
    } catch {
      let place = if case .file(let path) = target { path } else { "standard output" }
      throw AccessLogProblem(description: "access log \(place): \(error.reason)")
    }
  }

  private init(
    _ file: LogFile, _ format: FleetConfiguration.AccessLogFormat, _ sample: Double,
    _ logger: Logger
  ) throws(LogFileProblem) {
    (self.format, self.sample, isFile, self.logger) = (format, sample, file.isNamed, logger)
    writer = try LogWriter(
      file, name: "access-log", limit: Self.mostWaiting, tell: { Self.tell($0, logger) })
  }

  private static func tell(_ news: LogNews, _ logger: Logger) {
    switch news {
    case .failing(let code):
      logger.error(
        "the access log cannot be written; it is tried again",
        metadata: ["reason": "\(LogFileProblem(code: code).reason)"])
    case .dropping:
      logger.error("the access log is not written fast enough; lines are dropped")
    case .recovered(let dropped):
      logger.notice("the access log is written again", metadata: ["dropped": "\(dropped)"])
    case .lost(let lines):
      logger.error(
        "the access log was not written to its end; lines are lost", metadata: ["lines": "\(lines)"]
      )
    case .reopened: logger.info("the access log was opened anew")
    case .notReopened(let code):
      logger.error(
        "the access log cannot be opened anew; the old file stays",
        metadata: ["reason": "\(LogFileProblem(code: code).reason)"])
    }
  }

  /// What is wrong with it at present, as a sentence; nil if nothing is.
  var problem: String? {
    switch writer.trouble {
    case nil: nil
    case 0?: "the access log is not written fast enough; lines are dropped"
    case let code?: "the access log cannot be written: \(String(cString: strerror(code)))"
    }
  }

  /// Number of lines dropped so far.
  var dropped: UInt64 { writer.dropped }

  /// A block to be filled, for a line of so many bytes at most.
  func takeBlock(atLeast size: Int) -> LogBlock { writer.takeBlock(atLeast: size) }

  /// Has lines written. Never waits.
  func add(_ block: LogBlock) { writer.add(block) }

  /// Opens the file anew, for whoever has moved it away; false if there is none.
  func reopen() -> Bool {
    if isFile { writer.reopen() }
    return isFile
  }

  /// Writes what waits, for as long as that, and closes the file. What could not be written is lost, and that is told.
  func close(within limit: Duration) async {
    let lost = await writer.close(within: limit)
    if lost > 0 { Self.tell(.lost(lost), logger) }
    self.lost.store(lost, ordering: .relaxed)
  }

  /// Lines that were lost at its end, or before that without being told.
  var lostAtEnd: UInt64 { lost.load(ordering: .relaxed) }
}
