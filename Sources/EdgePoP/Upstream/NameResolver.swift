import EdgeSocket
import NIOPosix

/// Looks names up without keeping an event loop waiting.
final class NameResolver: Sendable {
  /// Names that are looked up at a time.
  private static let threadCount = 4

  private let threads = NIOThreadPool(numberOfThreads: threadCount)

  /// A resolver; its threads end with ``stop()``.
  init() {
    threads.start()
  }

  /// Looks a name up; `completion` gets its addresses, in the order of preference, on some thread. None
  /// if there are none.
  func resolve(
    host: String, port: Int, completion: @escaping @Sendable ([InternetAddress]) -> Void
  ) {
    threads.submit { state in
      guard case .active = state else { return completion([]) }
      completion(InternetAddress.resolve(host: host, port: port))
    }
  }

  /// Ends the threads.
  func stop() async {
    try? await threads.shutdownGracefully()
  }
}
