import Foundation
import Glibc
import Testing

// Thousands of clients that are slow on purpose, in a process of their own: Servers/slow_clients.py says what they do.

/// Slow clients of one PoP.
struct SlowClients: Sendable {
  private let process: RunningProcess

  private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Servers/slow_clients.py").path

  /// Sends this many to a PoP, and waits until each has begun what it does. `areIdle` makes them run only when nothing
  /// else on this machine does.
  static func start(
    on stage: Stage, before pop: PoP, count: Int, areIdle: Bool
  ) async throws -> SlowClients {
    let process = try stage.start(
      try Programs.system("python3"),
      [script, "\(pop.port)", "\(count)"] + (areIdle ? ["idle"] : []))
    _ = try await process.line(containing: "all are here")
    return SlowClients(process: process)
  }

  /// Ends all of them at once, and returns what they have seen: for each kind of client statuses, bytes and ends.
  func stop() async throws -> [String: [String: Int]] {
    process.send(SIGTERM)
    #expect(try await process.ended() == .status(0), "\(process.errors.value)")
    return try JSONDecoder().decode(
      [String: [String: Int]].self, from: Data(process.output.value.bytes))
  }

  /// The port of an upstream that accepts everybody and says nothing.
  static func mute(on stage: Stage) async throws -> Int {
    let process = try stage.start(try Programs.system("python3"), [script, "mute"])
    let line = try await process.line(containing: "listening on ")
    guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
      throw ProcessProblem(description: "no port in '\(line)'")
    }
    return port
  }
}
