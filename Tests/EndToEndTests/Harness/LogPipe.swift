import Foundation
import Glibc
import Synchronization

/// A named pipe that a program writes its log to, which is read only while a test says so.
final class LogPipe: Sendable {
  private struct State {
    var isRead = true
    var hasEnded = false
  }

  let path: String
  private let descriptor: Int32
  private let state = Mutex(State())

  /// Makes one, which is read from now on.
  init(_ path: String) throws {
    self.path = path
    guard mkfifo(path, 0o600) == 0 else { throw SocketProblem("mkfifo") }
    // For both, so that it has no end while nobody writes and nobody fails to open it.
    descriptor = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw SocketProblem("open") }
    Thread.detachNewThread { self.run() }
  }

  /// Whether somebody reads it.
  func setRead(_ isRead: Bool) { state.withLock { $0.isRead = isRead } }

  /// Ends the reading for good.
  func stop() { state.withLock { $0.hasEnded = true } }

  private func run() {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let now = state.withLock { $0 }
      if now.hasEnded { break }
      var wait = pollfd(fd: descriptor, events: now.isRead ? Int16(POLLIN) : 0, revents: 0)
      if poll(&wait, 1, 20) > 0 { _ = read(descriptor, &buffer, buffer.count) }
    }
    close(descriptor)
  }
}
