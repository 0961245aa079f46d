// A thousand clients ask for the same thing that is not there yet: the origin is asked once.

import Foundation
import Synchronization
import Testing

/// An origin that keeps everybody waiting until it is told to answer.
private final class HeldOrigin: Server {
  private let listener: Socket
  private let content: [UInt8]
  private let mayAnswer = DispatchSemaphore(value: 0)
  private let asked = Mutex(0)

  init(content: [UInt8]) throws {
    listener = try Socket.bound(listens: true)
    self.content = content
    let listener = listener
    Thread.detachNewThread { [weak self] in
      while let socket = listener.accept() {
        Thread.detachNewThread { [weak self] in try? self?.serve(socket) }
      }
    }
  }

  deinit { listener.shutDown() }

  var port: Int { listener.port }

  /// How many requests have come.
  var requests: Int { asked.withLock { $0 } }

  /// Answers what was asked, and all that will be.
  func answer() { mayAnswer.signal() }

  private func serve(_ socket: Socket) throws {
    let connection = HTTPConnection(socket)
    while try connection.requestHead() != nil {
      asked.withLock { $0 += 1 }
      mayAnswer.wait()
      mayAnswer.signal()
      try socket.write(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: \(content.count)\r\n\r\n")
      try content.withUnsafeBytes(socket.write)
    }
  }
}

extension EndToEnd {
  @Suite struct CollapsedForwardingTests {
    private struct Statistics: Decodable {
      var bytesReceived: Int
    }

    @Test("1000 concurrent requests for one slow cacheable URL are one request at the origin")
    func thousand() async throws {
      try await Stage.run { stage in
        let content = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        let origin = try HeldOrigin(content: content)
        let pop = try await PoP.start(on: stage, upstream: origin)
        let responses = try await onThread {
          let connections = try (1...1000).map { _ in try HTTPConnection(port: pop.port) }
          for connection in connections { try connection.send("GET", "/held") }
          // Nobody is answered before all have asked.
          let all = 1000 * "GET /held HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8.count
          let admin = try HTTPConnection(port: pop.admin)
          let end = ContinuousClock.now + patience
          while true {
            let stats = try admin.request("GET", "/stats").content
            let received = try JSONDecoder().decode(Statistics.self, from: Data(stats))
            if received.bytesReceived >= all { break }
            guard .now < end else { throw Expired(description: "\(received) of \(all)") }
            pause(.milliseconds(10))
          }
          origin.answer()
          return try connections.map { try $0.response() }
        }
        #expect(responses.allSatisfy { $0.status == 200 })
        #expect(responses.allSatisfy { $0.content == content })
        #expect(origin.requests == 1)
        let collapsed = responses.count { $0["cache-status"]?.contains("collapsed") == true }
        #expect(collapsed == 999)
      }
    }
  }
}
