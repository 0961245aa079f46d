// A thousand clients ask for the same thing that is not there yet: the origin is asked once.

import Testing

extension EndToEnd {
  @Suite struct CollapsedForwardingTests {
    @Test("1000 concurrent requests for one slow cacheable URL are one request at the origin")
    func thousand() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let size = 20_000
        let responses = try await onThread {
          let connections = try (1...1000).map { _ in try HTTPConnection(port: pop.port) }
          for connection in connections {
            try connection.send("GET", "/slow-bytes/\(size)?ms=2500")
          }
          return try connections.map { try $0.response() }
        }
        #expect(responses.allSatisfy { $0.status == 200 })
        let direct = try await origin.request("GET", "/slow-bytes/\(size)?ms=0")
        #expect(direct.content.count == size)
        #expect(responses.allSatisfy { $0.content == direct.content })
        // One by way of the PoP, one of our own.
        #expect(try await origin.requests() == ["/slow-bytes/\(size)": 2])
        let collapsed = responses.count { $0["cache-status"]?.contains("collapsed") == true }
        #expect(collapsed > 900, "\(collapsed)")
      }
    }
  }
}
