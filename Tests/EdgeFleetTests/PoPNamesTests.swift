// What a shell offers after --pop: the command line is not finished, and the configuration perhaps not right.

import EdgeFleet
import Foundation
import Testing

@Suite struct PoPNamesTests {
  private static func configuration(_ id: String) -> String {
    """
    { "fleet": "f", "regions": { "r": { "api": ["http://127.0.0.1:9"] } },
      "sites": [{ "name": "s", "hosts": ["*"], "origin": ["http://127.0.0.1:9"] }],
      "pops": [{ "id": "\(id)", "city": "c", "latitude": 1, "longitude": 1, "region": "r",
        "listen": ["127.0.0.1:7001"], "admin": "127.0.0.1:7101" }] }
    """
  }

  @Test("The configuration is the one that the command line names last, or else the usual one")
  func pops() throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("edgecache-pops-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    func file(_ name: String, _ text: String) throws -> String {
      let path = directory.appendingPathComponent(name).path
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
      return path
    }
    let one = try file("one.json", Self.configuration("iad1"))
    let two = try file("two 2.json", Self.configuration("fra1"))
    let broken = try file("broken.json", "{ \"fleet\":")
    let rows: [(words: [String], fallback: String?, ids: [String])] = [
      (["p", "--config", one, "--pop", ""], nil, ["iad1"]),
      (["p", "--pop", "", "--config", one], nil, ["iad1"]),
      (["p", "--config=\(one)", "--pop", ""], nil, ["iad1"]),
      (["p", "--config", "=", one, "--pop", ""], nil, ["iad1"]),
      (["p", "--config", "=", one, "--pop", "=", ""], nil, ["iad1"]),
      (["p", "--config", "=", one, "--admin", "=", two, "--pop", ""], nil, ["iad1"]),
      (["p", "--config", one, "--config", two, "--pop", ""], nil, ["fra1"]),
      (["p", "--config", "'\(two)'", "--pop", ""], nil, ["fra1"]),
      (["p", "--config", "=", "\"\(two)\"", "--pop", ""], nil, ["fra1"]),
      (["p", "--config", two.replacing(" ", with: "\\ "), "--pop", ""], nil, ["fra1"]),
      (["p", "--pop", ""], one, ["iad1"]), (["p", "--config", two, "--pop", ""], one, ["fra1"]),
      (["p", "--pop", "", "--config"], one, ["iad1"]), (["p", "--pop", ""], nil, []),
      (["p", "--config", broken, "--pop", ""], nil, []),
      (["p", "--config", directory.path, "--pop", ""], nil, []),
      (["p", "--config", "/no/such", "--pop", ""], one, []), ([], nil, []),
    ]
    for (words, fallback, ids) in rows {
      let found = FleetConfiguration.popNames(words, after: "--config", else: fallback)
      #expect(found == ids, "\(words)")
    }
  }
}
