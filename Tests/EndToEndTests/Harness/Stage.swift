// What one test needs around it: a directory of its own and the processes it started. Both are gone
// when the test is over, however it ended.

import Foundation
import Glibc
import Synchronization

/// The scene of one test.
final class Stage: Sendable {
  /// A directory that is removed in the end.
  let directory: String
  private let processes = Mutex<[RunningProcess]>([])

  /// Runs `body` on a new stage and clears it away.
  static func run<Value>(_ body: (Stage) async throws -> Value) async throws -> Value {
    let stage = try Stage()
    do {
      let value = try await body(stage)
      await stage.clear()
      return value
    } catch {
      await stage.clear()
      throw error
    }
  }

  private init() throws {
    var template = Array(
      "\(FileManager.default.temporaryDirectory.path)/edgecache-test.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ProcessProblem(description: "mkdtemp: \(String(cString: strerror(errno)))")
    }
    directory = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func clear() async {
    // The last one first: a PoP ends before its origin.
    for process in processes.withLock({ $0 }).reversed() { await process.stop() }
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Starts a process that lives as long as the stage.
  func start(
    _ program: String, _ arguments: [String], variables: [String: String?] = [:],
    extra: [Int32] = []
  ) throws -> RunningProcess {
    let process = try RunningProcess(
      program, arguments, variables: variables, directory: directory, extra: extra)
    processes.withLock { $0.append(process) }
    return process
  }

  // MARK: Files

  /// The absolute path of a name in the directory.
  func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// Writes a file at once, so that a reader sees the old or the new content, and the directories
  /// above it.
  @discardableResult
  func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
    let path = path(name)
    let url = URL(fileURLWithPath: path)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(content).write(to: url, options: .atomic)
    return path
  }

  /// Writes a text file.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try write(name, text.utf8)
  }
}

/// Where programs are.
enum Programs {
  /// The directory with what was built, next to the tests themselves, or where EDGECACHE_PROGRAMS says.
  private static let built: String = {
    if let place = ProcessInfo.processInfo.environment["EDGECACHE_PROGRAMS"] { return place }
    return URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().path
  }()

  static let edgePoP = "\(built)/edge-pop"
  static let purgeCLI = "\(built)/purge-cli"
  static let edgeLoad = "\(built)/edge-load"
  static let all = built

  /// A program of the system, which `scripts/setup --test` installs.
  static func system(_ names: String...) throws -> String {
    for name in names {
      for directory in ["/usr/bin", "/usr/sbin", "/bin", "/usr/local/bin"] {
        let path = "\(directory)/\(name)"
        if access(path, X_OK) == 0 { return path }
      }
    }
    throw ProcessProblem(description: "no \(names[0]) here; run scripts/setup --test")
  }
}
