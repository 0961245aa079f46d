// One process that a test started: its output as it comes, its end, and signals to it alone.
//
// Invariant: a signal goes to this very process. It is reaped and signalled under one lock, so its
// id cannot have passed to another one in between.

import Foundation
import Glibc
import Synchronization

/// A process could not be started, or ended when it should not have.
struct ProcessProblem: Error, CustomStringConvertible {
  let description: String
}

/// How a process ended.
enum ProcessEnd: Sendable, Hashable {
  case status(Int32)
  case signal(Int32)
}

/// What a process has written to one of its streams.
struct Written: Sendable, CustomStringConvertible {
  var bytes: [UInt8] = []
  var isClosed = false

  /// All of it as text.
  var text: String { String(decoding: bytes, as: UTF8.self) }
  /// The lines that are complete, and at the end of the stream also the last one without its end.
  var lines: [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if let last = lines.last, last.isEmpty || !isClosed { lines.removeLast() }
    return lines
  }
  var description: String { "\"\(text.suffix(2000))\"" }
}

/// A process, and everything it wrote.
final class RunningProcess: Sendable {
  let name: String
  let pid: pid_t
  let output = Observed(Written())
  let errors = Observed(Written())
  /// Nil while it runs.
  let end = Observed<ProcessEnd?>(nil)
  private let isReaped = Mutex(false)

  /// Starts a program. `variables` are added to the environment, nil removes one. Descriptors of
  /// `extra` are given to it as 3, 4 and so on, and closed here.
  init(
    _ program: String, _ arguments: [String], variables: [String: String?] = [:],
    directory: String? = nil, extra: [Int32] = []
  ) throws {
    name = URL(fileURLWithPath: program).lastPathComponent
    let (out, err) = (try Pipe(), try Pipe())
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, out.writeEnd, 1)
    posix_spawn_file_actions_adddup2(&actions, err.writeEnd, 2)
    // By way of high numbers: one of them may itself be 3 or 4.
    let high = extra.map { fcntl($0, F_DUPFD_CLOEXEC, 100) }
    for (index, descriptor) in high.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
    }
    // No socket or pipe of another test stays open in there; closing what is not open is no error.
    for descriptor in (3 + extra.count)..<1024 {
      posix_spawn_file_actions_addclose(&actions, Int32(descriptor))
    }
    // Whatever this process does with its signals, the new one begins with the defaults.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    // What the person who runs the tests has set for these programs is not meant for tests.
    var environment = ProcessInfo.processInfo.environment.filter {
      !$0.key.hasPrefix("EDGE_") && $0.key != "NO_COLOR"
    }
    environment["LC_ALL"] = "C"
    // Not where the person who runs the tests keeps what is pending.
    environment["EDGE_PURGE_SPOOL"] = NSTemporaryDirectory() + "edgecache-tests-spool"
    for (name, value) in variables { environment[name] = value }
    // env(1) changes the directory and then becomes the program, with the same id.
    let command = (directory.map { ["/usr/bin/env", "-C", $0] } ?? []) + [program] + arguments
    var argv = command.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, command[0], &actions, &attributes, &argv, &envp)
    for descriptor in [out.writeEnd, err.writeEnd] + extra + high { close(descriptor) }
    guard failure == 0 else {
      close(out.readEnd)
      close(err.readEnd)
      throw ProcessProblem(description: "\(program): \(String(cString: strerror(failure)))")
    }
    pid = child
    Self.collect(out.readEnd, into: output)
    Self.collect(err.readEnd, into: errors)
    Thread.detachNewThread { self.reap() }
  }

  private static func collect(_ descriptor: Int32, into written: Observed<Written>) {
    Thread.detachNewThread {
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        written.change { $0.bytes += buffer[..<count] }
      }
      close(descriptor)
      written.change { $0.isClosed = true }
    }
  }

  private func reap() {
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    var status: Int32 = 0
    isReaped.withLock { isReaped in
      waitpid(pid, &status, 0)
      isReaped = true
    }
    let signal = status & 0x7F
    end.change { $0 = signal == 0 ? .status((status >> 8) & 0xFF) : .signal(signal) }
  }

  // MARK: Waiting

  /// The first line on standard error that contains a text.
  func line(containing text: String, within limit: Duration = patience) async throws -> String {
    let found: String? = try await errors.wait(
      for: "line with '\(text)' from \(name)", within: limit
    ) { written in
      if let line = written.lines.first(where: { $0.contains(text) }) { return .some(line) }
      return written.isClosed ? .some(nil) : nil
    }
    if let found { return found }
    throw ProcessProblem(
      description: "\(name) said no '\(text)' but \(errors.value)\(output.value)")
  }

  /// How it ended, once it has and all its output is here.
  func ended(within limit: Duration = patience) async throws -> ProcessEnd {
    let end = try await end.wait(for: "end of \(name)", within: limit) { $0 }
    for stream in [output, errors] {
      _ = try await stream.wait(for: "end of output of \(name)", within: limit) {
        $0.isClosed ? true : nil
      }
    }
    return end
  }

  // MARK: Stopping

  /// Sends a signal to it, unless it has ended.
  func send(_ signal: Int32) {
    isReaped.withLock { isReaped in
      if !isReaped { kill(pid, signal) }
    }
  }

  /// Ends it, by force if it takes longer than it may, and waits for that.
  func stop(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(20)) async {
    send(signal)
    let ended = try? await end.wait(for: "end", within: limit) { $0 }
    if ended == nil {
      send(SIGKILL)
      _ = try? await end.wait(for: "end", within: patience) { $0 }
    }
  }
}

/// The two ends of a pipe.
struct Pipe {
  let readEnd: Int32
  let writeEnd: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      throw ProcessProblem(description: "pipe: \(String(cString: strerror(errno)))")
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }
}

/// A program that ran to its end.
struct FinishedProcess: Sendable {
  let end: ProcessEnd
  let output: String
  let errors: String
  /// Standard output exactly as it was.
  let bytes: [UInt8]

  /// The lines on standard error.
  var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
}

/// Runs a program to its end.
func run(
  _ program: String, _ arguments: [String], variables: [String: String?] = [:],
  directory: String? = nil, within limit: Duration = patience * 2
) async throws -> FinishedProcess {
  let process = try RunningProcess(
    program, arguments, variables: variables, directory: directory)
  do {
    let end = try await process.ended(within: limit)
    return FinishedProcess(
      end: end, output: process.output.value.text, errors: process.errors.value.text,
      bytes: process.output.value.bytes)
  } catch {
    await process.stop()
    throw error
  }
}
