// One request on a connection of its own, waited for: what a run needs beside its load, such as
// telling the origin to change something.

import EdgeSocket

/// A request that is waited for.
enum BlockingRequest {
  /// Sends a head, and returns what the response said; nil if there was none in time.
  static func send(
    _ head: String, to addresses: [InternetAddress], timeout: TimeSpan
  ) -> ResponseSummary? {
    let deadline = Monotonic.now() + timeout.nanoseconds
    for address in addresses {
      guard let poller = Poller(capacity: 1), let socket = ClientSocket.connecting(to: address)
      else { continue }
      defer { socket.close() }
      poller.add(socket.descriptor, token: 0, [.reading, .writing])
      guard wait(poller, deadline), socket.isConnected else { continue }
      guard case .moved(let count) = socket.send(Array(head.utf8), from: 0, more: false),
        count == head.utf8.count
      else { continue }
      poller.change(socket.descriptor, token: 0, .reading)
      return response(socket, poller, deadline)
    }
    return nil
  }

  private static func response(
    _ socket: ClientSocket, _ poller: Poller, _ deadline: Int64
  ) -> ResponseSummary? {
    var reader = ResponseReader()
    reader.begin(toHead: false, wantsTag: true)
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    while wait(poller, deadline) {
      switch socket.receive(into: &buffer) {
      case .moved(let count):
        guard (try? reader.read(buffer.span.extracting(0..<count))) != nil else { return nil }
        if reader.isComplete { return reader.summary }
      case .wouldBlock: continue
      case .ended, .failed: return reader.connectionClosed() ? reader.summary : nil
      }
    }
    return nil
  }

  private static func wait(_ poller: Poller, _ deadline: Int64) -> Bool {
    poller.wait(nanoseconds: deadline - Monotonic.now()) > 0
  }
}
