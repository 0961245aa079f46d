// Several PoPs of one generated configuration, as an operator runs them.

import Foundation

/// A fleet on this machine, before one origin.
struct Fleet: Sendable {
  /// What purge-cli reads.
  let configuration: String
  let pops: [PoP]

  /// The ids of the PoPs, in the order of the configuration.
  static let ids = ["iad1", "fra1", "sin1"]
  static let cities = ["Ashburn", "Frankfurt", "Singapore"]
  static let host = "www.edge.example"

  /// Starts one PoP in each of three regions.
  static func start(
    on stage: Stage, origin: any Server, variables: [String: String?] = [:]
  ) async throws -> Fleet {
    // purge-cli takes the addresses from the configuration, so they are chosen before.
    let places = try ids.map { _ in try Socket.bound(listens: false) }
    let file = try stage.write(
      "pops.json", configuration(origin: origin.url, admins: places.map(\.port)))
    var pops: [PoP] = []
    for id in ids {
      pops.append(
        try await PoP.start(
          on: stage, arguments: ["--config", file, "--pop", id], variables: variables))
    }
    return withExtendedLifetime(places) { Fleet(configuration: file, pops: pops) }
  }

  /// A configuration of three PoPs that listen on free ports.
  static func configuration(origin: String, admins: [Int]) -> String {
    let pops = zip(zip(ids, cities), admins).map { names, admin in
      """
          { "id": "\(names.0)", "city": "\(names.1)", "latitude": 1, "longitude": 2,
            "region": "\(names.0)", "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:\(admin)",
            "memory": "16MiB", "threads": 1 }
      """
    }
    let regions = ids.map { "    \"\($0)\": { \"api\": [\"\(origin)\"] }" }
    return """
      {
        "fleet": "test",
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

  /// Runs purge-cli with this fleet's configuration.
  func purge(
    _ arguments: [String], variables: [String: String?] = [:]
  ) async throws -> FinishedProcess {
    try await run(
      Programs.purgeCLI, arguments + ["--config", configuration], variables: variables)
  }
}
