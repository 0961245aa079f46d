import Foundation
import Glibc

// A file system of a size of its own, in memory, which is there for the processes that are started on it. It needs
// root; where that is not to be had, the same is tried with SimulatedVolume in EdgeCacheTests.

/// A small disk, as long as its stage lives.
struct SmallDisk: Sendable {
  /// Where it is for who is started on it.
  let place: String
  private let holder: RunningProcess

  /// True where a process may have mounts of its own.
  static let isPossible: Bool = {
    guard getuid() == 0, let unshare = try? Programs.system("unshare"),
      (try? Programs.system("nsenter")) != nil
    else { return false }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: unshare)
    process.arguments = ["-m", "sh", "-c", "mount -t tmpfs -o size=64k none /tmp"]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()

  static func make(on stage: Stage, at name: String, kibibytes: Int) async throws -> SmallDisk {
    let place = stage.path(name)
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let holder = try stage.start(
      try Programs.system("unshare"),
      [
        "-m", "sh", "-c",
        "mount -t tmpfs -o size=\(kibibytes)k none '\(place)' && echo mounted >&2 && exec sleep infinity",
      ])
    _ = try await holder.line(containing: "mounted")
    return SmallDisk(place: place, holder: holder)
  }

  /// A command that runs a program on it.
  func command(_ program: String, _ arguments: [String]) throws -> (String, [String]) {
    (try Programs.system("nsenter"), ["-t", "\(holder.pid)", "-m", program] + arguments)
  }

  /// The same place, for who is not started on it.
  var outside: String { "/proc/\(holder.pid)/root\(place)" }

  /// Takes all the room that is left.
  func fill() throws {
    let file = open("\(outside)/others", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    let bytes = [UInt8](repeating: 1, count: 4096)
    while write(file, bytes, bytes.count) > 0 {}
  }

  /// Gives it back.
  func free() { unlink("\(outside)/others") }
}
