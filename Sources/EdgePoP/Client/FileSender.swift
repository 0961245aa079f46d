import EdgeCache
import EdgeSocket
import NIOCore

// Content that lies in a file on its way to a client, without passing through memory of this process. What
// is in the page cache goes to the socket as it has room; what is not is brought there first by a thread
// that may wait for the disk. What a socket has taken are the pages themselves, until the client has got them: whoever
// writes the file anew gives it others.

/// Sends parts of a file to one client.
final class FileSender {
  private let file: ContentFile
  private var parts: ArraySlice<Delivery.Part>
  private weak var connection: ClientConnection?
  private let whenDone: (ClientConnection) -> Void
  private var isLoading = false
  /// Bytes that have not been handed to the socket.
  private(set) var unsent: Int

  /// Bytes that are looked for in the page cache, and sent, at once.
  private static let window = 1 << 20
  /// Nanoseconds until a disk with too much to read is asked again.
  private static let retry: Int64 = 10_000_000
  /// Windows in a row before others have their turn.
  private static let mostWindows = 4

  init(
    _ parts: [Delivery.Part], of file: ContentFile, for connection: ClientConnection,
    whenDone: @escaping (ClientConnection) -> Void
  ) {
    self.file = file
    self.parts = parts[...]
    self.connection = connection
    self.whenDone = whenDone
    unsent = parts.reduce(0) { sum, part in
      if case .range(let range) = part { sum + range.count } else { sum }
    }
  }

  /// Sends as much as there is room for, if that is in the page cache; returns how many bytes that were.
  static func sendAtOnce(
    _ file: ContentFile, _ range: Range<Int>, to connection: ClientConnection
  ) -> Int {
    guard range.count <= window, let region = file.region as? FileRegion else { return 0 }
    if !file.isResident {
      guard region.isResident(range) else { return 0 }
      if range.count == region.count { file.wasSeen(connection.loop.now) }
    }
    // Whatever else happened shows when the rest is sent.
    if case .sent(let count) = connection.sendDirectly({ region.send(range, to: $0) }) {
      return count
    }
    return 0
  }

  /// Sends what there is room for.
  func advance() {
    guard !isLoading, let connection else { return }
    guard let region = file.region as? FileRegion else { return fail(connection) }
    var windows = 0
    while let part = parts.first {
      guard connection.isOpen, connection.sender === self else { return }
      switch part {
      case .bytes(let bytes):
        connection.send(bytes)
        parts.removeFirst()
      case .range(let range) where range.isEmpty: parts.removeFirst()
      case .range(let range):
        let window = range.prefix(Self.window)
        guard file.isResident || region.isResident(window) else {
          return load(region, window, connection)
        }
        if window.count == region.count, !file.isResident { file.wasSeen(connection.loop.now) }
        switch connection.sendDirectly({ region.send(window, to: $0) }) {
        case .wait: return
        case .failed: return fail(connection)
        case .sent(let count):
          unsent -= count
          parts[parts.startIndex] = .range(range.dropFirst(count))
        }
        windows += 1
        if windows == Self.mostWindows { return later(connection) }
      }
    }
    connection.sender = nil
    whenDone(connection)
  }

  /// What was promised cannot be sent any more.
  private func fail(_ connection: ClientConnection) {
    connection.abort(connection.served.status.interrupted(.diskFailed))
  }

  private func later(_ connection: ClientConnection) {
    let waiting = Confined(self, to: connection.reactor)
    waiting.mailbox.execute { waiting.value.goOn() }
  }

  private func goOn() {
    advance()
    connection?.flush()
  }

  private func load(_ region: FileRegion, _ window: Range<Int>, _ connection: ClientConnection) {
    guard let disk = connection.loop.shared.disk else { return fail(connection) }
    isLoading = true
    let waiting = Confined(self, to: connection.reactor)
    let isTaken = disk.submit(for: region) {
      let isThere = region.load(window)
      waiting.mailbox.execute { waiting.value.loaded(isThere) }
    }
    if isTaken { return }
    // The head has gone out, so that the content is owed; the limit for clients that stall ends this.
    isLoading = false
    _ = connection.reactor.schedule(after: Self.retry) { [weak self] in self?.goOn() }
  }

  private func loaded(_ isThere: Bool) {
    isLoading = false
    guard let connection, connection.isOpen, connection.sender === self else { return }
    if isThere { goOn() } else { fail(connection) }
  }
}
