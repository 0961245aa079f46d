// What programs write to standard output. A disk that is full, or a reader that has gone, must not end in a status
// that says all is well: the first failure is kept, and the program asks for it before it ends.

import Glibc
import Synchronization

/// Standard output, which may fail.
public enum StandardOutput {
  private static let failure = Mutex<KernelError?>(nil)

  /// To be called before anything else: a reader that goes away is an error of a write and no longer the end of the
  /// process, and a stream that was closed is not taken by the next file that is opened.
  public static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 {
      // Reading only: what is written there fails as it would have done.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Writes text as it is. After a failure nothing more is written.
  public static func write(_ text: String) {
    failure.withLock { failure in
      guard failure == nil else { return }
      failure = writeAll(text, to: STDOUT_FILENO)
    }
  }

  /// Writes a line.
  public static func print(_ line: String) { write(line + "\n") }

  /// What went wrong, as a sentence; nil if nothing did.
  public static var problem: String? {
    failure.withLock { $0 }.map { "standard output cannot be written: \($0)" }
  }
}

/// Writes all of a text to a descriptor; returns why it could not.
func writeAll(_ text: String, to descriptor: Int32) -> KernelError? {
  var text = text
  return text.withUTF8 { bytes in
    var rest = UnsafeRawBufferPointer(bytes)
    while !rest.isEmpty {
      let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if written > 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        continue
      }
      let error = KernelError.latest
      if written < 0, error.code == EINTR { continue }
      if written < 0, error.code == EAGAIN {
        // Somebody else has made it non-blocking, such as the reader of a shared terminal.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, -1)
        continue
      }
      return written == 0 ? KernelError(EIO) : error
    }
    return nil
  }
}
