// Tunnels through a PoP to a WebSocket server of another make, and what ends them.

import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite struct WebSocketTests {
    private static let handshake = [
      "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    @Test("The handshake is answered by the server and frames go both ways")
    func frames() async throws {
      try await Stage.run { stage in
        let echo = try await WebSocketEcho.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: echo)
        let (head, frame) = try await onThread {
          let connection = try HTTPConnection(port: pop.port)
          try connection.send("GET", "/", Self.handshake)
          let head = try connection.head()
          // A text frame, masked with zeros: "hello".
          let hello: [UInt8] = [0x81, 0x85, 0, 0, 0, 0] + Array("hello".utf8)
          try hello.withUnsafeBytes(connection.socket.write)
          return (head, try connection.bytes(7))
        }
        #expect(head.status == 101)
        #expect(head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(head["upgrade"]?.lowercased() == "websocket")
        #expect(frame == [0x81, 5] + Array("hello".utf8))
      }
    }

    /// The sample origin is such a server: after a request with Upgrade it reads no other.
    @Test("A refusal of the upgrade is an ordinary response, and its connection not used again")
    func refusal() async throws {
      try await Stage.run { stage in
        let origin = try await SampleOrigin.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let statuses = try await onThread {
          let connection = try HTTPConnection(port: pop.port)
          return [
            try connection.request("GET", "/none", Self.handshake).status,
            try connection.request("GET", "/bytes/3").status,
          ]
        }
        #expect(statuses == [404, 200])
      }
    }

    @Test("Either end of a tunnel may close it", arguments: [true, false])
    func ends(byClient: Bool) async throws {
      try await Stage.run { stage in
        let echo = try await WebSocketEcho.start(on: stage)
        let pop = try await PoP.start(on: stage, upstream: echo)
        let closed = try await onThread {
          let connection = try HTTPConnection(port: pop.port)
          try connection.send("GET", "/", Self.handshake)
          _ = try connection.head()
          if byClient {
            connection.socket.shutDown(Int32(SHUT_WR))
          } else {
            // A close frame: the server answers with one and closes.
            let close: [UInt8] = [0x88, 0x80, 0, 0, 0, 0]
            try close.withUnsafeBytes(connection.socket.write)
            guard try connection.bytes(2) == [0x88, 0] else { return false }
          }
          return try connection.isClosedByPeer()
        }
        #expect(closed)
      }
    }
  }
}
