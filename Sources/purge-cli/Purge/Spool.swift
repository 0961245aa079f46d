// Purges that some PoP has not acknowledged, kept in files until it has: one file for each, with what was ordered
// and which PoPs are still to hear of it.

import ArgumentParser
import EdgeCache
import EdgeFleet
import FoundationEssentials
import Glibc

/// Where pending purges are kept.
struct SpoolOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where purges are kept that are pending at some PoP (default: $EDGE_PURGE_SPOOL, or "
        + "edgecache/purges in $XDG_STATE_HOME or ~/.local/state, or in /var/lib for root without "
        + "a home).",
      valueName: "directory"),
    completion: .directory)
  var spool: String?

  /// The spool. Where nobody says where it is, it is never a place that depends on where one happens to be.
  func open() throws -> Spool {
    if let spool {
      guard !spool.isEmpty else { throw WrongUse("--spool: give it a directory") }
      return Spool(directory: spool)
    }
    if let named = Environment.value("EDGE_PURGE_SPOOL") { return Spool(directory: named) }
    guard let directory = StateDirectory.path("purges", isRoot: geteuid() == 0) else {
      throw WrongUse(
        "there is no place for what some PoP does not acknowledge, as HOME is not set to a directory of "
          + "yours; give one with --spool DIRECTORY or EDGE_PURGE_SPOOL")
    }
    return Spool(directory: directory)
  }
}

/// A directory of pending purges.
struct Spool {
  /// One of them.
  struct Pending: Codable {
    /// A PoP that is still to hear of it.
    struct Target: Codable {
      var pop: String?
      var city: String?
      var admin: String
    }

    var request: String
    var targets: [Target]
    /// Whether it was ordered over TLS; nil if that is not known.
    var secure: Bool?
  }

  /// One of them as it is sent again.
  struct Kept {
    let request: PurgeRequest
    let targets: [PurgeFanOut.Target]
    let isSecure: Bool?
  }

  let directory: String

  /// Keeps a purge that these PoPs have not acknowledged, in the place of what was kept of it before.
  func keep(
    _ request: PurgeRequest, id: PurgeID, _ targets: [PurgeFanOut.Target], isSecure: Bool
  ) throws {
    if targets.isEmpty { return remove(id) }
    let pending = Pending(
      request: String(decoding: request.json, as: UTF8.self),
      targets: targets.map { .init(pop: $0.pop, city: $0.city, admin: "\($0.admin)") },
      secure: isSecure)
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      try Data(JSONForm.page.text(pending).utf8).write(
        to: URL(filePath: path(id)), options: .atomic)
    } catch {
      throw WrongUse(
        "the purge is pending at some PoPs and cannot be kept in \(directory); send it again later")
    }
  }

  /// Forgets a purge.
  func remove(_ id: PurgeID) {
    try? FileManager.default.removeItem(atPath: path(id))
  }

  /// What is pending, the oldest first.
  func pending() throws -> [Kept] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return try names.compactMap { name -> (PurgeID, String)? in
      guard name.hasSuffix(".json"), let id = PurgeID(name.dropLast(5)) else { return nil }
      return (id, "\(directory)/\(name)")
    }
    .sorted { $0.0 < $1.0 }
    .map { _, path in try read(path) }
  }

  private func read(_ path: String) throws -> Kept {
    do {
      let pending = try JSONDecoder().decode(
        Pending.self, from: Data(try TextFile.bytes(path: path)))
      let targets = try pending.targets.map {
        PurgeFanOut.Target(
          pop: $0.pop, city: $0.city, admin: try SocketEndpoint(parsing: $0.admin))
      }
      return Kept(
        request: try PurgeRequest(json: Array(pending.request.utf8)), targets: targets,
        isSecure: pending.secure)
    } catch {
      throw WrongUse("\(path): not a pending purge (\(error)); remove it")
    }
  }

  private func path(_ id: PurgeID) -> String { "\(directory)/\(id).json" }
}
