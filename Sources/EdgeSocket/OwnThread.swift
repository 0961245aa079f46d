import CEpoll
import Glibc

// Unsafe memory: a thread takes what it is to run as a pointer. Invariant: the box behind it is retained
// once when the thread is created and taken over once by the thread.

/// A thread that runs one thing and ends with it; nobody waits for its end.
public final class OwnThread {
  private let name: String
  private let body: () -> Void

  private init(_ name: String, _ body: @escaping () -> Void) {
    (self.name, self.body) = (name, body)
  }

  /// Runs `body` on a new thread, whose name has 15 bytes at most; returns an `errno` if there is none to be had.
  public static func start(name: String, _ body: @escaping () -> Void) -> CInt? {
    let box = Unmanaged.passRetained(OwnThread(name, body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { pointer in
        guard let pointer else { return nil }
        let own = Unmanaged<OwnThread>.fromOpaque(pointer).takeRetainedValue()
        _ = cepoll_name_thread(own.name)
        own.body()
        return nil
      }, box.toOpaque())
    if code != 0 {
      box.release()
      return code
    }
    pthread_detach(thread)
    return nil
  }
}
