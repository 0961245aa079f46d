// A gigabyte through a PoP in either direction, with one side that stalls for a while: all bytes
// arrive, and the PoP's memory does not grow with them.

import Testing

extension EndToEnd {
  @Suite struct BulkTests {
    private static let count = 1 << 30
    private static let pattern = BulkPattern()
    /// In KiB.
    private static let mostGrowth = 64 << 10

    /// The highest growth of a fresh PoP's memory, in KiB, while something goes through it.
    private func growth(
      of pop: PoP, origin: any Server, while body: () async throws -> Void
    ) async throws -> Int {
      let before = try pop.memory("VmRSS")
      try await body()
      return try pop.memory("VmHWM") - before
    }

    @Test("A download of 1 GiB", arguments: BulkFraming.allCases, [true, false])
    func download(framing: BulkFraming, clientStalls: Bool) async throws {
      try await Stage.run { stage in
        let middle = Self.count / 2
        let origin = try BulkOrigin(
          count: Self.count, framing: framing, stallsAt: clientStalls ? nil : middle,
          stall: .seconds(2), pattern: Self.pattern)
        // What may be stored is kept until it turns out to be too large.
        let pop = try await PoP.start(
          on: stage, upstream: origin, ["--largest-response", "32MiB"])
        let growth = try await growth(of: pop, origin: origin) {
          let port = pop.port
          let received = try await onThread {
            let connection = try HTTPConnection(port: port)
            try connection.send("GET", "/bulk")
            let head = try connection.head()
            #expect(head.status == 200)
            var position = 0
            var hasStalled = false
            try connection.readContent(of: head) { piece in
              if clientStalls, position >= middle, !hasStalled {
                hasStalled = true
                pause(.seconds(3))
              }
              guard Self.pattern.matches(piece, at: position) else {
                throw BrokenResponse(description: "wrong within the bytes at \(position)")
              }
              position += piece.count
            }
            return position
          }
          #expect(received == Self.count)
        }
        #expect(growth < Self.mostGrowth, "\(growth) KiB")
      }
    }

    @Test("An upload of 1 GiB, with its length and in chunks", arguments: [true, false])
    func upload(originStalls: Bool) async throws {
      try await Stage.run { stage in
        let middle = Self.count / 2
        let origin = try BulkOrigin(
          count: 0, stallsAt: originStalls ? middle : nil, pattern: Self.pattern)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let growth = try await growth(of: pop, origin: origin) {
          let port = pop.port
          let verdict = try await onThread {
            let connection = try HTTPConnection(port: port)
            try connection.send(
              "POST", "/bulk",
              [originStalls ? "Content-Length: \(Self.count)" : "Transfer-Encoding: chunked"])
            var position = 0
            while position < Self.count {
              let size = min(256 << 10, Self.count - position)
              if !originStalls { try connection.socket.write("\(String(size, radix: 16))\r\n") }
              try Self.pattern.piece(at: position, size, connection.socket.write)
              if !originStalls { try connection.socket.write("\r\n") }
              position += size
              if !originStalls, position == middle { pause(.seconds(3)) }
            }
            if !originStalls { try connection.socket.write("0\r\n\r\n") }
            return try connection.response(to: "POST").text
          }
          #expect(verdict == "good \(Self.count)")
        }
        #expect(growth < Self.mostGrowth, "\(growth) KiB")
      }
    }
  }
}
