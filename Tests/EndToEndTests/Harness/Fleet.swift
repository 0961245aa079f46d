// Several PoPs of one generated configuration, as an operator runs them.

import Foundation

/// A fleet on this machine, before one origin.
struct Fleet: Sendable {
  /// What purge-cli reads.
  let configuration: String
  private(set) var pops: [PoP]
  private let variables: [String: String?]
  /// Keeps the ports for PoPs that come back.
  private let places: [Socket]
  /// Where purges are kept that are pending.
  let spool: String

  /// The ids of the PoPs, in the order of the configuration.
  static let ids = ["iad1", "fra1", "sin1"]
  static let cities = ["Ashburn", "Frankfurt", "Singapore"]
  static let host = "www.edge.example"

  /// Starts one PoP in each of three regions; with `disks`, each has one. `more` is put into the configuration.
  static func start(
    on stage: Stage, origin: any Server, disks: Bool = false, more: String = "",
    parents: [String: String] = [:], variables: [String: String?] = [:]
  ) async throws -> Fleet {
    // purge-cli takes the addresses from the configuration, so they are chosen before.
    let places = try (0..<6).map { _ in try Socket.bound(listens: false) }
    let file = try stage.write(
      "pops.json",
      configuration(
        origin: origin.url, ports: places.map(\.port), stores: disks ? stage.directory : nil,
        more: more, parents: parents))
    var fleet = Fleet(
      configuration: file, pops: [], variables: variables, places: places,
      spool: stage.path("spool"))
    for id in ids {
      fleet.pops.append(
        try await PoP.start(
          on: stage, arguments: ["--config", file, "--pop", id], variables: variables))
    }
    return fleet
  }

  /// The port of a PoP's admin API.
  func adminPort(_ index: Int) -> Int { places[2 * index + 1].port }

  /// Starts a PoP again that has ended.
  mutating func restart(_ index: Int, on stage: Stage) async throws {
    pops[index] = try await PoP.start(
      on: stage, arguments: ["--config", configuration, "--pop", Self.ids[index]],
      variables: variables)
  }

  /// A configuration of three PoPs, with these ports for clients and for the admin API in turn.
  static func configuration(
    origin: String, ports: [Int], stores: String? = nil, more: String = "",
    parents: [String: String] = [:]
  ) -> String {
    let pops = zip(ids, cities).enumerated().map { index, names in
      let disk = stores.map {
        ", \"disk\": { \"path\": \"\($0)/store-\(names.0)\", \"size\": \"16MiB\", "
          + "\"admission\": \"all\" }"
      }
      let parent = parents[names.0].map { ", \"parent\": \"\($0)\"" }
      return """
          { "id": "\(names.0)", "city": "\(names.1)", "latitude": 1, "longitude": 2,
            "region": "\(names.0)", "listen": ["127.0.0.1:\(ports[2 * index])"],
            "admin": "127.0.0.1:\(ports[2 * index + 1])",
            "memory": "16MiB", "threads": 1\(disk ?? "")\(parent ?? "") }
        """
    }
    let regions = ids.map { "    \"\($0)\": { \"api\": [\"\(origin)\"] }" }
    return """
      {
        "fleet": "test",
        \(more)
        "regions": {
      \(regions.joined(separator: ",\n"))
        },
        "sites": [
          { "name": "test", "hosts": ["\(host)", "127.0.0.1"], "origin": ["\(origin)"] }
        ],
        "pops": [
      \(pops.joined(separator: ",\n"))
        ]
      }

      """
  }

  /// Runs purge-cli with this fleet's configuration. Unless they say so, those that are up have plenty
  /// of time.
  func purge(
    _ arguments: [String], variables: [String: String?] = [:]
  ) async throws -> FinishedProcess {
    var all: [String: String?] = ["EDGE_PURGE_SPOOL": spool]
    all.merge(variables) { $1 }
    var arguments = arguments + ["--config", configuration]
    if !arguments.contains("--timeout") { arguments += ["--timeout", "60s"] }
    return try await run(Programs.purgeCLI, arguments, variables: all)
  }

  /// The same where some PoPs are down, for which purge-cli waits as long as it may. Not long, unless
  /// those that are up need longer: `isRight` says if it was enough for them.
  func purgeWhatIsUp(
    _ arguments: [String], until isRight: (FinishedProcess) -> Bool
  ) async throws -> FinishedProcess {
    for timeout in ["400ms", "4s"] {
      let result = try await purge(arguments + ["--timeout", timeout])
      if isRight(result) { return result }
    }
    return try await purge(arguments + ["--timeout", "30s"])
  }
}
