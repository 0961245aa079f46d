import Testing

@testable import EdgeFleet

// How many clients a PoP has, and how it begins and ends: keys of the file and of a PoP.

@Suite struct ServingOptionsTests {
  private func text(fleet: String = "", pop: String = "") -> String {
    """
    {
      "fleet": "test", \(fleet)
      "regions": { "us": { "api": ["http://127.0.0.1:3101"] } },
      "sites": [{ "name": "www", "hosts": ["*"], "origin": ["http://127.0.0.1:3000"] }],
      "pops": [
        { "id": "iad1", "city": "Ashburn", "latitude": 38.9, "longitude": -77.4, "region": "us", \(pop)
          "listen": ["127.0.0.1:8081"], "admin": "127.0.0.1:9081" }
      ]
    }
    """
  }

  private func read(_ text: String) throws(ConfigurationError) -> FleetConfiguration.Serving {
    let configuration = try FleetConfiguration.parse(Array(text.utf8), file: "f.json")
    return configuration.serving(of: configuration.pops[0])
  }

  @Test func whatThePoPSaysGoesBeforeTheFleet() throws {
    let all = try read(
      text(
        fleet:
          #""clientConnections": 5, "drainTimeout": "1m", "drainDelay": "0s", "readyWhenUnsynced": false,"#,
        pop: #""clientConnections": 7, "connectionsPerAddress": 3,"#))
    #expect(all.clientConnections == 7)
    #expect(all.connectionsPerAddress == 3)
    #expect(all.drainTimeout == .seconds(60))
    #expect(all.drainDelay == .zero)
    #expect(all.readyWhenUnsynced == false)
    #expect(try read(text()) == FleetConfiguration.Serving())
  }

  private static let wrong: [(pop: String, says: String)] = [
    (
      #""clientConnections": 0,"#,
      "pops[0].clientConnections: 0 is not a whole number in 1...10000000"
    ),
    (#""clientConnections": "many","#, "pops[0].clientConnections: is"),
    (#""connectionsPerAddress": 1.5,"#, "pops[0].connectionsPerAddress: 1.5 is not a whole number"),
    (#""connectionsPerAddress": 1e300,"#, "pops[0].connectionsPerAddress: 1e300"),
    (#""drainTimeout": "0s","#, #"pops[0].drainTimeout: "0s" must be from 1ms to 24h"#),
    (#""drainTimeout": "25h","#, #"pops[0].drainTimeout: "25h" must be from 1ms to 24h"#),
    (#""drainDelay": "25h","#, #"pops[0].drainDelay: "25h" must be from 0s to 24h"#),
    (#""drainTimeout": 30,"#, "pops[0].drainTimeout: is"),
    (#""readyWhenUnsynced": "no","#, "pops[0].readyWhenUnsynced: is"),
    (#""drainTimeOut": "30s","#, #"did you mean "drainTimeout"?"#),
  ]

  @Test(arguments: wrong.indices)
  func whatIsWrongIsSaid(index: Int) {
    let (pop, says) = Self.wrong[index]
    do throws(ConfigurationError) {
      _ = try read(text(pop: pop))
      Issue.record("it was read")
    } catch {
      #expect(error.lines.count == 1 && error.lines[0].contains(says), "\(error.lines)")
    }
  }
}
